/// Handles, locals and their scopes, callbacks and ranges.

#include <memory>
#include <utility>
#include <vector>

#include "tests/gc/kit.hpp"

namespace besom::test {

TEST_CASE("Handle: an empty one roots nothing", "[gc][roots]") {
  Kit kit;
  Handle<Node> empty;
  CHECK_FALSE(empty);
  CHECK_FALSE(empty.is_stale());
  CHECK(empty.get() == nullptr);
  CHECK_FALSE(empty.ref());
  CHECK(empty.check(kit.heap));
  empty.reset();
  const Handle<Node> null(kit.heap, nullptr);
  CHECK_FALSE(null);
  CHECK(null.get() == nullptr);
  CHECK(kit.survivors() == 0);
}

TEST_CASE("Handle: moved, the one root goes along", "[gc][roots]") {
  Kit kit;
  Handle<Node> first = kit.make_node();
  Node* node = first.get();
  Handle<Node> second(std::move(first));
  CHECK_FALSE(first);
  CHECK(second.get() == node);
  CHECK(kit.survivors() == 1);
  Handle<Node> third;
  third = std::move(second);
  CHECK(third.get() == node);
  CHECK(kit.survivors() == 1);
  third.reset();
  CHECK(kit.survivors() == 0);
  third.reset();
}

TEST_CASE("Handle: what it rooted before an assignment goes at once", "[gc][roots]") {
  Kit kit;
  Handle<Node> a = kit.make_node();
  Handle<Node> b = kit.make_node();
  Node* const kept = b.get();
  a = std::move(b);
  CHECK(kit.survivors() == 1);
  CHECK(a.get() == kept);
  CHECK_FALSE(b);
}

TEST_CASE("Handle: assigned to itself it keeps its root", "[gc][roots]") {
  Kit kit;
  Handle<Node> a = kit.make_node();
  Handle<Node>& same = a;
  a = std::move(same);
  CHECK(a);
  CHECK(kit.survivors() == 1);
}

TEST_CASE("Handle: set roots another object and lets the first go", "[gc][roots]") {
  Kit kit;
  Handle<Node> handle = kit.make_node();
  const Ref<Node> first = handle.ref();
  handle.set(kit.heap.allocate(kit.node));
  CHECK(handle.ref() != first);
  CHECK(kit.survivors() == 1);
  handle.set(nullptr);
  CHECK_FALSE(handle);
  CHECK(kit.survivors() == 0);
  handle.set(kit.heap.allocate(kit.node));
  CHECK(kit.survivors() == 1);
}

TEST_CASE("Handle: two on one object, and each keeps it", "[gc][roots]") {
  Kit kit;
  Handle<Node> a = kit.make_node();
  Handle<Node> b(kit.heap, a.get());
  a.reset();
  CHECK(kit.survivors() == 1);
  b.reset();
  CHECK(kit.survivors() == 0);
}

TEST_CASE("Handle: 100,000 of them, dropped in any order, reuse their slots", "[gc][roots]") {
  Kit kit(exact_options());
  Random random = random_for("Handle: many");
  std::vector<Handle<Node>> handles;
  for (int round = 0; round < 3; ++round) {
    while (handles.size() < 100'000) handles.push_back(kit.make_node());
    CHECK(kit.survivors() == handles.size());
    for (int i = 0; i < 90'000; ++i) {
      const std::uint32_t at = random.below(static_cast<std::uint32_t>(handles.size()));
      handles[at] = std::move(handles.back());
      handles.pop_back();
    }
    CHECK(kit.survivors() == handles.size());
  }
}

TEST_CASE("Handle: its label stands in reports", "[gc][roots]") {
  Kit kit(exact_options());
  const Handle<Node> handle(kit.heap, kit.heap.allocate(kit.node), "the global table");
  const Ref<Node> garbage = Kit::ref_of(kit.heap.allocate(kit.node));
  std::uint32_t slot = garbage.index() + 8;
  const RootRegistration range = kit.heap.add_root_range(&slot, 1, "forged range");
  const VerifyReport report = verify(kit.heap);
  REQUIRE(report.defects.size() == 1);
  CHECK(report.defects[0].kind == Defect::Kind::bad_root);
  CHECK(std::string(report.defects[0].holder_name) == "forged range");
  CHECK(report.defects[0].target == slot);
  CHECK(report.defects[0].message().find("forged range") != std::string::npos);
}

TEST_CASE("Local: lives as long as its scope", "[gc][roots]") {
  Kit kit;
  {
    HandleScope scope(kit.heap);
    const Local<Node> local = scope.root(kit.heap.allocate(kit.node));
    const Local<Node> copy = local;
    CHECK(copy.get() == local.get());
    CHECK(kit.survivors() == 1);
  }
  CHECK(kit.survivors() == 0);
}

TEST_CASE("Local: null and empty", "[gc][roots]") {
  Kit kit;
  const Local<Node> empty;
  CHECK_FALSE(empty);
  CHECK(empty.get() == nullptr);
  CHECK_FALSE(empty.is_stale());
  CHECK(empty.check(kit.heap));
  HandleScope scope(kit.heap);
  Local<Node> null = scope.root(static_cast<Node*>(nullptr));
  CHECK_FALSE(null);
  CHECK(null.get() == nullptr);
  null.set(kit.heap.allocate(kit.node));
  CHECK(null);
  CHECK(kit.survivors() == 1);
}

TEST_CASE("HandleScope: scopes nest, and the inner one drops only its own", "[gc][roots]") {
  Kit kit;
  HandleScope outer(kit.heap);
  const Local<Node> a = outer.root(kit.heap.allocate(kit.node));
  {
    HandleScope inner(kit.heap);
    const Local<Node> b = inner.root(kit.heap.allocate(kit.node));
    const Local<Node> c = inner.root(kit.heap.allocate(kit.node));
    CHECK(kit.survivors() == 3);
    { const HandleScope empty(kit.heap); }
    CHECK(kit.survivors() == 3);
    CHECK(b);
    CHECK(c);
  }
  CHECK(kit.survivors() == 1);
  CHECK(a);
}

TEST_CASE("HandleScope: scopes over several chunks, opened and closed at every fill",
          "[gc][roots]") {
  Kit kit(exact_options());
  for (const std::uint32_t before : {0u, 1u, 1022u, 1023u, 1024u, 1025u, 2047u, 2048u, 5000u}) {
    for (const std::uint32_t inside : {0u, 1u, 1023u, 1024u, 1025u, 3000u}) {
      HandleScope outer(kit.heap);
      std::vector<Local<Node>> locals;
      for (std::uint32_t i = 0; i < before; ++i) {
        locals.push_back(outer.root(kit.heap.allocate(kit.node)));
      }
      std::vector<Local<Node>> inner_locals;
      {
        HandleScope inner(kit.heap);
        for (std::uint32_t i = 0; i < inside; ++i) {
          inner_locals.push_back(inner.root(kit.heap.allocate(kit.node)));
        }
        REQUIRE(kit.survivors() == before + inside);
      }
      REQUIRE(kit.survivors() == before);
      for (const Local<Node>& local : locals) REQUIRE_FALSE(local.is_stale());
      for (const Local<Node>& local : inner_locals) REQUIRE(local.is_stale());
      const Local<Node> more = outer.root(kit.heap.allocate(kit.node));
      REQUIRE(kit.survivors() == before + 1);
      REQUIRE(more);
    }
  }
  CHECK(kit.survivors() == 0);
}

TEST_CASE("Roots: a callback names an interpreter's own stack", "[gc][roots]") {
  Kit kit;
  std::vector<Node*> stack;
  RootRegistration registration = kit.heap.add_roots(
      [](void* user, Tracer& tracer) {
        for (const Node* node : *static_cast<std::vector<Node*>*>(user)) {
          tracer.visit(Ref<Node>(node));
        }
      },
      &stack, "interpreter stack");
  REQUIRE(registration);
  for (int i = 0; i < 100; ++i) stack.push_back(kit.heap.allocate(kit.node));
  CHECK(kit.survivors() == 100);
  stack.resize(40);
  CHECK(kit.survivors() == 40);
  CHECK_FALSE(registration.remove());
  CHECK(kit.survivors() == 0);
}

TEST_CASE("Roots: a range of slots, refs and integers mixed", "[gc][roots]") {
  Kit kit;
  std::uint32_t slots[8] = {};
  {
    const RootRegistration registration = kit.heap.add_root_range(slots, 8, "registers");
    REQUIRE(registration);
    slots[0] = Kit::ref_of(kit.heap.allocate(kit.node)).index();
    slots[3] = Value::integer(12345).bits();
    slots[7] = Kit::ref_of(kit.heap.allocate(kit.node)).index();
    CHECK(kit.survivors() == 2);
    slots[7] = slots[0];
    CHECK(kit.survivors() == 1);
  }
  CHECK(kit.survivors() == 0);
}

TEST_CASE("Roots: registrations come and go in any order", "[gc][roots]") {
  Kit kit;
  constexpr int kRanges = 50;
  std::vector<std::uint32_t> slots(kRanges);
  std::vector<RootRegistration> registrations;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < kRanges; ++i) {
      slots[static_cast<std::size_t>(i)] = Kit::ref_of(kit.heap.allocate(kit.node)).index();
      registrations.push_back(
          kit.heap.add_root_range(&slots[static_cast<std::size_t>(i)], 1, "range"));
    }
    CHECK(kit.survivors() == kRanges);
    for (std::size_t i = 0; i < kRanges; i += 2) CHECK_FALSE(registrations[i].remove());
    CHECK(kit.survivors() == kRanges / 2);
    registrations.clear();
    CHECK(kit.survivors() == 0);
  }
}

