#include "freelist/free_list.hpp"

#include <algorithm>
#include <bit>
#include <limits>

#include "besom/detail/check.hpp"

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

bool is_small(std::uint32_t size) { return size < detail::HoleTree::kMinGranules; }

}  // namespace

FreeList::FreeList(std::uint64_t capacity, LogSink log) : log_(log) {
  const bool has_tables = open(capacity);
  BESOM_CHECK(has_tables, "out of host memory for the free list's tables: capacity", capacity, 0);
}

std::optional<FreeList> FreeList::create(std::uint64_t capacity, LogSink log,
                                         const TableMemory& tables) noexcept {
  FreeList list(log, tables);
  if (!list.open(capacity)) return std::nullopt;
  return list;
}

bool FreeList::open(std::uint64_t capacity) noexcept {
  log_.log(LogLevel::debug, "FreeList::FreeList(0x%" PRIx64 ")", capacity);
  if (!grow_tables(end_of(capacity), end_of(capacity))) return false;
  capacity_ = capacity;
  map_.set_start(end_);
  extend(end_of(capacity));
  return true;
}

bool FreeList::grow_tables(std::uint32_t end, std::uint32_t at_least) noexcept {
  BESOM_ASSERT(at_least <= end);
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
  extend(end);
  return true;
}

