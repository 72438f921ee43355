#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "besom/detail/export.h"
#include "besom/log.hpp"
#include "besom/run.hpp"
#include "freelist/boundary_map.hpp"
#include "freelist/class_index.hpp"
#include "freelist/hole_range.hpp"
#include "freelist/hole_tree.hpp"

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
/// Invariants (numbered as in verify()), true whenever a call returns:
///   1. every run, hole or block, lies inside [kAlign, kAlign + max_size()) and is in the map;
///   2. holes are never adjacent;
///   3. free_bytes() is the sum of the sizes of all holes;
///   4. each hole is filed once, under its size: below 1 KiB in the class index, else in the tree.
///
/// Memory: 3.9 % of the capacity, zero pages until used. Not thread-safe.
/// Source of the contract: Wasmtime 45, runtime/vm/gc/enabled/free_list.rs (see NOTICE).
class BESOM_API FreeList {
 public:
  /// Alignment of every block, and its least size.
  static constexpr std::uint32_t kAlign = kGranuleBytes;
  /// Where the last block may end: the greatest multiple of kAlign below 2^32, so that an end is
  /// always a 32-bit number. Capacity beyond it is counted but cannot be handed out.
  static constexpr std::uint32_t kMaxEnd = 0xfffffff0;

  /// A list of `capacity` free bytes, the first kAlign of which are never handed out, so that index
  /// 0 can mean "none". Aborts when the host has no memory for the tables.
  explicit FreeList(std::uint64_t capacity, LogSink log = {});
  /// The same, but nothing when there is no memory for the tables.
  [[nodiscard]] static std::optional<FreeList> create(std::uint64_t capacity, LogSink log = {},
                                                      const TableMemory& tables = {}) noexcept;

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

  /// Takes a block for `layout`, its size rounded up. Cost as alloc_fast().
  [[nodiscard]] AllocResult alloc(Layout layout) noexcept;
  /// Takes `alloc_size` bytes, a result of aligned_size(); any other value aborts. They are the
  /// first of a hole of exactly that size, else of the smallest hole of twice the size or of 1 KiB,
  /// else of the smallest that fits; of equals, the lowest (docs/design.md#fit). Returns 0 when no
  /// hole fits. O(1) where the hole is below 1 KiB, O(log holes) from there.
  [[nodiscard]] std::uint32_t alloc_fast(std::uint32_t alloc_size) noexcept;
  /// Takes one block of the first `most` bytes of the smallest hole that has as many, or else the
  /// whole of the largest hole, if it has at least `least`; otherwise size 0. O(log holes).
  [[nodiscard]] Run take_run(std::uint32_t least, std::uint32_t most) noexcept;

  /// Gives back the block `[index, index + size)`, size as it was asked for or rounded up. Checked
  /// like dealloc_fast().
  void dealloc(std::uint32_t index, Layout layout) noexcept;
  /// Gives back the block `[index, index + alloc_size)`; joins the holes on both sides.
  /// Checked in every build: anything but exactly one live block aborts with both operands.
  /// Never allocates: a sweep must not fail. O(1), O(log holes) for holes of 1 KiB and more.
  void dealloc_fast(std::uint32_t index, std::uint32_t alloc_size) noexcept;

  /// Takes the first hole at `from` or above that has at least `least` bytes and less than 1 KiB,
  /// as one block. Size 0 when there is none. O(lines to the next such hole), at most some hundred.
  [[nodiscard]] Run take_next_small(std::uint32_t from, std::uint32_t least) noexcept;
  /// The hole that starts at `index` becomes a block if it has less than 1 KiB. Returns whether it
  /// did. O(1).
  bool take_small_hole(std::uint32_t index) noexcept;

