/// Weak handles and weak slots: null once the target is dead, and never anything else.

#include <vector>

#include "tests/gc/weak_kit.hpp"

namespace besom::test {
namespace {

constexpr std::uint32_t kBroken = 1;  // integer 0

}  // namespace

TEST_CASE("Weak: a handle gives its object as long as something else keeps it", "[gc][weak]") {
  Kit kit;
  Handle<Node> kept = kit.make_node();
  const Weak<Node> weak(kit.heap, kept.get());
  CHECK(kit.survivors() == 1);
  CHECK(weak.get() == kept.get());
  CHECK(weak);
  kept.reset();
  CHECK(kit.survivors() == 0);
  CHECK(weak.get() == nullptr);
  CHECK_FALSE(weak);
  CHECK_FALSE(weak.is_stale());
}

TEST_CASE("Weak: what is reachable from elsewhere keeps every handle to it", "[gc][weak]") {
  Kit kit;
  const Handle<Node> root = kit.make_node();
  root->left = kit.heap.allocate(kit.node);
  std::vector<Weak<Node>> all;
  for (int i = 0; i < 3000; ++i) all.emplace_back(kit.heap, root->left.get());
  CHECK(kit.survivors() == 2);
  for (const Weak<Node>& weak : all) REQUIRE(weak.get() == root->left.get());
  root->left = nullptr;
  CHECK(kit.survivors() == 1);
  for (const Weak<Node>& weak : all) REQUIRE(weak.get() == nullptr);
  CHECK(kit.heap.last_collection().weak_cleared == 3000);
}

TEST_CASE("Weak: a new object whose only handle is weak lives until the next allocation",
          "[gc][weak]") {
  Kit kit(exact_options());
  const Weak<Node> weak(kit.heap, kit.heap.allocate(kit.node));
  CHECK(weak);
  CHECK(kit.survivors() == 0);
  CHECK_FALSE(weak);
}

TEST_CASE("Weak: the place of a dead target is not its successor's", "[gc][weak]") {
  Kit kit(exact_options());
  Handle<Node> first = kit.make_node();
  const Weak<Node> weak(kit.heap, first.get());
  const std::uint32_t index = first.ref().index();
  first.reset();
  REQUIRE(kit.survivors() == 0);
  std::vector<Handle<Node>> others;
  bool reused = false;
  for (int i = 0; i < 300 && !reused; ++i) {
    others.push_back(kit.make_node());
    reused = others.back().ref().index() == index;
  }
  CHECK(reused);
  CHECK(weak.get() == nullptr);
}

TEST_CASE("Weak: moving, setting and resetting", "[gc][weak]") {
  Kit kit;
  const Handle<Node> a = kit.make_node();
  const Handle<Node> b = kit.make_node();
  Weak<Node> weak(kit.heap, a.get());
  Weak<Node> moved(std::move(weak));
  CHECK_FALSE(weak);
  CHECK(moved.get() == a.get());
  moved.set(b.get());
  CHECK(moved.get() == b.get());
  weak = std::move(moved);
  CHECK(weak.get() == b.get());
  weak.reset();
  weak.reset();
  CHECK(weak.get() == nullptr);
  CHECK_FALSE(weak.is_stale());
  const Weak<Node> empty(kit.heap, nullptr);
  CHECK(empty.get() == nullptr);
  CHECK(kit.survivors() == 2);
}

TEST_CASE("Weak: a slot to a dead object reads null after the collection", "[gc][weak]") {
  WeakKit kit;
  Handle<Node> target = kit.make_node();
  const Handle<WeakBox> box(kit.heap,
                            WeakBox::make(kit.heap, kit.box, WeakKit::value_of(target.get())));
  REQUIRE(box);
  CHECK(kit.survivors() == 2);
  CHECK(box->target.get() == WeakKit::value_of(target.get()));
  target.reset();
  CHECK(kit.survivors() == 1);
  CHECK(box->target.get().is_null());
  CHECK(kit.heap.last_collection().weak_cleared == 1);
  CHECK(kit.survivors() == 1);
  CHECK(kit.heap.last_collection().weak_cleared == 0);
}

TEST_CASE("Weak: integers and null stay in their slots", "[gc][weak]") {
  WeakKit kit;
  const Handle<WeakArray> array = kit.heap.make(kit.weak_array, 4);
  (*array)[1] = Value::integer(-7);
  (*array)[2] = WeakKit::value_of(array.get());
  CHECK(kit.survivors() == 1);
  CHECK((*array)[0].get().is_null());
  CHECK((*array)[1].get() == Value::integer(-7));
  CHECK((*array)[2].get() == WeakKit::value_of(array.get()));
}

TEST_CASE("Weak: weak and keeping fields side by side", "[gc][weak]") {
  struct Mixed {
    Header header;
    Member<Node> weak_first, strong;
    ValueMember weak_second, value;
    static TypeDescriptor type() {
      return {.name = "Mixed",
              .size = sizeof(Mixed),
              .fields = {{"weak_first", offsetof(Mixed, weak_first), SlotKind::weak},
                         {"strong", offsetof(Mixed, strong)},
                         {"weak_second", offsetof(Mixed, weak_second), SlotKind::weak},
                         {"value", offsetof(Mixed, value), SlotKind::value}},
              .trailing = Trailing::refs};
    }
  };
  Kit kit;
  const Type<Mixed> type = kit.defined<Mixed>();
  const Handle<Mixed> mixed = kit.heap.make(type, 300);
  auto* trailing = trailing_of<Member<Node>>(mixed.get());
  mixed->strong = kit.heap.allocate(kit.node);
  mixed->value = Value(Ref<Node>(kit.heap.allocate(kit.node)));
  trailing[299] = kit.heap.allocate(kit.node);
  mixed->weak_first = mixed->strong;
  mixed->weak_second = Value(trailing[299].ref());
  CHECK(kit.survivors() == 4);
  CHECK(mixed->weak_first.get() == mixed->strong.get());
  CHECK(mixed->weak_second.get() == Value(trailing[299].ref()));
  mixed->strong = nullptr;
  trailing[299] = nullptr;
  CHECK(kit.survivors() == 2);
  CHECK(mixed->weak_first.get() == nullptr);
  CHECK(mixed->weak_second.get().is_null());
  CHECK(mixed->value.get().is_ref());
}

TEST_CASE("Weak: every second target of a large array dies", "[gc][weak]") {
  constexpr std::uint32_t kCount = 20'000;
  WeakKit kit(exact_options());
  const Handle<WeakArray> array = kit.heap.make(kit.weak_array, kCount);
  const Handle<RefArray<Node>> keeps = kit.heap.make(kit.refs, kCount);
  for (std::uint32_t i = 0; i < kCount; ++i) {
    (*keeps)[i] = kit.heap.allocate(kit.node);
    (*array)[i] = Value((*keeps)[i].ref());
  }
  CHECK(kit.survivors() == kCount + 2);
  CHECK(kit.heap.last_collection().weak_cleared == 0);
  for (std::uint32_t i = 0; i < kCount; i += 2) (*keeps)[i] = nullptr;
  CHECK(kit.survivors() == kCount / 2 + 2);
  CHECK(kit.heap.last_collection().weak_cleared == kCount / 2);
  std::uint32_t wrong = 0;
  for (std::uint32_t i = 0; i < kCount; ++i) {
    if ((*array)[i].get() != Value((*keeps)[i].ref())) ++wrong;
  }
  CHECK(wrong == 0);
}

TEST_CASE("Weak: a slot to another weak object, and to itself", "[gc][weak]") {
  WeakKit kit;
  const Handle<WeakBox> outer(kit.heap, WeakBox::make(kit.heap, kit.box, Value()));
  Handle<WeakBox> inner(kit.heap, WeakBox::make(kit.heap, kit.box, WeakKit::value_of(outer.get())));
  outer->target = WeakKit::value_of(inner.get());
  CHECK(kit.survivors() == 2);
  CHECK(outer->target.get() == WeakKit::value_of(inner.get()));
  inner.reset();
  CHECK(kit.survivors() == 1);
  CHECK(outer->target.get().is_null());
  outer->target = WeakKit::value_of(outer.get());
  CHECK(kit.survivors() == 1);
  CHECK(outer->target.get() == WeakKit::value_of(outer.get()));
}

TEST_CASE("Weak: a target and the holders of weak slots die together", "[gc][weak]") {
  WeakKit kit;
  Handle<Node> target = kit.make_node();
  Handle<WeakBox> box(kit.heap, WeakBox::make(kit.heap, kit.box, WeakKit::value_of(target.get())));
  target.reset();
  box.reset();
  CHECK(kit.survivors() == 0);
  CHECK(verify(kit.heap).ok());
}

TEST_CASE("Weak values: an entry breaks when its value dies, and keeps its key until then",
          "[gc][weak]") {
  WeakKit kit;
  const Handle<WeakValueArray> array = kit.heap.make(kit.weak_values, 4);
  Handle<Node> value = kit.make_node();
  (*array)[1].key = WeakKit::value_of(kit.heap.allocate(kit.node));
  (*array)[1].value = WeakKit::value_of(value.get());
  (*array)[2].key = Value::integer(5);
  (*array)[2].value = Value::integer(6);
  CHECK(kit.survivors() == 3);
  CHECK((*array)[1].value.get() == WeakKit::value_of(value.get()));
  value.reset();
  // The key was reached before the value was known to be dead.
  CHECK(kit.survivors() == 2);
  CHECK((*array)[1].is_broken());
  CHECK((*array)[1].value.get().bits() == kBroken);
  CHECK(kit.heap.last_collection().entries_broken == 1);
  CHECK(kit.survivors() == 1);
  CHECK((*array)[0].is_empty());
  CHECK((*array)[2].key.get() == Value::integer(5));
  CHECK((*array)[2].value.get() == Value::integer(6));
}

TEST_CASE("Weak: a handle to what a finalizer made or brings back", "[gc][weak][finalizers]") {
  WeakKit kit;
  Guardian guardian(kit.heap);
  Handle<Node> dying = kit.make_node();
  REQUIRE_FALSE(guardian.guard(dying.get()));
  const Weak<Node> to_dying(kit.heap, dying.get());
  const Handle<WeakBox> box(kit.heap,
                            WeakBox::make(kit.heap, kit.box, WeakKit::value_of(dying.get())));
  dying.reset();
  CHECK(kit.survivors() == 2);  // the box, and what is ready
  CHECK(to_dying.get() == nullptr);
  CHECK(box->target.get().is_null());
  const Result<void*> agent = guardian.next();
  REQUIRE(agent);
  const Handle<Node> revived(kit.heap, static_cast<Node*>(*agent));
  const Weak<Node> again(kit.heap, revived.get());
  const Weak<Node> made(kit.heap, kit.heap.allocate(kit.node));
  CHECK(kit.survivors() == 2);
  CHECK(again.get() == revived.get());
  CHECK(to_dying.get() == nullptr);
  CHECK(made.get() == nullptr);
}

TEST_CASE("Weak: slots inside what comes back follow what came back with it", "[gc][weak]") {
  WeakKit kit;
  Guardian guardian(kit.heap);
  // Two boxes that only the dying object reaches: one to its friend, one to an outsider.
  Handle<RefArray<WeakBox>> dying(kit.heap, kit.heap.allocate(kit.defined<RefArray<WeakBox>>(), 2));
  Handle<Node> friend_of(kit.heap, kit.heap.allocate(kit.node));
  const Handle<Pair> pair = kit.heap.make(kit.pair);
  pair->head = WeakKit::value_of(dying.get());
  (*dying)[0] = WeakBox::make(kit.heap, kit.box, WeakKit::value_of(dying.get()));
  (*dying)[1] = WeakBox::make(kit.heap, kit.box, WeakKit::value_of(friend_of.get()));
  REQUIRE_FALSE(guardian.guard(dying.get()));
  pair->head = Value();
  friend_of.reset();
  dying.reset();
  CHECK(kit.survivors() == 4);
  const Result<void*> agent = guardian.next();
  REQUIRE((agent && *agent != nullptr));
  auto* revived = static_cast<RefArray<WeakBox>*>(*agent);
  CHECK((*revived)[0]->target.get() == WeakKit::value_of(revived));
  CHECK((*revived)[1]->target.get().is_null());
}

TEST_CASE("Weak: damage in weak slots is counted, cleared and not followed", "[gc][weak][trust]") {
  WeakKit kit(exact_options());
  const Handle<WeakArray> array = kit.heap.make(kit.weak_array, 6);
  const Handle<EphemeronArray> entries = kit.heap.make(kit.ephemerons, 16);
  const Handle<WeakValueArray> values = kit.heap.make(kit.weak_values, 2);
  const Handle<Block> block = kit.heap.make(kit.block);
  const std::uint32_t interior = block.ref().index() + 16;
  const std::uint32_t bad[] = {0xfffffff0u, interior, block.ref().index() | 2, 8, 0x7fff0000u, 4};
  for (std::uint32_t i = 0; i < 6; ++i) forge(&(*array)[i], bad[i]);
  for (std::uint32_t i = 0; i < 8; ++i) {
    // All the tags that a key slot can have, and the links of chains among them.
    forge(&(*entries)[i].key, (block.ref().index() & ~7u) | (2 * i) | (i == 0 ? 8u : 0u));
    forge(&(*entries)[i].value, block.ref().index());
  }
  forge(&(*values)[0].key, interior);
  forge(&(*values)[0].value, interior);
  REQUIRE_FALSE(kit.heap.collect());
  const CollectionStats& last = kit.heap.last_collection();
  CHECK(last.live_objects == 4);
  CHECK(last.bad_refs == 6 + 8 + 2);
  CHECK(last.weak_cleared == 6);
  CHECK(last.entries_broken == 9);
  for (std::uint32_t i = 0; i < 6; ++i) CHECK((*array)[i].get().is_null());
  for (std::uint32_t i = 0; i < 8; ++i) CHECK((*entries)[i].is_broken());
  CHECK(verify(kit.heap).ok());
  CHECK(kit.survivors() == 4);
}

TEST_CASE("Weak: the verifier reports a weak slot that holds no object", "[gc][weak][verify]") {
  WeakKit kit(exact_options());
  const Handle<WeakBox> box(kit.heap, WeakBox::make(kit.heap, kit.box, Value()));
  const Handle<EphemeronArray> entries = kit.heap.make(kit.ephemerons, 2);
  forge(&box->target, 0x7ff0);
  forge(&(*entries)[1].value, 0x7ff0);
  const VerifyReport report = verify(kit.heap);
  REQUIRE(report.defects.size() == 2);
  CHECK(report.defects[0].message().find("WeakBox") != std::string::npos);
  CHECK(report.defects[0].message().find("target (at +8) holds 0x7ff0") != std::string::npos);
  CHECK(report.defects[1].message().find("EphemeronArray") != std::string::npos);
  CHECK(report.defects[1].message().find("1.value (at +20) holds 0x7ff0") != std::string::npos);
}

TEST_CASE("Weak: a heap that defines no weak type has no table for it", "[gc][weak]") {
  Kit kit(exact_options());
  const std::uint64_t before = kit.heap.stats().table_reserved;
  static_cast<void>(kit.defined<WeakBox>());
  CHECK(kit.heap.stats().table_reserved > before);
  CHECK(kit.heap.stats().table_reserved - before < kit.heap.options().heap_max / 100);
  const std::uint64_t with_weak = kit.heap.stats().table_reserved;
  static_cast<void>(kit.defined<Ephemeron>());
  CHECK(kit.heap.stats().table_reserved == with_weak);
}

TEST_CASE("Weak: resetting the heap makes handles stale and forgets weak slots", "[gc][weak]") {
  WeakKit kit;
  const Handle<Node> target = kit.make_node();
  const Weak<Node> weak(kit.heap, target.get());
  const Handle<WeakBox> box(kit.heap,
                            WeakBox::make(kit.heap, kit.box, WeakKit::value_of(target.get())));
  REQUIRE_FALSE(kit.heap.reset());
  CHECK(weak.is_stale());
  CHECK_FALSE(weak);
  CHECK(kit.survivors() == 0);
  const Handle<Node> fresh = kit.make_node();
  const Weak<Node> other(kit.heap, fresh.get());
  CHECK(kit.survivors() == 1);
  CHECK(other.get() == fresh.get());
}

}  // namespace besom::test
