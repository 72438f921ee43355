#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>

#include "freelist/boundary_map.hpp"
#include "freelist/check.hpp"
#include "freelist/class_index.hpp"
#include "freelist/export.hpp"
#include "freelist/hole_tree.hpp"
#include "freelist/log.hpp"
#include "freelist/recent_blocks.hpp"
#include "freelist/run.hpp"

namespace besom {

/// Size and alignment of a request, in bytes.
struct Layout {
  std::size_t size = 0;
  std::size_t align = kGranuleBytes;
};

/// Why a request was refused before the list was searched.
enum class AllocError : std::uint8_t {
  none,
  align_too_large,  ///< More than FreeList::kAlign.
  size_too_large,   ///< Rounded up it is no 32-bit number.
  size_zero,
};

/// What a checked allocation gives. Without an error, index 0 says that no hole fits: collect or
/// grow, then ask again.
struct AllocResult {
  AllocError error = AllocError::none;
  std::uint32_t index = 0;
};

/// The holes of one arena of up to 4 GiB, as 32-bit byte indices.
///
/// Holds numbers, never reads arena memory: testable without a mapping, and safe from stray writes
/// into objects. Its tables know where every block starts as well, so that in every build a free
/// of anything but one whole live block aborts.
///
/// Invariants (numbered as in verify()):
///   1. every run, hole or block, lies inside [kAlign, kAlign + max_size());
///   2. holes are never adjacent, the bump run included;
///   3. free_bytes() is the sum of the sizes of all holes;
///   4. the class index and the tree hold every hole but the bump run and the fresh hole, under its
///      size, once.
///
/// The fresh hole is the one that the last free made or enlarged. It is filed under its size only
/// when another one takes its place or an allocation searches: a sweep frees neighbours one after
/// the other, and each would file and unfile the same hole again.
///
/// The bump run is the hole that small requests are cut from by adding; it is held in registers,
/// has no bits in the map, and at most kBumpBytes of it are handed out before the search for a
/// better hole resumes: docs/design.md#fit.
///
/// Memory: 3.6 % of the capacity, zero pages until used. Not thread-safe.
/// Source of the contract: Wasmtime 45, runtime/vm/gc/enabled/free_list.rs (see NOTICE).
class BESOM_API FreeList {
 public:
  /// Alignment of every block, and its least size.
  static constexpr std::uint32_t kAlign = kGranuleBytes;
  /// Where the last block may end: the greatest multiple of kAlign below 2^32, so that an end is
  /// always a 32-bit number. Capacity beyond it is counted but cannot be handed out.
  static constexpr std::uint32_t kMaxEnd = 0xfffffff0;
  /// How much of one hole is bump-allocated before a better fit is looked for, in bytes.
  static constexpr std::uint32_t kBumpBytes = 64 << 10;

  /// A list of `capacity` free bytes, the first kAlign of which are never handed out, so that index
  /// 0 can mean "none". Aborts when the host has no memory for the tables.
  explicit FreeList(std::uint64_t capacity, LogSink log = {});
  /// The same, but nothing when the host has no memory.
  [[nodiscard]] static std::optional<FreeList> create(std::uint64_t capacity,
                                                      LogSink log = {}) noexcept;

  FreeList(FreeList&&) noexcept = default;
  FreeList& operator=(FreeList&&) noexcept = default;

  /// All bytes ever given, unrounded, so that growing by less than kAlign adds up.
  [[nodiscard]] std::uint64_t current_capacity() const noexcept { return capacity_; }
  /// What one block could take in an empty list.
  [[nodiscard]] std::uint32_t max_size() const noexcept { return detail::to_bytes(end_ - 1); }

  /// Grows the capacity, saturating; new space joins a hole at the old end. Aborts when the host
  /// has no memory for the tables.
  void add_capacity(std::uint64_t additional);
  /// The same, but returns false and changes nothing when the host has no memory.
  [[nodiscard]] bool try_add_capacity(std::uint64_t additional) noexcept;
  /// Takes the host memory for a later capacity now: growing up to it then cannot fail.
  [[nodiscard]] bool reserve(std::uint64_t capacity) noexcept;

  /// Precondition: `align` is a power of two.
  [[nodiscard]] static constexpr bool can_align_to(std::size_t align) noexcept {
    return align <= kAlign;
  }
  /// `size` rounded up to kAlign; nothing for 0 and for what would not fit in 32 bits.
  [[nodiscard]] static constexpr std::optional<std::uint32_t> aligned_size(
      std::uint32_t size) noexcept {
    if (size == 0 || size > kMaxEnd) return std::nullopt;
    return (size + (kAlign - 1)) & ~(kAlign - 1);
  }
  [[nodiscard]] static constexpr Layout layout(std::size_t size) noexcept { return {size, kAlign}; }
  /// The error that alloc() would return for `layout`.
  [[nodiscard]] static AllocError check_layout(Layout layout) noexcept;

