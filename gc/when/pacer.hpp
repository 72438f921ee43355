#pragma once

#include <algorithm>
#include <cstdint>

#include "besom/options.hpp"

namespace besom::detail {

/// Decides when to collect and how far the heap may grow. Counts bytes, never time, so that the
/// same program collects at the same places each run.
///
/// The heap collects
///   - when it is full: no hole fits and the capacity has reached the budget. The budget is
///     heap_initial at first, after each collection `factor` times the live bytes; with fixed
///     growth it is heap_max. A collection that does not free enough lets the heap grow up to
///     heap_max, whatever the budget, and so does a request that comes before worth_bytes() were
///     allocated since the last: what is free then lies in holes too small for what is asked
///     for;
///   - when external bytes have grown by kPaceBytes and (factor - 1) times what the last full
///     collection left, external bytes included, since it; growth that is fixed counts as factor 2.
///     What is taken away after it, as finalizers do with what it found dead, was not left by it;
///   - at the pace: after kPaceBytes + kPaceFactor x live bytes of allocation. While little is live
///     this keeps the whole heap in the cache, at the price of marking that little more often.
///     After a collection that found more than half alive it is kBuildingPatience times as long:
///     the program is building what it will work on, and to mark that early is for nothing;
///   - when live bytes and what was allocated since come to the budget, at least kPaceBytes after
///     the last collection, in a heap that is not generational. The capacity may be larger by then:
///     the heap does not wait until the last hole of it is used up. Where an incremental cycle
///     leaves more than lives, for it keeps what was born meanwhile, all of that and what was
///     allocated since come to heap_max at most.
///
/// In a generational heap minor collections put all of that off. Hence a limit: a full collection
/// comes at the latest after kLongestWait x factor x live bytes of allocation, or after twice the
/// budget where that is more. Live bytes are what the last full one found, at least kPaceBytes;
/// growth that is fixed counts as factor 2 here, too.
class Pacer {
 public:
  static constexpr std::uint64_t kPaceBytes = 2 << 20;
  static constexpr std::uint64_t kPaceFactor = 16;
  static constexpr std::uint64_t kBuildingPatience = 4;
  static constexpr std::uint64_t kLongestWait = 16;
  static constexpr std::uint64_t kDefaultInitial = 1 << 20;

  explicit Pacer(const HeapOptions& options) noexcept;

  /// Up to here the heap grows without collecting.
  [[nodiscard]] std::uint64_t budget() const noexcept { return budget_; }
  [[nodiscard]] std::uint64_t initial() const noexcept { return initial_; }
  /// With less allocated since the last full collection none is worth while for want of room: a
  /// quarter of what the growth leaves free.
  [[nodiscard]] std::uint64_t worth_bytes() const noexcept { return worth_; }
  /// Bytes to allocate after a collection before the next is due, however much is free.
  [[nodiscard]] std::uint64_t pace() const noexcept { return pace_; }
  /// What the heap may take beyond what the last full collection left, before it collects in full.
  [[nodiscard]] std::uint64_t room() const noexcept {
    return budget_ - std::min(budget_, full_live_);
  }
  [[nodiscard]] std::uint64_t full_live() const noexcept { return full_live_; }
  /// Bytes to allocate after a full collection before the next has to be one.
  [[nodiscard]] std::uint64_t longest_wait() const noexcept { return longest_wait_; }

  /// Counts bytes that the embedder holds outside on behalf of objects. False, and nothing counted,
  /// when the sum would pass 2^64.
  [[nodiscard]] bool add_external(std::uint64_t bytes) noexcept;
  /// False, and nothing taken away, when there are not as many.
  [[nodiscard]] bool remove_external(std::uint64_t bytes) noexcept;
  [[nodiscard]] std::uint64_t external() const noexcept { return external_; }
  /// Whether external bytes have grown by as much as a collection is worth.
  [[nodiscard]] bool external_is_due() const noexcept { return external_grown() >= external_room_; }
  /// Bytes that were added since what note_external() saw, and how many make a collection due.
  [[nodiscard]] std::uint64_t external_grown() const noexcept {
    return external_ - std::min(external_, external_after_);
  }
  [[nodiscard]] std::uint64_t external_room() const noexcept { return external_room_; }
  /// The external bytes there are outlived a collection, or an attempt at one.
  void note_external() noexcept { external_after_ = external_; }

  /// How much memory stays with the heap after a full collection. As a rule what it used before one
  /// of the last dozen, or between them, since giving that back would only cost page faults; when
  /// the embedder asked for the collection, little more than what is live.
  [[nodiscard]] std::uint64_t kept_bytes(bool requested) const noexcept;

  /// `live_bytes`: of what is left. `born_bytes`: of the rest of it, which nobody knows the dead
  /// of, as it was allocated while a cycle marked. `used_bytes`: what objects took before.
  void note_collection(std::uint64_t live_bytes, std::uint64_t born_bytes,
                       std::uint64_t used_bytes) noexcept;

  /// The same for a minor collection, which does not tell how much really lives, nor lets a peak be
  /// forgotten: there may be a dozen of them before what is free now is used again.
  void note_minor(std::uint64_t live_bytes, std::uint64_t used_bytes) noexcept;

  /// The capacity to grow to so that `needed` more bytes fit, at most `limit`: a step of an eighth,
  /// so that system calls stay rare and the footprint close to what is used.
  [[nodiscard]] static std::uint64_t next_capacity(std::uint64_t capacity, std::uint64_t needed,
                                                   std::uint64_t limit) noexcept;

 private:
  [[nodiscard]] std::uint64_t room_for_external() const noexcept;

  Growth growth_;
  bool generational_;
  std::uint64_t initial_;
  std::uint64_t max_;
  std::uint64_t budget_;
  std::uint64_t worth_ = 0;
  std::uint64_t pace_ = kPaceBytes;
  std::uint64_t longest_wait_;
  std::uint64_t live_ = 0;
  std::uint64_t external_ = 0;
  std::uint64_t external_after_ = 0;  ///< The least since the last full collection's end.
  std::uint64_t full_live_ = 0;       ///< Live bytes after the last full collection.
  std::uint64_t external_room_ = kPaceBytes;
  std::uint64_t recent_peak_ = 0;  ///< Of used bytes; forgotten by an eighth a full collection.
};

}  // namespace besom::detail
