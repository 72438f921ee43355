#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>

#include "besom/detail/heap_parts.hpp"
#include "besom/stats.hpp"
#include "gc/accounts.hpp"
#include "gc/mark/marker.hpp"
#include "gc/object_slots.hpp"
#include "gc/observer.hpp"
#include "gc/refusal.hpp"
#include "gc/remembered.hpp"
#include "gc/sweep/releaser.hpp"
#include "gc/sweep/sweeper.hpp"
#include "gc/verifier.hpp"
#include "gc/when/cycle.hpp"
#include "gc/when/nursery.hpp"
#include "gc/when/pacer.hpp"

namespace besom::detail {

struct EntryTable;

/// The part of a heap that works between the mutator's steps: makes room for allocations that the
/// windows could not serve, and runs collections.
class Collector {
 public:
  static constexpr Error kWrongThread{.code = Errc::wrong_thread,
                                      .detail = "call attach_thread() to hand a heap over"};

  /// `heap` has all its parts but the collector, and outlives it.
  [[nodiscard]] static Result<std::unique_ptr<Collector>> create(HeapParts& heap, LogSink log);

  /// Memory for an object: from windows and holes, else by collecting, else by growing. On failure
  /// nullptr, with the reason in `error`: then the last collection was a full one, nothing was
  /// allocated since, and as far as can be seen nothing died, unless collections are not allowed
  /// here or a callback abandoned it.
  [[nodiscard]] char* allocate(std::uint32_t granules, Error& error) noexcept;
  /// False when a callback abandoned it.
  bool collect(Cause cause) noexcept;
  /// For the embedder: from inside a finalizer, when that has returned. False as for collect().
  bool collect_on_request() noexcept;
  /// After a jump out of a callback. `frame`: the caller's own, to tell where the jump landed.
  void recover(const char* frame) noexcept;
  /// Collects if that is due and not forbidden. False when a callback abandoned the collection.
  bool safepoint() noexcept;
  /// Works on an incremental cycle, and begins one where none is under way. Returns the units that
  /// are left of it, as far as is known; 0 when it has ended. Nothing when a callback abandoned it.
  [[nodiscard]] std::optional<std::uint64_t> step(std::uint64_t units) noexcept;
  /// Calls `count` finalizers; how many there were. Fails with out_of_host_memory.
  Result<std::uint64_t> run_finalizers(FinalizerRunner runner, std::uint64_t count) noexcept;
  /// Whether a finalizer runs, as far as is known: neither restore_locals() nor recover() has ended
  /// it.
  [[nodiscard]] bool is_in_finalizer() const noexcept;
  /// Local roots were dropped, a running finalizer's among them perhaps: then it is over.
  void note_restored() noexcept;
  /// Aborts unless none runs or the one that did has been left; `frame` as for recover().
  void check_no_finalizer(const char* frame) const noexcept;
  VerifyCounts verify(DefectSink sink) noexcept;

  /// Runs `body(space, types)`, which returns a value, while the heap refuses all else. The map
  /// then shows every object and hole, and nothing of it is left behind.
  template <class Body>
  auto read(Body body) {
    Busy busy(*this, Phase::reading);
    heap_.space->conceal_unused();
    auto result = body(*heap_.space, types_);
    heap_.space->reveal_unused();
    busy.leave();
    return result;
  }

  /// For Space::is_sample_due(): tells the observer, while the heap refuses all else.
  void take_sample(const AllocationSample& sample) noexcept;
  /// Whether the collection that is being reported found the object alive that starts at `index`.
  /// False where none starts. Good in HeapObserver::after_collection(). O(1).
  [[nodiscard]] bool has_found(std::uint32_t index) noexcept {
    if (!heap_.space->free_list().is_block(index)) return false;
    return heap_.space->is_swept() || marker_.marks().test(to_granules(index));
  }
  /// Calls `visit(Run)` for each object that it found alive, in address order. As has_found().
  template <class Visit>
  void each_found(Visit visit) noexcept {
    heap_.space->conceal_unused();
    each_object(*heap_.space, [&](Run run) {
      if (has_found(run.index)) visit(run);
    });
    heap_.space->reveal_unused();
  }

  /// How often collections are forbidden; nested.
  [[nodiscard]] std::uint32_t forbidden() const noexcept { return forbidden_; }
  void forbid_collections() noexcept { ++forbidden_; }
  /// False when they are not forbidden.
  [[nodiscard]] bool allow_collections() noexcept;

