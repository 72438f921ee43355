#pragma once

#include <atomic>

#include "freelist/export.hpp"
#include "heap/error.hpp"

namespace besom {

class Heap;

namespace detail {

/// An address that no other living thread has: cheaper to compare than a thread id.
[[nodiscard]] BESOM_API const void* this_thread() noexcept;

/// Whether the roots of a heap may be changed now.
struct BESOM_API RootGate {
  Heap* heap = nullptr;              ///< nullptr: gone.
  std::atomic<bool> locked = false;  ///< While roots are enumerated. A signal handler may ask.
  const void* thread = nullptr;      ///< The one that may change roots.

  [[nodiscard]] bool is_locked() const noexcept { return locked.load(std::memory_order_relaxed); }
  /// Why not: reentrant, wrong_thread, or ok.
  [[nodiscard]] Errc refusal() const noexcept;
};

}  // namespace detail
}  // namespace besom
