#pragma once

#include <cstdint>
#include <utility>

#include "gc/handle.hpp"

namespace besom {

namespace detail {

/// A table of handles like that of the roots, which collections clear instead of marking from it.
[[nodiscard]] RootTable& weak_handles_of(Heap& heap) noexcept;

}  // namespace detail

/// A handle that keeps nothing alive: from the collection on that finds its object dead it gives
/// nullptr, whatever lies there then. It is cleared before any finalizer can run, so that an object
/// which a finalizer brings back stays unknown to it. Movable, not copyable. Outliving its heap is
/// harmless: it is stale then. Every use checks that in release builds too.
template <class T>
class Weak {
 public:
  Weak() noexcept = default;
  /// Refers to `object`, which lies in `heap` or is nullptr. `label` is static text that reports
  /// show. When the host has no memory the handle is empty and heap.error() says so.
  Weak(Heap& heap, T* object, const char* label = "weak") noexcept
      : table_(&detail::weak_handles_of(heap)) {
    slot_ = table_->add(Ref<T>(object).index(), label);
    if (slot_ == nullptr) {
      detail::note_root_failure(heap);
      table_ = nullptr;
      return;
    }
    serial_ = slot_->serial;
    table_->retain();
  }
  Weak(Weak&& other) noexcept
      : table_(std::exchange(other.table_, nullptr)),
        slot_(std::exchange(other.slot_, nullptr)),
        serial_(std::exchange(other.serial_, 0)) {}
  Weak& operator=(Weak&& other) noexcept {
    Weak taken(std::move(other));
    std::swap(table_, taken.table_);
    std::swap(slot_, taken.slot_);
    std::swap(serial_, taken.serial_);
    return *this;
  }
  ~Weak() { reset(); }

  /// Gives the place in the table back; harmless when that was done. Aborts during a collection and
  /// on another thread.
  void reset() noexcept {
    if (table_ == nullptr) return;
    if (!is_stale()) table_->remove(slot_);
    std::exchange(table_, nullptr)->release();
    slot_ = nullptr;
  }

  /// Whether the object lives. A stale handle has none.
  explicit operator bool() const noexcept {
    return table_ != nullptr && !is_stale() && slot_->ref != 0;
  }
  /// The heap is gone, or was reset.
  [[nodiscard]] bool is_stale() const noexcept {
    return table_ != nullptr && slot_->serial != serial_;
  }

  /// The object, or nullptr. Aborts when stale. What it gives is rooted by nothing: like a new
  /// object's, the pointer is good until the next allocation or until a handle has it.
  [[nodiscard]] T* get() const noexcept {
    const std::uint32_t index = ref().index();
    return index == 0 ? nullptr : reinterpret_cast<T*>(detail::base_of(*table_->heap()) + index);
  }
  [[nodiscard]] Ref<T> ref() const noexcept {
    if (table_ == nullptr) return {};
    BESOM_CHECK(!is_stale(), "stale weak handle: its serial, the slot's", serial_, slot_->serial);
    return Ref<T>(slot_->ref);
  }
  /// The ref, or stale_handle, or wrong_heap.
  [[nodiscard]] Result<Ref<T>> check(const Heap& heap) const noexcept {
    if (table_ == nullptr) return Ref<T>();
    if (is_stale()) return Error{.code = Errc::stale_handle};
    if (table_->heap() != &heap) return Error{.code = Errc::wrong_heap};
    return Ref<T>(slot_->ref);
  }
  /// Refers to another object of the same heap instead. Aborts when stale or empty, and during a
  /// collection.
  void set(T* object) noexcept {
    BESOM_CHECK(table_ != nullptr && !is_stale(), "stale or empty weak handle set: serial", serial_,
                0);
    BESOM_CHECK(!table_->is_locked(), "weak handle set during a collection: serial", serial_, 0);
    slot_->ref = Ref<T>(object).index();
  }

 private:
  detail::RootTable* table_ = nullptr;
  detail::HandleSlot* slot_ = nullptr;
  std::uint64_t serial_ = 0;
};

}  // namespace besom
