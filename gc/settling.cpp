/// How a cycle ends: what is dead is settled, and forgotten in slices while the program runs on.
/// docs/design.md#the-end-of-a-cycle.

#include "gc/clock.hpp"
#include "gc/collector.hpp"
#include "gc/weak/finalizer_table.hpp"

namespace besom::detail {

/// Marking is over but for what waits for objects that are not marked. Whatever of it is not alive
/// after this is dead.
void Collector::decide(std::uint64_t units) noexcept {
  Busy busy(*this, Phase::marking);
  accounts_.begin_stop();
  CollectionStats& stats = accounts_.current();
  heap_.space->conceal_unused();
  marker_.resume();
  static_cast<void>(mark_some(~std::uint64_t{0}, true));
  marker_.visit_deferred();
  heap_.finalizers->await(marker_, false);
  marker_.drain();
  end_waiting(false);
  stats.mark_ns += accounts_.ns_of_stop();
  stats.abandoned = marker_.is_abandoned();
  note_findings(stats);
  if (stats.abandoned) {
    conclude(busy, StopKind::end);
    return;
  }
  run_hooks();
  marker_.begin_settling();
  heap_.roots->weak_handles().begin_walk();
  settling_ = Settling::slots;
  settle_or_stop(busy, units);
}

void Collector::settle_slice(std::uint64_t units) noexcept {
  Busy busy(*this, Phase::marking);
  accounts_.begin_stop();
  heap_.space->conceal_unused();
  marker_.resume();
  settle_or_stop(busy, units);
}

/// Ends the cycle if no more than `units` of work are left.
void Collector::settle_or_stop(Busy& busy, std::uint64_t units) noexcept {
  const std::uint64_t begun = now_ns();
  const bool is_done = settle_some(busy, units);
  accounts_.current().weak_ns += now_ns() - begun;
  if (is_done) {
    end_settling(busy);
    return;
  }
  heap_.space->reveal_unused();
  accounts_.end_stop(StopKind::slice);
  busy.leave();
}

/// What is weak forgets the dead, until the marker's work comes to `limit`. True when it has.
bool Collector::forget_some(std::uint64_t limit) noexcept {
  HandleTable& handles = heap_.roots->weak_handles();
  if (settling_ == Settling::slots) {
    if (!marker_.clear_weak_some(limit)) return false;
    settling_ = Settling::handles;
  }
  if (settling_ == Settling::handles) {
    while (!handles.is_walked()) {
      if (marker_.work() >= limit) return false;
      marker_.add_work(
          handles.walk_chunk([&](HandleSlot& slot) { marker_.clear_handle(slot.ref); }));
    }
    settling_ = Settling::finalizers;
  }
  return true;
}

void Collector::forget_dead() noexcept {
  if (settling_ != Settling::slots && settling_ != Settling::handles) return;
  Busy busy(*this, Phase::marking);
  accounts_.begin_stop();
  heap_.space->conceal_unused();
  marker_.resume();
  static_cast<void>(forget_some(~std::uint64_t{0}));
  heap_.space->reveal_unused();
  accounts_.end_stop(StopKind::slice);
  busy.leave();
}

void forget_dead(HeapParts& heap) noexcept { heap.collector->forget_dead(); }

/// True when nothing is left to be done, or a callback gave up.
bool Collector::settle_some(Busy& busy, std::uint64_t units) noexcept {
  const std::uint64_t limit = units > ~marker_.work() ? ~std::uint64_t{0} : marker_.work() + units;
  CollectionStats& stats = accounts_.current();
  if (!forget_some(limit)) return false;
  if (settling_ == Settling::finalizers) {
    settle_finalizers(stats);
    if (stats.abandoned) return true;
    settling_ = Settling::releases;
  }
  busy.enter(Phase::sweeping);
  // At once: a host may know the dead until their hooks have run, and bring them back.
  if (settling_ == Settling::releases) release_dead(stats);
  settling_ = Settling::tables;
  if (!marker_.has_tables()) return true;
  retire_all();
  return shrink_tables(limit);
}

/// Windows, too, of which objects are counted when they close: what is cut off an array shall not
/// be one of them.
void Collector::retire_all() noexcept {
  Space& space = *heap_.space;
  space.reveal_unused();
  space.retire();
  space.conceal_unused();
  marker_.resume();
}

/// What the program took out of weak slots since, by itself, lives as well. Not in slices.
void Collector::settle_finalizers(CollectionStats& stats) noexcept {
  marker_.drain();
  end_waiting(false);
  stats.abandoned = marker_.is_abandoned();
  if (stats.abandoned) return;
  marker_.clear_weak_slots();
  settle(stats);
  if (!stats.abandoned) remembered_.forget_dead(marker_.marks());
}

void Collector::end_settling(Busy& busy) noexcept {
  CollectionStats& stats = accounts_.current();
  if (!stats.abandoned) {
    retire_all();
    leave_marking();
  }
  free_and_report(busy, StopKind::end);
  if (heap_.options.zeal.verify) verify_or_abort("after");
}

void Collector::finish_cycle() noexcept {
  if (settling_ == Settling::no) {
    decide(~std::uint64_t{0});
  } else {
    settle_slice(~std::uint64_t{0});
  }
}

}  // namespace besom::detail
