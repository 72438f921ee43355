#include "gc/collector.hpp"

#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <new>

#include "gc/root_table.hpp"

namespace besom {

const char* name_of(Cause cause) noexcept {
  switch (cause) {
    case Cause::requested:
      return "requested";
    case Cause::full:
      return "full";
    case Cause::pace:
      return "pace";
    case Cause::nursery:
      return "nursery";
    case Cause::zeal:
      return "zeal";
  }
  return "unknown";
}

namespace detail {
namespace {

std::uint64_t now_ns() {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                        std::chrono::steady_clock::now().time_since_epoch())
                                        .count());
}

}  // namespace

Result<std::unique_ptr<Collector>> Collector::create(Heap& heap, LogSink log) {
  const HeapOptions& options = heap.options_;
  const System& system = options.system != nullptr ? *options.system : operating_system();
  Result<Marker> marker = Marker::create(options.heap_max, options.mark_stack, system);
  if (!marker) return marker.error();
  std::unique_ptr<Collector> collector(new (std::nothrow) Collector(heap, std::move(*marker), log));
  if (collector == nullptr) {
    return Error{.code = Errc::out_of_host_memory, .detail = "collector"};
  }
  if (Error error = heap.space_.grow(collector->pacer_.initial())) return error;
  heap.space_.set_poison(options.zeal.poison);
  collector->until_zeal_ = options.zeal.collect_every;
  if (options.zeal.collect_every != 0 || options.zeal.poison) heap.space_.disable_windows();
  return collector;
}

bool Collector::is_own_thread() const noexcept { return thread_ == this_thread(); }
void Collector::attach_thread() noexcept {
  thread_ = this_thread();
  heap_.roots_->set_thread(thread_);
}

std::uint64_t Collector::allocated_since_collection() const noexcept {
  const std::uint64_t used = heap_.space_.used_bytes();
  return used > used_after_collection_ ? used - used_after_collection_ : 0;
}

char* Collector::allocate(std::uint32_t granules, Error& error) noexcept {
  bool collected = false;
  const std::uint64_t due =
      nursery_.is_on() ? std::min(pacer_.pace(), nursery_.bytes()) : pacer_.pace();
  if (until_zeal_ != 0 && --until_zeal_ == 0) {
    until_zeal_ = heap_.options_.zeal.collect_every;
    collect(Cause::zeal);
    collected = true;
  } else if (allocated_since_collection() >= due) {
    collect(due == pacer_.pace() ? Cause::pace : Cause::nursery);
    collected = true;
  }
  if (char* object = heap_.space_.allocate(granules)) return object;
  if (char* object = allocate_by_growing(granules, pacer_.budget(), error)) return object;
  if (!collected) {
    collect(Cause::full);
    if (char* object = heap_.space_.allocate(granules)) return object;
  }
  return allocate_by_growing(granules, heap_.options_.heap_max, error);
}

char* Collector::allocate_by_growing(std::uint32_t granules, std::uint64_t limit,
                                     Error& error) noexcept {
  Space& space = heap_.space_;
  const std::uint64_t bytes = std::uint64_t{granules} << kGranuleShift;
  error = {.code = Errc::heap_limit, .bytes = bytes, .limit = limit, .detail = "heap_max"};
  while (space.capacity() < limit) {
    std::uint64_t wanted = Pacer::next_capacity(space.capacity(), bytes, limit);
    error = space.grow(wanted);
    if (error) {
      // The system may still have what is needed, if not what is wished for.
      wanted = std::min(
          limit, (space.capacity() + bytes + Arena::kPage - 1) / Arena::kPage * Arena::kPage);
      error = space.grow(wanted);
    }
    if (error) return nullptr;
    log_.log(LogLevel::debug, "grown to %" PRIu64 " bytes", space.capacity());
    if (char* object = space.allocate(granules)) return object;
    error = {.code = Errc::heap_limit, .bytes = bytes, .limit = limit, .detail = "heap_max"};
  }
  return nullptr;
}

