#pragma once

#include <cstdint>
#include <utility>

#include "freelist/export.hpp"
#include "gc/root_table.hpp"
#include "heap/error.hpp"
#include "heap/ref.hpp"

namespace besom {

namespace detail {

/// What the handle classes need of a heap, so that they need not see it whole.
[[nodiscard]] RootTable& roots_of(Heap& heap) noexcept;
/// The new object `ref` now has a root; the heap need not keep it any longer.
void note_rooted(Heap& heap, std::uint32_t ref) noexcept;
/// Records why a root could not be added.
BESOM_API void note_root_failure(Heap& heap) noexcept;
[[nodiscard]] char* base_of(const Heap& heap) noexcept;

}  // namespace detail

namespace detail {

/// What a handle and a weak handle have in common: a slot in one of a heap's tables, owned.
/// Movable, not copyable. Outliving its heap is harmless: it is stale then. Every use checks that
/// in release builds too.
template <class T>
class OwnedSlot {
 public:
  OwnedSlot() noexcept = default;
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
    if (!is_stale()) table_->remove(slot_);
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
    return index == 0 ? nullptr : reinterpret_cast<T*>(base_of(*table_->heap()) + index);
  }
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
  /// Empty when the host has no memory; heap.error() says so.
  OwnedSlot(Heap& heap, RootTable& table, T* object, const char* label) noexcept : table_(&table) {
    slot_ = table_->add(Ref<T>(object).index(), label);
    if (slot_ == nullptr) {
      note_root_failure(heap);
      table_ = nullptr;
      return;
    }
    serial_ = slot_->serial;
    table_->retain();
  }
  /// Aborts when stale or empty, during a collection, and on another thread.
  void replace(T* object) noexcept {
    BESOM_CHECK(table_ != nullptr && !is_stale(), "stale or empty handle set: serial", serial_, 0);
    BESOM_CHECK(!table_->is_locked(), "handle set during a collection: serial", serial_, 0);
    BESOM_CHECK(table_->refusal() == Errc::ok, "handle set by another thread: serial", serial_, 0);
    slot_->ref = Ref<T>(object).index();
  }
  [[nodiscard]] RootTable* table() const noexcept { return table_; }

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
  /// Roots `object`, which lies in `heap` or is nullptr. `label` is static text that reports show.
  /// When the host has no memory the handle is empty and heap.error() says so.
  Handle(Heap& heap, T* object, const char* label = "handle") noexcept
      : detail::OwnedSlot<T>(heap, detail::roots_of(heap), object, label) {
    if (this->table() != nullptr) detail::note_rooted(heap, Ref<T>(object).index());
  }

  /// Roots another object of the same heap instead. Aborts when stale or empty, during a
  /// collection, and on another thread.
  void set(T* object) noexcept {
    this->replace(object);
    detail::note_rooted(*this->table()->heap(), Ref<T>(object).index());
  }
  T* operator->() const noexcept { return this->get(); }
  T& operator*() const noexcept { return *this->get(); }
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
    return index == 0 ? nullptr : reinterpret_cast<T*>(detail::base_of(*table_->heap()) + index);
  }
  [[nodiscard]] Ref<T> ref() const noexcept {
    if (slot_ == nullptr) return {};
    BESOM_CHECK(!is_stale(), "stale local: its serial, the slot's", serial_, slot_->serial);
    return Ref<T>(slot_->ref);
  }
  [[nodiscard]] bool is_stale() const noexcept {
    return slot_ != nullptr && slot_->serial != serial_;
  }
  /// The ref, or stale_handle, or wrong_heap.
  [[nodiscard]] Result<Ref<T>> check(const Heap& heap) const noexcept {
    if (slot_ == nullptr) return Ref<T>();
    if (is_stale()) return Error{.code = Errc::stale_handle};
    if (table_->heap() != &heap) return Error{.code = Errc::wrong_heap};
    return Ref<T>(slot_->ref);
  }
  /// Roots another object of the same heap instead. Aborts when stale or empty, and during a
  /// collection.
  void set(T* object) noexcept {
    BESOM_CHECK(slot_ != nullptr && !is_stale(), "stale or empty local set: serial", serial_, 0);
    BESOM_CHECK(!table_->is_locked(), "local set during a collection: serial", serial_, 0);
    slot_->ref = Ref<T>(object).index();
    detail::note_rooted(*table_->heap(), slot_->ref);
  }
  explicit operator bool() const noexcept { return slot_ != nullptr && ref().index() != 0; }
  T* operator->() const noexcept { return get(); }
  T& operator*() const noexcept { return *get(); }

 private:
  friend class HandleScope;
  friend class Heap;
  Local(detail::RootTable* table, detail::LocalSlot* slot) noexcept
      : table_(table), slot_(slot), serial_(slot->serial) {}

  detail::RootTable* table_ = nullptr;
  detail::LocalSlot* slot_ = nullptr;
  std::uint64_t serial_ = 0;
};

/// How far the local roots reached when it was made, for code that is left by longjmp: see
/// Heap::mark_locals(). Plain data without an owner; the members are the heap's.
struct LocalMark {
  const detail::RootTable* table = nullptr;
  std::uint64_t serial = 0;
  std::uint64_t position = 0;
  std::uint32_t open_scopes = 0;
  std::uint32_t forbidden = 0;

  explicit operator bool() const noexcept { return table != nullptr; }
};

/// A stretch of code whose local roots are dropped together at its end. Scopes nest like blocks:
/// ending an outer one first aborts. Opening, rooting and closing cost a few instructions each.
class HandleScope {
 public:
  explicit HandleScope(Heap& heap) noexcept
      : table_(detail::roots_of(heap)), mark_(table_.open_scope()), depth_(table_.open_scopes()) {
    table_.retain();
  }
  HandleScope(const HandleScope&) = delete;
  HandleScope& operator=(const HandleScope&) = delete;
  /// Aborts when inner scopes are open, and when restore_locals() ended it already.
  ~HandleScope() {
    table_.close_scope(mark_, depth_);
    table_.release();
  }

  /// Roots `object`, which lies in the scope's heap or is nullptr. When the host has no memory the
  /// local is empty and heap.error() says so.
  template <class T>
  [[nodiscard]] Local<T> root(T* object) noexcept {
    const std::uint32_t index = Ref<T>(object).index();
    detail::LocalSlot* slot = table_.push(index);
    if (slot == nullptr) [[unlikely]] {
      if (table_.heap() != nullptr) detail::note_root_failure(*table_.heap());
      return {};
    }
    detail::note_rooted(*table_.heap(), index);
    return Local<T>(&table_, slot);
  }

 private:
  detail::RootTable& table_;
  detail::RootTable::ScopeMark mark_;
  std::uint32_t depth_;
};

}  // namespace besom
