#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <type_traits>
#include <vector>

#include "freelist/free_list.hpp"
#include "tests/support/random.hpp"

/// The traces that FreeList and the reference list are compared on. Each is generated up front,
/// from a seed, and both lists run exactly the same one. Times are CPU time of this thread; what is
/// measured contains the trace's own array accesses, the same for both lists.

namespace besom::bench {

inline double cpu_ns() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

/// What one run of a trace on one list has shown; negative: not asked.
struct Sample {
  double ns = 0;             ///< Per operation; a replacement (free and allocate) is one.
  double fill_percent = -1;  ///< Of the capacity, when the first request was refused.
  double worst_us = -1;      ///< The slowest single operation.
  double tables_excess = 0;  ///< Table bytes above 4 % of the arena and 1 MiB; 0 when within.
};

template <class List>
double tables_excess(const List& list) {
  if constexpr (requires { list.table_bytes(); }) {
    const double bound = static_cast<double>(list.current_capacity()) * 0.04 + (1 << 20);
    return std::max(0.0, static_cast<double>(list.table_bytes()) - bound);
  }
  return 0;
}

/// Sizes in bytes, multiples of a granule.
class Sizes {
 public:
  static Sizes uniform(std::uint32_t least, std::uint32_t most) {
    return Sizes(Kind::uniform, least, most);
  }
  /// A median of 128 bytes and a mean of some 340: many small objects, few large.
  static Sizes log_normal(std::uint32_t most) { return Sizes(Kind::log_normal, 16, most); }
  /// As many between 64 KiB and 128 KiB as between 8 MiB and 16 MiB.
  static Sizes log_uniform(std::uint32_t least, std::uint32_t most) {
    return Sizes(Kind::log_uniform, least, most);
  }

  std::uint32_t draw(test::Random& random) const {
    double size = 0;
    switch (kind_) {
      case Kind::uniform:
        return random.between(least_ / kGranuleBytes, most_ / kGranuleBytes) * kGranuleBytes;
      case Kind::log_normal:
        size = random.log_normal(128, 1.4);
        break;
      case Kind::log_uniform:
        size = least_ * std::pow(static_cast<double>(most_) / least_, random.unit());
        break;
    }
    const double clamped = std::clamp<double>(size, least_, most_);
    return (static_cast<std::uint32_t>(clamped) + kGranuleBytes - 1) & ~(kGranuleBytes - 1);
  }

 private:
  enum class Kind : std::uint8_t { uniform, log_normal, log_uniform };
  Sizes(Kind kind, std::uint32_t least, std::uint32_t most)
      : kind_(kind), least_(least), most_(most) {}

  Kind kind_;
  std::uint32_t least_;
  std::uint32_t most_;
};

struct Replacement {
  std::uint32_t slot;
  std::uint32_t size;
};

/// A number of live blocks, then random ones of them replaced by others.
struct ChurnTrace {
  std::uint64_t capacity = 0;
  std::vector<std::uint32_t> initial;
  std::vector<Replacement> replacements;

  ChurnTrace(const Sizes& sizes, std::uint32_t live, std::uint32_t count, std::uint64_t seed) {
    test::Random random(seed);
    std::uint64_t bytes = 0;
    for (std::uint32_t i = 0; i < live; ++i) {
      initial.push_back(sizes.draw(random));
      bytes += initial.back();
    }
    capacity = 16 + std::max<std::uint64_t>(2 * bytes, 1 << 20);
    replacements.reserve(count);
    for (std::uint32_t i = 0; i < count; ++i) {
      replacements.push_back({random.below(live), sizes.draw(random)});
    }
  }

  template <class List>
  [[nodiscard]] Sample run() const {
    List list(capacity);
    std::vector<Run> slots;
    slots.reserve(initial.size());
    for (const std::uint32_t size : initial) slots.push_back({list.alloc_fast(size), size});
    const double begin = cpu_ns();
    for (const auto& [slot, size] : replacements) {
      Run& block = slots[slot];
      if (block.index != 0) list.dealloc_fast(block.index, block.size_bytes);
      block = {list.alloc_fast(size), size};
    }
    const double ns = (cpu_ns() - begin) / static_cast<double>(replacements.size());
    return {.ns = ns, .tables_excess = tables_excess(list)};
  }
};

/// A full arena; in each round a random part of its blocks is freed in address order, each on its
/// own or a run of neighbours at once, and the arena is filled again to the last granule.
struct SweepTrace {
  std::vector<std::uint32_t> initial;
  std::vector<std::uint32_t> refill;
  std::uint32_t dead_percent;
  bool by_run;
  int rounds;
  std::uint64_t capacity = 16;