void Collector::collect(Cause cause) noexcept {
  const Zeal& zeal = heap_.options_.zeal;
  if (zeal.verify) verify_or_abort("before");
  collecting_ = true;
  heap_.roots_->set_locked(true);
  CollectionStats stats;
  stats.number = last_.number + 1;
  stats.cause = cause;
  stats.minor = is_minor(cause);
  const std::uint64_t begun = now_ns();
  heap_.space_.retire_windows();
  mark(stats);
  const std::uint64_t swept_from = now_ns();
  if (stats.minor && (zeal.verify || zeal.collect_every != 0)) {
    abort_with(find_missed_stores(heap_.space_, types_, marker_.marks()), "in");
  }
  const SweepResult swept =
      sweep(heap_.space_, marker_.marks(), marker_.end(), zeal.poison, stats.minor);
  stats.live_objects = stats.minor ? live_objects_ + marker_.marked() : swept.live_objects;
  stats.freed_objects = swept.freed_objects;
  stats.freed_bytes = swept.freed_bytes;
  stats.sweep_ns = now_ns() - swept_from;
  finish(stats);
  stats.pause_ns = now_ns() - begun;

  last_ = stats;
  totals_.allocated += stats.live_bytes + stats.freed_bytes - used_after_collection_;
  used_after_collection_ = stats.live_bytes;
  live_objects_ = stats.live_objects;
  ++totals_.collections;
  totals_.pause_ns += stats.pause_ns;
  totals_.pause_max_ns = std::max(totals_.pause_max_ns, stats.pause_ns);
  totals_.freed_bytes += stats.freed_bytes;
  totals_.freed_objects += stats.freed_objects;
  log_.log(LogLevel::info,
           "%scollection %" PRIu64 " (%s): %" PRIu64 " KiB in %" PRIu64 " objects live, %" PRIu64
           " KiB freed, %" PRIu64 " us",
           stats.minor ? "minor " : "", stats.number, name_of(cause), stats.live_bytes >> 10,
           stats.live_objects, stats.freed_bytes >> 10, stats.pause_ns / 1000);
  if (stats.bad_refs != 0 || stats.bad_headers != 0) {
    log_.log(LogLevel::error,
             "collection %" PRIu64 ": %" PRIu64 " bad refs and %" PRIu64
             " bad headers, none followed; verify() names them",
             stats.number, stats.bad_refs, stats.bad_headers);
  }
  if (listener_ != nullptr) listener_(listener_user_, last_);
  heap_.roots_->set_locked(false);
  collecting_ = false;
  if (zeal.verify) verify_or_abort("after");
}

void Collector::mark(CollectionStats& stats) noexcept {
  const std::uint64_t begun = now_ns();
  marker_.begin(heap_.space_, types_, stats.minor);
  TraceVisitor visitor(marker_);
  // Who collects on purpose has rooted what is to stay.
  if (stats.cause == Cause::requested) heap_.newest_ = 0;
  marker_.mark_root(heap_.newest_);
  heap_.roots_->each(visitor, [&](std::uint32_t bits, const char*) { marker_.mark_root(bits); });
  if (heap_.space_.cards().recording()) {
    if (stats.minor) marker_.mark_from_cards(heap_.space_.cards());
    heap_.space_.cards().clear((to_bytes(marker_.end() - 1) >> Cards::kShift) + 1);
  }
  const std::uint64_t marking = now_ns();
  stats.roots_ns = marking - begun;
  marker_.drain();
  stats.mark_ns = now_ns() - marking;
  stats.bad_refs = marker_.findings().bad_refs;
  stats.bad_headers = marker_.findings().bad_headers;
  stats.mark_rescans = marker_.findings().rescans;
  log_.log(LogLevel::debug, "marked in %" PRIu64 " us after %" PRIu64 " us of roots",
           stats.mark_ns / 1000, stats.roots_ns / 1000);
}

