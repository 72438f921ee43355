#pragma once

#include <cstdint>
#include <cstring>

#include "besom/detail/zeroed_array.hpp"
#include "besom/run.hpp"

namespace besom::detail {

/// Which objects are known to hold no refs, a bit for each granule, at the object's first. Marking
/// has no need of their memory then, in which it would wait for the header.
///
/// A hint: generated code does not set it, and what waits for an object during marking takes it
/// away. But a bit that is set is true, whatever the object's header says by now: the sweep erases
/// the bits of the dead.
class LeafBits {
 public:
  /// Takes host memory; false when there is none.
  [[nodiscard]] bool create(std::uint64_t heap_max, const TableMemory& memory) noexcept {
    words_ = ZeroedArray<std::uint64_t>(memory);
    return words_.grow((heap_max >> (kGranuleShift + kLineShift)) + 2);
  }
  [[nodiscard]] bool test(std::uint32_t granule) const noexcept {
    return (words_[granule >> kLineShift] & bit(granule)) != 0;
  }
  void set(std::uint32_t granule) noexcept {
    words_[granule >> kLineShift] |= bit(granule);
    any_ = true;
  }
  void clear(std::uint32_t granule) noexcept { words_[granule >> kLineShift] &= ~bit(granule); }
  /// Erases those of `dead`, granules of one line.
  void erase(std::uint32_t line, std::uint64_t dead) noexcept {
    if (any_ && (words_[line] & dead) != 0) words_[line] &= ~dead;
  }
  /// Erases those of the granules below `end`.
  void clear_below(std::uint32_t end) noexcept {
    if (any_) std::memset(&words_[0], 0, ((std::size_t{end} >> kLineShift) + 1) * sizeof words_[0]);
  }
  /// The words by line number; nullptr where no bit was ever set.
  [[nodiscard]] const std::uint64_t* words() const noexcept {
    return any_ ? words_.data() : nullptr;
  }
  /// Gives the memory of words back that are zero, of the granules below `end`.
  void discard_zeros(std::uint64_t end) noexcept {
    if (any_) words_.discard_zeros(end >> kLineShift);
  }
  [[nodiscard]] std::size_t size_bytes() const noexcept { return words_.size_bytes(); }

 private:
  ZeroedArray<std::uint64_t> words_;
  bool any_ = false;
};

}  // namespace besom::detail
