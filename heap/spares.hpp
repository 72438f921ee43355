#pragma once

#include <cstdint>
#include <utility>

#include "freelist/free_list.hpp"
#include "freelist/zeroed_array.hpp"

namespace besom::detail {

/// Zeroed blocks that wait to become objects. They come out of the free list a stretch of the arena
/// at a time, so that what is allocated one after the other lies close together, whatever its
/// sizes: its memory is cleared in one pass, and few pages and table lines are in use at a time.
///
///   ready   a stack for each of the small sizes, which allocation pops inline
///   stock   a list for each size of 1..63 granules, from which the stacks are filled
///
/// What lies between two allocations decides how many cache misses of the program overlap: hence
/// the stacks, which move all else into bursts.
///
/// Holds numbers only, of a fixed count.
class Spares {
 public:
  static constexpr std::uint32_t kReadySizes = 32;  ///< In granules, 1..kReadySizes.
  static constexpr std::uint32_t kReady = 64;       ///< Of one size.
  static constexpr std::uint32_t kSizes = 63;
  /// With this many of a size in stock no more of it are wanted.
  static constexpr std::uint32_t kEnough = 64;

  /// Takes host memory; false when there is none.
  [[nodiscard]] bool create() noexcept {
    if (!slots_.grow((kReadySizes + 1) * kStride) || !nodes_.grow(kNodes + 1) ||
        !incoming_.grow(FreeList::Stretch::kMost)) {
      return false;
    }
    for (std::uint32_t size = 0; size <= kReadySizes; ++size) {
      tops_[size] = parked_[size] = bottom(size);
    }
    return true;
  }

  /// The index of a ready block of exactly `granules`, in 1..kReadySizes, or 0.
  [[nodiscard]] std::uint32_t take(std::uint32_t granules) noexcept {
    std::uint32_t* top = tops_[granules];
    const std::uint32_t index = *top;
    if (index != 0) [[likely]]
      tops_[granules] = top - 1;
    return index;
  }
  /// Makes a block ready. Precondition: fewer than kReady of its size are.
  void make_ready(std::uint32_t index, std::uint32_t granules) noexcept {
    *++tops_[granules] = index;
  }
  [[nodiscard]] std::uint32_t ready(std::uint32_t granules) const noexcept {
    return static_cast<std::uint32_t>(tops_[granules] - bottom(granules));
  }

  [[nodiscard]] bool has(std::uint32_t granules) const noexcept { return first_[granules] != 0; }
  /// The least size in stock of at least `granules`, or 0.
  [[nodiscard]] std::uint32_t size_from(std::uint32_t granules) const noexcept {
    const std::uint64_t fitting = sizes_ & (~std::uint64_t{0} << granules);
    return fitting == 0 ? 0 : lowest_bit(fitting);
  }
  [[nodiscard]] std::uint32_t stock_bytes() const noexcept { return granules_ << kGranuleShift; }
  /// The sizes of which there is not enough in stock, a bit each.
  [[nodiscard]] std::uint64_t wanted() const noexcept { return wanted_; }
  [[nodiscard]] bool has_room_for(std::uint32_t count) const noexcept {
    return count <= kNodes - total_;
  }

  /// Puts a block in stock. Precondition: has_room_for(1).
  void push(std::uint32_t index, std::uint32_t granules) noexcept {
    std::uint32_t number = unused_;
    if (number != 0) {
      unused_ = nodes_[number].next;
    } else {
      number = ++used_nodes_;
    }
    nodes_[number] = {index, first_[granules]};
    first_[granules] = number;
    sizes_ |= bit(granules);
    if (++counts_[granules] == kEnough) wanted_ &= ~bit(granules);
    granules_ += granules;
    ++total_;
  }
  /// Takes a block of `granules` from stock. Precondition: has(granules).
  [[nodiscard]] std::uint32_t pop(std::uint32_t granules) noexcept {
    const std::uint32_t number = first_[granules];
    Node& node = nodes_[number];
    first_[granules] = node.next;
    node.next = unused_;
    unused_ = number;
    if (first_[granules] == 0) sizes_ &= ~bit(granules);
    if (counts_[granules]-- == kEnough) wanted_ |= bit(granules);
    granules_ -= granules;
    --total_;
    return node.index;
  }

  /// Room for a stretch's holes on their way into stock.
  [[nodiscard]] Run* incoming() noexcept { return &incoming_[0]; }

  /// Until it is called again no block is ready: what was is kept apart.
  void park() noexcept {
    for (std::uint32_t size = 0; size <= kReadySizes; ++size) {
      std::swap(tops_[size], parked_[size]);
    }
  }
  /// Calls `visit(index)` for each but the parked.
  template <class Visit>
  void each(Visit visit) const {
    for (std::uint32_t size = 1; size <= kReadySizes; ++size) {
      for (const std::uint32_t* slot = tops_[size]; *slot != 0; --slot) visit(*slot);
    }
    for (std::uint32_t size = 1; size <= kSizes; ++size) {
      for (std::uint32_t n = first_[size]; n != 0; n = nodes_[n].next) visit(nodes_[n].index);
    }
  }
  /// Whether the block is one of them. O(blocks of its size).
  [[nodiscard]] bool contains(Run block) const noexcept {
    const std::uint32_t granules = block.size_bytes >> kGranuleShift;
    if (granules > kSizes) return false;
    if (granules <= kReadySizes) {
      for (const std::uint32_t* slot = tops_[granules]; *slot != 0; --slot) {
        if (*slot == block.index) return true;
      }
    }
    std::uint32_t number = first_[granules];
    while (number != 0 && nodes_[number].index != block.index) number = nodes_[number].next;
    return number != 0;
  }

 private:
  static constexpr std::uint32_t kStride = kReady + 1;
  static constexpr std::uint32_t kNodes = 8192;
  struct Node {
    std::uint32_t index;
    std::uint32_t next;  ///< A node's number; 0: none.
  };

  /// Below the first slot of a size lies a 0, which ends its stack.
  [[nodiscard]] std::uint32_t* bottom(std::uint32_t granules) noexcept {
    return &slots_[granules * kStride];
  }
  [[nodiscard]] const std::uint32_t* bottom(std::uint32_t granules) const noexcept {
    return &slots_[granules * kStride];
  }

  std::uint32_t* tops_[kReadySizes + 1] = {};
  std::uint32_t* parked_[kReadySizes + 1] = {};
  ZeroedArray<std::uint32_t> slots_;

  std::uint64_t sizes_ = 0;  ///< Bit n: there are some of n granules in stock.
  std::uint64_t wanted_ = ~std::uint64_t{1};
  std::uint32_t granules_ = 0;
  std::uint32_t total_ = 0;
  std::uint32_t unused_ = 0;
  std::uint32_t used_nodes_ = 0;
  std::uint32_t first_[kSizes + 1] = {};
  std::uint32_t counts_[kSizes + 1] = {};
  ZeroedArray<Node> nodes_;
  ZeroedArray<Run> incoming_;
};

}  // namespace besom::detail
