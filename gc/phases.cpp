/// What the heap is busy with, and how it gets out of a collection that was given up.

#include <atomic>

#include "besom/detail/root_table.hpp"
#include "gc/collector.hpp"
#include "gc/sweep/sweeper.hpp"

namespace besom::detail {

/// The fence keeps the compiler from moving the phase past the work, which a signal handler would
/// see.
void Collector::set_phase(Phase phase) noexcept {
  std::atomic_signal_fence(std::memory_order_seq_cst);
  phase_.store(phase, std::memory_order_relaxed);
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

/// Nobody else adds roots or takes memory meanwhile.
void Collector::set_locked(bool locked) noexcept {
  heap_.roots->set_locked(locked);
  heap_.space->set_closed(locked);
}

bool Collector::may_enter() noexcept {
  if (!is_own_thread()) {
    heap_.error = kWrongThread;
    return false;
  }
  if (is_collecting()) {
    heap_.error = {.code = Errc::reentrant, .detail = "called from inside a collection"};
    return false;
  }
  return true;
}

void Collector::Busy::enter(Phase phase) noexcept {
  BESOM_CHECK(recoveries_ == collector_.recoveries_,
              "recover() called by a callback that then returned: recoveries before, now",
              recoveries_, collector_.recoveries_);
  collector_.set_phase(phase);
}

void Collector::Busy::leave() noexcept {
  enter(Phase::idle);
  collector_.set_locked(false);
}

void Collector::take_sample(const AllocationSample& sample) noexcept {
  static_cast<void>(read([&](const Space&, const TypeTable&) {
    heap_.observer->after_sample(sample);
    return true;
  }));
}

/// Of a collection that was abandoned. The next is due after as much allocation as after any other:
/// a callback that gives up each time shall not be called at each allocation.
void Collector::keep_all(CollectionStats& stats) noexcept {
  marker_.undo_waiting();
  if (heap_.space->is_marking()) {
    heap_.space->reveal_unused();
    heap_.space->retire();
    leave_marking();
    heap_.space->conceal_unused();
  }
  cycle_.stop();
  marker_.trim();
  stats.abandoned = true;
  stats.live_bytes = heap_.space->used_bytes();
  stats.live_objects = count_objects(*heap_.space);
  heap_.space->reveal_unused();
  note_holes(stats);
  pacer_.note_external();
}

void Collector::recover(const char* frame) noexcept {
  recover_finalizer(frame);
  if (is_asking_) {
    is_asking_ = false;
    ++recoveries_;
  }
  const Phase left = phase();
  if (left == Phase::idle) return;
  BESOM_CHECK(left != Phase::sweeping, "recover() in the midst of a sweep: collection, freed",
              accounts_.current().number, accounts_.totals().freed_objects);
  ++recoveries_;
  if (left == Phase::marking) {
    keep_all(accounts_.current());
    close(StopKind::full);
  }
  heap_.space->reveal_unused();
  set_locked(false);
  set_phase(Phase::idle);
}

}  // namespace besom::detail
