/// Collecting at every Nth allocation, verifying around each collection, poisoning what is freed.

#include <cstdio>
#include <string>
#include <vector>

#include "heap/poison.hpp"
#include "tests/gc/kit.hpp"

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

/// Six times 7000 are TRUST's 40,000.
constexpr std::uint64_t kCollections = Zeal::kBuiltIn ? 300 : 7000;

}  // namespace

TEST_CASE("Zeal: a program of good will runs at every N", "[gc][zeal]") {
  std::uint64_t collections = 0;
  Random random = random_for("Zeal: every N");
  for (const std::uint32_t every : {1u, 2u, 3u, 7u, 64u, random.between(2, 200)}) {
    INFO("every " << every);
    Kit kit(zeal_options(Zeal::every(every)));
    Handle<RefArray<Node>> live = kit.heap.make(kit.refs, 50);
    std::uint64_t allocations = 1;
    while (kit.heap.stats().collections < kCollections) {
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
    CHECK(kit.heap.verify().ok());
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
  CHECK(kit.heap.stats().collections == 20);
  CHECK(kit.heap.last_collection().cause == Cause::zeal);
}

}  // namespace besom::test
