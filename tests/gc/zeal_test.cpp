/// Collecting at every Nth allocation, verifying around each collection, poisoning what is freed.

#include <csetjmp>
#include <cstdio>
#include <string>
#include <vector>

#include "freelist/free_list.hpp"
#include "heap/poison.hpp"
#include "inspect/free_list_of.hpp"
#include "tests/gc/weak_kit.hpp"

namespace besom::test {
namespace {

HeapOptions zeal_options(const Zeal& zeal, std::uint64_t heap_max = 4 * kMiB) {
  HeapOptions options = exact_options(heap_max);
  options.zeal = zeal;
  return options;
}

/// Whether the memory of an object that is gone shows it.
bool is_poisoned(const void* address, std::size_t bytes) {
#if BESOM_HAS_ASAN
  return __asan_region_is_poisoned(const_cast<void*>(address), bytes) != nullptr;
#else
  for (std::size_t i = 0; i < bytes; ++i) {
    if (static_cast<const unsigned char*>(address)[i] != detail::kPoisonByte) return false;
  }
  return true;
#endif
}

}  // namespace

namespace {

/// Six times 7000 are TRUST's 40,000, in one build.
constexpr std::uint64_t kCollections = Zeal::kBuiltIn ? 300 : kUnderSanitizer ? 1000 : 7000;

}  // namespace

TEST_CASE("Zeal: a program of good will runs at every N", "[gc][zeal]") {
  std::uint64_t collections = 0;
  Random random = random_for("Zeal: every N");
  for (const std::uint32_t every : {1u, 2u, 3u, 7u, 64u, random.between(2, 200)}) {
    INFO("every " << every);
    Kit kit(zeal_options(Zeal::every(every)));
    Handle<RefArray<Node>> live = kit.heap.make(kit.refs, 50);
    std::uint64_t allocations = 1;
    while (allocations < kCollections * every) {
      const std::uint32_t at = random.below(50);
      Node* node = kit.heap.allocate(kit.node);
      REQUIRE(node != nullptr);
      REQUIRE(node->left.ref() == Ref<Node>());
      ++allocations;
      node->left = (*live)[at];
      (*live)[at] = node;
      if (random.chance(30)) (*live)[random.below(50)] = nullptr;
      if (random.chance(10)) {
        Handle<ByteArray> bytes = kit.heap.make(kit.bytes, random.below(1000));
        REQUIRE(bytes);
        ++allocations;
        if (bytes->length() != 0) REQUIRE((*bytes)[bytes->length() - 1] == 0);
      }
      // Keeps chains short.
      if (random.chance(2) && (*live)[at]) (*live)[at]->left = nullptr;
    }
    CHECK(kit.heap.stats().collections == allocations / every);
    CHECK(verify(kit.heap).ok());
    collections += kit.heap.stats().collections;
  }
  std::fprintf(stderr, "collections under zeal: %llu\n",
               static_cast<unsigned long long>(collections));
}

TEST_CASE("Zeal: freed memory shows it", "[gc][zeal]") {
  Kit kit(zeal_options({0, false, true}));
  Handle<Block> block = kit.heap.make(kit.block);
  Handle<Node> kept = kit.make_node();
  const void* address = block.get();
  CHECK_FALSE(is_poisoned(address, 8));
  block.reset();
  CHECK(kit.survivors() == 1);
  CHECK(is_poisoned(address, sizeof(Block)));
  CHECK_FALSE(is_poisoned(kept.get(), 8));
  // Handed out again it is zero and accessible.
  while (kit.heap.object_start(address) == nullptr) {
    REQUIRE(kit.heap.allocate(kit.block) != nullptr);
  }
  CHECK_FALSE(is_poisoned(address, 8));
}

TEST_CASE("Zeal: a stale pointer's read is caught", "[gc][zeal][misuse]") {
  Kit kit(zeal_options({0, false, true}));
  Node* stale = kit.heap.allocate(kit.node);
  CHECK(kit.survivors() == 0);
#if BESOM_HAS_ASAN
  const Death death = death_of([&] {
    volatile std::uint32_t sink = stale->left.ref().index();
    static_cast<void>(sink);
  });
  CHECK(death.says("use-after-poison"));
#else
  // As a ref the poison is refused.
  CHECK_FALSE(kit.lives(stale->left.ref()));
#endif
}

namespace {

HeapOptions generational_zeal(const Zeal& zeal, std::uint64_t heap_max = 4 * kMiB) {
  HeapOptions options = zeal_options(zeal, heap_max);
  options.generational = true;
  return options;
}

}  // namespace

TEST_CASE("Zeal: the allocation that frees an object gets other memory", "[gc][zeal][quarantine]") {
  for (const bool generational : {false, true}) {
    for (const std::uint32_t every : {1u, 3u}) {
      HeapOptions options = zeal_options(Zeal::every(every));
      options.generational = generational;
      Kit kit(options);
      for (int i = 0; i < 2000; ++i) {
        Node* lost = kit.heap.allocate(kit.node);
        const std::uint32_t index = Kit::ref_of(lost).index();
        const std::uint64_t before = kit.heap.stats().freed_objects;
        while (kit.lives(Ref<Node>(index))) {
          const Node* next = kit.heap.allocate(kit.node);
          REQUIRE(Kit::ref_of(next).index() != index);
        }
        CHECK(kit.heap.stats().freed_objects > before);
        CHECK(is_poisoned(lost, sizeof(Node)));
      }
      CHECK(verify(kit.heap).ok());
    }
  }
}

TEST_CASE("Zeal: what was freed comes back when as much as the quarantine holds was freed after it",
          "[gc][zeal][quarantine]") {
  constexpr std::uint64_t kHeld = 4096;
  for (const bool generational : {false, true}) {
    std::uint64_t minor = 0;
    for (std::uint32_t first = 0; first < 4; ++first) {
      HeapOptions options = zeal_options({1, false, true, kHeld});
      options.generational = generational;
      Kit kit(options);
      for (std::uint32_t i = 0; i < first; ++i) static_cast<void>(kit.heap.allocate(kit.node));
      const Ref<Node> ref = Kit::ref_of(kit.heap.allocate(kit.node));
      std::uint64_t freed_when_dead = 0;
      const Node* again = nullptr;
      while (Kit::ref_of(again) != ref) {
        again = kit.heap.allocate(kit.node);
        if (freed_when_dead == 0 && !kit.lives(ref)) {
          freed_when_dead = kit.heap.stats().freed_bytes;
        }
      }
      const std::uint64_t after = kit.heap.stats().freed_bytes - freed_when_dead;
      CHECK(after >= kHeld);
      CHECK(after < 2 * kHeld);
      // There it is an object like any other: whole, new, and gone when it is lost.
      CHECK(kit.lives(ref));
      CHECK(kit.heap.object_start(again) == &again->header);
      static_cast<void>(kit.heap.allocate(kit.node));
      CHECK_FALSE(kit.lives(ref));
      minor += kit.heap.last_collection().minor ? 1 : 0;
    }
    CHECK((minor != 0) == generational);
  }
}

TEST_CASE("Zeal: what is in quarantine is no object, and counts as free",
          "[gc][zeal][quarantine]") {
  for (const bool generational : {false, true}) {
    for (const bool poison : {false, true}) {
      HeapOptions options = zeal_options({0, true, poison, 64 << 10});
      options.generational = generational;
      Kit kit(options);
      const Handle<Node> kept = kit.make_node();
      Handle<Block> block = kit.heap.make(kit.block);
      const Handle<Node> above = kit.make_node();
      const Ref<Block> stale = block.ref();
      const void* address = block.get();
      block.reset();
      REQUIRE(kit.survivors() == 2);
      CHECK_FALSE(kit.lives(stale));
      CHECK(kit.heap.object_start(address) == nullptr);
      CHECK(path_to_root(kit.heap, Ref<void>(stale)).error().code == Errc::bad_ref);
      CHECK(kit.heap.stats().used == 2 * sizeof(Node));
      CHECK(kit.heap.last_collection().live_bytes == 2 * sizeof(Node));
      CHECK(verify(kit.heap).objects == 2);
      CHECK(census(kit.heap)->objects() == 2);
      std::uint64_t free_bytes = 0;
      REQUIRE_FALSE(each_hole(
          kit.heap,
          [](void* sum, Run hole) { *static_cast<std::uint64_t*>(sum) += hole.size_bytes; },
          &free_bytes));
      CHECK(free_bytes == kit.heap.stats().capacity - 16 - 2 * sizeof(Node));
      // A ref to it is a bad one to all that look.
      forge(&kept->left, stale.index());
      const VerifyReport report = verify(kit.heap);
      REQUIRE(report.defects.size() == 1);
      CHECK(report.defects[0].kind == Defect::Kind::bad_ref);
      CHECK(report.defects[0].target == stale.index());
      forge(&kept->left, 0);
      // It stays one over collections of all kinds.
      for (int i = 0; i < 20; ++i) REQUIRE(kit.survivors() == 2);
      REQUIRE_FALSE(kit.heap.reset());
      CHECK(verify(kit.heap).objects == 0);
      CHECK(kit.survivors() == 0);
      CHECK(detail::free_list_of(kit.heap).num_free_blocks() == 1);
    }
  }
}

TEST_CASE("Zeal: a collection without verification counts refs to quarantined memory as bad",
          "[gc][zeal][quarantine]") {
  // Poison would end the process where ASan watches.
  Kit kit(zeal_options({0, false, !BESOM_HAS_ASAN, 64 << 10}));
  const Handle<Node> kept = kit.make_node();
  const Ref<Node> stale = Kit::ref_of(kit.heap.allocate(kit.node));
  REQUIRE(kit.survivors() == 1);
  forge(&kept->left, stale.index());
  REQUIRE_FALSE(kit.heap.collect());
  CHECK(kit.heap.last_collection().bad_refs == 1);
  CHECK(kit.heap.last_collection().live_objects == 1);
}

TEST_CASE("Zeal: the quarantine is given up before the heap is full", "[gc][zeal][quarantine]") {
  std::uint64_t fitting[2] = {};
  for (const std::uint64_t held : {std::uint64_t{0}, kMiB}) {
    Kit kit(zeal_options({0, false, true, held}, 256 * kKiB));
    for (int round = 0; round < 3; ++round) {
      std::uint64_t count = 0;
      Handle<Node> list(kit.heap, nullptr);
      while (Node* node = kit.heap.allocate(kit.node)) {
        node->left = list.get();
        list.set(node);
        ++count;
      }
      CHECK(kit.heap.error().code == Errc::heap_limit);
      CHECK(count >= 256 * kKiB / 16 - 2);
      fitting[held != 0 ? 1 : 0] += count;
      CHECK(verify(kit.heap).ok());
    }
  }
  CHECK(fitting[0] == fitting[1]);
}

TEST_CASE("Zeal: what gives a collection up leaves the quarantine as it was",
          "[gc][zeal][quarantine]") {
  for (const bool generational : {false, true}) {
    HeapOptions options = zeal_options({0, false, true, 64 << 10});
    options.generational = generational;
    Kit kit(options);
    bool give_up = false;
    const RootRegistration roots = kit.heap.add_roots(
        [](void* user, Tracer& tracer) {
          if (*static_cast<bool*>(user)) tracer.abandon();
        },
        &give_up, "giving up");
    const Handle<Node> kept = kit.make_node();
    const Ref<Node> stale = Kit::ref_of(kit.heap.allocate(kit.node));
    REQUIRE(kit.survivors() == 1);
    give_up = true;
    CHECK(kit.heap.collect().code == Errc::abandoned);
    give_up = false;
    CHECK_FALSE(kit.lives(stale));
    CHECK(verify(kit.heap).objects == 1);
    CHECK(kit.survivors() == 1);
    CHECK(verify(kit.heap).ok());
  }
}

namespace {

std::jmp_buf landing;

[[gnu::noinline]] void jump_out_of_a_walk(Heap& heap) {
  if (setjmp(landing) != 0) return;
  static_cast<void>(each_object(
      heap, [](void*, const ObjectView&) { std::longjmp(landing, 1); }, nullptr));
  FAIL("no jump");
}

}  // namespace

TEST_CASE("Zeal: a walk that is jumped out of leaves the heap as it was",
          "[gc][zeal][quarantine]") {
  for (const std::uint64_t held : {0, 64 << 10}) {
    Kit kit(zeal_options({0, false, false, held}));
    const Handle<Node> kept = kit.make_node();
    static_cast<void>(kit.heap.allocate(kit.node));
    REQUIRE(kit.survivors() == 1);
    static_cast<void>(kit.heap.allocate(kit.block));  // and its window stays open
    jump_out_of_a_walk(kit.heap);
    REQUIRE_FALSE(kit.heap.recover());
    for (int i = 0; i < 3000; ++i) REQUIRE(kit.heap.allocate(kit.block) != nullptr);
    CHECK(verify(kit.heap).ok());
    CHECK(kit.survivors() == 1);
  }
}

TEST_CASE("Zeal: an object is gone at the allocation after which it is promised no longer",
          "[gc][zeal][newest]") {
  for (const bool generational : {false, true}) {
    HeapOptions options = zeal_options(Zeal::every(1));
    options.generational = generational;
    Kit kit(options);
    for (int i = 0; i < 10; ++i) {
      Pair* first = kit.heap.allocate(kit.pair);
      first->head = Value::integer(i);
      CHECK(kit.lives(Kit::ref_of(first)));
      const Pair* second = kit.heap.allocate(kit.pair);
      CHECK_FALSE(kit.lives(Kit::ref_of(first)));
      CHECK(kit.lives(Kit::ref_of(second)));
    }
  }
}

TEST_CASE("Zeal: an object that is lost and then stored is named at the next allocation",
          "[gc][zeal][newest][misuse]") {
  MisuseTable table("objects lost between allocations");
  for (const bool generational : {false, true}) {
    HeapOptions options = zeal_options(Zeal::every(1));
    options.generational = generational;
    const auto lose = [&](bool between) {
      Kit kit(options);
      const Pair* lost = kit.heap.allocate(kit.pair);
      Handle<Pair> other;
      if (between) other = kit.heap.make(kit.pair);
      const Handle<Pair> kept(kit.heap, kit.heap.allocate(kit.pair), "kept");
      kept->head = Kit::ref_of(lost);
      for (int i = 0; i < 3; ++i) static_cast<void>(kit.heap.allocate(kit.pair));
    };
    for (const bool between : {false, true}) {
      CHECK_ABORTS(lose(between), "bad_ref: Pair 0x");
      table.row();
      CHECK_ABORTS(lose(between), " head (at +8) holds 0x10: no object starts there");
      table.row();
    }
  }
}

TEST_CASE("Zeal: a store past the barrier is named before the next collection, minor or full",
          "[gc][zeal][stores][misuse]") {
  MisuseTable table("stores past the barrier");
  for (const std::uint32_t every : {1u, 2u, 3u, 4u, 5u, 7u}) {
    for (std::uint32_t rounds = 0; rounds < 5; ++rounds) {
      INFO("alloc:" << every << ", after " << rounds << " rounds");
      const auto store = [&](bool is_rooted) {
        Kit kit(generational_zeal(Zeal::every(every)));
        const Handle<Node> old = kit.make_node();
        const std::uint64_t wanted = kit.heap.stats().collections + rounds + 1;
        while (kit.heap.stats().collections < wanted) {
          static_cast<void>(kit.heap.allocate(kit.node));
        }
        Node* young = kit.heap.allocate(kit.node);
        const Handle<Node> other(kit.heap, is_rooted ? young : nullptr);
        forge(&old->right, Kit::ref_of(young).index());
        for (std::uint32_t i = 0; i < every; ++i) static_cast<void>(kit.heap.allocate(kit.node));
      };
      // Also where something else keeps the young one, for the next time it might not.
      for (const bool is_rooted : {false, true}) {
        CHECK_ABORTS(store(is_rooted),
                     "missed_store: Node 0x10 right (at +12) holds young Node 0x");
        table.row();
      }
    }
  }
}

TEST_CASE("Zeal: stores are held against cards in arrays, callbacks and weak slots",
          "[gc][zeal][stores][misuse]") {
  MisuseTable table("stores past the barrier, by place");
  struct Traced {
    Header header;
    std::uint32_t next;
    std::uint32_t unused;
  };
  const auto run = [](int place, bool is_noted) {
    Kit kit(generational_zeal(Zeal::every(1)));
    const Type<WeakBox> box = kit.defined<WeakBox>();
    const Result<TypeId> traced =
        kit.heap.define({.name = "Traced",
                         .size = sizeof(Traced),
                         .trace = [](const void* object, std::uint32_t, Tracer& tracer) {
                           tracer.visit(static_cast<const Traced*>(object)->next);
                         }});
    REQUIRE(traced);
    const Handle<RefArray<Node>> array = kit.heap.make(kit.refs, 1000);
    const Handle<WeakBox> weak = kit.heap.make(box);
    const Handle<Header> called(kit.heap, static_cast<Header*>(kit.heap.allocate(*traced)));
    for (int i = 0; i < 3; ++i) static_cast<void>(kit.heap.allocate(kit.node));
    const Handle<Node> young = kit.make_node();
    void* slots[] = {&(*array)[999], &weak->target, &reinterpret_cast<Traced*>(called.get())->next};
    forge(slots[place], young.ref().index());
    if (is_noted) note_store(slots[place]);
    for (int i = 0; i < 8; ++i) static_cast<void>(kit.heap.allocate(kit.node));
  };
  constexpr const char* kNamed[] = {" 999 (at +4004) holds young Node 0x",
                                    " target (at +8) holds young Node 0x",
                                    " callback (at +0) holds young Node 0x"};
  for (int place = 0; place < 3; ++place) {
    CHECK_ABORTS(run(place, false), kNamed[place]);
    table.row();
    run(place, true);
  }
}

TEST_CASE("Zeal: memory of a destroyed heap is no longer poisoned", "[gc][zeal]") {
  // The next heap is likely to lie where the last one did.
  for (int i = 0; i < 5; ++i) {
    {
      Kit kit(zeal_options({1, false, true}));
      for (int k = 0; k < 1000; ++k) static_cast<void>(kit.heap.allocate(kit.block));
      REQUIRE_FALSE(kit.heap.collect());
    }
    Kit kit(exact_options(4 * kMiB));
    for (int k = 0; k < 1000; ++k) {
      Block* block = kit.heap.allocate(kit.block);
      REQUIRE_FALSE(is_poisoned(block, sizeof(Block)));
      block->bytes[51] = 1;
    }
  }
}

TEST_CASE("Zeal: a reset leaves nothing poisoned that is handed out", "[gc][zeal]") {
  Kit kit(zeal_options(Zeal::every(3)));
  for (int i = 0; i < 3; ++i) {
    for (int k = 0; k < 1000; ++k) static_cast<void>(kit.heap.allocate(kit.block));
    REQUIRE_FALSE(kit.heap.reset());
    for (int k = 0; k < 1000; ++k) {
      Block* block = kit.heap.allocate(kit.block);
      REQUIRE(block->bytes[0] == 0);
      block->bytes[51] = 1;
    }
  }
}

TEST_CASE("Zeal: verification aborts and names both ends", "[gc][zeal][misuse]") {
  MisuseTable table("damage under zeal");
  Kit kit(zeal_options({0, true, false}));
  Handle<Node> holder = kit.make_node();
  char text[64];
  forge(&holder->right, 0xabc0);
  std::snprintf(text, sizeof text, "Node 0x%x right (at +12) holds 0xabc0", holder.ref().index());
  CHECK_ABORTS(kit.heap.collect(), text);
  table.row();
  CHECK_ABORTS(kit.heap.collect(), "before collection 1");
  table.row();
  CHECK_ABORTS(kit.heap.collect(), "zeal found the heap damaged");
  table.row();
  forge(&holder->right, 0);
  holder->header.type = 1234;
  std::snprintf(text, sizeof text, "object 0x%x claims type 1234", holder.ref().index());
  CHECK_ABORTS(kit.heap.collect(), text);
  table.row();
  holder->header.type = kit.node.id;
  std::uint32_t slot = 0x7770;
  const RootRegistration range = kit.heap.add_root_range(&slot, 1, "registers");
  CHECK_ABORTS(kit.heap.collect(), "'registers' holds 0x7770");
  table.row();
  slot = 0;
  CHECK_FALSE(kit.heap.collect());
}

TEST_CASE("Zeal: from the environment", "[gc][zeal]") {
  HeapOptions options = exact_options();
  const Result<HeapOptions> parsed = parse_options("zeal=alloc:5", options);
  REQUIRE(parsed);
  Kit kit(*parsed);
  for (int i = 0; i < 100; ++i) REQUIRE(kit.heap.allocate(kit.node) != nullptr);
  CHECK(kit.heap.options().zeal.quarantine == Zeal::kQuarantine);
  CHECK(kit.heap.stats().collections == 20);
  CHECK(kit.heap.last_collection().cause == Cause::zeal);
}

}  // namespace besom::test
