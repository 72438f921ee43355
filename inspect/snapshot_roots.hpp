#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "besom/detail/zeroed_array.hpp"
#include "inspect/heap_view.hpp"
#include "inspect/snapshot_strings.hpp"

namespace besom::detail {

/// One root that refers to an object.
struct RootEdge {
  std::uint32_t target;
  std::uint32_t name;  ///< Number of a string.
  std::uint8_t group;
  bool is_weak;
};

/// The roots of a snapshot, by group. They are read once, as a stack that is searched for roots
/// looks different at each look. Takes 12 bytes of host memory a root, doubled as they come.
class SnapshotRoots {
 public:
  /// False when the host has no memory. Labels are added to `strings`.
  [[nodiscard]] bool gather(const HeapView& view, SnapshotStrings& strings) noexcept;

  [[nodiscard]] std::span<const RootEdge> edges() const noexcept { return {edges_.data(), count_}; }
  [[nodiscard]] std::uint64_t edges_of(std::uint32_t group) const noexcept {
    return edges_in_[group];
  }
  [[nodiscard]] std::uint64_t bad_refs() const noexcept { return bad_refs_; }

 private:
  bool add(const RootEdge& edge) noexcept;

  ZeroedArray<RootEdge> edges_;
  std::size_t count_ = 0;
  std::uint64_t edges_in_[SnapshotStrings::kGroups] = {};
  std::uint64_t bad_refs_ = 0;
};

}  // namespace besom::detail
