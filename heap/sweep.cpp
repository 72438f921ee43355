#include "heap/sweep.hpp"

#include <algorithm>
#include <cstring>

namespace besom::detail {
namespace {

constexpr std::uint64_t kWholeLine = ~std::uint64_t{0};

std::uint64_t from_bit(std::uint32_t granule) { return kWholeLine << (granule & 63u); }
/// 0 for 0, so that one less has all bits below the lowest, or all.
std::uint64_t lowest(std::uint64_t bits) { return bits & (~bits + 1); }

/// The bits of the granules in [granule, next) that lie in the first one's line.
std::uint64_t part_of_line(std::uint32_t granule, std::uint32_t next) {
  const std::uint64_t part = from_bit(granule);
  return next % kLineGranules == 0 ? part : part & ~from_bit(next);
}
/// The border of the line behind `granule`, or `end`.
std::uint32_t line_end(std::uint32_t granule, std::uint32_t end) {
  return std::min((granule | (kLineGranules - 1)) + 1, end);
}

/// Whether the hole is one that goes into a run.
bool is_short(const BoundaryMap& map, std::uint32_t hole) {
  return map.next_start(hole) - hole < kLineGranules;
}

}  // namespace

void Sweep::begin(std::uint64_t* marks, std::uint32_t end, bool keep_marks) noexcept {
  BESOM_ASSERT(done());
  BESOM_ASSERT(marks != nullptr);
  marks_ = marks;
  end_ = end;
  position_ = 0;
  ahead_ = 1;
  keep_marks_ = keep_marks;
  swept_objects_ = 0;
  stretch_ = 0;
}

void Sweep::begin_marking(std::uint64_t* marks) noexcept {
  BESOM_ASSERT(done());
  marks_ = marks;
  position_ = 0;
  end_ = ~std::uint32_t{0};
}

void Sweep::keep_object(std::uint32_t index) noexcept {
  const std::uint32_t granule = to_granules(index);
  if (granule < position_ || granule >= end_) return;
  marks_[granule >> kLineShift] |= bit(granule);
}

void Sweep::keep_run(Run run) noexcept {
  const std::uint32_t end = std::min(to_granules(run.end()), end_);
  for (std::uint32_t granule = std::max(to_granules(run.index), position_); granule < end;) {
    const std::uint32_t next = line_end(granule, end);
    marks_[granule >> kLineShift] |= part_of_line(granule, next);
    granule = next;
  }
}

/// The granules of the line that lie below the end.
std::uint64_t Sweep::below_end(std::uint32_t line) const noexcept {
  const std::uint32_t end_line = end_ >> kLineShift;
  if (line < end_line) return ~std::uint64_t{0};
  return line == end_line ? bit(end_) - 1 : 0;
}

template <class Visit>
void Sweep::each_line_left(Visit visit) const {
  if (done()) return;
  const std::uint32_t first = position_ >> kLineShift;
  for (std::uint32_t line = first; line <= end_ >> kLineShift; ++line) {
    visit(line, below_end(line) & (line == first ? from_bit(position_) : ~std::uint64_t{0}));
  }
}

std::uint64_t Sweep::dead_objects(const FreeList& list) const noexcept {
  std::uint64_t count = swept_objects_;
  each_line_left([&](std::uint32_t line, std::uint64_t granules) {
    const Line words = list.map().line(line);
    count += count_bits(words.starts & ~words.holes & ~marks_[line] & granules);
  });
  return count;
}

/// Marks say nothing of what is free. In between they tell holes from the dead.
void Sweep::conceal(FreeList& list) noexcept {
  each_line_left([&](std::uint32_t line, std::uint64_t granules) {
    const Line words = list.map().line(line);
    marks_[line] |= words.holes & granules;
    list.conceal(line, words.starts & ~marks_[line] & granules);
  });
}

void Sweep::reveal(FreeList& list) noexcept {
  each_line_left([&](std::uint32_t line, std::uint64_t granules) {
    list.reveal(line, list.map().line(line).holes & ~marks_[line] & granules);
  });
}

std::uint64_t Sweep::first_swept(std::uint32_t line, std::uint64_t part,
                                 const BoundaryMap& map) const noexcept {
  const Line words = map.line(line);
  part &= below_end(line);
  const std::uint64_t dead = lowest(words.starts & ~words.holes & ~marks_[line] & part);
  for (std::uint64_t holes = words.holes & part & (dead - 1); holes != 0; holes &= holes - 1) {
    if (is_short(map, (line << kLineShift) | lowest_bit(holes))) return lowest(holes);
  }
  return dead;
}

std::uint64_t Sweep::first_kept(std::uint32_t line, std::uint64_t part,
                                const BoundaryMap& map) const noexcept {
  const Line words = map.line(line);
  const std::uint64_t swept = below_end(line) & (words.holes | ~marks_[line]);
  const std::uint64_t kept = lowest(words.starts & ~swept & part);
  for (std::uint64_t holes = words.holes & part & (kept - 1); holes != 0; holes &= holes - 1) {
    if (!is_short(map, (line << kLineShift) | lowest_bit(holes))) return lowest(holes);
  }
  return kept;
}

/// The first run of `from`'s stretch from there on. Remembers nothing of the tables from one run to
/// the next: what was allocated meanwhile has changed them.
Hole Sweep::next_run(std::uint32_t from, const FreeList& list) const noexcept {
  BESOM_ASSERT(from >= position_);
  const BoundaryMap& map = list.map();
  const std::uint32_t border = (from / kStretchGranules + 1) * kStretchGranules;
  const std::uint32_t border_line = border >> kLineShift;
  std::uint32_t line = from >> kLineShift;
  std::uint64_t first = first_swept(line, from_bit(from), map);
  while (first == 0) {
    line = map.next_used_line(line + 1);
    if (line >= border_line) return {};
    first = first_swept(line, kWholeLine, map);
  }
  const std::uint32_t begin = (line << kLineShift) | lowest_bit(first);
  std::uint64_t kept = first_kept(line, from_bit(begin), map);
  while (kept == 0) {
    line = map.next_used_line(line + 1);
    if (line >= border_line) return {begin, border - begin};
    kept = first_kept(line, kWholeLine, map);
  }
  return {begin, ((line << kLineShift) | lowest_bit(kept)) - begin};
}

/// Makes one block of the run, whose last part may reach on beyond it. That part's rest is dead in
/// the next stretch, and counted there.
Run Sweep::take(FreeList& list, LeafBits& leaves, Hole run) noexcept {
  BESOM_ASSERT(run.size != 0);
  BESOM_ASSERT(list.map().is_start(run.granule));
  const BoundaryMap& map = list.map();
  for (std::uint32_t granule = run.granule; granule < run.end();) {
    const std::uint32_t next = line_end(granule, run.end());
    const std::uint32_t line = granule >> kLineShift;
    const Line words = map.line(line);
    const std::uint64_t part = part_of_line(granule, next);
    const std::uint64_t dead = words.starts & ~words.holes & part;
    swept_objects_ += count_bits(dead);
    leaves.erase(line, dead);
    for (std::uint64_t holes = words.holes & part; holes != 0; holes &= holes - 1) {
      list.take_small_hole(to_bytes((line << kLineShift) | lowest_bit(holes)));
    }
    granule = next;
  }
  if (!map.is_start(run.end())) {
    list.start_block(to_bytes(run.end()));
    // The rest of a hole that was claimed, used in part and given back has marks.
    if (run.end() < end_) marks_[run.end() >> kLineShift] &= ~bit(run.end());
    --swept_objects_;
  }
  list.join_blocks(to_bytes(run.granule), to_bytes(run.size));
  return {to_bytes(run.granule), to_bytes(run.size)};
}

Run Sweep::next(FreeList& list, LeafBits& leaves) noexcept {
  if (done()) return {};
  if (position_ == (stretch_ + 1) * kStretchGranules) return {};
  const Hole run = next_run(position_, list);
  if (run.size == 0) return {};
  BESOM_ASSERT(run.end() > position_);
  position_ = run.end();
  return take(list, leaves, run);
}

/// The first stretch from `stretch` on in which something starts; kNoStretch after the last.
std::uint32_t Sweep::next_stretch(const FreeList& list, std::uint32_t stretch) const noexcept {
  if (std::uint64_t{stretch} * kStretchGranules >= end_) return kNoStretch;
  const std::uint32_t line = list.map().next_used_line(stretch << kStretchShift);
  return line > end_ >> kLineShift ? kNoStretch : line >> kStretchShift;
}

bool Sweep::enter_next(FreeList& list) noexcept {
  if (done()) return false;
  const std::uint32_t next = next_stretch(list, stretch_ + 1);
  const std::uint32_t past_end = (end_ >> kLineShift) + 1;
  const std::uint32_t first = stretch_ << kStretchShift;
  const std::uint32_t last =
      next == kNoStretch ? past_end : std::min(next << kStretchShift, past_end);
  if (keep_marks_) {
    for (std::uint32_t line = first; line < last; ++line) {
      const Line words = list.map().line(line);
      marks_[line] &= words.starts & ~words.holes;
    }
  } else if (first < last) {
    std::memset(marks_ + first, 0, (last - first) * sizeof *marks_);
  }
  if (next == kNoStretch) {
    stretch_ = kNoStretch;
    position_ = end_ = 0;
    return false;
  }
  BESOM_ASSERT(next > stretch_);
  stretch_ = next;
  position_ = next * kStretchGranules;
  return true;
}

bool Sweep::is_long(const FreeList& list, Run run) noexcept {
  if (run.size_bytes >= kLongBytes) return true;
  const BoundaryMap& map = list.map();
  std::uint32_t begin = to_granules(run.index);
  std::uint32_t end = to_granules(run.end());
  if (map.is_hole(end)) end = map.next_start(end);
  const std::uint32_t below = map.prev_start(begin);
  if (below != BoundaryMap::kNone && map.is_hole(below)) begin = below;
  return to_bytes(end - begin) >= kLongBytes;
}

bool Sweep::file_long_runs(FreeList& list, LeafBits& leaves) noexcept {
  if (done()) return false;
  const std::uint32_t stretch = next_stretch(list, std::max(ahead_, stretch_ + 1));
  if (stretch == kNoStretch) return false;
  ahead_ = stretch + 1;
  std::uint32_t from = stretch * kStretchGranules;
  while (from < ahead_ * kStretchGranules) {
    const Hole run = next_run(from, list);
    if (run.size == 0) break;
    BESOM_ASSERT(run.end() > from);
    from = run.end();
    if (!is_long(list, {to_bytes(run.granule), to_bytes(run.size)})) continue;
    const Run taken = take(list, leaves, run);
    list.dealloc_fast(taken.index, taken.size_bytes);
  }
  return true;
}

bool Sweep::has_unsearched(const FreeList& list) const noexcept {
  return !done() && next_stretch(list, std::max(ahead_, stretch_ + 1)) != kNoStretch;
}

}  // namespace besom::detail