  SweepTrace(std::uint32_t objects, std::uint32_t percent, bool runs, int round_count,
             std::uint64_t seed)
      : dead_percent(percent), by_run(runs), rounds(round_count) {
    test::Random random(seed);
    const Sizes sizes = Sizes::uniform(16, 128);
    for (std::uint32_t i = 0; i < objects; ++i) {
      initial.push_back(sizes.draw(random));
      capacity += initial.back();
      refill.push_back(sizes.draw(random));
    }
  }

  template <class List>
  [[nodiscard]] Sample run() const {
    List list(capacity);
    // By granule, the size in granules of the block that starts there.
    std::vector<std::uint8_t> size_at(capacity / kGranuleBytes);
    for (const std::uint32_t size : initial) note(size_at, {list.alloc_fast(size), size});
    test::Random random(dead_percent);
    double spent = 0;
    std::uint64_t operations = 0;
    double fill = 100;
    std::vector<Run> filled;
    for (int round = 0; round < rounds; ++round) {
      const std::vector<Run> dead = choose_dead(size_at, random);
      // Written to beforehand, or the host's page faults would be measured.
      filled.assign(capacity / kGranuleBytes / 4 + dead.size(), Run{});
      std::size_t fills = 0;
      const double begin = cpu_ns();
      for (const Run& run : dead) {
        if constexpr (requires { list.join_blocks(0u, 0u); }) {
          if (by_run) list.join_blocks(run.index, run.size_bytes);
        }
        list.dealloc_fast(run.index, run.size_bytes);
      }
      fills = fill_up(list, filled);
      spent += cpu_ns() - begin;
      operations += dead.size() + fills;
      for (std::size_t i = 0; i < fills; ++i) note(size_at, filled[i]);
      std::uint64_t free = 0;
      for (const Run& hole : list.free_blocks()) free += hole.size_bytes;
      fill = std::min(fill, 100 - 100 * static_cast<double>(free) / list.max_size());
    }
    return {.ns = spent / static_cast<double>(operations),
            .fill_percent = fill,
            .tables_excess = tables_excess(list)};
  }

 private:
  static void note(std::vector<std::uint8_t>& size_at, const Run& block) {
    size_at[block.index / kGranuleBytes] =
        static_cast<std::uint8_t>(block.size_bytes / kGranuleBytes);
  }

  /// Takes the chosen out of `size_at`.
  std::vector<Run> choose_dead(std::vector<std::uint8_t>& size_at, test::Random& random) const {
    std::vector<Run> dead;
    for (std::size_t granule = 1; granule < size_at.size();) {
      const std::uint32_t count = size_at[granule];
      if (random.chance(dead_percent)) {
        const auto index = static_cast<std::uint32_t>(granule * kGranuleBytes);
        size_at[granule] = 0;
        if (by_run && !dead.empty() && dead.back().end() == index) {
          dead.back().size_bytes += count * kGranuleBytes;
        } else {
          dead.push_back({index, count * kGranuleBytes});
        }
      }
      granule += count;
    }
    return dead;
  }

  /// Sizes as they come while they fit, then smaller and smaller ones. Returns how many.
  template <class List>
  std::size_t fill_up(List& list, std::vector<Run>& filled) const {
    std::uint32_t limit = 128;
    std::size_t count = 0;
    for (std::size_t next = 0; limit != 0; next = next + 1 == refill.size() ? 0 : next + 1) {
      const std::uint32_t size = std::min(refill[next], limit);
      const std::uint32_t index = list.alloc_fast(size);
      if (index == 0) {
        limit = size - kGranuleBytes;
      } else {
        if (count == filled.size()) filled.resize(2 * count);
        filled[count++] = {index, size};
      }
    }
    return count;
  }
};

/// Every second granule of an arena is freed; then random blocks are replaced by ones of 1 to 3
/// granules; then come requests that no hole can meet.
struct CheckerboardTrace {
  std::uint32_t holes;
  std::vector<Replacement> replacements;  ///< Slots count blocks as they were at the beginning.
  std::uint32_t hopeless;

