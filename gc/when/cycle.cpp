#include "gc/when/cycle.hpp"

#include <algorithm>

#include "besom/detail/check.hpp"

namespace besom::detail {

void Cycle::begin(std::uint64_t allocated, std::uint64_t pace) noexcept {
  state_ = State::marking;
  estimate_ = last_work_ + allocated / kBytesPerUnit;
  step_ = std::max<std::uint64_t>(pace / 16, 1);
  aim_ = std::max(pace - pace / 16, allocated + step_);
  seen_ = allocated;
  owed_ = 0;
}

std::uint64_t Cycle::left(std::uint64_t done) const noexcept {
  return std::max<std::uint64_t>(done < estimate_ ? estimate_ - done : done / 4, 1);
}

std::uint64_t Cycle::due(std::uint64_t allocated, std::uint64_t done) noexcept {
  const std::uint64_t bytes = allocated - std::min(seen_, allocated);
  seen_ = allocated;
  const std::uint64_t room = std::max(aim_ - std::min(aim_, allocated), step_);
  // A share of what is left alone would never come to the end of it.
  const std::uint64_t due = room == step_ ? std::max(left(done), estimate_ / 4) : left(done);
  // Both are below 2^40: bytes of an arena, and its slots.
  owed_ += due * std::min(bytes, room) / room;
  if (owed_ < slice_) return 0;
  const std::uint64_t units = std::min(owed_, slice_ * (kMostSlices + bytes / kBytesPerSlice));
  owed_ -= units;
  return units;
}

std::uint32_t Cycle::stretches(std::uint32_t left, std::uint64_t allocated, std::uint64_t room,
                               bool is_bounded) noexcept {
  BESOM_ASSERT(room != 0);
  const std::uint64_t bytes = allocated - std::min(seen_, allocated);
  seen_ = allocated;
  const std::uint64_t due = 1 + left * std::min(bytes, room) / room;
  const std::uint64_t most = kMostStretches * (1 + bytes / kBytesPerStep);
  return static_cast<std::uint32_t>(is_bounded ? std::min(due, most) : due);
}

}  // namespace besom::detail
