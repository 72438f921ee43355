#pragma once

#include <cstdint>

#include "besom/detail/granule_bits.hpp"
#include "besom/run.hpp"
#include "freelist/bit_tree.hpp"
#include "heap/arena.hpp"

namespace besom::detail {

/// A set of granules: a bit each, and a tree over the lines that have any, so that walking it costs
/// as much as it has lines, not as much as the arena has. Takes memory only once it is reserved,
/// 1/128 of heap_max, and of that only the pages that are used.
class GranuleSet {
 public:
  /// Makes room for the granules of a heap; afterwards nothing here can fail. Fails with
  /// out_of_host_memory. Does nothing the second time.
  [[nodiscard]] Error reserve(std::uint64_t heap_max, const char* name, const System& system);
  [[nodiscard]] bool is_reserved() const noexcept { return bits_.is_created(); }

  // Preconditions: is_reserved().
  [[nodiscard]] bool contains(std::uint32_t granule) const noexcept { return bits_.test(granule); }
  void insert(std::uint32_t granule) noexcept {
    if (word_of(granule) == 0) lines_.insert(granule >> kLineShift);
    bits_.set(granule);
  }
  void erase(std::uint32_t granule) noexcept {
    bits_.clear(granule);
    if (word_of(granule) == 0) lines_.erase(granule >> kLineShift);
  }
  void clear() noexcept;

  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  /// The least member >= `from`, or kNone; kNone where no room was made.
  [[nodiscard]] std::uint32_t first_from(std::uint32_t from) const noexcept {
    if (!is_reserved() || from == kNone) return kNone;
    const std::uint32_t line = lines_.first_from(from >> kLineShift);
    if (line == BitTree::kNone) return kNone;
    std::uint64_t bits = bits_.words()[line];
    if (line == from >> kLineShift) bits &= ~std::uint64_t{0} << (from & 63u);
    if (bits != 0) return (line << kLineShift) | lowest_bit(bits);
    return first_from((line + 1) << kLineShift);
  }
  /// Visits the members in address order. `visit` may erase the one that it is given.
  template <class Visit>
  void each(Visit visit) const {
    if (!is_reserved()) return;
    for (std::uint32_t line = lines_.first_from(0); line != BitTree::kNone;
         line = lines_.first_from(line + 1)) {
      for (std::uint64_t bits = bits_.words()[line]; bits != 0; bits &= bits - 1) {
        visit((line << kLineShift) | lowest_bit(bits));
      }
    }
  }

  [[nodiscard]] std::uint64_t table_bytes() const noexcept {
    return bits_.size_bytes() + lines_.table_bytes();
  }

 private:
  [[nodiscard]] std::uint64_t word_of(std::uint32_t granule) const noexcept {
    return bits_.words()[granule >> kLineShift];
  }

  GranuleBits bits_;
  BitTree lines_;
};

}  // namespace besom::detail
