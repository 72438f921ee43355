/// What a collector and its reports ask of the list: whole runs, cutting and joining blocks, walks.

#include <algorithm>

#include "freelist/free_list.hpp"

namespace besom {

using detail::to_bytes;
using detail::to_granules;

Run FreeList::take_run(std::uint32_t least, std::uint32_t most) noexcept {
  BESOM_CHECK(least % kAlign == 0 && most % kAlign == 0 && 0 < least && least <= most,
              "take_run: least, most", least, most);
  complete_map();
  file_fresh();
  close_bump();
  Hole hole = best_indexed(to_granules(most));
  if (hole.size == 0) {
    const auto largest = large_.largest();
    hole = {largest.granule, largest.size};
    if (hole.size == 0 && small_.greatest() != 0) {
      hole = {small_.lowest(map_, small_.greatest()), small_.greatest()};
    }
  }
  if (hole.size < to_granules(least)) return {};
  const std::uint32_t taken = std::min(hole.size, to_granules(most));
  cut_hole(hole, taken);
  show_rest();
  return {to_bytes(hole.granule), to_bytes(taken)};
}

FreeList::Stretch FreeList::take_stretch(std::uint64_t from, std::uint64_t sizes,
                                         std::uint64_t more_sizes, Run* holes) noexcept {
  using detail::kLineShift;
  constexpr unsigned kShift = kGranuleShift + kLineShift + 6;
  static_assert(Stretch::kBytes == 1u << kShift, "a word of the class index, a bit a line");
  complete_map();
  file_fresh();
  close_bump();
  const auto first = static_cast<std::uint32_t>(from >> kShift);
  const std::uint32_t number = small_.next_stretch(first, sizes);
  if (number == detail::ClassIndex::kNoStretch) return {};
  Stretch stretch{.end = (std::uint64_t{number} + 1) << kShift};
  sizes |= more_sizes;
  small_.erase_stretch(number, sizes);
  const std::uint32_t last = std::min((number << 6) + 63, end_ >> kLineShift);
  std::uint32_t granules = 0;
  for (std::uint32_t line = number << 6; line <= last; ++line) {
    for (std::uint64_t rest = map_.line(line).holes; rest != 0; rest &= rest - 1) {
      const std::uint32_t granule = (line << kLineShift) | detail::lowest_bit(rest);
      const std::uint32_t size = map_.next_start(granule) - granule;
      if (!is_small(size) || (sizes & detail::bit(size)) == 0) continue;
      map_.hole_to_block(granule);
      granules += size;
      holes[stretch.count++] = {to_bytes(granule), to_bytes(size)};
    }
  }
  indexed_holes_ -= stretch.count;
  indexed_granules_ -= granules;
  after_change();
  return stretch;
}

void FreeList::split_block(std::uint32_t index, std::uint32_t first_bytes) noexcept {
  complete_map();
  const std::uint32_t granule = to_granules(index);
  const std::uint32_t size = to_granules(first_bytes);
  BESOM_CHECK(granule - 1 < end_ - 1 && map_.is_block(granule), "split of no block: index, first",
              index, first_bytes);
  BESOM_CHECK(size != 0 && size < block_end(granule) - granule,
              "split outside the block: first, block's", first_bytes,
              to_bytes(block_end(granule) - granule));
  map_.set_start(granule + size);
  after_change();
}

void FreeList::cut_block(std::uint32_t index, std::uint32_t piece_bytes,
                         std::uint32_t covered_bytes) noexcept {
  complete_map();
  const std::uint32_t granule = to_granules(index);
  const std::uint32_t piece = to_granules(piece_bytes);
  const std::uint32_t covered_end = granule + to_granules(covered_bytes);
  BESOM_CHECK(granule - 1 < end_ - 1 && map_.is_block(granule), "cut of no block: index, piece",
              index, piece_bytes);
  const std::uint32_t end = block_end(granule);
  BESOM_CHECK(piece - 1 < end - granule && covered_end <= end && covered_bytes % piece_bytes == 0,
              "cut outside the block: piece, covered", piece_bytes, covered_bytes);
  if (covered_bytes == 0) return;
  map_.set_starts(granule, covered_end, piece);
  if (covered_end < end) map_.set_start(covered_end);
}

void FreeList::join_blocks(std::uint32_t index, std::uint32_t size_bytes) noexcept {
  complete_map();
  const std::uint32_t granule = to_granules(index);
  const std::uint32_t size = to_granules(size_bytes);
  BESOM_CHECK(granule - 1 < end_ - 1 && size - 1 < end_ - granule,
              "join outside the capacity: index, size", index, size_bytes);
  const std::uint32_t end = granule + size;
  const bool has_bump = bump_begin_ < bump_end_;
  BESOM_CHECK(!has_bump || bump_end_ <= granule || end <= bump_begin_,
              "join across free space: index, size", index, size_bytes);
  BESOM_CHECK(map_.is_block(granule) && (map_.is_start(end) || (has_bump && end == bump_begin_)),
              "join of parts of blocks: index, size", index, size_bytes);
  map_.clear_blocks(granule + 1, end);
}

std::uint32_t FreeList::largest_free_block() const noexcept {
  const std::uint32_t indexed = large_.count() != 0 ? large_.largest().size : small_.greatest();
  return to_bytes(std::max({indexed, fresh_.size, bump_end_ - bump_begin_}));
}

std::uint32_t FreeList::used_end() const noexcept {
  complete_map();
  if (bump_begin_ < bump_end_ && bump_end_ == end_) return to_bytes(bump_begin_);
  const std::uint32_t last = map_.prev_start(end_);
  const bool ends_in_hole = last != detail::BoundaryMap::kNone && map_.is_hole(last);
  return to_bytes(ends_in_hole ? last : end_);
}

void FreeList::reset() noexcept {
  for (std::uint32_t granule = 1; granule < end_;) {
    const Run run = run_at(to_bytes(granule));
    granule = to_granules(run.end());
    if (map_.is_block(to_granules(run.index)))
      release(to_granules(run.index), granule - to_granules(run.index));
  }
}

bool FreeList::is_block(std::uint32_t index) const noexcept {
  complete_map();
  const std::uint32_t granule = to_granules(index);
  return granule - 1 < end_ - 1 && map_.is_block(granule);
}

Run FreeList::run_at(std::uint32_t index) const noexcept {
  complete_map();
  const std::uint32_t granule = index >> kGranuleShift;
  BESOM_CHECK(granule - 1 < end_ - 1, "index outside the capacity: index, end", index,
              to_bytes(end_));
  if (bump_begin_ <= granule && granule < bump_end_) return bump_run();
  const std::uint32_t start = map_.is_start(granule) ? granule : map_.prev_start(granule);
  return {to_bytes(start), to_bytes(block_end(start) - start)};
}

std::size_t FreeList::table_bytes() const noexcept {
  return map_.table_bytes() + small_.table_bytes() + large_.table_bytes();
}

std::array<FreeList::TablePart, 2> FreeList::tables_below(std::uint64_t end) const noexcept {
  constexpr std::uint32_t kShift = kGranuleShift + detail::kLineShift;
  const std::uint64_t known = std::min(end, std::uint64_t{end_} << kGranuleShift);
  const auto lines = static_cast<std::uint32_t>((known + (1 << kShift) - 1) >> kShift);
  return {{{map_.lines(), lines * sizeof(detail::Line)},
           {small_.words(), small_.word_count(lines) * sizeof(std::uint64_t)}}};
}

void FreeList::verify() const {
  BESOM_CHECK(recent_.first() <= bump_begin_ && bump_begin_ <= bump_limit_ &&
                  bump_limit_ <= bump_cap_ && bump_cap_ <= bump_end_,
              "bump run out of order: begin, end", to_bytes(bump_begin_), to_bytes(bump_end_));
  complete_map();
  map_.verify(end_);
  small_.verify(map_, end_, fresh_.granule);
  std::uint32_t holes = 0;
  std::uint32_t granules = 0;
  std::uint32_t large = 0;
  bool after_hole = false;
  for (std::uint32_t granule = 1; granule < end_;) {
    const bool is_bump = bump_begin_ < bump_end_ && granule == bump_begin_;
    BESOM_CHECK(is_bump || map_.is_start(granule), "no run starts where one ends: index",
                to_bytes(granule), 0);
    const std::uint32_t end = is_bump ? bump_end_ : block_end(granule);
    BESOM_CHECK(end <= end_, "run past the capacity: index, end", to_bytes(granule),
                to_bytes(end_));
    const bool is_hole = is_bump || map_.is_hole(granule);
    BESOM_CHECK(!(is_hole && after_hole), "holes left unmerged: second, end", to_bytes(granule),
                to_bytes(end));
    if (is_hole && !is_bump) {
      ++holes;
      granules += end - granule;
      if (granule == fresh_.granule) {
        BESOM_CHECK(end == fresh_.end(), "fresh hole's size: map, noted", to_bytes(end - granule),
                    to_bytes(fresh_.size));
      } else if (!is_small(end - granule)) {
        ++large;
        BESOM_CHECK(large_.contains(granule, end - granule), "large hole not in the tree: index",
                    to_bytes(granule), to_bytes(end));
      }
    }
    after_hole = is_hole;
    granule = end;
  }
  BESOM_CHECK(holes == indexed_holes_, "holes: walked, counted", holes, indexed_holes_);
  BESOM_CHECK(granules == indexed_granules_, "free granules: walked, counted", granules,
              indexed_granules_);
  BESOM_CHECK(large == large_.count(), "large holes: walked, counted", large, large_.count());
}

FreeList::HoleIterator::HoleIterator(const FreeList* list) noexcept : list_(list) {
  seek_indexed(1);
}

FreeList::HoleIterator& FreeList::HoleIterator::operator++() noexcept {
  if (run_.index == to_bytes(list_->bump_begin_) && run_ == list_->bump_run()) {
    run_ = {};
  } else {
    seek_indexed(to_granules(run_.end()));
  }
  return *this;
}

/// To the first indexed hole from `granule` on; after the last, to the bump run.
void FreeList::HoleIterator::seek_indexed(std::uint32_t granule) noexcept {
  using namespace detail;
  const BoundaryMap& map = list_->map();
  std::uint64_t wanted = ~std::uint64_t{0} << (granule & 63u);
  for (std::uint32_t line = granule >> kLineShift; line != BoundaryMap::kNone;
       line = map.next_used_line(line + 1)) {
    const std::uint64_t holes = map.line(line).holes & wanted;
    if (holes != 0) {
      const auto start = (line << kLineShift) | static_cast<std::uint32_t>(std::countr_zero(holes));
      run_ = {to_bytes(start), to_bytes(map.next_start(start) - start)};
      return;
    }
    wanted = ~std::uint64_t{0};
  }
  run_ = list_->bump_run();
  if (run_.size_bytes == 0) run_ = {};
}

}  // namespace besom