  /// Takes a block for `layout`, its size rounded up. Amortised O(1).
  [[nodiscard]] AllocResult alloc(Layout layout) noexcept;

  /// Takes `alloc_size` bytes, a result of aligned_size(); any other value aborts.
  /// Returns 0 when no hole is large enough. Bump: O(1), inline. Otherwise O(1) for less than
  /// 1 KiB, O(log holes) from there.
  [[nodiscard]] std::uint32_t alloc_fast(std::uint32_t alloc_size) noexcept {
    const std::uint32_t size = detail::to_granules(alloc_size);
    const std::uint32_t granule = bump_begin_;
    const bool is_next_step = granule < recent_.steps_end();
    if (is_next_step ? size == recent_.step() : size - 1 < bump_limit_ - granule) [[likely]] {
      bump_begin_ += size;
      if (!is_next_step) recent_.add(granule, size);
      BESOM_TRACE(log_, "FreeList::alloc -> 0x%x", detail::to_bytes(granule));
      after_change();
      return detail::to_bytes(granule);
    }
    return alloc_slow(size);
  }

  /// Takes a run to allocate in by the caller's own means: from the smallest hole of at least
  /// `most` bytes, or else the largest hole, if it has at least `least`; otherwise size 0. It is
  /// one block until cut_block() divides it. O(log holes).
  [[nodiscard]] Run take_run(std::uint32_t least, std::uint32_t most) noexcept;

  /// Small holes, of less than 1 KiB, taken from one aligned stretch of the index space.
  struct Stretch {
    static constexpr std::uint32_t kBytes = 64 << 10;
    /// More holes than this no stretch has.
    static constexpr std::uint32_t kMost = kBytes / kAlign / 2;
    std::uint32_t count = 0;  ///< 0: there was no such stretch.
    std::uint64_t end = 0;    ///< Where the next one may start.
  };
  /// Looks for the first stretch that starts at `from` or above, a multiple of Stretch::kBytes, and
  /// has a hole of one of `sizes`. All its holes of those sizes and of `more_sizes` become blocks,
  /// written to `holes`, which has room for Stretch::kMost, in address order. Bit n of a set of
  /// sizes stands for n granules, 1..63. O(holes), and O(capacity / 4 MiB) to find the stretch.
  [[nodiscard]] Stretch take_stretch(std::uint64_t from, std::uint64_t sizes,
                                     std::uint64_t more_sizes, Run* holes) noexcept;

  /// The block at `index` becomes two, the first of `first_bytes`, which is less than its size.
  void split_block(std::uint32_t index, std::uint32_t first_bytes) noexcept;

  /// Gives back the block `[index, index + size)`, size as it was asked for or rounded up. Checked
  /// like dealloc_fast().
  void dealloc(std::uint32_t index, Layout layout) noexcept;

  /// Gives back the block `[index, index + alloc_size)`; joins the holes on both sides.
  /// Checked in every build: anything but exactly one live block aborts with both operands.
  /// Never allocates: a sweep must not fail. O(1), O(log holes) for holes of 1 KiB and more.
  void dealloc_fast(std::uint32_t index, std::uint32_t alloc_size) noexcept {
    const std::uint32_t granule = detail::to_granules(index);
    const std::uint32_t size = detail::to_granules(alloc_size);
    BESOM_TRACE(log_, "FreeList::dealloc(0x%x, 0x%x)", index, alloc_size);
    // The newest block goes back to the bump run it was cut from.
    if (bump_begin_ - granule == size && recent_.has(granule, size)) [[likely]] {
      recent_.remove(granule);
      bump_begin_ = granule;
    } else {
      dealloc_slow(granule, size);
    }
    after_change();
  }

  /// Divides the block at `index` into pieces of `piece_bytes`; `covered_bytes` of it, a multiple
  /// of `piece_bytes` and at most the block, become pieces and the rest stays one block. Each is
  /// freed on its own. O(covered / 1 KiB).
  void cut_block(std::uint32_t index, std::uint32_t piece_bytes,
                 std::uint32_t covered_bytes) noexcept;
  /// Makes one block of the neighbouring blocks in `[index, index + size_bytes)`, so that a sweep
  /// gives a run of dead objects back at once. Aborts when the span holds a hole or an end cuts a
  /// block. O(size / 1 KiB) where there are blocks.
  void join_blocks(std::uint32_t index, std::uint32_t size_bytes) noexcept;

