/// One question each: what a single operation of a FreeList costs, in ns, with how many live blocks
/// or holes is in the argument.

#include <benchmark/benchmark.h>

#include <vector>

#include "freelist/free_list.hpp"
#include "tests/support/random.hpp"

namespace besom::bench {
namespace {

constexpr std::uint32_t kSize = 32;

/// What does an allocation cost that is cut from the only hole?
void cut_from_one_hole(benchmark::State& state) {
  const auto count = static_cast<std::uint32_t>(state.range(0));
  FreeList list(16 + std::uint64_t{kSize} * count);
  std::uint32_t taken = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(list.alloc_fast(kSize));
    if (++taken == count) {
      state.PauseTiming();
      list.reset();
      taken = 0;
      state.ResumeTiming();
    }
  }
}
BENCHMARK(cut_from_one_hole)->Arg(1 << 20);

/// An arena full of blocks of kSize; every second one can be freed to make holes.
FreeList full_list(std::uint32_t blocks) {
  FreeList list(16 + std::uint64_t{kSize} * blocks);
  const std::uint32_t all = list.alloc_fast(list.max_size());
  list.cut_block(all, kSize, list.max_size());
  return list;
}

std::vector<std::uint32_t> every_second(std::uint32_t blocks, bool shuffled) {
  std::vector<std::uint32_t> indices;
  for (std::uint32_t i = 0; i < blocks; i += 2) indices.push_back(16 + i * kSize);
  test::Random random(1);
  for (auto i = static_cast<std::uint32_t>(indices.size()); shuffled && i > 1; --i) {
    std::swap(indices[i - 1], indices[random.below(i)]);
  }
  return indices;
}

/// What does an allocation cost that finds a hole of its size, the lowest of so many?
void exact_fit(benchmark::State& state) {
  const auto blocks = static_cast<std::uint32_t>(2 * state.range(0));
  FreeList list = full_list(blocks);
  const std::vector<std::uint32_t> holes = every_second(blocks, false);
  std::size_t left = 0;
  for (auto _ : state) {
    if (left == 0) {
      state.PauseTiming();
      for (const std::uint32_t index : holes) {
        if (list.is_block(index)) list.dealloc_fast(index, kSize);
      }
      left = holes.size();
      state.ResumeTiming();
    }
    benchmark::DoNotOptimize(list.alloc_fast(kSize));
    --left;
  }
}
BENCHMARK(exact_fit)->Arg(1 << 10)->Arg(1 << 20);

/// What does a free cost between two blocks, in address order or at random?
void free_alone(benchmark::State& state) {
  const auto blocks = static_cast<std::uint32_t>(2 * state.range(0));
  const std::vector<std::uint32_t> victims = every_second(blocks, state.range(1) != 0);
  FreeList list = full_list(blocks);
  std::size_t next = 0;
  for (auto _ : state) {
    list.dealloc_fast(victims[next], kSize);
    if (++next == victims.size()) {
      state.PauseTiming();
      list = full_list(blocks);
      next = 0;
      state.ResumeTiming();
    }
  }
}
BENCHMARK(free_alone)->ArgNames({"holes", "random"})->ArgsProduct({{1 << 10, 1 << 20}, {0, 1}});

/// What does a free cost between two holes, which it makes one?
void free_between_holes(benchmark::State& state) {
  const auto blocks = static_cast<std::uint32_t>(4 * state.range(0));
  std::vector<std::uint32_t> victims = every_second(blocks / 2, state.range(1) != 0);
  const auto make = [&] {
    FreeList list = full_list(blocks);
    // Threes of block, victim, block in fours: the fourth keeps the holes apart.
    for (std::uint32_t i = 0; i + 2 < blocks; i += 4) {
      list.dealloc_fast(16 + i * kSize, kSize);
      list.dealloc_fast(16 + (i + 2) * kSize, kSize);
    }
    return list;
  };
  for (auto& index : victims) index = (index - 16) * 2 + 16 + kSize;
  FreeList list = make();
  std::size_t next = 0;
  for (auto _ : state) {
    list.dealloc_fast(victims[next], kSize);
    if (++next == victims.size()) {
      state.PauseTiming();
      list = make();
      next = 0;
      state.ResumeTiming();
    }
  }
}
BENCHMARK(free_between_holes)
    ->ArgNames({"threes", "random"})
    ->ArgsProduct({{1 << 10, 1 << 18}, {0, 1}});

/// What does a request cost that must be refused, with so many holes that are too small?
void refusal(benchmark::State& state) {
  const auto blocks = static_cast<std::uint32_t>(2 * state.range(0));
  FreeList list = full_list(blocks);
  for (const std::uint32_t index : every_second(blocks, false)) list.dealloc_fast(index, kSize);
  const auto size = static_cast<std::uint32_t>(state.range(1));
  for (auto _ : state) benchmark::DoNotOptimize(list.alloc_fast(size));
}
BENCHMARK(refusal)->ArgNames({"holes", "bytes"})->ArgsProduct({{1 << 10, 1 << 20}, {48, 4096}});

/// What do a large block's allocation and free cost, with so many large holes?
void large_hole(benchmark::State& state) {
  constexpr std::uint32_t kLeast = 4096;
  const auto holes = static_cast<std::uint32_t>(state.range(0));
  FreeList list(16 + std::uint64_t{holes} * (4 * kLeast));
  std::vector<Run> blocks;
  test::Random random(1);
  for (std::uint32_t i = 0; i < holes; ++i) {
    const std::uint32_t size = kLeast + random.below(64) * 16;
    blocks.push_back({list.alloc_fast(size), size});
    static_cast<void>(list.alloc_fast(16));
  }
  for (const Run& block : blocks) list.dealloc_fast(block.index, block.size_bytes);
  for (auto _ : state) {
    const std::uint32_t size = kLeast + random.below(64) * 16;
    const std::uint32_t index = list.alloc_fast(size);
    list.dealloc_fast(index, size);
  }
}
BENCHMARK(large_hole)->Arg(1 << 4)->Arg(1 << 10)->Arg(1 << 16);

}  // namespace
}  // namespace besom::bench

BENCHMARK_MAIN();
