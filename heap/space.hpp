#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "besom/barrier.hpp"
#include "besom/detail/export.h"
#include "besom/detail/front.hpp"
#include "besom/error.hpp"
#include "besom/options.hpp"
#include "freelist/bit_tree.hpp"
#include "freelist/free_list.hpp"
#include "heap/arena.hpp"
#include "heap/bins.hpp"
#include "heap/discard_walk.hpp"
#include "heap/quarantine.hpp"
#include "heap/sweep.hpp"
#include "heap/type_table.hpp"

namespace besom::detail {

/// The arena with what is known about it outside: which granules are free, where objects start,
/// what their types are. Hands out zeroed objects; when to collect and to grow is decided above it.
///
/// Where an object comes from, in this order:
///   1. the *window* of its size: a run of 1 to 32 KiB in which objects of one size are bumped;
///   2. the *cursor*: a hole in which objects of less than 1 KiB and any size are bumped;
///   3. a *bin*: what was left of a hole, by exact size;
///   4. the next run of the sweep. What is smaller than the object goes to a bin, and to the free
///      list what has 4 KiB or more, with the holes on both sides;
///   5. the next small hole of the free list;
///   6. a run of the free list. So small objects leave the runs that large ones need whole while
///      small holes remain;
/// What 4 to 6 find is for the cursor. It is a window where it has 1 KiB, the object 512 bytes or
/// less, and an object of the same size was the last to come as far as this, or its size is one
/// that generated code asked for;
///   7. objects of 1 KiB and more: the smallest hole of the free list that fits, for which runs are
///      filed ahead of the sweep.
///
/// Invariants:
///   1. every run below capacity() is a hole, an object, dead and not yet swept, or unused: the
///      rest of a window or of the cursor's hole, in a bin, or in quarantine. The free list counts
///      all but holes as blocks;
///   2. windows and the cursor's hole are disjoint;
///   3. capacity() <= the arena's committed prefix.
/// Not thread-safe.
class Space {
 public:
  static constexpr std::uint32_t kWindowClasses = Front::kWindowClasses;
  static constexpr std::uint32_t kMaxWindowBytes = 32 << 10;
  static constexpr std::uint32_t kMinWindowBytes = 4 << 10;  ///< Of those from the free list.
  static constexpr std::uint32_t kLeastWindowBytes = 1 << 10;
  static_assert(kMinWindowBytes >= kWindowClasses * kGranuleBytes);
  /// The cursor serves objects of up to this many granules: holes of less are small ones.
  static constexpr std::uint32_t kCursorGranules = kLineGranules - 1;

  /// `options` have passed check_options(). Takes all host memory that the side tables can ever
  /// need. `front` outlives the space.
  [[nodiscard]] static Result<std::unique_ptr<Space>> create(const HeapOptions& options,
                                                             const LogSink& log, Front& front);
  Space(const Space&) = delete;
  Space& operator=(const Space&) = delete;

  [[nodiscard]] char* base() const noexcept { return arena_.base(); }
  [[nodiscard]] Cards cards() const noexcept { return Cards(base()); }
  /// In a generational heap the lines in which objects were allocated since they were last erased
  /// here.
  [[nodiscard]] BitTree& young_lines() noexcept { return young_lines_; }
  [[nodiscard]] const FreeList& free_list() const noexcept { return free_list_; }
  [[nodiscard]] const Arena& arena() const noexcept { return arena_; }
  [[nodiscard]] std::uint64_t capacity() const noexcept { return free_list_.current_capacity(); }
  [[nodiscard]] std::size_t table_bytes() const noexcept {
    return free_list_.table_bytes() + front_->leaves.size_bytes() + quarantine_.table_bytes() +
           arena_.table_bytes();
  }
  [[nodiscard]] LeafBits& leaves() noexcept { return front_->leaves; }
  [[nodiscard]] const LeafBits& leaves() const noexcept { return front_->leaves; }

  /// Bytes in objects, dead or alive, and what is unused. What is in quarantine counts as free.
  [[nodiscard]] std::uint64_t used_bytes() const noexcept {
    return free_list_.max_size() - free_list_.free_bytes() - quarantine_.bytes();
  }
  /// Bytes handed out since creation, whole windows and holes included that are in use.
  [[nodiscard]] std::uint64_t handed_out() const noexcept { return handed_out_; }
  /// About how much of the arena holds memory of the system's.
  [[nodiscard]] std::uint64_t resident_bytes() const noexcept {
    return arena_.held_bytes(0, touched_end());
  }

