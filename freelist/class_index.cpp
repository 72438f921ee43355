#include "freelist/class_index.hpp"

#include <algorithm>

namespace besom::detail {

ClassIndex::ClassIndex(const TableMemory& memory) noexcept {
  for (auto& level : levels_) level = ZeroedArray<std::uint64_t>(memory);
}

bool ClassIndex::grow(std::uint32_t end) noexcept {
  std::uint64_t words = (end >> kLineShift) + 1;
  for (auto& level : levels_) {
    words = (words + 63) / 64;
    if (!level.grow(words * kClasses)) return false;
  }
  return true;
}

void ClassIndex::add_word(std::uint32_t number, std::uint32_t size) noexcept {
  std::uint32_t member = number;
  for (int level = 1; level < kLevels; ++level) {
    std::uint64_t& word = levels_[level][word_of(member >> 6, size)];
    const bool was_empty = word == 0;
    word |= bit(member);
    if (!was_empty) return;
    member >>= 6;
  }
  top_[size] |= bit(member);
  nonempty_ |= bit(size);
}

void ClassIndex::remove_word(std::uint32_t number, std::uint32_t size) noexcept {
  std::uint32_t member = number;
  for (int level = 1; level < kLevels; ++level) {
    std::uint64_t& word = levels_[level][word_of(member >> 6, size)];
    word &= ~bit(member);
    if (word != 0) return;
    member >>= 6;
  }
  top_[size] &= ~bit(member);
  if (top_[size] == 0) nonempty_ &= ~bit(size);
}

std::uint32_t ClassIndex::lowest_word(std::uint32_t size) const noexcept {
  BESOM_ASSERT(top_[size] != 0);
  std::uint32_t member = lowest_bit(top_[size]);
  for (int level = kLevels - 1; level > 0; --level) {
    const std::uint64_t word = levels_[level][word_of(member, size)];
    member = (member << 6) | lowest_bit(word);
  }
  return member;
}

std::uint32_t ClassIndex::pop_lowest(const BoundaryMap& map, std::uint32_t size) noexcept {
  BESOM_ASSERT(is_class(size));
  BESOM_ASSERT((nonempty_ & bit(size)) != 0);
  const std::uint32_t line = lowest_line(map, size);
  const std::uint64_t holes = map.line(line).holes;
  const std::uint32_t lowest = first_of_size(map, line, size, holes);
  BESOM_ASSERT(lowest != kNone);
  const std::uint64_t above = holes & (~std::uint64_t{1} << (lowest & 63u));
  if (above == 0 || first_of_size(map, line, size, above) == kNone) remove_line(line, size);
  return lowest;
}

std::uint32_t ClassIndex::next_stretch(std::uint32_t from, std::uint64_t classes) const noexcept {
  classes &= nonempty_;
  if (classes == 0) return kNoStretch;
  std::uint64_t wanted = ~std::uint64_t{0} << (from & 63u);
  const std::size_t words = levels_[1].size() / kClasses;
  for (std::size_t member = from >> 6; member < words; ++member) {
    std::uint64_t stretches = 0;
    for (std::uint64_t rest = classes; rest != 0; rest &= rest - 1) {
      stretches |= levels_[1][member * kClasses + lowest_bit(rest)];
    }
    stretches &= wanted;
    if (stretches != 0) return static_cast<std::uint32_t>(member << 6) | lowest_bit(stretches);
    wanted = ~std::uint64_t{0};
  }
  return kNoStretch;
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
      for (std::uint64_t holes = map.line(line).holes; holes != 0; holes &= holes - 1) {
        const std::uint32_t start = (line << kLineShift) | lowest_bit(holes);
        const std::uint32_t size = map.next_start(start) - start;
        if (size < kClasses) words[size] |= bit(line);
      }
    }
    for (std::uint32_t size = 1; size < kClasses; ++size) {
      BESOM_CHECK(words[size] == levels_[0][word_of(first >> 6, size)],
                  "class index disagrees with the map: first line, class", first, size);
      if (words[size] != 0) seen |= bit(size);
    }
  }
  BESOM_CHECK(seen == nonempty_, "classes with holes: seen, noted", seen, nonempty_);
}

}  // namespace besom::detail
