/// What happens to objects beside being freed: finalizers outside of collections, release hooks,
/// tables that get smaller, and the side tables that weak and released types take.

#include <utility>

#include "besom/heap.hpp"
#include "besom/weak_tables.hpp"
#include "gc/collector.hpp"
#include "gc/weak/finalizer_table.hpp"
#include "heap/load_once.hpp"

namespace besom::detail {
namespace {

/// Entries of a table that a cycle puts in new places. That is done at once, so a larger one waits
/// for the program's next put, or for a collection that stops the program anyway.
constexpr std::uint32_t kMostShrunkInCycle = 4096;

}  // namespace

bool Collector::collect_on_request() noexcept {
  if (!is_in_finalizer()) return collect(Cause::requested);
  collect_deferred_ = true;
  return true;
}

/// Not inlined: its frame tells whether a finalizer was left.
__attribute__((noinline)) Result<std::uint64_t> Collector::run_finalizers(
    FinalizerRunner runner, std::uint64_t count) noexcept {
  FinalizerTable& finalizers = *heap_.finalizers;
  RootTable& roots = *heap_.roots;
  ShadowStack& locals = roots.locals();
  const std::uint32_t open_scopes = locals.open_scopes();
  for (std::uint64_t run = 0; run < count; ++run) {
    GuardianQueue* guardian = finalizers.first_callable();
    if (guardian == nullptr) return run;  // a guardian went meanwhile
    LocalSlot* slot = locals.push(0);
    if (slot == nullptr) {
      if (run != 0) return run;
      return Error{.code = Errc::out_of_host_memory, .detail = "agent of a finalizer"};
    }
    slot->ref = finalizers.take(*guardian).agent;
    char* agent = heap_.space->base() + slot->ref;
    const FinalizerCall call{.place = locals.place_of(slot),
                             .serial = slot->serial,
                             .locals = &locals,
                             .frame = static_cast<const char*>(__builtin_frame_address(0)),
                             .open_scopes = open_scopes};
    const FinalizerCall outer = std::exchange(finalizer_, call);
    ++accounts_.totals().finalizers_run;
    if (!runner(guardian->callback, guardian->user, *roots.heap(), agent))
      ++accounts_.totals().finalizers_failed;
    const bool is_back = &roots.locals() == &locals;
    BESOM_CHECK(
        is_back && roots.unwind(call.place, call.serial, open_scopes),
        "finalizer returned after restore_locals() or recover() had ended it, or on another "
        "fiber: its agent, whether it is back on its fiber",
        index_of(agent), is_back);
    finalizer_ = outer;
    if (!std::exchange(collect_deferred_, false)) continue;
    // The finalizer may have forbidden collections since it asked for one.
    if (forbidden_ == 0) {
      collect(Cause::requested);
    } else {
      overdue_ = true;
    }
  }
  return count;
}

bool Collector::has_agent() const noexcept {
  if (finalizer_.serial == 0) return false;
  const LocalSlot* slot = heap_.roots->find_local(finalizer_.place);
  return slot != nullptr && slot->serial == finalizer_.serial;
}

bool Collector::is_in_finalizer() const noexcept { return !finalizer_.is_doubted && has_agent(); }

/// Whatever was called by the finalizer's caller lies below its frame, on the same stack.
bool Collector::is_known_left(const char* frame) const noexcept {
  return &heap_.roots->locals() == finalizer_.locals && frame >= finalizer_.frame;
}

void Collector::check_no_finalizer(const char* frame) const noexcept {
  BESOM_CHECK(!has_agent() || is_known_left(frame),
              "heap destroyed inside a finalizer: the frame of its caller, of the destruction",
              reinterpret_cast<std::uintptr_t>(finalizer_.frame),
              reinterpret_cast<std::uintptr_t>(frame));
}

void Collector::end_finalizer() noexcept {
  if (has_agent()) heap_.roots->drop_local(finalizer_.place, finalizer_.open_scopes);
  finalizer_ = {};
  overdue_ = std::exchange(collect_deferred_, false) || overdue_;
}

void Collector::note_restored() noexcept {
  if (finalizer_.serial != 0 && !has_agent()) end_finalizer();
}

/// A jump may also have landed inside the finalizer, or in a function that was called deeper than
/// run_finalizers() was: these look alike. Then the finalizer keeps its agent, as if it ran, and
/// keeps nobody from anything, as if it did not. If it returns all is well.
void Collector::recover_finalizer(const char* frame) noexcept {
  if (finalizer_.serial == 0) return;
  if (!has_agent() || is_known_left(frame)) {
    end_finalizer();
  } else {
    finalizer_.is_doubted = true;
    overdue_ = std::exchange(collect_deferred_, false) || overdue_;
  }
}

TableWalk::TableWalk(const Heap& heap) noexcept : collector_(*parts_of(heap).collector) {
  collector_.begin_table_walk();
}

TableWalk::~TableWalk() { collector_.end_table_walk(); }

Error prepare_agents(HeapParts& heap) noexcept { return heap.collector->prepare_weak(); }

Error Collector::prepare_weak() noexcept {
  const HeapOptions& options = heap_.options;
  const System& system = options.system != nullptr ? *options.system : operating_system();
  return marker_.prepare_weak(options, system);
}

Error Collector::prepare(const TypeDescriptor& descriptor) noexcept {
  if (descriptor.is_weak() || descriptor.is_table) {
    if (Error error = prepare_weak()) return error;
  }
  if (descriptor.release == nullptr) return {};
  const HeapOptions& options = heap_.options;
  const System& system = options.system != nullptr ? *options.system : operating_system();
  return releaser_.prepare(options.heap_max, system);
}

/// Until the marker's work comes to `limit`. True when no table is left.
bool Collector::shrink_tables(std::uint64_t limit) noexcept {
  const bool is_minor = accounts_.current().minor;
  return marker_.take_tables(limit, [&](std::uint32_t index, std::uint32_t extent) {
    if (is_minor || table_walks_ != 0 || extent < sizeof(EntryTable)) return;
    shrink_table(*reinterpret_cast<EntryTable*>(heap_.space->base() + index));
  });
}

/// The end that is cut off has no mark: the sweep frees it. Both objects may have been overwritten.
void Collector::shrink_table(EntryTable& table) noexcept {
  Space& space = *heap_.space;
  const auto index = load_once<std::uint32_t>(&table.entries);
  if (!marker_.is_live(index)) return;
  const Run run = space.free_list().run_at(index);
  char* array = space.base() + index;
  const Header header = load_header(array);
  const TypeInfo* type = checked_type(types_, header, run.size_bytes);
  if (type == nullptr || type->trailing < Trailing::ephemerons ||
      type->fixed_bytes != sizeof(Header)) {
    return;
  }
  if (marker_.is_incremental() && header.length > kMostShrunkInCycle) return;
  marker_.add_work(header.length);
  const std::uint32_t kept = table.shrink(*reinterpret_cast<Array<Entry>*>(array), header.length,
                                          KeyHash(heap_.options.hash_seed));
  const auto granules =
      static_cast<std::uint32_t>((type->size_bytes(kept) + kGranuleBytes - 1) >> kGranuleShift);
  if (kept == header.length || to_bytes(granules) >= run.size_bytes) return;
  space.cut_object(index, to_bytes(granules));
  // Of an array that was allocated while a cycle marks, each granule is marked.
  marker_.marks().clear(to_granules(index) + granules);
  accounts_.note_cut(run.size_bytes - to_bytes(granules));
}

void Collector::release_all() noexcept {
  give_up_cycle();
  if (!releaser_.is_used()) return;
  Busy busy(*this, Phase::sweeping);
  heap_.space->retire();
  accounts_.totals().released += releaser_.release(*heap_.space, types_, nullptr).released;
  busy.leave();
}

}  // namespace besom::detail
