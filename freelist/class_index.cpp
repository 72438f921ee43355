#include "freelist/class_index.hpp"

#include <algorithm>

namespace besom::detail {
namespace {

std::size_t word_of(std::uint32_t member, std::uint32_t size) {
  return static_cast<std::size_t>(member >> 6) * ClassIndex::kClasses + size;
}

}  // namespace

bool ClassIndex::grow(std::uint32_t end) noexcept {
  std::uint64_t words = (end >> kLineShift) + 1;
  for (auto& level : levels_) {
    words = (words + 63) / 64;
    if (!level.grow(words * kClasses)) return false;
  }
  return true;
}

std::uint64_t ClassIndex::holes_of_size(const BoundaryMap& map, std::uint32_t line,
                                        std::uint32_t size) noexcept {
  __extension__ typedef unsigned __int128 Window;
  const std::uint64_t holes = map.line(line).holes;
  if (holes == 0) return 0;
  const Window starts = (Window{map.line(line + 1).starts} << 64) | map.line(line).starts;
  // `nearer` gathers, for each granule, the starts at distance 1 .. size - 1 by doubling.
  Window nearer = 0;
  if (size > 1) {
    nearer = starts >> 1;
    std::uint32_t width = 1;
    for (; width * 2 <= size - 1; width *= 2) nearer |= nearer >> width;
    nearer |= nearer >> (size - 1 - width);
  }
  return holes & static_cast<std::uint64_t>((starts >> size) & ~nearer);
}

void ClassIndex::add_line(std::uint32_t line, std::uint32_t size) noexcept {
  std::uint32_t member = line;
  for (auto& level : levels_) {
    std::uint64_t& word = level[word_of(member, size)];
    const bool was_empty = word == 0;
    word |= bit(member);
    if (!was_empty) return;
    member >>= 6;
  }
  top_[size] |= bit(member);
  nonempty_ |= bit(size);
}

void ClassIndex::remove_line(std::uint32_t line, std::uint32_t size) noexcept {
  std::uint32_t member = line;
  for (auto& level : levels_) {
    std::uint64_t& word = level[word_of(member, size)];
    word &= ~bit(member);
    if (word != 0) return;
    member >>= 6;
  }
  top_[size] &= ~bit(member);
  if (top_[size] == 0) nonempty_ &= ~bit(size);
}

std::uint32_t ClassIndex::lowest_line(std::uint32_t size) const noexcept {
  auto member = static_cast<std::uint32_t>(std::countr_zero(top_[size]));
  for (int level = kLevels - 1; level >= 0; --level) {
    const std::uint64_t word = levels_[level][static_cast<std::size_t>(member) * kClasses + size];
    member = (member << 6) | static_cast<std::uint32_t>(std::countr_zero(word));
  }
  return member;
}

std::uint32_t ClassIndex::lowest(const BoundaryMap& map, std::uint32_t size) const noexcept {
  const std::uint32_t line = lowest_line(size);
  const std::uint64_t holes = holes_of_size(map, line, size);
  return (line << kLineShift) | static_cast<std::uint32_t>(std::countr_zero(holes));
}

std::uint32_t ClassIndex::pop_lowest(const BoundaryMap& map, std::uint32_t size) noexcept {
  const std::uint32_t line = lowest_line(size);
  std::uint64_t holes = map.line(line).holes;
  if ((holes & (holes - 1)) != 0) holes = holes_of_size(map, line, size);
  if ((holes & (holes - 1)) == 0) remove_line(line, size);
  return (line << kLineShift) | static_cast<std::uint32_t>(std::countr_zero(holes));
}

std::size_t ClassIndex::table_bytes() const noexcept {
  std::size_t bytes = 0;
  for (const auto& level : levels_) bytes += level.size_bytes();
  return bytes;
}

void ClassIndex::verify(const BoundaryMap& map, std::uint32_t end) const {
  std::uint64_t seen = 0;
  for (std::uint32_t first = 0; first <= end >> kLineShift; first += 64) {
    // The words of level 0 for these 64 lines, as they have to be.
    std::uint64_t words[kClasses] = {};
    const std::uint32_t last = std::min(first + 63, end >> kLineShift);
    for (std::uint32_t line = first; line <= last; ++line) {
      for (std::uint32_t size = 1; map.line(line).holes != 0 && size < kClasses; ++size) {
        if (holes_of_size(map, line, size) != 0) words[size] |= bit(line);
      }
    }
    for (std::uint32_t size = 1; size < kClasses; ++size) {
      BESOM_CHECK(words[size] == levels_[0][word_of(first, size)],
                  "class index disagrees with the map: first line, class", first, size);
      if (words[size] != 0) seen |= bit(size);
    }
  }
  BESOM_CHECK(seen == nonempty_, "classes with holes: seen, noted", seen, nonempty_);
}

}  // namespace besom::detail
