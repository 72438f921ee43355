#include "freelist/boundary_map.hpp"

#include <algorithm>

namespace besom::detail {
namespace {

std::uint32_t lowest_start(const Line& line, std::uint32_t number) {
  return (number << kLineShift) | static_cast<std::uint32_t>(std::countr_zero(line.starts));
}

/// The bits of granules [first, end) that lie in line `number`.
std::uint64_t mask_in_line(std::uint32_t number, std::uint32_t first, std::uint32_t end) {
  const std::uint32_t base = number << kLineShift;
  std::uint64_t mask = ~std::uint64_t{0};
  if (first > base) mask <<= first - base;
  if (end - base < kLineGranules) mask &= bit(end) - 1;
  return mask;
}

}  // namespace

bool BoundaryMap::grow(std::uint32_t end) noexcept {
  // One line more than the sentinel needs: readers of a 128-bit window look at two.
  const std::uint32_t lines = (end >> kLineShift) + 2;
  return used_lines_.grow(lines) && lines_.grow(lines);
}

std::uint32_t BoundaryMap::next_start_beyond(std::uint32_t line) const noexcept {
  const std::uint32_t next = used_lines_.first_from(line + 1);
  BESOM_ASSERT(next != kNone);
  return lowest_start(lines_[next], next);
}

std::uint32_t BoundaryMap::prev_start_before(std::uint32_t line) const noexcept {
  const std::uint32_t prev = used_lines_.last_before(line);
  if (prev == kNone) return kNone;
  return (prev << kLineShift) |
         (63u - static_cast<std::uint32_t>(std::countl_zero(lines_[prev].starts)));
}

std::uint32_t BoundaryMap::next_hole(std::uint32_t granule) const noexcept {
  BESOM_ASSERT(has_line(granule));
  std::uint64_t wanted = ~std::uint64_t{0} << (granule & 63u);
  for (std::uint32_t line = granule >> kLineShift; line != kNone; line = next_used_line(line + 1)) {
    const std::uint64_t holes = lines_[line].holes & wanted;
    if (holes != 0) return (line << kLineShift) | lowest_bit(holes);
    wanted = ~std::uint64_t{0};
  }
  return kNone;
}

void BoundaryMap::set_starts(std::uint32_t first, std::uint32_t end, std::uint32_t step) noexcept {
  BESOM_ASSERT(step != 0);
  if (step >= kLineGranules) {
    for (std::uint32_t granule = first; granule < end; granule += step) set_start(granule);
    return;
  }
  if (first >= end) return;
  BESOM_ASSERT(has_line(end - 1));
  std::uint64_t comb = 0;  // bits 0, step, 2 * step, ...
  for (std::uint32_t i = 0; i < kLineGranules; i += step) comb |= bit(i);
  // By how much the comb moves from one line to the next, before what is a step of it is taken off.
  const std::uint32_t shift = (kLineGranules + step - 1) / step * step - kLineGranules;
  const std::uint32_t first_line = first >> kLineShift;
  const std::uint32_t last_line = (first + (end - 1 - first) / step * step) >> kLineShift;
  std::uint32_t offset = first & 63u;
  lines_[first_line].starts |= mask_in_line(first_line, first, end) & comb << offset;
  offset %= step;
  for (std::uint32_t line = first_line + 1; line < last_line; ++line) {
    offset += shift;
    if (offset >= step) offset -= step;
    // Not read: a page of the table that is read first and then written faults twice.
    lines_[line].starts = comb << offset;
  }
  if (last_line != first_line) {
    offset += shift;
    if (offset >= step) offset -= step;
    lines_[last_line].starts |= mask_in_line(last_line, first, end) & comb << offset;
  }
  used_lines_.insert_range(first_line, last_line);
}

void BoundaryMap::clear_blocks(std::uint32_t first, std::uint32_t end) noexcept {
  if (first >= end) return;
  BESOM_ASSERT(has_line(end - 1));
  const std::uint32_t last_line = (end - 1) >> kLineShift;
  // Lines that lost their last start; those between had none or lost theirs as well.
  std::uint32_t first_emptied = kNone;
  std::uint32_t last_emptied = 0;
  for (std::uint32_t number = first >> kLineShift; number <= last_line;
       number = next_used_line(number + 1)) {
    Line& line = lines_[number];
    const std::uint64_t mask = mask_in_line(number, first, end);
    BESOM_CHECK((line.holes & mask) == 0, "a run of blocks contains a hole: run, line",
                to_bytes(first), to_bytes(number << kLineShift));
    if ((line.starts & mask) == 0) continue;
    line.starts &= ~mask;
    if (line.starts != 0) continue;
    first_emptied = std::min(first_emptied, number);
    last_emptied = number;
  }
  if (first_emptied != kNone) used_lines_.erase_range(first_emptied, last_emptied);
}

void BoundaryMap::verify(std::uint32_t end) const {
  for (std::uint32_t number = 0; number <= end >> kLineShift; ++number) {
    const Line& line = lines_[number];
    BESOM_CHECK((line.starts != 0) == used_lines_.contains(number),
                "line's starts disagree with the tree: line, starts", number, line.starts);
    BESOM_CHECK((line.holes & ~line.starts) == 0, "hole without a start: line, holes", number,
                line.holes);
  }
}

}  // namespace besom::detail
