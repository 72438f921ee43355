#pragma once

#include "besom/detail/export.h"
#include "besom/error.hpp"

namespace besom {

class Heap;

namespace detail {

/// An address that no other living thread has: cheaper to compare than a thread id.
[[nodiscard]] BESOM_API const void* this_thread() noexcept;

/// Whether the roots of a heap may be changed now.
struct BESOM_API RootGate {
  Heap* heap = nullptr;          ///< nullptr: gone.
  bool locked = false;           ///< While roots are enumerated. A signal handler may ask: atomic.
  const void* thread = nullptr;  ///< The one that may change roots.

  [[nodiscard]] bool is_locked() const noexcept {
    return __atomic_load_n(&locked, __ATOMIC_RELAXED);
  }
  void set_locked(bool on) noexcept { __atomic_store_n(&locked, on, __ATOMIC_RELAXED); }
  /// Why not: reentrant, wrong_thread, or ok.
  [[nodiscard]] Errc refusal() const noexcept;
};

}  // namespace detail
}  // namespace besom
