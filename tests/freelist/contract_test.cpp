/// The tests of the original, one for one, each under the rule it proves. They also run against the
/// original's port as it was found, which passes them all: what they miss, defects_test.cpp shows.

#include <algorithm>

#include "freelist/free_list.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/picture.hpp"
#include "tests/support/reference_free_list.hpp"
#include "tests/support/seed.hpp"

#define BESOM_LISTS FreeList, ReferenceFreeList, OriginalFreeList

namespace besom::test {
namespace {

constexpr std::uint64_t kAlign = FreeList::kAlign;
constexpr Layout kGranule{16, 16};

/// A list with room for `count` granules.
template <class List>
List list_of(std::uint64_t count) {
  return List(kAlign + kAlign * count);
}

template <class List>
std::uint32_t must_alloc(List& list, Layout layout) {
  const AllocResult result = list.alloc(layout);
  REQUIRE(result.error == AllocError::none);
  REQUIRE(result.index != 0);
  REQUIRE(result.index % kAlign == 0);
  return result.index;
}

template <class List>
bool refuses(List& list, Layout layout) {
  const AllocResult result = list.alloc(layout);
  REQUIRE(result.error == AllocError::none);
  return result.index == 0;
}

}  // namespace

TEMPLATE_TEST_CASE("A request as large as the only hole uses it up", "[freelist][contract]",
                   BESOM_LISTS) {
  auto list = list_of<TestType>(2);
  CHECK(list.num_free_blocks() == 1);
  CHECK(list.max_size() == 2 * kAlign);
  must_alloc(list, {2 * kAlign, kAlign});
  CHECK(list.num_free_blocks() == 0);
}

TEMPLATE_TEST_CASE("A request smaller than the only hole leaves the rest of it",
                   "[freelist][contract]", BESOM_LISTS) {
  auto list = list_of<TestType>(3);
  CHECK(list.num_free_blocks() == 1);
  CHECK(list.max_size() == 3 * kAlign);
  must_alloc(list, {2 * kAlign, kAlign});
  CHECK(list.num_free_blocks() == 1);
}

TEMPLATE_TEST_CASE("A block given back joins the holes on both sides", "[freelist][contract]",
                   BESOM_LISTS) {
  auto list = list_of<TestType>(100);
  CHECK(list.num_free_blocks() == 1);
  const std::uint32_t a = must_alloc(list, kGranule);
  CHECK(list.num_free_blocks() == 1);
  const std::uint32_t b = must_alloc(list, kGranule);
  CHECK(list.num_free_blocks() == 1);
  list.dealloc(a, kGranule);
  CHECK(list.num_free_blocks() == 2);
  list.dealloc(b, kGranule);
  CHECK(list.num_free_blocks() == 1);
}

TEMPLATE_TEST_CASE("A block given back joins the hole below and leaves the block above",
                   "[freelist][contract]", BESOM_LISTS) {
  auto list = list_of<TestType>(100);
  const std::uint32_t a = must_alloc(list, kGranule);
  const std::uint32_t b = must_alloc(list, kGranule);
  must_alloc(list, kGranule);
  CHECK(list.num_free_blocks() == 1);
  list.dealloc(a, kGranule);
  CHECK(list.num_free_blocks() == 2);
  list.dealloc(b, kGranule);
  CHECK(list.num_free_blocks() == 2);
}

TEMPLATE_TEST_CASE("A block given back joins the hole above and leaves the block below",
                   "[freelist][contract]", BESOM_LISTS) {
  auto list = list_of<TestType>(100);
  const std::uint32_t a = must_alloc(list, kGranule);
  must_alloc(list, kGranule);
  const std::uint32_t c = must_alloc(list, kGranule);
  CHECK(list.num_free_blocks() == 1);
  list.dealloc(a, kGranule);
  CHECK(list.num_free_blocks() == 2);
  list.dealloc(c, kGranule);
  CHECK(list.num_free_blocks() == 2);
}

TEMPLATE_TEST_CASE("A block given back between two blocks is a hole of its own",
                   "[freelist][contract]", BESOM_LISTS) {
  auto list = list_of<TestType>(100);
  const std::uint32_t a = must_alloc(list, kGranule);
  must_alloc(list, kGranule);
  const std::uint32_t c = must_alloc(list, kGranule);
  must_alloc(list, kGranule);
  CHECK(list.num_free_blocks() == 1);
  list.dealloc(a, kGranule);
  CHECK(list.num_free_blocks() == 2);
  list.dealloc(c, kGranule);
  CHECK(list.num_free_blocks() == 3);
}

TEMPLATE_TEST_CASE("A request larger than the list is refused", "[freelist][contract]",
                   BESOM_LISTS) {
  auto list = list_of<TestType>(10);
  CHECK(list.max_size() == 10 * kAlign);
  CHECK(refuses(list, {20 * kAlign, kAlign}));
}

TEMPLATE_TEST_CASE("An alignment above a granule's is an error", "[freelist][contract]",
                   BESOM_LISTS) {
  auto list = list_of<TestType>(10);
  CHECK(list.max_size() == 10 * kAlign);
  const AllocResult result = list.alloc({kAlign, 2 * kAlign});
  CHECK(result.error == AllocError::align_too_large);
  CHECK(result.index == 0);
  CHECK(list.num_free_blocks() == 1);
}

TEMPLATE_TEST_CASE("Two blocks can be freed in either order, or one before the other exists",
                   "[freelist][contract]", BESOM_LISTS) {
  constexpr Layout kLooselyAligned{16, 8};
  TestType list(0x100);
  SECTION("first, then second") {
    const std::uint32_t a = must_alloc(list, kLooselyAligned);
    const std::uint32_t b = must_alloc(list, kLooselyAligned);
    list.dealloc(a, kLooselyAligned);
    list.dealloc(b, kLooselyAligned);
  }
  SECTION("second, then first") {
    const std::uint32_t a = must_alloc(list, kLooselyAligned);
    const std::uint32_t b = must_alloc(list, kLooselyAligned);
    list.dealloc(b, kLooselyAligned);
    list.dealloc(a, kLooselyAligned);
  }
  SECTION("each before the next is allocated") {
    const std::uint32_t a = must_alloc(list, kLooselyAligned);
    list.dealloc(a, kLooselyAligned);
    const std::uint32_t b = must_alloc(list, kLooselyAligned);
    list.dealloc(b, kLooselyAligned);
  }
  CHECK(list.num_free_blocks() == 1);
  CHECK(list.largest_free_block() == list.max_size());
}

TEMPLATE_TEST_CASE("Growth is usable at once and joins the hole at the old end",
                   "[freelist][contract]", BESOM_LISTS) {
  TestType list(0);
  CHECK(refuses(list, kGranule));
  list.add_capacity(kAlign);
  CHECK(refuses(list, kGranule));  // index 0 is never handed out
  list.add_capacity(1);
  CHECK(refuses(list, kGranule));  // one byte is no granule
  list.add_capacity(kAlign - 1);
  const std::uint32_t a = must_alloc(list, kGranule);
  CHECK(refuses(list, kGranule));
  list.add_capacity(kAlign);
  const std::uint32_t b = must_alloc(list, kGranule);
  list.dealloc(a, kGranule);
  list.dealloc(b, kGranule);
  CHECK(list.num_free_blocks() == 1);
  list.add_capacity(kAlign);
  CHECK(list.num_free_blocks() == 1);
}

TEMPLATE_TEST_CASE("Growth by single bytes adds up to a granule", "[freelist][contract]",
                   BESOM_LISTS) {
  TestType list(0);
  CHECK(refuses(list, kGranule));
  for (std::uint64_t byte = 1; byte < 2 * kAlign; ++byte) {
    list.add_capacity(1);
    REQUIRE(refuses(list, kGranule));
  }
  list.add_capacity(1);
  must_alloc(list, kGranule);
  CHECK(refuses(list, kGranule));
}

TEMPLATE_TEST_CASE("A request whose end would pass 2^32 is refused and the last granule kept",
                   "[freelist][contract]", BESOM_LISTS) {
  constexpr std::uint64_t kCapacity = 0xffffffff;
  constexpr std::uint64_t kAll = (kCapacity & ~(kAlign - 1)) - kAlign;
  TestType list(kCapacity);
  CHECK(list.num_free_blocks() == 1);
  CHECK(must_alloc(list, {kAll - kAlign, kAlign}) == kAlign);
  CHECK(list.num_free_blocks() == 1);
  CHECK(sorted_holes(list).front().index ==
        0xffffffe0);  // two granules from there would end past 2^32
  CHECK(refuses(list, {2 * kAlign, kAlign}));
  CHECK(list.num_free_blocks() == 1);
  CHECK(must_alloc(list, kGranule) == 0xffffffe0);
  CHECK(list.num_free_blocks() == 0);
  CHECK(refuses(list, kGranule));
  CHECK(list.num_free_blocks() == 0);
}

namespace {

struct OriginalOp {
  enum class Kind { alloc, dealloc, add_capacity } kind;
  Layout layout;
  std::uint64_t additional;
};

/// The three operations of one case, in random order: one block's allocation and free, and a
/// growth.
std::vector<OriginalOp> shuffled_ops(Random& random, std::uint64_t capacity) {
  const std::size_t align = std::size_t{1} << random.below(5);
  const std::uint64_t most = std::min<std::uint64_t>(capacity, ~std::uint64_t{0} >> 1);
  const Layout layout{(random.next() % (most + 1)) & ~(align - 1), align};
  std::vector<OriginalOp> ops{{OriginalOp::Kind::alloc, layout, 0},
                              {OriginalOp::Kind::dealloc, layout, 0},
                              {OriginalOp::Kind::add_capacity, layout, random.next()}};
  for (std::uint32_t i = 2; i > 0; --i) std::swap(ops[i], ops[random.below(i + 1)]);
  return ops;
}

}  // namespace

TEMPLATE_TEST_CASE("After one block came and went, with growth around it, one hole is left",
                   "[freelist][contract][property]", BESOM_LISTS) {
  Random random = random_for("contract: original property");
  for (int round = 0; round < 64; ++round) {
    // Also capacities that fit in 32 bits, which uniform 64-bit numbers hardly ever do.
    const std::uint64_t initial = std::max<std::uint64_t>(random.next() >> random.below(64), 1);
    INFO("seed " << test_seed() << ", round " << round << ", capacity " << initial);
    TestType list(initial);
    const std::uint32_t initial_size = list.max_size();
    REQUIRE(list.num_free_blocks() == (initial_size == 0 ? 0 : 1));
    REQUIRE(list.largest_free_block() == initial_size);
    std::uint64_t capacity = initial;
    std::uint32_t live = 0;
    Layout layout;
    bool deferred = false;
    for (const OriginalOp& op : shuffled_ops(random, initial)) {
      layout = op.layout;
      switch (op.kind) {
        case OriginalOp::Kind::alloc:
          if (layout.size != 0) live = list.alloc(layout).index;
          break;
        case OriginalOp::Kind::dealloc:
          deferred = live == 0;
          if (live != 0) list.dealloc(live, layout);
          if (live != 0) live = 0;
          break;
        case OriginalOp::Kind::add_capacity:
          capacity =
              capacity + op.additional < capacity ? ~std::uint64_t{0} : capacity + op.additional;
          list.add_capacity(op.additional);
          break;
      }
      REQUIRE(list.current_capacity() == capacity);
    }
    if (deferred && live != 0) list.dealloc(live, layout);
    const std::uint32_t final_size = list.max_size();
    REQUIRE(final_size >= initial_size);
    REQUIRE(list.num_free_blocks() == (final_size == 0 ? 0 : 1));
    REQUIRE(list.largest_free_block() == final_size);
    if (capacity >= 2 * kAlign) {
      const std::uint64_t usable = std::min<std::uint64_t>(capacity, 0xffffffff);
      REQUIRE(final_size >= usable - 2 * kAlign);
    }
  }
}

}  // namespace besom::test
