#pragma once

#include <cinttypes>
#include <cstdint>

#include "besom/detail/export.h"

/// Checks that survive into release builds, and assertions that do not.
///
/// BESOM_CHECK guards against misuse or damage that would spread. It takes the two operands that
/// disagree, because a message without the values sends its reader to a debugger first.
/// BESOM_ASSERT states O(1) pre- and postconditions; switched off, it still compiles its condition.

namespace besom::detail {

/// Prints `what`, both operands in hex and the place, then aborts. Allocates nothing.
[[noreturn]] BESOM_API void check_failed(const char* file, int line, const char* what,
                                         std::uint64_t left, std::uint64_t right) noexcept;

}  // namespace besom::detail

#define BESOM_CHECK(condition, what, left, right)                                                  \
  ((condition)                                                                                     \
       ? void(0)                                                                                   \
       : ::besom::detail::check_failed(__FILE__, __LINE__, what, static_cast<std::uint64_t>(left), \
                                       static_cast<std::uint64_t>(right)))

#ifdef NDEBUG
#define BESOM_ASSERT(condition) (static_cast<void>(sizeof((condition) ? 1 : 0)))
#else
#define BESOM_ASSERT(condition) BESOM_CHECK(condition, "assertion failed: " #condition, 0, 0)
#endif
