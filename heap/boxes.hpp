#pragma once

#include <bit>
#include <cstdint>

#include "besom/type.hpp"

namespace besom::detail {

/// A BoxFormat made ready for marking: which bits of a word are a ref's, and how far they are
/// turned to give an index or address. All zero where a type has no boxes.
struct BoxDecoder {
  [[nodiscard]] static BoxDecoder of(const BoxFormat& format) noexcept {
    return {.mask = format.mask,
            .tag = format.tag,
            .bits = format.payload_bits(),
            .turn = format.shift,
            .is_address = format.payload == BoxPayload::address};
  }

  [[nodiscard]] bool is_ref(std::uint64_t word) const noexcept { return (word & mask) == tag; }
  /// The index or address of a word that is a ref, its low four bits zero. None of `bits` turns
  /// round the word's end, so that one turn is a shift to either side.
  [[nodiscard]] std::uint64_t payload(std::uint64_t word) const noexcept {
    return std::rotr(word & bits, turn);
  }

  std::uint64_t mask;
  std::uint64_t tag;
  std::uint64_t bits;
  std::int32_t turn;
  bool is_address;
};

}  // namespace besom::detail