  /// The block at `index` becomes two, the first of `first_bytes`, which is less than its size.
  void split_block(std::uint32_t index, std::uint32_t first_bytes) noexcept;
  /// The block that contains `index` ends there, and another begins. Nothing where one does. O(1).
  void start_block(std::uint32_t index) noexcept {
    BESOM_ASSERT(detail::to_granules(index) - 1 < end_ - 1);
    map_.set_start(detail::to_granules(index));
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
  /// Frees every block. O(blocks), and like all freeing without host memory.
  void reset() noexcept;

  using HoleIterator = detail::HoleRange::Iterator;
  /// Every hole once, in address order.
  [[nodiscard]] detail::HoleRange free_blocks() const noexcept { return detail::HoleRange(map_); }
  /// O(1).
  [[nodiscard]] std::size_t num_free_blocks() const noexcept { return hole_count_; }
  [[nodiscard]] std::uint64_t free_bytes() const noexcept {
    return std::uint64_t{free_granules_} << kGranuleShift;
  }
  /// The size of the largest hole, 0 when there is none. O(log holes).
  [[nodiscard]] std::uint32_t largest_free_block() const noexcept;
  /// Above the last block: everything from here to the capacity's end is one hole, or nothing.
  /// O(1).
  [[nodiscard]] std::uint32_t used_end() const noexcept;

  /// Whether exactly one live block starts at `index`.
  [[nodiscard]] bool is_block(std::uint32_t index) const noexcept;
  /// The block or hole that contains `index`, which must lie in [kAlign, kAlign + max_size()).
  [[nodiscard]] Run run_at(std::uint32_t index) const noexcept;
  /// See BoundaryMap::lines(). Invalidated by growth beyond what reserve() took memory for.
  [[nodiscard]] detail::Line* lines() noexcept { return map_.lines(); }
  /// Read access for a collector that marks and sweeps by these tables. Invalidated by growth.
  [[nodiscard]] const detail::BoundaryMap& map() const noexcept { return map_; }

  /// For walks over the map that are to pass over a block as over a hole, until reveal(). Meanwhile
  /// nothing may be taken or given back; split_block() may be called. O(1).
  void conceal(std::uint32_t index) noexcept {
    BESOM_CHECK(is_block(index), "conceal of no block: index, end", index, detail::to_bytes(end_));
    map_.block_to_hole(detail::to_granules(index));
    ++concealed_;
  }
  void reveal(std::uint32_t index) noexcept {
    BESOM_ASSERT(concealed_ != 0);
    map_.hole_to_block(detail::to_granules(index));
    --concealed_;
  }
  /// The same for `blocks`, a bit for each granule of line `line` where one starts.
  void conceal(std::uint32_t line, std::uint64_t blocks) noexcept {
    map_.blocks_to_holes(line, blocks);
    concealed_ += detail::count_bits(blocks);
  }
  void reveal(std::uint32_t line, std::uint64_t blocks) noexcept {
    map_.holes_to_blocks(line, blocks);
    BESOM_ASSERT(detail::count_bits(blocks) <= concealed_);
    concealed_ -= detail::count_bits(blocks);
  }
  /// Host memory held by the tables, in bytes, used or not.
  [[nodiscard]] std::size_t table_bytes() const noexcept;
  /// Gives those pages of the tables back to the system that say nothing of [0, end), `end` a byte
  /// index; of tables from malloc none. O(end / 500).
  void discard_zeros_below(std::uint64_t end) noexcept;

  /// Aborts on a violation of invariants 1-4, which do not hold while blocks are concealed.
  /// O(capacity / 1 KiB).
  void verify() const;

 private:
  // All positions and sizes below are granule numbers.
  using Hole = detail::Hole;

  FreeList(LogSink log, const TableMemory& tables) noexcept
      : map_(tables), small_(tables), large_(tables), log_(log) {}
  [[nodiscard]] bool open(std::uint64_t capacity) noexcept;
  [[nodiscard]] bool grow_tables(std::uint32_t end, std::uint32_t at_least) noexcept;
  void extend(std::uint32_t end) noexcept;

  void file(const Hole& hole) noexcept;
  void unfile(const Hole& hole) noexcept;
  [[nodiscard]] Hole unfile_best(std::uint32_t size) noexcept;
  void cut(const Hole& hole, std::uint32_t size) noexcept;
  void release(Hole freed) noexcept;
  [[nodiscard]] bool has_block(std::uint32_t granule) const noexcept {
    return granule - 1 < end_ - 1 && map_.is_block(granule);
  }
  void verify_in_zeal() noexcept;

  detail::BoundaryMap map_;
  detail::ClassIndex small_;
  detail::HoleTree large_;
  std::uint32_t end_ = 1;  ///< One past the last usable granule.
  std::uint32_t hole_count_ = 0;
  std::uint32_t free_granules_ = 0;
  std::uint32_t tables_end_ = 0;  ///< What end_ the tables have room for.
  std::uint32_t changes_ = 0;     ///< Counted for zeal.
  std::uint32_t concealed_ = 0;   ///< Blocks that the map shows as holes.
  std::uint64_t capacity_ = 0;
  LogSink log_;

  friend class FreeListTestPeer;
};

}  // namespace besom
