#pragma once

#include <cstdint>
#include <utility>

#include "besom/detail/export.h"
#include "besom/detail/root_table.hpp"
#include "besom/error.hpp"
#include "besom/ref.hpp"

namespace besom {

namespace detail {

/// What the handle classes need of a heap, so that they need not see it whole.
[[nodiscard]] RootTable& roots_of(Heap& heap) noexcept;
/// The new object `ref` now has a root; the heap need not keep it any longer.
void note_rooted(Heap& heap, std::uint32_t ref) noexcept;
/// Records why a root could not be added.
BESOM_API void note_root_failure(Heap& heap) noexcept;
BESOM_API void note_failure(Heap& heap, const Error& error) noexcept;
/// Records why the stack took no root.
BESOM_API void note_local_failure(Heap& heap, const ShadowStack& stack) noexcept;
/// Records that the object is another heap's.
BESOM_API void note_foreign(Heap& heap, const void* object) noexcept;
[[nodiscard]] char* base_of(const Heap& heap) noexcept;
/// Whether `object` lies in the arena of the table's heap or is nullptr.
[[nodiscard]] inline bool is_own(const RootTable& table, const void* object) noexcept {
  return object == nullptr || arena_of(object) == table.base();
}
/// Why `object` cannot be a root now, or ok: reentrant, wrong_thread, wrong_heap, or bad_ref where
/// no object starts there. O(1).
[[nodiscard]] BESOM_API Error root_refusal(Heap& heap, const void* object) noexcept;
/// A slot with `object`, or nullptr: heap.error() says why.
[[nodiscard]] BESOM_API HandleSlot* add_handle(Heap& heap, HandleTable& table, const void* object,
                                               const char* label) noexcept;

}  // namespace detail

namespace detail {

/// What a handle and a weak handle have in common: a slot in one of a heap's tables, owned.
/// Movable, not copyable. Outliving its heap is harmless: it is stale then. Every use checks that
/// in release builds too.
template <class T>
class OwnedSlot {
 public:
  OwnedSlot() noexcept = default;
  /// `other` is empty then.
  OwnedSlot(OwnedSlot&& other) noexcept
      : table_(std::exchange(other.table_, nullptr)),
        slot_(std::exchange(other.slot_, nullptr)),
        serial_(std::exchange(other.serial_, 0)) {}
  /// What was held so far is given up now, not when `other` goes.
  OwnedSlot& operator=(OwnedSlot&& other) noexcept {
    OwnedSlot taken(std::move(other));
    std::swap(table_, taken.table_);
    std::swap(slot_, taken.slot_);
    std::swap(serial_, taken.serial_);
    return *this;
  }
  ~OwnedSlot() { reset(); }

  /// Gives the slot up; harmless when that was done. Aborts during a collection and on another
  /// thread.
  void reset() noexcept {
    if (table_ == nullptr) return;
    if (is_stale()) {
      HandleTable::drop_stale(slot_);
    } else {
      table_->remove_handle(slot_);
    }
    std::exchange(table_, nullptr)->release();
    slot_ = nullptr;
  }

  /// Whether there is an object that is not null. A stale handle has none.
  explicit operator bool() const noexcept {
    return table_ != nullptr && !is_stale() && slot_->ref != 0;
  }
  /// The heap is gone, or was reset.
  [[nodiscard]] bool is_stale() const noexcept {
    return table_ != nullptr && slot_->serial != serial_;
  }

  /// The object, or nullptr. Aborts when stale.
  [[nodiscard]] T* get() const noexcept {
    const std::uint32_t index = ref().index();
    return index == 0 ? nullptr : reinterpret_cast<T*>(table_->base() + index);
  }
  /// The object's ref, or null. Aborts when stale.
  [[nodiscard]] Ref<T> ref() const noexcept {
    if (table_ == nullptr) return {};
    BESOM_CHECK(!is_stale(), "stale handle: its serial, the slot's", serial_, slot_->serial);
    return Ref<T>(slot_->ref);
  }
  /// For those who do not trust the handle: the ref, or stale_handle, or wrong_heap when it belongs
  /// to another heap than `heap`.
  [[nodiscard]] Result<Ref<T>> check(const Heap& heap) const noexcept {
    if (table_ == nullptr) return Ref<T>();
    if (is_stale()) return Error{.code = Errc::stale_handle};
    if (table_->heap() != &heap) return Error{.code = Errc::wrong_heap};
    return Ref<T>(slot_->ref);
  }

