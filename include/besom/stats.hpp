#pragma once

#include <cstdint>

#include "besom/detail/export.h"

namespace besom {

/// Why a collection ran.
enum class Cause : std::uint8_t {
  requested,  ///< Heap::collect().
  full,       ///< No hole was large enough.
  pace,       ///< Enough was allocated, whatever is free: see detail::Pacer.
  external,   ///< Bytes held outside on behalf of objects have grown: see Heap::add_external().
  nursery,    ///< Enough was allocated to look among the young, in a generational heap.
  zeal,
};

/// The name as it stands in the enumeration.
[[nodiscard]] BESOM_API const char* name_of(Cause cause) noexcept;

/// One collection. Sizes in bytes, times in nanoseconds of wall clock.
struct CollectionStats {
  std::uint64_t number = 0;        ///< Counts from 1.
  Cause cause = Cause::requested;  ///< Why it ran.
  /// A callback gave up, or jumped out and Heap::recover() was called: nothing was freed. What it
  /// would have found is not known; live_bytes and live_objects count all there is.
  bool abandoned = false;
  bool minor = false;  ///< Marked the young alone; what was reached before counts as live.
  /// After it; rounded up to granules, headers included. Where sweeping is left to allocation, as
  /// marking found them: an object without refs whose length was overwritten counts for what its
  /// header says.
  std::uint64_t live_bytes = 0;
  std::uint64_t live_objects = 0;   ///< After it.
  std::uint64_t freed_bytes = 0;    ///< Rounded up to granules, headers included.
  std::uint64_t freed_objects = 0;  ///< Found dead.
  std::uint64_t roots_ns = 0;       ///< Visiting the roots.
  std::uint64_t mark_ns = 0;        ///< Marking what they lead to.
  std::uint64_t weak_ns = 0;        ///< Mark hooks, weak things, finalizers and release hooks.
  std::uint64_t sweep_ns = 0;       ///< Without what is left to allocation.
  std::uint64_t pause_ns = 0;       ///< All its stops, verification under zeal excepted.
  /// @{
  /// After it, where it swept at once, as a requested one does; 0 where that is left to allocation.
  std::uint64_t holes = 0;
  std::uint64_t largest_hole = 0;
  /// @}
  std::uint64_t committed = 0;  ///< Of the arena accessible, after it.
  std::uint64_t reserved = 0;   ///< Address space of the arena, its guard included.
  /// Given back to the system by this collection; in an incremental heap as a rule in steps before
  /// it, as soon as what the last one freed was swept.
  std::uint64_t returned = 0;
  std::uint64_t external = 0;  ///< Bytes held outside, at its end.
  /// Allocated between the beginning and the end of a cycle: live for this collection, whatever
  /// became of it. 0 where the program stood still.
  std::uint64_t born_bytes = 0;
  /// Slots that held no object's index; not followed. Where the mark stack was full, not all count.
  std::uint64_t bad_refs = 0;
  /// Objects whose header contradicts the tables; not traced. Those without refs are not looked at.
  std::uint64_t bad_headers = 0;
  std::uint64_t mark_rescans = 0;    ///< Walks of the mark bitmap because the mark stack was full.
  std::uint64_t weak_cleared = 0;    ///< Weak slots and handles whose targets died.
  std::uint64_t entries_broken = 0;  ///< Entries of ephemerons and weak values.
  std::uint64_t finalizers_ready = 0;  ///< Registrations whose objects were found dead.
  std::uint64_t released = 0;          ///< Objects whose release hooks ran.
};

/// The heap now.
struct HeapStats {
  std::uint64_t collections = 0;  ///< Minor and abandoned ones included.
  std::uint64_t abandoned = 0;    ///< Of these, the collections that were abandoned.
  std::uint64_t capacity = 0;     ///< Bytes that objects may take before the heap grows.
  /// In objects, dead ones and unused window parts included. What zeal holds back counts as free.
  std::uint64_t used = 0;
  std::uint64_t committed = 0;  ///< Of the arena accessible.
  std::uint64_t reserved = 0;   ///< Address space of the arena, its guard included.
  /// Side tables: memory that they take at most, by how much of the arena was ever used.
  std::uint64_t table_bytes = 0;
  std::uint64_t table_reserved = 0;     ///< Their address space, sized for heap_max.
  std::uint64_t external = 0;           ///< Bytes held outside on behalf of objects.
  std::uint64_t allocated = 0;          ///< Bytes handed out, unused rests at hand included.
  std::uint64_t pause_ns = 0;           ///< Sum over all collections.
  std::uint64_t pause_max_ns = 0;       ///< The longest stop.
  std::uint64_t freed_bytes = 0;        ///< Sum over all collections.
  std::uint64_t freed_objects = 0;      ///< Likewise.
  std::uint64_t finalizers_run = 0;     ///< Callbacks called by Heap::run_finalizers().
  std::uint64_t finalizers_failed = 0;  ///< Those that threw.
  std::uint64_t released = 0;           ///< Objects whose release hooks ran.
  /// Bytes of the arena that were handed out for the first time, or again after they were given
  /// back: the system finds and clears their pages when the program first writes there. No stop
  /// counts that, as it happens in the midst of the program. docs/performance.md, "Pauses", has
  /// what it costs.
  std::uint64_t touched = 0;
};

/// What the collector does while the program stands still.
enum class StopKind : std::uint8_t {
  full,   ///< A collection of the whole heap at once, or one that was abandoned.
  minor,  ///< A collection of the young alone.
  begin,  ///< The beginning of an incremental cycle: the roots.
  slice,  ///< Some of a cycle: of its marking, of what comes after that, or the stops between
          ///< these.
  end,    ///< The end of a cycle: what is left by then.
};

/// How many there are.
inline constexpr std::uint32_t kStopKinds = 5;

/// The name as it stands in the enumeration.
[[nodiscard]] BESOM_API const char* name_of(StopKind kind) noexcept;

/// The stops of one kind, in wall clock, verification under zeal excepted. What allocation does by
/// the way, sweeping and new pages, is not a stop.
struct StopStats {
  /// Entries of the histogram.
  static constexpr std::uint32_t kLengths = 24;

  std::uint64_t count = 0;       ///< How many there were.
  std::uint64_t total_ns = 0;    ///< Together.
  std::uint64_t longest_ns = 0;  ///< Of these.
  /// A histogram: how many took less than 2^i microseconds and are in no entry before. All that
  /// took 4 s and more are in the last.
  std::uint64_t lengths[kLengths] = {};
};

/// Minimum mutator utilisation: of any span of so many milliseconds, the least share that was left
/// to the program by the stops. 1 where there was none. After Cheng and Blelloch, "A parallel,
/// real-time garbage collector", 2001.
struct Utilisation {
  double in_1_ms = 1;   ///< From 0 to 1, as the others.
  double in_5_ms = 1;   ///< Of five milliseconds.
  double in_10_ms = 1;  ///< Of ten.
  double in_50_ms = 1;  ///< Of fifty.
};

/// Called after each collection, but for one that a callback jumped out of. May not allocate,
/// collect or change roots.
using CollectionListener = void (*)(void* user, const CollectionStats& stats);

}  // namespace besom
