/// The end of a cycle, when all that is dead is known and what is weak is cleared in slices.

#include <vector>

#include "tests/gc/weak_kit.hpp"

namespace besom::test {
namespace {

HeapOptions incremental_options(bool generational) {
  HeapOptions options = exact_options();
  options.generational = generational;
  options.incremental = true;
  options.slice = 1;
  return options;
}

/// A heap whose cycles can be stopped where marking has just ended.
struct SettlingKit : WeakKit {
  explicit SettlingKit(bool generational = false) : WeakKit(incremental_options(generational)) {
    hook = heap.add_mark_hook([](void* user, const MarkView&) { ++*static_cast<int*>(user); },
                              &markings, "test");
    // Of these the first are cleared at once, the last after all others.
    for (int i = 0; i < 1000; ++i) filling.push_back(make_box(nullptr));
  }
  [[nodiscard]] Handle<WeakBox> make_box(const Node* target) {
    return {heap, WeakBox::make(heap, box, value_of(target))};
  }
  /// Marks, and clears very few of the weak slots.
  void mark() {
    REQUIRE(heap.allocate(node));  // the newest is a root
    const int before = markings;
    const std::uint64_t number = heap.last_collection().number;
    for (int i = 0; markings == before; ++i) {
      REQUIRE(i < 1'000'000);
      REQUIRE(heap.step(1));
    }
    REQUIRE(heap.last_collection().number == number);
  }
  void finish() {
    const std::uint64_t number = heap.last_collection().number;
    for (int i = 0; heap.last_collection().number == number; ++i) {
      REQUIRE(i < 1'000'000);
      REQUIRE(heap.step(1));
    }
    CHECK(heap.last_collection().bad_refs == 0);
    CHECK(heap.last_collection().bad_headers == 0);
    CHECK(verify(heap).ok());
  }

