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

  /// @{
  /// As OwnedSlot has it. In an incremental heap the object lives until the next collection from
  /// now on.
  [[nodiscard]] T* get() const noexcept {
    prepare(true);
    return detail::OwnedSlot<T>::get();
  }
  [[nodiscard]] Ref<T> ref() const noexcept {
    prepare(true);
    return detail::OwnedSlot<T>::ref();
  }
  [[nodiscard]] Result<Ref<T>> check(const Heap& heap) const noexcept {
    prepare(true);
    return detail::OwnedSlot<T>::check(heap);
  }
  /// Whether there is an object that is not known to be dead. It is not kept by that.
  explicit operator bool() const noexcept {
    prepare(false);
    return detail::OwnedSlot<T>::operator bool();
  }
  /// @}

  /// Refers to another object of the same heap instead. Aborts as Handle::set() does.
  void set(T* object) noexcept { this->replace(object); }

 private:
  void prepare(bool keeps) const noexcept {
    if (this->table() == nullptr || this->is_stale()) return;
    char* base = this->table()->base();
    if (detail::Cards(base).marking()) detail::prepare_weak_handle(base, this->slot()->ref, keeps);
  }
};

}  // namespace besom
