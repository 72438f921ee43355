#include "gc/accounts.hpp"

#include <algorithm>

#include "gc/clock.hpp"
#include "gc/observer.hpp"
#include "heap/space.hpp"

namespace besom::detail {

void Accounts::open(Cause cause, bool minor) noexcept {
  current_ = {};
  current_.number = last_.number + 1;
  current_.cause = cause;
  current_.minor = minor;
  cut_objects_ = cut_bytes_ = born_ = 0;
}

void Accounts::close(StopKind kind) noexcept {
  current_.born_bytes = born_bytes();
  if (current_.minor) kind = StopKind::minor;
  end_stop(current_.abandoned ? StopKind::full : kind);
  last_ = current_;
  handed_out_then_ = heap_.space->handed_out();
  if (!last_.minor) handed_out_at_full_ = handed_out_then_;
  live_objects_ = last_.live_objects;
  ++totals_.collections;
  if (last_.abandoned) ++totals_.abandoned;
  totals_.pause_ns += last_.pause_ns;
  totals_.freed_bytes += last_.freed_bytes;
  totals_.freed_objects += last_.freed_objects;
  totals_.released += last_.released;
}

void Accounts::begin_stop() noexcept { begun_ns_ = now_ns(); }

std::uint64_t Accounts::ns_of_stop() const noexcept { return now_ns() - begun_ns_; }

void Accounts::end_stop(StopKind kind) noexcept {
  const std::uint64_t now = now_ns();
  stops_.add(kind, begun_ns_, now);
  if (heap_.observer != nullptr) heap_.observer->after_stop(kind, begun_ns_, now);
  current_.pause_ns += now - begun_ns_;
  totals_.pause_max_ns = stops_.longest_ns();
}

void Accounts::note_marking() noexcept { handed_out_at_marking_ = heap_.space->handed_out(); }

/// When somebody asks, or at the next collection, by which time the sweep has counted them.
void Accounts::count_dead() noexcept {
  if (!counts_dead_ || heap_.space->is_concealed()) return;
  counts_dead_ = false;
  last_.freed_objects = heap_.space->dead_objects() - cut_objects_;
  totals_.freed_objects += last_.freed_objects;
}

std::uint64_t Accounts::allocated_since_collection() const noexcept {
  return heap_.space->handed_out() - handed_out_then_;
}

std::uint64_t Accounts::allocated_since_full() const noexcept {
  return heap_.space->handed_out() - handed_out_at_full_;
}

std::uint64_t Accounts::born_bytes() const noexcept {
  return heap_.space->handed_out() - handed_out_at_marking_;
}

std::uint64_t Accounts::live_bytes(std::uint64_t marked_bytes) const noexcept {
  return born_bytes() + marked_bytes - std::min(marked_bytes, cut_bytes_);
}

}  // namespace besom::detail
