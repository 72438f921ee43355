/// Every layout of a small arena times every operation, compared with the model: TRUST's exhaustive
/// walk. A layout is a sequence of blocks of any sizes and maximal holes; with n granules there are
/// Fibonacci(2n + 1). The operations are an allocation of each size from 1 to n and a free of each
/// block. $BESOM_LAYOUT_GRANULES sets another arena than 12.

#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>

#include "freelist/free_list.hpp"
#include "tests/support/bitmap_model.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/picture.hpp"
#include "tests/support/seed.hpp"

namespace besom::test {
namespace {

struct Counts {
  std::uint64_t layouts = 0;
  std::uint64_t transitions = 0;
  friend bool operator==(const Counts&, const Counts&) = default;
};

/// One layout.
struct Arena {
  std::uint32_t count;
  std::vector<Run> blocks;
  std::vector<Run> holes;

  [[nodiscard]] FreeList list() const {
    FreeList list(granules(count + 1));
    const std::uint32_t all = list.alloc_fast(granules(count));
    list.cut_block(all, 16, granules(count));
    for (const Run& block : blocks) list.join_blocks(block.index, block.size_bytes);
    for (const Run& hole : holes) {
      list.join_blocks(hole.index, hole.size_bytes);
      list.dealloc_fast(hole.index, hole.size_bytes);
    }
    return list;
  }
  [[nodiscard]] std::uint32_t longest_hole() const {
    std::uint32_t longest = 0;
    for (const Run& hole : holes) longest = std::max(longest, hole.size_bytes);
    return longest;
  }
};

/// The holes once [index, end) is no longer free: in one of them, or a Mismatch.
std::vector<Run> without(const std::vector<Run>& holes, const Run& taken) {
  std::vector<Run> rest;
  bool found = false;
  for (const Run& hole : holes) {
    if (taken.index < hole.index || taken.end() > hole.end()) {
      rest.push_back(hole);
      continue;
    }
    found = true;
    if (hole.index < taken.index) rest.push_back({hole.index, taken.index - hole.index});
    if (taken.end() < hole.end()) rest.push_back({taken.end(), hole.end() - taken.end()});
  }
  require(found, "handed out what was not free: index, size", taken.index, taken.size_bytes);
  return rest;
}

/// The holes once `freed` is free as well, neighbours merged.
std::vector<Run> with(const std::vector<Run>& holes, Run freed) {
  std::vector<Run> rest;
  for (const Run& hole : holes) {
    if (hole.end() == freed.index) {
      freed = {hole.index, hole.size_bytes + freed.size_bytes};
    } else if (freed.end() == hole.index) {
      freed.size_bytes += hole.size_bytes;
    } else {
      rest.push_back(hole);
    }
  }
  rest.push_back(freed);
  std::ranges::sort(rest, {}, &Run::index);
  return rest;
}

void check_blocks(const FreeList& list, const std::vector<Run>& blocks) {
  for (const Run& block : blocks) {
    require(list.is_block(block.index) && list.run_at(block.index) == block,
            "a block has changed: index, size", block.index, block.size_bytes);
  }
}

void check_holes(const FreeList& list, const std::vector<Run>& holes) {
  require(sorted_holes(list) == holes, "holes: list's count, model's count", list.num_free_blocks(),
          holes.size());
  std::uint64_t bytes = 0;
  for (const Run& hole : holes) bytes += hole.size_bytes;
  require(list.free_bytes() == bytes, "free bytes: list, model", list.free_bytes(), bytes);
  list.verify();
}

void check_alloc(const Arena& arena, std::uint32_t bytes) {
  FreeList list = arena.list();
  const std::uint32_t index = list.alloc_fast(bytes);
  require((index == 0) == (arena.longest_hole() < bytes), "refused, or not: asked, longest hole",
          bytes, arena.longest_hole());
  if (index == 0) {
    check_holes(list, arena.holes);
  } else {
    require(list.is_block(index) && list.run_at(index) == Run{index, bytes},
            "no such block: index, size", index, bytes);
    check_holes(list, without(arena.holes, {index, bytes}));
  }
  check_blocks(list, arena.blocks);
}

void check_free(const Arena& arena, std::size_t position) {
  FreeList list = arena.list();
  const Run freed = arena.blocks[position];
  list.dealloc_fast(freed.index, freed.size_bytes);
  require(!list.is_block(freed.index), "still a block: index", freed.index, 0);
  check_holes(list, with(arena.holes, freed));
  std::vector<Run> others = arena.blocks;
  others.erase(others.begin() + static_cast<std::ptrdiff_t>(position));
  check_blocks(list, others);
}

std::uint64_t check_every_operation(const Arena& arena) {
  for (std::uint32_t size = 1; size <= arena.count; ++size) check_alloc(arena, granules(size));
  for (std::size_t i = 0; i < arena.blocks.size(); ++i) check_free(arena, i);
  return arena.count + arena.blocks.size();
}

/// Appends every possible run at `place`, block or hole, and goes on behind it.
template <class Visit>
void each_layout(Arena& arena, std::uint32_t place, Visit visit) {
  if (place == arena.count) return visit(arena);
  for (std::uint32_t size = 1; place + size <= arena.count; ++size) {
    const Run run{granule(place), granules(size)};
    arena.blocks.push_back(run);
    each_layout(arena, place + size, visit);
    arena.blocks.pop_back();
    if (!arena.holes.empty() && arena.holes.back().end() == run.index) continue;
    arena.holes.push_back(run);
    each_layout(arena, place + size, visit);
    arena.holes.pop_back();
  }
}

Counts walk(std::uint32_t count) {
  Counts counts;
  Arena start{.count = count, .blocks = {}, .holes = {}};
  each_layout(start, 0, [&](Arena& arena) {
    ++counts.layouts;
    counts.transitions += check_every_operation(arena);
  });
  return counts;
}

std::uint32_t arena_granules() {
  const char* text = std::getenv("BESOM_LAYOUT_GRANULES");
  const auto number = text == nullptr ? std::nullopt : parse_number(text);
  return number ? static_cast<std::uint32_t>(*number) : 12;
}

/// Layouts and transitions that end in a block or nothing, or in a hole, by the recurrence that
/// each_layout() follows.
Counts expected(std::uint32_t count) {
  std::vector<std::uint64_t> ways_block{1}, ways_hole{0}, blocks_block{0}, blocks_hole{0};
  for (std::uint32_t n = 1; n <= count; ++n) {
    std::uint64_t block = 0, hole = 0, in_block = 0, in_hole = 0;
    for (std::uint32_t shorter = 0; shorter < n; ++shorter) {
      block += ways_block[shorter] + ways_hole[shorter];
      in_block +=
          blocks_block[shorter] + blocks_hole[shorter] + ways_block[shorter] + ways_hole[shorter];
      hole += ways_block[shorter];
      in_hole += blocks_block[shorter];
    }
    ways_block.push_back(block);
    ways_hole.push_back(hole);
    blocks_block.push_back(in_block);
    blocks_hole.push_back(in_hole);
  }
  const std::uint64_t layouts = ways_block[count] + ways_hole[count];
  return {layouts, layouts * count + blocks_block[count] + blocks_hole[count]};
}

}  // namespace

TEST_CASE("Every operation in every layout of a small arena does what the model does",
          "[freelist][exhaustive]") {
  REQUIRE(expected(12) == Counts{75025, 1312200});
  REQUIRE(expected(16) == Counts{3524578, 82048737});
  const std::uint32_t count = arena_granules();
  Counts counts;
  REQUIRE_NOTHROW(counts = walk(count));
  std::printf("%u granules: %llu layouts, %llu transitions\n", count,
              static_cast<unsigned long long>(counts.layouts),
              static_cast<unsigned long long>(counts.transitions));
  CHECK(counts == expected(count));
}

}  // namespace besom::test
