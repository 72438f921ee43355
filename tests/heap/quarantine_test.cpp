/// What is held back, for how long, and what comes back as holes.

#include "heap/quarantine.hpp"

#include <algorithm>
#include <deque>
#include <vector>

#include "tests/heap/show.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/seed.hpp"

namespace besom::test {
namespace {

using detail::Quarantine;

/// A list whose blocks a quarantine takes.
struct Held {
  explicit Held(std::uint64_t budget, std::uint32_t capacity = 1 << 20) : list(capacity) {
    REQUIRE(quarantine.create(budget, capacity));
  }
  /// Blocks of `bytes`, one after the other.
  std::vector<Run> blocks(std::uint32_t count, std::uint32_t bytes) {
    std::vector<Run> made;
    for (std::uint32_t i = 0; i < count; ++i) made.push_back({list.alloc_fast(bytes), bytes});
    return made;
  }
  /// As a sweep does with a dead run.
  void release(Run run) {
    run = quarantine.hold(list, run);
    if (run.size_bytes != 0) list.dealloc_fast(run.index, run.size_bytes);
  }
  [[nodiscard]] std::vector<Run> runs() const {
    std::vector<Run> met;
    quarantine.each([&](Run run) { met.push_back(run); });
    return met;
  }

  FreeList list;
  Quarantine quarantine;
};

}  // namespace

TEST_CASE("Quarantine: off it holds nothing", "[heap][quarantine]") {
  for (const std::uint64_t budget : {0, 15}) {
    Held held(budget);
    CHECK_FALSE(held.quarantine.is_on());
    const Run run{held.list.alloc_fast(64), 64};
    CHECK(held.quarantine.hold(held.list, run) == run);
    CHECK_FALSE(held.quarantine.contains(run.index));
    CHECK_FALSE(held.quarantine.empty(held.list));
  }
}

TEST_CASE("Quarantine: what was freed last is held, up to the budget", "[heap][quarantine]") {
  Held held(1000);  // 992 in whole granules
  const std::vector<Run> blocks = held.blocks(100, 32);
  // Every second one, so that none are neighbours.
  for (std::uint32_t i = 0; i < 100; i += 2) {
    held.release(blocks[i]);
    held.quarantine.trim(held.list);
    CHECK(held.quarantine.bytes() == std::min<std::uint64_t>(992, (i / 2 + 1) * 32));
    CHECK(held.quarantine.contains(blocks[i].index));
    held.list.verify();
  }
  for (std::uint32_t i = 0; i < 100; i += 2) {
    const bool is_held = i >= 100 - 2 * 31;
    INFO(i);
    CHECK(held.quarantine.contains(blocks[i].index) == is_held);
    CHECK(held.list.is_block(blocks[i].index) == is_held);
  }
  CHECK(held.quarantine.empty(held.list));
  CHECK(held.quarantine.bytes() == 0);
  CHECK(held.list.free_bytes() == held.list.max_size() - 50 * 32);
  held.list.verify();
}

TEST_CASE("Quarantine: of neighbours the part that came first goes back first",
          "[heap][quarantine]") {
  Held held(256);
  const std::vector<Run> blocks = held.blocks(20, 64);
  for (std::uint32_t i = 0; i < 10; ++i) {
    held.release(blocks[i]);
    held.quarantine.trim(held.list);
  }
  const std::vector<Run> expected = {{blocks[6].index, 256}};
  CHECK(held.runs() == expected);
  CHECK(held.list.run_at(blocks[0].index) == Run{blocks[0].index, 6 * 64});
  CHECK_FALSE(held.list.is_block(blocks[0].index));
  held.list.verify();
}

TEST_CASE("Quarantine: of a run larger than the budget the beginning is held",
          "[heap][quarantine]") {
  Held held(4096);
  const Run large{held.list.alloc_fast(100'000), 100'000 / 16 * 16};
  const Run border{held.list.alloc_fast(16), 16};
  held.release(large);
  CHECK(held.runs() == std::vector<Run>{{large.index, 4096}});
  // Until the sweep has ended, what else dies goes straight back.
  held.release(border);
  CHECK_FALSE(held.quarantine.contains(border.index));
  held.quarantine.trim(held.list);
  CHECK(held.quarantine.bytes() == 4096);
  held.list.verify();
}

TEST_CASE("Quarantine: no more runs than walks can afford", "[heap][quarantine]") {
  constexpr std::uint32_t kBlocks = 4 * Quarantine::kMostRuns;
  Held held(1 << 20);
  const std::vector<Run> blocks = held.blocks(kBlocks, 16);
  for (std::uint32_t i = 0; i < kBlocks; i += 2) {
    held.release(blocks[i]);
    CHECK(held.quarantine.count() <= Quarantine::kMostRuns);
  }
  held.quarantine.trim(held.list);
  CHECK(held.quarantine.count() == Quarantine::kMostRuns);
  // Each sweep has room again; the oldest make it.
  for (std::uint32_t i = 1; i < 200; i += 4) held.release(blocks[kBlocks - i]);
  held.quarantine.trim(held.list);
  CHECK(held.quarantine.count() == Quarantine::kMostRuns);
  CHECK_FALSE(held.quarantine.contains(blocks[0].index));
  CHECK(held.quarantine.contains(blocks[kBlocks - 1].index));
  held.list.verify();
}

TEST_CASE("Quarantine: against a queue of granules", "[heap][quarantine][property]") {
  Random random = random_for("Quarantine: against a queue");
  for (int round = 0; round < 50; ++round) {
    const std::uint64_t budget = 16 * random.between(1, 300);
    Held held(budget, 64 << 10);
    std::vector<Run> live;
    std::deque<std::uint32_t> queue;  // granules held, the oldest first
    for (int sweep = 0; sweep < 60; ++sweep) {
      for (int i = 0; i < 30; ++i) {
        const std::uint32_t bytes = 16 * random.between(1, random.chance(10) ? 200 : 5);
        if (const std::uint32_t index = held.list.alloc_fast(bytes)) live.push_back({index, bytes});
      }
      std::sort(live.begin(), live.end(),
                [](const Run& a, const Run& b) { return a.index < b.index; });
      std::uint64_t room = budget;
      std::vector<Run> kept;
      for (const Run block : live) {
        if (!random.chance(50)) {
          kept.push_back(block);
          continue;
        }
        held.release(block);
        for (std::uint32_t at = block.index; at < block.end() && room != 0; at += 16, room -= 16) {
          queue.push_back(at);
        }
      }
      live = kept;
      held.quarantine.trim(held.list);
      while (queue.size() * 16 > budget) queue.pop_front();
      held.list.verify();
      std::vector<std::uint32_t> granules;
      for (const Run run : held.runs()) {
        REQUIRE(held.list.run_at(run.index) == run);
        REQUIRE(held.list.is_block(run.index));
        for (std::uint32_t at = run.index; at < run.end(); at += 16) granules.push_back(at);
      }
      REQUIRE(granules == std::vector<std::uint32_t>(queue.begin(), queue.end()));
      REQUIRE(held.quarantine.bytes() == queue.size() * 16);
    }
    for (const Run block : live) held.list.dealloc_fast(block.index, block.size_bytes);
    static_cast<void>(held.quarantine.empty(held.list));
    held.list.verify();
    CHECK(held.list.num_free_blocks() == 1);
  }
}

}  // namespace besom::test
