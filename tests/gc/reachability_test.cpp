/// In pairs: what a root reaches survives, what none reaches goes.

#include <algorithm>
#include <vector>

#include "tests/gc/kit.hpp"

namespace besom::test {
namespace {

/// Checks that everything `build` makes lives as long as the object it returns is rooted, and goes
/// with the root. `build` returns the object and how many there are in all.
template <class Build>
void check_lives_and_goes(Build build) {
  Kit kit;
  auto [root, count] = build(kit);
  REQUIRE(root);
  CHECK(kit.survivors() == count);
  CHECK(verify(kit.heap).ok());
  CHECK(kit.survivors() == count);
  root.reset();
  CHECK(kit.survivors() == 0);
  CHECK(verify(kit.heap).ok());
}

template <class T>
struct Built {
  Handle<T> root;
  std::uint64_t count;
};

}  // namespace

TEST_CASE("Reachability: one rooted object", "[gc][reachability]") {
  check_lives_and_goes([](Kit& kit) { return Built<Node>{kit.make_node(), 1}; });
}

TEST_CASE("Reachability: a self-loop", "[gc][reachability]") {
  check_lives_and_goes([](Kit& kit) {
    Handle<Node> node = kit.make_node();
    node->left = node.get();
    node->right = node.get();
    return Built<Node>{std::move(node), 1};
  });
}

TEST_CASE("Reachability: a cycle of two", "[gc][reachability]") {
  check_lives_and_goes([](Kit& kit) {
    Handle<Node> a = kit.make_node();
    Handle<Node> b = kit.make_node();
    a->left = b.get();
    b->right = a.get();
    return Built<Node>{std::move(a), 2};
  });
}

TEST_CASE("Reachability: a ring of 3,000, whichever of it is rooted", "[gc][reachability]") {
  check_lives_and_goes([](Kit& kit) {
    Handle<Node> first = kit.make_node();
    Handle<Node> last(kit.heap, first.get());
    for (int i = 1; i < 3'000; ++i) {
      Node* next = kit.heap.allocate(kit.node);
      last->left = next;
      last.set(next);
    }
    last->left = first.get();
    return Built<Node>{std::move(last), 3'000};
  });
}

TEST_CASE("Reachability: a diamond is counted once", "[gc][reachability]") {
  check_lives_and_goes([](Kit& kit) {
    Handle<Node> top = kit.make_node();
    Handle<Node> left = kit.make_node();
    Handle<Node> right = kit.make_node();
    Handle<Node> bottom = kit.make_node();
    top->left = left.get();
    top->right = right.get();
    left->left = right->right = bottom.get();
    return Built<Node>{std::move(top), 4};
  });
}

TEST_CASE("Reachability: a full tree", "[gc][reachability]") {
  check_lives_and_goes([](Kit& kit) {
    constexpr std::uint32_t kNodes = (1 << 12) - 1;
    Handle<RefArray<Node>> all = kit.heap.make(kit.refs, kNodes);
    for (std::uint32_t i = 0; i < kNodes; ++i) (*all)[i] = kit.heap.allocate(kit.node);
    for (std::uint32_t i = 0; 2 * i + 2 < kNodes; ++i) {
      (*all)[i]->left = (*all)[2 * i + 1];
      (*all)[i]->right = (*all)[2 * i + 2];
    }
    return Built<Node>{Handle<Node>(kit.heap, (*all)[0].get()), kNodes};
  });
}

TEST_CASE("Reachability: through trailing refs, first and last element included",
          "[gc][reachability]") {
  for (const std::uint32_t length : {1u, 2u, 3u, 255u, 256u, 257u, 511u, 512u, 513u, 5000u}) {
    INFO(length);
    check_lives_and_goes([&](Kit& kit) {
      Handle<RefArray<Node>> array = kit.heap.make(kit.refs, length);
      for (std::uint32_t i = 0; i < length; ++i) (*array)[i] = kit.heap.allocate(kit.node);
      return Built<RefArray<Node>>{std::move(array), length + 1};
    });
  }
}

TEST_CASE("Reachability: through trailing values, integers between them passed over",
          "[gc][reachability]") {
  check_lives_and_goes([](Kit& kit) {
    constexpr std::uint32_t kLength = 1000;
    Handle<ValueArray> array = kit.heap.make(kit.values, kLength);
    for (std::uint32_t i = 0; i < kLength; ++i) {
      if (i % 3 == 0) {
        (*array)[i] = Kit::ref_of(kit.heap.allocate(kit.node));
      } else {
        (*array)[i] = Value::integer(static_cast<std::int32_t>(i * 8));
      }
    }
    return Built<ValueArray>{std::move(array), 1 + (kLength + 2) / 3};
  });
}

TEST_CASE("Reachability: through fields in front of trailing refs", "[gc][reachability]") {
  check_lives_and_goes([](Kit& kit) {
    Handle<Record> record = kit.heap.make(kit.record, 3);
    record->owner = kit.heap.allocate(kit.node);
    record->number = 0x10;  // would be an object's index, were it a ref
    for (std::uint32_t i = 0; i < 3; ++i) record->element(i) = kit.heap.allocate(kit.node);
    return Built<Record>{std::move(record), 5};
  });
}

TEST_CASE("Reachability: through a field at the end of a larger object", "[gc][reachability]") {
  check_lives_and_goes([](Kit& kit) {
    Handle<Block> block = kit.heap.make(kit.block);
    block->last = kit.heap.allocate(kit.node);
    return Built<Block>{std::move(block), 2};
  });
}

TEST_CASE("Reachability: through value fields", "[gc][reachability]") {
  check_lives_and_goes([](Kit& kit) {
    Handle<Pair> list = kit.heap.make(kit.pair);
    for (int i = 1; i < 1000; ++i) {
      Pair* pair = kit.heap.allocate(kit.pair);
      pair->head = Value::integer(i);
      pair->tail = list.ref();
      list.set(pair);
    }
    return Built<Pair>{std::move(list), 1000};
  });
}

TEST_CASE("Reachability: bytes are not looked into", "[gc][reachability]") {
  Kit kit;
  Handle<ByteArray> bytes = kit.heap.make(kit.bytes, 64);
  const Ref<Node> ref = Kit::ref_of(kit.heap.allocate(kit.node));
  for (std::uint32_t i = 0; i + 4 <= 64; i += 4) forge(bytes->data() + i, ref.index());
  CHECK(kit.survivors() == 1);
  CHECK(bytes);
}

TEST_CASE("Reachability: what is dropped from a live structure goes, the rest stays",
          "[gc][reachability]") {
  Kit kit;
  Handle<RefArray<Node>> array = kit.heap.make(kit.refs, 1000);
  for (std::uint32_t i = 0; i < 1000; ++i) (*array)[i] = kit.heap.allocate(kit.node);
  CHECK(kit.survivors() == 1001);
  std::vector<Ref<Node>> dropped;
  for (std::uint32_t i = 0; i < 1000; i += 2) {
    dropped.push_back((*array)[i].ref());
    (*array)[i] = nullptr;
  }
  CHECK(kit.survivors() == 501);
  for (const Ref<Node> ref : dropped) CHECK_FALSE(kit.lives(ref));
  for (std::uint32_t i = 1; i < 1000; i += 2) CHECK(kit.lives((*array)[i].ref()));
}

TEST_CASE("Reachability: an object that fills the arena lives and goes", "[gc][reachability]") {
  Kit kit(exact_options(4 * kMiB));
  const std::uint32_t length = (4 * kMiB - 16 - 8) / 4;
  Handle<ValueArray> all = kit.heap.make(kit.values, length);
  REQUIRE(all);
  (*all)[length - 1] = Value::integer(-1);
  CHECK(kit.heap.allocate(kit.node) == nullptr);
  CHECK(kit.heap.error().code == Errc::heap_limit);
  CHECK(all->length() == length);
  CHECK((*all)[length - 1].get().as_integer() == -1);
  CHECK(kit.heap.last_collection().live_bytes == 4 * kMiB - 16);
  all.reset();
  CHECK(kit.survivors() == 0);
  std::uint64_t holes = 0;
  CHECK_FALSE(each_hole(
      kit.heap, [](void* count, Run) { ++*static_cast<std::uint64_t*>(count); }, &holes));
  CHECK(holes == 1);
  Handle<ValueArray> again = kit.heap.make(kit.values, length);
  REQUIRE(again);
  CHECK((*again)[length - 1].get().is_null());
}

namespace {

/// An object whose layout is the embedder's: addresses of 64 bits, one of them tagged.
struct Foreign {
  Header header;
  std::uint64_t count;
  Node* target[4];
};

void trace_foreign(const void* object, std::uint32_t size_bytes, Tracer& tracer) {
  const auto* foreign = static_cast<const Foreign*>(object);
  CHECK(size_bytes == 48);
  for (std::uint64_t i = 0; i < foreign->count; ++i) tracer.visit(Ref<Node>(foreign->target[i]));
}

}  // namespace

TEST_CASE("Reachability: through a trace callback, as far as it visits", "[gc][reachability]") {
  Kit kit;
  const Result<TypeId> type =
      kit.heap.define({.name = "Foreign", .size = sizeof(Foreign), .trace = trace_foreign});
  REQUIRE(type);
  Handle<Foreign> foreign(kit.heap, static_cast<Foreign*>(kit.heap.allocate(*type)));
  const auto fill = [&](std::uint64_t counted) {
    for (std::uint64_t i = 0; i < 4; ++i) {
      foreign->target[i] = kit.heap.allocate(kit.node);
      note_store(&foreign->target[i]);
      foreign->count = std::min(i + 1, counted);
    }
  };
  fill(0);
  // Objects that only the unvisited pointers hold are gone with zeal: give them new ones.
  fill(4);
  CHECK(kit.survivors() == 5);
  foreign->count = 2;
  CHECK(kit.survivors() == 3);
  CHECK(kit.lives(Kit::ref_of(foreign->target[1])));
  CHECK_FALSE(kit.lives(Kit::ref_of(foreign->target[2])));
  foreign.reset();
  CHECK(kit.survivors() == 0);
}

TEST_CASE("Reachability: a callback may visit values and slots", "[gc][reachability]") {
  struct Mixed {
    Header header;
    std::uint32_t slot;
    Value value;
  };
  Kit kit;
  const Result<TypeId> type =
      kit.heap.define({.name = "Mixed",
                       .size = sizeof(Mixed),
                       .trace = [](const void* object, std::uint32_t, Tracer& tracer) {
                         const auto* mixed = static_cast<const Mixed*>(object);
                         tracer.visit(mixed->slot);
                         tracer.visit(mixed->value);
                       }});
  REQUIRE(type);
  Handle<Mixed> mixed(kit.heap, static_cast<Mixed*>(kit.heap.allocate(*type)));
  mixed->slot = Kit::ref_of(kit.heap.allocate(kit.node)).index();
  note_store(&mixed->slot);
  mixed->value = Kit::ref_of(kit.heap.allocate(kit.node));
  note_store(&mixed->value);
  CHECK(kit.survivors() == 3);
  mixed->value = Value::integer(8);
  CHECK(kit.survivors() == 2);
  mixed->slot = 0;
  CHECK(kit.survivors() == 1);
}

namespace {

HeapOptions collecting_each_time() {
  HeapOptions options = exact_options();
  options.zeal.collect_every = 1;
  return options;
}

}  // namespace

TEST_CASE("Reachability: under zeal the newest object goes at the next allocation",
          "[gc][reachability]") {
  Kit kit(collecting_each_time());
  REQUIRE(kit.heap.allocate(kit.node) != nullptr);
  const Node* second = kit.heap.allocate(kit.node);
  REQUIRE(second != nullptr);
  CHECK(kit.heap.last_collection().live_objects == 0);
  CHECK(kit.lives(Kit::ref_of(second)));
}

TEST_CASE("Reachability: the newest object is safe until the one after it is there",
          "[gc][reachability]") {
  // Without zeal: the heap is full of garbage but for a few bytes.
  Kit kit(exact_options(kMiB));
  for (int round = 0; round < 3; ++round) {
    std::uint64_t before = kit.heap.stats().collections;
    Node* newest = nullptr;
    Node* next = nullptr;
    while (kit.heap.stats().collections == before) {
      newest = next;
      next = kit.heap.allocate(kit.node);
      REQUIRE(next != nullptr);
    }
    CHECK(kit.heap.last_collection().live_objects == 1);
    CHECK(kit.lives(Kit::ref_of(newest)));
  }
}

TEST_CASE("Reachability: a requested collection keeps no object without a root",
          "[gc][reachability]") {
  Kit kit(exact_options());
  const Ref<Node> newest = Kit::ref_of(kit.heap.allocate(kit.node));
  CHECK(kit.lives(newest));
  REQUIRE_FALSE(kit.heap.collect());
  CHECK_FALSE(kit.lives(newest));
  CHECK(kit.heap.last_collection().live_objects == 0);
}

TEST_CASE("Reachability: a root of its own ends the newest object's protection",
          "[gc][reachability]") {
  Kit kit(collecting_each_time());
  SECTION("a handle") { Handle<Node>(kit.heap, kit.heap.allocate(kit.node)).reset(); }
  SECTION("a handle that is set") {
    Handle<Node> handle = kit.make_node();
    handle.set(kit.heap.allocate(kit.node));
    handle.set(nullptr);
  }
  SECTION("a local") {
    HandleScope scope(kit.heap);
    CHECK(scope.root(kit.heap.allocate(kit.node)));
  }
  SECTION("a local that is set") {
    HandleScope scope(kit.heap);
    Local<Node> local = scope.root(kit.heap.allocate(kit.node));
    local.set(kit.heap.allocate(kit.node));
    local.set(nullptr);
  }
  SECTION("make") { kit.make_node().reset(); }
  // Collects first.
  REQUIRE(kit.heap.allocate(kit.node) != nullptr);
  CHECK(kit.heap.last_collection().live_objects == 0);
}

TEST_CASE("Reachability: a failed allocation leaves the newest object protected",
          "[gc][reachability]") {
  Kit kit(exact_options(64 * kKiB));
  Handle<ByteArray> filler = kit.heap.make(kit.bytes, 60'000);
  const Ref<Node> newest = Kit::ref_of(kit.heap.allocate(kit.node));
  CHECK(kit.heap.allocate(kit.bytes, kMiB) == nullptr);
  CHECK(kit.heap.error().code == Errc::object_too_large);
  CHECK(kit.heap.allocate(kit.bytes, 20'000) == nullptr);
  CHECK(kit.heap.error().code == Errc::heap_limit);
  CHECK(kit.heap.last_collection().cause == Cause::full);
  CHECK(kit.lives(newest));
}

}  // namespace besom::test
