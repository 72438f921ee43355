/// Bytes held outside on behalf of objects.

#include <algorithm>
#include <vector>

#include "tests/gc/kit.hpp"

namespace besom::test {

TEST_CASE("External: small objects that hold large buffers get collected", "[gc][external]") {
  Kit kit(exact_options());
  struct Host {
    std::uint64_t held = 0, peak = 0;
    std::vector<std::uint32_t> owners;
    Heap* heap = nullptr;
  } host;
  host.heap = &kit.heap;
  const MarkHookRegistration hook = kit.heap.add_mark_hook(
      [](void* user, const MarkView& marks) {
        auto& h = *static_cast<Host*>(user);
        std::erase_if(h.owners, [&](std::uint32_t owner) {
          if (marks.is_marked(Ref<void>(owner))) return false;
          REQUIRE_FALSE(h.heap->remove_external(kMiB));
          h.held -= kMiB;
          return true;
        });
      },
      &host, "buffers");
  for (int i = 0; i < 1000; ++i) {
    Node* owner = kit.heap.allocate(kit.node);
    REQUIRE(owner != nullptr);
    host.owners.push_back(Kit::ref_of(owner).index());
    REQUIRE_FALSE(kit.heap.add_external(kMiB));
    host.held += kMiB;
    host.peak = std::max(host.peak, host.held);
  }
  // 16 KB of objects alone would not have filled one window.
  CHECK(kit.heap.stats().collections > 100);
  CHECK(host.peak <= 8 * kMiB);
  CHECK(kit.heap.stats().external == host.held);
  CHECK(kit.heap.last_collection().cause == Cause::external);
}

TEST_CASE("External: the more lives on, the further away the next collection is",
          "[gc][external]") {
  HeapOptions options = exact_options();
  options.growth = Growth::of_live(2);
  Kit kit(options);
  REQUIRE_FALSE(kit.heap.add_external(100 * kMiB));
  REQUIRE_FALSE(kit.heap.collect());
  const auto collections_for = [&](std::uint64_t mib) {
    const std::uint64_t before = kit.heap.stats().collections;
    for (std::uint64_t i = 0; i < mib; ++i) {
      REQUIRE_FALSE(kit.heap.add_external(kMiB));
      REQUIRE(kit.heap.allocate(kit.node) != nullptr);
    }
    return kit.heap.stats().collections - before;
  };
  CHECK(collections_for(101) == 0);
  CHECK(collections_for(2) == 1);
  CHECK(kit.heap.last_collection().external == 202 * kMiB);
}

TEST_CASE("External: adding never collects by itself, and taking away calls it off",
          "[gc][external]") {
  Kit kit(exact_options());
  Node* newest = kit.heap.allocate(kit.node);
  for (int i = 0; i < 1000; ++i) REQUIRE_FALSE(kit.heap.add_external(kMiB));
  CHECK(kit.heap.stats().collections == 0);
  CHECK(kit.lives(Kit::ref_of(newest)));
  REQUIRE_FALSE(kit.heap.remove_external(1000 * kMiB));
  REQUIRE(kit.heap.allocate(kit.node) != nullptr);
  CHECK(kit.heap.stats().collections == 0);
  CHECK(kit.heap.stats().external == 0);
}

TEST_CASE("External: taking away more than there is fails and changes nothing",
          "[gc][external][misuse]") {
  MisuseTable table("external bytes that do not add up");
  Kit kit(exact_options());
  const auto unbalanced = [&](std::uint64_t bytes) {
    const std::uint64_t before = kit.heap.stats().external;
    const Error error = kit.heap.remove_external(bytes);
    CHECK(error.code == Errc::unbalanced);
    CHECK(error.bytes == bytes);
    CHECK(error.limit == before);
    CHECK(kit.heap.stats().external == before);
    table.row();
  };
  unbalanced(1);
  unbalanced(~std::uint64_t{0});
  REQUIRE_FALSE(kit.heap.add_external(100));
  unbalanced(101);
  CHECK_FALSE(kit.heap.remove_external(60));
  unbalanced(41);
  CHECK_FALSE(kit.heap.remove_external(40));
  unbalanced(1);
  CHECK_FALSE(kit.heap.remove_external(0));
}

TEST_CASE("External: a sum beyond 2^64 is refused", "[gc][external][misuse]") {
  MisuseTable table("external bytes beyond 2^64");
  Kit kit(exact_options());
  const std::uint64_t most = ~std::uint64_t{0};
  REQUIRE_FALSE(kit.heap.add_external(most - 5));
  CHECK(kit.heap.add_external(6).code == Errc::heap_limit);
  table.row();
  CHECK(kit.heap.add_external(most).code == Errc::heap_limit);
  table.row();
  CHECK_FALSE(kit.heap.add_external(5));
  CHECK(kit.heap.stats().external == most);
  // The collection that this makes due works, and is not due again.
  REQUIRE(kit.heap.allocate(kit.node) != nullptr);
  CHECK(kit.heap.last_collection().external == most);
  for (int i = 0; i < 1000; ++i) REQUIRE(kit.heap.allocate(kit.node) != nullptr);
  CHECK(kit.heap.stats().collections == 1);
  CHECK_FALSE(kit.heap.remove_external(most));
  REQUIRE_FALSE(kit.heap.collect());
}

TEST_CASE("External: no storm of collections where the host never frees", "[gc][external]") {
  Kit kit(exact_options());
  for (int i = 0; i < 10'000; ++i) {
    REQUIRE_FALSE(kit.heap.add_external(kMiB));
    REQUIRE(kit.heap.allocate(kit.node) != nullptr);
  }
  // Each time the sum has doubled.
  CHECK(kit.heap.stats().collections > 5);
  CHECK(kit.heap.stats().collections < 20);
}

TEST_CASE(
    "External: a collection that is abandoned takes note of them, and is not tried at once again",
    "[gc][external][recovery]") {
  Kit kit(exact_options());
  bool gives_up = true;
  const RootRegistration roots = kit.heap.add_roots(
      [](void* user, Tracer& tracer) {
        if (*static_cast<bool*>(user)) tracer.abandon();
      },
      &gives_up, "gives up");
  REQUIRE_FALSE(kit.heap.add_external(100 * kMiB));
  for (int i = 0; i < 1000; ++i) REQUIRE(kit.heap.allocate(kit.node) != nullptr);
  CHECK(kit.heap.stats().abandoned == 1);
  CHECK(kit.heap.last_collection().cause == Cause::external);
  CHECK(kit.heap.last_collection().external == 100 * kMiB);
  // As much again, and it is due again.
  gives_up = false;
  REQUIRE_FALSE(kit.heap.add_external(100 * kMiB));
  for (int i = 0; i < 1000; ++i) REQUIRE(kit.heap.allocate(kit.node) != nullptr);
  CHECK(kit.heap.stats().collections == 2);
  CHECK_FALSE(kit.heap.last_collection().abandoned);
}

TEST_CASE("External: bytes that finalizers take away put the next collection off no further",
          "[gc][external][finalizers]") {
  struct Host {
    Heap* heap;
    std::uint64_t held = 0;
  };
  for (const bool generational : {false, true}) {
    HeapOptions options = exact_options();
    options.generational = generational;
    Kit kit(options);
    Host host{&kit.heap};
    Guardian guardian(
        kit.heap,
        [](void* user, Heap&, void*) {
          auto& h = *static_cast<Host*>(user);
          REQUIRE_FALSE(h.heap->remove_external(kMiB));
          h.held -= kMiB;
        },
        &host);
    std::uint64_t peak = 0;
    for (int i = 0; i < 2000; ++i) {
      Node* owner = kit.heap.allocate(kit.node);
      REQUIRE(owner != nullptr);
      REQUIRE_FALSE(guardian.guard(owner));
      REQUIRE_FALSE(kit.heap.add_external(kMiB));
      peak = std::max(peak, host.held += kMiB);
      REQUIRE(kit.heap.run_finalizers());
    }
    // Counted from what each collection found before them, it would have doubled each time.
    CHECK(peak <= 16 * kMiB);
    CHECK(kit.heap.stats().collections < 1000);
  }
}

TEST_CASE("External: what is due waits for no minor collection", "[gc][external][generational]") {
  for (const std::uint32_t every : {0u, 1u}) {
    for (int collections = 1; collections <= 4; ++collections) {
      HeapOptions options = exact_options();
      options.generational = true;
      options.zeal.collect_every = every;
      Kit kit(options);
      for (int i = 0; i < collections; ++i) REQUIRE_FALSE(kit.heap.collect());
      REQUIRE_FALSE(kit.heap.add_external(100 * kMiB));
      REQUIRE(kit.heap.allocate(kit.node) != nullptr);
      CHECK(kit.heap.stats().collections == static_cast<std::uint64_t>(collections) + 1);
      CHECK_FALSE(kit.heap.last_collection().minor);
    }
  }
}

TEST_CASE("External: the same run collects at the same places", "[gc][external]") {
  const auto run = [] {
    Kit kit(exact_options());
    std::vector<std::uint64_t> at;
    for (std::uint64_t i = 0; i < 2000; ++i) {
      REQUIRE_FALSE(kit.heap.add_external(i * 100));
      if (i % 3 == 0) REQUIRE_FALSE(kit.heap.remove_external(i * 50));
      REQUIRE(kit.heap.allocate(kit.block) != nullptr);
      at.push_back(kit.heap.stats().collections);
    }
    return at;
  };
  const std::vector<std::uint64_t> first = run();
  CHECK(first.back() > 2);
  CHECK(first == run());
}

TEST_CASE("External: it waits where collections are forbidden, and stays over a reset",
          "[gc][external]") {
  Kit kit(exact_options());
  {
    const NoCollectScope scope(kit.heap);
    REQUIRE_FALSE(kit.heap.add_external(100 * kMiB));
    REQUIRE(kit.heap.allocate(kit.node) != nullptr);
    CHECK(kit.heap.stats().collections == 0);
  }
  REQUIRE(kit.heap.allocate(kit.node) != nullptr);
  CHECK(kit.heap.last_collection().cause == Cause::external);
  REQUIRE_FALSE(kit.heap.reset());
  CHECK(kit.heap.stats().external == 100 * kMiB);
  CHECK_FALSE(kit.heap.remove_external(100 * kMiB));
}

}  // namespace besom::test
