/// Dividing and joining blocks, walks over many runs, and what is asked about them.

#include <algorithm>

#include "besom/detail/check.hpp"
#include "freelist/free_list.hpp"

namespace besom {

using detail::to_bytes;
using detail::to_granules;

void FreeList::split_block(std::uint32_t index, std::uint32_t first_bytes) noexcept {
  const std::uint32_t granule = to_granules(index);
  const std::uint32_t first = to_granules(first_bytes);
  BESOM_CHECK(has_block(granule), "split of no block: index, first", index, first_bytes);
  const std::uint32_t size = map_.next_start(granule) - granule;
  BESOM_CHECK(first - 1 < size - 1, "split outside the block: first, block's", first_bytes,
              to_bytes(size));
  map_.set_start(granule + first);
  verify_in_zeal();
}

void FreeList::cut_block(std::uint32_t index, std::uint32_t piece_bytes,
                         std::uint32_t covered_bytes) noexcept {
  const std::uint32_t granule = to_granules(index);
  const std::uint32_t piece = to_granules(piece_bytes);
  const std::uint32_t covered = to_granules(covered_bytes);
  BESOM_CHECK(has_block(granule), "cut of no block: index, piece", index, piece_bytes);
  const std::uint32_t size = map_.next_start(granule) - granule;
  BESOM_CHECK(piece - 1 < size && covered <= size && covered % piece == 0,
              "cut outside the block: piece, covered", piece_bytes, covered_bytes);
  map_.set_starts(granule, granule + covered, piece);
  if (covered < size) map_.set_start(granule + covered);
  verify_in_zeal();
}

void FreeList::join_blocks(std::uint32_t index, std::uint32_t size_bytes) noexcept {
  const std::uint32_t granule = to_granules(index);
  const std::uint32_t size = to_granules(size_bytes);
  BESOM_CHECK(granule - 1 < end_ - 1 && size - 1 < end_ - granule,
              "join outside the capacity: index, size", index, size_bytes);
  BESOM_CHECK(map_.is_block(granule) && map_.is_start(granule + size),
              "join of parts of blocks: index, size", index, size_bytes);
  map_.clear_blocks(granule + 1, granule + size);
  verify_in_zeal();
}

void FreeList::reset() noexcept {
  for (std::uint32_t granule = 1; granule < end_; granule = map_.next_start(granule)) {
    if (map_.is_block(granule)) release({granule, map_.next_start(granule) - granule});
  }
}

std::uint32_t FreeList::largest_free_block() const noexcept {
  return to_bytes(large_.count() != 0 ? large_.largest().size : small_.greatest());
}

std::uint32_t FreeList::used_end() const noexcept {
  const std::uint32_t last = map_.prev_start(end_);
  const bool ends_in_hole = last != detail::BoundaryMap::kNone && map_.is_hole(last);
  return to_bytes(ends_in_hole ? last : end_);
}

bool FreeList::is_block(std::uint32_t index) const noexcept {
  return has_block(to_granules(index));
}

Run FreeList::run_at(std::uint32_t index) const noexcept {
  const std::uint32_t granule = index >> kGranuleShift;
  BESOM_CHECK(granule - 1 < end_ - 1, "index outside the capacity: index, end", index,
              to_bytes(end_));
  const std::uint32_t start = map_.is_start(granule) ? granule : map_.prev_start(granule);
  return {to_bytes(start), to_bytes(map_.next_start(start) - start)};
}

std::size_t FreeList::table_bytes() const noexcept {
  return map_.table_bytes() + small_.table_bytes() + large_.table_bytes();
}

void FreeList::discard_zeros_below(std::uint64_t end) noexcept {
  constexpr std::uint32_t kShift = kGranuleShift + detail::kLineShift;
  const std::uint64_t known = std::min(end, std::uint64_t{end_} << kGranuleShift);
  const auto lines = static_cast<std::uint32_t>((known + (1 << kShift) - 1) >> kShift);
  map_.discard_zeros(lines);
  small_.discard_zeros(lines);
}

void FreeList::verify() const {
  BESOM_CHECK(concealed_ == 0, "verify with blocks concealed: blocks, end", concealed_,
              to_bytes(end_));
  map_.verify(end_);
  small_.verify(map_, end_);
  std::uint32_t holes = 0;
  std::uint32_t granules = 0;
  std::uint32_t large = 0;
  bool after_hole = false;
  for (std::uint32_t granule = 1; granule < end_;) {
    BESOM_CHECK(map_.is_start(granule), "no run starts where one ends: index", to_bytes(granule),
                0);
    const std::uint32_t end = map_.next_start(granule);
    BESOM_CHECK(end <= end_, "run past the capacity: index, end", to_bytes(granule),
                to_bytes(end_));
    const bool is_hole = map_.is_hole(granule);
    BESOM_CHECK(!(is_hole && after_hole), "holes left unmerged: second, end", to_bytes(granule),
                to_bytes(end));
    if (is_hole) {
      ++holes;
      granules += end - granule;
      if (end - granule >= detail::HoleTree::kMinGranules) {
        ++large;
        BESOM_CHECK(large_.contains(granule, end - granule), "large hole not in the tree: index",
                    to_bytes(granule), to_bytes(end));
      }
    }
    after_hole = is_hole;
    granule = end;
  }
  BESOM_CHECK(holes == hole_count_, "holes: walked, counted", holes, hole_count_);
  BESOM_CHECK(granules == free_granules_, "free granules: walked, counted", granules,
              free_granules_);
  BESOM_CHECK(large == large_.count(), "large holes: walked, counted", large, large_.count());
}

}  // namespace besom
