#pragma once

#include <cstddef>
#include <cstdint>

#include "besom/detail/export.h"
#include "besom/detail/zeroed_array.hpp"

namespace besom::detail {

/// A set of small integers as a 64-ary tree of bitmaps: a bit on a level says that its word on the
/// level below is not zero. Four levels hold 2^24 members.
///
///   level 3  [.......................................................1]
///                                                                    |
///   level 2  [....1..................................................1]   bit = 4096 members
///   level 1  [............................1.........1................]    bit = 64 members
///   level 0  [..1...........11.......................................]    bit = member
///
/// Insert, erase and neighbour search are O(levels). Not thread-safe.
class BESOM_API BitTree {
 public:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};
  static constexpr int kLevels = 4;

  explicit BitTree(const TableMemory& memory = {}) noexcept;

  /// Makes room for members below `count`; false when the host has no memory.
  [[nodiscard]] bool grow(std::uint32_t count) noexcept;

  void insert(std::uint32_t member) noexcept;
  void erase(std::uint32_t member) noexcept;
  /// Inserts all of [first, last].
  void insert_range(std::uint32_t first, std::uint32_t last) noexcept;
  /// Erases what there is of [first, last]. O((last - first) / 64).
  void erase_range(std::uint32_t first, std::uint32_t last) noexcept;
  /// Erases all. O(members / 64).
  void clear() noexcept;
  [[nodiscard]] bool contains(std::uint32_t member) const noexcept;

  /// The least member >= `from`, or kNone.
  [[nodiscard]] std::uint32_t first_from(std::uint32_t from) const noexcept;
  /// The greatest member < `before`, or kNone.
  [[nodiscard]] std::uint32_t last_before(std::uint32_t before) const noexcept;

  [[nodiscard]] std::size_t table_bytes() const noexcept;

 private:
  void insert_from(int level, std::uint32_t member) noexcept;
  void erase_from(int level, std::uint32_t member) noexcept;

  ZeroedArray<std::uint64_t> levels_[kLevels];
};

}  // namespace besom::detail
