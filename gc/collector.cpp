#include "gc/collector.hpp"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <new>
#include <utility>

#include "gc/clock.hpp"
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

namespace detail {
namespace {

/// What zeal found, told as it is met: nothing is kept, as nothing may be allocated.
class DamageReport {
 public:
  DamageReport(const LogSink& log, const char* when, std::uint64_t collection) noexcept
      : log_(log), when_(when), collection_(collection) {}

  [[nodiscard]] DefectSink sink() noexcept {
    return {[](void* user, const Defect& defect) noexcept {
              static_cast<DamageReport*>(user)->tell(defect);
            },
            this};
  }
  void abort_if_any() const noexcept {
    BESOM_CHECK(found_ == 0, "zeal found the heap damaged: defects, collection", found_,
                collection_);
  }

 private:
  static constexpr std::uint64_t kMostLines = 100;

  void tell(const Defect& defect) noexcept {
    if (++found_ > kMostLines) return;
    char text[1024];
    static_cast<void>(defect.write_message(text, sizeof text));
    log_.log(LogLevel::error, "%s collection %" PRIu64 ": %s", when_, collection_, text);
    std::fprintf(stderr, "besom: %s collection %" PRIu64 ": %s\n", when_, collection_, text);
  }

  const LogSink& log_;
  const char* when_;
  std::uint64_t collection_;
  std::uint64_t found_ = 0;
};

}  // namespace

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

std::uint64_t Collector::allocated_since_collection() const noexcept {
  return heap_.space->handed_out() - handed_out_then_;
}

std::uint64_t Collector::growth_limit() const noexcept {
  if (allocated_since_full() < pacer_.worth_bytes()) return heap_.options.heap_max;
  // A cycle ends before the room does, or soon after.
  const std::uint64_t budget = pacer_.budget();
  return cycle_.is_marking() ? std::min(heap_.options.heap_max, budget + budget / 16) : budget;
}

std::optional<Cause> Collector::due() const noexcept {
  // The cycle sees to it, and under zeal does a slice each time.
  if (cycle_.state() != Cycle::State::off) return {};
  if (until_zeal_ == 1 && !heap_.options.incremental) return Cause::zeal;
  if (overdue_) return Cause::full;
  if (pacer_.external_is_due()) return Cause::external;
  if (is_full_due()) return Cause::pace;
  const bool by_nursery = nursery_.is_on() && nursery_.bytes() < pacer_.pace();
  if (allocated_since_collection() < (by_nursery ? nursery_.bytes() : pacer_.pace())) return {};
  return by_nursery ? Cause::nursery : Cause::pace;
}

char* Collector::allocate(std::uint32_t granules, Error& error) noexcept {
  stop_watching();
  if (char* object = find_room(granules, error)) return object;
  note_refusal();
  if (!ask_embedder(error)) return nullptr;
  stop_watching();
  refusal_.forget();
  char* object = find_room(granules, error);
  if (object == nullptr) note_refusal();
  return object;
}

void Collector::collect_for_room(Cause cause) noexcept {
  // The last new object was safe until now. Zeal holds the program to that.
  if (heap_.options.zeal.collect_every != 0) heap_.newest = 0;
  collect(cause);
}

char* Collector::find_room(std::uint32_t granules, Error& error) noexcept {
  Space& space = *heap_.space;
  const bool may_collect = may_allocation_collect();
  pace_cycle(may_collect);
  const std::optional<Cause> cause = may_collect ? due() : std::nullopt;
  if (until_zeal_ > 1) --until_zeal_;
  if (cause) collect_for_room(*cause);
  if (char* object = space.allocate(granules)) return object;
  if (char* object = allocate_by_growing(granules, growth_limit(), error)) return object;
  if (cycle_.is_marking() && forbidden_ == 0) {
    finish_cycle();
    if (char* object = space.allocate(granules)) return object;
  }
  const bool was_full = cause && !last_.minor && !last_.abandoned;
  if (!may_collect) {
    overdue_ = true;
  } else if (!was_full && !is_collecting_in_vain()) {
    collect_for_room(Cause::full);
    if (char* object = space.allocate(granules)) return object;
  }
  if (char* object = allocate_by_growing(granules, heap_.options.heap_max, error)) return object;
  // There may still be room in windows of other sizes, in dead runs that are short, and in
  // quarantine.
  space.retire();
  space.empty_quarantine();
  if (char* object = space.allocate(granules)) return object;
  if (error.code != Errc::heap_limit) return nullptr;
  error.used = space.used_bytes();
  if (!may_collect) {
    error.detail = "heap_max, and no collection is allowed here";
  } else if (space.free_list().free_bytes() >= error.bytes) {
    error.detail = "heap_max; what is free lies in smaller holes";
  }
  return nullptr;
}

bool Collector::safepoint() noexcept {
  if (forbidden_ != 0) return true;
  const std::uint64_t number = last_.number;
  pace_cycle(true);
  if (last_.number != number && last_.abandoned) return false;
  const std::optional<Cause> cause = due();
  return !cause || collect(*cause);
}

bool Collector::allow_collections() noexcept {
  if (forbidden_ == 0) return false;
  --forbidden_;
  meet_what_is_due();
  return true;
}

/// Windows would let the mutator go on for long without asking.
void Collector::meet_what_is_due() noexcept {
  if (forbidden_ == 0 && !is_collecting() && due()) heap_.space->interrupt();
}

Error Collector::add_external(std::uint64_t bytes) noexcept {
  const bool was_due = pacer_.external_is_due();
  if (!pacer_.add_external(bytes)) {
    return {.code = Errc::heap_limit,
            .bytes = bytes,
            .limit = ~pacer_.external(),
            .detail = "external bytes in 64 bits"};
  }
  if (!was_due && pacer_.external_is_due()) meet_what_is_due();
  return {};
}

Error Collector::remove_external(std::uint64_t bytes) noexcept {
  if (pacer_.remove_external(bytes)) return {};
  return {.code = Errc::unbalanced,
          .bytes = bytes,
          .limit = pacer_.external(),
          .detail = "external bytes that were added"};
}

char* Collector::allocate_by_growing(std::uint32_t granules, std::uint64_t limit,
                                     Error& error) noexcept {
  Space& space = *heap_.space;
  const std::uint64_t bytes = std::uint64_t{granules} << kGranuleShift;
  error = {.code = Errc::heap_limit, .bytes = bytes, .limit = limit, .detail = "heap_max"};
  while (space.capacity() < limit) {
    std::uint64_t wanted = Pacer::next_capacity(space.capacity(), bytes, limit);
    error = space.grow(wanted);
    if (error) {
      // The system may still have what is needed, if not what is wished for.
      wanted = std::min(
          limit, (space.capacity() + bytes + Arena::kStep - 1) / Arena::kStep * Arena::kStep);
      error = space.grow(wanted);
    }
    if (error) return nullptr;
    log_.log(LogLevel::debug, "grown to %" PRIu64 " bytes", space.capacity());
    if (char* object = space.allocate(granules)) return object;
    error = {.code = Errc::heap_limit, .bytes = bytes, .limit = limit, .detail = "heap_max"};
  }
  return nullptr;
}

bool Collector::collect(Cause cause) noexcept {
  stop_watching();
  give_up_cycle();
  const Zeal& zeal = heap_.options.zeal;
  if (zeal.verify) verify_or_abort("before");
  Busy busy(*this, Phase::marking);
  begin_stats(cause, is_minor(cause));
  heap_.space->conceal_unused();
  Cards cards = heap_.space->cards();
  if (cards.recording()) remembered_.mark(cards, heap_.space->free_list());
  const bool checks_stores = cards.recording() && (zeal.verify || zeal.collect_every != 0);
  if (checks_stores && has_old_objects()) check_stores(&cards, "before");
  mark(current_);
  conclude(busy, false);
  if (zeal.verify) verify_or_abort("after");
  return !last_.abandoned;
}

void Collector::begin_stats(Cause cause, bool minor) noexcept {
  current_ = {};
  current_.number = last_.number + 1;
  current_.cause = cause;
  current_.minor = minor;
  begun_ns_ = now_ns();
  heap_.space->retire();
  count_dead();
  cut_objects_ = cut_bytes_ = born_ = 0;
}

/// All that comes after marking.
void Collector::conclude(Busy& busy, bool ends_cycle) noexcept {
  CollectionStats& stats = current_;
  const Zeal& zeal = heap_.options.zeal;
  if (!stats.abandoned) {
    const std::uint64_t marked_at = now_ns();
    heap_.roots->run_hooks(MarkView(*heap_.space, marker_.marks(), stats.minor));
    settle(stats);
    if (!stats.abandoned) remembered_.forget_dead(marker_.marks());
    stats.weak_ns = now_ns() - marked_at;
  }
  busy.enter(Phase::sweeping);
  if (!stats.abandoned) {
    release_dead(stats);
    const bool checks_stores =
        heap_.space->cards().recording() && (zeal.verify || zeal.collect_every != 0);
    if (stats.minor && checks_stores) check_stores(nullptr, "in");
    if (ends_cycle && (zeal.verify || zeal.collect_every != 0)) check_cycle();
    free_unmarked(stats);
  } else {
    keep_all(stats);
  }
  account(stats);
  busy.enter(Phase::reporting);
  report(stats);
  busy.leave();
}

void Collector::free_unmarked(CollectionStats& stats) noexcept {
  const std::uint64_t swept_from = now_ns();
  Space& space = *heap_.space;
  space.reveal_unused();
  const std::uint64_t used = space.used_bytes();
  if (stats.minor) {
    stats.freed_objects = sweep_young(space, marker_.marks(), marker_.end());
    stats.live_objects = live_objects_ + marker_.marked();
    stats.live_bytes = space.used_bytes();
  } else {
    stats.live_objects = marker_.marked() + born_;
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
  const std::uint64_t born = heap_.space->handed_out() - handed_out_at_begin_;
  return born + marker_.marked_bytes() - std::min(marker_.marked_bytes(), cut_bytes_);
}

/// After a full collection allocation sweeps. At once it is done for who collects on purpose or
/// looks for faults, and in a generational heap, where the next minor collection would have to wait
/// for it.
void Collector::sweep_old(const CollectionStats& stats) noexcept {
  Space& space = *heap_.space;
  const bool generational = heap_.options.generational;
  space.young_lines().clear();
  marks_are_clear_ = !generational;
  counts_dead_ = true;
  const Zeal& zeal = heap_.options.zeal;
  if (generational || stats.cause == Cause::requested || zeal.collect_every != 0 || zeal.poison ||
      space.quarantine().is_on()) {
    sweep_all(space, marker_.marks(), marker_.end(), generational);
  } else {
    space.begin_sweep(marker_.marks().words(), marker_.end(), false);
  }
}

void Collector::account(CollectionStats& stats) noexcept {
  note_stop();
  stats.external = pacer_.external();
  if (!stats.minor) overdue_ = false;
  if (stats.cause == Cause::zeal) until_zeal_ = heap_.options.zeal.collect_every;
  last_ = stats;
  handed_out_then_ = heap_.space->handed_out();
  if (!stats.minor) handed_out_at_full_ = handed_out_then_;
  live_objects_ = stats.live_objects;
  ++totals_.collections;
  if (stats.abandoned) ++totals_.abandoned;
  totals_.pause_ns += stats.pause_ns;
  totals_.freed_bytes += stats.freed_bytes;
  totals_.freed_objects += stats.freed_objects;
  totals_.released += stats.released;
}

/// When somebody asks, or at the next collection, by which time the sweep has counted them.
void Collector::count_dead() noexcept {
  if (!counts_dead_ || heap_.space->is_concealed()) return;
  counts_dead_ = false;
  last_.freed_objects = heap_.space->dead_objects() - cut_objects_;
  totals_.freed_objects += last_.freed_objects;
}

/// When all accounts are done: a sink or listener may jump out.
void Collector::report(const CollectionStats& stats) noexcept {
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

void Collector::note_stop() noexcept {
  const std::uint64_t stop = now_ns() - begun_ns_;
  current_.pause_ns += stop;
  totals_.pause_max_ns = std::max(totals_.pause_max_ns, stop);
}

/// Roots, and what is handed out or about to be.
void Collector::mark_roots(CollectionStats& stats) noexcept {
  marker_.begin(*heap_.space, types_, stats.minor || marks_are_clear_);
  marks_are_clear_ = false;
  handed_out_at_begin_ = heap_.space->handed_out();
  TraceVisitor visitor(marker_);
  // Who collects on purpose has rooted what is to stay.
  if (stats.cause == Cause::requested) heap_.newest = 0;
  marker_.mark_root(heap_.newest);
  heap_.roots->each(
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

/// What is weak forgets the dead before any of them comes back to life for its finalizer; what is
/// first reached by those is settled in turn. A callback may still give up, or jump out: what was
/// cleared stays so, and what became ready is.
void Collector::settle(CollectionStats& stats) noexcept {
  marker_.clear_weak_slots();
  std::uint64_t cleared = 0;
  heap_.roots->weak_handles().each([&](HandleSlot& slot) {
    if (slot.ref == 0 || marker_.is_live(slot.ref)) return;
    slot.ref = 0;
    ++cleared;
  });
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
  stats.weak_cleared += cleared;
}

/// What goes before the sweep: the hooks of the dead run.
void Collector::release_dead(CollectionStats& stats) noexcept {
  const std::uint64_t begun = now_ns();
  shrink_tables(stats);
  const Releaser::Counts released = releaser_.release(*heap_.space, types_, &marker_.marks());
  stats.bad_headers += released.bad_headers;
  stats.released = released.released;
  stats.weak_ns += now_ns() - begun;
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
    pacer_.note_collection(stats.live_bytes, used_before);
    nursery_.note_full(pacer_.budget() - std::min(pacer_.budget(), stats.live_bytes),
                       marker_.work());
  }
  if (!stats.minor) give_back(stats);
  note_holes(stats);
}

/// Not after a minor collection: what it freed is used again before the next full one.
void Collector::give_back(CollectionStats& stats) noexcept {
  Space& space = *heap_.space;
  constexpr std::uint64_t kWorthACall = 1 << 20;
  const std::uint64_t kept = pacer_.kept_bytes(stats.cause == Cause::requested);
  if (space.resident_bytes() <= kept + kWorthACall) return;
  if (stats.cause == Cause::requested) {
    stats.returned = space.discard_all();
    marker_.marks().discard_zeros_below(space.untouched() >> kGranuleShift);
  } else {
    stats.returned = space.discard_holes(64 << 10, space.resident_bytes() - kept);
  }
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
  return cause == Cause::nursery || (cause == Cause::zeal && last_.number % 4 != 0);
}

/// With `cards` before marking, else after it.
void Collector::check_stores(const Cards* cards, const char* when) noexcept {
  DamageReport report(log_, when, current_.number);
  find_missed_stores(*heap_.space, types_, marker_.marks(), cards, report.sink());
  report.abort_if_any();
}

void Collector::verify_or_abort(const char* when) noexcept {
  DamageReport report(log_, when, last_.number + 1);
  verify(report.sink());
  report.abort_if_any();
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
  count_dead();
  marks_are_clear_ = false;
  heap_.space->reset();
  live_objects_ = 0;
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
  count_dead();
  return last_;
}

HeapStats Collector::stats() noexcept {
  count_dead();
  const Space& space = *heap_.space;
  HeapStats stats = totals_;
  stats.capacity = space.capacity();
  stats.used = space.used_bytes();
  stats.external = pacer_.external();
  stats.committed = space.arena().committed();
  stats.reserved = space.arena().reserved();
  stats.table_reserved = space.table_bytes() + marker_.table_bytes() + releaser_.table_bytes();
  stats.table_bytes = table_bytes_used(stats.table_reserved);
  stats.allocated = space.handed_out();
  return stats;
}

}  // namespace detail
}  // namespace besom
