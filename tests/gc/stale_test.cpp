/// Handles and registrations used after their time, or on the wrong heap.

#include <memory>
#include <optional>
#include <vector>

#include "tests/gc/kit.hpp"

namespace besom::test {
namespace {

/// A handle as it is after one of the things that make it stale.
struct StaleHandle {
  const char* how;
  std::unique_ptr<Kit> kit;
  Handle<Node> handle;
};

std::vector<StaleHandle> stale_handles() {
  std::vector<StaleHandle> cases;
  const auto add = [&](const char* how, auto spoil) {
    StaleHandle stale{how, std::make_unique<Kit>(), {}};
    stale.handle = stale.kit->make_node();
    spoil(*stale.kit);
    cases.push_back(std::move(stale));
  };
  add("heap destroyed", [](Kit& kit) { kit.owned.reset(); });
  add("heap reset", [](Kit& kit) { REQUIRE_FALSE(kit.heap.reset()); });
  add("heap reset and the slot reused", [](Kit& kit) {
    REQUIRE_FALSE(kit.heap.reset());
    static Handle<Node> other;
    other = kit.make_node();
  });
  add("heap reset, then destroyed", [](Kit& kit) {
    REQUIRE_FALSE(kit.heap.reset());
    kit.owned.reset();
  });
  return cases;
}

}  // namespace

TEST_CASE("Stale handles say so, or abort", "[gc][stale][misuse]") {
  MisuseTable table("stale handles");
  Kit other;
  for (StaleHandle& stale : stale_handles()) {
    INFO(stale.how);
    Handle<Node>& handle = stale.handle;
    CHECK(handle.is_stale());
    CHECK_FALSE(handle);
    CHECK(handle.check(other.heap).error().code == Errc::stale_handle);
    table.row();
    CHECK_ABORTS(handle.get(), "stale handle");
    table.row();
    CHECK_ABORTS(handle.ref(), "stale handle");
    table.row();
    CHECK_ABORTS(handle->left.get(), "stale handle");
    table.row();
    CHECK_ABORTS((*handle).left.get(), "stale handle");
    table.row();
    CHECK_ABORTS(handle.set(nullptr), "stale or empty handle");
    table.row();
    Handle<Node> moved(std::move(handle));
    CHECK(moved.is_stale());
    moved.reset();
    CHECK_FALSE(moved.is_stale());
    moved.reset();
  }
}

TEST_CASE("Empty handles and locals cannot be set", "[gc][stale][misuse]") {
  MisuseTable table("empty handles");
  Handle<Node> handle;
  CHECK_ABORTS(handle.set(nullptr), "stale or empty handle");
  table.row();
  Local<Node> local;
  CHECK_ABORTS(local.set(nullptr), "stale or empty local");
  table.row();
  Kit kit;
  Handle<Node> moved_from = kit.make_node();
  const Handle<Node> to(std::move(moved_from));
  CHECK_ABORTS(moved_from.set(nullptr), "stale or empty handle");
  table.row();
}

TEST_CASE("Locals are stale after their scope, also when the slot is used again",
          "[gc][stale][misuse]") {
  MisuseTable table("stale locals");
  Kit kit;
  for (const bool reused : {false, true}) {
    for (const int fill : {0, 1023, 1024, 1500}) {
      INFO(reused << ' ' << fill);
      HandleScope outer(kit.heap);
      for (int i = 0; i < fill; ++i) REQUIRE_FALSE(outer.root(static_cast<Node*>(nullptr)));
      Local<Node> local;
      {
        HandleScope scope(kit.heap);
        local = scope.root(kit.heap.allocate(kit.node));
        CHECK_FALSE(local.is_stale());
      }
      HandleScope later(kit.heap);
      if (reused) {
        REQUIRE(later.root(kit.heap.allocate(kit.node)));
        REQUIRE(later.root(kit.heap.allocate(kit.node)));
      }
      CHECK(local.is_stale());
      CHECK(local.check(kit.heap).error().code == Errc::stale_handle);
      table.row();
      CHECK_ABORTS(local.get(), "stale local");
      table.row();
      CHECK_ABORTS(local.ref(), "stale local");
      table.row();
      CHECK_ABORTS(local->left.get(), "stale local");
      table.row();
      CHECK_ABORTS(static_cast<bool>(local), "stale local");
      table.row();
      CHECK_ABORTS(local.set(nullptr), "stale or empty local");
      table.row();
    }
  }
}

TEST_CASE("Locals are stale after a reset of their heap", "[gc][stale][misuse]") {
  MisuseTable table("locals after a reset");
  Kit kit;
  HandleScope scope(kit.heap);
  const Local<Node> local = scope.root(kit.heap.allocate(kit.node));
  REQUIRE_FALSE(kit.heap.reset());
  CHECK(local.is_stale());
  CHECK(local.check(kit.heap).error().code == Errc::stale_handle);
  table.row();
  CHECK_ABORTS(local.get(), "stale local");
  table.row();
  REQUIRE(scope.root(kit.heap.allocate(kit.node)));
  CHECK(local.is_stale());
  CHECK_ABORTS(local.get(), "stale local");
  table.row();
}

TEST_CASE("A scope closed before an inner one aborts", "[gc][stale][misuse]") {
  MisuseTable table("scopes closed out of order");
  Kit kit;
  CHECK_ABORTS(
      [&] {
        auto outer = std::make_unique<HandleScope>(kit.heap);
        const auto inner = std::make_unique<HandleScope>(kit.heap);
        outer.reset();
      }(),
      "handle scope closed before an inner one");
  table.row();
  CHECK_ABORTS(
      [&] {
        std::optional<HandleScope> a(std::in_place, kit.heap);
        std::optional<HandleScope> b(std::in_place, kit.heap);
        std::optional<HandleScope> c(std::in_place, kit.heap);
        c.reset();
        a.reset();
      }(),
      "handle scope closed before an inner one");
  table.row();
}

TEST_CASE("A scope may outlive its heap but roots nothing any more", "[gc][stale][misuse]") {
  MisuseTable table("scopes after their heap");
  for (const int fill : {0, 1, 1024, 2000}) {
    Kit kit;
    HandleScope scope(kit.heap);
    for (int i = 0; i < fill; ++i) REQUIRE_FALSE(scope.root(static_cast<Node*>(nullptr)));
    Node* node = kit.heap.allocate(kit.node);
    kit.owned.reset();
    const Local<Node> local = scope.root(node);
    CHECK_FALSE(local);
    table.row();
  }
}

TEST_CASE("A handle or local of another heap is wrong_heap", "[gc][stale][misuse]") {
  MisuseTable table("handles of another heap");
  Kit a;
  Kit b;
  const Handle<Node> in_b = b.make_node();
  CHECK(in_b.check(a.heap).error().code == Errc::wrong_heap);
  CHECK(in_b.check(b.heap));
  table.row();
  HandleScope scope(b.heap);
  const Local<Node> local = scope.root(b.heap.allocate(b.node));
  CHECK(local.check(a.heap).error().code == Errc::wrong_heap);
  CHECK(local.check(b.heap));
  table.row();
}

TEST_CASE("Refs of another heap are bad_ref or contained, and that heap is unchanged",
          "[gc][stale][misuse]") {
  Kit a(exact_options());
  Kit b(exact_options());
  for (int i = 0; i < 5000; ++i) static_cast<void>(b.heap.allocate(b.node));
  const Handle<Node> far = b.make_node();
  const Handle<Node> in_b(b.heap, far.get());
  const Handle<Node> holder = a.make_node();
  CHECK(a.heap.check(far.ref(), a.node).error().code == Errc::bad_ref);
  holder->left = far.get();
  REQUIRE_FALSE(a.heap.collect());
  CHECK(a.heap.last_collection().bad_refs == 1);
  CHECK(a.heap.last_collection().live_objects == 1);
  CHECK(b.survivors() == 1);
  CHECK(verify(b.heap).ok());
}

TEST_CASE("A registration removed twice, or after its heap, is stale_handle",
          "[gc][stale][misuse]") {
  MisuseTable table("registrations removed again");
  std::uint32_t slot = 0;
  {
    Kit kit;
    RootRegistration range = kit.heap.add_root_range(&slot, 1, "slot");
    CHECK_FALSE(range.remove());
    for (int i = 0; i < 3; ++i) {
      CHECK(range.remove().code == Errc::stale_handle);
      table.row();
    }
    // The place is used again: the old registration must not remove the new one.
    RootRegistration other = kit.heap.add_root_range(&slot, 1, "other");
    CHECK(range.remove().code == Errc::stale_handle);
    table.row();
    slot = Kit::ref_of(kit.heap.allocate(kit.node)).index();
    CHECK(kit.survivors() == 1);
  }
  RootRegistration never;
  CHECK(never.remove().code == Errc::stale_handle);
  table.row();
  RootRegistration late;
  {
    Kit kit;
    late = kit.heap.add_root_range(&slot, 1, "slot");
  }
  CHECK(late.remove().code == Errc::stale_handle);
  table.row();
}

TEST_CASE("Handles outlive their heap without harm, a thousand heaps over", "[gc][stale]") {
  std::vector<Handle<Node>> handles;
  for (int i = 0; i < 200; ++i) {
    Kit kit(any_options(kMiB));
    for (int k = 0; k < 5; ++k) handles.push_back(kit.make_node());
  }
  for (const Handle<Node>& handle : handles) CHECK(handle.is_stale());
}

}  // namespace besom::test
