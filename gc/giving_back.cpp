/// What goes back to the system after a full collection.

#include <utility>

#include "gc/collector.hpp"

namespace besom::detail {

namespace {

constexpr std::uint64_t kWorthACall = 1 << 20;
constexpr std::uint64_t kLeastHole = 64 << 10;

}  // namespace

/// Not after a minor collection: what it freed is used again before the next full one.
void Collector::give_back(CollectionStats& stats) noexcept {
  Space& space = *heap_.space;
  const bool is_requested = stats.cause == Cause::requested;
  stats.returned = std::exchange(returned_, 0);
  if (is_requested) {
    giving_back_.reset();
    gives_back_ = false;
  } else if (heap_.options.incremental) {
    gives_back_ = true;
    return;
  }
  const std::uint64_t kept = pacer_.kept_bytes(is_requested);
  if (space.resident_bytes() <= kept + kWorthACall) return;
  if (is_requested) {
    stats.returned += space.discard_all();
    marker_.marks().discard_zeros_below(space.untouched() >> kGranuleShift);
  } else {
    stats.returned += space.discard_holes(kLeastHole, space.resident_bytes() - kept);
  }
}

/// A step before the next cycle begins, when all is swept: to give much back at once is a stop as
/// well. Returns whether nothing is left to do.
bool Collector::give_back_some() noexcept {
  constexpr std::uint32_t kPieces = 4096;
  constexpr std::uint64_t kBytes = 512 << 10;
  Space& space = *heap_.space;
  if (std::exchange(gives_back_, false)) {
    const std::uint64_t kept = pacer_.kept_bytes(false);
    const std::uint64_t resident = space.resident_bytes();
    giving_back_.reset();
    if (resident > kept + kWorthACall) giving_back_.emplace(kLeastHole, resident - kept);
  }
  if (!giving_back_) return true;
  const std::uint64_t before = giving_back_->discarded();
  space.discard_some(*giving_back_, kPieces, kBytes);
  returned_ += giving_back_->discarded() - before;
  if (giving_back_->is_done()) giving_back_.reset();
  return !giving_back_;
}

}  // namespace besom::detail
