#pragma once

#include "besom/handle.hpp"

namespace besom {

/// A handle that keeps nothing alive: from the collection on that finds its object dead it gives
/// nullptr, whatever lies there then. It is cleared before any finalizer can run, so that an object
/// which a finalizer brings back stays unknown to it. What get() gives is rooted by nothing: like a
/// new object's, the pointer is good until the next allocation or until a handle has it.
template <class T>
class Weak : public detail::OwnedSlot<T> {
 public:
  Weak() noexcept = default;
  /// Refers to `object`, an object of `heap` or nullptr. `label` is static text that reports show.
  /// Fails as Handle does.
  Weak(Heap& heap, T* object, const char* label = "weak") noexcept
      : detail::OwnedSlot<T>(heap, detail::roots_of(heap).weak_handles(), object, label) {}

  /// Refers to another object of the same heap instead. Aborts as Handle::set() does.
  void set(T* object) noexcept { this->replace(object); }
};

}  // namespace besom