  /// Every hole once, in address order except that the bump run comes last.
  class HoleIterator;
  struct HoleRange;
  [[nodiscard]] HoleRange free_blocks() const noexcept;
  /// O(1).
  [[nodiscard]] std::size_t num_free_blocks() const noexcept {
    return indexed_holes_ + (bump_begin_ < bump_end_ ? 1 : 0);
  }
  [[nodiscard]] std::uint64_t free_bytes() const noexcept {
    return std::uint64_t{indexed_granules_ + (bump_end_ - bump_begin_)} << kGranuleShift;
  }
  /// The size of the largest hole, 0 when there is none. O(log holes).
  [[nodiscard]] std::uint32_t largest_free_block() const noexcept;
  /// The hole that alloc_fast() cuts from; size 0 when there is none.
  [[nodiscard]] Run bump_run() const noexcept {
    return {detail::to_bytes(bump_begin_), detail::to_bytes(bump_end_ - bump_begin_)};
  }

  /// Puts the bump run among the other holes, so that the map shows every hole. O(log holes).
  void settle() noexcept {
    complete_map();
    close_bump();
  }
  /// Above the last block: everything from here to the capacity's end is one hole, or nothing.
  /// O(1).
  [[nodiscard]] std::uint32_t used_end() const noexcept;
  /// Frees every block. O(blocks), and like all freeing without host memory.
  void reset() noexcept;

  /// Whether exactly one live block starts at `index`.
  [[nodiscard]] bool is_block(std::uint32_t index) const noexcept;
  /// The block or hole that contains `index`, which must lie in [kAlign, kAlign + max_size()).
  [[nodiscard]] Run run_at(std::uint32_t index) const noexcept;
  /// Read access for a collector that marks and sweeps by these tables. Invalidated by growth. It
  /// shows every block until the next call that changes the list; after settle(), until the next
  /// that allocates.
  [[nodiscard]] const detail::BoundaryMap& map() const noexcept {
    complete_map();
    return map_;
  }

  /// Host memory held by the tables, in bytes, used or not.
  [[nodiscard]] std::size_t table_bytes() const noexcept;
  /// Where the tables that are touched with each part of the arena have what they say of [0, end),
  /// `end` a byte index up to the capacity. Pages of zeros in them may be given back to the system.
  struct TablePart {
    const void* data;
    std::size_t bytes;
  };
  [[nodiscard]] std::array<TablePart, 2> tables_below(std::uint64_t end) const noexcept;

  /// Aborts on a violation of invariants 1-4. O(capacity / 1 KiB).
  void verify() const;

 private:
#ifdef BESOM_ZEAL
  static constexpr bool kZeal = true;
#else
  static constexpr bool kZeal = false;
#endif
  /// Zeal verifies a list of up to this many granules, 16 KiB, after each change and a larger one
  /// after so many changes that each pays for about that much.
  static constexpr std::uint32_t kVerifyGranules = 1024;
  static constexpr std::uint32_t kBumpGranules = kBumpBytes / kAlign;

  struct Hole {
    std::uint32_t granule = 0;
    std::uint32_t size = 0;
    [[nodiscard]] std::uint32_t end() const noexcept { return granule + size; }
  };

  void after_change() noexcept {
    if constexpr (kZeal) {
      if (++changes_ % (end_ / kVerifyGranules + 1) == 0) verify();
    }
  }
  explicit FreeList(LogSink log) noexcept : log_(log) {}
  [[nodiscard]] static constexpr bool is_small(std::uint32_t size) noexcept {
    return size < detail::HoleTree::kMinGranules;
  }
  [[nodiscard]] bool open(std::uint64_t capacity) noexcept;
  [[nodiscard]] bool grow_tables(std::uint32_t end, std::uint32_t at_least) noexcept;
  [[nodiscard]] std::uint32_t alloc_slow(std::uint32_t size) noexcept;
  void dealloc_slow(std::uint32_t granule, std::uint32_t size) noexcept;
  [[nodiscard]] std::uint32_t alloc_small(std::uint32_t size) noexcept;
  [[nodiscard]] std::uint32_t alloc_large(std::uint32_t size) noexcept;
  [[nodiscard]] Hole best_indexed(std::uint32_t size) noexcept;
  [[nodiscard]] bool bump_fits_better(std::uint32_t size, const Hole& hole) const noexcept;
  [[nodiscard]] std::uint32_t bump_alloc(std::uint32_t size) noexcept;

