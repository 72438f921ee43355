#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "besom/detail/check.hpp"
#include "besom/detail/zeroed_array.hpp"
#include "besom/run.hpp"

namespace besom::detail {

/// Which pages of the arena were given back to the system and not used since. They read as zero and
/// take no memory: to zero them again would fetch each one for nothing.
///
/// A bit for each page, 1/32768 of the arena. Positions are byte indices. Not thread-safe.
class ZeroPages {
 public:
  /// For `bytes` of arena; `page_bytes` is a power of two. False when there is no host memory.
  [[nodiscard]] bool create(std::uint64_t bytes, std::uint64_t page_bytes,
                            const TableMemory& memory) noexcept {
    BESOM_ASSERT(std::has_single_bit(page_bytes));
    shift_ = static_cast<std::uint32_t>(std::countr_zero(page_bytes));
    words_ = ZeroedArray<std::uint64_t>(memory);
    return words_.grow((((bytes + page_bytes - 1) >> shift_) + 63) / 64);
  }
  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
  [[nodiscard]] std::size_t size_bytes() const noexcept { return words_.size_bytes(); }

  /// [begin, end), whole pages, was given back.
  void note_zero(std::uint64_t begin, std::uint64_t end) noexcept {
    BESOM_ASSERT(begin <= end && is_border(begin) && is_border(end));
    each_word(begin >> shift_, end >> shift_, [this](std::uint64_t& word, std::uint64_t mask) {
      count_ += static_cast<std::uint64_t>(std::popcount(mask & ~word));
      word |= mask;
    });
  }
  /// [begin, end), which is not empty, is about to be written. Whether a part of it was zero.
  bool note_used(std::uint64_t begin, std::uint64_t end) noexcept {
    BESOM_ASSERT(begin < end);
    const std::uint64_t before = count_;
    each_word(begin >> shift_, pages_below(end), [this](std::uint64_t& word, std::uint64_t mask) {
      if ((word & mask) == 0) return;
      count_ -= static_cast<std::uint64_t>(std::popcount(mask & word));
      word &= ~mask;
    });
    used_again_ += before - count_;
    return count_ != before;
  }
  /// Bytes of all pages that were used again after they were given back, each time.
  [[nodiscard]] std::uint64_t used_again() const noexcept { return used_again_ << shift_; }
  /// How many pages of [begin, end), whole ones, are known to be zero.
  [[nodiscard]] std::uint64_t count(std::uint64_t begin, std::uint64_t end) const noexcept {
    BESOM_ASSERT(begin <= end && is_border(begin) && is_border(end));
    std::uint64_t found = 0;
    each_word(begin >> shift_, end >> shift_, [&](std::uint64_t word, std::uint64_t mask) {
      found += static_cast<std::uint64_t>(std::popcount(mask & word));
    });
    return found;
  }

  /// Calls `visit(first, last)` for each range [first, last) of [begin, end) that may hold
  /// something else than zeros.
  template <class Visit>
  void for_each_dirty(std::uint64_t begin, std::uint64_t end, Visit visit) const {
    BESOM_ASSERT(begin <= end);
    if (empty()) {
      visit(begin, end);
      return;
    }
    const std::uint64_t last = pages_below(end);
    for (std::uint64_t page = begin >> shift_; page < last;) {
      const std::uint64_t dirty = first_from(page, last, ~std::uint64_t{0});
      page = first_from(dirty, last, 0);
      if (dirty < page) visit(std::max(begin, dirty << shift_), std::min(end, page << shift_));
    }
  }

 private:
  [[nodiscard]] bool is_border(std::uint64_t position) const noexcept {
    return (position >> shift_) << shift_ == position;
  }
  [[nodiscard]] std::uint64_t pages_below(std::uint64_t end) const noexcept {
    return (end + (std::uint64_t{1} << shift_) - 1) >> shift_;
  }

  template <class Visit>
  void each_word(std::uint64_t first, std::uint64_t end, Visit visit) noexcept {
    each_word_of(*this, first, end, visit);
  }
  template <class Visit>
  void each_word(std::uint64_t first, std::uint64_t end, Visit visit) const noexcept {
    each_word_of(*this, first, end, visit);
  }
  /// The words with a bit for a page of [first, end), and the mask of those bits.
  template <class Self, class Visit>
  static void each_word_of(Self& self, std::uint64_t first, std::uint64_t end,
                           Visit visit) noexcept {
    BESOM_ASSERT(end <= self.words_.size() * 64);
    while (first < end) {
      const std::uint64_t next = std::min(end, (first | 63) + 1);
      visit(self.words_[first >> 6], (~std::uint64_t{0} >> (64 - (next - first))) << (first & 63));
      first = next;
    }
  }
  /// The first page from `page` on, below `end`, whose bit in word ^ `flip` is set; else `end`.
  [[nodiscard]] std::uint64_t first_from(std::uint64_t page, std::uint64_t end,
                                         std::uint64_t flip) const noexcept {
    while (page < end) {
      const std::uint64_t rest = (words_[page >> 6] ^ flip) >> (page & 63);
      if (rest != 0)
        return std::min(end, page + static_cast<std::uint64_t>(std::countr_zero(rest)));
      page = (page | 63) + 1;
    }
    return end;
  }

  ZeroedArray<std::uint64_t> words_;
  std::uint64_t count_ = 0;
  std::uint64_t used_again_ = 0;  ///< Pages.
  std::uint32_t shift_ = 0;
};

}  // namespace besom::detail