TEST_CASE("Roots: a registration moved or assigned keeps exactly its own range", "[gc][roots]") {
  Kit kit;
  std::uint32_t a = 0;
  std::uint32_t b = 0;
  RootRegistration first = kit.heap.add_root_range(&a, 1, "a");
  a = Kit::ref_of(kit.heap.allocate(kit.node)).index();
  RootRegistration second = kit.heap.add_root_range(&b, 1, "b");
  b = Kit::ref_of(kit.heap.allocate(kit.node)).index();
  CHECK(kit.survivors() == 2);
  first = std::move(second);
  CHECK(kit.survivors() == 1);
  CHECK(kit.lives(Ref<Node>(b)));
  CHECK_FALSE(second);
  const RootRegistration third(std::move(first));
  CHECK(kit.survivors() == 1);
}

TEST_CASE("Roots: all kinds together", "[gc][roots]") {
  Kit kit;
  std::uint32_t slot = 0;
  const RootRegistration range = kit.heap.add_root_range(&slot, 1, "slot");
  Handle<Node> handle = kit.make_node();
  HandleScope scope(kit.heap);
  const Local<Node> local = scope.root(kit.heap.allocate(kit.node));
  slot = Kit::ref_of(kit.heap.allocate(kit.node)).index();
  CHECK(kit.survivors() == 3);
  CHECK(local);
  CHECK_FALSE(kit.heap.collect());
}

