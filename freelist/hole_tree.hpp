#pragma once

#include <cstddef>
#include <cstdint>

#include "freelist/boundary_map.hpp"
#include "freelist/export.hpp"
#include "freelist/run.hpp"
#include "freelist/zeroed_array.hpp"

namespace besom::detail {

/// The large holes, 64 granules (1 KiB) and more, ordered by size and then by address.
///
/// A treap (Seidel and Aragon, "Randomized search trees", 1996) whose nodes lie in a table with
/// one entry a line: holes this large start at most once in a line, so the line is the node's name
/// and inserting needs no memory. Priorities are a hash of the line, so that the same operations
/// give the same tree. Insert, erase and lookup take O(log holes) expected, without recursion.
/// Granule numbers throughout. Not thread-safe.
class BESOM_API HoleTree {
 public:
  static constexpr std::uint32_t kMinGranules = kLineGranules;

  struct Hole {
    std::uint32_t granule = 0;
    std::uint32_t size = 0;  ///< 0: no such hole.
  };

  [[nodiscard]] bool grow(std::uint32_t end) noexcept;

  void insert(std::uint32_t granule, std::uint32_t size) noexcept;
  void erase(std::uint32_t granule, std::uint32_t size) noexcept;

  /// The smallest hole of at least `size` granules; of equals, the one at the lowest address.
  [[nodiscard]] Hole best_fit(const BoundaryMap& map, std::uint32_t size) const noexcept;
  [[nodiscard]] Hole largest(const BoundaryMap& map) const noexcept;
  [[nodiscard]] bool contains(std::uint32_t granule, std::uint32_t size) const noexcept;

  [[nodiscard]] std::uint32_t count() const noexcept { return count_; }
  [[nodiscard]] std::size_t table_bytes() const noexcept { return nodes_.size_bytes(); }

 private:
  /// Links name nodes by line + 1; 0 is no node.
  using Link = std::uint32_t;
  struct Node {
    Link less;
    Link greater;
    std::uint32_t size;
  };
  static_assert(sizeof(Node) == 12, "1.2 % of the arena");

  [[nodiscard]] Hole hole_at(const BoundaryMap& map, Link link) const noexcept;
  [[nodiscard]] Node& node(Link link) noexcept { return nodes_[link - 1]; }
  [[nodiscard]] const Node& node(Link link) const noexcept { return nodes_[link - 1]; }

  ZeroedArray<Node> nodes_;
  Link root_ = 0;
  std::uint32_t count_ = 0;
};

}  // namespace besom::detail
