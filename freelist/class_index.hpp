#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "besom/detail/check.hpp"
#include "besom/detail/zeroed_array.hpp"
#include "besom/run.hpp"
#include "freelist/boundary_map.hpp"

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

  explicit ClassIndex(const TableMemory& memory = {}) noexcept;

  [[nodiscard]] bool grow(std::uint32_t end) noexcept;

  void insert(std::uint32_t granule, std::uint32_t size) noexcept {
    BESOM_ASSERT(is_class(size));
    const std::uint32_t line = granule >> kLineShift;
    const std::uint32_t number = line >> 6;
    std::uint64_t& word = levels_[0][word_of(number, size)];
    const bool was_empty = word == 0;
    word |= bit(line);
    if (number < front_[size]) front_[size] = number;
    if (was_empty) add_word(number, size);
  }
  /// Call while the hole's bits are still set in the map.
  void erase(const BoundaryMap& map, std::uint32_t granule, std::uint32_t size) noexcept {
    BESOM_ASSERT(is_class(size));
    BESOM_ASSERT(map.is_hole(granule));
    const std::uint32_t line = granule >> kLineShift;
    const std::uint64_t others = map.line(line).holes & ~bit(granule);
    if (others == 0 || first_of_size(map, line, size, others) == kNone) remove_line(line, size);
  }

  /// The least class >= `size` that has a hole, or 0.
  [[nodiscard]] std::uint32_t class_from(std::uint32_t size) const noexcept {
    const std::uint64_t classes = size < kClasses ? nonempty_ & (~std::uint64_t{0} << size) : 0;
    return classes == 0 ? 0 : lowest_bit(classes);
  }
  /// The greatest class that has a hole, or 0.
  [[nodiscard]] std::uint32_t greatest() const noexcept {
    return nonempty_ == 0 ? 0 : highest_bit(nonempty_);
  }

  /// Takes the hole of exactly `size` at the lowest address out of the index and returns it; the
  /// class must have one. The map is left to the caller.
  [[nodiscard]] std::uint32_t pop_lowest(const BoundaryMap& map, std::uint32_t size) noexcept;

  /// The first stretch of 64 lines, from number `from` on, in which a hole of one of `classes`
  /// starts, a bit each; kNoStretch after the last. O(stretches / 64).
  [[nodiscard]] std::uint32_t next_stretch(std::uint32_t from,
                                           std::uint64_t classes) const noexcept;
  static constexpr std::uint32_t kNoStretch = ~std::uint32_t{0};
  static constexpr std::uint32_t kStretchLines = 64;

  [[nodiscard]] std::size_t table_bytes() const noexcept;
  /// Gives the memory of what is empty in the lines below `line` back to the system, on level 0, by
  /// far the largest.
  void discard_zeros(std::uint32_t line) noexcept {
    levels_[0].discard_zeros(word_of((line + 63) >> 6, 0));
  }
  /// Aborts unless each class names exactly the lines with a hole of its size. O(lines * classes).
  void verify(const BoundaryMap& map, std::uint32_t end) const;

 private:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  [[nodiscard]] static bool is_class(std::uint32_t size) noexcept {
    return size - 1 < kClasses - 1;
  }
  /// Level 0 keeps the words of all classes for the same 64 lines side by side, and so on.
  [[nodiscard]] static std::size_t word_of(std::uint32_t number, std::uint32_t size) noexcept {
    BESOM_ASSERT(size < kClasses);
    return static_cast<std::size_t>(number) * kClasses + size;
  }
  /// The starts of `line`, and on from there, `distance` granules down; `distance` in 1..63.
  [[nodiscard]] static std::uint64_t starts_from(const BoundaryMap& map, std::uint32_t line,
                                                 std::uint32_t distance) noexcept {
    BESOM_ASSERT(is_class(distance));
    return (map.line(line).starts >> distance) | (map.line(line + 1).starts << (64 - distance));
  }
  /// The first of the holes `among` in `line` that has exactly `size` granules, or kNone.
  [[nodiscard]] static std::uint32_t first_of_size(const BoundaryMap& map, std::uint32_t line,
                                                   std::uint32_t size,
                                                   std::uint64_t among) noexcept {
    std::uint64_t candidates = among & starts_from(map, line, size);
    // The commonest wrong ones end after one granule.
    if (size > 1) candidates &= ~starts_from(map, line, 1);
    for (; candidates != 0; candidates &= candidates - 1) {
      const std::uint32_t granule = lowest_bit(candidates);
      const std::uint32_t start = (line << kLineShift) | granule;
      if (map.next_start(start) == start + size) return start;
    }
    return kNone;
  }
  /// The lowest line of the class, which must have one. Those after it are wanted soon: holes of a
  /// class lie far apart, so their lines are fetched ahead.
  [[nodiscard]] std::uint32_t lowest_line(const BoundaryMap& map, std::uint32_t size) noexcept {
    std::uint32_t number = front_[size];
    std::uint64_t word = levels_[0][word_of(number, size)];
    if (word == 0) [[unlikely]] {
      front_[size] = number = lowest_word(size);
      word = levels_[0][word_of(number, size)];
    }
    const std::uint64_t later = word & (word - 1);
    if (later != 0) map.prefetch(((number << 6) | lowest_bit(later)) << kLineShift);
    return (number << 6) | lowest_bit(word);
  }
  void remove_line(std::uint32_t line, std::uint32_t size) noexcept {
    std::uint64_t& word = levels_[0][word_of(line >> 6, size)];
    BESOM_ASSERT((word & bit(line)) != 0);
    word &= ~bit(line);
    if (word == 0) remove_word(line >> 6, size);
  }
  [[nodiscard]] std::uint32_t lowest_word(std::uint32_t size) const noexcept;
  void add_word(std::uint32_t number, std::uint32_t size) noexcept;
  void remove_word(std::uint32_t number, std::uint32_t size) noexcept;

  static constexpr int kLevels = 3;
  ZeroedArray<std::uint64_t> levels_[kLevels];
  std::uint64_t top_[kClasses] = {};
  std::uint64_t nonempty_ = 0;
  /// For each class a word of level 0 below which all are empty: allocation goes up through
  /// addresses, so the next lowest hole is mostly there.
  std::uint32_t front_[kClasses] = {};
};

}  // namespace besom::detail
