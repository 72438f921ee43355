#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "besom/detail/check.hpp"
#include "besom/detail/export.h"
#include "besom/detail/zeroed_array.hpp"
#include "besom/run.hpp"

namespace besom::detail {

/// The large holes, 64 granules (1 KiB) and more, ordered by size and then by address.
///
/// A forest: one tree for each class of sizes, 64 classes an octave, so that trees are low: a sweep
/// in address order works at the right edge of each. A search that finds nothing in its own class
/// goes on to the next one used.
///
/// Each is a treap (Seidel and Aragon, "Randomized search trees", 1996). Its nodes come from a pool
/// with room for as many large holes as the arena can have, so inserting needs no memory, and few
/// holes take few cache lines wherever they lie. A node's priority is a hash of its place in the
/// pool, so that the same operations give the same trees. Insert, erase and lookup take O(log
/// holes) expected, without recursion. Granule numbers throughout. Not thread-safe.
class BESOM_API HoleTree {
 public:
  static constexpr std::uint32_t kMinGranules = kLineGranules;

  explicit HoleTree(const TableMemory& memory = {}) noexcept : nodes_(memory) {}

  [[nodiscard]] bool grow(std::uint32_t end) noexcept;

  void insert(std::uint32_t granule, std::uint32_t size) noexcept;
  void erase(std::uint32_t granule, std::uint32_t size) noexcept;

  /// The smallest hole of at least `size` granules; of equals, the one at the lowest address.
  [[nodiscard]] Hole best_fit(std::uint32_t size) const noexcept;
  [[nodiscard]] Hole largest() const noexcept;
  [[nodiscard]] bool contains(std::uint32_t granule, std::uint32_t size) const noexcept;

  [[nodiscard]] std::uint32_t count() const noexcept { return count_; }
  [[nodiscard]] std::size_t table_bytes() const noexcept { return nodes_.size_bytes(); }

 private:
  /// Links name nodes by their place in the pool + 1; 0 is no node.
  using Link = std::uint32_t;
  struct Node {
    std::uint64_t key;  ///< The hole's size, then its granule: one comparison orders both.
    Link less;          ///< In a node that is not in use, the next of those.
    Link greater;
  };
  static_assert(sizeof(Node) == 16, "1.54 % of the arena");

  static constexpr std::uint32_t kTrees = 22 * 64;  ///< Sizes of 2^6 up to 2^28.
  [[nodiscard]] static std::uint32_t tree_of(std::uint32_t size) noexcept {
    BESOM_ASSERT(size >= kMinGranules);
    const auto octave = static_cast<std::uint32_t>(std::bit_width(size)) - 7;
    return octave * 64 + ((size >> octave) & 63u);
  }
  /// The first tree from `tree` on that has a node, or kTrees.
  [[nodiscard]] std::uint32_t next_used_tree(std::uint32_t tree) const noexcept;

  [[nodiscard]] Hole hole_at(Link link) const noexcept;
  [[nodiscard]] Node& node(Link link) noexcept {
    BESOM_ASSERT(link - 1 < taken_);
    return nodes_[link - 1];
  }
  [[nodiscard]] const Node& node(Link link) const noexcept {
    BESOM_ASSERT(link - 1 < taken_);
    return nodes_[link - 1];
  }

  ZeroedArray<Node> nodes_;
  Link unused_ = 0;  ///< Nodes given back.
  Link taken_ = 0;   ///< Nodes ever taken; those after it have never been touched.
  Link roots_[kTrees] = {};
  std::uint64_t used_trees_[(kTrees + 63) / 64] = {};
  std::uint32_t count_ = 0;
};

}  // namespace besom::detail