  /// The window for objects of `granules`, in 1..kWindowClasses. Without room, or with windows
  /// switched off, call take().
  [[nodiscard]] Window& window(std::uint32_t granules) noexcept {
    BESOM_ASSERT(granules - 1 < kWindowClasses);
    return front_->windows[granules];
  }
  /// Objects of `granules`, in 1..kWindowClasses, get a window each time: who allocates them knows
  /// of nothing else.
  void always_open_window(std::uint32_t granules) noexcept {
    BESOM_ASSERT(granules - 1 < kWindowClasses);
    always_windows_ |= bit(granules);
  }
  /// Memory for an object of `granules`, in 1..kCursorGranules, zeroed, from the hole at hand;
  /// nullptr when its rest is too small.
  [[nodiscard]] char* bump(std::uint32_t granules) noexcept {
    BESOM_ASSERT(granules - 1 < kCursorGranules);
    if (!front_->has_room(granules)) return nullptr;
    free_list_.start_block(index_of(front_->cursor));
    return front_->bump(granules);
  }
  /// The same, or from a bin or the stretch that is being swept; nullptr when that has no more, or
  /// the space is closed or interrupted.
  [[nodiscard]] BESOM_API char* take(std::uint32_t granules) noexcept;
  /// Memory for one object of `granules`, zeroed, wherever there is any. nullptr: collect, grow, or
  /// call retire() and then this again.
  [[nodiscard]] char* allocate(std::uint32_t granules) noexcept;
  /// While closed, take() gives nothing, nor does bump() or a window where what is unused was
  /// concealed or retired before.
  void set_closed(bool closed) noexcept { is_closed_ = closed; }
  /// Lets nothing be allocated without allocate(), up to the next call of it. O(1).
  void interrupt() noexcept;
  /// A mark: the object that has the byte `handed_out` of all that are handed out is a sample.
  /// What is taken to bump objects in ends there, so that this one has to ask for memory: whoever
  /// does asks is_sample_due() when it got some, and sets the next mark.
  void sample_at(std::uint64_t handed_out) noexcept {
    sample_at_ = handed_out;
    is_sample_due_ = false;
  }
  [[nodiscard]] bool is_sample_due() const noexcept { return is_sample_due_; }
  /// Bytes that no mark could be in, as the last one was still to be met.
  [[nodiscard]] std::uint64_t unmarked() const noexcept { return unmarked_; }

  /// Leaves the dead below granule `end`, which are not marked, to be swept by allocation. See
  /// Sweep::begin(). retire() before.
  void begin_sweep(std::uint64_t* marks, std::uint32_t end, bool keep_marks) noexcept {
    BESOM_ASSERT(to_bytes(end) <= free_list_.max_size() + FreeList::kAlign);
    sweep_.begin(marks, end, keep_marks);
  }
  /// Sweeps what is left, and gives all that is unused back: the free list's map then shows every
  /// object and hole, and what is in quarantine.
  void retire() noexcept;
  [[nodiscard]] bool is_swept() const noexcept { return sweep_.done(); }
  /// Stretches of the sweep that are left at most.
  [[nodiscard]] std::uint32_t stretches_left() const noexcept { return sweep_.stretches_left(); }
  /// Whether allocate(), which gave nothing, may find a hole in what is left to sweep: in an
  /// incremental heap each call searches a part of it.
  [[nodiscard]] bool has_unsearched() const noexcept { return sweep_.has_unsearched(free_list_); }
  /// Sweeps up to `stretches` of what is left. Returns is_swept(). O(1) each.
  bool sweep_some(std::uint32_t stretches) noexcept;

