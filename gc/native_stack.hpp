#pragma once

#include <cstdint>

#include "heap/error.hpp"
#include "heap/type.hpp"

namespace besom::detail {

/// Part of the native stack of one thread: from wherever that thread is up to `end`.
struct NativeStack {
  const char* low = nullptr;     ///< The lowest address that the thread's stack may reach.
  const char* end = nullptr;     ///< Behind the last byte that is looked at.
  const void* thread = nullptr;  ///< As this_thread().
};

/// The calling thread's stack up to `base`, or all of it when that is nullptr. bad_option when
/// `base` lies outside the thread's stack or not above `frame`, the library's first,
/// out_of_host_memory with errno when the system does not tell where the stack is.
[[nodiscard]] Result<NativeStack> native_stack(const void* base, const void* frame) noexcept;

/// Visits the words of the stack that are in use, and the registers that a function has to
/// preserve, as ambiguous words. Aborts on another thread, and when the frame that `end` lies in
/// has returned: what was to be kept alive could not be found.
void visit_stack(const NativeStack& stack, Tracer& tracer) noexcept;

/// Visits each aligned word in [begin, end) as an ambiguous word, be it poisoned or not.
void visit_words(const void* begin, const void* end, Tracer& tracer) noexcept;

}  // namespace besom::detail
