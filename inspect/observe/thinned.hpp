#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "besom/detail/zeroed_array.hpp"

namespace besom::detail {

/// The events of a run, however long that is, in a table of `kRows` rows. A row stands for one
/// event; when the table is full for two, then for four, each but the last for as many. Merging is
/// the row's: `merge(later)`.
template <class Row, std::uint32_t kRows>
class Thinned {
  static_assert(kRows % 2 == 0);

 public:
  /// False when the host has no memory.
  [[nodiscard]] bool create() noexcept { return rows_.grow(kRows); }
  /// Precondition: create(). Amortised O(1).
  void add(const Row& row) noexcept {
    if (in_last_ != each_) {
      rows_[count_ - 1].merge(row);
      ++in_last_;
      return;
    }
    if (count_ == kRows) {
      halve();
      add(row);
      return;
    }
    rows_[count_++] = row;
    in_last_ = 1;
  }
  [[nodiscard]] std::span<const Row> rows() const noexcept { return {rows_.data(), count_}; }
  /// How many events a row stands for at most.
  [[nodiscard]] std::uint64_t each() const noexcept { return each_; }

 private:
  void halve() noexcept {
    for (std::uint32_t i = 0; i < kRows / 2; ++i) {
      Row merged = rows_[2 * i];
      merged.merge(rows_[2 * i + 1]);
      rows_[i] = merged;
    }
    count_ = kRows / 2;
    each_ *= 2;
    in_last_ = each_;
  }

  ZeroedArray<Row> rows_;
  std::uint32_t count_ = 0;
  std::uint64_t each_ = 1;
  std::uint64_t in_last_ = 1;  ///< Events of the last row.
};

}  // namespace besom::detail
