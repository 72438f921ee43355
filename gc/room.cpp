/// Room for what the windows could not serve: when to collect, and when to grow instead.

#include <algorithm>
#include <cinttypes>

#include "gc/collector.hpp"
#include "gc/observer.hpp"

namespace besom::detail {
namespace {

/// For smaller objects, up to 64 KiB, an incremental heap grows rather than that it sweeps much.
constexpr std::uint32_t kMostInSteps = (64 << 10) / kGranuleBytes;

}  // namespace

std::uint64_t Collector::growth_limit() const noexcept {
  if (accounts_.allocated_since_full() < pacer_.worth_bytes()) return heap_.options.heap_max;
  return cycle_.is_marking() ? most_in_cycle() : pacer_.budget();
}

std::uint64_t Collector::most_in_cycle() const noexcept {
  const std::uint64_t grown = std::max(pacer_.budget(), used_at_begin_);
  return std::min(heap_.options.heap_max, grown + grown / 2);
}

std::optional<Cause> Collector::due() const noexcept {
  // The cycle sees to it, and under zeal does a slice each time.
  if (cycle_.state() != Cycle::State::off) return {};
  if (until_zeal_ == 1 && (!heap_.options.incremental || is_minor(Cause::zeal))) return Cause::zeal;
  if (overdue_) return Cause::full;
  if (pacer_.external_is_due()) return Cause::external;
  if (is_full_due()) return Cause::pace;
  const bool by_nursery = is_paced_by_nursery();
  if (accounts_.allocated_since_collection() < (by_nursery ? nursery_.bytes() : pacer_.pace()))
    return {};
  return by_nursery ? Cause::nursery : Cause::pace;
}

char* Collector::allocate(std::uint32_t granules, Error& error) noexcept {
  stop_watching();
  if (char* object = find_room(granules, error)) return object;
  note_refusal();
  if (!ask_embedder(error)) return refuse(error);
  stop_watching();
  refusal_.forget();
  if (char* object = find_room(granules, error)) return object;
  note_refusal();
  return refuse(error);
}

/// The embedder who is asked may still make room for what is refused meanwhile.
char* Collector::refuse(const Error& error) noexcept {
  if (heap_.observer != nullptr && !is_asking_) heap_.observer->at_limit(error);
  return nullptr;
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
  if (char* object = allocate_by_searching(granules)) return object;
  if (char* object = allocate_in_cycle(granules, may_collect, error)) return object;
  const bool was_full = cause && !accounts_.last().minor && !accounts_.last().abandoned;
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
  const std::uint64_t number = accounts_.last().number;
  pace_cycle(true);
  if (accounts_.last().number != number && accounts_.last().abandoned) return false;
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
  if (forbidden_ != 0 || is_collecting()) return;
  const bool is_on = cycle_.state() != Cycle::State::off;
  const bool is_due = heap_.options.incremental ? is_on || is_cycle_due() : due().has_value();
  if (is_due) heap_.space->interrupt();
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

/// By no more than that one object needs.
char* Collector::allocate_by_growing_a_little(std::uint32_t granules,
                                              std::uint64_t limit) noexcept {
  Space& space = *heap_.space;
  const std::uint64_t bytes = std::uint64_t{granules} << kGranuleShift;
  const std::uint64_t wanted =
      (space.capacity() + bytes + Arena::kStep - 1) / Arena::kStep * Arena::kStep;
  if (wanted > limit || space.grow(wanted)) return nullptr;
  return space.allocate(granules);
}

/// What is left to sweep may have a hole that is large enough. An incremental heap grows rather
/// than that it searches all of it in one stop: each allocation goes on with that. Until all is
/// searched objects of up to 64 KiB come to a part in thirty of the arena; larger ones have to keep
/// within what a cycle may take.
char* Collector::allocate_by_searching(std::uint32_t granules) noexcept {
  Space& space = *heap_.space;
  if (!heap_.options.incremental || !space.has_unsearched()) return nullptr;
  const std::uint64_t limit = granules <= kMostInSteps ? heap_.options.heap_max : most_in_cycle();
  if (char* object = allocate_by_growing_a_little(granules, limit)) return object;
  while (space.has_unsearched()) {
    if (char* object = space.allocate(granules)) return object;
  }
  return nullptr;
}

/// The heap grows beyond its budget rather than that it stops for a whole collection: only where it
/// cannot, a cycle ends at once.
char* Collector::allocate_in_cycle(std::uint32_t granules, bool may_begin, Error& error) noexcept {
  if (!heap_.options.incremental || forbidden_ != 0) return nullptr;
  Space& space = *heap_.space;
  if (!cycle_.is_marking()) {
    if (!may_begin || is_collecting_in_vain()) return nullptr;
    if (cycle_.state() == Cycle::State::off) prepare_cycle();
    if (space.capacity() >= most_in_cycle()) return nullptr;
    // What is left is swept by the allocations that come, where these take less than they sweep.
    if (!space.is_swept() && granules <= kMostInSteps) {
      if (char* object = allocate_by_growing_a_little(granules, most_in_cycle())) return object;
    }
    space.sweep_some(~std::uint32_t{0});
    begin_cycle(Cause::full);
  }
  if (char* object = space.allocate(granules)) return object;
  if (char* object = allocate_by_growing(granules, growth_limit(), error)) return object;
  if (cycle_.is_marking()) finish_cycle();
  if (char* object = space.allocate(granules)) return object;
  return allocate_by_growing(granules, growth_limit(), error);
}

Error Collector::add_external(std::uint64_t bytes) noexcept {
  const bool was_due = pacer_.external_is_due();
  if (!pacer_.add_external(bytes)) {
    return {.code = Errc::heap_limit,
            .bytes = bytes,
            .limit = ~pacer_.external(),
            .detail = "external bytes in 64 bits"};
  }
  // Bytes that were taken away since then leave nothing to compare with.
  const bool is_slice_due =
      heap_.options.incremental &&
      (external_seen_ > pacer_.external() ||
       pacer_.external() - external_seen_ >= pacer_.external_room() / kSlicesOfExternal);
  if ((!was_due && pacer_.external_is_due()) || is_slice_due) meet_what_is_due();
  return {};
}

Error Collector::remove_external(std::uint64_t bytes) noexcept {
  if (pacer_.remove_external(bytes)) return {};
  return {.code = Errc::unbalanced,
          .bytes = bytes,
          .limit = pacer_.external(),
          .detail = "external bytes that were added"};
}

}  // namespace besom::detail
