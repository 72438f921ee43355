/// What a call leaves is what the next one finds: nothing of the list is put off until somebody
/// looks. Small programs that once ended in memory handed out twice, and what lay beside them.

#include <algorithm>
#include <cstdint>
#include <vector>

#include "freelist/free_list.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/death.hpp"
#include "tests/support/picture.hpp"
#include "tests/support/random.hpp"
#include "tests/support/seed.hpp"

namespace besom::test {
namespace {

std::vector<Run> take(FreeList& list, const std::vector<std::uint32_t>& sizes) {
  std::vector<Run> blocks;
  for (const std::uint32_t size : sizes) blocks.push_back({list.alloc_fast(size), size});
  return blocks;
}

/// In a fresh list with blocks of `sizes`, each free of up to `most` bytes that starts in [first,
/// end) aborts unless it is of one of the blocks.
void check_every_wrong_free(const std::vector<std::uint32_t>& sizes, std::uint32_t first,
                            std::uint32_t end, std::uint32_t most) {
  for (std::uint32_t index = first; index < end; index += 16) {
    for (std::uint32_t size = 16; size <= most; size += 16) {
      FreeList list(1 << 20);
      const std::vector<Run> blocks = take(list, sizes);
      INFO("index " << index << ", size " << size);
      if (std::ranges::find(blocks, Run{index, size}) != blocks.end()) {
        list.dealloc_fast(index, size);
        list.verify();
      } else {
        CHECK_ABORTS(list.dealloc_fast(index, size), "free ");
      }
    }
  }
}

}  // namespace

TEST_CASE("A block freed beside the rest of a large block's hole joins it", "[freelist][exact]") {
  FreeList list(0x7e0);
  const std::uint32_t a = list.alloc_fast(0x430);
  const std::uint32_t b = list.alloc_fast(0x10);
  list.dealloc_fast(a, 0x430);
  const std::uint32_t c = list.alloc_fast(0x30);
  list.dealloc_fast(b, 0x10);
  const std::uint32_t d = list.alloc_fast(0x430);
  list.dealloc_fast(c, 0x30);
  // Nothing has read the list so far.
  const std::uint32_t e = list.alloc_fast(0x390);
  REQUIRE(e != 0);
  const std::uint32_t f = list.alloc_fast(0x10);
  std::vector<Run> blocks{{d, 0x430}, {e, 0x390}, {f, 0x10}};
  std::ranges::sort(blocks, {}, &Run::index);
  CHECK(blocks[0].index == 0x10);
  CHECK(blocks[0].end() == blocks[1].index);
  CHECK(blocks[1].end() == blocks[2].index);
  CHECK(blocks[2].end() == 0x7e0);
  CHECK(list.num_free_blocks() == 0);
  list.verify();
}

TEST_CASE("A hole of the size that a large block leaves stays in its class when another leaves it",
          "[freelist][exact]") {
  FreeList list(16 * 1000);
  std::vector<std::uint32_t> at;
  while (const std::uint32_t index = list.alloc_fast(32)) at.push_back(index);
  REQUIRE(list.alloc_fast(16) != 0);
  // 68 granules at the bottom and, in the line of their end, a hole of two.
  for (std::uint32_t granule = 1; granule < 69; granule += 2) list.dealloc_fast(16 * granule, 32);
  list.dealloc_fast(16 * 81, 32);
  REQUIRE(list.alloc_fast(16 * 66) == 16);
  list.dealloc_fast(16 * 83, 32);
  CHECK(list.alloc_fast(32) == 16 * 67);
  CHECK(list.alloc_fast(64) == 16 * 81);
  list.verify();
}

TEST_CASE("Every wrong free among the newest blocks aborts", "[freelist][exact][misuse]") {
  check_every_wrong_free({32, 16, 48, 16}, 16, 160, 160);
}

TEST_CASE("A wrong free above blocks freed in reverse order aborts", "[freelist][exact][misuse]") {
  FreeList list(1 << 20);
  const std::vector<Run> blocks = take(list, std::vector<std::uint32_t>(600, 48));
  for (std::size_t i = 600; i-- > 590;) list.dealloc_fast(blocks[i].index, 48);
  CHECK_ABORTS(list.dealloc_fast(blocks[595].index, 48), "free where no live block starts");
  CHECK_ABORTS(list.dealloc_fast(blocks[588].index, 96), "free with the wrong size");
  CHECK_ABORTS(list.dealloc_fast(blocks[588].index + 16, 80), "free where no live block starts");
  list.verify();
}

TEST_CASE("A stack of blocks goes up and down without one getting lost", "[freelist][exact]") {
  Random random = random_for("exact: stack");
  INFO("seed " << test_seed());
  FreeList list(8 << 20);
  std::vector<Run> stack;
  std::uint32_t top = 16;
  for (int round = 0; round < 300; ++round) {
    const std::uint32_t same = random.chance(50) ? granules(random.between(1, 5)) : 0;
    const std::uint32_t pushes = random.below(400);
    for (std::uint32_t i = 0; i < pushes && top < (7u << 20); ++i) {
      const std::uint32_t size = same != 0 ? same : granules(random.between(1, 40));
      stack.push_back({list.alloc_fast(size), size});
      REQUIRE(stack.back().index == top);
      top = stack.back().end();
    }
    for (std::uint32_t pops = random.below(400); pops > 0 && !stack.empty(); --pops) {
      list.dealloc_fast(stack.back().index, stack.back().size_bytes);
      top = stack.back().index;
      stack.pop_back();
    }
  }
  CHECK(list.num_free_blocks() == 1);
  CHECK(list.free_bytes() == list.max_size() - (top - 16));
  for (const Run& block : stack) REQUIRE(list.run_at(block.index) == block);
  list.verify();
}

TEST_CASE("What a large block leaves of its hole is seen at once", "[freelist][exact]") {
  constexpr std::uint32_t kLarge = 16 << 10;
  FreeList list(1 << 20);
  const std::vector<Run> blocks = take(list, {kLarge, 16, kLarge, 16});
  list.dealloc_fast(blocks[0].index, kLarge);
  // From the smallest hole that is large enough, the one at the bottom.
  const Run cut = {list.alloc_fast(4096), 4096};
  REQUIRE(cut.index == blocks[0].index);
  const Run rest = {cut.end(), kLarge - 4096};

  SECTION("by those who walk the holes") {
    const auto holes = list.free_blocks();
    CHECK(std::count(holes.begin(), holes.end(), rest) == 1);
  }
  SECTION("by those who ask what is there") {
    CHECK(list.run_at(rest.index + 32) == rest);
    CHECK_FALSE(list.is_block(rest.index));
    CHECK(list.map().is_hole(rest.index / 16));
  }
  SECTION("by frees of the block below it, whose size is still checked") {
    CHECK_ABORTS(list.dealloc_fast(cut.index, kLarge), "free with the wrong size");
    CHECK_ABORTS(list.dealloc_fast(cut.index, 2048), "(0x800, 0x1000)");
    CHECK_ABORTS(list.dealloc_fast(rest.index, rest.size_bytes), "free where no live block starts");
    list.dealloc_fast(cut.index, 4096);
    CHECK(list.run_at(cut.index) == Run{cut.index, kLarge});
  }
  SECTION("by frees of the block above it") {
    list.dealloc_fast(blocks[1].index, 16);
    CHECK(list.run_at(rest.index) == Run{rest.index, rest.size_bytes + 16});
  }
  SECTION("by the next request") { CHECK(list.alloc_fast(rest.size_bytes) == rest.index); }
  SECTION("by growth, when it ends the capacity") {
    const std::uint32_t last = list.largest_free_block();
    REQUIRE(list.alloc_fast(last - 64) != 0);
    list.add_capacity(64);
    CHECK(list.alloc_fast(128) != 0);
  }
  list.verify();
}

}  // namespace besom::test
