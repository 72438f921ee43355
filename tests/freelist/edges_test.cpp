/// The ends of the number range: capacities around 0, a granule and 2^32, and growth in odd steps.

#include "freelist/free_list.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/checked_list.hpp"
#include "tests/support/reference_free_list.hpp"

namespace besom::test {
namespace {

struct Edge {
  std::uint64_t capacity;
  std::uint32_t max_size;
};

constexpr std::uint64_t kTwo32 = std::uint64_t{1} << 32;
constexpr Edge kEdges[] = {
    {0, 0},
    {1, 0},
    {15, 0},
    {16, 0},
    {17, 0},
    {31, 0},
    {32, 16},
    {33, 16},
    {47, 16},
    {48, 32},
    {1024, 1008},
    {1040, 1024},
    {(1 << 16) - 1, 65504},
    {(1 << 16) + 16, 65536},
    {kTwo32 - 33, 0xffffffc0},
    {kTwo32 - 32, 0xffffffd0},
    {kTwo32 - 17, 0xffffffd0},
    {kTwo32 - 16, 0xffffffe0},
    {kTwo32 - 15, 0xffffffe0},
    {kTwo32 - 1, 0xffffffe0},
    {kTwo32, 0xffffffe0},
    {kTwo32 + 1, 0xffffffe0},
    {kTwo32 * 2, 0xffffffe0},
    {~std::uint64_t{0}, 0xffffffe0},
};

}  // namespace

TEMPLATE_TEST_CASE("Every capacity has its greatest block, which can be taken and given back",
                   "[freelist][edge]", FreeList, ReferenceFreeList) {
  for (const auto& [capacity, max_size] : kEdges) {
    INFO("capacity " << capacity);
    TestType list(capacity);
    CHECK(list.current_capacity() == capacity);
    REQUIRE(list.max_size() == max_size);
    CHECK(list.free_bytes() == max_size);
    CHECK(list.largest_free_block() == max_size);
    CHECK(list.num_free_blocks() == (max_size == 0 ? 0 : 1));
    CHECK(list.alloc_fast(max_size + 16) == 0);
    if (max_size == 0) continue;
    REQUIRE(list.alloc_fast(max_size) == 16);
    CHECK(list.free_bytes() == 0);
    CHECK(list.alloc_fast(16) == 0);
    list.dealloc_fast(16, max_size);
    CHECK(list.free_bytes() == max_size);
    CHECK(list.num_free_blocks() == 1);
  }
}

TEMPLATE_TEST_CASE("The first and the last granule of every capacity are usable",
                   "[freelist][edge]", FreeList, ReferenceFreeList) {
  for (const auto& [capacity, max_size] : kEdges) {
    if (max_size < 48) continue;
    INFO("capacity " << capacity);
    TestType list(capacity);
    REQUIRE(list.alloc_fast(16) == 16);
    REQUIRE(list.alloc_fast(max_size - 32) == 32);
    const std::uint32_t last = list.alloc_fast(16);
    REQUIRE(last == max_size);
    CHECK(list.alloc_fast(16) == 0);
    list.dealloc_fast(last, 16);
    CHECK(list.alloc_fast(16) == last);
    list.dealloc_fast(last, 16);
    list.dealloc_fast(16, 16);
    list.dealloc_fast(32, max_size - 32);
    CHECK(list.num_free_blocks() == 1);
    CHECK(list.free_bytes() == max_size);
  }
}

TEMPLATE_TEST_CASE("A list made by growth equals one made at once", "[freelist][edge]", FreeList,
                   ReferenceFreeList) {
  for (const auto& from : kEdges) {
    for (const auto& to : kEdges) {
      if (to.capacity < from.capacity) continue;
      INFO("from " << from.capacity << " to " << to.capacity);
      TestType list(from.capacity);
      list.add_capacity(to.capacity - from.capacity);
      CHECK(list.current_capacity() == to.capacity);
      CHECK(list.max_size() == to.max_size);
      CHECK(list.free_bytes() == to.max_size);
      CHECK(list.num_free_blocks() == (to.max_size == 0 ? 0 : 1));
    }
  }
}

TEMPLATE_TEST_CASE("Growth by odd steps loses nothing", "[freelist][edge]", FreeList,
                   ReferenceFreeList) {
  for (const std::uint64_t step : {1u, 3u, 7u, 15u, 17u, 31u, 1023u, 1025u}) {
    INFO("step " << step);
    CheckedList<TestType> checked(step);
    for (std::uint64_t total = step; total < 3000 + step; total += step) {
      checked.add_capacity(step);
      REQUIRE(checked.list().current_capacity() == total + step);
      // Half of what appears is taken at once, so that growth meets blocks and holes at the end.
      if (total / step % 2 == 0) checked.alloc(16);
      checked.check_all();
    }
    checked.drain();
  }
}

TEMPLATE_TEST_CASE("Growth saturates at the greatest 64-bit capacity", "[freelist][edge]", FreeList,
                   ReferenceFreeList) {
  TestType list(64);
  list.add_capacity(~std::uint64_t{0});
  CHECK(list.current_capacity() == ~std::uint64_t{0});
  list.add_capacity(1);
  CHECK(list.current_capacity() == ~std::uint64_t{0});
  CHECK(list.free_bytes() == list.max_size());
}

TEST_CASE("Growth keeps blocks and holes where they are", "[freelist][edge]") {
  FreeList list = from_picture("#..==.#..");
  list.add_capacity(32);
  CHECK(picture(list) == "#..##.#....");
  FreeList full = from_picture("###");
  full.add_capacity(33);
  CHECK(picture(full) == "###..");
  full.add_capacity(15);
  CHECK(picture(full) == "###...");
}

TEST_CASE("Reserved tables make growth certain and change nothing else", "[freelist][edge]") {
  FreeList list = from_picture("#.#");
  REQUIRE(list.reserve(1 << 20));
  const std::size_t reserved = list.table_bytes();
  CHECK(picture(list) == "#.#");
  CHECK(list.current_capacity() == 64);
  for (int step = 0; step < 1000; ++step) REQUIRE(list.try_add_capacity(1000));
  CHECK(list.table_bytes() == reserved);
  CHECK(list.num_free_blocks() == 2);
  list.verify();
}

TEST_CASE("A moved list goes on where the other stopped", "[freelist][edge]") {
  FreeList from = from_picture("#..##=..");
  FreeList list(std::move(from));
  CHECK(picture(list) == "#..##=..");
  FreeList other(64);
  other = std::move(list);
  CHECK(picture(other) == "#..##=..");
  CHECK(other.alloc_fast(32) == granule(1));
  CHECK(other.alloc_fast(32) == granule(6));
  other.verify();
}

TEMPLATE_TEST_CASE("Layouts are checked before the list is searched", "[freelist][edge]", FreeList,
                   ReferenceFreeList) {
  using enum AllocError;
  CHECK(TestType::check_layout({16, 16}) == none);
  CHECK(TestType::check_layout({1, 1}) == none);
  CHECK(TestType::check_layout({0xfffffff0, 16}) == none);
  CHECK(TestType::check_layout({0, 16}) == size_zero);
  CHECK(TestType::check_layout({0, 32}) == align_too_large);
  CHECK(TestType::check_layout({0xfffffff1, 16}) == size_too_large);
  CHECK(TestType::check_layout({0x100000000, 16}) == size_too_large);
  CHECK(TestType::check_layout({0x100000010, 16}) == size_too_large);
  CHECK(TestType::check_layout({~std::size_t{0}, 16}) == size_too_large);
  CHECK(TestType::check_layout({16, 32}) == align_too_large);
  CHECK(TestType::check_layout({16, std::size_t{1} << 63}) == align_too_large);
  for (const std::size_t align : {1u, 2u, 4u, 8u, 16u}) CHECK(TestType::can_align_to(align));
  for (const std::size_t align : {32u, 64u, 4096u}) CHECK_FALSE(TestType::can_align_to(align));
  TestType list(0x10000);
  CHECK(list.alloc({0x100000010, 16}).error == size_too_large);
  CHECK(list.alloc({17, 1}).index == 16);
  CHECK(list.alloc({16, 1}).index == 48);  // 17 bytes took two granules
  list.dealloc(16, {17, 1});
  list.dealloc(48, {1, 1});
  CHECK(list.num_free_blocks() == 1);
}

TEST_CASE("aligned_size rounds every size up to granules", "[freelist][edge]") {
  for (std::uint32_t size = 1; size < 100; ++size) {
    CHECK(FreeList::aligned_size(size) == (size + 15) / 16 * 16);
    CHECK(FreeList::aligned_size(size) == FreeList::layout(*FreeList::aligned_size(size)).size);
  }
}

}  // namespace besom::test
