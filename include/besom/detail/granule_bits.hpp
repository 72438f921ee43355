#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "besom/detail/check.hpp"
#include "besom/detail/zeroed_array.hpp"
#include "besom/run.hpp"

namespace besom::detail {

/// One bit a granule, outside the arena; a word has those of one line. Costs 1/128 of heap_max in
/// address space, and of that only the pages that are written. Granule numbers are below those of
/// heap_max. Not thread-safe.
class GranuleBits {
 public:
  /// Makes room for the granules of a heap. Takes host memory; false, with errno set, when there is
  /// none. Call it once.
  [[nodiscard]] bool create(std::uint64_t heap_max, const TableMemory& memory) noexcept {
    words_ = ZeroedArray<std::uint64_t>(memory);
    // A line beyond the last: a sweep reads the one of the sentinel behind the last granule.
    return words_.grow((heap_max >> (kGranuleShift + kLineShift)) + 2);
  }
  /// Whether there is room.
  [[nodiscard]] bool is_created() const noexcept { return words_.size() != 0; }

  [[nodiscard]] bool test(std::uint32_t granule) const noexcept {
    BESOM_ASSERT(granule >> kLineShift < words_.size());
    return (words_[granule >> kLineShift] & bit(granule)) != 0;
  }
  void set(std::uint32_t granule) noexcept {
    BESOM_ASSERT(granule >> kLineShift < words_.size());
    words_[granule >> kLineShift] |= bit(granule);
  }
  void clear(std::uint32_t granule) noexcept {
    BESOM_ASSERT(granule >> kLineShift < words_.size());
    words_[granule >> kLineShift] &= ~bit(granule);
  }
  /// Clears the bits of all granules below `end`, and the others of its line.
  void clear_below(std::uint32_t end) noexcept {
    BESOM_ASSERT(end >> kLineShift < words_.size());
    std::memset(words_.data(), 0, ((std::size_t{end} >> kLineShift) + 1) * sizeof(std::uint64_t));
  }
  /// Clears those of the lines [first, end).
  void clear_lines(std::uint32_t first, std::uint32_t end) noexcept {
    BESOM_ASSERT(end <= words_.size());
    if (first < end) std::memset(words_.data() + first, 0, (end - first) * sizeof(std::uint64_t));
  }
  /// Gives the pages back to the system that say nothing of the granules below `end`.
  void discard_zeros_below(std::uint64_t end) noexcept { words_.discard_zeros(end >> kLineShift); }

  /// The words by line number.
  [[nodiscard]] std::uint64_t* words() noexcept { return words_.data(); }
  [[nodiscard]] const std::uint64_t* words() const noexcept { return words_.data(); }
  [[nodiscard]] std::size_t size_bytes() const noexcept { return words_.size_bytes(); }

 private:
  ZeroedArray<std::uint64_t> words_;
};

}  // namespace besom::detail
