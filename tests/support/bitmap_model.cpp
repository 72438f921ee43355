#include "tests/support/bitmap_model.hpp"

#include <algorithm>
#include <bit>
#include <cinttypes>
#include <cstdio>
#include <string>

namespace besom::test {
namespace {

std::uint64_t mask_in_word(std::uint32_t word, std::uint32_t first, std::uint32_t end) {
  const std::uint32_t base = word * 64;
  std::uint64_t mask = ~std::uint64_t{0};
  if (first > base) mask <<= first - base;
  if (end < base + 64) mask &= ~(~std::uint64_t{0} << (end - base));
  return mask;
}

}  // namespace

void mismatch(const char* what, std::uint64_t left, std::uint64_t right) {
  char text[256];
  std::snprintf(text, sizeof text, "%s (0x%" PRIx64 ", 0x%" PRIx64 ")", what, left, right);
  throw Mismatch(text);
}

BitmapModel::BitmapModel(std::uint32_t end) : words_(1) { grow(end); }

void BitmapModel::grow(std::uint32_t end) {
  if (end <= end_) return;
  const Run added{detail::to_bytes(end_), detail::to_bytes(end - end_)};
  words_.resize(end / 64 + 1);
  end_ = end;
  give(added);
}

void BitmapModel::flip(const Run& run, bool from_free) {
  const std::uint32_t first = run.index >> kGranuleShift;
  const std::uint32_t end = first + (run.size_bytes >> kGranuleShift);
  require(run.index % kGranuleBytes == 0 && run.size_bytes % kGranuleBytes == 0,
          "run is misaligned: index, size", run.index, run.size_bytes);
  require(first > 0 && first < end && end <= end_, "run is outside: index, size", run.index,
          run.size_bytes);
  for (std::uint32_t word = first / 64; word <= (end - 1) / 64; ++word) {
    const std::uint64_t mask = mask_in_word(word, first, end);
    const std::uint64_t wanted = from_free ? mask : 0;
    require((words_[word] & mask) == wanted,
            from_free ? "run is not free: index, size" : "run is free already: index, size",
            run.index, run.size_bytes);
    words_[word] ^= mask;
  }
}

void BitmapModel::take(const Run& run) {
  flip(run, true);
  const std::uint32_t first = run.index >> kGranuleShift;
  const std::uint32_t end = first + (run.size_bytes >> kGranuleShift);
  const std::uint32_t neighbours = (is_free(first - 1) ? 1 : 0) + (end < end_ && is_free(end));
  hole_count_ = hole_count_ + neighbours - 1;
  free_granules_ -= end - first;
}

void BitmapModel::give(const Run& run) {
  flip(run, false);
  const std::uint32_t first = run.index >> kGranuleShift;
  const std::uint32_t end = first + (run.size_bytes >> kGranuleShift);
  const std::uint32_t neighbours = (is_free(first - 1) ? 1 : 0) + (end < end_ && is_free(end));
  hole_count_ = hole_count_ + 1 - neighbours;
  free_granules_ += end - first;
}

std::uint32_t BitmapModel::next(std::uint32_t granule, bool free) const {
  if (granule >= end_) return end_;
  const std::uint64_t flip = free ? 0 : ~std::uint64_t{0};
  std::uint32_t word = granule / 64;
  std::uint64_t found = (words_[word] ^ flip) & (~std::uint64_t{0} << (granule & 63u));
  while (found == 0) {
    if (++word == words_.size()) return end_;
    found = words_[word] ^ flip;
  }
  return std::min(end_, word * 64 + static_cast<std::uint32_t>(std::countr_zero(found)));
}

Run BitmapModel::hole_at(std::uint32_t granule) const {
  if (!is_free(granule)) return {};
  const std::uint32_t end = next(granule, false);
  // Backwards by words: the highest taken granule below. Granule 0 is taken, so there is one.
  std::uint32_t word = granule / 64;
  std::uint64_t taken = ~words_[word] & mask_in_word(word, 0, granule);
  while (taken == 0) taken = ~words_[--word];
  const std::uint32_t first = word * 64 + 64 - static_cast<std::uint32_t>(std::countl_zero(taken));
  return {detail::to_bytes(first), detail::to_bytes(end - first)};
}

template <class Visit>
void BitmapModel::visit_holes(Visit visit) const {
  for (std::uint32_t first = next(0, true); first < end_;) {
    const std::uint32_t end = next(first, false);
    if (!visit(Run{detail::to_bytes(first), detail::to_bytes(end - first)})) return;
    first = next(end, true);
  }
}

std::vector<Run> BitmapModel::holes() const {
  std::vector<Run> all;
  all.reserve(hole_count_);
  visit_holes([&](const Run& hole) {
    all.push_back(hole);
    return true;
  });
  return all;
}

std::uint32_t BitmapModel::longest_hole_bytes() const {
  std::uint32_t longest = 0;
  visit_holes([&](const Run& hole) {
    longest = std::max(longest, hole.size_bytes);
    return true;
  });
  return longest;
}

bool BitmapModel::has_hole(std::uint32_t bytes) const {
  bool found = false;
  visit_holes([&](const Run& hole) {
    found = hole.size_bytes >= bytes;
    return !found;
  });
  return found;
}

}  // namespace besom::test
