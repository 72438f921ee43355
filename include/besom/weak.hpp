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
  [[nodiscard]] T* get() const noexcept { return note(detail::OwnedSlot<T>::get()); }
  [[nodiscard]] Ref<T> ref() const noexcept {
    const Ref<T> ref = detail::OwnedSlot<T>::ref();
    note(ref);
    return ref;
  }
  [[nodiscard]] Result<Ref<T>> check(const Heap& heap) const noexcept {
    const Result<Ref<T>> ref = detail::OwnedSlot<T>::check(heap);
    if (ref) note(*ref);
    return ref;
  }
  /// @}

  /// Refers to another object of the same heap instead. Aborts as Handle::set() does.
  void set(T* object) noexcept { this->replace(object); }

 private:
  void note(Ref<T> ref) const noexcept {
    if (!ref) return;
    const char* base = this->table()->base();
    if (detail::Cards(const_cast<char*>(base)).marking()) detail::note_weak_read(base, ref.index());
  }
  T* note(T* object) const noexcept {
    note(Ref<T>(object));
    return object;
  }
};

}  // namespace besom
