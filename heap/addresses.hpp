#pragma once

#include <cstdint>

#include "heap/boxes.hpp"
#include "heap/space.hpp"

namespace besom::detail {

/// What 64-bit words mean as addresses in one arena. Reads the side tables and nothing else, so any
/// word may be asked about. Good between Space::conceal_unused() and reveal_unused().
class Addresses {
 public:
  /// No index: those are multiples of 16.
  static constexpr std::uint32_t kOutside = ~std::uint32_t{0};
  /// Objects start at multiples of 16, so that a pointer has four bits for tags.
  static constexpr std::uint64_t kTagBits = kGranuleBytes - 1;

  Addresses() = default;
  explicit Addresses(const Space& space) noexcept
      : base_(reinterpret_cast<std::uintptr_t>(space.base())),
        capacity_(space.capacity()),
        end_(to_granules(space.free_list().used_end())),
        map_(&space.free_list().map()) {}

  /// The index that a pointer names, tags apart, or kOutside. Null lies outside.
  [[nodiscard]] std::uint32_t index_of_pointer(std::uint64_t word) const noexcept {
    const std::uint64_t offset = (word & ~kTagBits) - base_;
    return offset < capacity_ ? static_cast<std::uint32_t>(offset) : kOutside;
  }
  /// The index that a box names, or kOutside: of what is no ref, of null, and of addresses outside.
  [[nodiscard]] std::uint32_t index_of_box(const BoxDecoder& box,
                                           std::uint64_t word) const noexcept {
    if (!box.is_ref(word)) return kOutside;
    const std::uint64_t payload = box.payload(word);
    if (box.is_address) return index_of_pointer(payload);
    return payload == 0 ? kOutside : static_cast<std::uint32_t>(payload);
  }
  /// The object that the address lies in, or 0.
  [[nodiscard]] std::uint32_t object_around(std::uint64_t word) const noexcept {
    const std::uint64_t offset = word - base_;
    if (offset >= capacity_) return 0;
    const auto granule = static_cast<std::uint32_t>(offset >> kGranuleShift);
    if (granule == 0 || granule >= end_) return 0;
    const std::uint32_t start = map_->is_start(granule) ? granule : map_->prev_start(granule);
    return start != BoundaryMap::kNone && map_->is_block(start) ? to_bytes(start) : 0;
  }
  /// Calls `visit(index)` for the object that an interior word lies in, or for each that an
  /// ambiguous one may name: by its address, or by its index in either half.
  template <class Visit>
  void each_object_in(WordKind kind, std::uint64_t word, Visit visit) const {
    if (const std::uint32_t index = object_around(word)) visit(index);
    if (kind != WordKind::ambiguous) return;
    for (const std::uint64_t half : {word & 0xffffffff, word >> 32}) {
      const auto index = static_cast<std::uint32_t>(half);
      if (is_object(index)) visit(index);
    }
  }
  [[nodiscard]] const char* base() const noexcept { return reinterpret_cast<const char*>(base_); }
  /// Whether an object starts at `index`, which may be any number.
  [[nodiscard]] bool is_object(std::uint32_t index) const noexcept {
    const std::uint32_t granule = index >> kGranuleShift;
    return index % kGranuleBytes == 0 && granule != 0 && granule < end_ && map_->is_block(granule);
  }

 private:
  std::uint64_t base_ = 0;
  std::uint64_t capacity_ = 0;
  std::uint32_t end_ = 0;  ///< The first granule above all objects.
  const BoundaryMap* map_ = nullptr;
};

}  // namespace besom::detail
