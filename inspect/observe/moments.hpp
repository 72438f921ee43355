#pragma once

#include <cstdint>
#include <span>

#include "besom/detail/zeroed_array.hpp"
#include "inspect/heap_view.hpp"

namespace besom::detail {

/// What one walk over the heap saw.
struct Moment {
  enum class Why : std::uint8_t { collection, limit, end };
  static constexpr std::uint32_t kTypes = 24;
  static constexpr std::uint32_t kCells = 256;
  static constexpr std::uint32_t kLeastHoleShift = kGranuleShift;
  static constexpr std::uint32_t kHoleSizes = 33 - kLeastHoleShift;

  struct Row {
    TypeId type;
    std::uint64_t objects;
    std::uint64_t bytes;
  };
  struct Holes {
    std::uint64_t count;
    std::uint64_t bytes;
  };

  std::uint64_t at_ns;
  std::uint64_t walk_ns;
  Why why;
  bool has_dead;
  std::uint64_t number;
  std::uint64_t capacity;
  std::uint64_t live_objects;
  std::uint64_t live_bytes;
  Row census[kTypes];  ///< Those with the most bytes, the largest first.
  std::uint32_t census_rows;
  std::uint64_t other_objects;
  std::uint64_t other_bytes;
  std::uint32_t cell_shift;
  std::uint32_t cells;
  std::uint32_t strip[kCells];  ///< Bytes of objects, cell by cell.
  TypeId strip_types[kCells];   ///< Of the most of these.
  Holes holes[kHoleSizes];      ///< By the binary logarithm of their size.
};

/// Puts a moment together from the objects of a walk in address order.
class MomentTaker {
 public:
  /// `moment` is all zero.
  MomentTaker(Moment& moment, const HeapView& view) noexcept : moment_(moment), view_(view) {}

  /// False when the host has no memory.
  [[nodiscard]] bool prepare() noexcept;
  void add(Run run) noexcept;
  void finish() noexcept;

 private:
  struct Sum {
    std::uint64_t objects;
    std::uint64_t bytes;
    std::uint32_t cell;  ///< The last that it has bytes in, from 1.
    std::uint32_t in_cell;
  };
  void add_hole(std::uint32_t end) noexcept;
  void add_to_strip(Run run, TypeId type) noexcept;

  Moment& moment_;
  const HeapView& view_;
  ZeroedArray<Sum> sums_;  ///< By type.
  std::uint32_t types_ = 0;
  std::uint32_t end_ = 0;                   ///< Of all that an object may lie in.
  std::uint32_t position_ = kGranuleBytes;  ///< Where the last object ended.
  std::uint32_t cell_ = 0;                  ///< The last that an object lies in.
  std::uint32_t most_in_cell_ = 0;
};

/// The moments of a run, of which there is room for so many: when that is full every second goes.
class Moments {
 public:
  static constexpr std::uint32_t kMost = 96;

  [[nodiscard]] bool create() noexcept { return moments_.grow(kMost); }
  /// Whether one is wanted at `now`, in nanoseconds since the run began.
  [[nodiscard]] bool is_due(std::uint64_t now) const noexcept {
    return count_ == 0 || (now - last_ns_ >= apart_ns_ && now / kShare >= walked_ns_);
  }
  /// A new one, all zero, which counts from keep() on. The others stay where they are till then.
  [[nodiscard]] Moment& begin() noexcept;
  /// `moment.at_ns` and `walk_ns` are set.
  void keep(const Moment& moment) noexcept;
  [[nodiscard]] std::span<const Moment> all() const noexcept { return {moments_.data(), count_}; }

 private:
  /// Walks take a share of the run of one in so many, as long as nobody asks for more.
  static constexpr std::uint64_t kShare = 20;

  void thin() noexcept;

  ZeroedArray<Moment> moments_;
  std::uint32_t count_ = 0;
  std::uint64_t last_ns_ = 0;
  std::uint64_t apart_ns_ = 0;
  std::uint64_t walked_ns_ = 0;
};

}  // namespace besom::detail