 protected:
  /// Empty when that fails; heap.error() says why.
  OwnedSlot(Heap& heap, HandleTable& handles, T* object, const char* label) noexcept {
    slot_ = add_handle(heap, handles, object, label);
    if (slot_ == nullptr) return;
    serial_ = slot_->serial;
    table_ = &roots_of(heap);
    table_->retain();
  }
  /// Aborts when stale or empty, during a collection, on another thread, and where the object is
  /// another heap's.
  void replace(T* object) noexcept {
    BESOM_CHECK(table_ != nullptr && !is_stale(), "stale or empty handle set: serial", serial_, 0);
    BESOM_CHECK(!table_->is_locked(), "handle set during a collection: serial", serial_, 0);
    BESOM_CHECK(table_->refusal() == Errc::ok, "handle set by another thread: serial", serial_, 0);
    BESOM_CHECK(
        is_own(*table_, object), "handle set to another heap's object: it, the handle's heap",
        reinterpret_cast<std::uintptr_t>(object), reinterpret_cast<std::uintptr_t>(table_->base()));
    slot_->ref = Ref<T>(object).index();
  }
  /// nullptr where it is empty.
  [[nodiscard]] RootTable* table() const noexcept { return table_; }
  /// The same.
  [[nodiscard]] HandleSlot* slot() const noexcept { return slot_; }

 private:
  RootTable* table_ = nullptr;
  HandleSlot* slot_ = nullptr;
  std::uint64_t serial_ = 0;
};

}  // namespace detail

/// An owned root: its object, and all that is reachable from it, lives as long as the handle. An
/// empty handle roots nothing.
template <class T>
class Handle : public detail::OwnedSlot<T> {
 public:
  Handle() noexcept = default;
  /// Roots `object`, an object of `heap` or nullptr. `label` is static text that reports show.
  /// Empty with heap.error() where the address is another heap's (wrong_heap) or no object starts
  /// there (bad_ref), when the host has no memory, in a collection and on another thread.
  Handle(Heap& heap, T* object, const char* label = "handle") noexcept
      : detail::OwnedSlot<T>(heap, detail::roots_of(heap).handles(), object, label) {
    if (this->table() != nullptr) detail::note_rooted(heap, Ref<T>(object).index());
  }

  /// Roots another object of the same heap instead. Aborts when stale or empty, during a
  /// collection, on another thread, and where the address is another heap's. That an object starts
  /// there is not looked at: verify() does.
  void set(T* object) noexcept {
    // A cycle reads handles by and by.
    if (this->table() != nullptr && !this->is_stale()) this->table()->note_given_up(*this->slot());
    this->replace(object);
    detail::note_rooted(*this->table()->heap(), Ref<T>(object).index());
  }
  /// @{
  /// The object. Precondition: it is not null. Aborts when stale.
  T* operator->() const noexcept { return this->get(); }
  T& operator*() const noexcept { return *this->get(); }
  /// @}
};

/// A root that lasts as long as the scope it was made in. Copyable, cheap; using it after its scope
/// has ended aborts. It must not be used after its heap is destroyed.
template <class T>
class Local {
 public:
  Local() noexcept = default;

