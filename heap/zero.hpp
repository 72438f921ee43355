#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "besom/detail/check.hpp"
#include "besom/run.hpp"

namespace besom::detail {

/// Writes zeros to `granules` granules, at least one, from `first` on, a multiple of 16: for
/// objects of a size that is known at run time only. A store for each granule, where memset's call,
/// or the string instruction that compilers put in its place, takes as long as ten of them to
/// begin.
inline void zero_granules(char* first, std::uint32_t granules) noexcept {
  BESOM_ASSERT(granules != 0);
  BESOM_ASSERT(reinterpret_cast<std::uintptr_t>(first) % kGranuleBytes == 0);
  char* const end = first + std::size_t{granules} * kGranuleBytes;
  do {
    std::memset(first, 0, kGranuleBytes);
    first += kGranuleBytes;
    // Else the loop would be taken for a memset.
    asm("" : "+r"(first));
  } while (first < end);
}

}  // namespace besom::detail