  [[nodiscard]] Error add_external(std::uint64_t bytes) noexcept;
  [[nodiscard]] Error remove_external(std::uint64_t bytes) noexcept;
  /// The mapped capacity and the accounts as after creation.
  void reset() noexcept;

  /// Takes the side tables that objects of the type need. Fails with out_of_host_memory.
  [[nodiscard]] Error prepare(const TypeDescriptor& descriptor) noexcept;
  [[nodiscard]] Error prepare_weak() noexcept;
  /// Between the two, which nest, arrays of tables are not made smaller.
  void begin_table_walk() noexcept { ++table_walks_; }
  void end_table_walk() noexcept { --table_walks_; }
  /// At the end of a cycle, before the dead come back: whatever is weak forgets them at once.
  void forget_dead() noexcept;
  void note_released(const void* object) noexcept { releaser_.add(index_of(object)); }
  /// Gives up the cycle that is under way, and calls the release hooks of all objects, which then
  /// are forgotten: before the heap is destroyed or reset().
  void release_all() noexcept;

  /// Whether the heap is at work on itself, or calls out of that: nobody else may.
  [[nodiscard]] bool is_collecting() const noexcept { return phase() != Phase::idle; }
  [[nodiscard]] bool is_own_thread() const noexcept;
  /// Whether the embedder's call may begin. False inside a collection or a walk and on another
  /// thread: the heap's error says which.
  [[nodiscard]] bool may_enter() noexcept;
  void attach_thread() noexcept;
  void set_listener(CollectionListener listener, void* user) noexcept {
    listener_ = listener;
    listener_user_ = user;
  }

  /// Each minor collection looks at the object, or no longer. Nothing in a heap that is not
  /// generational. Fails with out_of_host_memory.
  [[nodiscard]] Error set_always_remembered(std::uint32_t index, bool remembered) noexcept;

  [[nodiscard]] TypeTable& types() noexcept { return types_; }
  [[nodiscard]] const LogSink& log() const noexcept { return log_; }
  /// Whether the embedder is being asked, inside an allocation, what to do about a full heap.
  [[nodiscard]] bool is_asking() const noexcept { return is_asking_; }
  [[nodiscard]] const CollectionStats& last() noexcept;
  [[nodiscard]] HeapStats stats() noexcept;
  [[nodiscard]] const Stops& stops() const noexcept { return accounts_.stops(); }

 private:
  /// What the heap does now. In all but idle, callbacks and signal handlers are refused.
  enum class Phase : std::uint8_t {
    idle,
    marking,    ///< Nothing is freed yet: what is left in the middle can be abandoned.
    sweeping,   ///< Nothing of the embedder's is called.
    reporting,  ///< The collection is over, but for those who hear of it.
    reading,    ///< A walk that changes nothing.
  };
  /// One stay in phases other than idle. Leaving aborts when recover() was called meanwhile: then
  /// the callback that did so has not jumped out, and the heap took itself to be idle.
  class Busy {
   public:
    Busy(Collector& collector, Phase phase) noexcept : collector_(collector) {
      collector_.set_locked(true);
      collector_.set_phase(phase);
    }
    Busy(const Busy&) = delete;
    Busy& operator=(const Busy&) = delete;
    void enter(Phase phase) noexcept;
    void leave() noexcept;

   private:
    Collector& collector_;
    std::uint64_t recoveries_ = collector_.recoveries_;
  };

  /// What the mark bits say between two collections.
  enum class Marks : std::uint8_t {
    clear,  ///< Nothing, or nothing behind the position of the sweep: marking may begin.
    old,    ///< Which objects survived the last collection, in a generational heap.
    stale,  ///< Nothing: a marking is under way or was given up, or they are being cleared.
  };

  /// The finalizer that runs. Its agent is a local root: where that is gone, so is the finalizer.
  struct FinalizerCall {
    std::uint64_t place = 0;
    std::uint64_t serial = 0;  ///< 0: none runs.
    const ShadowStack* locals = nullptr;
    const char* frame = nullptr;  ///< Of its caller.
    std::uint32_t open_scopes = 0;
    bool is_doubted = false;  ///< recover() was called, and it may have been left.
  };

