/// Weak things where most collections look at the young alone.

#include <vector>

#include "tests/gc/generational_kit.hpp"
#include "tests/gc/weak_kit.hpp"

namespace besom::test {
namespace {

/// The old objects of each test: reached once, so that minor collections do not visit them.
struct OldKit : WeakKit {
  OldKit()
      : WeakKit(generational_options()),
        ballast(make_ballast(*this)),
        array(heap.make(weak_array, 2000)),
        entries(heap.make(WeakKit::ephemerons, 2000)),
        values(heap.make(WeakKit::weak_values, 2000)),
        key(make_node()) {
    force_minor(*this);
  }
  /// A new object that only what it is stored in may keep; something else is the newest.
  Value young() {
    const Handle<Node> young_node = make_node();
    static_cast<void>(heap.allocate(WeakKit::node));
    return value_of(young_node.get());
  }
  bool lives(Value value) { return static_cast<bool>(heap.check(value.as_ref<void>())); }

  Handle<Node> ballast;
  Handle<WeakArray> array;
  Handle<EphemeronArray> entries;
  Handle<WeakValueArray> values;
  Handle<Node> key;
};

}  // namespace

TEST_CASE("Generational: weak slots of old objects to the young are cleared, or kept",
          "[gc][generational][weak]") {
  OldKit kit;
  const Handle<Node> kept = kit.make_node();
  const Weak<Node> to_kept(kit.heap, kept.get());
  const Weak<Node> to_dying(kit.heap, kit.heap.get(kit.young().as_ref<Node>()));
  for (std::uint32_t i = 0; i < 2000; i += 10) {
    (*kit.array)[i] = i % 20 == 0 ? WeakKit::value_of(kept.get()) : kit.young();
  }
  force_minor(kit);
  CHECK(kit.heap.last_collection().weak_cleared == 101);
  for (std::uint32_t i = 0; i < 2000; i += 10) {
    REQUIRE((*kit.array)[i].get() == (i % 20 == 0 ? WeakKit::value_of(kept.get()) : Value()));
  }
  CHECK(to_kept.get() == kept.get());
  CHECK(to_dying.get() == nullptr);
  CHECK(verify(kit.heap).ok());
}

TEST_CASE("Generational: an old key keeps a young value, a young key keeps its own",
          "[gc][generational][ephemerons]") {
  OldKit kit;
  Handle<Node> young_key = kit.make_node();
  (*kit.entries)[0].key = WeakKit::value_of(kit.key.get());
  (*kit.entries)[0].value = kit.young();
  (*kit.entries)[700].key = WeakKit::value_of(young_key.get());
  (*kit.entries)[700].value = kit.young();
  (*kit.entries)[1500].key = kit.young();
  (*kit.entries)[1500].value = kit.young();
  force_minor(kit);
  CHECK(kit.lives((*kit.entries)[0].value.get()));
  CHECK(kit.lives((*kit.entries)[700].value.get()));
  CHECK((*kit.entries)[1500].is_broken());
  CHECK(kit.heap.last_collection().entries_broken == 1);
  // Old by now: a minor collection leaves them, a full one does not.
  young_key.reset();
  force_minor(kit);
  CHECK(kit.lives((*kit.entries)[700].key.get()));
  REQUIRE_FALSE(kit.heap.collect());
  CHECK((*kit.entries)[700].is_broken());
  CHECK(kit.lives((*kit.entries)[0].value.get()));
}

TEST_CASE("Generational: a value stored later under an old key is seen",
          "[gc][generational][ephemerons]") {
  OldKit kit;
  (*kit.entries)[1999].key = WeakKit::value_of(kit.key.get());
  force_minor(kit);
  (*kit.entries)[1999].value = kit.young();
  force_minor(kit);
  CHECK(kit.lives((*kit.entries)[1999].value.get()));
  // A value that refers to a young key of another entry: a chain through old and new.
  const Value second = kit.young();
  kit.heap.get((*kit.entries)[1999].value.get().as_ref<Node>())->left = second.as_ref<Node>();
  (*kit.entries)[3].key = second;
  (*kit.entries)[3].value = kit.young();
  force_minor(kit);
  CHECK(kit.lives((*kit.entries)[3].value.get()));
  CHECK(verify(kit.heap).ok());
}

TEST_CASE("Generational: weak values of old entries break, and new keys are kept",
          "[gc][generational][weak]") {
  OldKit kit;
  (*kit.values)[5].key = kit.young();
  (*kit.values)[5].value = WeakKit::value_of(kit.key.get());
  (*kit.values)[6].key = Value::integer(6);
  (*kit.values)[6].value = kit.young();
  force_minor(kit);
  CHECK(kit.lives((*kit.values)[5].key.get()));
  CHECK((*kit.values)[6].is_broken());
}

TEST_CASE("Generational: the young become ready in a minor collection, the old in a full one",
          "[gc][generational][finalizers]") {
  OldKit kit;
  Guardian guardian(kit.heap);
  REQUIRE_FALSE(guardian.guard(kit.key.get()));
  {
    const Handle<Node> young = kit.make_node();
    young->left = kit.heap.allocate(kit.node);
    REQUIRE_FALSE(guardian.guard(young.get()));
    const Handle<Node> agent = kit.make_node();
    REQUIRE_FALSE(guardian.guard(kit.key.get(), agent.get()));
  }
  kit.key.reset();
  force_minor(kit);
  CHECK(guardian.ready() == 1);
  CHECK(guardian.pending() == 2);
  const Result<void*> agent = guardian.next();
  REQUIRE((agent && *agent != nullptr));
  CHECK(kit.heap.check(static_cast<Node*>(*agent)->left.ref(), kit.node));
  force_minor(kit);
  CHECK(guardian.pending() == 2);
  REQUIRE_FALSE(kit.heap.collect());
  CHECK(guardian.ready() == 2);
  CHECK(verify(kit.heap).ok());
}

TEST_CASE("Generational: a released object is released when it dies young, or old",
          "[gc][generational][release]") {
  static int count = 0;
  count = 0;
  OldKit kit;
  TypeDescriptor descriptor{.name = "Resource", .size = 16};
  descriptor.release = [](void*, void*, std::uint32_t) { ++count; };
  const Result<TypeId> type = kit.heap.define(descriptor);
  REQUIRE(type);
  Handle<Header> old(kit.heap, static_cast<Header*>(kit.heap.allocate(*type)));
  force_minor(kit);
  old.reset();
  static_cast<void>(kit.heap.allocate(*type));
  force_minor(kit);
  CHECK(count == 1);
  REQUIRE_FALSE(kit.heap.collect());
  CHECK(count == 2);
}

TEST_CASE("Generational: what a table's calls store into old entries is seen",
          "[gc][generational][tables]") {
  OldKit kit;
  const Handle<WeakKeyTable> table = kit.make_key_table();
  const Handle<WeakValueTable> values = kit.make_value_table();
  const Value key = WeakKit::value_of(kit.key.get());
  REQUIRE_FALSE(table->put(kit.heap, key, Value::integer(1)));
  REQUIRE_FALSE(values->put(kit.heap, Value::integer(1), key));
  force_minor(kit);
  force_minor(kit);
  // Another value under an old key, and under a new one in a place that is there.
  REQUIRE_FALSE(table->put(kit.heap, key, kit.young()));
  const Value fresh = kit.young();
  REQUIRE_FALSE(values->put(kit.heap, fresh, key));
  force_minor(kit);
  CHECK(kit.lives(table->get(kit.heap, key)));
  CHECK(values->get(kit.heap, fresh) == key);
  CHECK(kit.lives(fresh));
  // A weak value that dies young goes, and so does a key.
  REQUIRE_FALSE(values->put(kit.heap, Value::integer(1), kit.young()));
  REQUIRE_FALSE(table->put(kit.heap, kit.young(), Value::integer(2)));
  force_minor(kit);
  CHECK(values->get(kit.heap, Value::integer(1)).is_null());
  CHECK(table->size(kit.heap) == 1);
  // A new array of an old table.
  const std::uint32_t capacity = table->capacity(kit.heap);
  for (int i = 0; i < 100; ++i) {
    REQUIRE_FALSE(table->put(kit.heap, Value::integer(i), Value::integer(i)));
  }
  CHECK(table->capacity(kit.heap) > capacity);
  force_minor(kit);
  CHECK(kit.heap.check(Ref<void>(table->entries.ref().index()), kit.ephemerons.id));
  CHECK(table->size(kit.heap) == 101);
  CHECK(verify(kit.heap).ok());
}

TEST_CASE("Generational: entries that a table moves about are seen where they come to lie",
          "[gc][generational][tables][property]") {
  OldKit kit;
  const Handle<WeakKeyTable> table = kit.make_key_table();
  std::vector<Handle<Node>> keys;
  for (int i = 0; i < 200; ++i) keys.push_back(kit.make_node());
  for (const auto& key : keys) {
    REQUIRE_FALSE(table->put(kit.heap, WeakKit::value_of(key.get()), Value::integer(0)));
  }
  force_minor(kit);
  force_minor(kit);
  const std::uint32_t capacity = table->capacity(kit.heap);
  // The number of calls after which the array is made tidy differs from round to round.
  for (std::uint32_t round = 0; round < 60; ++round) {
    std::vector<Handle<Node>> young;
    for (std::uint32_t i = 0; i < 40 + round; ++i) {
      young.push_back(kit.make_node());
      const Value key = WeakKit::value_of(young.back().get());
      REQUIRE_FALSE(table->put(kit.heap, key, kit.young()));
      if (i % 4 != 0) REQUIRE(table->remove(kit.heap, key));
    }
    force_minor(kit);
    for (std::uint32_t i = 0; i < young.size(); i += 4) {
      REQUIRE(kit.lives(table->get(kit.heap, WeakKit::value_of(young[i].get()))));
      REQUIRE(table->remove(kit.heap, WeakKit::value_of(young[i].get())));
    }
  }
  CHECK(table->capacity(kit.heap) == capacity);
  CHECK(verify(kit.heap).ok());
}

TEST_CASE("Generational: what is stored as an object is made is seen", "[gc][generational][weak]") {
  OldKit kit;
  const Handle<WeakBox> box(kit.heap, WeakBox::make(kit.heap, kit.box, {}));
  const Handle<Ephemeron> ephemeron(
      kit.heap, Ephemeron::make(kit.heap, kit.ephemeron, WeakKit::value_of(kit.key.get()), {}));
  force_minor(kit);
  force_minor(kit);
  const Handle<Node> kept = kit.make_node();
  box->target = WeakKit::value_of(kept.get());
  (*ephemeron)[0].value = kit.young();
  force_minor(kit);
  CHECK(box->target.get() == WeakKit::value_of(kept.get()));
  CHECK(kit.lives(ephemeron->value()));
  box->target = kit.young();
  force_minor(kit);
  CHECK(box->target.get().is_null());
}

TEST_CASE("Generational: zeal finds a weak slot that was stored into past the barrier",
          "[gc][generational][weak][zeal]") {
  HeapOptions options = generational_options(4 * kMiB);
  options.zeal = {2, false, false};
  CHECK_ABORTS(([&] {
                 WeakKit kit(options);
                 const Handle<WeakArray> holder = kit.heap.make(kit.weak_array, 300);
                 for (int i = 0; i < 20; ++i) {
                   const Node* young = kit.heap.allocate(kit.node);
                   forge(&(*holder)[250], Ref<Node>(young).index());
                   static_cast<void>(kit.heap.allocate(kit.node));  // the newest is a root
                 }
               }()),
               "missed_store: WeakArray 0x");
}

}  // namespace besom::test
