#pragma once

#include <cstdint>

#include "besom/detail/check.hpp"
#include "besom/run.hpp"

namespace besom::detail {

/// Unused blocks of 1..32 granules, a short stack for each exact size: what is left of a hole when
/// the next object does not fit. Their memory holds whatever it did.
class Bins {
 public:
  static constexpr std::uint32_t kSizes = 32;  ///< In granules, 1..kSizes.
  static constexpr std::uint32_t kMost = 64;   ///< Of one size.

  /// False, and nothing kept, where there are kMost of its size or it has more granules.
  [[nodiscard]] bool push(Run block) noexcept {
    const std::uint32_t granules = to_granules(block.size_bytes);
    BESOM_ASSERT(granules != 0);
    if (granules > kSizes || counts_[granules] == kMost) return false;
    blocks_[granules - 1][counts_[granules]++] = block.index;
    return true;
  }
  /// The index of a block of exactly `granules`, in 1..kSizes, or 0.
  [[nodiscard]] std::uint32_t pop(std::uint32_t granules) noexcept {
    BESOM_ASSERT(granules - 1 < kSizes);
    return counts_[granules] == 0 ? 0 : blocks_[granules - 1][--counts_[granules]];
  }
  /// O(kMost).
  [[nodiscard]] bool contains(Run block) const noexcept {
    const std::uint32_t granules = to_granules(block.size_bytes);
    if (granules > kSizes) return false;
    for (std::uint32_t i = 0; i < counts_[granules]; ++i) {
      if (blocks_[granules - 1][i] == block.index) return true;
    }
    return false;
  }

  /// Calls `visit(index)` for each.
  template <class Visit>
  void each(Visit visit) const {
    for (std::uint32_t granules = 1; granules <= kSizes; ++granules) {
      for (std::uint32_t i = 0; i < counts_[granules]; ++i) visit(blocks_[granules - 1][i]);
    }
  }

 private:
  std::uint8_t counts_[kSizes + 1] = {};
  std::uint32_t blocks_[kSizes][kMost];  ///< Written before they are read.
};

}  // namespace besom::detail
