#pragma once

#include <cstdint>

#include "freelist/export.hpp"
#include "freelist/zeroed_array.hpp"
#include "heap/error.hpp"

namespace besom {

class Heap;

/// Called by Heap::run_finalizers() with an agent whose object was found dead. It runs outside any
/// collection, with the agent as a root: it may allocate, which may collect, and may store the
/// agent anywhere, which brings it back to life. Heap::collect() from within takes place when it
/// has returned. What it throws is caught and counted.
using FinalizerCallback = void (*)(void* user, Heap& heap, void* agent);

namespace detail {

class Marker;
struct GuardianQueue;

/// An object that is watched, and what is to be handed out when it is found dead.
struct Registration {
  std::uint64_t serial;  ///< Counts registrations.
  GuardianQueue* guardian;
  std::uint32_t object;
  std::uint32_t agent;
  std::int32_t priority;
  std::uint32_t next;  ///< During marking: the rest of the chain that it waits in.
};

struct ReadyAgent {
  std::uint64_t serial;
  std::int32_t priority;
  std::uint32_t agent;
};

/// One guardian's side in the heap.
struct GuardianQueue {
  GuardianQueue* next;
  GuardianQueue** link;  ///< What leads here: the table's list, or `next` of the one before.
  FinalizerCallback callback;
  void* user;
  std::uint64_t pending;           ///< Registrations in the table.
  std::uint64_t ready;             ///< Elements of `agents`.
  ZeroedArray<ReadyAgent> agents;  ///< A heap, the next to be handed out first.
};

/// All registrations of one heap, in the order in which they were made, and its guardians. It
/// outlives the heap while guardians remain, so that they can learn that their heap is gone.
///
/// Takes host memory when a guardian or registration is added, then also for the place that an
/// agent takes once it is ready: a collection asks for nothing. Not thread-safe.
class BESOM_API FinalizerTable {
 public:
  /// nullptr when the host has no memory.
  [[nodiscard]] static FinalizerTable* create(Heap* heap) noexcept;
  void retain() noexcept { ++owners_; }
  /// The last owner's release destroys the table.
  void release() noexcept;

  [[nodiscard]] Heap* heap() const noexcept { return heap_; }
  /// The heap is gone.
  void detach() noexcept;
  /// Drops what is registered and what is ready; guardians stay.
  void clear() noexcept;

  /// nullptr when the host has no memory.
  [[nodiscard]] GuardianQueue* open(FinalizerCallback callback, void* user) noexcept;
  /// Drops the guardian with all that it has. O(registrations of the heap).
  void close(GuardianQueue* guardian) noexcept;
  /// False when the host has no memory; then nothing has changed.
  [[nodiscard]] bool add(GuardianQueue& guardian, std::uint32_t object, std::uint32_t agent,
                         std::int32_t priority) noexcept;
  /// All that `guardian` has pending becomes ready. O(registrations of the heap).
  void expire(GuardianQueue& guardian) noexcept;
  /// Takes the next ready agent out; 0 when there is none.
  [[nodiscard]] static std::uint32_t take(GuardianQueue& guardian) noexcept;

  // What Heap::run_finalizers() does.

  /// How many agents are ready at guardians with a callback.
  [[nodiscard]] std::uint64_t callable() const noexcept;
  /// Takes the best of those out of its guardian, which is returned; nullptr when there is none.
  /// Its agent is running() until finish_call().
  [[nodiscard]] GuardianQueue* begin_call() noexcept;
  void finish_call() noexcept { running_ = 0; }
  [[nodiscard]] std::uint32_t running() const noexcept { return running_; }

  // What a collection does, in this order.

  /// Marks what is handed out or about to be.
  void mark_ready(Marker& marker) const noexcept;
  /// Lets agents wait for their objects. In a minor collection, those registered since the last.
  void await(Marker& marker, bool is_minor) noexcept;
  /// Marks the agents of the registrations whose object is marked.
  void mark_agents(Marker& marker) const noexcept;
  /// Registrations whose object is not marked become ready. Returns how many.
  std::uint64_t take_dead(const Marker& marker, bool is_minor) noexcept;

  /// Visits what is registered, handed out or about to be: `visit(bits, what, is_kept)`. An object
  /// that is guarded is not kept by that, nor its agent where that is the object itself; another
  /// agent is while the object lives.
  template <class Visit>
  void each(Visit visit) const {
    for (std::uint32_t i = 0; i < count_; ++i) {
      const Registration& registration = registrations_[i];
      visit(registration.object, "guarded object", false);
      visit(registration.agent, "agent", registration.agent != registration.object);
    }
    for (const GuardianQueue* guardian = guardians_; guardian != nullptr;
         guardian = guardian->next) {
      for (std::uint64_t i = 0; i < guardian->ready; ++i) {
        visit(guardian->agents[i].agent, "ready agent", true);
      }
    }
    if (running_ != 0) visit(running_, "running finalizer", true);
  }

 private:
  FinalizerTable() = default;
  ~FinalizerTable();
  template <class Goes>
  std::uint64_t take_if(std::uint32_t first, Goes goes) noexcept;
  static void make_ready(const Registration& registration) noexcept;

  Heap* heap_ = nullptr;
  std::uint32_t owners_ = 1;
  std::uint64_t serial_ = 0;
  GuardianQueue* guardians_ = nullptr;
  ZeroedArray<Registration> registrations_;
  std::uint32_t count_ = 0;
  std::uint32_t old_count_ = 0;  ///< Those below survived a collection: object and agent are old.
  std::uint32_t running_ = 0;
};

}  // namespace detail
}  // namespace besom