  /// The object, or nullptr. Aborts when stale.
  [[nodiscard]] T* get() const noexcept {
    const std::uint32_t index = ref().index();
    return index == 0 ? nullptr : reinterpret_cast<T*>(table_->base() + index);
  }
  /// The object's ref, or null. Aborts when stale.
  [[nodiscard]] Ref<T> ref() const noexcept {
    if (table_ == nullptr) return {};
    const detail::LocalSlot& slot = table_->local(place_);
    BESOM_CHECK(slot.serial == serial_, "stale local: its serial, the slot's", serial_,
                slot.serial);
    return Ref<T>(slot.ref);
  }
  /// Its scope has ended, locals were restored to an earlier mark, or the heap was reset.
  [[nodiscard]] bool is_stale() const noexcept {
    return table_ != nullptr && table_->local(place_).serial != serial_;
  }
  /// The ref, or stale_handle, or wrong_heap.
  [[nodiscard]] Result<Ref<T>> check(const Heap& heap) const noexcept {
    if (table_ == nullptr) return Ref<T>();
    if (is_stale()) return Error{.code = Errc::stale_handle};
    if (table_->heap() != &heap) return Error{.code = Errc::wrong_heap};
    return Ref<T>(table_->local(place_).ref);
  }
  /// Roots another object of the same heap instead. Aborts when stale or empty, during a
  /// collection, and where the address is another heap's. That an object starts there is not looked
  /// at: verify() does.
  void set(T* object) noexcept {
    BESOM_CHECK(table_ != nullptr && !is_stale(), "stale or empty local set: serial", serial_, 0);
    BESOM_CHECK(!table_->is_locked(), "local set during a collection: serial", serial_, 0);
    BESOM_CHECK(detail::is_own(*table_, object), "local set to another heap's object: it, the heap",
                reinterpret_cast<std::uintptr_t>(object),
                reinterpret_cast<std::uintptr_t>(table_->base()));
    const std::uint32_t index = Ref<T>(object).index();
    table_->local(place_).ref = index;
    detail::note_rooted(*table_->heap(), index);
  }
  /// Whether there is an object that is not null. Aborts when stale.
  explicit operator bool() const noexcept { return ref().index() != 0; }
  /// @{
  /// The object. Precondition: it is not null. Aborts when stale.
  T* operator->() const noexcept { return get(); }
  T& operator*() const noexcept { return *get(); }
  /// @}

 private:
  friend class HandleScope;
  friend class Heap;

  /// Empty where `object` is another heap's, and when the stack takes no root; heap.error() says
  /// why.
  Local(Heap& heap, detail::RootTable& table, detail::ShadowStack& stack, T* object) noexcept {
    if (!detail::is_own(table, object)) [[unlikely]] {
      detail::note_foreign(heap, object);
      return;
    }
    const std::uint32_t index = Ref<T>(object).index();
    const detail::LocalSlot* slot = stack.push(index);
    if (slot == nullptr) [[unlikely]] {
      detail::note_local_failure(heap, stack);
      return;
    }
    detail::note_rooted(heap, index);
    table_ = &table;
    place_ = stack.place_of(slot);
    serial_ = slot->serial;
  }

  detail::RootTable* table_ = nullptr;
  std::uint64_t place_ = 0;
  std::uint64_t serial_ = 0;
};

/// How far the local roots reached when it was made, for code that is left by longjmp: see
/// Heap::mark_locals(). Plain data without an owner; the members are the heap's.
struct LocalMark {
  /// @{
  /// For Heap::restore_locals() alone.
  const detail::RootTable* table = nullptr;
  std::uint64_t serial = 0;
  std::uint64_t position = 0;
  std::uint32_t open_scopes = 0;
  std::uint32_t forbidden = 0;
  /// @}

  /// False where Heap::mark_locals() failed.
  explicit operator bool() const noexcept { return table != nullptr; }
};

/// A stretch of code whose local roots are dropped together at its end. Scopes nest like blocks, on
/// each fiber by itself: ending an outer one first aborts, and so does ending one while another
/// fiber runs. Opening, rooting and closing cost a few instructions each.
class HandleScope {
 public:
  /// Belongs to the fiber that runs.
  explicit HandleScope(Heap& heap) noexcept
      : table_(detail::roots_of(heap)),
        stack_(table_.locals()),
        mark_(stack_.open_scope()),
        depth_(stack_.depth()) {
    table_.retain();
  }
  HandleScope(const HandleScope&) = delete;
  HandleScope& operator=(const HandleScope&) = delete;
  /// Aborts when inner scopes are open, and when restore_locals() ended it already, or its fiber
  /// has gone.
  ~HandleScope() {
    stack_.close_scope(mark_, depth_);
    table_.release();
  }

  /// Roots `object`, which lies in the scope's heap or is nullptr. The local is empty when the host
  /// has no memory, where the object is another heap's, and while another fiber runs;
  /// heap.error() says so. That an object starts there is not looked at: verify() does.
  template <class T>
  [[nodiscard]] Local<T> root(T* object) noexcept {
    Heap* const heap = table_.heap();
    if (heap == nullptr) [[unlikely]]
      return {};
    return Local<T>(*heap, table_, stack_, object);
  }

 private:
  detail::RootTable& table_;
  detail::ShadowStack& stack_;
  detail::ShadowStack::Mark mark_;
  std::uint64_t depth_;
};

}  // namespace besom