  /// From now on an incremental cycle marks: all that is allocated gets a mark in `marks`, in
  /// windows and holes of at most kMinWindowBytes, each through allocate(). Call retire() before.
  void begin_marking(std::uint64_t* marks) noexcept;
  /// The cycle is over: begin_sweep() comes next, or nobody asks for the marks. Call retire()
  /// before.
  void end_marking() noexcept;
  [[nodiscard]] bool is_marking() const noexcept { return is_marking_; }
  /// How many objects were allocated while marking. Exact after retire().
  [[nodiscard]] std::uint64_t born() const noexcept { return born_; }
  /// See Sweep::dead_objects(). Not while they are concealed.
  [[nodiscard]] std::uint64_t dead_objects() const noexcept {
    BESOM_ASSERT(!is_concealed_);
    return sweep_.dead_objects(free_list_);
  }
  /// Lets no more windows and holes be opened: each allocation then comes through allocate().
  void disable_windows() noexcept { windows_enabled_ = false; }

  /// Raises the capacity. Fails with commit_failed and changes nothing.
  [[nodiscard]] Error grow(std::uint64_t capacity) noexcept;

  /// The object at `index` keeps its first `first_bytes` of more; the rest is one that nobody
  /// knows.
  void cut_object(std::uint32_t index, std::uint32_t first_bytes) noexcept {
    free_list_.split_block(index, first_bytes);
  }
  /// Makes a hole of the neighbouring dead objects in `run`, unless it goes into quarantine first.
  void release(Run run) noexcept {
    BESOM_ASSERT(run.size_bytes != 0);
    free_list_.join_blocks(run.index, run.size_bytes);
    release_block(run);
  }
  [[nodiscard]] const Quarantine& quarantine() const noexcept { return quarantine_; }
  /// When all was released: makes holes of what the quarantine has no room for.
  void trim_quarantine() noexcept { quarantine_.trim(free_list_); }
  /// Makes holes of all that is in quarantine; false when that is nothing.
  bool empty_quarantine() noexcept { return quarantine_.empty(free_list_); }

  /// For walks over the free list's map: publishes the windows, and lets all blocks that are no
  /// objects look like holes until reveal_unused(). Nothing may be allocated or released meanwhile.
  /// What is allocated afterwards lies where it would have lain without. O(unused blocks), and of
  /// what is left to sweep.
  void conceal_unused() noexcept;
  /// Does nothing where that was done already.
  void reveal_unused() noexcept;
  [[nodiscard]] bool is_concealed() const noexcept { return is_concealed_; }
  /// Makes holes unreadable from now on, until they are handed out.
  void set_poison(bool on) noexcept { poison_ = on; }

  /// Gives the pages of holes back to the system where a hole spans at least `least` bytes: the
  /// topmost `most` bytes of these, since the lowest are used again first. Returns the bytes given
  /// back. O(holes).
  std::uint64_t discard_holes(std::uint64_t least, std::uint64_t most) noexcept;
  /// A step of such a walk.
  void discard_some(DiscardWalk& walk, std::uint32_t pieces, std::uint64_t bytes) noexcept {
    walk.step(free_list_, arena_, touched_end(), pieces, bytes);
  }
  /// Gives all back that is not needed for the objects: every whole page of a hole, and the pages
  /// of side tables that say nothing. Call retire() before. Returns the bytes of arena given back.
  /// O(holes), and a pass over the tables of what was in use.
  std::uint64_t discard_all() noexcept;
  /// Memory from this index on was never handed out: zero.
  [[nodiscard]] std::uint64_t untouched() const noexcept { return untouched_; }
  /// Bytes that were handed out for the first time, or again after they were given back.
  [[nodiscard]] std::uint64_t touched() const noexcept { return untouched_ + arena_.used_again(); }

  /// Whether `index` is where an object starts. O(1): looks at windows and a bin.
  [[nodiscard]] bool is_object(std::uint32_t index) const noexcept {
    const Run object = object_at(index);
    return object.size_bytes != 0 && object.index == index;
  }
  /// The object that contains `index`, or size 0 for any other index. O(1) like is_object().
  [[nodiscard]] Run object_at(std::uint32_t index) const noexcept;
  /// Writes the starts of all objects in windows into the tables; windows stay open.
  void publish_windows() noexcept;

  /// Forgets all objects: everything is one hole.
  void reset() noexcept;

 private:
  Space(Arena&& arena, FreeList&& free_list, Front& front) noexcept
      : front_(&front), arena_(std::move(arena)), free_list_(std::move(free_list)) {
    front.base = arena_.base();
    front.lines = free_list_.lines();
  }

