#pragma once

#include <cstdint>
#include <span>

#include "besom/detail/host_pool.hpp"
#include "besom/error.hpp"
#include "besom/finalizer.hpp"
#include "heap/host_vector.hpp"

namespace besom::detail {

class Marker;
struct HeapParts;
struct GuardianQueue;

/// An object that is watched, and what is to be handed out when it is found dead.
struct Registration {
  std::uint64_t serial;     ///< Counts registrations.
  GuardianQueue* guardian;  ///< nullptr: dropped; object and agent are 0 then.
  std::uint32_t object;
  std::uint32_t agent;
  std::int32_t priority;
  std::uint32_t next;        ///< During marking: the rest of the chain that it waits in.
  std::uint32_t previous;    ///< The guardian's one before: its number + 1, or 0.
  bool keeps_object;         ///< It is handed out, too.
  std::uint16_t settled_in;  ///< The cycle that found the object alive: its number, or 0.
};

struct ReadyAgent {
  std::uint64_t serial;
  std::int32_t priority;
  std::uint32_t agent;
  std::uint32_t object;  ///< 0 where it is not handed out.
};

/// What one guardian has to hand out: a heap, the next agent first.
///
/// Most guardians watch one object or two, and for those there is room in here: many blocks of a
/// few bytes are what the host's allocator would keep when they have gone.
class ReadyAgents {
 public:
  explicit ReadyAgents(const TableMemory* memory) noexcept : many_(memory) {}

  /// The next one to be handed out comes first, the others in no order.
  [[nodiscard]] std::span<const ReadyAgent> all() const noexcept {
    if (!has_many()) return {few_, few_count_};
    return {many_.rows().data(), many_.rows().size()};
  }
  /// For as many in all. False when the host has no memory.
  [[nodiscard]] bool make_room(std::size_t count) noexcept;
  void give_back(std::size_t count) noexcept;
  /// There has to be room. O(log n).
  void push(const ReadyAgent& agent) noexcept;
  /// There has to be one. O(log n).
  ReadyAgent pop() noexcept;
  void clear() noexcept;

 private:
  static constexpr std::size_t kFew = 2;
  static constexpr std::size_t kLeastMany = 16;
  [[nodiscard]] bool has_many() const noexcept { return many_.rows().capacity() != 0; }

  ReadyAgent few_[kFew] = {};
  std::size_t few_count_ = 0;
  HostVector<ReadyAgent> many_;  ///< Has all of them, or no memory.
};

/// One guardian's side in the heap.
struct GuardianQueue {
  explicit GuardianQueue(const TableMemory* memory) noexcept : agents(memory) {}

  GuardianQueue* next = nullptr;
  GuardianQueue** link =
      nullptr;  ///< What leads here: the table's list, or `next` of the one before.
  FinalizerCallback callback = nullptr;
  void* user = nullptr;
  std::uint64_t pending = 0;  ///< Registrations in the table.
  std::uint32_t newest = 0;   ///< The last of them: its number + 1, or 0.
  std::uint32_t place = 0;    ///< In the order of those that have something ready, + 1; or 0.
  ReadyAgents agents;

  [[nodiscard]] std::uint64_t ready() const noexcept { return agents.all().size(); }
};

/// The guardians that have something ready: a heap, first those with a callback, among these the
/// one whose next agent is to be handed out before all others.
class ReadyOrder {
 public:
  /// With a copy of what decides, so that to compare two reads none of them.
  struct Row {
    GuardianQueue* guardian;
    bool has_callback;
    std::int32_t priority;
    std::uint64_t serial;
  };

  explicit ReadyOrder(const TableMemory* memory) noexcept : heap_(memory) {}

  /// For as many guardians as there are. False when the host has no memory.
  [[nodiscard]] bool make_room(std::size_t guardians) noexcept {
    return heap_.make_room(guardians);
  }
  void give_back(std::size_t guardians) noexcept { heap_.give_back(guardians); }
  /// The guardian's ready agents have changed. O(log n).
  void update(GuardianQueue& guardian) noexcept;
  /// nullptr when there is none.
  [[nodiscard]] GuardianQueue* first() const noexcept {
    return heap_.rows().empty() ? nullptr : heap_.rows().front().guardian;
  }
  [[nodiscard]] const HostVector<Row>::Rows& rows() const noexcept { return heap_.rows(); }
  void clear() noexcept;

 private:
  void put(std::size_t place, const Row& row) noexcept;

