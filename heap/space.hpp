#pragma once

#include <cstddef>
#include <cstdint>

#include "freelist/bit_tree.hpp"
#include "freelist/free_list.hpp"
#include "heap/arena.hpp"
#include "heap/barrier.hpp"
#include "heap/error.hpp"
#include "heap/leaf_bits.hpp"
#include "heap/options.hpp"
#include "heap/quarantine.hpp"
#include "heap/spares.hpp"
#include "heap/type_table.hpp"

namespace besom::detail {

/// A run that objects of one size are bump-allocated in. Their starts are written into the side
/// tables when the window is published, as one pattern: a bit per allocation would cost a quarter
/// of the allocation's time.
///
///   first        cursor                 limit
///   |obj|obj|obj |       free           |
///
/// [first, limit) is one block of the free list until then.
struct Window {
  char* cursor = nullptr;
  char* limit = nullptr;
  char* first = nullptr;

  [[nodiscard]] std::size_t room() const noexcept {
    return static_cast<std::size_t>(limit - cursor);
  }
};

/// The arena with what is known about it outside: which granules are free, where objects start,
/// what their types are. Hands out zeroed objects and takes back runs of dead ones; when to collect
/// and to grow is decided above it.
///
/// Invariants:
///   1. every run below capacity() is a hole, an object, a spare, the unused part of a window, or
///   in
///      quarantine;
///   2. a window's unused part is smaller than the window, and windows are disjoint;
///   3. capacity() <= the arena's committed prefix.
/// Not thread-safe.
class Space {
 public:
  /// Objects of up to this many granules, 512 bytes, get windows.
  static constexpr std::uint32_t kWindowClasses = 32;
  static constexpr std::uint32_t kMaxWindowBytes = 32 << 10;
  static constexpr std::uint32_t kMinWindowBytes = 4 << 10;
  static_assert(kMinWindowBytes >= kWindowClasses * kGranuleBytes);

  /// `options` have passed check_options(). Takes all host memory that the side tables can ever
  /// need.
  [[nodiscard]] static Result<Space> create(const HeapOptions& options, const LogSink& log);

  [[nodiscard]] char* base() const noexcept { return arena_.base(); }
  [[nodiscard]] Cards cards() const noexcept { return Cards(base()); }
  /// In a generational heap the lines in which objects were allocated since they were last erased
  /// here.
  [[nodiscard]] BitTree& young_lines() noexcept { return young_lines_; }
  [[nodiscard]] const FreeList& free_list() const noexcept { return free_list_; }
  [[nodiscard]] const Arena& arena() const noexcept { return arena_; }
  [[nodiscard]] std::uint64_t capacity() const noexcept { return free_list_.current_capacity(); }
  [[nodiscard]] std::size_t table_bytes() const noexcept {
    return free_list_.table_bytes() + leaves_.size_bytes() + quarantine_.table_bytes() +
           arena_.table_bytes();
  }
  [[nodiscard]] LeafBits& leaves() noexcept { return leaves_; }
  [[nodiscard]] const LeafBits& leaves() const noexcept { return leaves_; }

  /// Bytes in objects, dead or alive, and in windows. What is in quarantine counts as free.
  [[nodiscard]] std::uint64_t used_bytes() const noexcept {
    return free_list_.max_size() - free_list_.free_bytes() - quarantine_.bytes();
  }
  /// About how much of the arena holds memory of the system's.
  [[nodiscard]] std::uint64_t resident_bytes() const noexcept { return resident_; }
  /// `bytes` were handed out since the last call: that much more may have become resident.
  void note_allocated(std::uint64_t bytes) noexcept;

  /// The window for objects of `granules`, in 1..kWindowClasses. Without room, or with windows
  /// switched off, call allocate().
  [[nodiscard]] Window& window(std::uint32_t granules) noexcept { return windows_[granules]; }

  /// A spare for an object of exactly `granules`, in 1..kWindowClasses, zeroed; nullptr when there
  /// is none.
  [[nodiscard]] char* take_spare(std::uint32_t granules) noexcept {
    const std::uint32_t index = spares_.take(granules);
    return index != 0 ? base() + index : nullptr;
  }
  /// Memory for one object of `granules`, zeroed; nullptr when no hole is large enough.
  [[nodiscard]] char* allocate(std::uint32_t granules) noexcept;

