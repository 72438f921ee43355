#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "freelist/free_list.hpp"

namespace besom::test {

/// Free lists as text, a granule each:
///
///   "..##==.###.."    '.'  free
///                     else taken: neighbours of the same character are one block
///
/// picture() writes blocks as '#' and, where one directly follows another, '=' in turn, so that a
/// drawing which keeps to that comes back as it was. Place 0 is the first granule that can be
/// allocated, at index 16.

/// The index of place `place` of a picture.
[[nodiscard]] constexpr std::uint32_t granule(std::uint32_t place) {
  return (place + 1) * FreeList::kAlign;
}
[[nodiscard]] constexpr std::uint32_t granules(std::uint32_t count) {
  return count * FreeList::kAlign;
}

/// The list that `drawing` shows.
[[nodiscard]] FreeList from_picture(std::string_view drawing);

[[nodiscard]] std::string picture(const FreeList& list);

/// The blocks of a drawing in address order.
[[nodiscard]] std::vector<Run> blocks_of(std::string_view drawing);

/// Holes in address order, whatever the order in which the list names them.
template <class List>
[[nodiscard]] std::vector<Run> sorted_holes(const List& list) {
  std::vector<Run> holes;
  for (const Run& hole : list.free_blocks()) holes.push_back(hole);
  std::ranges::sort(holes, {}, &Run::index);
  return holes;
}

}  // namespace besom::test
