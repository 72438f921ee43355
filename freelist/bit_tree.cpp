#include "freelist/bit_tree.hpp"

#include "besom/detail/check.hpp"
#include "besom/run.hpp"

namespace besom::detail {
namespace {

/// Of [first, last] those in word `number`, as its bits.
std::uint64_t members_in_word(std::uint32_t number, std::uint32_t first,
                              std::uint32_t last) noexcept {
  std::uint64_t members = ~std::uint64_t{0};
  if (number == first >> 6) members &= ~std::uint64_t{0} << (first & 63u);
  if (number == last >> 6) members &= (bit(last) << 1) - 1;
  return members;
}

}  // namespace

BitTree::BitTree(const TableMemory& memory) noexcept {
  for (auto& level : levels_) level = ZeroedArray<std::uint64_t>(memory);
}

bool BitTree::grow(std::uint32_t count) noexcept {
  std::uint64_t words = count;
  for (auto& level : levels_) {
    words = (words + 63) / 64;
    if (!level.grow(words)) return false;
  }
  return true;
}

/// Sets the bit `member` of `level`, and those above it that say so.
void BitTree::insert_from(int level, std::uint32_t member) noexcept {
  for (; level < kLevels; ++level) {
    BESOM_ASSERT(member >> 6 < levels_[level].size());
    std::uint64_t& word = levels_[level][member >> 6];
    const bool was_empty = word == 0;
    word |= bit(member);
    if (!was_empty) return;
    member >>= 6;
  }
}

void BitTree::erase_from(int level, std::uint32_t member) noexcept {
  for (; level < kLevels; ++level) {
    BESOM_ASSERT(member >> 6 < levels_[level].size());
    std::uint64_t& word = levels_[level][member >> 6];
    word &= ~bit(member);
    if (word != 0) return;
    member >>= 6;
  }
}

void BitTree::insert(std::uint32_t member) noexcept { insert_from(0, member); }
void BitTree::erase(std::uint32_t member) noexcept { erase_from(0, member); }

void BitTree::insert_range(std::uint32_t first, std::uint32_t last) noexcept {
  BESOM_ASSERT(first <= last);
  BESOM_ASSERT(last >> 6 < levels_[0].size());
  for (std::uint32_t number = first >> 6; number <= last >> 6; ++number) {
    std::uint64_t& word = levels_[0][number];
    const bool was_empty = word == 0;
    word |= members_in_word(number, first, last);
    if (was_empty) insert_from(1, number);
  }
}

void BitTree::erase_range(std::uint32_t first, std::uint32_t last) noexcept {
  BESOM_ASSERT(first <= last);
  BESOM_ASSERT(last >> 6 < levels_[0].size());
  for (std::uint32_t number = first >> 6; number <= last >> 6; ++number) {
    std::uint64_t& word = levels_[0][number];
    if (word == 0) continue;
    word &= ~members_in_word(number, first, last);
    if (word == 0) erase_from(1, number);
  }
}

void BitTree::clear() noexcept {
  for (std::uint32_t member = first_from(0); member != kNone; member = first_from(member)) {
    levels_[0][member >> 6] = 0;
    erase_from(1, member >> 6);
  }
}

bool BitTree::contains(std::uint32_t member) const noexcept {
  BESOM_ASSERT(member >> 6 < levels_[0].size());
  return (levels_[0][member >> 6] & bit(member)) != 0;
}

std::uint32_t BitTree::first_from(std::uint32_t from) const noexcept {
  std::uint64_t position = from;
  for (int level = 0; level < kLevels; ++level) {
    if (position >> 6 >= levels_[level].size()) return kNone;
    const std::uint64_t at_or_after =
        levels_[level][position >> 6] & (~std::uint64_t{0} << (position & 63));
    if (at_or_after == 0) {
      position = (position >> 6) + 1;
      continue;
    }
    position = (position & ~std::uint64_t{63}) | lowest_bit(at_or_after);
    while (level-- > 0) position = (position << 6) | lowest_bit(levels_[level][position]);
    return static_cast<std::uint32_t>(position);
  }
  return kNone;
}

std::uint32_t BitTree::last_before(std::uint32_t before) const noexcept {
  if (before == 0) return kNone;
  std::uint64_t position = before - 1;
  for (int level = 0; level < kLevels; ++level) {
    // On the lowest level `position` itself counts; above it stands for a word already searched.
    const std::uint64_t candidates =
        (bit(static_cast<std::uint32_t>(position)) << (level == 0 ? 1 : 0)) - 1;
    const std::uint64_t found =
        position >> 6 < levels_[level].size() ? levels_[level][position >> 6] & candidates : 0;
    if (found == 0) {
      position >>= 6;
      if (position == 0) return kNone;
      continue;
    }
    position = (position & ~std::uint64_t{63}) | highest_bit(found);
    while (level-- > 0) position = (position << 6) | highest_bit(levels_[level][position]);
    return static_cast<std::uint32_t>(position);
  }
  return kNone;
}

std::size_t BitTree::table_bytes() const noexcept {
  std::size_t bytes = 0;
  for (const auto& level : levels_) bytes += level.size_bytes();
  return bytes;
}

}  // namespace besom::detail
