/// What the map does not show yet: the newest blocks from the bump run, and what a large block left
/// of its hole. Nobody may see a difference.

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

std::vector<std::uint32_t> sizes_up_to(std::uint32_t granule_count, std::size_t count,
                                       const char* purpose) {
  Random random = random_for(purpose);
  std::vector<std::uint32_t> sizes(count);
  for (auto& size : sizes) size = granules(random.between(1, granule_count));
  return sizes;
}

}  // namespace

TEST_CASE("Every wrong free among the newest blocks aborts", "[freelist][recent][misuse]") {
  check_every_wrong_free({32, 16, 48, 16}, 16, 160, 160);
}

TEST_CASE("Every wrong free among the newest of many blocks of one size aborts",
          "[freelist][recent][misuse]") {
  const std::vector<std::uint32_t> sizes(2000, 32);
  check_every_wrong_free(sizes, 16 + 1995 * 32, 16 + 2002 * 32, 96);
}

TEST_CASE("A wrong free above blocks freed in reverse order aborts", "[freelist][recent][misuse]") {
  FreeList list(1 << 20);
  const std::vector<Run> blocks = take(list, std::vector<std::uint32_t>(600, 48));
  for (std::size_t i = 600; i-- > 590;) list.dealloc_fast(blocks[i].index, 48);
  CHECK_ABORTS(list.dealloc_fast(blocks[595].index, 48), "free where no live block starts");
  CHECK_ABORTS(list.dealloc_fast(blocks[588].index, 96), "free with the wrong size");
  CHECK_ABORTS(list.dealloc_fast(blocks[588].index + 16, 80), "free where no live block starts");
  list.verify();
}

TEST_CASE("Readers see a block that was cut a moment ago", "[freelist][recent]") {
  FreeList list(1 << 20);
  const std::vector<Run> blocks = take(list, {32, 64, 16});
  for (const Run& block : blocks) {
    CHECK(list.is_block(block.index));
    CHECK(list.run_at(block.index) == block);
  }
  const Run newest = take(list, {16}).front();
  CHECK(list.map().is_block(newest.index / 16));
  CHECK(list.used_end() == newest.end());
}

TEST_CASE("Blocks freed in reverse order come back to the bump run, whatever their sizes",
          "[freelist][recent]") {
  for (const std::uint32_t most : {1u, 3u, 16u, 63u, 200u}) {
    FreeList list(16 + granules(200) * 1000);
    const std::vector<Run> blocks = take(list, sizes_up_to(most, 1000, "recent: reverse"));
    INFO("up to " << most << " granules, seed " << test_seed());
    for (std::size_t i = blocks.size(); i-- > 0;) {
      list.dealloc_fast(blocks[i].index, blocks[i].size_bytes);
      if (i % 97 == 0) list.verify();
      if (i % 131 == 0) CHECK(list.bump_run().index == blocks[i].index);
    }
    CHECK(list.num_free_blocks() == 1);
    CHECK(list.largest_free_block() == list.max_size());
  }
}

TEST_CASE("Blocks are pushed and popped across many lines without one getting lost",
          "[freelist][recent][property]") {
  Random random = random_for("recent: stack");
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
    if (round % 10 == 0) list.verify();
    REQUIRE(list.free_bytes() == list.max_size() - (top - 16));
  }
  for (const Run& block : stack) REQUIRE(list.run_at(block.index) == block);
}

TEST_CASE("What a large block leaves of its hole is seen at once", "[freelist][recent][large]") {
  constexpr std::uint32_t kLarge = 16 << 10;
  FreeList list(1 << 20);
  const std::vector<Run> blocks = take(list, {kLarge, 16, kLarge, 16});
  list.dealloc_fast(blocks[0].index, kLarge);
  list.settle();
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
  list.verify();
}

}  // namespace besom::test
