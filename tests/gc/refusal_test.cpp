/// When an allocation is refused: after a full collection and not before, after one and not many,
/// and not without the embedder being asked.

#include <algorithm>
#include <csetjmp>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "freelist/free_list.hpp"
#include "inspect/free_list_of.hpp"
#include "tests/gc/kit.hpp"
#include "tests/heap/fault_system.hpp"

namespace besom::test {
namespace {

HeapOptions mode(bool generational, std::uint64_t heap_max = kMiB) {
  HeapOptions options = exact_options(heap_max);
  options.generational = generational;
  return options;
}

/// Every way of running that has rules of its own for when to collect.
std::vector<HeapOptions> all_modes(std::uint64_t heap_max) {
  std::vector<HeapOptions> modes;
  for (const bool generational : {false, true}) {
    for (const double factor : {0.0, 1.25, 2.0}) {
      for (const std::uint32_t every : {0u, 1u, 2u, 3u, 64u}) {
        HeapOptions options = mode(generational, heap_max);
        options.growth = {factor};
        options.zeal.collect_every = every;
        modes.push_back(options);
      }
    }
  }
  return modes;
}

/// A heap that is full of a list.
struct Full : Kit {
  explicit Full(const HeapOptions& options = mode(false)) : Kit(options), list(heap, nullptr) {
    refill();
  }
  void refill() {
    while (Node* added = heap.allocate(node)) {
      added->left = list.get();
      list.set(added);
    }
    REQUIRE(heap.error().code == Errc::heap_limit);
  }
  /// Requests that are refused; how many collections they took.
  std::uint64_t refuse(int count) {
    const std::uint64_t before = heap.stats().collections;
    for (int i = 0; i < count; ++i) {
      REQUIRE(heap.allocate(node) == nullptr);
      REQUIRE(heap.error().code == Errc::heap_limit);
    }
    return heap.stats().collections - before;
  }
  Handle<Node> list;
};

}  // namespace

TEST_CASE("Refusal: where a minor collection was due, a full one comes before it",
          "[gc][refusal]") {
  for (const std::uint64_t young : {kMiB, 2 * kMiB, 4 * kMiB - 64 * kKiB, 4 * kMiB, 5 * kMiB}) {
    INFO(young);
    Kit kit(mode(true, 32 * kMiB));
    {
      const Handle<ByteArray> old = kit.heap.make(kit.bytes, 20 * kMiB);
      REQUIRE(old);
      REQUIRE_FALSE(kit.heap.collect());
    }
    for (std::uint64_t bytes = 0; bytes < young; bytes += 64 * kKiB) {
      REQUIRE(kit.heap.allocate(kit.bytes, 64 * kKiB) != nullptr);
    }
    CHECK(kit.heap.allocate(kit.bytes, 16 * kMiB) != nullptr);
  }
}

TEST_CASE("Refusal: in each mode, what is refused is refused right after a collection, too",
          "[gc][refusal]") {
  Random random = random_for("Refusal: in each mode");
  INFO("seed " << test_seed());
  constexpr std::uint32_t kSlots = 64;
  std::uint64_t refusals = 0;
  for (const HeapOptions& options : all_modes(2 * kMiB)) {
    INFO("generational " << options.generational << ", growth " << options.growth.factor
                         << ", zeal " << options.zeal.collect_every);
    Kit kit(options);
    const Handle<RefArray<Node>> live = kit.heap.make(kit.refs, kSlots);
    std::uint32_t range[8] = {};
    const RootRegistration registration = kit.heap.add_root_range(range, 8, "range");
    Handle<ByteArray> handle(kit.heap, nullptr);
    const int steps = (options.zeal.collect_every == 1 ? 400 : 1000) / (kUnderSanitizer ? 4 : 1);
    for (int i = 0; i < steps; ++i) {
      const std::uint32_t bytes = random.chance(80) ? random.below(60'000) : random.below(800'000);
      if (random.chance(1)) REQUIRE_FALSE(kit.heap.add_external(random.below(4 * kMiB)));
      const std::uint64_t before = kit.heap.stats().collections;
      ByteArray* array = kit.heap.allocate(kit.bytes, bytes);
      if (array == nullptr) {
        ++refusals;
        REQUIRE(kit.heap.error().code == Errc::heap_limit);
        REQUIRE_FALSE(kit.heap.last_collection().minor);
        std::uint64_t largest = 0;
        for (const Run hole : detail::free_list_of(kit.heap).free_blocks()) {
          largest = std::max<std::uint64_t>(largest, hole.size_bytes);
        }
        REQUIRE(largest < (bytes + sizeof(Header) + 15) / 16 * 16);
        if (random.chance(50)) {
          REQUIRE(kit.heap.allocate(kit.bytes, bytes) == nullptr);
        } else {
          REQUIRE_FALSE(kit.heap.collect());
          REQUIRE(kit.heap.allocate(kit.bytes, bytes) == nullptr);
        }
        // Under zeal a minor one comes before each full one.
        REQUIRE(kit.heap.stats().collections <= before + 5);
        // Something goes, in one of the ways in which it can.
        switch (random.below(3)) {
          case 0:
            (*live)[random.below(kSlots)] = nullptr;
            break;
          case 1:
            range[random.below(8)] = 0;
            break;
          default:
            handle.set(nullptr);
        }
        continue;
      }
      // A root for a moment: from then on it is no longer kept as the newest object.
      static_cast<void>(Handle<ByteArray>(kit.heap, array));
      switch (random.below(4)) {
        case 0:
          range[random.below(8)] = Kit::ref_of(array).index();
          break;
        case 1:
          handle.set(array);
          break;
        default:
          (*live)[random.below(kSlots)] = reinterpret_cast<Node*>(array);
      }
    }
    CHECK(verify(kit.heap).ok());
  }
  CHECK(refusals > 500);
}

TEST_CASE("Refusal: between safepoints it makes the next one a full collection", "[gc][refusal]") {
  for (const std::uint32_t every : {0u, 2u}) {
    HeapOptions options = mode(true, 16 * kMiB);
    options.safepoints = true;
    options.zeal.collect_every = every;
    Kit kit(options);
    Handle<ByteArray> old = kit.heap.make(kit.bytes, 10 * kMiB);
    REQUIRE_FALSE(kit.heap.collect());
    old.reset();
    // The next is due among the young: a nursery's worth of them.
    for (std::uint64_t bytes = 0; bytes < 5 * kMiB; bytes += 64 * kKiB) {
      REQUIRE(kit.heap.allocate(kit.bytes, 64 * kKiB) != nullptr);
    }
    const std::uint64_t before = kit.heap.stats().collections;
    REQUIRE(kit.heap.allocate(kit.bytes, 10 * kMiB) == nullptr);
    CHECK(kit.heap.error().message().find("no collection is allowed") != std::string::npos);
    CHECK(kit.heap.stats().collections == before);
    REQUIRE_FALSE(kit.heap.safepoint());
    CHECK_FALSE(kit.heap.last_collection().minor);
    CHECK(kit.heap.allocate(kit.bytes, 10 * kMiB) != nullptr);
  }
}

TEST_CASE("Refusal: what a scope without collections put off stays due until a full one comes",
          "[gc][refusal]") {
  for (const std::uint32_t every : {0u, 3u}) {
    HeapOptions options = mode(true, 16 * kMiB);
    options.zeal.collect_every = every;
    Kit kit(options);
    // The first is always full, and one in four under zeal.
    while (kit.heap.stats().collections % 4 != 1) REQUIRE_FALSE(kit.heap.collect());
    {
      const NoCollectScope scope(kit.heap);
      while (kit.heap.allocate(kit.block) != nullptr) {
      }
    }
    REQUIRE(kit.heap.allocate(kit.block) != nullptr);
    CHECK_FALSE(kit.heap.last_collection().minor);
  }
}

TEST_CASE("Refusal: where no collection is allowed, windows of other sizes are emptied first",
          "[gc][refusal]") {
  for (const bool generational : {false, true}) {
    for (const bool safepoints : {false, true}) {
      HeapOptions options = mode(generational, 256 * kKiB);
      options.heap_initial = options.heap_max;
      options.safepoints = safepoints;
      Kit kit(options);
      std::optional<NoCollectScope> scope;
      if (!safepoints) scope.emplace(kit.heap);
      // One object of each of thirty sizes opens as many windows.
      std::uint64_t bytes = 0;
      for (std::uint32_t size = 16; size <= 480; size += 16, bytes += size) {
        REQUIRE(kit.heap.allocate(kit.bytes, size - 8) != nullptr);
      }
      for (; kit.heap.allocate(kit.node) != nullptr; bytes += sizeof(Node)) {
      }
      CHECK(kit.heap.error().code == Errc::heap_limit);
      CHECK(bytes + 2 * kKiB > 256 * kKiB);
      CHECK(kit.heap.stats().collections == 0);
    }
  }
}

TEST_CASE("Refusal: where nothing changed, the next are refused without a collection",
          "[gc][refusal]") {
  for (const bool generational : {false, true}) {
    Full full(mode(generational));
    CHECK(full.refuse(20) == 0);
    // Whatever the size.
    const std::uint64_t before = full.heap.stats().collections;
    CHECK(full.heap.allocate(full.block) == nullptr);
    CHECK(full.heap.error().bytes == sizeof(Block));
    CHECK(full.heap.allocate(full.bytes, kMiB / 2) == nullptr);
    CHECK(full.heap.stats().collections == before);
    CHECK(verify(full.heap).ok());
  }
}

TEST_CASE("Refusal: a heap of small holes refuses what is larger at once, and fills the holes",
          "[gc][refusal]") {
  for (const bool generational : {false, true}) {
    Full full(mode(generational));
    // Every second node goes: half of the heap is free, a granule at a time.
    for (Node* at = full.list.get(); at != nullptr && at->left; at = at->left.get()) {
      at->left = at->left.get()->left.get();
    }
    REQUIRE(full.heap.allocate(full.block) == nullptr);
    CHECK(full.heap.error().message().find("smaller holes") != std::string::npos);
    CHECK(full.heap.error().used == full.heap.last_collection().live_bytes);
    const std::uint64_t before = full.heap.stats().collections;
    for (int i = 0; i < 20; ++i) REQUIRE(full.heap.allocate(full.block) == nullptr);
    CHECK(full.heap.stats().collections == before);
    CHECK(full.heap.allocate(full.node) != nullptr);
    // Something was allocated, and might have died.
    CHECK(full.heap.allocate(full.block) == nullptr);
    CHECK(full.heap.stats().collections == before + 1);
  }
}

TEST_CASE("Refusal: whatever is dropped after it, the next request is served", "[gc][refusal]") {
  for (const bool generational : {false, true}) {
    INFO("generational " << generational);
    struct Scene {
      explicit Scene(bool is_generational) : kit(mode(is_generational)) {
        holder = kit.make_node();
        holder->left = kit.heap.allocate(kit.node);
        handle = kit.make_node();
        slots[1] = Kit::ref_of(kit.heap.allocate(kit.node)).index();
        range = kit.heap.add_root_range(slots, 2, "range");
        second_slot = Kit::ref_of(kit.heap.allocate(kit.node)).index();
        second_range = kit.heap.add_root_range(&second_slot, 1, "second range");
        named = Kit::ref_of(kit.heap.allocate(kit.node)).index();
        callback = kit.heap.add_roots(
            [](void* user, Tracer& tracer) { tracer.visit(*static_cast<std::uint32_t*>(user)); },
            &named, "callback");
        guardian.emplace(kit.heap);
        REQUIRE_FALSE(guardian->guard(kit.heap.allocate(kit.node)));
        REQUIRE_FALSE(kit.heap.collect());
        REQUIRE(guardian->ready() == 1);
        agent_of_guardian.emplace(kit.heap);
        const Handle<Node> agent = kit.make_node();
        REQUIRE_FALSE(agent_of_guardian->guard(holder.get(), agent.get()));
        mark = kit.heap.mark_locals();
        static_cast<void>(kit.heap.local(kit.heap.allocate(kit.node)));
        list = Handle<Node>(kit.heap, nullptr);
        while (Node* added = kit.heap.allocate(kit.node)) {
          added->left = list.get();
          list.set(added);
        }
      }
      Kit kit;
      Handle<Node> holder, handle, list;
      std::uint32_t slots[2] = {};
      std::uint32_t second_slot = 0;
      std::uint32_t named = 0;
      RootRegistration range, second_range, callback;
      std::optional<Guardian> guardian, agent_of_guardian;
      LocalMark mark;
    };
    struct Drop {
      const char* name;
      void (*drop)(Scene& scene);
    };
    constexpr Drop kDrops[] = {
        {"a handle", [](Scene& s) { s.handle.reset(); }},
        {"what a handle rooted", [](Scene& s) { s.handle.set(s.holder.get()); }},
        {"the head of a list", [](Scene& s) { s.list.set(s.list->left.get()); }},
        {"a slot of a range", [](Scene& s) { s.slots[1] = 0; }},
        {"a range", [](Scene& s) { REQUIRE_FALSE(s.second_range.remove()); }},
        {"what a callback named", [](Scene& s) { s.named = 0; }},
        {"a callback", [](Scene& s) { REQUIRE_FALSE(s.callback.remove()); }},
        {"a field of a live object", [](Scene& s) { s.holder->left = nullptr; }},
        {"a local", [](Scene& s) { REQUIRE_FALSE(s.kit.heap.restore_locals(s.mark)); }},
        {"a guardian's ready agent", [](Scene& s) { REQUIRE(s.guardian->next()); }},
        {"a guardian", [](Scene& s) { s.guardian.reset(); }},
        {"a guardian with an agent that waits", [](Scene& s) { s.agent_of_guardian.reset(); }},
    };
    for (const Drop& drop : kDrops) {
      INFO(drop.name);
      Scene scene(generational);
      for (int i = 0; i < 5; ++i) REQUIRE(scene.kit.heap.allocate(scene.kit.node) == nullptr);
      const std::uint64_t before = scene.kit.heap.stats().collections;
      drop.drop(scene);
      // What next() handed out is the newest object: it goes with the one after it.
      Node* served = scene.kit.heap.allocate(scene.kit.node);
      if (served == nullptr && std::string(drop.name) == "a guardian's ready agent") {
        REQUIRE_FALSE(scene.kit.heap.collect());
        served = scene.kit.heap.allocate(scene.kit.node);
      }
      CHECK(served != nullptr);
      CHECK(scene.kit.heap.stats().collections > before);
      CHECK(verify(scene.kit.heap).ok());
    }
  }
}

TEST_CASE("Refusal: a store that nobody was told of is found out by collect(), or in time",
          "[gc][refusal]") {
  for (const bool asks : {false, true}) {
    Full full;
    forge(&full.list->left, 0);
    REQUIRE(full.heap.allocate(full.node) == nullptr);
    if (asks) REQUIRE_FALSE(full.heap.collect());
    int refused = 1;
    while (full.heap.allocate(full.node) == nullptr) REQUIRE(++refused < 100);
    CHECK(refused == (asks ? 1 : 31));
  }
}

TEST_CASE("Refusal: of many in a row fewer and fewer collect", "[gc][refusal]") {
  for (const bool generational : {false, true}) {
    Full full(mode(generational));
    CHECK(full.refuse(31) == 0);
    CHECK(full.refuse(1) == 1);
    CHECK(full.refuse(63) == 0);
    CHECK(full.refuse(1) == 1);
    CHECK(full.refuse(10'000) <= 7);
    // A change starts anew.
    full.list.set(full.list->left.get());
    full.refill();
    CHECK(full.refuse(31) == 0);
    CHECK(full.refuse(1) == 1);
  }
}

TEST_CASE("Refusal: stores after it mark no card for longer than to the next allocation",
          "[gc][refusal]") {
  Full full(mode(false, 4 * kMiB));
  Node* deep = full.list.get();
  for (int i = 0; i < 100'000; ++i) deep = deep->left.get();
  deep->left = nullptr;
  CHECK(detail::Cards(detail::base_of(full.heap)).recording());
  CHECK(full.heap.allocate(full.node) != nullptr);
  CHECK_FALSE(detail::Cards(detail::base_of(full.heap)).recording());
  CHECK(detail::Cards(detail::base_of(full.heap)).next_marked(0, 4 * kMiB / 512) == 4 * kMiB / 512);
  for (Node* at = full.list.get(); at != nullptr; at = at->left.get()) at->right = full.list.get();
  full.refill();
  CHECK(detail::Cards(detail::base_of(full.heap)).recording());
  REQUIRE_FALSE(full.heap.collect());
  CHECK_FALSE(detail::Cards(detail::base_of(full.heap)).recording());
  CHECK(verify(full.heap).ok());
}

TEST_CASE("Refusal: a collection that was abandoned does not count as one", "[gc][refusal]") {
  for (const bool generational : {false, true}) {
    Full full(mode(generational));
    bool gives_up = false;
    const RootRegistration roots = full.heap.add_roots(
        [](void* user, Tracer& tracer) {
          if (*static_cast<bool*>(user)) tracer.abandon();
        },
        &gives_up, "gives up");
    full.refuse(1);
    full.list.set(full.list->left.get());
    gives_up = true;
    for (int i = 0; i < 3; ++i) {
      const std::uint64_t before = full.heap.stats().abandoned;
      REQUIRE(full.heap.allocate(full.node) == nullptr);
      CHECK(full.heap.stats().abandoned == before + 1);
    }
    gives_up = false;
    CHECK(full.heap.allocate(full.node) != nullptr);
  }
}

TEST_CASE("Refusal: of memory by the system costs one collection too, and is tried each time",
          "[gc][refusal][faults]") {
  HeapOptions options = mode(false, 16 * kMiB);
  options.system = &FaultSystem::table();
  Kit kit(options);
  Handle<Node> list(kit.heap, nullptr);
  FaultSystem::fail(SystemCall::commit, 1, true);
  while (Node* added = kit.heap.allocate(kit.node)) {
    added->left = list.get();
    list.set(added);
  }
  const std::uint64_t before = kit.heap.stats().collections;
  for (int i = 0; i < 20; ++i) {
    REQUIRE(kit.heap.allocate(kit.node) == nullptr);
    REQUIRE(kit.heap.error().code == Errc::commit_failed);
  }
  CHECK(kit.heap.stats().collections == before);
  FaultSystem::lift();
  CHECK(kit.heap.allocate(kit.node) != nullptr);
}

TEST_CASE("Refusal: the error says what was needed and how much is taken", "[gc][refusal]") {
  Full full;
  CHECK(full.heap.error().message() ==
        "heap_limit: 16 bytes needed, 1048560 of 1048576 bytes in use (heap_max)");
  Kit kit(mode(false));
  CHECK(kit.heap.allocate(kit.bytes, kMiB - 8) == nullptr);
  CHECK(kit.heap.error().code == Errc::object_too_large);
  CHECK(kit.heap.error().message().find("1048576 bytes needed, limit is 1048560 bytes") !=
        std::string::npos);
  const Handle<ByteArray> most = kit.heap.make(kit.bytes, kMiB - 16 - 8);
  REQUIRE(most);
  CHECK(kit.heap.allocate(kit.node) == nullptr);
  CHECK(kit.heap.error().used == kMiB - 16);
}

namespace {

/// What the next call of the callback does.
struct Advisor {
  int calls = 0;
  Error refusal;
  bool again = true;
  void (*act)(Advisor& advisor, Heap& heap) = nullptr;
  Handle<Node>* drops = nullptr;
  Kit* kit = nullptr;
  std::jmp_buf landing;

  static bool ask(void* user, Heap& heap, const Error& refusal) {
    auto& advisor = *static_cast<Advisor*>(user);
    ++advisor.calls;
    advisor.refusal = refusal;
    if (advisor.act != nullptr) advisor.act(advisor, heap);
    return advisor.again;
  }
  HeapOptions options(bool generational = false) {
    HeapOptions result = mode(generational);
    result.near_limit = ask;
    result.near_limit_user = this;
    return result;
  }
};

}  // namespace

TEST_CASE("Near limit: the embedder is asked once, drops something, and the request is served",
          "[gc][refusal]") {
  for (const bool generational : {false, true}) {
    Advisor advisor;
    Kit kit(advisor.options(generational));
    Handle<Node> cache = kit.make_node();
    for (int i = 0; i < 1000; ++i) {
      Node* added = kit.heap.allocate(kit.node);
      added->left = cache.get();
      cache.set(added);
    }
    advisor.drops = &cache;
    advisor.act = [](Advisor& a, Heap& heap) {
      CHECK_FALSE(heap.last_collection().minor);
      a.drops->set(nullptr);
    };
    Handle<Node> list(kit.heap, nullptr);
    std::uint64_t count = 0;
    while (advisor.calls == 0) {
      Node* added = kit.heap.allocate(kit.node);
      REQUIRE(added != nullptr);
      added->left = list.get();
      list.set(added);
      ++count;
    }
    CHECK(advisor.calls == 1);
    CHECK(advisor.refusal.code == Errc::heap_limit);
    CHECK(advisor.refusal.bytes == sizeof(Node));
    CHECK(advisor.refusal.used == kMiB - 16);
    CHECK(count == kMiB / 16 - 1 - 1001 + 1);
    CHECK(verify(kit.heap).ok());
  }
}

TEST_CASE("Near limit: an embedder who drops nothing is asked at each refusal", "[gc][refusal]") {
  for (const bool again : {false, true}) {
    Advisor advisor;
    advisor.again = again;
    Full full(advisor.options());
    CHECK(advisor.calls == 1);
    const std::uint64_t before = full.heap.stats().collections;
    for (int i = 0; i < 5; ++i) REQUIRE(full.heap.allocate(full.node) == nullptr);
    CHECK(advisor.calls == 6);
    CHECK(full.heap.stats().collections == before + (again ? 5 : 0));
  }
}

TEST_CASE("Near limit: what it drops while it says no is found at the next request",
          "[gc][refusal]") {
  Advisor advisor;
  advisor.again = false;
  Full full(advisor.options());
  advisor.drops = &full.list;
  advisor.act = [](Advisor& a, Heap&) { a.drops->set((*a.drops)->left.get()); };
  REQUIRE(full.heap.allocate(full.node) == nullptr);
  CHECK(full.heap.allocate(full.node) != nullptr);
}

TEST_CASE("Near limit: nobody is asked where allocation may not collect", "[gc][refusal]") {
  Advisor advisor;
  {
    Kit kit(advisor.options());
    const NoCollectScope scope(kit.heap);
    while (kit.heap.allocate(kit.block) != nullptr) {
    }
  }
  HeapOptions options = advisor.options();
  options.safepoints = true;
  Kit kit(options);
  while (kit.heap.allocate(kit.block) != nullptr) {
  }
  CHECK(kit.heap.allocate(kit.bytes, 2 * kMiB) == nullptr);
  CHECK(advisor.calls == 0);
}

TEST_CASE("Near limit: inside, the heap works, and a refusal asks nobody", "[gc][refusal]") {
  for (const bool generational : {false, true}) {
    Advisor advisor;
    Full full(advisor.options(generational));
    advisor.calls = 0;
    advisor.kit = &full;
    advisor.drops = &full.list;
    int finalized = 0;
    Guardian guardian(
        full.heap, [](void* user, Heap&, void*) { ++*static_cast<int*>(user); }, &finalized);
    REQUIRE_FALSE(guardian.guard(full.list->left.get()));
    advisor.act = [](Advisor& a, Heap& heap) {
      // Full: refused, and nobody asked.
      CHECK(heap.allocate(a.kit->node) == nullptr);
      CHECK(heap.error().code == Errc::heap_limit);
      a.drops->set((*a.drops)->left->left.get());
      CHECK_FALSE(heap.collect());
      CHECK(heap.run_finalizers());
      CHECK(verify(heap).ok());
      const Handle<Node> made = heap.make(a.kit->node);
      CHECK(made);
      CHECK(heap.add_external(100).code == Errc::ok);
      CHECK(heap.remove_external(100).code == Errc::ok);
      CHECK(census(heap));
    };
    CHECK(full.heap.allocate(full.node) != nullptr);
    CHECK(advisor.calls == 1);
    CHECK(finalized == 1);
    CHECK(verify(full.heap).ok());
  }
}

TEST_CASE("Near limit: the callback may jump out", "[gc][refusal][recovery]") {
  Advisor advisor;
  Full full(advisor.options());
  advisor.calls = 0;
  advisor.act = [](Advisor& a, Heap&) { std::longjmp(a.landing, 1); };
  static int i = 0;
  for (i = 0; i < 3; ++i) {
    if (setjmp(advisor.landing) == 0) {
      static_cast<void>(full.heap.allocate(full.node));
      FAIL("came back");
    }
    REQUIRE_FALSE(full.heap.recover());
    CHECK(advisor.calls == i + 1);
  }
  advisor.act = nullptr;
  full.list.set(full.list->left.get());
  CHECK(full.heap.allocate(full.node) != nullptr);
  CHECK(verify(full.heap).ok());
}

TEST_CASE("Near limit: to destroy the heap or to recover from nothing aborts",
          "[gc][refusal][misuse]") {
  MisuseTable table("near_limit callbacks");
  Advisor advisor;
  Full full(advisor.options());
  advisor.act = [](Advisor&, Heap& heap) { static_cast<void>(heap.recover()); };
  CHECK_ABORTS(full.heap.allocate(full.node), "recover() called by a callback that then returned");
  table.row();
  advisor.act = [](Advisor&, Heap& heap) { delete &heap; };
  CHECK_ABORTS(full.heap.allocate(full.node), "heap destroyed by its near_limit callback");
  table.row();
  advisor.act = nullptr;
}

TEST_CASE("Refusal: the newest object is seen to go though it was the first root as well",
          "[gc][refusal]") {
  Kit kit(exact_options(64 * kKiB));
  std::uint32_t roots[2] = {};
  const RootRegistration range = kit.heap.add_root_range(roots, 2, "roots");
  REQUIRE(range);
  while (Node* node = kit.heap.allocate(kit.node)) {
    node->left = kit.heap.get(Value::from_bits(roots[1]).as_ref<Node>());
    roots[1] = Kit::ref_of(node).index();
  }
  roots[1] = kit.heap.get(Value::from_bits(roots[1]).as_ref<Node>())->left.ref().index();
  REQUIRE_FALSE(kit.heap.collect());  // one fits
  Node* newest = kit.heap.allocate(kit.node);
  REQUIRE(newest != nullptr);
  roots[0] = Kit::ref_of(newest).index();
  REQUIRE(kit.heap.allocate(kit.node) == nullptr);
  roots[0] = 0;
  { Handle<Node> passing(kit.heap, newest); }  // which is the newest no more
  CHECK(kit.heap.allocate(kit.node) != nullptr);
}

}  // namespace besom::test
