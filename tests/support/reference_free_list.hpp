#pragma once

#include <boost/container/map.hpp>
#include <boost/container/set.hpp>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "freelist/free_list.hpp"

namespace besom::test {

/// Whether the port keeps the original's defects (docs/design.md lists them) or mends them.
enum class Faithful : bool { as_found, mended };

/// The free list that FreeList was modelled on, with its data structures: holes in one ordered map
/// from index to size, and a second from size to the set of indices. What the tests compare with,
/// and what the benchmarks call the baseline.
///
/// The policy is the original's: bump-allocate from one hole; when a request does not fit there,
/// put the rest back and make the smallest hole that is large enough, lowest address first, the
/// new bump run, whatever its size.
///
/// `mended` keeps that policy and repairs six defects, each at a comment "Mend n". `as_found`
/// behaves as the original does in a release build, so that a test named for a defect's symptom
/// can be seen to fail.
///
/// Two maps know where holes are but not where blocks start, so only a free that touches free space
/// is detected. Not thread-safe.
/// Source: Wasmtime 45, runtime/vm/gc/enabled/free_list.rs (see NOTICE).
template <Faithful kFaithful>
class BasicReferenceFreeList {
 public:
  static constexpr std::uint32_t kAlign = FreeList::kAlign;
  static constexpr std::uint32_t kMaxEnd = FreeList::kMaxEnd;

  explicit BasicReferenceFreeList(std::uint64_t capacity);

  [[nodiscard]] std::uint64_t current_capacity() const noexcept { return capacity_; }
  [[nodiscard]] std::uint32_t max_size() const noexcept { return end_of(capacity_) - kAlign; }
  void add_capacity(std::uint64_t additional);

  [[nodiscard]] static constexpr bool can_align_to(std::size_t align) noexcept {
    return align <= kAlign;
  }
  [[nodiscard]] static constexpr std::optional<std::uint32_t> aligned_size(
      std::uint32_t size) noexcept {
    constexpr std::uint32_t kMax = std::numeric_limits<std::uint32_t>::max();
    if constexpr (kMended) {
      // Mend 4: the original refuses what adding kAlign overflows, the aligned 2^32 - 16 included,
      // and takes 0 for a size.
      if (size == 0 || size > kMaxEnd) return std::nullopt;
    } else {
      if (size > kMax - kAlign) return std::nullopt;
    }
    return (size + (kAlign - 1)) & ~(kAlign - 1);
  }
  [[nodiscard]] static constexpr Layout layout(std::size_t size) noexcept { return {size, kAlign}; }
  [[nodiscard]] static AllocError check_layout(Layout layout) noexcept;

  [[nodiscard]] AllocResult alloc(Layout layout);
  [[nodiscard]] std::uint32_t alloc_fast(std::uint32_t alloc_size) {
    if constexpr (kMended) {
      // Mend 4: a block of no bytes would share its index with the next one.
      BESOM_CHECK(alloc_size != 0 && alloc_size % kAlign == 0, "allocation of no multiple of 16",
                  alloc_size, 0);
    }
    if (std::uint64_t{bump_begin_} + alloc_size <= bump_end_) {
      const std::uint32_t index = bump_begin_;
      bump_begin_ += alloc_size;
      return index;
    }
    return alloc_slow(alloc_size);
  }

  void dealloc(std::uint32_t index, Layout layout);
  void dealloc_fast(std::uint32_t index, std::uint32_t alloc_size);

  /// Every hole once, in address order except that the bump run comes last.
  [[nodiscard]] std::vector<Run> free_blocks() const;
  [[nodiscard]] std::size_t num_free_blocks() const noexcept {
    return size_at_.size() + (has_bump() ? 1 : 0);
  }
  /// O(holes); a mutator has no use for it.
  [[nodiscard]] std::uint64_t free_bytes() const noexcept;
  [[nodiscard]] std::uint32_t largest_free_block() const noexcept;
  [[nodiscard]] Run bump_run() const noexcept { return {bump_begin_, bump_end_ - bump_begin_}; }

  /// Aborts unless both maps agree, holes are aligned, inside and not adjacent. O(holes).
  void verify() const;

 private:
  static constexpr bool kMended = kFaithful == Faithful::mended;
  using SizeAt = boost::container::map<std::uint32_t, std::uint32_t>;
  using IndicesOf = boost::container::map<std::uint32_t, boost::container::set<std::uint32_t>>;

  /// Where the last block may end with so much capacity; kAlign when there is room for none.
  [[nodiscard]] static std::uint32_t end_of(std::uint64_t capacity) noexcept;
  [[nodiscard]] bool has_bump() const noexcept { return bump_begin_ < bump_end_; }
  [[nodiscard]] std::uint32_t alloc_slow(std::uint32_t alloc_size);
  void check_free(std::uint32_t index, std::uint32_t size) const;
  void release(std::uint32_t index, std::uint32_t size);
  void merge_into_maps(std::uint32_t index, std::uint32_t size);
  [[nodiscard]] bool touches_bump(std::uint32_t end_of_one, std::uint32_t begin_of_other) const;
  void absorb_below_bump();
  void absorb_above_bump();
  void remove_index(std::uint32_t index, std::uint32_t size);

  std::uint64_t capacity_;
  SizeAt size_at_;
  IndicesOf indices_of_;
  std::uint32_t bump_begin_ = kAlign;
  std::uint32_t bump_end_ = kAlign;
};

extern template class BasicReferenceFreeList<Faithful::as_found>;
extern template class BasicReferenceFreeList<Faithful::mended>;

using ReferenceFreeList = BasicReferenceFreeList<Faithful::mended>;
using OriginalFreeList = BasicReferenceFreeList<Faithful::as_found>;

}  // namespace besom::test
