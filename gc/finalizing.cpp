/// What happens to objects beside being freed: finalizers outside of collections, release hooks,
/// tables that get smaller, and the side tables that weak and released types take.

#include <utility>

#include "gc/collector.hpp"
#include "gc/finalizer_table.hpp"
#include "gc/weak_tables.hpp"
#include "heap/load_once.hpp"

namespace besom::detail {

bool Collector::collect_on_request() noexcept {
  if (heap_.finalizers_->running() == 0) return collect(Cause::requested);
  collect_deferred_ = true;
  return true;
}

std::uint64_t Collector::run_finalizers(FinalizerRunner runner, std::uint64_t count) noexcept {
  FinalizerTable& finalizers = *heap_.finalizers_;
  for (std::uint64_t run = 0; run < count; ++run) {
    const GuardianQueue* guardian = finalizers.begin_call();
    if (guardian == nullptr) return run;  // a guardian went meanwhile
    char* agent = heap_.space_.base() + finalizers.running();
    ++totals_.finalizers_run;
    if (!runner(guardian->callback, guardian->user, heap_, agent)) ++totals_.finalizers_failed;
    finalizers.finish_call();
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

Error Collector::prepare_weak() noexcept {
  const HeapOptions& options = heap_.options_;
  const System& system = options.system != nullptr ? *options.system : operating_system();
  return marker_.prepare_weak(options.heap_max, system);
}

Error Collector::prepare(const TypeDescriptor& descriptor) noexcept {
  if (descriptor.is_weak() || descriptor.is_table) {
    if (Error error = prepare_weak()) return error;
  }
  if (descriptor.release == nullptr) return {};
  const HeapOptions& options = heap_.options_;
  const System& system = options.system != nullptr ? *options.system : operating_system();
  return releaser_.prepare(options.heap_max, system);
}

void Collector::shrink_tables(const CollectionStats& stats) noexcept {
  marker_.take_tables([&](std::uint32_t index, std::uint32_t extent) {
    if (stats.minor || table_walks_ != 0 || extent < sizeof(EntryTable)) return;
    shrink_table(*reinterpret_cast<EntryTable*>(heap_.space_.base() + index));
  });
}

/// The end that is cut off has no mark: the sweep frees it. Both objects may have been overwritten.
void Collector::shrink_table(EntryTable& table) noexcept {
  Space& space = heap_.space_;
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
  const std::uint32_t kept = table.shrink(*reinterpret_cast<Array<Entry>*>(array), header.length,
                                          KeyHash(heap_.options_.hash_seed));
  const auto granules =
      static_cast<std::uint32_t>((type->size_bytes(kept) + kGranuleBytes - 1) >> kGranuleShift);
  if (kept == header.length || to_bytes(granules) >= run.size_bytes) return;
  space.cut_object(index, to_bytes(granules));
  ++cut_off_;
}

void Collector::release_all() noexcept {
  BESOM_CHECK(heap_.finalizers_->running() == 0, "heap destroyed inside a finalizer: its agent",
              heap_.finalizers_->running(), 0);
  if (!releaser_.is_used()) return;
  Busy busy(*this, Phase::sweeping);
  heap_.space_.retire_windows();
  totals_.released += releaser_.release(heap_.space_, types_, nullptr).released;
  busy.leave();
}

}  // namespace besom::detail
