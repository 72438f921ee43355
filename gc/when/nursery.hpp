#pragma once

#include <cstdint>

namespace besom::detail {

/// Decides, in a generational heap, when to collect the young alone and whether that pays. Counts
/// bytes and visits, never time, so that the same program collects at the same places each run.
///
/// A minor collection is due after `bytes()` of allocation. It pays where it frees more bytes for
/// each object and slot it visits than a full one would, which frees what room the last one left,
/// for as many visits. While it does not, the nursery doubles, so that more of the young have time
/// to die; when it has come to half of the room, a full collection is hardly further away, and
/// minor ones rest for the next full ones: for one at first, for twice as many each time they fail
/// again.
class Nursery {
 public:
  static constexpr std::uint64_t kInitialBytes = 4 << 20;
  static constexpr std::uint32_t kLongestRest = 32;  ///< In full collections.

  explicit Nursery(bool generational) noexcept : bytes_(generational ? kInitialBytes : 0) {}

  /// Whether a minor collection may be the next.
  [[nodiscard]] bool is_on() const noexcept { return bytes_ != 0 && resting_ == 0; }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

  /// `work`: objects and slots visited.
  void note_minor(std::uint64_t freed_bytes, std::uint64_t work) noexcept;
  /// `room`: bytes that the heap may take beyond the live ones before it collects in full.
  void note_full(std::uint64_t room, std::uint64_t work) noexcept;

 private:
  std::uint64_t bytes_;  ///< 0: the heap is not generational.
  std::uint64_t full_room_ = 0;
  std::uint64_t full_work_ = 0;
  std::uint32_t resting_ = 0;  ///< Full collections until minor ones are tried again.
  std::uint32_t next_rest_ = 1;
};

}  // namespace besom::detail
