#pragma once

#include <cstddef>
#include <cstdint>

#include "besom/barrier.hpp"
#include "besom/detail/leaf_bits.hpp"
#include "besom/run.hpp"

namespace besom::detail {

/// The table words of one line. Bit i of `starts`: a block or a hole starts at the line's granule
/// i. Bit i of `holes`: what starts there is a hole. `holes` is a subset of `starts`.
struct Line {
  std::uint64_t starts = 0;
  std::uint64_t holes = 0;
};
static_assert(sizeof(Line) == 16, "1/64 of the arena");

/// A run that objects of one size are bump-allocated in. Their starts are written into the side
/// tables when the window is published, as one pattern: a bit per allocation would cost a quarter
/// of the allocation's time.
///
///   first        cursor                 limit
///   |obj|obj|obj |       free           |
///
/// [first, limit) is one block of the free list until then.
struct Window {
  char* cursor = nullptr;
  char* limit = nullptr;
  char* first = nullptr;

  [[nodiscard]] std::size_t room() const noexcept {
    return static_cast<std::size_t>(limit - cursor);
  }
};

/// The part of a heap's Space that allocation in the embedder's code works on: where the next
/// objects go. It is the heap's own member, so that it is found without another load; the Space
/// fills it.
struct Front {
  /// Objects of up to this many granules, 512 bytes, get windows.
  static constexpr std::uint32_t kWindowClasses = 32;

  [[nodiscard]] bool has_room(std::uint32_t granules) const noexcept {
    return static_cast<std::size_t>(limit - cursor) >= std::size_t{granules} << kGranuleShift;
  }
  /// Whether the line of the cursor has a start already, so that the tables need no more than a bit
  /// for the next. Precondition: has_room().
  [[nodiscard]] bool is_in_used_line() const noexcept {
    return lines[index_of(cursor) >> (kGranuleShift + kLineShift)].starts != 0;
  }
  /// Memory for an object, zeroed, from the hole at hand. Preconditions: has_room(),
  /// is_in_used_line().
  [[nodiscard]] char* bump(std::uint32_t granules) noexcept {
    char* const object = cursor;
    cursor = object + (std::size_t{granules} << kGranuleShift);
    const std::uint32_t granule = index_of(object) >> kGranuleShift;
    lines[granule >> kLineShift].starts |= bit(granule);
    return object;
  }

  Window windows[kWindowClasses + 1];  ///< By granules; the first is never opened.
  char* cursor = nullptr;              ///< In a hole in which objects of any size are bumped.
  char* limit = nullptr;
  char* base = nullptr;   ///< The arena's.
  Line* lines = nullptr;  ///< The free list's map.
  LeafBits leaves;
};

}  // namespace besom::detail
