#include "besom/detail/native_stack.hpp"

#include <pthread.h>

#include "besom/detail/root_gate.hpp"
#include "heap/arena.hpp"

namespace besom::detail {
namespace {

/// Words of any type, read where they lie.
using Word [[gnu::may_alias]] = std::uint64_t;

std::uintptr_t number(const void* address) { return reinterpret_cast<std::uintptr_t>(address); }

/// The limit may have been raised since the stack was registered.
bool contains(NativeStack stack, const char* frame) noexcept {
  if (frame < stack.low && stack.may_grow) {
    const std::uint64_t most = stack_limit();
    const std::uintptr_t end = number(stack.end);
    stack.low = reinterpret_cast<const char*>(most < end ? end - most : 0);
  }
  return stack.low <= frame && frame < stack.end;
}

__attribute__((noinline)) void visit_from_here(const NativeStack& stack, Tracer& tracer) noexcept {
  const auto* here = static_cast<const char*>(__builtin_frame_address(0));
  BESOM_CHECK(contains(stack, here),
              "native stack: collection outside the frames that are scanned; a fiber is entered "
              "by Heap::switch_to() or besom_switch_to(): frame, base",
              number(here), number(stack.end));
  visit_words(here, stack.end, tracer);
}

/// Called by leave_stack() alone, whose frame lies above this one's.
__attribute__((noinline)) void leave_from_here(const char** left_in, StackSwap swap, void* user) {
  *left_in = static_cast<const char*>(__builtin_frame_address(0));
  swap(user);
  asm volatile("" ::: "memory");
}

}  // namespace

Result<NativeStack> native_stack(const void* base, const void* frame) noexcept {
  pthread_attr_t attributes;
  void* low = nullptr;
  std::size_t bytes = 0;
  int code = pthread_getattr_np(pthread_self(), &attributes);
  if (code == 0) {
    code = pthread_attr_getstack(&attributes, &low, &bytes);
    pthread_attr_destroy(&attributes);
  }
  if (code != 0) {
    return Error{.code = Errc::out_of_host_memory,
                 .system_errno = code,
                 .detail = "bounds of the native stack"};
  }
  const auto* lowest = static_cast<const char*>(low);
  const char* end = lowest + bytes;
  const auto* here = static_cast<const char*>(frame);
  if (here < lowest || here >= end) {
    return Error{.code = Errc::bad_option,
                 .detail =
                     "native stack: called on another than the thread's, which is for Fiber "
                     "or besom_fiber_new() to scan"};
  }
  if (base != nullptr) {
    const auto* last = static_cast<const char*>(base);
    if (last <= here || last >= end) {
      return Error{.code = Errc::bad_option,
                   .detail = "base of the native stack: in no caller's frame on this thread"};
    }
    end = last + (sizeof(Word) - number(last) % sizeof(Word));
  }
  return NativeStack{lowest, end, this_thread(), is_first_thread()};
}

/// What the mutator keeps in registers across calls lies in this frame or, where the collector has
/// used the register itself, in one above. The callee's frame is below all that; the empty
/// statement keeps the call from taking this frame's place.
__attribute__((noinline)) void visit_stack(NativeStack stack, Tracer& tracer) noexcept {
  BESOM_CHECK(stack.thread == nullptr || stack.thread == this_thread(),
              "native stack of another thread is to be scanned: its token, this thread's",
              number(stack.thread), number(this_thread()));
  __builtin_unwind_init();
  visit_from_here(stack, tracer);
  asm volatile("" ::: "memory");
}

void visit_left_stack(NativeStack stack, const char* frame, Tracer& tracer) noexcept {
  BESOM_CHECK(contains(stack, frame),
              "native stack: left from outside the frames that are scanned: frame, base",
              number(frame), number(stack.end));
  visit_words(frame, stack.end, tracer);
}

/// As in visit_stack(), of the caller of the heap.
__attribute__((noinline)) void leave_stack(const char** left_in, StackSwap swap, void* user) {
  __builtin_unwind_init();
  leave_from_here(left_in, swap, user);
  asm volatile("" ::: "memory");
}

bool is_memory(const void* begin, std::uint64_t bytes) noexcept {
  constexpr std::uint64_t kMost = std::uint64_t{1} << 47;
  return bytes == 0 || (begin != nullptr && bytes < kMost && number(begin) <= ~bytes);
}

/// The stack's own bookkeeping under sanitizers is no reason not to look.
__attribute__((noinline, no_sanitize_address, no_sanitize_thread)) void visit_words(
    const void* begin, const void* end, Tracer& tracer) noexcept {
  const std::uintptr_t first = (number(begin) + 7) & ~std::uintptr_t{7};
  const std::uintptr_t last = number(end) & ~std::uintptr_t{7};
  for (std::uintptr_t at = first; at < last; at += sizeof(Word)) {
    tracer.visit_word(*reinterpret_cast<const volatile Word*>(at));
  }
}

}  // namespace besom::detail