  void file(const Hole& hole) noexcept {
    if (is_small(hole.size)) {
      small_.insert(hole.granule, hole.size);
    } else {
      large_.insert(hole.granule, hole.size);
    }
  }
  void file_fresh() noexcept {
    if (fresh_.size != 0) file(fresh_);
    fresh_ = {};
  }
  void add_hole(const Hole& hole) noexcept;
  /// The hole is no longer one of its own; its bits in the map are left to the caller.
  void absorb(const Hole& hole) noexcept {
    if (hole.granule == fresh_.granule) {
      fresh_ = {};
    } else if (is_small(hole.size)) {
      small_.erase(map_, hole.granule, hole.size, fresh_.granule);
    } else {
      large_.erase(hole.granule, hole.size);
    }
    --indexed_holes_;
    indexed_granules_ -= hole.size;
  }
  void cut_hole(const Hole& hole, std::uint32_t size) noexcept;
  [[nodiscard]] inline Hole indexed_hole_before(std::uint32_t granule) const noexcept;
  [[nodiscard]] Hole indexed_hole_at(std::uint32_t granule) const noexcept {
    if (!map_.is_hole(granule)) return {};
    return {granule, map_.next_start(granule) - granule};
  }
  void close_bump() noexcept;
  void open_bump(std::uint32_t begin, std::uint32_t end) noexcept;
  void limit_bump() noexcept;
  void limit_inline() noexcept;
  void expect(std::uint32_t size) noexcept;
  [[nodiscard]] std::uint32_t bump_on(std::uint32_t size) noexcept;
  [[nodiscard]] bool take_back_newest(std::uint32_t granule, std::uint32_t size) noexcept;
  /// The map gets what it does not show yet.
  void complete_map() const noexcept {
    show_recent();
    show_rest();
  }
  void show_recent() const noexcept {
    if (recent_.first() != bump_begin_) [[unlikely]]
      recent_.write_to(map_, bump_begin_);
  }
  void show_rest() const noexcept {
    if (rest_.size != 0) [[unlikely]]
      mark_rest();
  }
  void mark_rest() const noexcept;
  [[nodiscard]] std::uint32_t block_end(std::uint32_t granule) const noexcept {
    const std::uint32_t next = map_.next_start(granule);
    // From here to the end of the bump run the map shows nothing.
    const std::uint32_t unseen = recent_.first();
    const bool is_between = unseen - granule - 1 < next - granule - 1 && unseen < bump_end_;
    return is_between ? unseen : next;
  }
  inline void check_block(std::uint32_t granule, std::uint32_t size) const noexcept;
  void release(std::uint32_t granule, std::uint32_t size) noexcept;

  // The hot fields first; all positions are granule numbers.
  std::uint32_t bump_begin_ = 1;
  std::uint32_t bump_limit_ = 1;  ///< Of the inline path; below bump_end_, unless that is empty.
  std::uint32_t bump_end_ = 1;
  std::uint32_t bump_cap_ = 1;  ///< Up to where no better fit is looked for.
  std::uint32_t end_ = 1;       ///< One past the last usable granule.
  Hole fresh_;                  ///< Size 0: none.
  /// The map may lag behind by the recent blocks and by `rest_`; whoever reads it has it completed
  /// first, so that nobody sees a difference.
  mutable detail::RecentBlocks recent_;
  mutable detail::BoundaryMap map_;
  /// What the last large block left of its hole, filed already. Where it begins, the map may not
  /// be in the cache; its line is fetched while the program goes on.
  mutable Hole rest_;
  detail::ClassIndex small_;
  detail::HoleTree large_;
  std::uint32_t indexed_holes_ = 0;
  std::uint32_t indexed_granules_ = 0;
  std::uint32_t tables_end_ = 0;  ///< What end_ the tables have room for.
  std::uint32_t changes_ = 0;
  std::uint32_t last_size_ = 0;  ///< Cut from the bump run by the slow path.
  std::uint64_t capacity_ = 0;
  LogSink log_;

  friend class FreeListTestPeer;
};

class BESOM_API FreeList::HoleIterator {
 public:
  using value_type = Run;
  using difference_type = std::ptrdiff_t;
  using iterator_concept = std::forward_iterator_tag;

  HoleIterator() = default;
  [[nodiscard]] Run operator*() const noexcept { return run_; }
  HoleIterator& operator++() noexcept;
  HoleIterator operator++(int) noexcept {
    HoleIterator before = *this;
    ++*this;
    return before;
  }
  friend bool operator==(const HoleIterator& a, const HoleIterator& b) noexcept {
    return a.run_ == b.run_;
  }

 private:
  friend class FreeList;
  explicit HoleIterator(const FreeList* list) noexcept;
  void seek_indexed(std::uint32_t granule) noexcept;

  const FreeList* list_ = nullptr;
  Run run_;  ///< Size 0 at the end.
};

struct FreeList::HoleRange {
  HoleIterator first;
  [[nodiscard]] HoleIterator begin() const noexcept { return first; }
  [[nodiscard]] HoleIterator end() const noexcept { return {}; }
};

inline FreeList::HoleRange FreeList::free_blocks() const noexcept { return {HoleIterator(this)}; }

}  // namespace besom
