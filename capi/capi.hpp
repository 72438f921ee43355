#pragma once

/// What stands behind the opaque types of besom.h.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

#include "besom/besom.h"
#include "besom/fiber.hpp"
#include "besom/guardian.hpp"
#include "besom/heap.hpp"
#include "besom/weak.hpp"
#include "capi/tokens.hpp"

namespace besom::detail {

/// A C type's trace callback, as Tracer::user() gives it to the one that the heap calls.
struct CTrace {
  besom_trace callback;
  void* user;
  std::unique_ptr<CTrace> next;
};

// What tokens name. `number` is the token's.

struct CHandle {
  Handle<Header> handle;
  std::uint32_t number = 0;
};
struct CWeak {
  Weak<Header> handle;
  std::uint32_t number = 0;
};
struct CGuardian {
  Guardian guardian;
  besom_finalizer callback;
  void* user;
  besom_heap* owner;
  std::uint32_t number = 0;
};
struct CFiber {
  Fiber fiber;
  std::uint32_t number = 0;
};
struct CRegistration {
  RootRegistration registration;
  besom_roots roots;
  besom_mark_hook hook;
  void* user;
  std::uint32_t number = 0;
};

}  // namespace besom::detail

/// A heap, with what its callbacks in C need. All of it is there until the heap has gone.
struct besom_heap {
  besom_error error = {};
  besom_log_write log_write = nullptr;
  void* log_user = nullptr;
  besom_near_limit near_limit = nullptr;
  void* near_limit_user = nullptr;
  besom_site_namer name_site = nullptr;
  void* name_site_user = nullptr;
  const besom_system* system = nullptr;
  besom::System calls = {};
  besom_listener listener = nullptr;
  void* listener_user = nullptr;
  std::unique_ptr<besom::detail::CTrace> traces;
  besom::detail::Tokens<besom_handle, besom::detail::CHandle> handles;
  besom::detail::Tokens<besom_weak, besom::detail::CWeak> weak_handles;
  besom::detail::Tokens<besom_guardian, besom::detail::CGuardian> guardians;
  besom::detail::Tokens<besom_fiber, besom::detail::CFiber> fibers;
  besom::detail::Tokens<besom_registration, besom::detail::CRegistration> registrations;
  std::uint64_t token_bits = 0;
  besom::Heap* heap = nullptr;

  besom_heap() = default;
  besom_heap(const besom_heap&) = delete;
  besom_heap& operator=(const besom_heap&) = delete;
  /// Release hooks and the log sink find all of it in place.
  ~besom_heap() {
    if (heap != nullptr) besom::detail::leave_heap(token_bits);
    delete heap;
    while (traces != nullptr) traces = std::move(traces->next);
  }
};

