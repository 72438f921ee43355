#include "tests/support/reference_free_list.hpp"

#include <algorithm>
#include <iterator>

namespace besom::test {

template <Faithful kFaithful>
BasicReferenceFreeList<kFaithful>::BasicReferenceFreeList(std::uint64_t capacity)
    : capacity_(capacity), bump_end_(end_of(capacity)) {}

template <Faithful kFaithful>
std::uint32_t BasicReferenceFreeList<kFaithful>::end_of(std::uint64_t capacity) noexcept {
  const std::uint64_t end = std::min<std::uint64_t>(capacity, kMaxEnd) & ~std::uint64_t{kAlign - 1};
  return std::max(static_cast<std::uint32_t>(end), kAlign);
}

template <Faithful kFaithful>
void BasicReferenceFreeList<kFaithful>::add_capacity(std::uint64_t additional) {
  const std::uint32_t old_end = end_of(capacity_);
  constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();
  capacity_ = additional > kMax - capacity_ ? kMax : capacity_ + additional;
  const std::uint32_t added = end_of(capacity_) - old_end;
  if (added != 0) release(old_end, added);
}

template <Faithful kFaithful>
AllocError BasicReferenceFreeList<kFaithful>::check_layout(Layout layout) noexcept {
  if (!can_align_to(layout.align)) return AllocError::align_too_large;
  // Mend 4: the original lets a size of 0 through.
  if (kMended && layout.size == 0) return AllocError::size_zero;
  if (layout.size > kMaxEnd) return AllocError::size_too_large;
  return AllocError::none;
}

namespace {

std::uint32_t round_up(std::size_t size) {
  return static_cast<std::uint32_t>((size + (kGranuleBytes - 1)) & ~std::size_t{kGranuleBytes - 1});
}

}  // namespace

template <Faithful kFaithful>
AllocResult BasicReferenceFreeList<kFaithful>::alloc(Layout layout) {
  const AllocError error = check_layout(layout);
  if (error != AllocError::none) return {error, 0};
  return {AllocError::none, alloc_fast(round_up(layout.size))};
}

template <Faithful kFaithful>
std::uint32_t BasicReferenceFreeList<kFaithful>::alloc_slow(std::uint32_t alloc_size) {
  const Run rest = bump_run();
  bump_begin_ = bump_end_ = kAlign;
  if (rest.size_bytes != 0) release(rest.index, rest.size_bytes);
  const auto fit = indices_of_.lower_bound(alloc_size);
  if (fit == indices_of_.end()) return 0;
  const std::uint32_t size = fit->first;
  const std::uint32_t index = *fit->second.begin();
  fit->second.erase(fit->second.begin());
  if (fit->second.empty()) indices_of_.erase(fit);
  size_at_.erase(index);
  bump_begin_ = index + alloc_size;
  bump_end_ = index + size;
  return index;
}

template <Faithful kFaithful>
void BasicReferenceFreeList<kFaithful>::dealloc(std::uint32_t index, Layout layout) {
  const AllocError error = check_layout(layout);
  BESOM_CHECK(error == AllocError::none, "free with a size that no block has: index, size", index,
              layout.size);
  dealloc_fast(index, round_up(layout.size));
}

template <Faithful kFaithful>
void BasicReferenceFreeList<kFaithful>::dealloc_fast(std::uint32_t index,
                                                     std::uint32_t alloc_size) {
  if constexpr (kMended) check_free(index, alloc_size);
  release(index, alloc_size);
}

/// Mend 5: a span that is free already would be handed out twice. (Silent in the original, which
/// finds an overlap only in debug builds, and not every one.)
template <Faithful kFaithful>
void BasicReferenceFreeList<kFaithful>::check_free(std::uint32_t index, std::uint32_t size) const {
  // Mend 4: in 64 bits, so that no end wraps; and nothing outside the capacity.
  const std::uint64_t end = std::uint64_t{index} + size;
  BESOM_CHECK(index >= kAlign && index % kAlign == 0 && size != 0 && size % kAlign == 0 &&
                  end <= end_of(capacity_),
              "free outside the capacity or misaligned: index, size", index, size);
  const auto next = size_at_.lower_bound(index);
  const bool overlaps_next = next != size_at_.end() && next->first < end;
  const auto prev = next == size_at_.begin() ? size_at_.end() : std::prev(next);
  const bool overlaps_prev = prev != size_at_.end() && prev->first + prev->second > index;
  const bool overlaps_bump = has_bump() && index < bump_end_ && bump_begin_ < end;
  BESOM_CHECK(!overlaps_next && !overlaps_prev && !overlaps_bump, "free of free space: index, size",
              index, size);
}

template <Faithful kFaithful>
void BasicReferenceFreeList<kFaithful>::release(std::uint32_t index, std::uint32_t size) {
  if (touches_bump(index + size, bump_begin_)) {
    bump_begin_ = index;
    absorb_below_bump();
  } else if (touches_bump(bump_end_, index)) {
    bump_end_ = index + size;
    absorb_above_bump();
  } else {
    merge_into_maps(index, size);
    // Catches a hole that an earlier free has left beside the bump run. In the mended list there
    // is none.
    if constexpr (!kMended) absorb_below_bump();
  }
}

/// Mend 1: a bump run that is used up is no neighbour of anything. alloc_slow() leaves it at
/// [16, 16); the original then takes a rest at 16 for its continuation, overwrites it with the next
/// bump run, and those bytes are lost.
/// Mend 3: for the same reason holes on the two sides of a used-up bump run stay apart in the
/// original, one of them as bump run, even once everything is free.
template <Faithful kFaithful>
bool BasicReferenceFreeList<kFaithful>::touches_bump(std::uint32_t end_of_one,
                                                     std::uint32_t begin_of_other) const {
  return end_of_one == begin_of_other && (!kMended || has_bump());
}

/// Mend 2: the hole that ends where the bump run begins is the last one below it. The original
/// looks at the last of all, which may lie above the bump run, and so leaves neighbours unmerged.
template <Faithful kFaithful>
void BasicReferenceFreeList<kFaithful>::absorb_below_bump() {
  const auto after = kMended ? size_at_.lower_bound(bump_begin_) : size_at_.end();
  if (after == size_at_.begin()) return;
  const auto [index, size] = *std::prev(after);
  if (index + size != bump_begin_) return;
  size_at_.erase(std::prev(after));
  remove_index(index, size);
  bump_begin_ = index;
}

template <Faithful kFaithful>
void BasicReferenceFreeList<kFaithful>::absorb_above_bump() {
  const auto above = size_at_.find(bump_end_);
  if (above == size_at_.end()) return;
  const auto [index, size] = *above;
  size_at_.erase(above);
  remove_index(index, size);
  bump_end_ += size;
}

/// Joins the span with the holes that touch it and files the result under its size.
template <Faithful kFaithful>
void BasicReferenceFreeList<kFaithful>::merge_into_maps(std::uint32_t index, std::uint32_t size) {
  // A hole at `index` itself only a double free can meet; the original's search passes over it.
  auto next = size_at_.upper_bound(index);
  auto prev = size_at_.lower_bound(index);
  prev = prev == size_at_.begin() ? size_at_.end() : std::prev(prev);
  if (next != size_at_.end() && index + size == next->first) {
    size += next->second;
    remove_index(next->first, next->second);
    next = size_at_.erase(next);
  }
  if (prev != size_at_.end() && prev->first + prev->second == index) {
    remove_index(prev->first, prev->second);
    index = prev->first;
    size += prev->second;
    prev->second = size;
  } else {
    size_at_.insert_or_assign(next, index, size);
  }
  indices_of_[size].insert(index);
}

template <Faithful kFaithful>
void BasicReferenceFreeList<kFaithful>::remove_index(std::uint32_t index, std::uint32_t size) {
  const auto indices = indices_of_.find(size);
  // After a double free the original's two maps disagree, and a debug build of it panics here.
  if (indices == indices_of_.end()) return;
  indices->second.erase(index);
  if (indices->second.empty()) indices_of_.erase(indices);
}

template <Faithful kFaithful>
std::vector<Run> BasicReferenceFreeList<kFaithful>::free_blocks() const {
  std::vector<Run> runs;
  runs.reserve(num_free_blocks());
  for (const auto& [index, size] : size_at_) runs.push_back({index, size});
  if (has_bump()) runs.push_back(bump_run());
  return runs;
}

template <Faithful kFaithful>
std::uint64_t BasicReferenceFreeList<kFaithful>::free_bytes() const noexcept {
  std::uint64_t bytes = bump_end_ - bump_begin_;
  for (const auto& [size, indices] : indices_of_) bytes += std::uint64_t{size} * indices.size();
  return bytes;
}

template <Faithful kFaithful>
std::uint32_t BasicReferenceFreeList<kFaithful>::largest_free_block() const noexcept {
  const std::uint32_t in_maps = indices_of_.empty() ? 0 : indices_of_.rbegin()->first;
  return std::max(in_maps, bump_end_ - bump_begin_);
}

template <Faithful kFaithful>
void BasicReferenceFreeList<kFaithful>::verify() const {
  std::vector<Run> runs = free_blocks();
  std::ranges::sort(runs, {}, &Run::index);
  std::uint64_t prev_end = 0;
  for (const Run& run : runs) {
    BESOM_CHECK(run.index >= kAlign && run.index % kAlign == 0 && run.size_bytes % kAlign == 0,
                "hole is misaligned: index, size", run.index, run.size_bytes);
    BESOM_CHECK(prev_end < run.index, "holes overlap or are unmerged: end, index", prev_end,
                run.index);
    prev_end = std::uint64_t{run.index} + run.size_bytes;
    BESOM_CHECK(prev_end <= end_of(capacity_), "hole past the capacity: index, size", run.index,
                run.size_bytes);
  }
  std::size_t filed = 0;
  for (const auto& [size, indices] : indices_of_) {
    BESOM_CHECK(!indices.empty(), "a size without holes: size", size, 0);
    filed += indices.size();
    for (const std::uint32_t index : indices) {
      const auto hole = size_at_.find(index);
      BESOM_CHECK(hole != size_at_.end() && hole->second == size,
                  "hole filed under the wrong size: index, size", index, size);
    }
  }
  BESOM_CHECK(filed == size_at_.size(), "holes: filed by size, by index", filed, size_at_.size());
}

template class BasicReferenceFreeList<Faithful::as_found>;
template class BasicReferenceFreeList<Faithful::mended>;

}  // namespace besom::test