  Collector(HeapParts& heap, Marker marker, LogSink log, const TableMemory& tables) noexcept
      : heap_(heap),
        marker_(std::move(marker)),
        pacer_(heap.options),
        nursery_(heap.options.generational),
        cycle_(heap.options.slice),
        remembered_(tables),
        log_(log),
        accounts_(heap) {
    attach_thread();
  }

  // room.cpp
  [[nodiscard]] bool may_allocation_collect() const noexcept {
    return forbidden_ == 0 && !heap_.options.safepoints;
  }
  [[nodiscard]] char* find_room(std::uint32_t granules, Error& error) noexcept;
  [[nodiscard]] char* refuse(const Error& error) noexcept;
  void collect_for_room(Cause cause) noexcept;
  [[nodiscard]] char* allocate_by_growing(std::uint32_t granules, std::uint64_t limit,
                                          Error& error) noexcept;
  [[nodiscard]] char* allocate_by_growing_a_little(std::uint32_t granules,
                                                   std::uint64_t limit) noexcept;
  [[nodiscard]] char* allocate_by_searching(std::uint32_t granules) noexcept;
  [[nodiscard]] char* allocate_in_cycle(std::uint32_t granules, bool may_begin,
                                        Error& error) noexcept;
  /// How far an incremental heap may grow rather than stop for long.
  [[nodiscard]] std::uint64_t most_in_cycle() const noexcept;
  /// How far the heap may grow now without a collection.
  [[nodiscard]] std::uint64_t growth_limit() const noexcept;
  /// Whether the next collection has to be a full one, whatever it is that makes one due.
  [[nodiscard]] bool is_full_due() const noexcept {
    return overdue_ || pacer_.external_is_due() ||
           (heap_.options.generational &&
            accounts_.allocated_since_full() >= pacer_.longest_wait());
  }
  /// Whether minor collections come before allocation alone would make a full one due.
  [[nodiscard]] bool is_paced_by_nursery() const noexcept {
    return nursery_.is_on() && nursery_.bytes() < pacer_.pace();
  }
  /// Why a collection is due, if it is.
  [[nodiscard]] std::optional<Cause> due() const noexcept;
  void meet_what_is_due() noexcept;
  // refusing.cpp
  [[nodiscard]] std::uint64_t fingerprint_of_roots() noexcept;
  [[nodiscard]] bool is_collecting_in_vain() noexcept;
  void note_refusal() noexcept;
  void stop_watching() noexcept;
  [[nodiscard]] bool ask_embedder(const Error& refusal) noexcept;
  // collector.cpp
  [[nodiscard]] bool is_minor(Cause cause) const noexcept;
  /// Whether the marks say of each object that there was at the last collection that it lives.
  [[nodiscard]] bool has_old_objects() const noexcept { return marks_ == Marks::old; }
  void open(Cause cause, bool minor) noexcept;
  void mark(CollectionStats& stats) noexcept;
  void mark_roots(CollectionStats& stats) noexcept;
  void mark_other_roots(CollectionStats& stats) noexcept;
  void end_waiting(bool is_minor) noexcept;
  void conclude(Busy& busy, StopKind kind) noexcept;
  void run_hooks() noexcept;
  void clear_weak_handles() noexcept;
  void settle(CollectionStats& stats) noexcept;
  void free_and_report(Busy& busy, StopKind kind) noexcept;
  void release_dead(CollectionStats& stats) noexcept;
  void free_unmarked(CollectionStats& stats) noexcept;
  [[nodiscard]] std::uint64_t bytes_of_live(const CollectionStats& stats) noexcept;
  void sweep_old(const CollectionStats& stats) noexcept;
  void note_findings(CollectionStats& stats) const noexcept;
  void note_holes(CollectionStats& stats) const noexcept;
  void finish(CollectionStats& stats) noexcept;
  void close(StopKind kind) noexcept;
  void report(const CollectionStats& stats) noexcept;
  [[nodiscard]] std::uint64_t table_bytes_used(std::uint64_t reserved) const noexcept;
  // giving_back.cpp
  void give_back(CollectionStats& stats) noexcept;
  [[nodiscard]] bool give_back_some() noexcept;
  // incremental.cpp
  void pace_cycle(bool may_begin) noexcept;
  [[nodiscard]] bool is_cycle_due() const noexcept;
  [[nodiscard]] Cause cause_of_cycle() const noexcept;
  struct Progress {
    std::uint64_t allocated;
    std::uint64_t pace;
  };
  [[nodiscard]] Progress progress() const noexcept;
  [[nodiscard]] Progress progress_inside() const noexcept;
  void prepare_cycle() noexcept;
  [[nodiscard]] bool sweep_in_steps() noexcept;
  [[nodiscard]] bool clear_marks_some() noexcept;
  void begin_cycle(Cause cause) noexcept;
  void run_slice(std::uint64_t units) noexcept;
  [[nodiscard]] bool mark_some(std::uint64_t units, bool is_concealed) noexcept;
  void end_stop(Busy& busy, StopKind kind) noexcept;
  void give_up_cycle() noexcept;
  void leave_marking() noexcept;
  // settling.cpp
  /// What a cycle does when its marking is over, in this order.
  enum class Settling : std::uint8_t { no, slots, handles, finalizers, releases, tables };
  void decide(std::uint64_t units) noexcept;
  void settle_slice(std::uint64_t units) noexcept;
  void settle_or_stop(Busy& busy, std::uint64_t units) noexcept;
  [[nodiscard]] bool forget_some(std::uint64_t limit) noexcept;
  [[nodiscard]] bool settle_some(Busy& busy, std::uint64_t units) noexcept;
  void retire_all() noexcept;
  void settle_finalizers(CollectionStats& stats) noexcept;
  void end_settling(Busy& busy) noexcept;
  /// All that is left of the cycle, in one stop.
  void finish_cycle() noexcept;
  // phases.cpp
  [[nodiscard]] Phase phase() const noexcept { return phase_.load(std::memory_order_relaxed); }
  void set_phase(Phase phase) noexcept;
  void set_locked(bool locked) noexcept;
  void keep_all(CollectionStats& stats) noexcept;
  // finalizing.cpp
  [[nodiscard]] bool is_known_left(const char* frame) const noexcept;
  [[nodiscard]] bool has_agent() const noexcept;
  void end_finalizer() noexcept;
  void recover_finalizer(const char* frame) noexcept;
  [[nodiscard]] bool shrink_tables(std::uint64_t limit) noexcept;
  void shrink_table(EntryTable& table) noexcept;
  // zeal.cpp
  /// Whether zeal looks for stores of which no barrier was told.
  [[nodiscard]] bool checks_stores() const noexcept {
    return heap_.options.zeal.verify || heap_.options.zeal.collect_every != 0;
  }
  void verify_or_abort(const char* when) noexcept;
  void check_stores(const Cards* cards, const char* when) noexcept;
  void check_cycle() noexcept;

