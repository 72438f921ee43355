#include "inspect/observe/moments.hpp"

#include <algorithm>
#include <bit>
#include <utility>

namespace besom::detail {

bool MomentTaker::prepare() noexcept {
  types_ = view_.types().count() + 1;
  end_ = FreeList::kAlign + view_.space().free_list().max_size();
  constexpr std::uint32_t kLeastCell = 256;
  const std::uint32_t cell = std::max((end_ - 1) / Moment::kCells + 1, kLeastCell);
  moment_.cell_shift = static_cast<std::uint32_t>(std::bit_width(cell - 1));
  moment_.cells = ((end_ - 1) >> moment_.cell_shift) + 1;
  moment_.capacity = view_.space().capacity();
  return sums_.grow(types_);
}

void MomentTaker::add(Run run) noexcept {
  add_hole(run.index);
  position_ = run.end();
  const TypeId type = view_.object(run).type_id;
  ++sums_[type].objects;
  sums_[type].bytes += run.size_bytes;
  ++moment_.live_objects;
  moment_.live_bytes += run.size_bytes;
  add_to_strip(run, type);
}

void MomentTaker::add_hole(std::uint32_t end) noexcept {
  if (end <= position_) return;
  const std::uint32_t bytes = end - position_;
  Moment::Holes& holes = moment_.holes[std::bit_width(bytes) - 1 - Moment::kLeastHoleShift];
  ++holes.count;
  holes.bytes += bytes;
}

void MomentTaker::add_to_strip(Run run, TypeId type) noexcept {
  Sum& sum = sums_[type];
  std::uint64_t at = run.index;
  while (at != run.end()) {
    const auto cell = static_cast<std::uint32_t>(at >> moment_.cell_shift);
    const std::uint64_t cell_end = std::uint64_t{cell + 1} << moment_.cell_shift;
    const auto part = static_cast<std::uint32_t>(std::min<std::uint64_t>(run.end(), cell_end) - at);
    if (cell != cell_) most_in_cell_ = 0;
    cell_ = cell;
    if (sum.cell != cell + 1) sum.in_cell = 0;
    sum.cell = cell + 1;
    sum.in_cell += part;
    moment_.strip[cell] += part;
    if (sum.in_cell > most_in_cell_) {
      most_in_cell_ = sum.in_cell;
      moment_.strip_types[cell] = type;
    }
    at += part;
  }
}

void MomentTaker::finish() noexcept {
  add_hole(end_);
  Moment::Row* const rows = moment_.census;
  for (TypeId type = 0; type < types_; ++type) {
    Moment::Row row{type, sums_[type].objects, sums_[type].bytes};
    if (row.objects == 0) continue;
    for (std::uint32_t i = 0; i < moment_.census_rows; ++i) {
      if (row.bytes > rows[i].bytes) std::swap(row, rows[i]);
    }
    if (moment_.census_rows < Moment::kTypes) {
      rows[moment_.census_rows++] = row;
    } else {
      moment_.other_objects += row.objects;
      moment_.other_bytes += row.bytes;
    }
  }
}

Moment& Moments::begin() noexcept {
  if (count_ == kMost) thin();
  moments_[count_] = {};
  return moments_[count_];
}

void Moments::keep(const Moment& moment) noexcept {
  BESOM_ASSERT(&moment == &moments_[count_]);
  last_ns_ = moment.at_ns;
  walked_ns_ += moment.walk_ns;
  ++count_;
}

/// Those that follow are as far apart as those that stay.
void Moments::thin() noexcept {
  std::uint32_t kept = 0;
  bool is_even = false;
  for (std::uint32_t i = 0; i < count_; ++i) {
    if (moments_[i].why == Moment::Why::collection) is_even = !is_even;
    if (moments_[i].why != Moment::Why::collection || is_even) moments_[kept++] = moments_[i];
  }
  apart_ns_ = moments_[count_ - 1].at_ns / kept;
  count_ = kept;
}

}  // namespace besom::detail