  /// Gives every window's unused part and all spares back: the free list's map then shows every
  /// object and hole.
  void retire_windows() noexcept;
  /// Lets no more windows be opened: each allocation then comes through allocate().
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
    free_list_.join_blocks(run.index, run.size_bytes);
    if (quarantine_.is_on()) [[unlikely]]
      run = quarantine_.hold(free_list_, run);
    if (run.size_bytes != 0) free_list_.dealloc_fast(run.index, run.size_bytes);
  }
  [[nodiscard]] const Quarantine& quarantine() const noexcept { return quarantine_; }
  /// When all was released: makes holes of what the quarantine has no room for.
  void trim_quarantine() noexcept { quarantine_.trim(free_list_); }
  /// Makes holes of all that is in quarantine; false when that is nothing.
  bool empty_quarantine() noexcept { return quarantine_.empty(free_list_); }

  /// For walks over the free list's map: publishes the windows, and lets all blocks that are no
  /// objects look like holes until reveal_unused(). Nothing may be allocated or released meanwhile,
  /// and nothing is inline: there is neither a window nor a spare. What is allocated afterwards
  /// lies where it would have lain without. O(unused blocks).
  void conceal_unused() noexcept;
  /// Does nothing where that was done already.
  void reveal_unused() noexcept;
  /// Makes holes unreadable from now on, until they are handed out.
  void set_poison(bool on) noexcept { poison_ = on; }
  void poison_run(Run run) noexcept;

  /// Gives the pages of holes back to the system where a hole spans at least `least` bytes: the
  /// topmost `most` bytes of these, since the lowest are used again first. Returns the bytes given
  /// back. O(holes).
  std::uint64_t discard_holes(std::uint64_t least, std::uint64_t most) noexcept;
  /// Gives all back that is not needed for the objects: every whole page of a hole, and the pages
  /// of side tables that say nothing. Windows have to be retired. Returns the bytes of arena given
  /// back. O(holes), and a pass over the tables of what was in use.
  std::uint64_t discard_all() noexcept;
  /// Memory from this index on was never handed out: zero.
  [[nodiscard]] std::uint64_t untouched() const noexcept { return untouched_; }

  /// Whether `index` is where an object starts. Publishes the windows. O(1).
  [[nodiscard]] bool is_object(std::uint32_t index) noexcept;
  /// The object that contains `index`, or size 0 for a hole or an index outside.
  [[nodiscard]] Run object_at(std::uint32_t index) noexcept;
  /// Writes the starts of all objects in windows into the tables; windows stay open.
  void publish_windows() noexcept;

  /// Forgets all objects: everything is one hole.
  void reset() noexcept;

 private:
  Space(Arena arena, FreeList free_list) noexcept
      : arena_(std::move(arena)), free_list_(std::move(free_list)) {}

  [[nodiscard]] std::uint32_t window_bytes() const noexcept;
  [[nodiscard]] std::uint64_t touched_end() const noexcept;
  void note_young(std::uint32_t index, std::uint32_t bytes) noexcept;
  void publish(Window& window, std::uint32_t granules) noexcept;
  void retire(Window& window, std::uint32_t granules) noexcept;
  char* clear(Run run) noexcept;
  [[nodiscard]] char* open_window(std::uint32_t granules) noexcept;
  [[nodiscard]] char* allocate_between(std::uint32_t granules, bool runs) noexcept;
  bool take_stretch(std::uint64_t sizes) noexcept;
  [[nodiscard]] bool stock_fitting(std::uint32_t granules, bool runs) noexcept;
  void cut_spare(std::uint32_t granules, std::uint32_t most) noexcept;
  void add_spare(Run run) noexcept;
  void retire_spares() noexcept;
  void retire_stock() noexcept;
  /// Whether the block at `index` is no object.
  [[nodiscard]] bool is_unused(std::uint32_t index) const noexcept;
  template <class Visit>
  void each_unused(Visit visit) const;
  void park() noexcept;

  Window windows_[kWindowClasses + 1];
  Window parked_[kWindowClasses + 1];  ///< While unused blocks are concealed.
  Spares spares_;
  Quarantine quarantine_;
  LeafBits leaves_;
  Arena arena_;
  FreeList free_list_;
  BitTree young_lines_;  ///< Without room where the heap is not generational.
  std::uint64_t untouched_ = 0;
  std::uint64_t resident_ = 0;
  std::uint64_t next_stretch_ = 0;  ///< Where the next spares are looked for.
  bool windows_enabled_ = true;
  /// Whether a run for a window may be found. Where holes are small the search would cost each
  /// allocation its time, so after one in vain it rests until a collection or growth made new ones.
  bool may_have_runs_ = true;
  bool may_have_holes_ = true;  ///< The same for small holes.
  bool poison_ = false;
  bool is_concealed_ = false;
};

}  // namespace besom::detail
