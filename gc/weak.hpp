#pragma once

#include "gc/handle.hpp"

namespace besom {

namespace detail {

/// A table of handles like that of the roots, which collections clear instead of marking from it.
[[nodiscard]] RootTable& weak_handles_of(Heap& heap) noexcept;

}  // namespace detail

/// A handle that keeps nothing alive: from the collection on that finds its object dead it gives
/// nullptr, whatever lies there then. It is cleared before any finalizer can run, so that an object
/// which a finalizer brings back stays unknown to it. What get() gives is rooted by nothing: like a
/// new object's, the pointer is good until the next allocation or until a handle has it.
template <class T>
class Weak : public detail::OwnedSlot<T> {
 public:
  Weak() noexcept = default;
  /// Refers to `object`, which lies in `heap` or is nullptr. `label` is static text that reports
  /// show. When the host has no memory the handle is empty and heap.error() says so.
  Weak(Heap& heap, T* object, const char* label = "weak") noexcept
      : detail::OwnedSlot<T>(heap, detail::weak_handles_of(heap), object, label) {}

  /// Refers to another object of the same heap instead. Aborts when stale or empty, during a
  /// collection, and on another thread.
  void set(T* object) noexcept { this->replace(object); }
};

}  // namespace besom
