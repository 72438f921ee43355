#include "gc/collector.hpp"

#include <algorithm>
#include <cinttypes>
#include <new>
#include <utility>

#include "gc/clock.hpp"
#include "gc/observer.hpp"
#include "gc/roots/root_walks.hpp"
#include "gc/weak/finalizer_table.hpp"

namespace besom {

const char* name_of(Cause cause) noexcept {
  switch (cause) {
    case Cause::requested:
      return "requested";
    case Cause::full:
      return "full";
    case Cause::pace:
      return "pace";
    case Cause::external:
      return "external";
    case Cause::nursery:
      return "nursery";
    case Cause::zeal:
      return "zeal";
  }
  return "unknown";
}

const char* name_of(StopKind kind) noexcept {
  switch (kind) {
    case StopKind::full:
      return "full";
    case StopKind::minor:
      return "minor";
    case StopKind::begin:
      return "begin";
    case StopKind::slice:
      return "slice";
    case StopKind::end:
      return "end";
  }
  return "unknown";
}

namespace detail {

Result<std::unique_ptr<Collector>> Collector::create(HeapParts& heap, LogSink log) {
  const HeapOptions& options = heap.options;
  const System& system = options.system != nullptr ? *options.system : operating_system();
  Result<Marker> marker = Marker::create(options.heap_max, options.mark_stack, system);
  if (!marker) return marker.error();
  std::unique_ptr<Collector> collector(new (std::nothrow) Collector(
      heap, std::move(*marker), log, table_memory(system).named("besom remembered")));
  if (collector == nullptr) {
    return Error{.code = Errc::out_of_host_memory, .detail = "collector"};
  }
  if (Error error = heap.space->grow(collector->pacer_.initial())) return error;
  heap.space->set_poison(options.zeal.poison);
  collector->until_zeal_ = options.zeal.collect_every;
  if (options.zeal.collect_every != 0 || options.zeal.poison) heap.space->disable_windows();
  return collector;
}

bool Collector::is_own_thread() const noexcept { return thread_ == this_thread(); }

void Collector::attach_thread() noexcept {
  thread_ = this_thread();
  heap_.roots->set_thread(thread_);
}

bool Collector::collect(Cause cause) noexcept {
  stop_watching();
  if (settling_ != Settling::no) finish_cycle();
  give_up_cycle();
  const Zeal& zeal = heap_.options.zeal;
  if (zeal.verify) verify_or_abort("before");
  Busy busy(*this, Phase::marking);
  open(cause, is_minor(cause));
  heap_.space->conceal_unused();
  Cards cards = heap_.space->cards();
  if (cards.recording()) remembered_.mark(cards, heap_.space->free_list());
  if (cards.recording() && checks_stores() && has_old_objects()) check_stores(&cards, "before");
  mark(accounts_.current());
  conclude(busy, StopKind::full);
  if (zeal.verify) verify_or_abort("after");
  return !accounts_.last().abandoned;
}

/// What allocation swept of what the last one found dead is counted by now.
void Collector::open(Cause cause, bool minor) noexcept {
  accounts_.begin_stop();
  heap_.space->retire();
  accounts_.count_dead();
  accounts_.open(cause, minor);
  if (!minor || !marks_are_mixed_) return;
  marks_are_mixed_ = false;
  const std::uint32_t end = to_granules(heap_.space->free_list().used_end());
  accounts_.set_live_objects(keep_marks_of_objects(*heap_.space, marker_.marks(), end));
}

/// All that comes after marking.
void Collector::conclude(Busy& busy, StopKind kind) noexcept {
  CollectionStats& stats = accounts_.current();
  if (!stats.abandoned) {
    const std::uint64_t marked_at = now_ns();
    run_hooks();
    marker_.clear_weak_slots();
    clear_weak_handles();
    settle(stats);
    if (!stats.abandoned) remembered_.forget_dead(marker_.marks());
    stats.weak_ns = now_ns() - marked_at;
  }
  busy.enter(Phase::sweeping);
  if (!stats.abandoned) {
    const std::uint64_t dead_from = now_ns();
    static_cast<void>(shrink_tables(~std::uint64_t{0}));
    release_dead(stats);
    stats.weak_ns += now_ns() - dead_from;
  }
  free_and_report(busy, kind);
}

void Collector::run_hooks() noexcept {
  heap_.roots->run_hooks(MarkView(*heap_.space, marker_.marks(), accounts_.current().minor));
}

/// From here on nothing of the embedder's is called but who hears of it.
void Collector::free_and_report(Busy& busy, StopKind kind) noexcept {
  CollectionStats& stats = accounts_.current();
  if (!stats.abandoned) {
    if (stats.minor && heap_.space->cards().recording() && checks_stores()) {
      check_stores(nullptr, "in");
    }
    if (kind == StopKind::end && checks_stores()) check_cycle();
    free_unmarked(stats);
  } else {
    keep_all(stats);
  }
  close(kind);
  busy.enter(Phase::reporting);
  report(stats);
  busy.leave();
}

void Collector::free_unmarked(CollectionStats& stats) noexcept {
  const std::uint64_t swept_from = now_ns();
  Space& space = *heap_.space;
  std::uint64_t marked =
      (stats.minor ? accounts_.live_objects() : accounts_.born()) + marker_.marked();
  if (stats.mark_rescans != 0) {
    marked = keep_marks_of_objects(space, marker_.marks(), marker_.end());
  }
  stats.live_objects = marked;
  space.reveal_unused();
  const std::uint64_t used = space.used_bytes();
  if (stats.minor) {
    stats.freed_objects = sweep_young(space, marker_.marks(), marker_.end());
    marks_ = Marks::old;
    stats.live_bytes = space.used_bytes();
  } else {
    stats.live_bytes = std::min(used, bytes_of_live(stats));
    sweep_old(stats);
    if (space.is_swept()) stats.live_bytes = space.used_bytes();
  }
  stats.freed_bytes = used - stats.live_bytes;
  stats.sweep_ns = now_ns() - swept_from;
  finish(stats);
}

std::uint64_t Collector::bytes_of_live(const CollectionStats& stats) noexcept {
  // In these cases some objects were looked at twice, or not for what they are.
  if (stats.mark_rescans != 0 || stats.bad_refs != 0 || stats.bad_headers != 0) {
    return bytes_of_marked(*heap_.space, marker_.marks(), marker_.end());
  }
  return accounts_.live_bytes(marker_.marked_bytes());
}

/// After a full collection allocation sweeps. At once it is done for who collects on purpose or
/// looks for faults, and in a generational heap, where the next minor collection would have to wait
/// for it, unless that is incremental and sweeps in steps until then.
void Collector::sweep_old(const CollectionStats& stats) noexcept {
  Space& space = *heap_.space;
  const bool generational = heap_.options.generational;
  space.young_lines().clear();
  marks_ = generational ? Marks::old : Marks::clear;
  marks_are_mixed_ = false;
  accounts_.expect_dead();
  const Zeal& zeal = heap_.options.zeal;
  if ((generational && !heap_.options.incremental) || stats.cause == Cause::requested ||
      zeal.collect_every != 0 || zeal.poison || space.quarantine().is_on()) {
    sweep_all(space, marker_.marks(), marker_.end(), generational);
  } else {
    marks_are_mixed_ = generational;
    space.begin_sweep(marker_.marks().words(), marker_.end(), generational);
  }
}

void Collector::close(StopKind kind) noexcept {
  CollectionStats& stats = accounts_.current();
  stats.external = pacer_.external();
  if (!stats.minor) overdue_ = false;
  if (stats.cause == Cause::zeal) until_zeal_ = heap_.options.zeal.collect_every;
  accounts_.close(kind);
}

/// When all accounts are done: a sink or listener may jump out.
void Collector::report(const CollectionStats& stats) noexcept {
  if (heap_.observer != nullptr) heap_.observer->after_collection(stats);
  if (stats.abandoned) {
    log_.log(LogLevel::warn, "collection %" PRIu64 " (%s): abandoned by a callback", stats.number,
             name_of(stats.cause));
  } else {
    if (heap_.space->is_swept()) {
      log_.log(LogLevel::debug, "swept in %" PRIu64 " us: %" PRIu64 " hole%s, largest %" PRIu64,
               stats.sweep_ns / 1000, stats.holes, plural(stats.holes), stats.largest_hole);
    } else {
      log_.log(LogLevel::debug, "the sweep is left to allocation");
    }
    log_.log(LogLevel::info,
             "%scollection %" PRIu64 " (%s): %" PRIu64 " KiB in %" PRIu64 " object%s live, %" PRIu64
             " KiB freed, %" PRIu64 " us",
             stats.minor ? "minor " : "", stats.number, name_of(stats.cause),
             stats.live_bytes >> 10, stats.live_objects, plural(stats.live_objects),
             stats.freed_bytes >> 10, stats.pause_ns / 1000);
  }
  if (stats.bad_refs != 0 || stats.bad_headers != 0) {
    log_.log(LogLevel::error,
             "collection %" PRIu64 ": %" PRIu64 " bad ref%s and %" PRIu64
             " bad header%s, none followed; verify() names them",
             stats.number, stats.bad_refs, plural(stats.bad_refs), stats.bad_headers,
             plural(stats.bad_headers));
  }
  if (listener_ != nullptr) listener_(listener_user_, last());
}

/// Roots, and what is handed out or about to be.
void Collector::mark_roots(CollectionStats& stats) noexcept {
  mark_other_roots(stats);
  heap_.roots->handles().each([&](HandleSlot& slot) { marker_.mark_root(slot.ref); });
}

/// The same without handles.
void Collector::mark_other_roots(CollectionStats& stats) noexcept {
  marker_.begin(*heap_.space, types_, stats.minor || marks_ == Marks::clear);
  marks_ = Marks::stale;
  accounts_.note_marking();
  TraceVisitor visitor(marker_);
  // Who collects on purpose has rooted what is to stay.
  if (stats.cause == Cause::requested) heap_.newest = 0;
  marker_.mark_root(heap_.newest);
  heap_.roots->each_but_handles(
      visitor, [&](std::uint32_t bits, const char*) { marker_.mark_root(bits); },
      [](HeldRoot::Kind, const char*) {});
  if (visitor.is_abandoned()) marker_.abandon();
  heap_.finalizers->mark_ready(marker_);
}

void Collector::mark(CollectionStats& stats) noexcept {
  const std::uint64_t begun = now_ns();
  mark_roots(stats);
  heap_.finalizers->await(marker_, stats.minor);
  Cards cards = heap_.space->cards();
  if (cards.recording() && !marker_.is_abandoned()) {
    const std::uint32_t card_end = (to_bytes(marker_.end() - 1) >> Cards::kShift) + 1;
    if (stats.minor) marker_.mark_from_cards(cards);
    cards.clear(card_end);
  }
  const std::uint64_t marking = now_ns();
  stats.roots_ns = marking - begun;
  marker_.drain();
  stats.mark_ns = now_ns() - marking;
  end_waiting(stats.minor);
  stats.abandoned = marker_.is_abandoned();
  note_findings(stats);
  log_.log(LogLevel::debug, "marked in %" PRIu64 " us after %" PRIu64 " us of roots",
           stats.mark_ns / 1000, stats.roots_ns / 1000);
}

/// From here on whoever is called, log sinks included, finds headers and slots as the mutator left
/// them.
void Collector::end_waiting(bool is_minor) noexcept {
  if (marker_.is_abandoned()) {
    marker_.undo_waiting();
    return;
  }
  marker_.end_waiting();
  // A thread that writes meanwhile can cut a chain and forge another, and no count of links shows
  // it. So registrations are looked at one by one, as when their waiting began.
  std::uint64_t marked = 0;
  do {
    marked = marker_.marked();
    heap_.finalizers->mark_agents(marker_, is_minor);
    marker_.drain();
    marker_.end_waiting();
  } while (marker_.marked() != marked);
}

void Collector::clear_weak_handles() noexcept {
  heap_.roots->weak_handles().each([&](HandleSlot& slot) { marker_.clear_handle(slot.ref); });
}

/// What is weak has forgotten the dead before any of them comes back to life for its finalizer;
/// what is first reached by those is settled in turn. A callback may still give up, or jump out:
/// what was cleared stays so, and what became ready is.
void Collector::settle(CollectionStats& stats) noexcept {
  stats.finalizers_ready = heap_.finalizers->take_dead(marker_, stats.minor);
  if (stats.finalizers_ready != 0) {
    heap_.finalizers->mark_ready(marker_);
    marker_.drain();
    end_waiting(stats.minor);
    stats.abandoned = marker_.is_abandoned();
    if (stats.abandoned) return;
    marker_.clear_weak_slots();
  }
  note_findings(stats);
}

/// What goes before the sweep: the hooks of the dead run.
void Collector::release_dead(CollectionStats& stats) noexcept {
  const Releaser::Counts released = releaser_.release(*heap_.space, types_, &marker_.marks());
  stats.bad_headers += released.bad_headers;
  stats.released = released.released;
}

void Collector::note_findings(CollectionStats& stats) const noexcept {
  const MarkFindings& findings = marker_.findings();
  stats.bad_refs = findings.bad_refs;
  stats.bad_headers = findings.bad_headers;
  stats.mark_rescans = findings.rescans;
  stats.weak_cleared = findings.weak_cleared;
  stats.entries_broken = findings.entries_broken;
}

/// Accounts, the budget for what follows, and what goes back to the system.
void Collector::finish(CollectionStats& stats) noexcept {
  marker_.trim();
  const std::uint64_t used_before = stats.live_bytes + stats.freed_bytes;
  if (stats.minor) {
    nursery_.note_minor(stats.freed_bytes, marker_.work());
    pacer_.note_minor(stats.live_bytes, used_before);
  } else {
    // What was born during a cycle stays for it, or what died meanwhile does: once is enough.
    const std::uint64_t born = std::min(stats.live_bytes, accounts_.born_bytes());
    pacer_.note_collection(stats.live_bytes - born, born, used_before);
    cycle_.note_work(marker_.work());
    nursery_.note_full(pacer_.room(), marker_.work());
  }
  if (!stats.minor) give_back(stats);
  note_holes(stats);
}

void Collector::note_holes(CollectionStats& stats) const noexcept {
  const Space& space = *heap_.space;
  if (space.is_swept()) {
    stats.holes = space.free_list().num_free_blocks();
    stats.largest_hole = space.free_list().largest_free_block();
  }
  stats.committed = space.arena().committed();
  stats.reserved = space.arena().reserved();
}

/// Callbacks run here as they do in a collection, so the same is refused to them.
VerifyCounts Collector::verify(DefectSink sink) noexcept {
  heap_.space->free_list().verify();
  return read([&](const Space& space, const TypeTable& types) {
    return verify_heap(space, types, *heap_.roots, *heap_.finalizers, sink);
  });
}

/// Under zeal three in four are minor.
bool Collector::is_minor(Cause cause) const noexcept {
  if (!heap_.options.generational || !has_old_objects()) return false;
  if (is_full_due()) return false;
  return cause == Cause::nursery || (cause == Cause::zeal && accounts_.last().number % 4 != 0);
}

Error Collector::set_always_remembered(std::uint32_t index, bool remembered) noexcept {
  if (!heap_.options.generational) return {};
  if (!remembered) {
    remembered_.remove(index);
  } else if (!remembered_.add(index)) {
    return {.code = Errc::out_of_host_memory, .detail = "remembered objects"};
  }
  return {};
}

void Collector::reset() noexcept {
  stop_watching();
  remembered_.clear();
  refusal_.forget();
  // A mark on what is no object any more would pass for an old one's in the next minor collection.
  const std::uint32_t end = to_granules(heap_.space->free_list().used_end());
  marker_.marks().clear_below(end);
  if (heap_.space->cards().recording()) {
    heap_.space->cards().clear((to_bytes(end - 1) >> Cards::kShift) + 1);
  }
  nursery_ = Nursery(heap_.options.generational);
  accounts_.count_dead();
  marks_ = heap_.options.generational ? Marks::old : Marks::stale;
  heap_.space->reset();
  gives_back_ = false;
  giving_back_.reset();
  accounts_.set_live_objects(0);
  // What the embedder holds outside is not given back by forgetting objects.
  const std::uint64_t external = pacer_.external();
  pacer_ = Pacer(heap_.options);
  static_cast<void>(pacer_.add_external(external));
  pacer_.note_external();
  overdue_ = false;
}

/// All tables are indexed by place in the arena, but for the mark stack, whose beginning is kept.
std::uint64_t Collector::table_bytes_used(std::uint64_t reserved) const noexcept {
  constexpr std::uint64_t kRounding = 64 << 10;  // pages that each table begins and ends in
  const std::uint64_t untouched = heap_.space->untouched();
  // Tables are below a quarter of heap_max and a MiB, and that is below 2^33: no overflow.
  const std::uint64_t share =
      reserved * (untouched >> kGranuleShift) / (heap_.options.heap_max >> kGranuleShift);
  return std::min(reserved, share + Marker::kKeptStackBytes + kRounding);
}

const CollectionStats& Collector::last() noexcept {
  accounts_.count_dead();
  return accounts_.last();
}

HeapStats Collector::stats() noexcept {
  accounts_.count_dead();
  const Space& space = *heap_.space;
  HeapStats stats = accounts_.totals();
  stats.capacity = space.capacity();
  stats.used = space.used_bytes();
  stats.external = pacer_.external();
  stats.committed = space.arena().committed();
  stats.reserved = space.arena().reserved();
  stats.table_reserved = space.table_bytes() + marker_.table_bytes() + releaser_.table_bytes();
  stats.table_bytes = table_bytes_used(stats.table_reserved);
  stats.allocated = space.handed_out();
  stats.touched = space.touched();
  return stats;
}

}  // namespace detail
}  // namespace besom
