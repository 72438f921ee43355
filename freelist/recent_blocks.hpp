#pragma once

#include <cstdint>

#include "freelist/boundary_map.hpp"
#include "freelist/export.hpp"
#include "freelist/run.hpp"

namespace besom::detail {

/// The newest blocks that were cut from the bump run, whose starts the map does not show yet.
///
///   granules   |block  |block      |block  |bump run ...
///              first                       end, known to the caller
///   tags       1+2   0 1+3   0   0 1+2   0 0           (a byte each; 1 is the flag kIsStart)
///
/// A start in the map is a bit to be read, changed and written, so that allocating one block waits
/// for the store of the one before; a tag is a store alone. It also tells the size of the newest
/// block, to free it, without a search. Tags outside [first, end) are 0. The map gets the starts a
/// line at a time.
///
/// All positions and sizes are granule numbers. Not thread-safe.
class BESOM_API RecentBlocks {
 public:
  /// Adds the block [granule, granule + size), which has to begin where the newest one ends.
  void add(std::uint32_t granule, std::uint32_t size) noexcept {
    tag(granule) = static_cast<std::uint8_t>(size | kIsStart);
  }
  /// Whether a block of `size` begins at `granule`, which lies below `end` by `size`. Says no for
  /// all of kMaxSize and more.
  [[nodiscard]] bool has(std::uint32_t granule, std::uint32_t size) const noexcept {
    return tags_[granule % kTags] == size + kIsStart;
  }
  void remove(std::uint32_t granule) noexcept { tag(granule) = 0; }

  [[nodiscard]] std::uint32_t first() const noexcept { return first_; }
  /// There are none, and the next one begins at `first`.
  void restart(std::uint32_t first) noexcept {
    first_ = first;
    step_ = steps_end_ = 0;
  }
  /// There are none, and all those up to `limit` will have `size`: they need no tags.
  void repeat(std::uint32_t size, std::uint32_t limit) noexcept {
    step_ = size;
    steps_end_ = first_ + (limit - first_) / size * size;
  }
  /// Where the blocks of one size end at most; below all granules when there are tags.
  [[nodiscard]] std::uint32_t steps_end() const noexcept { return steps_end_; }
  [[nodiscard]] std::uint32_t step() const noexcept { return step_; }
  /// Where the next blocks may lie at most.
  [[nodiscard]] std::uint32_t limit() const noexcept {
    return (first_ & ~(kLineGranules - 1)) + kTags;
  }

  /// The map gets the starts of all blocks in [first(), end); the next block begins at `end`.
  void write_to(BoundaryMap& map, std::uint32_t end) noexcept;
  /// The reverse, when there are none: takes the blocks of some lines below `end` out of the map.
  /// The run below the first of them is a block as well. False when no such block is near.
  [[nodiscard]] bool take_from(BoundaryMap& map, std::uint32_t end) noexcept;

  static constexpr std::uint32_t kMaxSize = 128;

 private:
  static constexpr std::uint32_t kIsStart = 128;
  static constexpr std::uint32_t kTags = 512;
  static constexpr std::uint32_t kLinesTaken = 4;

  [[nodiscard]] std::uint8_t& tag(std::uint32_t granule) noexcept { return tags_[granule % kTags]; }

  std::uint32_t first_ = 1;
  std::uint32_t step_ = 0;
  std::uint32_t steps_end_ = 0;
  alignas(64) std::uint8_t tags_[kTags] = {};
};

}  // namespace besom::detail