  HeapParts& heap_;
  Marker marker_;
  Pacer pacer_;
  Nursery nursery_;
  Cycle cycle_;
  std::uint64_t used_at_begin_ = 0;  ///< Bytes of the arena, when the last cycle began to mark.
  Releaser releaser_;
  Remembered remembered_;
  TypeTable types_;
  LogSink log_;
  Accounts accounts_;
  Marks marks_ = Marks::clear;
  /// The sweep was left to allocation, and what came since may be marked, be it an object or not.
  bool marks_are_mixed_ = false;
  std::uint32_t lines_cleared_ = 0;  ///< Of the marks, by clear_marks_some().
  bool gives_back_ = false;          ///< Once all is swept, in an incremental heap.
  std::optional<DiscardWalk> giving_back_;
  std::uint64_t returned_ = 0;  ///< Bytes given back so since the last full collection.
  Settling settling_ = Settling::no;
  std::uint32_t until_zeal_ = 0;  ///< 1: the next allocation collects.
  /// Allocation comes by for a slice each time that so much of the room for external bytes is
  /// taken.
  static constexpr std::uint64_t kSlicesOfExternal = 32;
  std::uint64_t external_seen_ = 0;  ///< When it came by last.
  std::uint32_t forbidden_ = 0;
  std::uint32_t table_walks_ = 0;
  FinalizerCall finalizer_;
  bool collect_deferred_ = false;  ///< A finalizer asked for a collection.
  bool overdue_ = false;         ///< Where it was not allowed, the heap grew instead of collecting.
  bool watches_stores_ = false;  ///< From a refusal to the next allocation or collection.
  bool is_asking_ = false;       ///< Inside HeapOptions::near_limit.
  Refusal refusal_;
  std::atomic<Phase> phase_ = Phase::idle;
  std::uint64_t recoveries_ = 0;
  const void* thread_ = nullptr;
  CollectionListener listener_ = nullptr;
  void* listener_user_ = nullptr;
};

}  // namespace besom::detail
