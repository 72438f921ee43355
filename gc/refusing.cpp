/// What comes before an allocation is refused: whether another collection could make room, and the
/// embedder, who may drop something.

#include "gc/collector.hpp"
#include "gc/roots/root_walks.hpp"
#include "gc/weak/finalizer_table.hpp"

namespace besom::detail {

/// What all roots hold, as one number. What only callbacks know is asked of them, as verify() does.
std::uint64_t Collector::fingerprint_of_roots() noexcept {
  Busy busy(*this, Phase::reading);
  constexpr std::uint64_t kOdd = 0x9e3779b97f4a7c15;
  // Not 0: what is the newest and the first root as well would cancel itself out.
  std::uint64_t hash = kOdd;
  const auto add = [&](std::uint32_t ref) { hash = (hash ^ (hash >> 29) ^ ref) * kOdd; };
  add(heap_.newest);
  const Addresses addresses(*heap_.space);
  heap_.roots->each_labelled(addresses, [&](const LabelledRoot& root) { add(root.bits); });
  heap_.finalizers->each([&](std::uint32_t ref, const char*, bool is_kept) {
    if (is_kept) add(ref);
  });
  busy.leave();
  return hash;
}

/// Where a full collection left no room and nothing changed since, the next would leave none.
bool Collector::is_collecting_in_vain() noexcept {
  if (!refusal_.is_of(accounts_.last().number)) return false;
  // What windows hold passes for handed out.
  heap_.space->retire();
  return accounts_.allocated_since_collection() == 0 && refusal_.stands(fingerprint_of_roots());
}

/// A full collection may have been made for this request, and left no room for it.
void Collector::note_refusal() noexcept {
  if (!may_allocation_collect() || accounts_.last().minor || accounts_.last().abandoned) return;
  if (!refusal_.is_of(accounts_.last().number)) {
    heap_.space->retire();
    refusal_.note(accounts_.last().number, fingerprint_of_roots());
  }
  Cards cards = heap_.space->cards();
  if (!heap_.options.generational) cards.start_recording(heap_.options.heap_max);
  watches_stores_ = true;
}

/// The space takes a heap whose cards record for a generational one.
void Collector::stop_watching() noexcept {
  if (!watches_stores_) return;
  watches_stores_ = false;
  Cards cards = heap_.space->cards();
  const auto end =
      static_cast<std::uint32_t>((heap_.space->capacity() + Cards::kBytes - 1) >> Cards::kShift);
  if (cards.next_marked(0, end) != end) refusal_.forget();
  if (heap_.options.generational) return;
  cards.unmark(end);
  cards.stop_recording(heap_.options.heap_max);
}

/// Whether the embedder wants the request to be tried again.
bool Collector::ask_embedder(const Error& refusal) noexcept {
  const HeapOptions& options = heap_.options;
  if (options.near_limit == nullptr || is_asking_ || !may_allocation_collect()) return false;
  is_asking_ = true;
  const std::uint64_t recoveries = recoveries_;
  const bool again = options.near_limit(options.near_limit_user, *heap_.roots->heap(), refusal);
  BESOM_CHECK(recoveries == recoveries_,
              "recover() called by a callback that then returned: recoveries before, now",
              recoveries, recoveries_);
  is_asking_ = false;
  return again;
}

}  // namespace besom::detail