  CheckerboardTrace(std::uint32_t hole_count, std::uint32_t churn, std::uint32_t hopeless_count,
                    std::uint64_t seed)
      : holes(hole_count), hopeless(hopeless_count) {
    test::Random random(seed);
    for (std::uint32_t i = 0; i < churn; ++i) {
      replacements.push_back({random.below(holes), random.between(1, 3) * kGranuleBytes});
    }
  }

  /// `watch(operation)` does the operation and may measure it.
  template <class List, class Watch>
  void play(List& list, Watch watch) const {
    constexpr std::uint32_t kSize = kGranuleBytes;
    for (std::uint32_t i = 0; i < holes; ++i) {
      watch([&] { list.dealloc_fast(kSize + 2 * i * kSize, kSize); });
    }
    std::vector<Run> slots(holes);
    for (std::uint32_t i = 0; i < holes; ++i) slots[i] = {(2 + 2 * i) * kSize, kSize};
    for (const Replacement& next : replacements) {
      Run& block = slots[next.slot];
      if (block.index != 0) watch([&] { list.dealloc_fast(block.index, block.size_bytes); });
      watch([&] { block = {list.alloc_fast(next.size), next.size}; });
    }
    for (std::uint32_t i = 0; i < hopeless; ++i) {
      const std::uint32_t size = 512u << (i % 12);
      watch([&] { refused_ += list.alloc_fast(size) == 0 ? 1 : 0; });
    }
  }

  template <class List>
  [[nodiscard]] List full_list() const {
    List list(16 + std::uint64_t{holes} * 2 * kGranuleBytes);
    for (std::uint32_t i = 0; i < 2 * holes; ++i) static_cast<void>(list.alloc_fast(kGranuleBytes));
    return list;
  }

  template <class List>
  [[nodiscard]] Sample run() const {
    List list = full_list<List>();
    std::uint64_t count = 0;
    const double begin = cpu_ns();
    play(list, [&](auto operation) {
      operation();
      ++count;
    });
    const double ns = (cpu_ns() - begin) / static_cast<double>(count);
    // Of the reference, whose operations are slow enough as it is, nobody asks for the worst.
    constexpr bool kAsked = std::is_same_v<List, FreeList>;
    return {
        .ns = ns, .worst_us = kAsked ? worst_us<List>() : -1, .tables_excess = tables_excess(list)};
  }

 private:
  /// The same operations several times, each with a clock around it. What interrupts a program does
  /// not hit the same operation every time, what the list does, does: so the least of the times of
  /// an operation is its own, and the greatest of those is the worst.
  template <class List>
  [[nodiscard]] double worst_us() const {
    using Clock = std::chrono::steady_clock;
    std::vector<float> least;
    for (int replay = 0; replay < 3; ++replay) {
      List list = full_list<List>();
      std::size_t at = 0;
      play(list, [&](auto operation) {
        const auto begin = Clock::now();
        operation();
        const std::chrono::duration<float, std::micro> time = Clock::now() - begin;
        if (replay == 0) {
          least.push_back(time.count());
        } else {
          least[at] = std::min(least[at], time.count());
        }
        ++at;
      });
    }
    return static_cast<double>(*std::ranges::max_element(least));
  }

  mutable std::uint64_t refused_ = 0;
};

/// A live set that grows by a block for every three replaced, until the first refusal.
struct FillTrace {
  std::uint64_t capacity;
  Sizes sizes;
  std::uint64_t seed;

  template <class List>
  [[nodiscard]] Sample run() const {
    constexpr int kReplacedPerGrown = 3;
    test::Random random(seed);
    List list(capacity);
    std::vector<Run> live;
    std::uint64_t live_bytes = 0;
    std::uint64_t operations = 0;
    const double begin = cpu_ns();
    for (;; ++operations) {
      if (operations % (kReplacedPerGrown + 1) != 0) {
        std::swap(live[random.below(static_cast<std::uint32_t>(live.size()))], live.back());
        list.dealloc_fast(live.back().index, live.back().size_bytes);
        live_bytes -= live.back().size_bytes;
        live.pop_back();
      }
      const std::uint32_t size = sizes.draw(random);
      const std::uint32_t index = list.alloc_fast(size);
      if (index == 0) break;
      live.push_back({index, size});
      live_bytes += size;
    }
    return {.ns = (cpu_ns() - begin) / static_cast<double>(operations),
            .fill_percent = 100 * static_cast<double>(live_bytes) / list.max_size(),
            .tables_excess = tables_excess(list)};
  }
};

}  // namespace besom::bench