/// Accounts, the budget for what follows, and what goes back to the system.
void Collector::finish(CollectionStats& stats) noexcept {
  Space& space = heap_.space_;
  marker_.trim();
  stats.live_bytes = space.used_bytes();
  const std::uint64_t used_before = stats.live_bytes + stats.freed_bytes;
  if (stats.minor) {
    nursery_.note_minor(stats.freed_bytes, marker_.work());
    pacer_.note_minor(stats.live_bytes, used_before);
  } else {
    pacer_.note_collection(stats.live_bytes, used_before);
    nursery_.note_full(pacer_.budget() - std::min(pacer_.budget(), stats.live_bytes),
                       marker_.work());
  }
  space.note_allocated(used_before - used_after_collection_);
  constexpr std::uint64_t kWorthACall = 1 << 20;
  const std::uint64_t kept = pacer_.kept_bytes(stats.cause == Cause::requested);
  if (space.resident_bytes() > kept + kWorthACall) {
    if (stats.cause == Cause::requested) {
      stats.returned = space.discard_all();
      marker_.marks().discard_zeros_below(space.untouched());
    } else {
      stats.returned = space.discard_holes(64 << 10, space.resident_bytes() - kept);
    }
  }
  stats.holes = space.free_list().num_free_blocks();
  stats.largest_hole = space.free_list().largest_free_block();
  stats.committed = space.arena().committed();
  stats.reserved = space.arena().reserved();
  log_.log(LogLevel::debug, "swept in %" PRIu64 " us: %" PRIu64 " holes, largest %" PRIu64,
           stats.sweep_ns / 1000, stats.holes, stats.largest_hole);
}

/// Callbacks run here as they do in a collection, so the same is refused to them.
VerifyReport Collector::verify() {
  collecting_ = true;
  heap_.roots_->set_locked(true);
  heap_.space_.retire_windows();
  VerifyReport report = verify_heap(heap_.space_, types_, *heap_.roots_);
  heap_.roots_->set_locked(false);
  collecting_ = false;
  return report;
}

/// The first collection has no marks to keep. Under zeal three in four are minor.
bool Collector::is_minor(Cause cause) const noexcept {
  if (!heap_.options_.generational || last_.number == 0) return false;
  return cause == Cause::nursery || (cause == Cause::zeal && last_.number % 4 != 0);
}

void Collector::verify_or_abort(const char* when) { abort_with(verify(), when); }

void Collector::abort_with(const VerifyReport& report, const char* when) {
  for (const Defect& defect : report.defects) {
    log_.log(LogLevel::error, "%s collection %" PRIu64 ": %s", when, last_.number + 1,
             defect.message().c_str());
    std::fprintf(stderr, "besom: %s collection %" PRIu64 ": %s\n", when, last_.number + 1,
                 defect.message().c_str());
  }
  BESOM_CHECK(report.ok(), "zeal found the heap damaged: defects, collection",
              report.defects.size(), last_.number + 1);
}

void Collector::reset() noexcept {
  // A mark on what is no object any more would pass for an old one's in the next minor collection.
  const std::uint32_t end = to_granules(heap_.space_.free_list().used_end());
  marker_.marks().clear_below(end);
  if (heap_.space_.cards().recording()) {
    heap_.space_.cards().clear((to_bytes(end - 1) >> Cards::kShift) + 1);
  }
  nursery_ = Nursery(heap_.options_.generational);
  heap_.space_.reset();
  used_after_collection_ = live_objects_ = 0;
  pacer_ = Pacer(heap_.options_);
}

HeapStats Collector::stats() const noexcept {
  const Space& space = heap_.space_;
  HeapStats stats = totals_;
  stats.capacity = space.capacity();
  stats.used = space.used_bytes();
  stats.committed = space.arena().committed();
  stats.reserved = space.arena().reserved();
  stats.table_bytes = space.table_bytes() + marker_.table_bytes();
  stats.allocated += allocated_since_collection();
  return stats;
}

}  // namespace detail
}  // namespace besom