  int markings = 0;
  MarkHookRegistration hook;
  std::vector<Handle<WeakBox>> filling;
};

int released;

struct Released {
  static constexpr bool kReleased = true;
  Header header;
  static TypeDescriptor type() {
    return {.name = "Released",
            .size = sizeof(Released),
            .release = [](void*, void*, std::uint32_t) { ++released; }};
  }
};

}  // namespace

TEST_CASE("Settling: whatever weak slot leads to the dead, none gives it once marking is over",
          "[gc][incremental][weak]") {
  SettlingKit kit;
  Handle<Node> target = kit.make_node();
  const Ref<Node> ref = target.ref();
  std::vector<Handle<WeakBox>> boxes;
  for (int i = 0; i < 10; ++i) boxes.push_back(kit.make_box(target.get()));
  const Weak<Node> weak(kit.heap, target.get());
  target.reset();
  kit.mark();
  CHECK_FALSE(weak);
  CHECK(weak.get() == nullptr);
  for (const Handle<WeakBox>& box : boxes) CHECK(box->target.get().is_null());
  kit.finish();
  CHECK_FALSE(kit.lives(ref));
}

TEST_CASE("Settling: what a weak slot gives before marking is over lives, by all others as well",
          "[gc][incremental][weak]") {
  SettlingKit kit;
  Handle<Node> target = kit.make_node();
  const Ref<Node> ref = target.ref();
  const Handle<WeakBox> first = kit.make_box(target.get());
  const Handle<WeakBox> last = kit.make_box(target.get());
  const Weak<Node> weak(kit.heap, target.get());
  target.reset();
  REQUIRE(kit.heap.allocate(kit.node));
  REQUIRE(kit.heap.step(1));
  CHECK(first->target.get() == Value(ref));
  kit.mark();
  CHECK(weak.get() == kit.heap.get(ref));
  CHECK(last->target.get() == Value(ref));
  kit.finish();
  CHECK(kit.lives(ref));
}

TEST_CASE("Settling: to ask whether a weak handle has an object keeps none",
          "[gc][incremental][weak]") {
  SettlingKit kit;
  Handle<Node> target = kit.make_node();
  const Weak<Node> weak(kit.heap, target.get());
  target.reset();
  REQUIRE(kit.heap.allocate(kit.node));
  REQUIRE(kit.heap.step(1));
  CHECK(weak);
  kit.finish();
  CHECK_FALSE(weak);
}

TEST_CASE("Settling: a raw read that is told of keeps its object, whatever else was cleared",
          "[gc][incremental][weak]") {
  SettlingKit kit;
  Handle<Node> target = kit.make_node();
  target->left = kit.heap.allocate(kit.node);
  const Handle<WeakArray> array(kit.heap, kit.heap.allocate(kit.weak_array, 1));
  array->data()[0] = kit.value_of(target.get());
  target.reset();
  kit.mark();
  std::uint32_t bits = 0;
  std::memcpy(&bits, array->data(), sizeof bits);
  REQUIRE(bits != 0);
  note_read(array->data());
  const Handle<Node> kept(kit.heap, reinterpret_cast<Node*>(detail::base_of(kit.heap) + bits));
  kit.finish();
  CHECK(kit.lives(kept.ref()));
  CHECK(kit.lives(kept->left.ref()));
}

TEST_CASE("Settling: an entry whose key is dead is broken before a store, a read or a search",
          "[gc][incremental][tables]") {
  SettlingKit kit;
  constexpr std::uint32_t kEntries = 4;
  const Handle<EphemeronArray> array(kit.heap, kit.heap.allocate(kit.ephemerons, kEntries));
  const Handle<WeakValueTable> table = kit.make_value_table();
  const Value name = Value::integer(7);
  {
    const Handle<Node> dead = kit.make_node();
    for (std::uint32_t i = 0; i < kEntries; ++i) {
      array->data()[i].key = kit.value_of(dead.get());
      array->data()[i].value = kit.value_of(kit.heap.allocate(kit.node));
    }
    REQUIRE_FALSE(table->put(kit.heap, name, kit.value_of(dead.get())));
  }
  const Handle<Node> key = kit.make_node();
  kit.mark();
  CHECK_FALSE(table->contains(kit.heap, name));
  CHECK(table->get(kit.heap, name).is_null());
  REQUIRE_FALSE(table->put(kit.heap, name, kit.value_of(key.get())));
  // A new key in an old entry has not the old one's value.
  array->data()[0].key = kit.value_of(key.get());
  CHECK(array->data()[0].value.get() == Value::integer(0));
  CHECK(array->data()[1].key.get().is_null());
  CHECK(array->data()[2].value.get() == Value::integer(0));
  kit.finish();
  CHECK(array->data()[3].is_broken());
  CHECK(array->data()[0].key.get() == kit.value_of(key.get()));
  CHECK(table->get(kit.heap, name) == kit.value_of(key.get()));
}

TEST_CASE("Settling: a value that was stored without its key lives if that comes before the end",
          "[gc][incremental][tables]") {
  int tried = 0;
  for (int steps = 1;; steps += 5) {
    SettlingKit kit;
    const Handle<EphemeronArray> array(kit.heap, kit.heap.allocate(kit.ephemerons, 2));
    const Handle<Node> key = kit.make_node();
    const Ref<Node> value(kit.heap.allocate(kit.node));
    array->data()[0].value = Value(value);
    REQUIRE(kit.heap.allocate(kit.node));
    for (int i = 0; i < steps; ++i) REQUIRE(kit.heap.step(1));
    if (kit.markings != 0) break;
    array->data()[0].key = kit.value_of(key.get());
    kit.finish();
    REQUIRE(array->data()[0].value.get() == Value(value));
    REQUIRE(kit.lives(value));
    ++tried;
  }
  CHECK(tried > 20);
}

TEST_CASE("Settling: of an array of ephemerons each finds its key, which others lead to",
          "[gc][incremental][ephemerons]") {
  // Each value leads to the key of the entry before it.
  constexpr std::uint32_t kEntries = 700;
  SettlingKit kit;
  const Handle<EphemeronArray> array = kit.heap.make(kit.ephemerons, kEntries);
  Handle<Node> key = kit.make_node();
  const Handle<Node> first(kit.heap, key.get());
  std::vector<Ref<Node>> values;
  for (std::uint32_t i = kEntries; i-- > 0;) {
    const Handle<Node> value = kit.make_node();
    (*array)[i].key = kit.value_of(key.get());
    (*array)[i].value = kit.value_of(value.get());
    key = kit.make_node();
    value->left = key.get();
    values.push_back(value.ref());
  }
  key.reset();
  kit.mark();
  kit.finish();
  for (std::uint32_t i = 0; i < kEntries; ++i) {
    INFO(i);
    CHECK_FALSE((*array)[i].is_broken());
    CHECK(kit.lives(values[kEntries - 1 - i]));
  }
}

TEST_CASE("Settling: an object that leaves a handle before that was read lives",
          "[gc][incremental][handles]") {
  SettlingKit kit;
  const Handle<Node> keeper = kit.make_node();
  std::vector<Handle<Node>> handles;
  for (int i = 0; i < 1000; ++i) handles.push_back(kit.make_node());
  const bool by_set = GENERATE(false, true);
  REQUIRE(kit.heap.allocate(kit.node));
  REQUIRE(kit.heap.step(1));
  // The handles that were made last are read last.
  const Ref<Node> moved = handles.back().ref();
  keeper->left = handles.back().get();
  if (by_set) {
    handles.back().set(nullptr);
  } else {
    handles.back().reset();
  }
  kit.finish();
  CHECK(kit.lives(moved));
}

TEST_CASE("Settling: chunks of handles may come and go while a cycle reads them",
          "[gc][incremental][handles]") {
  SettlingKit kit;
  std::vector<Handle<Node>> handles;
  std::vector<Weak<Node>> weak;
  for (int i = 0; i < 2000; ++i) handles.push_back(kit.make_node());
  for (const Handle<Node>& handle : handles) weak.emplace_back(kit.heap, handle.get());
  const std::uint64_t number = kit.heap.last_collection().number;
  REQUIRE(kit.heap.allocate(kit.node));
  for (int i = 0; kit.heap.last_collection().number == number; ++i) {
    REQUIRE(i < 1'000'000);
    REQUIRE(kit.heap.step(1));
    if (i % 2 == 0 && handles.size() > 500) handles.erase(handles.begin());
    if (i % 2 == 1 && weak.size() > 500)
      weak.erase(weak.begin() + static_cast<int>(weak.size() / 2));
    if (i % 64 == 0) handles.push_back(kit.make_node());
  }
  for (const Handle<Node>& handle : handles) CHECK(kit.lives(handle.ref()));
  REQUIRE_FALSE(kit.heap.collect());
  CHECK(verify(kit.heap).ok());
}

TEST_CASE("Settling: a guarded object comes back whole, after what is weak has forgotten it",
          "[gc][incremental][guardians]") {
  SettlingKit kit;
  Guardian guardian(kit.heap);
  const Handle<WeakBox> box = [&] {
    const Handle<Node> guarded = kit.make_node();
    guarded->left = kit.heap.allocate(kit.node);
    REQUIRE_FALSE(guardian.guard(guarded.get()));
    return kit.make_box(guarded.get());
  }();
  kit.mark();
  CHECK(*guardian.next() == nullptr);
  kit.finish();
  CHECK(kit.heap.last_collection().finalizers_ready == 1);
  CHECK(box->target.get().is_null());
  auto* back = static_cast<Node*>(*guardian.next());
  REQUIRE(back != nullptr);
  CHECK(kit.lives(back->left.ref()));
}

TEST_CASE("Settling: release hooks run once for each of the dead, and for none that came back",
          "[gc][incremental][release]") {
  SettlingKit kit;
  released = 0;
  const Type<Released> type = kit.defined<Released>();
  std::vector<Handle<Released>> kept;
  std::vector<Ref<Released>> dead;
  for (int i = 0; i < 1000; ++i) {
    Handle<Released> made = kit.heap.make(type);
    if (i % 2 == 0) {
      kept.push_back(std::move(made));
    } else {
      dead.push_back(made.ref());
    }
  }
  kit.mark();
  // A host may know an object until its hook has run.
  REQUIRE(released == 0);
  auto* back = reinterpret_cast<Released*>(detail::base_of(kit.heap) + dead[7].index());
  note_kept(back);
  kept.emplace_back(kit.heap, back);
  const std::uint64_t number = kit.heap.last_collection().number;
  while (kit.heap.last_collection().number == number) {
    REQUIRE(kit.heap.step(1));
    REQUIRE((released == 0 || released == 499));
    REQUIRE(kit.heap.make(type));
  }
  CHECK(kit.heap.last_collection().released == 499);
  CHECK(kit.lives(dead[7]));
}

TEST_CASE("Settling: a collection on purpose ends the cycle first, and a reset drops it",
          "[gc][incremental]") {
  SettlingKit kit;
  Handle<Node> target = kit.make_node();
  const Handle<WeakBox> box = kit.make_box(target.get());
  target.reset();
  kit.mark();
  const std::uint64_t number = kit.heap.last_collection().number;
  REQUIRE_FALSE(kit.heap.collect());
  CHECK(kit.heap.last_collection().number == number + 2);
  CHECK(box->target.get().is_null());
  CHECK(verify(kit.heap).ok());
  kit.mark();
  REQUIRE_FALSE(kit.heap.reset());
  CHECK(kit.heap.stats().used == 0);
  CHECK(verify(kit.heap).ok());
  REQUIRE(kit.heap.allocate(kit.node));
  CHECK(kit.survivors() == 0);
}

TEST_CASE("Settling: what is made ready on purpose is forgotten by all weak slots or by none",
          "[gc][incremental][guardians]") {
  for (int steps = 0; steps < 40; steps += 3) {
    SettlingKit kit;
    Guardian guardian(kit.heap);
    std::vector<Handle<WeakBox>> boxes;
    std::vector<Weak<Node>> weak;
    for (int i = 0; i < 10; ++i) {
      const Handle<Node> guarded = kit.make_node();
      REQUIRE_FALSE(guardian.guard(guarded.get()));
      boxes.push_back(kit.make_box(guarded.get()));
      weak.emplace_back(kit.heap, guarded.get());
    }
    kit.mark();
    for (int i = 0; i < steps; ++i) REQUIRE(kit.heap.step(1));
    REQUIRE_FALSE(guardian.make_all_ready());
    std::vector<Handle<Node>> back;
    while (void* object = *guardian.next()) {
      back.emplace_back(kit.heap, static_cast<Node*>(object));
    }
    CHECK(back.size() == 10);
    for (std::size_t i = 0; i < 10; ++i) {
      REQUIRE(boxes[i]->target.get().is_null() == (weak[i].get() == nullptr));
    }
    kit.finish();
    for (const Handle<Node>& object : back) CHECK(kit.lives(object.ref()));
  }
}

TEST_CASE(
    "Settling: a table counts and an entry says what can be found, not what is not cleared yet",
    "[gc][incremental][tables]") {
  SettlingKit kit;
  const Handle<WeakKeyTable> table = kit.make_key_table();
  const Handle<EphemeronArray> array(kit.heap, kit.heap.allocate(kit.ephemerons, 20));
  const Handle<Node> kept = kit.make_node();
  REQUIRE_FALSE(table->put(kit.heap, kit.value_of(kept.get()), Value::integer(1)));
  for (std::uint32_t i = 0; i < 20; ++i) {
    const Handle<Node> dead = kit.make_node();
    REQUIRE_FALSE(table->put(kit.heap, kit.value_of(dead.get()), Value::integer(2)));
    array->data()[i].key = kit.value_of(dead.get());
  }
  kit.mark();
  CHECK(array->data()[19].is_broken());
  CHECK(table->size(kit.heap) == 1);
  kit.finish();
  CHECK(table->size(kit.heap) == 1);
}

TEST_CASE("Settling: a callback that gives up, in a cycle or at its end, leaves all whole",
          "[gc][incremental][recovery]") {
  struct Foreign {
    Header header;
    std::uint64_t unused;
  };
  for (const bool generational : {false, true}) {
    for (const bool late : {false, true}) {
      INFO(generational << late);
      SettlingKit kit(generational);
      bool gives_up = false;
      const Result<TypeId> type =
          kit.heap.define({.name = "Foreign",
                           .size = sizeof(Foreign),
                           .trace =
                               [](const void*, std::uint32_t, Tracer& tracer) {
                                 if (*static_cast<bool*>(tracer.user())) tracer.abandon();
                               },
                           .trace_user = &gives_up});
      REQUIRE(type);
      Guardian guardian(kit.heap);
      const Handle<WeakKeyTable> table = kit.make_key_table();
      Handle<Foreign> foreign(kit.heap, static_cast<Foreign*>(kit.heap.allocate(*type)));
      REQUIRE_FALSE(guardian.guard(foreign.get()));
      for (int i = 0; i < 60; ++i) {
        const Handle<Node> dead = kit.make_node();
        REQUIRE_FALSE(table->put(kit.heap, kit.value_of(dead.get()), Value::integer(i)));
      }
      if (late) {
        foreign.reset();
        kit.mark();
      }
      gives_up = true;
      Result<std::uint64_t> left = kit.heap.step(1);
      for (int i = 0; left && i < 1'000'000; ++i) left = kit.heap.step(1);
      REQUIRE_FALSE(left);
      CHECK(left.error().code == Errc::abandoned);
      CHECK(verify(kit.heap).ok());
      gives_up = false;
      REQUIRE_FALSE(kit.heap.collect());
      CHECK(verify(kit.heap).ok());
      CHECK(table->size(kit.heap) == 0);
    }
  }
}

}  // namespace besom::test
