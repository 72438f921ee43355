#pragma once

#include <cstdint>
#include <utility>

#include "besom/detail/export.h"
#include "besom/error.hpp"
#include "besom/finalizer.hpp"
#include "besom/heap.hpp"

namespace besom {

namespace detail {
class FinalizerTable;
struct GuardianQueue;
}  // namespace detail

/// What a guardian hands out at a time.
struct Guarded {
  void* object;  ///< nullptr where the agent stands in for it, and the object is gone.
  void* agent;   ///< The object itself where no other was given. nullptr: none was ready.
};

/// Watches objects of one heap, and hands each out once it is found dead: finalizers as a queue
/// that the program empties when it suits it. Nothing of the program's runs inside a collection.
///
///     guard(file)     file unreachable, collect()      next() == file, whole
///     pending ------------------------------> ready ---------------------> the program's again
///
/// - What is ready was brought back to life, with all that is reachable from it, and is a root
///   until it is handed out. What the program does not store anywhere then, the next full
///   collection frees.
/// - Each registration is handed out exactly once. An object may be guarded several times, by one
///   guardian or more, and again after it was handed out.
/// - All objects that are found dead together become ready together, also those that refer to each
///   other. They are handed out by priority, the highest first, and among equals in the order of
///   their registration.
/// - Weak things that were reachable forget an object before it becomes ready, and what it alone
/// led
///   to as well.
/// - Destroying the guardian, its heap, or resetting the heap, drops what it has, silently. Who
///   wants the rest calls make_all_ready() before and empties the queue. What has to be let go in
///   any case belongs in TypeDescriptor::release.
///
/// Movable, not copyable. Outliving its heap is harmless.
/// Source: Dybvig, Bruggeman and Eby 1993, "Guardians in a generation-based garbage collector".
class BESOM_API Guardian {
 public:
  Guardian() noexcept = default;
  /// With a callback, Heap::run_finalizers() empties the queue. When the host has no memory the
  /// guardian is empty and heap.error() says so.
  explicit Guardian(Heap& heap, FinalizerCallback callback = nullptr,
                    void* user = nullptr) noexcept;
  /// `other` is empty then.
  Guardian(Guardian&& other) noexcept
      : table_(std::exchange(other.table_, nullptr)),
        queue_(std::exchange(other.queue_, nullptr)) {}
  /// What it had so far is dropped now, not when `other` goes.
  Guardian& operator=(Guardian&& other) noexcept {
    Guardian taken(std::move(other));
    std::swap(table_, taken.table_);
    std::swap(queue_, taken.queue_);
    return *this;
  }
  ~Guardian() { reset(); }
  /// Drops all registrations, O(those). Aborts during a collection and on another thread.
  void reset() noexcept;

  /// False where it is empty or its heap is gone.
  explicit operator bool() const noexcept { return queue_ != nullptr && !is_stale(); }
  /// The heap is gone.
  [[nodiscard]] bool is_stale() const noexcept;

  /// Watches `object`, and hands out `agent` in its place when it is dead: with nullptr, the object
  /// itself. An agent is kept as long as the object lives, yet does not keep it, even if it refers
  /// to it. Fails with bad_ref where no object starts, wrong_heap, stale_handle (also for an empty
  /// guardian), reentrant, wrong_thread and out_of_host_memory. Amortised O(1).
  Error guard(const void* object, const void* agent = nullptr, std::int32_t priority = 0) noexcept;

  /// The same, and hands out both: `object` is kept, too, until next_both() has given it. For
  /// objects that an agent cannot lead to, such as one that frees what others have. A callback gets
  /// the agent alone.
  Error guard_both(const void* object, const void* agent, std::int32_t priority = 0) noexcept;

  /// The next agent, or nullptr when none is ready. Like a new object it is safe until the next
  /// allocation, or until a handle, local or set() has it. Fails with stale_handle, reentrant and
  /// wrong_thread; then nothing is lost. O(log ready).
  [[nodiscard]] Result<void*> next() noexcept;
  /// The same with its object. Both are safe until the next allocation, or until a handle, local or
  /// set() has them.
  [[nodiscard]] Result<Guarded> next_both() noexcept;

  /// Makes everything that is registered ready, dead or not: for a program that ends. Weak things
  /// forget what a cycle has found dead by now, and keep the rest. Fails with stale_handle,
  /// reentrant and wrong_thread. O(n log n) in what is registered; at the end of a cycle also
  /// O(weak slots and handles).
  Error make_all_ready() noexcept;

  /// Registrations whose objects were not found dead.
  [[nodiscard]] std::uint64_t pending() const noexcept;
  /// Agents that next() would give.
  [[nodiscard]] std::uint64_t ready() const noexcept;

 private:
  [[nodiscard]] Error refusal() const noexcept;
  Error add(const void* object, const void* agent, std::int32_t priority, bool keeps) noexcept;

  detail::FinalizerTable* table_ = nullptr;
  detail::GuardianQueue* queue_ = nullptr;
};

}  // namespace besom