TEST_CASE("Heaps: two in one process know nothing of each other", "[gc][roots]") {
  Kit a;
  Kit b;
  const Handle<Node> in_a = a.make_node();
  Handle<Node> in_b = b.make_node();
  CHECK(a.heap.contains(in_a.get()));
  CHECK_FALSE(b.heap.contains(in_a.get()));
  CHECK(a.survivors() == 1);
  in_b.reset();
  CHECK(b.survivors() == 0);
  CHECK(a.survivors() == 1);
  CHECK(a.heap.last_collection().number != 0);
  a.owned.reset();
  CHECK(in_a.is_stale());
  CHECK(b.survivors() == 0);
}

TEST_CASE("Heap: knows its own addresses, and the object that one points into", "[gc][roots]") {
  Kit kit(exact_options(kMiB));
  const Handle<Block> block = kit.heap.make(kit.block);
  auto* address = reinterpret_cast<char*>(block.get());
  for (int i = 0; i < 64; ++i) {
    CHECK(kit.heap.contains(address + i));
    CHECK(kit.heap.object_start(address + i) == &block->header);
  }
  CHECK(kit.heap.object_start(address + 64) == nullptr);
  CHECK(kit.heap.object_start(address - 1) == nullptr);
  int local = 0;
  CHECK_FALSE(kit.heap.contains(&local));
  CHECK_FALSE(kit.heap.contains(nullptr));
  CHECK(kit.heap.object_start(&local) == nullptr);
  CHECK(kit.heap.object_start(nullptr) == nullptr);
  char* base = address - block.ref().index();
  CHECK(kit.heap.contains(base));
  CHECK(kit.heap.object_start(base) == nullptr);
  CHECK(kit.heap.contains(base + kit.heap.stats().capacity - 1));
  CHECK_FALSE(kit.heap.contains(base + kit.heap.stats().capacity));
  CHECK_FALSE(kit.heap.contains(base - 1));
  CHECK(kit.heap.object_start(base - 1) == nullptr);
  CHECK(kit.heap.object_start(base + kit.heap.stats().capacity - 1) == nullptr);
}

TEST_CASE("Heap: reset drops everything, keeps the types, and serves again", "[gc][roots]") {
  Kit kit;
  Handle<Node> handle = kit.make_node();
  std::uint32_t slot = handle.ref().index();
  RootRegistration range = kit.heap.add_root_range(&slot, 1, "slot");
  HandleScope scope(kit.heap);
  const Local<Node> local = scope.root(kit.heap.allocate(kit.node));
  for (int i = 0; i < 10'000; ++i) static_cast<void>(kit.heap.allocate(kit.block));
  REQUIRE_FALSE(kit.heap.reset());
  CHECK(handle.is_stale());
  CHECK_FALSE(handle);
  CHECK(local.is_stale());
  CHECK(range.remove().code == Errc::stale_handle);
  CHECK(kit.survivors() == 0);
  CHECK(verify(kit.heap).ok());
  const Local<Node> again = scope.root(kit.heap.allocate(kit.node));
  CHECK(again);
  handle = kit.make_node();
  CHECK(handle->left.get() == nullptr);
  CHECK(kit.survivors() == 2);
  CHECK(kit.heap.descriptor(kit.node.id)->name == "Node");
}

}  // namespace besom::test
