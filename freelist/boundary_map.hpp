#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "besom/detail/check.hpp"
#include "besom/detail/export.h"
#include "besom/detail/front.hpp"
#include "besom/detail/zeroed_array.hpp"
#include "besom/run.hpp"
#include "freelist/bit_tree.hpp"

namespace besom::detail {

/// Where blocks and holes begin, for every granule of the index space.
///
///   granules   0   1   2   3   4   5   6   7   8
///             |nil|block  |hole   |block          |end
///   starts      .   1   .   1   .   1   .   .   1        (bit `end` is a sentinel, always set)
///   holes       .   .   .   1   .   .   .   .   .
///
/// A run extends up to the next start, so an operation writes two bits however large its run is,
/// and `is_block(i) && next_start(i) == i + n` holds for exactly the live blocks: that one test
/// tells a right free from every wrong one. A tree over the lines that have any start keeps the
/// search for the next one at O(1) across large runs.
///
/// All arguments and results are granule numbers. Not thread-safe.
class BESOM_API BoundaryMap {
 public:
  static constexpr std::uint32_t kNone = BitTree::kNone;

  explicit BoundaryMap(const TableMemory& memory = {}) noexcept
      : lines_(memory), used_lines_(memory) {}

  /// Makes room for granules up to and including `end`; false when the host has no memory.
  [[nodiscard]] bool grow(std::uint32_t end) noexcept;

  /// Brings the granule's line into the cache.
  void prefetch(std::uint32_t granule) const noexcept {
    __builtin_prefetch(&lines_[granule >> kLineShift], 1);
  }
  /// For who sets starts without a call. Invalidated by grow().
  [[nodiscard]] Line* lines() noexcept { return lines_.data(); }
  [[nodiscard]] bool is_start(std::uint32_t granule) const noexcept {
    BESOM_ASSERT(has_line(granule));
    return (lines_[granule >> kLineShift].starts & bit(granule)) != 0;
  }
  [[nodiscard]] bool is_hole(std::uint32_t granule) const noexcept {
    BESOM_ASSERT(has_line(granule));
    return (lines_[granule >> kLineShift].holes & bit(granule)) != 0;
  }
  [[nodiscard]] bool is_block(std::uint32_t granule) const noexcept {
    BESOM_ASSERT(has_line(granule));
    const Line& line = lines_[granule >> kLineShift];
    return (line.starts & ~line.holes & bit(granule)) != 0;
  }

  void set_start(std::uint32_t granule) noexcept {
    BESOM_ASSERT(has_line(granule));
    std::uint64_t& starts = lines_[granule >> kLineShift].starts;
    const bool was_empty = starts == 0;
    starts |= bit(granule);
    if (was_empty) [[unlikely]]
      used_lines_.insert(granule >> kLineShift);
  }
  void set_hole(std::uint32_t granule) noexcept {
    set_start(granule);
    lines_[granule >> kLineShift].holes |= bit(granule);
  }
  /// The hole at `granule` becomes a block; its start stays.
  void hole_to_block(std::uint32_t granule) noexcept {
    BESOM_ASSERT(is_start(granule) && is_hole(granule));
    lines_[granule >> kLineShift].holes &= ~bit(granule);
  }
  /// The block at `granule` becomes a hole; its start stays.
  void block_to_hole(std::uint32_t granule) noexcept {
    BESOM_ASSERT(is_block(granule));
    lines_[granule >> kLineShift].holes |= bit(granule);
  }
  /// The same for all that start in a line, a bit for each.
  void holes_to_blocks(std::uint32_t line, std::uint64_t holes) noexcept {
    BESOM_ASSERT((holes & ~lines_[line].holes) == 0);
    lines_[line].holes &= ~holes;
  }
  void blocks_to_holes(std::uint32_t line, std::uint64_t blocks) noexcept {
    BESOM_ASSERT((blocks & ~(lines_[line].starts & ~lines_[line].holes)) == 0);
    lines_[line].holes |= blocks;
  }
  void clear(std::uint32_t granule) noexcept {
    BESOM_ASSERT(has_line(granule));
    Line& line = lines_[granule >> kLineShift];
    line.holes &= ~bit(granule);
    line.starts &= ~bit(granule);
    if (line.starts == 0) [[unlikely]]
      used_lines_.erase(granule >> kLineShift);
  }

  /// Sets starts at first, first + step, ... below `end`. No run starts in (first, end) yet.
  void set_starts(std::uint32_t first, std::uint32_t end, std::uint32_t step) noexcept;
  /// Clears every start in [first, end), all of which must be blocks; aborts on a hole.
  void clear_blocks(std::uint32_t first, std::uint32_t end) noexcept;

  /// The least start > `granule`; the sentinel bounds the search.
  [[nodiscard]] std::uint32_t next_start(std::uint32_t granule) const noexcept {
    BESOM_ASSERT(has_line(granule + kLineGranules));
    const std::uint32_t line = granule >> kLineShift;
    const std::uint64_t after = lines_[line].starts & (~std::uint64_t{1} << (granule & 63u));
    if (after != 0) [[likely]]
      return (line << kLineShift) | lowest_bit(after);
    const std::uint64_t next = lines_[line + 1].starts;
    if (next != 0) [[likely]]
      return ((line + 1) << kLineShift) | lowest_bit(next);
    return next_start_beyond(line + 1);
  }
  /// The greatest start < `granule`, or kNone.
  [[nodiscard]] std::uint32_t prev_start(std::uint32_t granule) const noexcept {
    BESOM_ASSERT(has_line(granule));
    const std::uint32_t line = granule >> kLineShift;
    const std::uint64_t below = lines_[line].starts & (bit(granule) - 1);
    if (below != 0) [[likely]]
      return (line << kLineShift) | highest_bit(below);
    if (line == 0) return kNone;
    const std::uint64_t prev = lines_[line - 1].starts;
    if (prev != 0) [[likely]]
      return ((line - 1) << kLineShift) | highest_bit(prev);
    return prev_start_before(line - 1);
  }

  /// The first hole that starts at `granule` or above, or kNone. `granule` is at most the
  /// sentinel's.
  [[nodiscard]] std::uint32_t next_hole(std::uint32_t granule) const noexcept;

  [[nodiscard]] const Line& line(std::uint32_t number) const noexcept { return lines_[number]; }
  [[nodiscard]] const Line* lines() const noexcept { return lines_.data(); }
  /// The first line from `line` on that has a start; kNone when there is none. `line` is at most
  /// one beyond the sentinel's.
  [[nodiscard]] std::uint32_t next_used_line(std::uint32_t line) const noexcept {
    BESOM_ASSERT(line < lines_.size());
    return lines_[line].starts != 0 ? line : used_lines_.first_from(line);
  }
  [[nodiscard]] std::size_t table_bytes() const noexcept {
    return lines_.size_bytes() + used_lines_.table_bytes();
  }
  /// Gives the memory of empty lines below `line` back to the system.
  void discard_zeros(std::uint32_t line) noexcept { lines_.discard_zeros(line); }
  /// Aborts unless the tree names exactly the lines that have a start. O(lines).
  void verify(std::uint32_t end) const;

 private:
  [[nodiscard]] bool has_line(std::uint32_t granule) const noexcept {
    return granule >> kLineShift < lines_.size();
  }
  [[nodiscard]] std::uint32_t next_start_beyond(std::uint32_t line) const noexcept;
  [[nodiscard]] std::uint32_t prev_start_before(std::uint32_t line) const noexcept;

  ZeroedArray<Line> lines_;
  BitTree used_lines_;
};

}  // namespace besom::detail
