#pragma once

#include "freelist/free_list.hpp"

namespace besom {

/// For tests that damage a list to see verify() find it.
class FreeListTestPeer {
 public:
  static detail::BoundaryMap& map(FreeList& list) { return list.map_; }
  static detail::ClassIndex& small_holes(FreeList& list) { return list.small_; }
  static detail::HoleTree& large_holes(FreeList& list) { return list.large_; }
  static std::uint32_t& free_granules(FreeList& list) { return list.free_granules_; }
  static std::uint32_t& hole_count(FreeList& list) { return list.hole_count_; }
};

}  // namespace besom
