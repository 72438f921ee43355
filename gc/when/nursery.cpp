#include "gc/when/nursery.hpp"

#include <algorithm>

namespace besom::detail {

void Nursery::note_minor(std::uint64_t freed_bytes, std::uint64_t work) noexcept {
  const double yield = static_cast<double>(freed_bytes) / static_cast<double>(work + 1);
  const double full_yield = static_cast<double>(full_room_) / static_cast<double>(full_work_ + 1);
  if (yield >= full_yield) {
    next_rest_ = 1;
    return;
  }
  bytes_ *= 2;
  if (bytes_ <= full_room_ / 2) return;
  resting_ = next_rest_;
  next_rest_ = std::min(2 * next_rest_, kLongestRest);
}

void Nursery::note_full(std::uint64_t room, std::uint64_t work) noexcept {
  full_room_ = room;
  full_work_ = work;
  if (resting_ != 0 && --resting_ == 0) bytes_ = kInitialBytes;
}

}  // namespace besom::detail
