#include "freelist/free_list.hpp"

#include <algorithm>
#include <limits>

namespace besom {

using detail::to_bytes;
using detail::to_granules;

namespace {

constexpr std::uint32_t kMaxEndGranule = to_granules(FreeList::kMaxEnd);

std::uint32_t end_of(std::uint64_t capacity) {
  const auto end = static_cast<std::uint32_t>(
      std::min<std::uint64_t>(capacity >> kGranuleShift, kMaxEndGranule));
  return std::max(end, 1u);
}

}  // namespace

FreeList::FreeList(std::uint64_t capacity, LogSink log) : log_(log) {
  const bool has_tables = open(capacity);
  BESOM_CHECK(has_tables, "out of host memory for the free list's tables: capacity", capacity, 0);
}

std::optional<FreeList> FreeList::create(std::uint64_t capacity, LogSink log) noexcept {
  FreeList list(log);
  if (!list.open(capacity)) return std::nullopt;
  return list;
}

bool FreeList::open(std::uint64_t capacity) noexcept {
  log_.log(LogLevel::debug, "FreeList::FreeList(0x%" PRIx64 ")", capacity);
  if (!grow_tables(end_of(capacity), end_of(capacity))) return false;
  capacity_ = capacity;
  end_ = end_of(capacity);
  map_.set_start(end_);
  open_bump(1, end_);
  return true;
}

bool FreeList::grow_tables(std::uint32_t end, std::uint32_t at_least) noexcept {
  if (at_least <= tables_end_) return true;
  if (!map_.grow(end) || !small_.grow(end) || !large_.grow(end)) return false;
  tables_end_ = end;
  return true;
}

bool FreeList::reserve(std::uint64_t capacity) noexcept {
  return grow_tables(end_of(capacity), end_of(capacity));
}

void FreeList::add_capacity(std::uint64_t additional) {
  const bool has_tables = try_add_capacity(additional);
  BESOM_CHECK(has_tables, "out of host memory for the free list's tables: capacity, additional",
              capacity_, additional);
}

bool FreeList::try_add_capacity(std::uint64_t additional) noexcept {
  const std::uint64_t grown = additional > std::numeric_limits<std::uint64_t>::max() - capacity_
                                  ? std::numeric_limits<std::uint64_t>::max()
                                  : capacity_ + additional;
  const std::uint32_t end = end_of(grown);
  // An eighth ahead, so that growing in small steps copies each table entry some eight times.
  const std::uint32_t ahead = std::min(end + end / 8, kMaxEndGranule);
  if (!grow_tables(ahead, end)) return false;
  log_.log(LogLevel::debug,
           "FreeList::add_capacity(0x%" PRIx64 "): growing from 0x%" PRIx64 " to 0x%" PRIx64,
           additional, capacity_, grown);
  capacity_ = grown;
  if (end == end_) return true;
  complete_map();
  // The old sentinel turns into the start of a block, which is then given back.
  const std::uint32_t old_end = end_;
  end_ = end;
  map_.set_start(end_);
  release(old_end, end_ - old_end);
  return true;
}

AllocError FreeList::check_layout(Layout layout) noexcept {
  if (!can_align_to(layout.align)) return AllocError::align_too_large;
  if (layout.size == 0) return AllocError::size_zero;
  if (layout.size > kMaxEnd) return AllocError::size_too_large;
  return AllocError::none;
}

AllocResult FreeList::alloc(Layout layout) noexcept {
  const AllocError error = check_layout(layout);
  if (error != AllocError::none) return {error, 0};
  return {AllocError::none, alloc_fast(*aligned_size(static_cast<std::uint32_t>(layout.size)))};
}

__attribute__((noinline)) std::uint32_t FreeList::alloc_slow(std::uint32_t size) noexcept {
  BESOM_CHECK(size != 0 && size <= kMaxEndGranule, "allocation of no multiple of 16: granules",
              size, 0);
  std::uint32_t granule = 0;
  if (size <= bump_cap_ - bump_begin_) {
    granule = bump_on(size);
  } else {
    show_recent();
    file_fresh();
    granule = is_small(size) ? alloc_small(size) : alloc_large(size);
  }
  BESOM_TRACE(log_, "FreeList::alloc -> 0x%x", to_bytes(granule));
  after_change();
  return to_bytes(granule);
}

/// The bump run has room that no better fit is looked for in; only what is recent filled up.
__attribute__((noinline)) std::uint32_t FreeList::bump_on(std::uint32_t size) noexcept {
  show_recent();
  const std::uint32_t granule = bump_begin_;
  bump_begin_ += size;
  recent_.restart(bump_begin_);
  limit_inline();
  expect(size);
  map_.set_start(granule);
  return granule;
}

/// An exact hole first, even while the bump run has room further up: splitting a larger one would
/// leave a remainder that nothing may ever ask for.
std::uint32_t FreeList::alloc_small(std::uint32_t size) noexcept {
  show_rest();
  const std::uint32_t fit = small_.class_from(size);
  if (fit == size) {
    const std::uint32_t granule = small_.pop_lowest(map_, size);
    map_.hole_to_block(granule);
    --indexed_holes_;
    indexed_granules_ -= size;
    return granule;
  }
  // The commonest answer needs no hole looked up: a small bump run that fits at least as well.
  const std::uint32_t bump_size = bump_end_ - bump_begin_;
  if (size <= bump_size && is_small(bump_size) && (fit == 0 || bump_size <= fit)) {
    return bump_alloc(size);
  }
  const Hole hole = best_indexed(size);
  if (bump_fits_better(size, hole)) return bump_alloc(size);
  if (hole.size == 0) return 0;
  absorb(hole);
  close_bump();
  map_.hole_to_block(hole.granule);
  open_bump(hole.granule + size, hole.end());
  return hole.granule;
}

/// Large blocks are cut beside the bump run, unless it is the better fit itself.
std::uint32_t FreeList::alloc_large(std::uint32_t size) noexcept {
  const Hole hole = best_indexed(size);
  if (bump_fits_better(size, hole)) return bump_alloc(size);
  if (hole.size == 0) return 0;
  cut_hole(hole, size);
  return hole.granule;
}

void FreeList::cut_hole(const Hole& hole, std::uint32_t size) noexcept {
  // Where the rest begins, the map may not have been looked at for long.
  map_.prefetch(hole.granule + size);
  show_rest();
  absorb(hole);
  map_.hole_to_block(hole.granule);
  if (hole.size == size) return;
  rest_ = {hole.granule + size, hole.size - size};
  file(rest_);
  ++indexed_holes_;
  indexed_granules_ += rest_.size;
}

FreeList::Hole FreeList::best_indexed(std::uint32_t size) noexcept {
  const std::uint32_t small_class = small_.class_from(size);
  if (small_class != 0) return {small_.lowest(map_, small_class), small_class};
  const auto hole = large_.best_fit(size);
  return {hole.granule, hole.size};
}

bool FreeList::bump_fits_better(std::uint32_t size, const Hole& hole) const noexcept {
  const std::uint32_t bump_size = bump_end_ - bump_begin_;
  return bump_size >= size && (hole.size == 0 || bump_size <= hole.size);
}

std::uint32_t FreeList::bump_alloc(std::uint32_t size) noexcept {
  const std::uint32_t granule = bump_begin_;
  bump_begin_ += size;
  limit_bump();
  expect(size);
  map_.set_start(granule);
  return granule;
}

void FreeList::dealloc(std::uint32_t index, Layout layout) noexcept {
  const AllocError error = check_layout(layout);
  BESOM_CHECK(error == AllocError::none, "free with a size that no block has: index, size", index,
              layout.size);
  dealloc_fast(index, *aligned_size(static_cast<std::uint32_t>(layout.size)));
}

__attribute__((noinline)) void FreeList::dealloc_slow(std::uint32_t granule,
                                                      std::uint32_t size) noexcept {
  // What does not touch the recent blocks or the rest can be freed without them. One comparison for
  // both sides: whether a block lies below or above is a toss-up, which no branch predicts.
  const std::uint32_t end = granule + size;
  const std::uint32_t first = recent_.first();
  if (end - first < bump_end_ - first + size && take_back_newest(granule, size)) return;
  if (end - rest_.granule <= rest_.size + size) show_rest();
  check_block(granule, size);
  release(granule, size);
}

/// Blocks freed in the reverse order come here once for each few lines, and otherwise never.
__attribute__((noinline)) bool FreeList::take_back_newest(std::uint32_t granule,
                                                          std::uint32_t size) noexcept {
  show_recent();
  if (bump_begin_ == bump_end_ || granule + size != bump_begin_ ||
      size >= detail::RecentBlocks::kMaxSize || !recent_.take_from(map_, bump_begin_)) {
    return false;
  }
  limit_inline();
  if (recent_.has(granule, size)) {
    recent_.remove(granule);
    bump_begin_ = granule;
    return true;
  }
  show_recent();
  return false;
}

inline void FreeList::check_block(std::uint32_t granule, std::uint32_t size) const noexcept {
  BESOM_CHECK(granule - 1 < end_ - 1 && size - 1 < end_ - granule,
              "free outside the capacity or misaligned: index, size",
              std::rotl(granule, kGranuleShift), std::rotl(size, kGranuleShift));
  BESOM_CHECK(map_.is_block(granule), "free where no live block starts: index, size",
              to_bytes(granule), to_bytes(size));
  // Above the newest block there may be no start for a long way, below the bump run there is one.
  const std::uint32_t end = granule + size;
  const bool below_bump = bump_begin_ < bump_end_ && end == bump_begin_;
  if (below_bump && map_.prev_start(end) == granule) return;
  if (block_end(granule) == end) [[likely]]
    return;
  show_rest();
  BESOM_CHECK(block_end(granule) == end, "free with the wrong size: given, block's", to_bytes(size),
              to_bytes(block_end(granule) - granule));
}

/// Turns a checked block into free space: with its neighbours one hole, or part of the bump run
/// where that is a neighbour. The hole above goes first, so that whichever is unfiled, the map
/// shows the extents of those that are filed.
void FreeList::release(std::uint32_t granule, std::uint32_t size) noexcept {
  Hole merged{granule, size};
  const bool has_bump = bump_begin_ < bump_end_;
  const bool bump_below = has_bump && bump_end_ == granule;
  const bool bump_above = has_bump && bump_begin_ == merged.end();
  const Hole above = bump_above ? Hole{} : indexed_hole_at(merged.end());
  if (above.size != 0) {
    absorb(above);
    map_.clear(above.granule);
    merged.size += above.size;
  }
  const Hole below = bump_below ? Hole{} : indexed_hole_before(granule);
  if (below.size != 0) {
    absorb(below);
    map_.clear(granule);
    merged = {below.granule, below.size + merged.size};
  }
  if (bump_below || bump_above) {
    map_.clear(merged.granule);
    const bool has_recent = recent_.first() != bump_begin_;
    bump_begin_ = std::min(bump_begin_, merged.granule);
    bump_end_ = std::max(bump_end_, merged.end());
    if (!has_recent) limit_bump();
    return;
  }
  file_fresh();
  if (below.size == 0) map_.block_to_hole(granule);
  fresh_ = merged;
  ++indexed_holes_;
  indexed_granules_ += merged.size;
}

inline FreeList::Hole FreeList::indexed_hole_before(std::uint32_t granule) const noexcept {
  const std::uint32_t start = map_.prev_start(granule);
  if (start == detail::BoundaryMap::kNone || !map_.is_hole(start)) return {};
  return {start, granule - start};
}

void FreeList::add_hole(const Hole& hole) noexcept {
  file(hole);
  map_.set_hole(hole.granule);
  ++indexed_holes_;
  indexed_granules_ += hole.size;
}

void FreeList::close_bump() noexcept {
  if (bump_begin_ < bump_end_) add_hole({bump_begin_, bump_end_ - bump_begin_});
  bump_begin_ = bump_limit_ = bump_cap_ = bump_end_;
  recent_.restart(bump_begin_);
}

void FreeList::open_bump(std::uint32_t begin, std::uint32_t end) noexcept {
  bump_begin_ = begin;
  bump_end_ = end;
  limit_bump();
}

/// A small bump run is served from by the slow path alone, which prefers an exact hole elsewhere:
/// cutting it blindly leaves slivers, and in a nearly full list every bump run is small. Measured:
/// log-normal sizes are first refused at 99.7 % of the capacity instead of 99.4 %.
void FreeList::limit_bump() noexcept {
  const std::uint32_t size = bump_end_ - bump_begin_;
  recent_.restart(bump_begin_);
  bump_cap_ = bump_limit_ = bump_begin_;
  if (is_small(size)) return;
  bump_cap_ += std::min(size, kBumpGranules);
  limit_inline();
}

/// The inline path leaves a granule, so that above recent blocks there is always the bump run.
void FreeList::limit_inline() noexcept {
  const std::uint32_t limit = std::min({bump_cap_, bump_end_ - 1, recent_.limit()});
  bump_limit_ = std::max(bump_begin_, limit);
}

__attribute__((noinline)) void FreeList::mark_rest() const noexcept {
  map_.set_hole(rest_.granule);
  rest_ = {};
}

/// The second block of a size that is cut from the bump run here promises more of them.
void FreeList::expect(std::uint32_t size) noexcept {
  if (size == last_size_ && bump_begin_ < bump_limit_) {
    recent_.repeat(size, std::min(bump_cap_, bump_end_ - 1));
    bump_limit_ = std::max(bump_begin_, recent_.steps_end());
  }
  last_size_ = size;
}

}  // namespace besom
