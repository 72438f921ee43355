#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "freelist/free_list.hpp"
#include "tests/support/bitmap_model.hpp"
#include "tests/support/picture.hpp"

namespace besom::test {

/// How closely a CheckedList is looked at.
enum class Watch : std::uint8_t {
  results,     ///< Only by what its operations return: nothing that reads the list is called.
  each_change  ///< What changed is read and compared after each operation too.
};

/// A free list with its model beside it. Every operation is done to both and compared at once: what
/// the list hands out was free, aligned and inside, and in a small arena is where the policy says;
/// a request is refused only when no hole is large enough. A difference throws a Mismatch.
///
/// Watch::each_change compares the counts of holes and of free bytes as well, and the runs next to
/// what changed, in O(1). A list that mends itself when it is read passes that: hence
/// Watch::results. check_all() compares everything.
template <class List>
class CheckedList {
 public:
  explicit CheckedList(std::uint64_t capacity, Watch watch = Watch::each_change)
      : watch_(watch), list_(capacity), model_(end_granule(capacity)), position_at_(model_.end()) {
    check_counts();
  }

  /// False when the list refused, rightly.
  bool alloc(std::uint32_t bytes) {
    const std::uint32_t index = list_.alloc_fast(bytes);
    if (index == 0) {
      require(!model_.has_hole(bytes), "refused though a hole is large enough: asked, hole", bytes,
              model_.longest_hole_bytes());
      check_counts();
      return false;
    }
    check_fit(index, bytes);
    note_block({index, bytes});
    return true;
  }

  /// Frees the block at `position` of live().
  void free(std::size_t position) {
    const Run block = live_[position];
    list_.dealloc_fast(block.index, block.size_bytes);
    forget(position);
    model_.give(block);
    check_counts();
    check_hole_at(block.index);
  }

  /// False when the list refused, rightly.
  bool take_run(std::uint32_t least, std::uint32_t most) requires requires(List& list) {
    list.take_run(least, most);
  }
  {
    const std::uint32_t longest = model_.longest_hole_bytes();
    const Run run = list_.take_run(least, most);
    require((run.size_bytes == 0) == (longest < least), "take_run refused: least, longest", least,
            longest);
    if (run.size_bytes == 0) {
      check_counts();
      return false;
    }
    require(run.size_bytes == std::min(longest, most), "run of the wrong size: given, wanted",
            run.size_bytes, std::min(longest, most));
    check_smallest_that_fits(run, most);
    note_block(run);
    return true;
  }

  /// Takes the first hole from `from` on that has `least` bytes and less than 1 KiB, if any.
  bool take_next_small(std::uint32_t from, std::uint32_t least) requires requires(List& list) {
    list.take_next_small(from, least);
  }
  {
    Run first;
    for (const Run& hole : model_.holes()) {
      if (hole.index < from || hole.size_bytes < least || hole.size_bytes >= kSmallEnd) continue;
      first = hole;
      break;
    }
    const Run taken = list_.take_next_small(from, least);
    require(taken == first, "first small hole: given, there", taken.index, first.index);
    if (taken.size_bytes == 0) {
      check_counts();
      return false;
    }
    note_block(taken);
    return true;
  }

  /// Takes hole number `position`, in address order, if it has less than 1 KiB.
  bool take_small_hole(std::size_t position) requires requires(List& list) {
    list.take_small_hole(16);
  }
  {
    const Run hole = model_.holes()[position];
    const bool is_taken = list_.take_small_hole(hole.index);
    require(is_taken == (hole.size_bytes < kSmallEnd), "small hole taken: size, taken",
            hole.size_bytes, is_taken);
    if (is_taken) note_block(hole);
    return is_taken;
  }

  /// Makes two of the block at `position`, the first of `first` bytes, in one of two ways.
  void split(std::size_t position, std::uint32_t first, bool by_start = false) {
    const Run block = live_[position];
    if (by_start) {
      list_.start_block(block.index + first);
      list_.start_block(block.index + first);  // where one starts it does nothing
    } else {
      list_.split_block(block.index, first);
    }
    forget(position);
    remember({block.index, first});
    remember({block.index + first, block.size_bytes - first});
    check_counts();
    check_block_at(block.index);
    check_block_at(block.index + first);
  }