  HostVector<Row> heap_;
};

/// All registrations of one heap, in the order in which they were made, and its guardians. It
/// outlives the heap while guardians remain, so that they can learn that their heap is gone.
///
/// Registrations are numbered by their places, for the chains that they wait in. Those of one
/// guardian form a list, the newest first, so that it can be dropped without looking at others'.
/// What is dropped keeps its place until the next collection, or until half of all are dropped.
///
/// Takes host memory when a guardian or registration is added, then also for the place that an
/// agent takes once it is ready: a collection asks for nothing. Not thread-safe.
class FinalizerTable {
 public:
  /// nullptr when the host has no memory. `memory` lasts until detach().
  [[nodiscard]] static FinalizerTable* create(Heap* heap, const TableMemory& memory) noexcept;
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
  /// Drops the guardian with all that it has. O(its registrations), amortised.
  void close(GuardianQueue* guardian) noexcept;
  /// False when the host has no memory; then nothing has changed.
  [[nodiscard]] bool add(GuardianQueue& guardian, std::uint32_t object, std::uint32_t agent,
                         std::int32_t priority, bool keeps_object) noexcept;
  /// All that `guardian` has pending becomes ready. O(n log n) in its registrations, amortised.
  void expire(GuardianQueue& guardian) noexcept;
  /// Takes the next ready agent out; all 0 when there is none. O(log n).
  [[nodiscard]] ReadyAgent take(GuardianQueue& guardian) noexcept;

  // What Heap::run_finalizers() does.

  /// How many agents are ready at guardians with a callback.
  [[nodiscard]] std::uint64_t callable() const noexcept { return callable_; }
  /// The guardian with a callback whose next agent comes before all others; nullptr when there is
  /// none.
  [[nodiscard]] GuardianQueue* first_callable() const noexcept;

  // What a collection does, in this order.

  /// Marks what is handed out or about to be.
  void mark_ready(Marker& marker) const noexcept;
  /// Before an incremental cycle.
  void begin_settling() noexcept;
  /// In slices: marks the agents of the objects that live for sure, until marker.work() comes to
  /// `limit`. True when it came to the end.
  [[nodiscard]] bool settle_some(Marker& marker, std::uint64_t limit) noexcept;
  /// Lets agents wait for their objects. In a minor collection, those registered since the last.
  void await(Marker& marker, bool is_minor) noexcept;
  /// Marks the agents of the registrations whose object is marked: of those that await() let wait.
  void mark_agents(Marker& marker, bool is_minor) const noexcept;
  /// Registrations whose object is not marked become ready. Returns how many.
  std::uint64_t take_dead(const Marker& marker, bool is_minor) noexcept;

  /// Visits what is registered, handed out or about to be: `visit(bits, what, is_kept)`. An object
  /// that is guarded is not kept by that, nor its agent where that is the object itself; another
  /// agent is while the object lives.
  template <class Visit>
  void each(Visit visit) const {
    for (const Registration& registration : registrations_.rows()) {
      if (registration.guardian == nullptr) continue;
      visit(registration.object, "guarded object", false);
      visit(registration.agent, "agent", registration.agent != registration.object);
    }
    for (const ReadyOrder::Row& row : order_.rows()) {
      for (const ReadyAgent& ready : row.guardian->agents.all()) {
        visit(ready.agent, "ready agent", true);
        if (ready.object != ready.agent) visit(ready.object, "ready object", true);
      }
    }
  }

 private:
  FinalizerTable(Heap* heap, const TableMemory& memory) noexcept : heap_(heap), memory_(memory) {}
  ~FinalizerTable();
  [[nodiscard]] Registration& numbered(std::uint32_t number) noexcept {
    return registrations_.rows()[number - 1];
  }
  [[nodiscard]] std::uint32_t settled_by(const Marker& marker) const noexcept;
  template <class Goes>
  std::uint64_t take_if(std::uint32_t first, Goes goes) noexcept;
  template <class Take>
  void drop_pending(GuardianQueue& guardian, Take take) noexcept;
  void make_ready(const Registration& registration) noexcept;
  void give_back(GuardianQueue& guardian) noexcept;

  Heap* heap_;
  TableMemory memory_;
  std::uint32_t owners_ = 1;
  std::uint64_t serial_ = 0;
  HostPool<GuardianQueue> queues_;
  GuardianQueue* guardians_ = nullptr;
  std::size_t guardian_count_ = 0;
  ReadyOrder order_{&memory_};
  std::uint64_t callable_ = 0;
  HostVector<Registration> registrations_{&memory_};
  std::uint32_t dropped_ = 0;    ///< Registrations without a guardian.
  std::uint32_t old_count_ = 0;  ///< Those below survived a collection: object and agent are old.
  std::uint32_t looked_at_ = 0;  ///< By settle_some().
  std::uint16_t cycle_ = 0;      ///< Counts begin_settling(), but for 0.
};

/// Takes the side tables that waiting for an object needs, as Collector::prepare_weak(): defined
/// beside that.
[[nodiscard]] Error prepare_agents(HeapParts& heap) noexcept;
/// Collector::forget_dead(), likewise.
void forget_dead(HeapParts& heap) noexcept;

}  // namespace besom::detail
