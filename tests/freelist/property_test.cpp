/// The original's property test made worthy: random capacities, thousands of operations a case,
/// compared with a bitmap after each of them, and also rarely, with nobody reading the list in
/// between: a list that completes itself when it is read is caught by the latter alone.

#include <iterator>
#include <string>
#include <utility>

#include "freelist/free_list.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/checked_list.hpp"
#include "tests/support/reference_free_list.hpp"
#include "tests/support/seed.hpp"

namespace besom::test {
namespace {

/// What a case draws its numbers from. Sizes in granules.
struct Mix {
  std::uint32_t capacity;
  std::uint32_t size_limit;
  std::uint32_t alloc_percent;
  int ops;
  /// Operations between two complete comparisons: 1 up to this, at random.
  std::uint32_t furthest = 1;
  Watch watch = Watch::each_change;
  /// Sizes are drawn from one of kCrowds, and size_limit is not used.
  bool crowded = false;
};

/// Where the classes of sizes end, and where rests of one or two granules come about.
constexpr std::pair<std::uint32_t, std::uint32_t> kCrowds[] = {{1, 5}, {16, 80}, {60, 68}};

std::uint32_t random_size(Random& random, const Mix& mix) {
  if (mix.crowded) {
    const auto [least, most] = kCrowds[random.below(std::size(kCrowds))];
    return granules(random.between(least, most));
  }
  // Mostly small, so that sizes far below the limit come up as well.
  return granules(1 + (random.below(mix.size_limit) >> random.below(4)));
}

std::uint32_t random_live(Random& random, std::size_t live) {
  return random.below(static_cast<std::uint32_t>(live));
}

template <class List>
void alloc_or_free(CheckedList<List>& checked, Random& random, const Mix& mix) {
  if (checked.live().empty() || random.chance(mix.alloc_percent)) {
    checked.alloc(random_size(random, mix));
  } else {
    checked.free(random_live(random, checked.live().size()));
  }
}

void any_operation(CheckedList<FreeList>& checked, Random& random, const Mix& mix) {
  const bool has_live = !checked.live().empty();
  const std::uint32_t kind = random.below(21);
  if (random.below(500) == 0) return checked.reset();
  if (kind == 0) {
    const std::uint32_t least = random_size(random, mix);
    checked.take_run(least, least + granules(random.below(mix.size_limit)));
  } else if (kind == 1) {
    checked.take_next_small(granules(random.below(mix.capacity)), random_size(random, mix));
  } else if (kind == 9) {
    const std::size_t holes = checked.model().holes().size();
    if (holes != 0) checked.take_small_hole(random.below(static_cast<std::uint32_t>(holes)));
  } else if (kind == 2 && has_live) {
    const std::uint32_t position = random_live(random, checked.live().size());
    const std::uint32_t block = checked.live()[position].size_bytes / FreeList::kAlign;
    if (block > 1) {
      checked.split(position, granules(random.between(1, block - 1)), random.chance(50));
    }
  } else if (kind < 5 && has_live) {
    const std::uint32_t position = random_live(random, checked.live().size());
    const std::uint32_t block = checked.live()[position].size_bytes / FreeList::kAlign;
    const std::uint32_t piece = random.between(1, block);
    checked.cut(position, granules(piece), granules(piece * random.below(block / piece + 1)));
  } else if (kind < 8 && has_live) {
    checked.join(random_live(random, checked.live().size()), random.below(6));
  } else if (kind == 8 && random.chance(20)) {
    checked.add_capacity(random.below(40));
  } else {
    alloc_or_free(checked, random, mix);
  }
}

/// Runs the case; on a difference fails with all that is needed to replay it. When to compare is
/// drawn apart: the operations are the same whatever `mix.furthest`.
template <class List, class Step>
void run_case(Random& random, const Mix& mix, Step step) {
  std::string difference;
  int op = 0;
  Random comparisons(random.next());
  std::uint32_t left = comparisons.between(1, mix.furthest);
  try {
    CheckedList<List> checked(16 + std::uint64_t{mix.capacity} * 16 + random.below(16), mix.watch);
    const auto compare_now_and_then = [&] {
      if (--left != 0) return;
      checked.check_all();
      left = comparisons.between(1, mix.furthest);
    };
    for (; op < mix.ops; ++op) {
      step(checked, random, mix);
      compare_now_and_then();
    }
    for (; !checked.live().empty(); ++op) {
      checked.free(random_live(random, checked.live().size()));
      compare_now_and_then();
    }
    checked.check_drained();
    checked.check_all();
  } catch (const Mismatch& mismatch) {
    difference = mismatch.what();
  }
  INFO("BESOM_TEST_SEED=" << test_seed() << ", capacity " << mix.capacity << ", compared every 1.."
                          << mix.furthest << " operations, operation " << op);
  REQUIRE(difference == "");
}

Mix small_arena(Random& random) {
  const std::uint32_t capacity = random.between(1, 256);
  return {.capacity = capacity,
          .size_limit = 1 + (random.below(capacity) >> random.below(8)),
          .alloc_percent = random.between(45, 60),
          .ops = 2000};
}

Mix large_arena(Random& random) {
  const std::uint32_t capacity = random.between(1 << 10, 1 << 17);
  return {.capacity = capacity,
          .size_limit = 1 + (random.below(capacity / 8) >> random.below(14)),
          .alloc_percent = random.between(50, 60),
          .ops = 20000,
          .furthest = 2000};
}

/// Some dozens to some hundreds of granules, filled by sizes around the limits of the classes.
Mix crowded_arena(Random& random, std::uint32_t furthest) {
  return {.capacity = 24 + (random.below(1000) >> random.below(5)),
          .size_limit = 0,
          .alloc_percent = random.between(45, 60),
          .ops = 3000,
          .furthest = furthest,
          .watch = Watch::results,
          .crowded = true};
}

}  // namespace

TEMPLATE_TEST_CASE("Random operations in small arenas: equal to the bitmap after each",
                   "[freelist][property]", FreeList, ReferenceFreeList) {
  Random random = random_for("property: small");
  for (int round = 0; round < 150; ++round) {
    run_case<TestType>(random, small_arena(random), alloc_or_free<TestType>);
  }
}

TEMPLATE_TEST_CASE("Random operations in large arenas: equal to the bitmap", "[freelist][property]",
                   FreeList, ReferenceFreeList) {
  Random random = random_for("property: large");
  for (int round = 0; round < 10; ++round) {
    run_case<TestType>(random, large_arena(random), alloc_or_free<TestType>);
  }
}

TEST_CASE("Random runs, cuts, joins and growth in small arenas: equal to the bitmap after each",
          "[freelist][property]") {
  Random random = random_for("property: small, all operations");
  for (int round = 0; round < 150; ++round) {
    run_case<FreeList>(random, small_arena(random), any_operation);
  }
}

TEST_CASE("Random runs, cuts, joins and growth in large arenas: equal to the bitmap",
          "[freelist][property]") {
  Random random = random_for("property: large, all operations");
  for (int round = 0; round < 10; ++round) {
    run_case<FreeList>(random, large_arena(random), any_operation);
  }
}

TEST_CASE(
    "Random operations on sizes around the class limits, rarely looked at: equal to the bitmap",
    "[freelist][property][rare]") {
  // The distances at which the two faults of a list with deferrals were seen, and none at all.
  for (const std::uint32_t furthest : {1u, 8u, 60u, 200u, 100'000u}) {
    Random random = random_for("property: rarely looked at");
    for (int round = 0; round < 60; ++round) {
      run_case<FreeList>(random, crowded_arena(random, furthest), any_operation);
    }
    for (int round = 0; round < 60; ++round) {
      run_case<FreeList>(random, crowded_arena(random, furthest), alloc_or_free<FreeList>);
    }
  }
}

TEST_CASE("A list that is looked at after each operation hands out what one does that is not",
          "[freelist][property][rare]") {
  Random cases = random_for("property: looked at or not");
  for (int round = 0; round < 100; ++round) {
    const Mix mix = crowded_arena(cases, 1);
    const std::uint64_t seed = cases.next();
    const auto live_after = [&](bool looked_at) {
      Random random(seed);
      CheckedList<FreeList> checked(16 + std::uint64_t{mix.capacity} * 16, Watch::results);
      std::vector<Run> seen;
      for (int op = 0; op < 1000; ++op) {
        any_operation(checked, random, mix);
        if (looked_at) checked.check_all();
        if (!checked.live().empty()) seen.push_back(checked.live().back());
      }
      return seen;
    };
    INFO("BESOM_TEST_SEED=" << test_seed() << ", capacity " << mix.capacity);
    REQUIRE(live_after(true) == live_after(false));
  }
}

TEST_CASE("The same operations give the same indices", "[freelist][property]") {
  const auto trace = [](std::uint64_t seed) {
    Random random(seed);
    FreeList list(1 << 18);
    std::vector<Run> live;
    std::vector<std::uint32_t> indices;
    for (int op = 0; op < 20000; ++op) {
      if (live.empty() || random.chance(52)) {
        const std::uint32_t size = granules(1 + (random.below(256) >> random.below(8)));
        indices.push_back(list.alloc_fast(size));
        if (indices.back() != 0) live.push_back({indices.back(), size});
      } else {
        std::swap(live[random_live(random, live.size())], live.back());
        list.dealloc_fast(live.back().index, live.back().size_bytes);
        live.pop_back();
      }
    }
    return indices;
  };
  const std::uint64_t seed = test_seed();
  CHECK(trace(seed) == trace(seed));
}

}  // namespace besom::test
