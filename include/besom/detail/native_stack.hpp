#pragma once

#include <cstddef>
#include <cstdint>

#include "besom/detail/export.h"
#include "besom/error.hpp"
#include "besom/type.hpp"

namespace besom {

/// Hands control to another native stack, by swapcontext() or its like, and returns when control
/// has come back. No exception may leave it.
using StackSwap = void (*)(void* user);

namespace detail {

/// Part of a native stack: from where its thread or fiber is up to `end`.
struct NativeStack {
  const char* low = nullptr;     ///< The lowest address that the stack may reach.
  const char* end = nullptr;     ///< Behind the last byte that is looked at. nullptr: no stack.
  const void* thread = nullptr;  ///< As this_thread(). nullptr: a fiber's, which any may run.
  bool may_grow = false;         ///< Its limit can be raised: that of the program's first thread.
};

/// The calling thread's stack up to `base`, or all of it when that is nullptr. bad_option when the
/// caller is not on that stack, or `base` lies outside it or not above `frame`, the library's
/// first; out_of_host_memory with errno when the system does not tell where the stack is.
[[nodiscard]] Result<NativeStack> native_stack(const void* base, const void* frame) noexcept;

/// Visits the words of the stack that are in use, and the registers that a function has to
/// preserve, as ambiguous words. Aborts on another thread or stack, and when the frame that `end`
/// lies in has returned: what was to be kept alive could not be found.
void visit_stack(NativeStack stack, Tracer& tracer) noexcept;
/// Visits the words of a stack that is not running; it was left in `frame`.
void visit_left_stack(NativeStack stack, const char* frame, Tracer& tracer) noexcept;

/// Whether [begin, begin + bytes) may be memory of this process; empty is fine.
[[nodiscard]] bool is_memory(const void* begin, std::uint64_t bytes) noexcept;

/// Visits each aligned word in [begin, end) as an ambiguous word, be it poisoned or not.
void visit_words(const void* begin, const void* end, Tracer& tracer) noexcept;

/// Puts the registers down that a function has to preserve, in a frame that stays while `swap` is
/// away; all that the caller has is above `*left_in` then.
void leave_stack(const char** left_in, StackSwap swap, void* user);

}  // namespace detail
}  // namespace besom
