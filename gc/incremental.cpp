/// A full collection in slices: docs/design.md#incremental-marking.

#include <algorithm>

#include "gc/clock.hpp"
#include "gc/collector.hpp"
#include "gc/roots/root_walks.hpp"
#include "gc/weak/finalizer_table.hpp"
#include "heap/old_values.hpp"

namespace besom::detail {
namespace {

/// What sweeping 64 KiB of arena counts for: about as long as visiting so many objects takes.
constexpr std::uint64_t kUnitsPerStretch = 256;

}  // namespace

/// How far the heap is on its way to where it would collect in full at once. External bytes count
/// for the share of their own room that they take.
Collector::Progress Collector::progress() const noexcept {
  Progress progress = progress_inside();
  const double share =
      static_cast<double>(pacer_.external_grown()) / static_cast<double>(pacer_.external_room());
  progress.allocated +=
      static_cast<std::uint64_t>(std::min(share, 2.0) * static_cast<double>(progress.pace));
  return progress;
}

/// In a generational heap it collects in full when it is full, as a rule.
Collector::Progress Collector::progress_inside() const noexcept {
  const Progress paced = {accounts_.allocated_since_collection(), pacer_.pace()};
  if (!heap_.options.generational) return paced;
  const std::uint64_t taken = accounts_.last().live_bytes + paced.allocated;
  const Progress filled = {taken - std::min(taken, pacer_.full_live()),
                           std::max(pacer_.room(), Pacer::kPaceBytes)};
  const auto left = [](const Progress& on_way) {
    return on_way.pace - std::min(on_way.pace, on_way.allocated);
  };
  return is_paced_by_nursery() || left(filled) < left(paced) ? filled : paced;
}

bool Collector::is_cycle_due() const noexcept {
  if (is_full_due()) return true;
  const Progress now = progress();
  return cycle_.is_due(now.allocated, now.pace);
}

/// What an allocation does for the cycle. Only the beginning has to know all roots.
void Collector::pace_cycle(bool may_begin) noexcept {
  if (!heap_.options.incremental || forbidden_ != 0) return;
  external_seen_ = pacer_.external();
  const bool is_off = cycle_.state() == Cycle::State::off;
  const bool is_zealous = until_zeal_ == 1 && (!is_off || !is_minor(Cause::zeal));
  if (is_off && !(may_begin && (is_zealous || is_cycle_due()))) {
    // The next minor collection has to find everything swept.
    if (heap_.options.generational) static_cast<void>(sweep_in_steps());
    return;
  }
  if (is_off) prepare_cycle();
  if (cycle_.is_marking()) {
    const std::uint64_t units = cycle_.due(progress().allocated, marker_.work());
    if (is_zealous) {
      until_zeal_ = heap_.options.zeal.collect_every;
      run_slice(heap_.options.slice);
    } else if (units != 0) {
      run_slice(units);
    }
    return;
  }
  if (is_zealous) heap_.space->sweep_some(~std::uint32_t{0});
  if (!sweep_in_steps() || !give_back_some() || !clear_marks_some() || !may_begin) return;
  begin_cycle(is_zealous ? Cause::zeal : cause_of_cycle());
}

/// What took more of its room.
Cause Collector::cause_of_cycle() const noexcept {
  return progress().allocated / 2 > progress_inside().allocated ? Cause::external : Cause::pace;
}

void Collector::prepare_cycle() noexcept {
  cycle_.prepare(progress().allocated);
  lines_cleared_ = 0;
}

/// Returns whether all is swept.
bool Collector::sweep_in_steps() noexcept {
  Space& space = *heap_.space;
  if (space.is_swept()) return true;
  const Progress now = progress();
  const bool for_minor = cycle_.state() == Cycle::State::off;
  const std::uint64_t bytes = for_minor ? nursery_.bytes() / 2 : now.pace / 16;
  return space.sweep_some(
      cycle_.stretches(space.stretches_left(), now.allocated, bytes, !for_minor));
}

/// In steps, so that the beginning of a cycle need not do it in one stop. Returns whether all are
/// clear.
bool Collector::clear_marks_some() noexcept {
  if (marks_ == Marks::clear) return true;
  constexpr std::uint32_t kLines = 4096;  // 32 KiB of marks, for 4 MiB of arena
  marks_ = Marks::stale;
  const std::uint32_t end = (to_granules(heap_.space->free_list().used_end()) >> kLineShift) + 1;
  const std::uint32_t next = std::min(lines_cleared_ + kLines, end);
  marker_.marks().clear_lines(lines_cleared_, next);
  lines_cleared_ = next;
  if (next == end) marks_ = Marks::clear;
  return next == end;
}

void Collector::begin_cycle(Cause cause) noexcept {
  stop_watching();
  const Zeal& zeal = heap_.options.zeal;
  if (zeal.verify) verify_or_abort("before");
  // Zeal holds the program to what is promised of the last new object.
  if (zeal.collect_every != 0) heap_.newest = 0;
  if (cause == Cause::zeal) until_zeal_ = zeal.collect_every;
  Busy busy(*this, Phase::marking);
  Space& space = *heap_.space;
  open(cause, false);
  const Progress now = progress();
  cycle_.begin(now.allocated, now.pace);
  used_at_begin_ = space.used_bytes();
  space.begin_marking(marker_.marks().words());
  set_old_values(space.base(), &marker_);
  space.conceal_unused();
  mark_other_roots(accounts_.current());
  space.reveal_unused();
  marker_.set_incremental();
  heap_.roots->handles().begin_walk();
  heap_.finalizers->begin_settling();
  accounts_.current().roots_ns = accounts_.ns_of_stop();
  Cards cards = space.cards();
  cards.start_marking(heap_.options.heap_max);
  end_stop(busy, StopKind::begin);
}

/// Of the beginning or a slice.
void Collector::end_stop(Busy& busy, StopKind kind) noexcept {
  accounts_.end_stop(kind);
  if (!marker_.is_abandoned()) {
    busy.leave();
    return;
  }
  accounts_.begin_stop();
  accounts_.current().abandoned = true;
  heap_.space->conceal_unused();
  conclude(busy, StopKind::end);
}

/// A stale ref may lead to what is in quarantine. So does a walk over the marks to all that is
/// unused.
void Collector::run_slice(std::uint64_t units) noexcept {
  if (settling_ != Settling::no) {
    settle_slice(units);
    return;
  }
  Space& space = *heap_.space;
  bool is_done = false;
  {
    Busy busy(*this, Phase::marking);
    accounts_.begin_stop();
    const bool conceals = space.quarantine().is_on() || marker_.has_unvisited();
    if (conceals) space.conceal_unused();
    marker_.resume();
    is_done = mark_some(units, conceals);
    if (conceals) space.reveal_unused();
    accounts_.current().mark_ns += accounts_.ns_of_stop();
    end_stop(busy, StopKind::slice);
  }
  if (is_done && cycle_.is_marking()) decide(units);
}

/// Handles, what they and the other roots lead to, then the ephemerons and agents that wait for
/// what is marked by now. True when nothing is left but what waits for objects that are not marked,
/// dead ones as a rule.
bool Collector::mark_some(std::uint64_t units, bool is_concealed) noexcept {
  const std::uint64_t limit = units > ~marker_.work() ? ~std::uint64_t{0} : marker_.work() + units;
  HandleTable& handles = heap_.roots->handles();
  while (!handles.is_walked() && marker_.work() < limit) {
    marker_.add_work(handles.walk_chunk([&](HandleSlot& slot) { marker_.mark_root(slot.ref); }));
  }
  while (marker_.work() < limit) {
    if (!marker_.drain_some(limit - marker_.work(), is_concealed)) return false;
    if (!marker_.visit_late_some(limit)) continue;
    if (!heap_.finalizers->settle_some(marker_, limit)) continue;
    if (!marker_.has_more()) return true;
  }
  return false;
}

/// Nobody is to see that a cycle marked. Space::retire() before.
void Collector::leave_marking() noexcept {
  Space& space = *heap_.space;
  marker_.resume();  // a marking that was abandoned knows of no end
  Cards cards = space.cards();
  cards.stop_marking(heap_.options.heap_max);
  // All that lives is old from now on.
  if (cards.recording()) cards.clear((to_bytes(marker_.end() - 1) >> Cards::kShift) + 1);
  set_old_values(space.base(), nullptr);
  settling_ = Settling::no;
  // Of what was allocated and given back nothing may be left where no sweep will come.
  constexpr std::uint32_t kShift = kGranuleShift + kLineShift;
  marker_.marks().clear_lines((marker_.end() >> kLineShift) + 1,
                              static_cast<std::uint32_t>(space.untouched() >> kShift) + 1);
  accounts_.note_born(space.born());
  space.end_marking();
  cycle_.stop();
}

/// Who collects the whole heap at once has no use for a half of it. What lives is told by the
/// roots of now, so that garbage that the cycle would have kept goes, too.
void Collector::give_up_cycle() noexcept {
  if (cycle_.is_marking()) {
    heap_.space->retire();
    marker_.undo_waiting();
    leave_marking();
  }
  cycle_.stop();
}

std::optional<std::uint64_t> Collector::step(std::uint64_t units) noexcept {
  Space& space = *heap_.space;
  const std::uint64_t number = accounts_.last().number;
  if (cycle_.state() == Cycle::State::off) {
    if (accounts_.allocated_since_collection() == 0) return 0;
    prepare_cycle();
  }
  if (cycle_.state() == Cycle::State::sweeping) {
    const std::uint64_t stretches = std::max<std::uint64_t>(units / kUnitsPerStretch, 1);
    const bool is_swept = space.sweep_some(
        static_cast<std::uint32_t>(std::min<std::uint64_t>(stretches, ~std::uint32_t{0})));
    if (!is_swept || !give_back_some() || !clear_marks_some()) {
      return space.stretches_left() * kUnitsPerStretch + cycle_.left(0);
    }
    begin_cycle(cause_of_cycle());
  } else {
    run_slice(units);
  }
  if (accounts_.last().number != number) {
    if (accounts_.last().abandoned) return {};
    return 0;
  }
  return cycle_.left(marker_.work());
}

}  // namespace besom::detail
