#pragma once

#include <cstddef>
#include <cstdint>

#include "besom/detail/granule_bits.hpp"
#include "besom/detail/zeroed_array.hpp"
#include "freelist/free_list.hpp"

namespace besom::detail {

/// Freed memory that is held back for a while, so that who still has a pointer to it meets what it
/// was overwritten with, and not the next object. First in, first out, with a budget in bytes.
///
/// A run in here is one block of the free list, which no object is in. All host memory is taken
/// beforehand. What is held depends on the calls alone: a program that is run again meets the same.
class Quarantine {
 public:
  /// Runs beyond this many go back as well, since each walk over the heap visits them.
  static constexpr std::uint32_t kMostRuns = 4096;

  /// Holds up to `budget` bytes of a heap of up to `heap_max`; 0: nothing. False when the host has
  /// no memory.
  [[nodiscard]] bool create(std::uint64_t budget, std::uint64_t heap_max) noexcept;
  [[nodiscard]] bool is_on() const noexcept { return budget_ != 0; }

  /// Takes the block `run` in, or as much of it as there is room for until the next trim(), at most
  /// the whole budget. Returns the rest, a block of its own then.
  [[nodiscard]] Run hold(FreeList& list, Run run) noexcept;
  /// Gives the oldest back that the budget has no room for.
  void trim(FreeList& list) noexcept;
  /// Gives all back; false when there was nothing.
  bool empty(FreeList& list) noexcept;
  /// Forgets all, when the list has done so.
  void clear() noexcept;

  /// Calls `visit(Run)`, the oldest first.
  template <class Visit>
  void each(Visit visit) const {
    for (std::uint32_t i = 0; i < count_; ++i) visit(runs_[(first_ + i) % kSlots]);
  }
  /// Whether a run in here starts at `index`, where a block does. O(1).
  [[nodiscard]] bool contains(std::uint32_t index) const noexcept {
    return is_on() && starts_.test(to_granules(index));
  }
  [[nodiscard]] std::uint32_t count() const noexcept { return count_; }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::size_t table_bytes() const noexcept {
    return runs_.size_bytes() + starts_.size_bytes();
  }

 private:
  /// Between two trims as many runs may come as were there before.
  static constexpr std::uint32_t kSlots = 2 * kMostRuns;

  [[nodiscard]] Run& at(std::uint32_t number) noexcept { return runs_[(first_ + number) % kSlots]; }
  void set(std::uint32_t index) noexcept { starts_.set(to_granules(index)); }
  void erase(std::uint32_t index) noexcept { starts_.clear(to_granules(index)); }
  void make_room() noexcept;
  void give_back_oldest(FreeList& list, std::uint64_t most) noexcept;

  std::uint64_t budget_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t room_ = 0;  ///< In bytes and in runs, until the next trim().
  std::uint32_t room_runs_ = 0;
  std::uint32_t first_ = 0;  ///< Where in the ring the oldest lies.
  std::uint32_t count_ = 0;
  ZeroedArray<Run> runs_;  ///< A ring.
  GranuleBits starts_;     ///< Where a run starts.
};

}  // namespace besom::detail
