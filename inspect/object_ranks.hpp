#pragma once

#include <cstdint>

#include "besom/detail/zeroed_array.hpp"
#include "freelist/boundary_map.hpp"

namespace besom::detail {

/// The number of an object among all objects in address order. Counts the objects before each
/// stretch of 16 KiB once, in four bytes of host memory for each; the rest is counted in the
/// boundary bits when it is asked for.
///
/// Good while nothing is allocated or freed.
class ObjectRanks {
 public:
  /// For the objects below granule `end`. False when the host has no memory. O(lines).
  [[nodiscard]] bool create(const BoundaryMap& map, std::uint32_t end) noexcept {
    lines_ = map.lines();
    const std::uint32_t end_line = end >> kLineShift;
    if (!before_.grow((end_line >> kStretchShift) + 1)) return false;
    for (std::uint32_t line = 0; line < end_line; ++line) {
      if (line % kStretchLines == 0) before_[line >> kStretchShift] = count_;
      count_ += count_in(line, ~std::uint64_t{0});
    }
    if (end_line % kStretchLines == 0) before_[end_line >> kStretchShift] = count_;
    count_ += count_in(end_line, bit(end) - 1);
    return true;
  }
  [[nodiscard]] std::uint32_t count() const noexcept { return count_; }
  /// From 0. An object starts at `granule`. Looks at no more than 16 lines.
  [[nodiscard]] std::uint32_t rank_of(std::uint32_t granule) const noexcept {
    const std::uint32_t line = granule >> kLineShift;
    std::uint32_t rank = before_[line >> kStretchShift];
    for (std::uint32_t i = line & ~(kStretchLines - 1); i < line; ++i) {
      rank += count_in(i, ~std::uint64_t{0});
    }
    return rank + count_in(line, bit(granule) - 1);
  }

 private:
  static constexpr unsigned kStretchShift = 4;
  static constexpr std::uint32_t kStretchLines = 1u << kStretchShift;

  [[nodiscard]] std::uint32_t count_in(std::uint32_t line, std::uint64_t granules) const noexcept {
    return count_bits(lines_[line].starts & ~lines_[line].holes & granules);
  }

  const Line* lines_ = nullptr;
  ZeroedArray<std::uint32_t> before_;
  std::uint32_t count_ = 0;
};

}  // namespace besom::detail
