#pragma once

#include <algorithm>
#include <cstdint>

namespace besom::detail {

/// Decides, in an incremental heap, when a cycle begins and how much of it each allocation does.
/// Counts bytes and visits, never time, so that the same program does the same each run.
///
///   allocated since the last collection, in parts of Pacer::pace()
///   0        1/4 to 3/4            15/16
///   |  nothing   | sweep | mark       |  mark, the rest in 1/16    ...  no room: end at once
///
///   - A cycle begins when kBytesOfRoom are left for each unit that the last marking took, so that
///     a heap whose marking is much work has longer for it, and keeps more that died meanwhile.
///     First what the last sweep left is swept, in steps; then marking begins.
///   - How much work there is, nobody knows. It is taken for what the last one did and, as the heap
///     may have grown, a unit for each kBytesPerUnit allocated since.
///   - A slice does what is due: the work that is left for each byte that may still be allocated up
///     to 15/16, times the bytes allocated since the last slice. It is put off until that comes to
///     `slice` units, and never does more than kMostSlices of them, and one for each kBytesPerSlice
///     that were allocated at once: what is left is due with the next. Once the estimate is used
///     up, a quarter of what is done is taken to be left.
///   - Behind 15/16 what is left, and a quarter of the estimate at least, is due within another
///     sixteenth, again and again: marking ends soon, but in no one stop. Only where there is no
///     room at all does allocation finish the cycle.
class Cycle {
 public:
  static constexpr std::uint64_t kBytesPerUnit = 8;
  static constexpr std::uint64_t kMostSlices = 8;
  static constexpr std::uint64_t kBytesPerSlice = 2 << 10;
  static constexpr std::uint64_t kBytesOfRoom = 2;  ///< For each unit.
  static constexpr std::uint64_t kMostStretches = 32;
  static constexpr std::uint64_t kBytesPerStep = 32 << 10;

  explicit Cycle(std::uint32_t slice) noexcept : slice_(slice) {}

  enum class State : std::uint8_t { off, sweeping, marking };
  [[nodiscard]] State state() const noexcept { return state_; }
  [[nodiscard]] bool is_marking() const noexcept { return state_ == State::marking; }

  /// Whether a cycle ought to begin, with `allocated` bytes since the last collection.
  [[nodiscard]] bool is_due(std::uint64_t allocated, std::uint64_t pace) const noexcept {
    const std::uint64_t least = pace / 4;
    const std::uint64_t room = std::clamp(last_work_ * kBytesOfRoom, least, pace - least);
    return allocated >= pace - room;
  }
  /// What is left to sweep is to be swept.
  void prepare(std::uint64_t allocated) noexcept {
    state_ = State::sweeping;
    seen_ = allocated;
  }
  /// Marking begins.
  void begin(std::uint64_t allocated, std::uint64_t pace) noexcept;
  /// The units that are due now; 0: less than a slice.
  [[nodiscard]] std::uint64_t due(std::uint64_t allocated, std::uint64_t done) noexcept;
  /// The units that are left, `done` of them being done; at least one.
  [[nodiscard]] std::uint64_t left(std::uint64_t done) const noexcept;
  /// A marking of the whole heap ended, of a cycle or at once. `work`: units in all.
  void note_work(std::uint64_t work) noexcept { last_work_ = work; }
  /// Marking ended, or was given up.
  void stop() noexcept { state_ = State::off; }
  /// Stretches to sweep now, of `left`, so that none is left after `room` bytes of allocation. At
  /// most kMostStretches for each kBytesPerStep or part of it that was allocated since the last
  /// step, if that `is_bounded`: a large heap that is nearly empty has many, and little room until
  /// the next cycle.
  [[nodiscard]] std::uint32_t stretches(std::uint32_t left, std::uint64_t allocated,
                                        std::uint64_t room, bool is_bounded) noexcept;

 private:
  std::uint32_t slice_;
  State state_ = State::off;
  std::uint64_t last_work_ = 0;
  std::uint64_t estimate_ = 0;
  std::uint64_t aim_ = 0;   ///< In bytes allocated since the last collection.
  std::uint64_t step_ = 0;  ///< Behind it, bytes in which the rest is due.
  std::uint64_t seen_ = 0;  ///< Bytes allocated up to the last slice.
  std::uint64_t owed_ = 0;
};

}  // namespace besom::detail