namespace besom::detail {

/// What a C program stored in an enumeration may be any number, and reading such a one as the
/// enumeration is undefined in C++.
template <class Enum>
[[nodiscard]] std::uint32_t number_of(const Enum& value) noexcept {
  std::uint32_t number = 0;
  static_assert(sizeof value == sizeof number);
  std::memcpy(&number, &value, sizeof number);
  return number;
}

[[nodiscard]] constexpr besom_error to_c(const Error& error) noexcept {
  besom_error result = {.code = static_cast<besom_status>(error.code),
                        .system_errno = error.system_errno,
                        .bytes = error.bytes,
                        .limit = error.limit,
                        .detail = error.detail,
                        .used = error.used,
                        .name = ""};
  static_assert(sizeof result.name == sizeof error.name);
  for (std::size_t i = 0; i < sizeof result.name; ++i) result.name[i] = error.name[i];
  return result;
}

/// A number that C stored as `Enum`, of which `last` is the greatest. What is none comes out as one
/// that has no name, and not cut to another that has.
template <class Enum>
[[nodiscard]] constexpr Enum enum_of(std::uint32_t number, Enum last) noexcept {
  constexpr Enum kNone = static_cast<Enum>(0xff);
  return number <= static_cast<std::uint32_t>(last) ? static_cast<Enum>(number) : kNone;
}

/// What is no kind of payload stays none.
[[nodiscard]] inline BoxFormat to_cpp(const besom_box_format& format) noexcept {
  return {.mask = format.mask,
          .tag = format.tag,
          .shift = format.shift,
          .payload = enum_of(number_of(format.payload), BoxPayload::address)};
}

/// The error's code; what is one is kept for besom_last_error().
inline besom_status give(besom_heap* heap, const Error& error) noexcept {
  if (error) heap->error = to_c(error);
  return static_cast<besom_status>(error.code);
}

/// Why a call is refused that `argument` is missing from.
[[nodiscard]] constexpr Error bad_argument(const char* argument) noexcept {
  return {.code = Errc::bad_argument, .detail = argument};
}
/// For a call that its heap or `argument` is missing from. That a heap takes no calls now comes
/// first.
inline besom_status refuse_null(besom_heap* heap, const char* argument) noexcept {
  if (heap == nullptr) return BESOM_BAD_ARGUMENT;
  const Errc refusal = roots_of(*heap->heap).refusal();
  if (refusal != Errc::ok) return give(heap, {.code = refusal, .detail = argument});
  return give(heap, bad_argument(argument));
}
/// The same for functions that return a pointer.
inline std::nullptr_t null_for_null(besom_heap* heap, const char* argument) noexcept {
  refuse_null(heap, argument);
  return nullptr;
}

/// The same for calls that note in the heap why they failed.
inline void give_heap_error(besom_heap* heap) noexcept { heap->error = to_c(heap->heap->error()); }

/// Whether an object's address lies in another arena. Null lies in none.
[[nodiscard]] inline bool is_foreign(const besom_heap* heap, const void* object) noexcept {
  return object != nullptr && arena_of(object) != base_of(*heap->heap);
}
/// Why no root of the heap can be set to `object` now, or ok.
[[nodiscard]] inline Error root_refusal(const besom_heap* heap, const void* object) noexcept {
  return root_refusal(*heap->heap, object);
}

// The tokens of a heap, by the type of a token.
[[nodiscard]] inline auto& tokens_of(besom_heap& heap, const besom_handle*) noexcept {
  return heap.handles;
}
[[nodiscard]] inline auto& tokens_of(besom_heap& heap, const besom_weak*) noexcept {
  return heap.weak_handles;
}
[[nodiscard]] inline auto& tokens_of(besom_heap& heap, const besom_guardian*) noexcept {
  return heap.guardians;
}
[[nodiscard]] inline auto& tokens_of(besom_heap& heap, const besom_fiber*) noexcept {
  return heap.fibers;
}
[[nodiscard]] inline auto& tokens_of(besom_heap& heap, const besom_registration*) noexcept {
  return heap.registrations;
}

/// What the token names, or nullptr: it was freed, or its heap has gone, or it is nullptr.
template <class Name>
[[nodiscard]] auto* find(const Name* token) noexcept {
  besom_heap* const heap = heap_of_token(token);
  return heap != nullptr ? tokens_of(*heap, token).find(token) : nullptr;
}
/// Nothing where the heap has gone. Aborts when that was done.
template <class Name>
void free_token(const Name* token) noexcept {
  besom_heap* const heap = heap_of_token(token);
  if (heap == nullptr) return;
  auto* const found = tokens_of(*heap, token).find(token);
  BESOM_CHECK(found != nullptr, "freed twice: the token, its number",
              reinterpret_cast<std::uintptr_t>(token),
              reinterpret_cast<std::uintptr_t>(token) % kMostTokens);
  tokens_of(*heap, token).drop(found);
}

[[nodiscard]] inline Tracer& tracer_of(besom_tracer* tracer) noexcept {
  return *reinterpret_cast<Tracer*>(tracer);
}
[[nodiscard]] inline besom_tracer* to_c(Tracer& tracer) noexcept {
  return reinterpret_cast<besom_tracer*>(&tracer);
}

/// Writes the object of a checked ref to `object`, if that is wanted.
template <class T>
besom_status give_object(besom_heap* heap, const Result<Ref<T>>& ref, void** object) noexcept {
  if (!ref) return give(heap, ref.error());
  if (object != nullptr) *object = heap->heap->get(*ref);
  return BESOM_OK;
}

}  // namespace besom::detail
