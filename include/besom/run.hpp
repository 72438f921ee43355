#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace besom {

/// The unit of allocation. Every block and hole starts at, and spans, a multiple of it.
inline constexpr std::uint32_t kGranuleBytes = 16;
/// Bytes shifted right by it are granules.
inline constexpr unsigned kGranuleShift = 4;

/// A half-open span of bytes `[index, index + size_bytes)` in the 32-bit index space, both
/// multiples of kGranuleBytes.
struct Run {
  std::uint32_t index = 0;       ///< Of its first byte.
  std::uint32_t size_bytes = 0;  ///< 0: there is none.

  /// Index of the byte behind it.
  [[nodiscard]] std::uint32_t end() const noexcept { return index + size_bytes; }
  friend bool operator==(const Run&, const Run&) = default;
};

namespace detail {

/// Sixty-four granules, 1 KiB of arena: what one table word describes.
inline constexpr unsigned kLineShift = 6;
inline constexpr std::uint32_t kLineGranules = 1u << kLineShift;

/// Bytes to granules by rotation: a size or index that is no multiple of 16 comes out above 2^28,
/// larger than any arena, so that one range comparison also refuses it.
[[nodiscard]] constexpr std::uint32_t to_granules(std::uint32_t bytes) noexcept {
  return std::rotr(bytes, kGranuleShift);
}
[[nodiscard]] constexpr std::uint32_t to_bytes(std::uint32_t granules) noexcept {
  return granules << kGranuleShift;
}

/// A free run in granules. Size 0: there is none.
struct Hole {
  std::uint32_t granule = 0;
  std::uint32_t size = 0;

  [[nodiscard]] std::uint32_t end() const noexcept { return granule + size; }
};

/// The numbers of the lowest and highest bit set in `word`, which is not 0.
[[nodiscard]] constexpr std::uint32_t lowest_bit(std::uint64_t word) noexcept {
  return static_cast<std::uint32_t>(std::countr_zero(word));
}
[[nodiscard]] constexpr std::uint32_t highest_bit(std::uint64_t word) noexcept {
  return 63u - static_cast<std::uint32_t>(std::countl_zero(word));
}
/// How many bits are set. Not every x86-64 has an instruction for it, and compilers call a function
/// instead. Source: Warren, Hacker's Delight, 5-1.
[[nodiscard]] constexpr std::uint32_t count_bits(std::uint64_t word) noexcept {
  constexpr std::uint64_t kEvery = ~std::uint64_t{0};
  word -= (word >> 1) & (kEvery / 3);
  word = (word & (kEvery / 5)) + ((word >> 2) & (kEvery / 5));
  word = (word + (word >> 4)) & (kEvery / 17);
  return static_cast<std::uint32_t>((word * (kEvery / 255)) >> 56);
}
static_assert(count_bits(0) == 0 && count_bits(~std::uint64_t{0}) == 64 && count_bits(0x8005) == 3);
[[nodiscard]] constexpr std::uint64_t bit(std::uint32_t i) noexcept {
  return std::uint64_t{1} << (i & 63u);
}

}  // namespace detail
}  // namespace besom