  /// Cuts the block at `position` into pieces of `piece` bytes, `covered` in all.
  void cut(std::size_t position, std::uint32_t piece, std::uint32_t covered) {
    const Run block = live_[position];
    list_.cut_block(block.index, piece, covered);
    forget(position);
    for (std::uint32_t at = 0; at < covered; at += piece) remember({block.index + at, piece});
    if (covered < block.size_bytes) {
      remember({block.index + covered, block.size_bytes - covered});
    }
    check_counts();
    for (std::uint32_t at = 0; at <= covered && at < block.size_bytes; at += piece) {
      check_block_at(block.index + at);
    }
  }

  /// Joins the block at `position` with up to `more` blocks that follow it directly.
  void join(std::size_t position, std::uint32_t more) {
    Run joined = live_[position];
    std::vector<std::uint32_t> parts{joined.index};
    while (parts.size() <= more && position_of(joined.end()) != kNone) {
      parts.push_back(joined.end());
      joined.size_bytes += live_[position_of(joined.end())].size_bytes;
    }
    list_.join_blocks(joined.index, joined.size_bytes);
    for (const std::uint32_t part : parts) forget(position_of(part));
    remember(joined);
    check_counts();
    check_block_at(joined.index);
  }

  void reset() {
    list_.reset();
    while (!live_.empty()) {
      model_.give(live_.back());
      forget(live_.size() - 1);
    }
    check_counts();
  }

  void add_capacity(std::uint64_t additional) {
    const std::uint64_t before = list_.current_capacity();
    list_.add_capacity(additional);
    const std::uint64_t grown =
        before + additional < before ? ~std::uint64_t{0} : before + additional;
    require(list_.current_capacity() == grown, "capacity: is, should be", list_.current_capacity(),
            grown);
    model_.grow(end_granule(grown));
    position_at_.resize(model_.end());
    check_counts();
  }

  /// Frees everything, last first, and checks that one block is left.
  void drain() {
    while (!live_.empty()) free(live_.size() - 1);
    check_drained();
  }
  void check_drained() const {
    require(list_.num_free_blocks() == (list_.max_size() == 0 ? 0 : 1),
            "all is free, but not one hole: holes, bytes", list_.num_free_blocks(),
            list_.free_bytes());
    require(list_.free_bytes() == list_.max_size(), "bytes lost: free, capacity",
            list_.free_bytes(), list_.max_size());
  }

  /// Everything that can be compared. O(granules).
  void check_all() const {
    compare_counts();
    list_.verify();
    require(sorted_holes(list_) == model_.holes(), "lists of holes differ: counts",
            list_.num_free_blocks(), model_.hole_count());
    require(list_.largest_free_block() == model_.longest_hole_bytes(), "largest: list, model",
            list_.largest_free_block(), model_.longest_hole_bytes());
    std::uint64_t live_bytes = 0;
    for (const Run& block : live_) {
      live_bytes += block.size_bytes;
      compare_block_at(block.index);
    }
    require(live_bytes + list_.free_bytes() == list_.max_size(), "bytes lost: live, free",
            live_bytes, list_.free_bytes());
  }

  [[nodiscard]] const std::vector<Run>& live() const { return live_; }
  [[nodiscard]] const List& list() const { return list_; }
  [[nodiscard]] List& list() { return list_; }
  [[nodiscard]] const BitmapModel& model() const { return model_; }

 private:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};
  static constexpr std::uint32_t kSmallEnd = 1024;
  static constexpr bool kKnowsRuns = requires(const List& list) { list.run_at(0u); };

  static std::uint32_t end_granule(std::uint64_t capacity) {
    const std::uint64_t end = std::min<std::uint64_t>(capacity, List::kMaxEnd) / kGranuleBytes;
    return static_cast<std::uint32_t>(std::max<std::uint64_t>(end, 1));
  }

  void note_block(const Run& block) {
    model_.take(block);
    remember(block);
    check_counts();
    check_block_at(block.index);
    check_hole_at(block.index - kGranuleBytes);
    check_hole_at(block.end());
  }

