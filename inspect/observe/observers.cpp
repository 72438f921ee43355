#include "inspect/observe/observers.hpp"

#include <new>

#include "gc/clock.hpp"

namespace besom::detail {

bool Observers::are_wanted(const HeapOptions& options) noexcept {
  return options.stats_at_exit || !options.trace.empty() || !options.record.empty() ||
         !options.snapshot_at_limit.empty();
}

Observers::Observers(HeapParts& heap, const LogSink& log) noexcept
    : heap_(heap), log_(log), process_(process_id()), begun_(now_ns()) {}

Result<std::unique_ptr<Observers>> Observers::create(HeapParts& heap, const LogSink& log) noexcept {
  std::unique_ptr<Observers> observers(new (std::nothrow) Observers(heap, log));
  if (observers == nullptr) return Error{.code = Errc::out_of_host_memory, .detail = "observers"};
  if (const Error error = observers->open()) return error;
  return observers;
}

/// What cannot be written is to be known now, and not when the run is over.
Error Observers::open() noexcept {
  const HeapOptions& options = heap_.options;
  const System& system = heap_.space->arena().system();
  const Error refused{.code = Errc::out_of_host_memory, .detail = "observers"};
  if (options.stats_at_exit) {
    table_.reset(new (std::nothrow) ExitTable(heap_, options.sink, begun_));
    if (table_ == nullptr) return refused;
  }
  if (!options.snapshot_at_limit.empty()) {
    snapshot_.take(options.snapshot_at_limit);
    ReplacedFile tried(system);
    if (const Error error = tried.open(snapshot_.c_str())) {
      return error.named("snapshot_at_limit");
    }
  }
  if (!options.trace.empty()) {
    trace_.reset(new (std::nothrow) Trace(system, log_, begun_));
    if (trace_ == nullptr) return refused;
    if (const Error error = trace_->open(options.trace)) return error.named("trace");
  }
  if (!options.record.empty()) {
    record_.reset(new (std::nothrow) Record(heap_, log_, begun_));
    if (record_ == nullptr) return refused;
    if (const Error error = record_->open(options.record)) return error.named("record");
  }
  return {};
}

void Observers::after_stop(StopKind kind, std::uint64_t begin, std::uint64_t end) noexcept {
  if (trace_ != nullptr) trace_->add_stop(kind, begin, end);
  if (record_ != nullptr) record_->add_stop(kind, begin, end);
}

void Observers::after_collection(const CollectionStats& stats) noexcept {
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
  if (table_ != nullptr && process_id() == process_) table_->write();
}

}  // namespace besom::detail
