#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "freelist/boundary_map.hpp"
#include "freelist/run.hpp"
#include "freelist/zeroed_array.hpp"

namespace besom::detail {

/// The small holes, one class for each exact size of 1..63 granules.
///
/// A class is a set of lines: those in which a hole of that size starts. Which granule of the line
/// it is, the BoundaryMap tells. So one hole of the commonest kind costs one bit, and all classes
/// together one word a line. Each class is a 64-ary tree of bitmaps, the words of all classes for
/// the same addresses side by side, so that a sweep in address order stays in the cache:
///
///   level 0   word[line / 64][class]     bit = line
///   level 1   word[line / 4096][class]   bit = word of level 0
///   level 2   word[line / 2^18][class]   bit = word of level 1
///   level 3   word[class]                bit = word of level 2
///
/// Bits are exact, never stale: a hole that leaves looks whether its line has another of its size.
/// Granule numbers throughout. Not thread-safe.
class BESOM_API ClassIndex {
 public:
  static constexpr std::uint32_t kClasses = 64;  ///< Class 0 stays empty.

  [[nodiscard]] bool grow(std::uint32_t end) noexcept;

  /// Call after the hole's bits are set in the map.
  void insert(std::uint32_t granule, std::uint32_t size) noexcept {
    add_line(granule >> kLineShift, size);
  }
  /// Call while the hole's bits are still set in the map.
  void erase(const BoundaryMap& map, std::uint32_t granule, std::uint32_t size) noexcept {
    const std::uint32_t line = granule >> kLineShift;
    const std::uint64_t others = map.line(line).holes & ~bit(granule);
    if (others == 0 || (holes_of_size(map, line, size) & others) == 0) remove_line(line, size);
  }

  /// The least class >= `size` that has a hole, or 0.
  [[nodiscard]] std::uint32_t class_from(std::uint32_t size) const noexcept {
    const std::uint64_t classes = size < kClasses ? nonempty_ & (~std::uint64_t{0} << size) : 0;
    return classes == 0 ? 0 : static_cast<std::uint32_t>(std::countr_zero(classes));
  }
  [[nodiscard]] bool has(std::uint32_t size) const noexcept { return (nonempty_ & bit(size)) != 0; }
  /// The greatest class that has a hole, or 0.
  [[nodiscard]] std::uint32_t greatest() const noexcept {
    return nonempty_ == 0 ? 0 : 63u - static_cast<std::uint32_t>(std::countl_zero(nonempty_));
  }

  /// The hole of exactly `size` at the lowest address; the class must have one.
  [[nodiscard]] std::uint32_t lowest(const BoundaryMap& map, std::uint32_t size) const noexcept;
  /// Takes the hole of exactly `size` at the lowest address out of the index and returns it; the
  /// class must have one. The map is left to the caller.
  [[nodiscard]] std::uint32_t pop_lowest(const BoundaryMap& map, std::uint32_t size) noexcept;

  [[nodiscard]] std::size_t table_bytes() const noexcept;
  /// Aborts unless each class names exactly the lines with a hole of its size. O(lines * classes).
  void verify(const BoundaryMap& map, std::uint32_t end) const;

 private:
  /// The starts in `line` of holes of exactly `size` granules.
  [[nodiscard]] static std::uint64_t holes_of_size(const BoundaryMap& map, std::uint32_t line,
                                                   std::uint32_t size) noexcept;
  [[nodiscard]] std::uint32_t lowest_line(std::uint32_t size) const noexcept;
  void add_line(std::uint32_t line, std::uint32_t size) noexcept;
  void remove_line(std::uint32_t line, std::uint32_t size) noexcept;

  static constexpr int kLevels = 3;
  ZeroedArray<std::uint64_t> levels_[kLevels];
  std::uint64_t top_[kClasses] = {};
  std::uint64_t nonempty_ = 0;
};

}  // namespace besom::detail
