/// Temporary protection: marks of local roots, code in which nothing is collected, safepoints.

#include <csetjmp>
#include <functional>
#include <memory>
#include <vector>

#include "heap/space.hpp"
#include "tests/gc/kit.hpp"

namespace besom::test {
namespace {

std::jmp_buf landing;

/// Whether `body` left by leave().
bool is_left_by(const std::function<void()>& body) {
  if (setjmp(landing) != 0) return true;
  body();
  return false;
}
[[noreturn]] void leave() { std::longjmp(landing, 1); }

}  // namespace

TEST_CASE("Locals: those made after a mark go when it is restored, earlier ones stay",
          "[gc][locals][zealous]") {
  for (const std::uint32_t fill : {0u, 1u, 1022u, 1023u, 1024u, 3000u}) {
    INFO(fill);
    Kit kit;
    const HandleScope scope(kit.heap);
    const Local<Node> before = kit.heap.local(kit.heap.allocate(kit.node));
    const LocalMark mark = kit.heap.mark_locals();
    REQUIRE(mark);
    std::vector<Local<Node>> locals;
    for (std::uint32_t i = 0; i < fill; ++i) {
      locals.push_back(kit.heap.local(kit.heap.allocate(kit.node)));
      REQUIRE(locals.back());
    }
    if (fill < 100) CHECK(kit.survivors() == 1 + fill);
    CHECK_FALSE(kit.heap.restore_locals(mark));
    for (const Local<Node>& local : locals) CHECK(local.is_stale());
    CHECK_FALSE(before.is_stale());
    CHECK(kit.survivors() == 1);
  }
}

TEST_CASE("Locals: without any scope they stay until a mark before them is restored",
          "[gc][locals][zealous]") {
  Kit kit;
  const LocalMark mark = kit.heap.mark_locals();
  const Local<Node> local = kit.heap.local(kit.heap.allocate(kit.node));
  CHECK(kit.survivors() == 1);
  local->left = kit.heap.allocate(kit.node);
  CHECK(kit.survivors() == 2);
  CHECK_FALSE(kit.heap.restore_locals(mark));
  CHECK(kit.survivors() == 0);
}

TEST_CASE("Locals: marking and restoring in a loop takes no more room", "[gc][locals]") {
  Kit kit(exact_options());
  for (int i = 0; i < 100'000; ++i) {
    const LocalMark mark = kit.heap.mark_locals();
    const Local<Node> local = kit.heap.local(static_cast<Node*>(nullptr));
    REQUIRE_FALSE(kit.heap.restore_locals(mark));
    REQUIRE(local.is_stale());
  }
  const Result<HeldRoots> held = held_roots(kit.heap);
  REQUIRE(held);
  CHECK(held->rows().empty());
}

TEST_CASE("Locals: a mark restored twice, or after its time, is stale_handle",
          "[gc][locals][misuse]") {
  MisuseTable table("marks of locals that are no longer valid");
  Kit kit(exact_options());
  const auto stale = [&](const LocalMark& mark) {
    CHECK(kit.heap.restore_locals(mark).code == Errc::stale_handle);
    table.row();
  };
  stale({});
  const LocalMark outer = kit.heap.mark_locals();
  const LocalMark inner = kit.heap.mark_locals();
  CHECK_FALSE(kit.heap.restore_locals(outer));
  stale(outer);
  stale(inner);
  // Also when the places are used again.
  const LocalMark again = kit.heap.mark_locals();
  static_cast<void>(kit.heap.local(kit.heap.allocate(kit.node)));
  stale(outer);
  stale(inner);
  CHECK_FALSE(kit.heap.restore_locals(again));
  LocalMark in_scope;
  {
    const HandleScope scope(kit.heap);
    in_scope = kit.heap.mark_locals();
  }
  stale(in_scope);
  {
    const HandleScope scope(kit.heap);
    const LocalMark in_other = kit.heap.mark_locals();
    stale(in_scope);
    CHECK_FALSE(kit.heap.restore_locals(in_other));
  }
  const LocalMark before_reset = kit.heap.mark_locals();
  REQUIRE_FALSE(kit.heap.reset());
  stale(before_reset);
}

TEST_CASE("Locals: a mark of another heap is wrong_heap", "[gc][locals][misuse]") {
  MisuseTable table("marks of another heap");
  Kit a(exact_options());
  Kit b(exact_options());
  const LocalMark mark = a.heap.mark_locals();
  CHECK(b.heap.restore_locals(mark).code == Errc::wrong_heap);
  table.row();
  CHECK_FALSE(a.heap.restore_locals(mark));
}

TEST_CASE("Locals: scopes and locals that a longjmp skipped are closed by restoring",
          "[gc][locals][jump][zealous]") {
  Kit kit;
  const HandleScope scope(kit.heap);
  const Local<Node> kept = kit.heap.local(kit.heap.allocate(kit.node));
  for (int round = 0; round < 10; ++round) {
    const LocalMark mark = kit.heap.mark_locals();
    CHECK(is_left_by([&] {
      // Through the heap, as a destructor in a frame that is jumped past would not be allowed.
      auto* outer = new HandleScope(kit.heap);
      static_cast<void>(outer->root(kit.heap.allocate(kit.node)));
      auto* inner = new HandleScope(kit.heap);
      for (int i = 0; i < 1500; ++i) static_cast<void>(inner->root(kept.get()));
      auto* forbids = new NoCollectScope(kit.heap);
      ::operator delete(outer);
      ::operator delete(inner);
      ::operator delete(forbids);
      leave();
    }));
    CHECK(kit.heap.collect().code == Errc::no_collect);
    CHECK_FALSE(kit.heap.restore_locals(mark));
    CHECK(kit.survivors() == 1);
    CHECK(verify(kit.heap).ok());
    const HandleScope works(kit.heap);
    CHECK(kit.heap.local(kit.heap.allocate(kit.node)));
  }
  CHECK_FALSE(kept.is_stale());
}

TEST_CASE("Locals: a longjmp out of a collection is recovered from, then restored",
          "[gc][locals][jump]") {
  Kit kit(exact_options());
  static bool jump;
  jump = true;
  const RootRegistration roots = kit.heap.add_roots(
      [](void*, Tracer&) {
        if (jump) leave();
      },
      nullptr, "jumping");
  const LocalMark mark = kit.heap.mark_locals();
  CHECK(is_left_by([&] {
    static_cast<void>(kit.heap.local(kit.heap.allocate(kit.node)));
    static_cast<void>(kit.heap.collect());
  }));
  CHECK(kit.heap.restore_locals(mark).code == Errc::reentrant);
  CHECK_FALSE(kit.heap.recover());
  CHECK_FALSE(kit.heap.restore_locals(mark));
  jump = false;
  CHECK(kit.survivors() == 0);
}

TEST_CASE("Locals: a scope that a restore ended aborts when it ends once more",
          "[gc][locals][misuse]") {
  MisuseTable table("scopes ended by a restore");
  Kit kit(exact_options());
  CHECK_ABORTS(
      [&] {
        const LocalMark mark = kit.heap.mark_locals();
        const HandleScope scope(kit.heap);
        static_cast<void>(kit.heap.restore_locals(mark));
      }(),
      "handle scope ended before by restore_locals()");
  table.row();
  CHECK_ABORTS(
      [&] {
        const LocalMark mark = kit.heap.mark_locals();
        const NoCollectScope scope(kit.heap);
        static_cast<void>(kit.heap.restore_locals(mark));
      }(),
      "NoCollectScope ended twice");
  table.row();
}

TEST_CASE("NoCollectScope: allocation grows instead of collecting, and refs need no root",
          "[gc][nocollect][zealous]") {
  Kit kit;
  const std::uint64_t collections = kit.heap.stats().collections;
  std::vector<Node*> unrooted;
  {
    const NoCollectScope scope(kit.heap);
    REQUIRE(scope);
    for (std::uint32_t i = 0; i < 100'000; ++i) {
      unrooted.push_back(kit.heap.allocate(kit.node));
      REQUIRE(unrooted.back() != nullptr);
      if (i > 0) unrooted[i]->left = unrooted[i - 1];
    }
    for (std::uint32_t i = 0; i < 300; ++i) {
      REQUIRE(kit.heap.allocate(kit.bytes, 10'000) != nullptr);
    }
    CHECK(kit.heap.stats().collections == collections);
    for (std::uint32_t i = 1; i < 100'000; ++i) {
      REQUIRE(unrooted[i]->left.get() == unrooted[i - 1]);
    }
  }
  CHECK(kit.survivors() == 0);
}

TEST_CASE("NoCollectScope: what would need a collection is heap_limit, and works after it",
          "[gc][nocollect]") {
  Kit kit(exact_options(kMiB));
  {
    const NoCollectScope outer(kit.heap);
    const NoCollectScope inner(kit.heap);
    std::uint64_t count = 0;
    while (kit.heap.allocate(kit.block) != nullptr) ++count;
    CHECK(kit.heap.error().code == Errc::heap_limit);
    CHECK(count >= kMiB / 64 - 2);
    CHECK(kit.heap.stats().collections == 0);
    CHECK(verify(kit.heap).ok());
  }
  CHECK(kit.heap.allocate(kit.block) != nullptr);
  CHECK(kit.heap.stats().collections == 1);
}

TEST_CASE("NoCollectScope: collect() is refused and safepoint() does nothing inside, however deep",
          "[gc][nocollect][misuse]") {
  MisuseTable table("collections that are forbidden");
  Kit kit(exact_options());
  static_cast<void>(kit.heap.allocate(kit.node));
  for (std::uint32_t depth = 1; depth <= 4; ++depth) {
    for (std::uint32_t i = 0; i < depth; ++i) REQUIRE_FALSE(kit.heap.forbid_collections());
    for (std::uint32_t i = 0; i < depth; ++i) {
      CHECK(kit.heap.collect().code == Errc::no_collect);
      CHECK_FALSE(kit.heap.safepoint());
      CHECK(kit.heap.stats().collections == depth - 1);
      table.row();
      REQUIRE_FALSE(kit.heap.allow_collections());
    }
    CHECK_FALSE(kit.heap.collect());
  }
  CHECK(kit.heap.allow_collections().code == Errc::unbalanced);
  table.row();
}

TEST_CASE("NoCollectScope: what came due inside is made up by the next allocation",
          "[gc][nocollect]") {
  Kit kit(exact_options());
  {
    const NoCollectScope scope(kit.heap);
    for (int i = 0; i < 100'000; ++i) REQUIRE(kit.heap.allocate(kit.block) != nullptr);
    CHECK(kit.heap.stats().collections == 0);
  }
  REQUIRE(kit.heap.allocate(kit.block) != nullptr);
  CHECK(kit.heap.stats().collections == 1);
  CHECK(kit.heap.last_collection().freed_objects >= 99'999);
}

TEST_CASE("Safepoints: allocation never collects, a safepoint does when one is due",
          "[gc][safepoint]") {
  HeapOptions options = exact_options();
  options.safepoints = true;
  Kit kit(options);
  CHECK_FALSE(kit.heap.safepoint());
  CHECK(kit.heap.stats().collections == 0);
  for (int round = 1; round <= 5; ++round) {
    std::vector<Node*> unrooted;
    for (int i = 0; i < 200'000; ++i) {
      unrooted.push_back(kit.heap.allocate(kit.node));
      REQUIRE(unrooted.back() != nullptr);
    }
    CHECK(kit.heap.stats().collections == static_cast<std::uint64_t>(round - 1));
    CHECK_FALSE(kit.heap.safepoint());
    CHECK(kit.heap.stats().collections == static_cast<std::uint64_t>(round));
    // At once, nothing is due again.
    CHECK_FALSE(kit.heap.safepoint());
    CHECK(kit.heap.stats().collections == static_cast<std::uint64_t>(round));
    CHECK(kit.heap.last_collection().live_objects <= 1);
  }
  CHECK_FALSE(kit.heap.collect());
  CHECK(kit.heap.last_collection().cause == Cause::requested);
}

TEST_CASE(
    "Safepoints: between them the heap grows to its limit and then fails, and a safepoint "
    "gives room",
    "[gc][safepoint]") {
  HeapOptions options = exact_options(kMiB);
  options.safepoints = true;
  Kit kit(options);
  const Handle<Node> kept = kit.make_node();
  for (int round = 0; round < 3; ++round) {
    std::uint64_t count = 0;
    while (kit.heap.allocate(kit.block) != nullptr) ++count;
    CHECK(kit.heap.error().code == Errc::heap_limit);
    CHECK(kit.heap.error().message().find("no collection is allowed") != std::string::npos);
    // All but a window of smaller objects.
    CHECK(count >= (kMiB - 3 * detail::Space::kMinWindowBytes) / 64);
    CHECK_FALSE(kit.heap.safepoint());
    CHECK(kit.heap.last_collection().cause == Cause::full);
    CHECK(kit.lives(kept.ref()));
  }
}

TEST_CASE("Safepoints: the same run collects at the same places", "[gc][safepoint]") {
  const auto run = [] {
    HeapOptions options = exact_options();
    options.safepoints = true;
    Kit kit(options);
    std::vector<std::uint64_t> at;
    for (int i = 0; i < 3000; ++i) {
      for (int k = 0; k < 100; ++k) static_cast<void>(kit.heap.allocate(kit.block));
      const std::uint64_t before = kit.heap.stats().collections;
      REQUIRE_FALSE(kit.heap.safepoint());
      if (kit.heap.stats().collections != before) at.push_back(static_cast<std::uint64_t>(i));
    }
    return at;
  };
  const std::vector<std::uint64_t> first = run();
  CHECK(first.size() > 3);
  CHECK(first == run());
}

TEST_CASE("Safepoints: zeal collects at each that follows enough allocations", "[gc][safepoint]") {
  HeapOptions options = exact_options();
  options.safepoints = true;
  options.zeal = Zeal::every(10);
  Kit kit(options);
  for (std::uint64_t round = 1; round <= 10; ++round) {
    Node* first = kit.heap.allocate(kit.node);
    for (int i = 0; i < 15; ++i) first->left = kit.heap.allocate(kit.node);
    CHECK(kit.heap.stats().collections == round - 1);
    REQUIRE_FALSE(kit.heap.safepoint());
    CHECK(kit.heap.stats().collections == round);
  }
}

}  // namespace besom::test
