#pragma once

#include "freelist/free_list.hpp"

namespace besom {

/// The tests' way into a FreeList's private parts.
class FreeListTestPeer {
 public:
  /// Makes `hole`, one of the list's, its bump run.
  static void open_bump(FreeList& list, const Run& hole) {
    settle(list);
    const std::uint32_t granule = detail::to_granules(hole.index);
    const FreeList::Hole indexed = list.indexed_hole_at(granule);
    BESOM_CHECK(indexed.size == detail::to_granules(hole.size_bytes), "no such hole: index, size",
                hole.index, hole.size_bytes);
    list.absorb(indexed);
    list.map_.clear(indexed.granule);
    list.open_bump(indexed.granule, indexed.end());
  }
  /// Files the hole that the last free made under its size.
  static void file_fresh(FreeList& list) { list.file_fresh(); }
  /// Files every hole, the bump run too.
  static void settle(FreeList& list) {
    list.file_fresh();
    list.settle();
  }
  /// Where a bump allocation must stop and look for a better hole.
  static std::uint32_t bump_limit(const FreeList& list) { return detail::to_bytes(list.bump_cap_); }
  /// For tests that damage a list to see verify() find it.
  static detail::BoundaryMap& map(FreeList& list) {
    list.complete_map();
    return list.map_;
  }
  static detail::ClassIndex& small_holes(FreeList& list) { return list.small_; }
  static detail::HoleTree& large_holes(FreeList& list) { return list.large_; }
  static std::uint32_t& indexed_granules(FreeList& list) { return list.indexed_granules_; }
  static std::uint32_t& indexed_holes(FreeList& list) { return list.indexed_holes_; }
  static std::uint32_t& bump_begin(FreeList& list) { return list.bump_begin_; }
};

}  // namespace besom