  /// So many stretches are swept in vain before a run is used.
  static constexpr std::uint32_t kPatience = 16;
  /// So many are searched for a hole by each allocation of an incremental heap, some 10 us each.
  static constexpr std::uint32_t kSearched = 32;

  [[nodiscard]] std::uint32_t window_bytes() const noexcept;
  [[nodiscard]] std::uint64_t touched_end() const noexcept;
  void note_young(std::uint32_t index, std::uint32_t bytes) noexcept;
  void note_unvisited(Run run) noexcept;
  [[nodiscard]] char* allocate_small(std::uint32_t granules) noexcept;
  [[nodiscard]] char* allocate_from_list(std::uint32_t granules) noexcept;
  [[nodiscard]] char* allocate_large(std::uint32_t granules) noexcept;
  [[nodiscard]] char* next_hole(std::uint32_t granules) noexcept;
  [[nodiscard]] Run next_small_hole(std::uint32_t granules) noexcept;
  [[nodiscard]] char* open(Run run, std::uint32_t granules) noexcept;
  [[nodiscard]] char* open_hole(Run run, std::uint32_t granules) noexcept;
  [[nodiscard]] char* open_window(Run run, std::uint32_t granules) noexcept;
  void note_new_holes() noexcept {
    least_missing_ = kLineGranules;
    may_have_runs_ = true;
  }
  void claim(Run run) noexcept;
  [[nodiscard]] bool has_marks() const noexcept { return sample_at_ != kNoMark; }
  [[nodiscard]] bool cut_at_mark(Run& run, std::uint32_t granules) noexcept;
  void note_handed_out(std::uint32_t bytes) noexcept;
  void unmeet_mark(std::uint32_t what, std::uint32_t rest) noexcept;
  char* clear(Run run) noexcept;
  void publish(Window& window, std::uint32_t granules) noexcept;
  void retire_bumped() noexcept;
  [[nodiscard]] char* take_held(std::uint32_t granules) noexcept;
  [[nodiscard]] std::uint64_t starts_in(std::uint32_t first, std::uint32_t end) const noexcept;
  void retire_window(Window& window, std::uint32_t granules) noexcept;
  void retire_cursor() noexcept;
  void keep_rest(Run rest) noexcept;
  void give_back(Run run) noexcept;
  void release_block(Run block) noexcept;
  void poison_run(Run run) noexcept;
  template <class Visit>
  void each_unused(Visit visit) const;
  void park() noexcept;

  Front* front_;
  Window parked_[kWindowClasses + 1];  ///< While unused blocks are concealed.
  char* parked_cursor_ = nullptr;
  char* parked_limit_ = nullptr;
  Bins bins_;
  Sweep sweep_;
  Quarantine quarantine_;
  Arena arena_;
  FreeList free_list_;
  BitTree young_lines_;  ///< Without room where the heap is not generational.
  std::uint64_t untouched_ = 0;
  std::uint32_t most_searched_ = ~std::uint32_t{0};
  std::uint64_t handed_out_ = 0;
  static constexpr std::uint64_t kNoMark = ~std::uint64_t{0};
  std::uint64_t sample_at_ = kNoMark;
  std::uint64_t unmarked_ = 0;
  /// What ends at the mark: the window of so many granules, or the cursor's hole; 0: nothing does.
  std::uint32_t ends_at_mark_ = 0;
  static constexpr std::uint32_t kCursor = kWindowClasses + 1;
  bool is_sample_due_ = false;
  std::uint32_t last_opened_for_ = 0;  ///< Granules.
  std::uint64_t born_ = 0;
  std::uint32_t cursor_first_ = 0;    ///< Where the cursor's hole begins: for born_.
  std::uint64_t always_windows_ = 0;  ///< Bit i: for objects of i granules.
  std::uint32_t hole_position_ = 0;   ///< Where the next small hole is looked for.
  bool windows_enabled_ = true;
  // Where there are none the search would cost each allocation its time, so after one in vain it
  // rests until retire() or growth made new ones.
  std::uint32_t least_missing_ = kLineGranules;  ///< Small holes of so many granules are all used.
  bool may_have_runs_ = true;                    ///< For windows.
  bool is_closed_ = false;
  bool is_interrupted_ = false;
  bool is_marking_ = false;
  bool poison_ = false;
  bool is_concealed_ = false;
};

}  // namespace besom::detail
