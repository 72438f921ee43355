#pragma once

#include <cstddef>
#include <cstring>

#if defined(__SANITIZE_ADDRESS__)
#define BESOM_HAS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define BESOM_HAS_ASAN 1
#endif
#endif
#ifndef BESOM_HAS_ASAN
#define BESOM_HAS_ASAN 0
#endif

#if BESOM_HAS_ASAN
#include <sanitizer/asan_interface.h>
#endif

namespace besom::detail {

/// What freed memory is filled with under zeal: as a ref it is misaligned, as a type it is unknown.
inline constexpr unsigned char kPoisonByte = 0x5b;

/// Fills freed memory so that a stale read shows; under ASan the read itself is reported.
inline void poison(void* address, std::size_t bytes) noexcept {
#if BESOM_HAS_ASAN
  ASAN_UNPOISON_MEMORY_REGION(address, bytes);
#endif
  std::memset(address, kPoisonByte, bytes);
#if BESOM_HAS_ASAN
  ASAN_POISON_MEMORY_REGION(address, bytes);
#endif
}

/// Makes memory that is about to be handed out accessible again. Its bytes stay as they are.
inline void unpoison([[maybe_unused]] void* address, [[maybe_unused]] std::size_t bytes) noexcept {
#if BESOM_HAS_ASAN
  ASAN_UNPOISON_MEMORY_REGION(address, bytes);
#endif
}

}  // namespace besom::detail
