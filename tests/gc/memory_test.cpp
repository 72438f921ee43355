/// How much of the system's memory a heap holds, its side tables included, and when it gives it
/// back.

#include <sys/mman.h>
#include <sys/resource.h>

#include <algorithm>
#include <vector>

#include "heap/space.hpp"
#include "tests/gc/kit.hpp"
#include "tests/heap/fault_system.hpp"
#include "tests/support/process.hpp"

namespace besom::test {
namespace {

/// Of the arena from its base on.
std::uint64_t resident_bytes(char* base, std::uint64_t bytes) {
  std::vector<unsigned char> pages(bytes / 4096);
  REQUIRE(mincore(base, bytes / 4096 * 4096, pages.data()) == 0);
  std::uint64_t count = 0;
  for (const unsigned char page : pages) count += page & 1;
  return count * 4096;
}

/// Sanitizers keep memory of their own for all that is touched, and do not give it back.
constexpr bool kProcessTells = !kUnderSanitizer;

double ratio(std::uint64_t bytes, std::uint64_t of) {
  return static_cast<double>(bytes) / static_cast<double>(of);
}

HeapOptions fixed_options(std::uint64_t heap_max, bool generational) {
  HeapOptions options = exact_options(heap_max);
  options.heap_initial = heap_max;
  options.growth = Growth::fixed();
  options.generational = generational;
  return options;
}

Node* tree(Kit& kit, HandleScope& scope, std::uint32_t depth) {
  Node* root = kit.heap.allocate(kit.node);
  if (root == nullptr) FAIL(kit.heap.error().message());
  if (depth == 0) return root;
  const Local<Node> kept = scope.root(root);
  for (Member<Node>* child : {&root->left, &root->right}) {
    HandleScope inner(kit.heap);
    *child = tree(kit, inner, depth - 1);
  }
  return kept.get();
}

std::uint64_t size_of_tree(const Node* root) {
  if (root == nullptr) return 0;
  return 1 + size_of_tree(root->left.get()) + size_of_tree(root->right.get());
}

/// Trees, lists and byte arrays of a MiB each, in turn, until `bytes` are used.
std::vector<Handle<Node>> structures(Kit& kit, std::uint64_t bytes) {
  std::vector<Handle<Node>> all;
  for (std::uint64_t used = 0; used + kMiB <= bytes; used += kMiB) {
    Handle<Node> root(kit.heap, nullptr);
    switch (all.size() % 3) {
      case 0: {
        HandleScope scope(kit.heap);
        root.set(tree(kit, scope, 15));
        break;
      }
      case 1:
        for (std::uint64_t i = 0; i < kMiB / 16; ++i) {
          Node* node = kit.heap.allocate(kit.node);
          if (node == nullptr) FAIL(kit.heap.error().message());
          node->left = root.get();
          root.set(node);
        }
        break;
      default: {
        ByteArray* array = kit.heap.allocate(kit.bytes, kMiB - 16);
        REQUIRE(array != nullptr);
        std::memset(array->data(), 1, array->length());
        root.set(reinterpret_cast<Node*>(array));
      }
    }
    all.push_back(std::move(root));
  }
  return all;
}

}  // namespace

TEST_CASE("Memory: a full heap with its side tables stays within 6 % of heap_max", "[gc][memory]") {
  // Built with zeal the free list walks itself time and again: a full heap takes too long.
  if (!kProcessTells || Zeal::kBuiltIn) return;
  for (const bool generational : {false, true}) {
    constexpr std::uint64_t kHeap = 64 * kMiB;
    const std::uint64_t before = process_bytes();
    Kit kit(fixed_options(kHeap, generational));
    Handle<Node> list(kit.heap, nullptr);
    // Half of it garbage, so that single granules become holes and are filled again.
    for (std::uint64_t i = 0; i < 4 * kHeap / 16; ++i) {
      Node* node = kit.heap.allocate(kit.node);
      if (node == nullptr) FAIL(kit.heap.error().message());
      if (i % 8 != 0) continue;
      node->left = list.get();
      list.set(node);
    }
    const std::uint64_t taken = process_bytes() - before;
    INFO(ratio(taken, kHeap));
    CHECK(kit.heap.stats().collections > 0);
    CHECK(taken >= kHeap * 9 / 10);
    CHECK(taken <= kHeap * 106 / 100);
  }
}

TEST_CASE("Memory: nine tenths of the structures dropped, the process is within 1.3 of live",
          "[gc][memory]") {
  for (const bool generational : {false, true}) {
    constexpr std::uint64_t kHeap = 256 * kMiB;
    const std::uint64_t before = process_bytes();
    Kit kit(fixed_options(kHeap, generational));
    std::vector<Handle<Node>> roots = structures(kit, kHeap * 9 / 10);
    char* base = detail::arena_of(roots[0].get());
    CHECK(resident_bytes(base, kHeap) >= kHeap * 8 / 10);
    for (std::size_t i = 0; i < roots.size(); ++i) {
      if (i % 10 != 0) roots[i].reset();
    }
    REQUIRE_FALSE(kit.heap.collect());
    const std::uint64_t live = kit.heap.last_collection().live_bytes;
    const std::uint64_t resident = resident_bytes(base, kHeap);
    const std::uint64_t taken = process_bytes() - before;
    INFO("arena " << ratio(resident, live) << ", process " << ratio(taken, live) << " of live");
    CHECK(kit.heap.last_collection().returned >= kHeap * 7 / 10);
    CHECK(resident <= live * 11 / 10);
    if (kProcessTells) CHECK(taken <= live * 13 / 10);
    // What was kept is whole, and what comes again is zero.
    CHECK(size_of_tree(roots[0].get()) == (1 << 16) - 1);
    CHECK(verify(kit.heap).ok());
    Handle<ByteArray> large = kit.heap.make(kit.bytes, 8 * kMiB);
    REQUIRE(large);
    std::uint64_t sum = 0;
    for (std::uint32_t i = 0; i < large->length(); i += 64) sum += large->data()[i];
    CHECK(sum == 0);
    CHECK(kit.survivors() > 0);
    CHECK(verify(kit.heap).ok());
  }
}

TEST_CASE("Memory: of survivors apart from each other, the pages without any go back",
          "[gc][memory]") {
  Kit kit(exact_options(64 * kMiB));
  Random random = random_for("scattered survivors");
  constexpr std::uint32_t kCount = 32 * kMiB / 64;
  Handle<RefArray<Node>> table = kit.heap.make(kit.refs, kCount);
  REQUIRE(table);
  for (std::uint32_t i = 0; i < kCount; ++i) {
    (*table)[i] = reinterpret_cast<Node*>(kit.heap.allocate(kit.block));
    if (!(*table)[i]) FAIL(kit.heap.error().message());
  }
  char* base = detail::arena_of(table.get());
  std::vector<bool> needed(64 * kMiB / 4096);
  const auto need = [&](const void* object, std::uint64_t bytes) {
    const std::uint32_t index = detail::index_of(object);
    for (std::uint64_t page = index / 4096; page <= (index + bytes - 1) / 4096; ++page) {
      needed[page] = true;
    }
  };
  need(table.get(), sizeof(Header) + std::uint64_t{kCount} * 4);
  for (std::uint32_t i = 0; i < kCount; ++i) {
    if (random.chance(1)) {
      need((*table)[i].get(), 64);
    } else {
      (*table)[i] = nullptr;
    }
  }
  REQUIRE_FALSE(kit.heap.collect());
  std::uint64_t bound = 0;
  for (const bool page : needed) bound += page ? 4096 : 0;
  const std::uint64_t resident = resident_bytes(base, kit.heap.stats().committed);
  INFO(resident << " resident, " << bound << " in pages with a survivor");
  // The first page holds index 0 besides.
  CHECK(resident <= bound + 4096);
  CHECK(kit.heap.last_collection().returned >= 10 * kMiB);
  CHECK(verify(kit.heap).ok());
}

TEST_CASE("Memory: a refused return changes nothing but the figure", "[gc][memory][faults]") {
  HeapOptions options = exact_options(64 * kMiB);
  options.system = &FaultSystem::table();
  FaultSystem::reset();
  Kit kit(options);
  std::vector<Handle<Node>> roots = structures(kit, 32 * kMiB);
  for (std::size_t i = 1; i < roots.size(); ++i) roots[i].reset();
  FaultSystem::fail(SystemCall::discard, 1, true);
  REQUIRE_FALSE(kit.heap.collect());
  CHECK(FaultSystem::injected() > 0);
  CHECK(kit.heap.last_collection().returned == 0);
  CHECK(size_of_tree(roots[0].get()) == (1 << 16) - 1);
  FaultSystem::lift();
  // The memory is still held, so the next one returns it.
  REQUIRE_FALSE(kit.heap.collect());
  CHECK(kit.heap.last_collection().returned >= 20 * kMiB);
  CHECK(verify(kit.heap).ok());
}

TEST_CASE("Memory: on machines with larger pages nothing alive is given back", "[gc][memory]") {
  constexpr int kRounds = kUnderSanitizer ? 300 : 600;
  for (const std::size_t page : {4 << 10, 16 << 10, 64 << 10, 2 << 20}) {
    for (const bool generational : {false, true}) {
      FaultSystem::set_page(page);
      {
        HeapOptions options = exact_options(64 * kMiB);
        options.system = &FaultSystem::table();
        options.generational = generational;
        Kit kit(options);
        Random random = random_for("larger pages");
        Handle<RefArray<ByteArray>> table = kit.heap.make(kit.defined<RefArray<ByteArray>>(), 100);
        REQUIRE(table);
        for (int round = 0; round < kRounds; ++round) {
          const std::uint32_t i = random.below(100);
          ByteArray* array = kit.heap.allocate(kit.bytes, 1 + random.below(300'000));
          if (array == nullptr) FAIL(kit.heap.error().message());
          for (std::uint32_t k = 0; k < array->length(); k += 64) REQUIRE(array->data()[k] == 0);
          std::memset(array->data(), static_cast<int>(i + 1), array->length());
          (*table)[i] = array;
          if (round % 100 == 99) REQUIRE_FALSE(kit.heap.collect());
          if (round % 100 == 50) {
            for (std::uint32_t k = random.below(100); k < 100; ++k) (*table)[k] = nullptr;
          }
        }
        for (std::uint32_t i = 0; i < 100; ++i) {
          const ByteArray* array = (*table)[i].get();
          for (std::uint32_t k = 0; array != nullptr && k < array->length(); ++k) {
            if (array->data()[k] != i + 1) FAIL("array " << i << " at " << k);
          }
        }
        CHECK(verify(kit.heap).ok());
      }
      CHECK(FaultSystem::mappings() == 0);
      FaultSystem::set_page(0);
    }
  }
}

TEST_CASE("Memory: the system takes back nothing but what it gave, tables included",
          "[gc][memory]") {
  // The calls abort for memory that they did not give.
  REQUIRE(FaultSystem::mappings() == 0);
  FaultSystem::reset();
  {
    HeapOptions options = exact_options(256 * kMiB);
    options.system = &FaultSystem::table();
    options.generational = true;
    Kit kit(options);
    std::vector<Handle<Node>> roots = structures(kit, 128 * kMiB);
    for (std::size_t i = 1; i < roots.size(); ++i) roots[i].reset();
    const std::uint64_t arena_alone = FaultSystem::calls(SystemCall::discard);
    REQUIRE_FALSE(kit.heap.collect());
    CHECK(FaultSystem::calls(SystemCall::discard) > arena_alone);
    CHECK(kit.heap.last_collection().returned >= 100 * kMiB);
    // The map, its classes, leaves, marks and their stack at least.
    CHECK(FaultSystem::mappings() >= 6);
  }
  CHECK(FaultSystem::mappings() == 0);
}

TEST_CASE("Memory: an array where all was given back is as cheap as in a fresh heap",
          "[gc][memory]") {
  for (const bool poison : {false, true}) {
    HeapOptions options = exact_options(128 * kMiB);
    options.zeal.poison = poison;
    Kit kit(options);
    ByteArray* array = kit.heap.allocate(kit.bytes, 64 * kMiB);
    REQUIRE(array != nullptr);
    std::memset(array->data(), 1, array->length());
    char* base = detail::arena_of(array);
    REQUIRE_FALSE(kit.heap.collect());
    array = kit.heap.allocate(kit.bytes, 64 * kMiB);
    REQUIRE(array != nullptr);
    CHECK(resident_bytes(base, kit.heap.stats().committed) <= 4 * kMiB);
    for (std::uint32_t i = 0; i < array->length(); ++i) {
      if (array->data()[i] != 0) FAIL("not zero at " << i);
    }
  }
}

TEST_CASE("Memory: huge pages are asked for again when what was given back is used",
          "[gc][memory]") {
  HeapOptions options = exact_options(64 * kMiB);
  options.system = &FaultSystem::table();
  Kit kit(options);
  constexpr std::uint32_t kCount = 40 * kMiB / (4 * kKiB);
  Handle<RefArray<ByteArray>> table = kit.heap.make(kit.defined<RefArray<ByteArray>>(), kCount);
  REQUIRE(table);
  const auto fill = [&] {
    for (std::uint32_t i = 0; i < kCount; ++i) {
      if ((*table)[i]) continue;
      ByteArray* array = kit.heap.allocate(kit.bytes, 4 * kKiB - 16);
      if (array == nullptr) FAIL(kit.heap.error().message());
      (*table)[i] = array;
    }
  };
  fill();
  for (std::uint32_t i = 0; i < kCount; ++i) {
    if (i % 500 != 0) (*table)[i] = nullptr;
  }
  FaultSystem::reset();
  REQUIRE_FALSE(kit.heap.collect());
  const std::uint64_t split = FaultSystem::calls(SystemCall::advise_small);
  CHECK(split >= 18);
  CHECK(split <= 22);
  CHECK(FaultSystem::calls(SystemCall::advise_huge) <= 1);
  fill();
  CHECK(FaultSystem::calls(SystemCall::advise_huge) >= 16);
}

TEST_CASE("Memory: what a steady program uses again is not given back", "[gc][memory]") {
  HeapOptions options = exact_options();
  options.system = &FaultSystem::table();
  Kit kit(options);
  for (std::uint64_t i = 0; i < 50 * kMiB / 64; ++i)
    static_cast<void>(kit.heap.allocate(kit.block));
  FaultSystem::reset();
  for (std::uint64_t i = 0; i < 50 * kMiB / 64; ++i)
    static_cast<void>(kit.heap.allocate(kit.block));
  CHECK(FaultSystem::calls(SystemCall::discard) == 0);
  CHECK(FaultSystem::calls(SystemCall::commit) == 0);
}

namespace {

/// A program with data that it keeps, trees of some turns' life, and much that dies at once; all of
/// it `turns` times. Returns the pages that it touched for the first time, or again.
long work_in_turns(Kit& kit, int turns) {
  rusage before{};
  REQUIRE(getrusage(RUSAGE_SELF, &before) == 0);
  for (int turn = 0; turn < turns; ++turn) {
    HandleScope scope(kit.heap);
    static_cast<void>(scope.root(tree(kit, scope, 14 + static_cast<std::uint32_t>(turn) % 4)));
    for (int i = 0; i < 300'000; ++i) REQUIRE(kit.heap.allocate(kit.node) != nullptr);
  }
  rusage after{};
  REQUIRE(getrusage(RUSAGE_SELF, &after) == 0);
  return after.ru_minflt - before.ru_minflt;
}

}  // namespace

TEST_CASE("Memory: what minor collections use again is not given back at the full ones",
          "[gc][memory][generational]") {
  HeapOptions options = exact_options(256 * kMiB);
  options.generational = true;
  options.system = &FaultSystem::table();
  Kit kit(options);
  Handle<Node> kept(kit.heap, nullptr);
  {
    HandleScope scope(kit.heap);
    kept.set(tree(kit, scope, 18));
  }
  work_in_turns(kit, 20);
  FaultSystem::reset();
  const std::uint64_t collections = kit.heap.stats().collections;
  const long pages = work_in_turns(kit, 40);
  CHECK(kit.heap.stats().collections > collections + 30);
  CHECK(FaultSystem::calls(SystemCall::discard) <= 20);
  // 160 MiB are allocated, some 40,000 pages.
  if (kProcessTells) CHECK(pages < 4000);
}

TEST_CASE("Memory: what a generational heap once used goes back in time",
          "[gc][memory][generational]") {
  HeapOptions options = exact_options(256 * kMiB);
  options.generational = true;
  Kit kit(options);
  Handle<Node> kept(kit.heap, nullptr);
  {
    HandleScope scope(kit.heap);
    static_cast<void>(scope.root(tree(kit, scope, 21)));
  }
  {
    HandleScope scope(kit.heap);
    kept.set(tree(kit, scope, 16));
  }
  const char* base = detail::base_of(kit.heap);
  const auto resident = [&] {
    return resident_bytes(const_cast<char*>(base), kit.heap.stats().committed);
  };
  CHECK(resident() > 60 * kMiB);
  std::uint64_t least = ~std::uint64_t{0};
  for (int round = 0; round < 40 && least > 32 * kMiB; ++round) {
    for (std::uint64_t i = 0; i < 64 * kMiB / 64; ++i) {
      REQUIRE(kit.heap.allocate(kit.block) != nullptr);
    }
    least = std::min(least, resident());
  }
  CHECK(least <= 32 * kMiB);
  CHECK(verify(kit.heap).ok());
}

namespace {

/// The longest piece of the arena that was given back in one call.
struct ArenaPieces {
  static inline const char* base = nullptr;
  static inline std::size_t most = 0;

  static int discard(void* address, std::size_t bytes) {
    if (detail::arena_of(address) == base) most = std::max(most, bytes);
    return FaultSystem::table().discard(address, bytes);
  }
};

}  // namespace

TEST_CASE("Memory: an incremental heap gives back in steps what a peak has left, and no less",
          "[gc][memory][incremental]") {
  System system = FaultSystem::table();
  system.discard = ArenaPieces::discard;
  HeapOptions options = exact_options(256 * kMiB);
  options.system = &system;
  options.incremental = true;
  Kit kit(options);
  ArenaPieces::base = detail::arena_of(kit.make_node().get());
  ArenaPieces::most = 0;
  Handle<Node> list(kit.heap, nullptr);
  for (std::uint64_t i = 0; i < 100 * kMiB / sizeof(Node); ++i) {
    Node* node = kit.heap.allocate(kit.node);
    REQUIRE(node != nullptr);
    node->left = list.get();
    list.set(node);
  }
  list.reset();
  std::uint64_t returned = 0;
  std::uint64_t number = 0;
  // The peak is forgotten by an eighth a collection.
  for (int i = 0; i < 40 * 200'000; ++i) {
    REQUIRE(kit.heap.allocate(kit.node) != nullptr);
    if (kit.heap.last_collection().number == number) continue;
    number = kit.heap.last_collection().number;
    returned += kit.heap.last_collection().returned;
  }
  CHECK(returned >= 80 * kMiB);
  CHECK(ArenaPieces::most <= kMiB);
  CHECK(verify(kit.heap).ok());
}

TEST_CASE("Memory: of what is too much the topmost goes, for the lowest is used again first",
          "[gc][memory]") {
  HeapOptions options = fixed_options(64 * kMiB, false);
  detail::Front front;
  const Result<std::unique_ptr<detail::Space>> created =
      detail::Space::create(options, LogSink{}, front);
  REQUIRE(created);
  detail::Space& space = **created;
  REQUIRE_FALSE(space.grow(64 * kMiB));
  constexpr std::uint32_t kPiece = 4 << 20;
  std::vector<Run> pieces;
  for (int i = 0; i < 8; ++i) {
    char* piece = space.allocate(kPiece / 16);
    REQUIRE(piece != nullptr);
    std::memset(piece, 1, kPiece);
    pieces.push_back({detail::index_of(piece), kPiece});
  }
  for (std::size_t i = 0; i < pieces.size(); i += 2) space.release(pieces[i]);
  // Two MiB of these lie behind the last piece, up to the end of its huge page.
  const std::uint64_t given = space.discard_holes(64 << 10, 8 << 20);
  CHECK(given <= 8 << 20);
  CHECK(given >= (8 << 20) - 3 * 4096);
  const auto lives = [&](Run piece) {
    return resident_bytes(space.base() + (piece.index + 4095) / 4096 * 4096, kPiece - 8192);
  };
  CHECK(lives(pieces[0]) == kPiece - 8192);
  CHECK(lives(pieces[2]) == kPiece - 8192);
  CHECK(lives(pieces[4]) <= kPiece / 2 + 8192);
  CHECK(lives(pieces[6]) == 0);
  for (std::size_t i = 1; i < pieces.size(); i += 2) CHECK(lives(pieces[i]) == kPiece - 8192);
}

}  // namespace besom::test