  void remember(const Run& block) {
    live_.push_back(block);
    position_at_[block.index / kGranuleBytes] = static_cast<std::uint32_t>(live_.size());
  }
  void forget(std::size_t position) {
    position_at_[live_[position].index / kGranuleBytes] = 0;
    if (position != live_.size() - 1) {
      live_[position] = live_.back();
      position_at_[live_[position].index / kGranuleBytes] =
          static_cast<std::uint32_t>(position + 1);
    }
    live_.pop_back();
  }
  /// The position in live() of the block at `index`, or kNone.
  [[nodiscard]] std::uint32_t position_of(std::uint32_t index) const {
    const std::uint32_t number = index / kGranuleBytes;
    return number < position_at_.size() ? position_at_[number] - 1 : kNone;
  }

  /// Whether the list's readers may be called after each operation.
  [[nodiscard]] bool reads() const { return watch_ == Watch::each_change; }
  void check_counts() const {
    if (reads()) compare_counts();
  }
  void check_block_at(std::uint32_t index) const {
    if (reads()) compare_block_at(index);
  }

  void compare_counts() const {
    require(list_.num_free_blocks() == model_.hole_count(), "holes: list, model",
            list_.num_free_blocks(), model_.hole_count());
    // The reference counts its bytes by walking; check_all() does that.
    if constexpr (kKnowsRuns) {
      require(list_.free_bytes() == model_.free_bytes(), "free bytes: list, model",
              list_.free_bytes(), model_.free_bytes());
    }
  }

  void compare_block_at(std::uint32_t index) const {
    if constexpr (kKnowsRuns) {
      const std::uint32_t position = position_of(index);
      require(position != kNone, "no block here in the model: index", index, 0);
      require(list_.is_block(index), "no block here in the list: index", index, 0);
      require(list_.run_at(index) == live_[position], "block's size: list, model",
              list_.run_at(index).size_bytes, live_[position].size_bytes);
    }
  }

  /// If the granule at `index` is free, its hole must be the same in the list.
  void check_hole_at(std::uint32_t index) const {
    if constexpr (kKnowsRuns) {
      const std::uint32_t number = index / kGranuleBytes;
      if (!reads()) return;
      if (number == 0 || number >= model_.end() || !model_.is_free(number)) return;
      const Run hole = model_.hole_at(number);
      require(list_.run_at(index) == hole, "hole: list's size, model's size",
              list_.run_at(index).size_bytes, hole.size_bytes);
      require(!list_.is_block(hole.index), "a hole is taken for a block: index", hole.index, 0);
    }
  }

  /// That a FreeList takes the hole that docs/design.md#fit says: an exact one, else the smallest
  /// of twice the size or 1 KiB, else the smallest that fits; of equals, the lowest. O(holes).
  void check_fit(std::uint32_t index, std::uint32_t bytes) const {
    constexpr std::uint32_t kSmallArena = 2048;
    if (!kKnowsRuns || model_.end() > kSmallArena) return;
    const std::uint32_t roomy = std::max(bytes, std::min(2 * bytes, 1024u));
    const auto rank = [&](const Run& hole) {
      if (hole.size_bytes == bytes) return 0;
      return hole.size_bytes >= roomy ? 1 : 2;
    };
    Run best;
    for (const Run& hole : model_.holes()) {
      if (hole.size_bytes < bytes) continue;
      if (best.size_bytes == 0 || rank(hole) < rank(best) ||
          (rank(hole) == rank(best) && hole.size_bytes < best.size_bytes)) {
        best = hole;
      }
    }
    require(best.index == index, "cut from another hole: wanted, given", best.index, index);
  }

  void check_smallest_that_fits(const Run& run, std::uint32_t most) const {
    const std::uint32_t used = model_.hole_at(run.index / kGranuleBytes).size_bytes;
    if (used < most) return;
    for (const Run& hole : model_.holes()) {
      require(hole.size_bytes < most || hole.size_bytes >= used,
              "run taken from a larger hole than need be: used, better", used, hole.size_bytes);
    }
  }

  Watch watch_;
  List list_;
  BitmapModel model_;
  std::vector<Run> live_;
  /// For each granule at which a live block starts, its position in live_ plus 1.
  std::vector<std::uint32_t> position_at_;
};

}  // namespace besom::test
