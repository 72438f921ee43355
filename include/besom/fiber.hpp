#pragma once

#include <cstddef>
#include <utility>

#include "besom/detail/export.h"
#include "besom/detail/root_table.hpp"

namespace besom {

/// What a heap knows of a fiber, that is a stack beside the thread's own, such as a coroutine's or
/// a generator's: its local roots and handle scopes, and where its native stack lies if that is to
/// be searched for roots. Control goes to it and away from it in Heap::switch_to().
///
/// A fiber that is left keeps its locals, and scopes on different fibers end in any order. When the
/// object goes its locals become stale and its stack is not looked at any more: that is all there
/// is to a generator that is dropped half-way. Scopes that are open on it must not end later: that
/// aborts.
///
/// Movable, not copyable. Outliving its heap is harmless.
class BESOM_API Fiber {
 public:
  Fiber() noexcept = default;
  /// Has locals of its own. Empty when the host has no memory, in a collection and on another
  /// thread; heap.error() says which. So for the next.
  explicit Fiber(Heap& heap) noexcept;
  /// At each collection the native stack in [stack, stack + bytes) is searched as well, as by
  /// Heap::scan_native_stack(): what of it was in use when it was left, or is, if the fiber runs.
  /// The memory has to stay while this is there. Before it has run first, nothing keeps what it is
  /// given. Empty with bad_option where this is no memory.
  Fiber(Heap& heap, const void* stack, std::size_t bytes) noexcept;
  /// @{
  /// Takes the fiber over; `other` is empty then. What this one had goes, as by reset().
  Fiber(Fiber&& other) noexcept
      : table_(std::exchange(other.table_, nullptr)),
        state_(std::exchange(other.state_, nullptr)) {}
  Fiber& operator=(Fiber&& other) noexcept {
    Fiber taken(std::move(other));
    std::swap(table_, taken.table_);
    std::swap(state_, taken.state_);
    return *this;
  }
  /// @}
  ~Fiber() { reset(); }
  /// Aborts while the fiber runs, during a collection and on another thread.
  void reset() noexcept;

  /// False where it is empty.
  explicit operator bool() const noexcept { return state_ != nullptr; }
  /// Whether Heap::switch_to() took control to it last.
  [[nodiscard]] bool is_running() const noexcept {
    return state_ != nullptr && state_ == &table_->running();
  }

 private:
  friend class Heap;
  Fiber(Heap& heap, const detail::NativeStack& stack) noexcept;

  detail::RootTable* table_ = nullptr;
  detail::FiberState* state_ = nullptr;
};

}  // namespace besom