/// The old sentinel turns into the start of a block, which is then given back.
void FreeList::extend(std::uint32_t end) noexcept {
  BESOM_ASSERT(end >= end_);
  BESOM_ASSERT(end <= tables_end_);
  if (end == end_) return;
  const Hole added{end_, end - end_};
  end_ = end;
  map_.set_start(end_);
  release(added);
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

std::uint32_t FreeList::alloc_fast(std::uint32_t alloc_size) noexcept {
  const std::uint32_t size = to_granules(alloc_size);
  BESOM_CHECK(size - 1 < kMaxEndGranule, "allocation of no multiple of 16: size, largest",
              alloc_size, kMaxEnd);
  Hole hole;
  if (small_.class_from(size) > size) {
    // None is exact. The smallest that fits would leave rests that hardly any request can use.
    hole = unfile_best(std::min(2 * size, detail::HoleTree::kMinGranules));
  }
  if (hole.size == 0) hole = unfile_best(size);
  if (hole.size != 0) cut(hole, size);
  BESOM_TRACE(log_, "FreeList::alloc -> 0x%x", to_bytes(hole.granule));
  return to_bytes(hole.granule);
}

Run FreeList::take_run(std::uint32_t least, std::uint32_t most) noexcept {
  BESOM_CHECK(least % kAlign == 0 && most % kAlign == 0 && 0 < least && least <= most,
              "take_run: least, most", least, most);
  Hole hole = unfile_best(to_granules(most));
  if (hole.size == 0) {
    const std::uint32_t largest = largest_free_block();
    if (largest < least) return {};
    hole = unfile_best(to_granules(largest));
  }
  const std::uint32_t taken = std::min(hole.size, to_granules(most));
  cut(hole, taken);
  return {to_bytes(hole.granule), to_bytes(taken)};
}

bool FreeList::take_small_hole(std::uint32_t index) noexcept {
  const std::uint32_t granule = to_granules(index);
  const Hole hole{granule, map_.next_start(granule) - granule};
  BESOM_ASSERT(map_.is_hole(granule));
  if (!is_small(hole.size)) return false;
  unfile(hole);
  map_.hole_to_block(granule);
  return true;
}

Run FreeList::take_next_small(std::uint32_t from, std::uint32_t least) noexcept {
  BESOM_ASSERT(from % kAlign == 0 && least % kAlign == 0 && least != 0);
  const std::uint32_t size = to_granules(least);
  if (!is_small(size) || from >= kMaxEnd) return {};
  // The rest of the stretch at hand line by line; the index finds the stretches after it.
  std::uint32_t granule = to_granules(from);
  while (granule < end_) {
    const std::uint32_t last =
        (granule >> detail::kLineShift) | (detail::ClassIndex::kStretchLines - 1);
    std::uint64_t wanted = ~std::uint64_t{0} << (granule & 63u);
    for (std::uint32_t line = granule >> detail::kLineShift;
         line <= last && line <= end_ >> detail::kLineShift; ++line) {
      for (std::uint64_t holes = map_.line(line).holes & wanted; holes != 0; holes &= holes - 1) {
        const std::uint32_t start = (line << detail::kLineShift) | detail::lowest_bit(holes);
        const Hole hole{start, map_.next_start(start) - start};
        if (hole.size < size || !is_small(hole.size)) continue;
        unfile(hole);
        map_.hole_to_block(start);
        verify_in_zeal();
        return {to_bytes(start), to_bytes(hole.size)};
      }
      wanted = ~std::uint64_t{0};
    }
    const std::uint32_t stretch = small_.next_stretch(last / detail::ClassIndex::kStretchLines + 1,
                                                      ~std::uint64_t{0} << size);
    if (stretch == detail::ClassIndex::kNoStretch) return {};
    granule = stretch * detail::ClassIndex::kStretchLines << detail::kLineShift;
  }
  return {};
}

void FreeList::dealloc(std::uint32_t index, Layout layout) noexcept {
  const AllocError error = check_layout(layout);
  BESOM_CHECK(error == AllocError::none, "free with a size that no block has: index, size", index,
              layout.size);
  dealloc_fast(index, *aligned_size(static_cast<std::uint32_t>(layout.size)));
}

void FreeList::dealloc_fast(std::uint32_t index, std::uint32_t alloc_size) noexcept {
  const Hole block{to_granules(index), to_granules(alloc_size)};
  BESOM_TRACE(log_, "FreeList::dealloc(0x%x, 0x%x)", index, alloc_size);
  BESOM_CHECK(block.granule - 1 < end_ - 1 && block.size - 1 < end_ - block.granule,
              "free outside the capacity or misaligned: index, size", index, alloc_size);
  BESOM_CHECK(map_.is_block(block.granule), "free where no live block starts: index, size", index,
              alloc_size);
  BESOM_CHECK(map_.next_start(block.granule) == block.end(),
              "free with the wrong size: given, block's", alloc_size,
              to_bytes(map_.next_start(block.granule) - block.granule));
  release(block);
}

void FreeList::file(const Hole& hole) noexcept {
  BESOM_ASSERT(hole.size != 0 && hole.end() <= end_);
  if (is_small(hole.size)) {
    small_.insert(hole.granule, hole.size);
  } else {
    large_.insert(hole.granule, hole.size);
  }
  ++hole_count_;
  free_granules_ += hole.size;
}

/// The map still has to show the hole; its bits there are left to the caller.
void FreeList::unfile(const Hole& hole) noexcept {
  BESOM_ASSERT(hole_count_ != 0 && hole.size <= free_granules_);
  if (is_small(hole.size)) {
    small_.erase(map_, hole.granule, hole.size);
  } else {
    large_.erase(hole.granule, hole.size);
  }
  --hole_count_;
  free_granules_ -= hole.size;
}

/// The smallest hole of at least `size`, of equals the lowest, is no longer filed. Size 0: none.
FreeList::Hole FreeList::unfile_best(std::uint32_t size) noexcept {
  BESOM_ASSERT(size != 0);
  Hole hole;
  if (const std::uint32_t fit = small_.class_from(size); fit != 0) {
    hole = {small_.pop_lowest(map_, fit), fit};
  } else {
    hole = large_.best_fit(size);
    if (hole.size == 0) return {};
    // Where the rest begins, the map may not have been looked at for long.
    map_.prefetch(hole.granule + size);
    large_.erase(hole.granule, hole.size);
  }
  --hole_count_;
  free_granules_ -= hole.size;
  return hole;
}

/// The first `size` of a hole that is not filed become a block, the rest a hole.
void FreeList::cut(const Hole& hole, std::uint32_t size) noexcept {
  BESOM_ASSERT(size != 0 && size <= hole.size);
  map_.hole_to_block(hole.granule);
  if (size < hole.size) {
    map_.set_hole(hole.granule + size);
    file({hole.granule + size, hole.size - size});
  }
  verify_in_zeal();
}

/// The block `freed` becomes a hole, one with its neighbours. The hole above goes first: a hole
/// has to be in the map as it is filed until it is unfiled.
void FreeList::release(Hole freed) noexcept {
  BESOM_ASSERT(has_block(freed.granule));
  BESOM_ASSERT(map_.next_start(freed.granule) == freed.end());
  if (map_.is_hole(freed.end())) {
    const Hole above{freed.end(), map_.next_start(freed.end()) - freed.end()};
    unfile(above);
    map_.clear(above.granule);
    freed.size += above.size;
  }
  const std::uint32_t below = map_.prev_start(freed.granule);
  if (below != detail::BoundaryMap::kNone && map_.is_hole(below)) {
    unfile({below, freed.granule - below});
    map_.clear(freed.granule);
    freed = {below, freed.end() - below};
  } else {
    map_.block_to_hole(freed.granule);
  }
  file(freed);
  verify_in_zeal();
}

void FreeList::verify_in_zeal() noexcept {
#ifdef BESOM_ZEAL
  // After each change of up to 16 KiB; in a larger list after so many that each pays for as much.
  constexpr std::uint32_t kGranules = 1024;
  if (concealed_ == 0 && ++changes_ % (end_ / kGranules + 1) == 0) verify();
#endif
}

}  // namespace besom
