#pragma once

#include <cstdint>

#include "besom/detail/leaf_bits.hpp"
#include "freelist/free_list.hpp"

namespace besom::detail {

/// What the last collection left to sweep. After marking nothing is touched; allocation sweeps on
/// in address order as it needs room, and the rest is swept before the next marking.
///
///   0        position              ahead                end
///   | swept    | dead, live, holes   | the same, but long | new objects, one hole
///              |                     | runs are filed     |
///
/// A block that starts in [position, end) is alive exactly if it is marked; it is dead otherwise,
/// and the free list still counts it as a block. Everywhere else all blocks are what they are.
///
/// A *run* is what one sweep step gives: neighbouring dead blocks and holes of less than 1 KiB,
/// which come out of the free list's index for it. Longer holes stay filed, and end a run. A run
/// ends at the border of its stretch at the latest, 64 KiB of arena, so that no step is long.
///
/// Each mark is read once. With `keep_marks` off the marks behind the position are cleared, so
/// that the next marking finds them clear.
///
/// All positions are granules. Not thread-safe.
class Sweep {
 public:
  /// The lines of one stretch.
  static constexpr unsigned kStretchShift = 6;
  static constexpr std::uint32_t kStretchGranules = kLineGranules << kStretchShift;
  /// Runs from this size on, with the holes on both sides, are left to the free list: small objects
  /// use them last, and they may be filed ahead of the position.
  static constexpr std::uint32_t kLongBytes = 4 << 10;

  /// Starts at the bottom. `marks` has a bit for each granule; it and the tables stay where they
  /// are until done(). `end` is the free list's used_end().
  void begin(std::uint64_t* marks, std::uint32_t end, bool keep_marks) noexcept;
  /// Until the next begin() an incremental cycle marks: what is made of holes meanwhile is kept, by
  /// a mark for each granule. There is nothing to sweep then. Call it when done().
  void begin_marking(std::uint64_t* marks) noexcept;
  /// Forgets what is left to sweep, and that a cycle marks.
  void cancel() noexcept { *this = {}; }
  [[nodiscard]] bool done() const noexcept { return stretch_ == kNoStretch; }

  /// How many objects the collection found dead, swept or not. O(what is left to sweep / 1 KiB).
  [[nodiscard]] std::uint64_t dead_objects(const FreeList& list) const noexcept;

  /// For walks over the map: lets the dead look like holes until reveal(). Neither the list nor
  /// this may be used meanwhile. O(what is left to sweep / 1 KiB).
  void conceal(FreeList& list) noexcept;
  void reveal(FreeList& list) noexcept;

  /// Whether a block that starts at `granule` was found dead and is still there. O(1).
  [[nodiscard]] bool is_dead(std::uint32_t granule) const noexcept {
    return granule >= position_ && granule < end_ && !done() &&
           (marks_[granule >> kLineShift] & bit(granule)) == 0;
  }
  /// How many stretches are left at most.
  [[nodiscard]] std::uint32_t stretches_left() const noexcept {
    return done() ? 0 : (end_ / kStretchGranules) + 1 - stretch_;
  }
  /// An object was made of a hole, at `index`. O(1).
  void keep_object(std::uint32_t index) noexcept;
  /// Objects will be made of `run`, which was a hole. O(run / 1 KiB).
  void keep_run(Run run) noexcept;

  /// The next run of the stretch at the position, as one block that the caller owns; size 0 when
  /// the stretch has no more. Amortised O(1).
  [[nodiscard]] Run next(FreeList& list, LeafBits& leaves) noexcept;
  /// Goes on to the next stretch that has anything; false when that was the last.
  bool enter_next(FreeList& list) noexcept;
  /// Whether the run, of next(), is a long one.
  [[nodiscard]] static bool is_long(const FreeList& list, Run run) noexcept;
  /// Files the long runs in the next stretch that was not looked at; false when
  /// there is none.
  bool file_long_runs(FreeList& list, LeafBits& leaves) noexcept;
  /// Whether there is one.
  [[nodiscard]] bool has_unsearched(const FreeList& list) const noexcept;

 private:
  static constexpr std::uint32_t kNoStretch = ~std::uint32_t{0};

  /// Calls `visit(line, granules)` for each line that is left, and its granules that are.
  template <class Visit>
  void each_line_left(Visit visit) const;
  [[nodiscard]] std::uint64_t below_end(std::uint32_t line) const noexcept;
  /// The bit of the first granule in `part` of the line where a run begins or goes on, and of the
  /// first that ends one; 0 for none.
  [[nodiscard]] std::uint64_t first_swept(std::uint32_t line, std::uint64_t part,
                                          const BoundaryMap& map) const noexcept;
  [[nodiscard]] std::uint64_t first_kept(std::uint32_t line, std::uint64_t part,
                                         const BoundaryMap& map) const noexcept;
  [[nodiscard]] Hole next_run(std::uint32_t from, const FreeList& list) const noexcept;
  Run take(FreeList& list, LeafBits& leaves, Hole run) noexcept;
  [[nodiscard]] std::uint32_t next_stretch(const FreeList& list,
                                           std::uint32_t stretch) const noexcept;

  std::uint64_t* marks_ = nullptr;
  std::uint32_t end_ = 0;
  std::uint32_t position_ = 0;
  std::uint32_t ahead_ = 0;  ///< The next stretch for file_long_runs().
  bool keep_marks_ = false;
  std::uint32_t stretch_ = kNoStretch;  ///< That of the position, or kNoStretch.
  std::uint64_t swept_objects_ = 0;
};

}  // namespace besom::detail
