#pragma once

#include <cstddef>
#include <cstdint>

#include "besom/detail/granule_bits.hpp"

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
    return bits_.create(heap_max, memory);
  }
  [[nodiscard]] bool test(std::uint32_t granule) const noexcept { return bits_.test(granule); }
  void set(std::uint32_t granule) noexcept {
    bits_.set(granule);
    any_ = true;
  }
  void clear(std::uint32_t granule) noexcept { bits_.clear(granule); }
  /// Erases those of `dead`, granules of one line.
  void erase(std::uint32_t line, std::uint64_t dead) noexcept {
    if (!any_) return;
    std::uint64_t& word = bits_.words()[line];
    if ((word & dead) != 0) word &= ~dead;
  }
  /// Erases those of the granules below `end`.
  void clear_below(std::uint32_t end) noexcept {
    if (any_) bits_.clear_below(end);
  }
  /// The words by line number; nullptr where no bit was ever set.
  [[nodiscard]] const std::uint64_t* words() const noexcept {
    return any_ ? bits_.words() : nullptr;
  }
  /// Gives the memory of words back that are zero, of the granules below `end`.
  void discard_zeros(std::uint64_t end) noexcept {
    if (any_) bits_.discard_zeros_below(end);
  }
  [[nodiscard]] std::size_t size_bytes() const noexcept { return bits_.size_bytes(); }

 private:
  GranuleBits bits_;
  bool any_ = false;
};

}  // namespace besom::detail
