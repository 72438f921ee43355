#include "inspect/observe/observers.hpp"

#include <new>

#include "gc/clock.hpp"
#include "inspect/observe/profile.hpp"

namespace besom::detail {

namespace {

constexpr Error kRefused{.code = Errc::out_of_host_memory, .detail = "observers"};

/// Whether it can be made.
Error try_file(const OutputName& name, const System& system) noexcept {
  ReplacedFile tried(system);
  return tried.open(name.c_str());
}

}  // namespace

bool Observers::are_wanted(const HeapOptions& options) noexcept {
  return options.stats_at_exit || !options.trace.empty() || !options.record.empty() ||
         !options.snapshot_at_limit.empty() || Sampler::sample_bytes_of(options) != 0;
}

Observers::Observers(HeapParts& heap, const LogSink& log) noexcept
    : heap_(heap), log_(log), process_(process_id()), begun_(now_ns()) {}

Result<std::unique_ptr<Observers>> Observers::create(HeapParts& heap, const LogSink& log) noexcept {
  std::unique_ptr<Observers> observers(new (std::nothrow) Observers(heap, log));
  if (observers == nullptr) return kRefused;
  if (const Error error = observers->open()) return error;
  return observers;
}

/// What cannot be written is to be known now, and not when the run is over.
Error Observers::open() noexcept {
  const HeapOptions& options = heap_.options;
  const System& system = heap_.space->arena().system();
  if (Error error = open_sites()) return error.named("allocation_profile");
  if (!options.snapshot_at_limit.empty()) {
    snapshot_.take(options.snapshot_at_limit);
    if (Error error = try_file(snapshot_, system)) return error.named("snapshot_at_limit");
  }
  if (options.stats_at_exit) {
    table_.reset(new (std::nothrow) ExitTable(heap_, options.sink, begun_));
    if (table_ == nullptr) return kRefused;
  }
  if (!options.trace.empty()) {
    trace_.reset(new (std::nothrow) Trace(system, log_, begun_));
    if (trace_ == nullptr) return kRefused;
    if (const Error error = trace_->open(options.trace)) return error.named("trace");
  }
  if (!options.record.empty()) {
    record_.reset(new (std::nothrow) Record(heap_, sites(), log_, begun_));
    if (record_ == nullptr) return kRefused;
    if (const Error error = record_->open(options.record)) return error.named("record");
  }
  return {};
}

Error Observers::open_sites() noexcept {
  if (Sampler::sample_bytes_of(heap_.options) == 0) return {};
  sampler_.reset(new (std::nothrow) Sampler(heap_));
  if (sampler_ == nullptr || !sampler_->create()) return kRefused;
  if (heap_.options.allocation_profile.empty()) return {};
  profile_.take(heap_.options.allocation_profile);
  return try_file(profile_, heap_.space->arena().system());
}

void Observers::after_stop(StopKind kind, std::uint64_t begin, std::uint64_t end) noexcept {
  if (trace_ != nullptr) trace_->add_stop(kind, begin, end);
  if (record_ != nullptr) record_->add_stop(kind, begin, end);
}

void Observers::after_collection(const CollectionStats& stats) noexcept {
  if (sampler_ != nullptr && !stats.abandoned) sampler_->drop_dead();
  if (table_ != nullptr) table_->add_collection(stats);
  if (trace_ != nullptr) trace_->add_collection(stats);
  if (record_ != nullptr) record_->add_collection(stats);
}

void Observers::at_limit(const Error& refusal) noexcept {
  if (record_ != nullptr) record_->at_limit();
  if (std::exchange(has_met_limit_, true)) return;
  if (!snapshot_.empty() && process_id() == process_) save_snapshot(refusal);
}

void Observers::save_snapshot(const Error& refusal) noexcept {
  char message[160];
  const Result<SnapshotStats> saved = besom::save_snapshot(*heap_.roots->heap(), snapshot_.c_str());
  (saved ? refusal : saved.error()).write_message(message, sizeof message);
  if (saved) {
    log_.log(LogLevel::warn, "%s; the heap is in %s", message, snapshot_.c_str());
  } else {
    log_.log(LogLevel::error, "snapshot %s is not written: %s", snapshot_.c_str(), message);
  }
}

void Observers::at_end() noexcept {
  if (trace_ != nullptr) trace_->end();
  if (record_ != nullptr) record_->end();
  if (process_id() != process_) return;
  if (!profile_.empty()) save_profile();
  if (table_ != nullptr) table_->write(sites());
}

void Observers::after_sample(const AllocationSample& sample) noexcept { sampler_->add(sample); }

void Observers::after_reset() noexcept {
  if (sampler_ != nullptr) sampler_->drop_all();
}

const SiteTable* Observers::sites() const noexcept {
  return sampler_ != nullptr ? &sampler_->sites() : nullptr;
}

void Observers::save_profile() noexcept {
  const SiteTable& sites = sampler_->sites();
  const Error error =
      detail::save_profile(sites, heap_.collector->types(), heap_.space->arena().system(),
                           profile_.c_str(), sites.has_peak() ? ProfileOf::peak : ProfileOf::live);
  if (!error) return;
  char message[160];
  error.write_message(message, sizeof message);
  log_.log(LogLevel::error, "allocation profile %s is not written: %s", profile_.c_str(), message);
}

}  // namespace besom::detail
