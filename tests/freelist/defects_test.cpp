/// One test for each defect of the original that a port must not carry, named for its symptom.
/// Those tagged [as-found] show the same symptom on the faithful port, so that the test beside each
/// has been seen to fail.

#include "freelist/free_list.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/checked_list.hpp"
#include "tests/support/death.hpp"
#include "tests/support/picture.hpp"
#include "tests/support/reference_free_list.hpp"
#include "tests/support/seed.hpp"

#define BESOM_MENDED_LISTS FreeList, ReferenceFreeList

namespace besom::test {
namespace {

/// Frees a block at 16 and asks for one that it must serve, after the bump run is used up. Returns
/// how many bytes are neither live nor free at the end.
template <class List>
std::uint64_t bytes_lost_behind_a_used_up_bump_run() {
  List list(80);
  CHECK(list.alloc_fast(16) == 16);
  CHECK(list.alloc_fast(16) == 32);
  CHECK(list.alloc_fast(48) == 0);
  list.dealloc_fast(16, 16);
  CHECK(list.alloc_fast(32) == 48);
  constexpr std::uint64_t kLive = 16 + 32;
  return list.max_size() - kLive - list.free_bytes();
}

template <class List>
List list_with_holes_around_a_freed_block() {
  List list(128);
  for (const std::uint32_t size : {16u, 16u, 48u, 16u}) REQUIRE(list.alloc_fast(size) != 0);
  list.dealloc_fast(48, 48);
  REQUIRE(list.alloc_fast(32) == 48);
  list.dealloc_fast(16, 16);
  list.dealloc_fast(48, 32);
  list.dealloc_fast(32, 16);
  return list;
}

/// Frees a random one of the `live` blocks.
template <class List>
void free_any(List& list, std::vector<Run>& live, Random& random) {
  const std::uint32_t victim = random.below(static_cast<std::uint32_t>(live.size()));
  list.dealloc_fast(live[victim].index, live[victim].size_bytes);
  live[victim] = live.back();
  live.pop_back();
}

/// Random small arenas, filled and emptied; counts the runs after which `is_wrong(list)`.
template <class List, class IsWrong>
int wrong_runs(Random& random, int runs, IsWrong is_wrong) {
  int wrong = 0;
  for (int run = 0; run < runs; ++run) {
    List list(16 * random.between(4, 20));
    std::vector<Run> live;
    for (int op = 0; op < 60; ++op) {
      if (live.empty() || random.chance(60)) {
        const std::uint32_t size = 16 * random.between(1, 2);
        const std::uint32_t index = list.alloc_fast(size);
        if (index != 0) live.push_back({index, size});
      } else {
        free_any(list, live, random);
      }
    }
    while (!live.empty()) free_any(list, live, random);
    if (is_wrong(list)) ++wrong;
  }
  return wrong;
}

template <class List>
bool has_lost_bytes(const List& list) {
  return list.free_bytes() != list.max_size();
}
template <class List>
bool is_in_pieces(const List& list) {
  return list.num_free_blocks() != 1;
}

}  // namespace

TEMPLATE_TEST_CASE("Memory at 16 is not lost when the bump run is used up",
                   "[freelist][defect][defect-1]", BESOM_MENDED_LISTS) {
  CHECK(bytes_lost_behind_a_used_up_bump_run<TestType>() == 0);
}
TEST_CASE("Memory at 16 is lost when the bump run is used up",
          "[freelist][defect][defect-1][as-found]") {
  CHECK(bytes_lost_behind_a_used_up_bump_run<OriginalFreeList>() == 16);
}

TEMPLATE_TEST_CASE("No random small arena loses bytes", "[freelist][defect][defect-1]",
                   BESOM_MENDED_LISTS) {
  Random random = random_for("defects: lost bytes");
  CHECK(wrong_runs<TestType>(random, 5000, has_lost_bytes<TestType>) == 0);
}
TEST_CASE("Some random small arenas lose bytes", "[freelist][defect][defect-1][as-found]") {
  Random random = random_for("defects: lost bytes");
  CHECK(wrong_runs<OriginalFreeList>(random, 5000, has_lost_bytes<OriginalFreeList>) > 50);
}

TEMPLATE_TEST_CASE("Neighbouring holes below the bump run do not stay apart",
                   "[freelist][defect][defect-2]", BESOM_MENDED_LISTS) {
  const auto list = list_with_holes_around_a_freed_block<TestType>();
  for (const Run& hole : list.free_blocks()) {
    for (const Run& other : list.free_blocks()) CHECK(hole.end() != other.index);
  }
  list.verify();
}
TEST_CASE("Neighbouring holes below the bump run stay apart",
          "[freelist][defect][defect-2][as-found]") {
  const auto list = list_with_holes_around_a_freed_block<OriginalFreeList>();
  CHECK(sorted_holes(list) == std::vector<Run>{{16, 16}, {32, 64}, {112, 16}});
  CHECK(list.bump_run() == Run{32, 64});
  CHECK_ABORTS(list.verify(), "holes overlap or are unmerged");
}

TEMPLATE_TEST_CASE("After everything is freed one hole remains", "[freelist][defect][defect-3]",
                   BESOM_MENDED_LISTS) {
  Random random = random_for("defects: pieces");
  CHECK(wrong_runs<TestType>(random, 5000, is_in_pieces<TestType>) == 0);
}
TEST_CASE("After everything is freed several holes can remain",
          "[freelist][defect][defect-3][as-found]") {
  Random random = random_for("defects: pieces");
  CHECK(wrong_runs<OriginalFreeList>(random, 5000, is_in_pieces<OriginalFreeList>) > 50);
}

TEMPLATE_TEST_CASE("A free whose end wraps past 2^32 aborts", "[freelist][defect][defect-4]",
                   BESOM_MENDED_LISTS) {
  TestType list(~std::uint64_t{0});
  const std::uint32_t all = list.alloc_fast(list.max_size());
  REQUIRE(all == 16);
  CHECK_ABORTS(list.dealloc_fast(0xfffffff0, 32), "(0xfffffff0, 0x20)");
  CHECK_ABORTS(list.dealloc_fast(0xffffffe0, 32), "(0xffffffe0, 0x20)");
  CHECK_ABORTS(list.dealloc_fast(0xfffffff0, 16), "(0xfffffff0, 0x10)");
  CHECK_ABORTS(list.dealloc(0xfffffff0, {32, 16}), "(0xfffffff0, 0x20)");
}
TEST_CASE("A free whose end wraps past 2^32 corrupts the list",
          "[freelist][defect][defect-4][as-found]") {
  OriginalFreeList list(80);
  REQUIRE(list.alloc_fast(64) == 16);
  REQUIRE(list.alloc_fast(16) == 0);  // the bump run is [16, 16) now
  list.dealloc_fast(0xfffffff0, 32);
  CHECK(list.bump_run().index == 0xfffffff0);
}

TEMPLATE_TEST_CASE("The largest aligned size, 2^32 - 16, is accepted",
                   "[freelist][defect][defect-4]", BESOM_MENDED_LISTS) {
  STATIC_REQUIRE(TestType::aligned_size(0xfffffff0) == 0xfffffff0u);
  STATIC_REQUIRE(TestType::aligned_size(0xffffffef) == 0xfffffff0u);
  STATIC_REQUIRE(TestType::aligned_size(0xffffffe1) == 0xfffffff0u);
  STATIC_REQUIRE(TestType::aligned_size(0xffffffe0) == 0xffffffe0u);
  STATIC_REQUIRE_FALSE(TestType::aligned_size(0xfffffff1).has_value());
  STATIC_REQUIRE_FALSE(TestType::aligned_size(0xffffffff).has_value());
}
TEST_CASE("The largest aligned size, 2^32 - 16, is refused",
          "[freelist][defect][defect-4][as-found]") {
  STATIC_REQUIRE_FALSE(OriginalFreeList::aligned_size(0xfffffff0).has_value());
}

TEMPLATE_TEST_CASE("A size of 0 gives no block", "[freelist][defect][defect-4]",
                   BESOM_MENDED_LISTS) {
  STATIC_REQUIRE_FALSE(TestType::aligned_size(0).has_value());
  TestType list(80);
  const AllocResult result = list.alloc({0, 16});
  CHECK(result.error == AllocError::size_zero);
  CHECK(result.index == 0);
  CHECK(list.free_bytes() == 64);
  CHECK_ABORTS(list.alloc_fast(0), "multiple of 16");
}
TEST_CASE("A size of 0 gives an index that the next block shares",
          "[freelist][defect][defect-4][as-found]") {
  STATIC_REQUIRE(OriginalFreeList::aligned_size(0) == 0u);
  OriginalFreeList list(80);
  const AllocResult empty = list.alloc({0, 16});
  CHECK(empty.error == AllocError::none);
  CHECK(empty.index == list.alloc({16, 16}).index);
}

TEMPLATE_TEST_CASE("A free outside the capacity aborts", "[freelist][defect][defect-4]",
                   BESOM_MENDED_LISTS) {
  TestType list(80);
  REQUIRE(list.alloc_fast(64) == 16);
  CHECK_ABORTS(list.dealloc_fast(80, 16), "outside the capacity or misaligned");
  CHECK_ABORTS(list.dealloc_fast(64, 32), "outside the capacity or misaligned");
  CHECK_ABORTS(list.dealloc_fast(0x10000, 16), "(0x10000, 0x10)");
  CHECK_ABORTS(list.dealloc_fast(0, 16), "outside the capacity or misaligned");
}
TEST_CASE("A free outside the capacity is handed out again",
          "[freelist][defect][defect-4][as-found]") {
  OriginalFreeList list(80);
  REQUIRE(list.alloc_fast(64) == 16);
  list.dealloc_fast(0x10000, 16);
  CHECK(list.alloc_fast(16) == 0x10000);
}

TEMPLATE_TEST_CASE("A double free of the same size aborts", "[freelist][defect][defect-5]",
                   BESOM_MENDED_LISTS) {
  TestType list(160);
  const std::uint32_t a = list.alloc_fast(16);
  REQUIRE(list.alloc_fast(16) != 0);
  list.dealloc_fast(a, 16);
  CHECK_ABORTS(list.dealloc_fast(a, 16), "(0x10, 0x10)");
}
TEMPLATE_TEST_CASE("A double free of another size aborts", "[freelist][defect][defect-5]",
                   BESOM_MENDED_LISTS) {
  TestType list(160);
  const std::uint32_t a = list.alloc_fast(32);
  REQUIRE(list.alloc_fast(16) != 0);
  list.dealloc_fast(a, 32);
  CHECK_ABORTS(list.dealloc_fast(a, 16), "(0x10, 0x10)");
  CHECK_ABORTS(list.dealloc_fast(a + 16, 16), "(0x20, 0x10)");
}
TEST_CASE("A double free of the same size is silent", "[freelist][defect][defect-5][as-found]") {
  OriginalFreeList list(160);
  const std::uint32_t a = list.alloc_fast(16);
  REQUIRE(list.alloc_fast(16) != 0);
  list.dealloc_fast(a, 16);
  list.dealloc_fast(a, 16);
  CHECK(list.num_free_blocks() == 2);
}
TEST_CASE("A double free of another size hands one index out twice",
          "[freelist][defect][defect-5][as-found]") {
  OriginalFreeList list(80);
  const std::uint32_t a = list.alloc_fast(32);
  REQUIRE(list.alloc_fast(32) != 0);
  list.dealloc_fast(a, 32);
  list.dealloc_fast(a, 16);
  const std::uint32_t first = list.alloc_fast(16);
  const std::uint32_t second = list.alloc_fast(32);
  CHECK(first == a);
  CHECK(second == a);
}

namespace {

/// Whether the checks of the model tests find fault with `List` in a few thousand operations.
template <class List>
bool model_finds_fault(Random& random) {
  try {
    for (int round = 0; round < 20; ++round) {
      CheckedList<List> checked(16 * random.between(4, 40));
      for (int op = 0; op < 200; ++op) {
        const auto live = static_cast<std::uint32_t>(checked.live().size());
        if (live == 0 || random.chance(55)) {
          checked.alloc(16 * random.between(1, 4));
        } else {
          checked.free(random.below(live));
        }
      }
      checked.drain();
    }
  } catch (const Mismatch&) {
    return true;
  }
  return false;
}

}  // namespace

TEMPLATE_TEST_CASE("A model test finds no fault", "[freelist][defect][defect-6]",
                   BESOM_MENDED_LISTS) {
  Random random = random_for("defects: model");
  CHECK_FALSE(model_finds_fault<TestType>(random));
}
TEST_CASE("A model test finds what three operations per case do not",
          "[freelist][defect][defect-6][as-found]") {
  Random random = random_for("defects: model");
  CHECK(model_finds_fault<OriginalFreeList>(random));
}

}  // namespace besom::test
