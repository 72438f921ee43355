#include "inspect/observe/record.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "gc/clock.hpp"
#include "inspect/file_target.hpp"
#include "inspect/observe/record_text.hpp"

namespace besom::detail {

Record::Record(HeapParts& heap, const SiteTable* sites, const LogSink& log,
               std::uint64_t begun) noexcept
    : heap_(heap), log_(log), begun_(begun) {
  tables_.process = process_id();
  tables_.sites = sites;
  const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
  tables_.begun_unix_ms = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(since_1970).count());
}

Error Record::open(const FileName& name) noexcept {
  if (!tables_.create()) return {.code = Errc::out_of_host_memory, .detail = "record"};
  name_.take(name);
  return write(Durability::quick);
}

std::uint64_t Record::now() const noexcept { return now_ns() - begun_; }

void Record::add_stop(StopKind kind, std::uint64_t begin, std::uint64_t end) noexcept {
  last_kind_ = kind;
  last_begin_ns_ = begin - begun_;
  last_end_ns_ = end - begun_;
  if (kind == StopKind::begin) cycle_begin_ns_ = last_begin_ns_;
  tables_.stops.add(kind, last_begin_ns_, last_end_ns_);
}

void Record::add_collection(const CollectionStats& stats) noexcept {
  const bool is_cycle = last_kind_ == StopKind::end;
  tables_.collections.add({.begin_ns = is_cycle ? cycle_begin_ns_ : last_begin_ns_,
                           .end_ns = last_end_ns_,
                           .number = stats.number,
                           .full = !stats.minor && !stats.abandoned,
                           .minor = stats.minor && !stats.abandoned,
                           .abandoned = stats.abandoned,
                           .cause = static_cast<std::uint64_t>(stats.cause),
                           .stopped_ns = stats.pause_ns,
                           .roots_ns = stats.roots_ns,
                           .mark_ns = stats.mark_ns,
                           .weak_ns = stats.weak_ns,
                           .sweep_ns = stats.sweep_ns,
                           .used_before = stats.live_bytes + stats.freed_bytes,
                           .live = stats.live_bytes,
                           .live_after = stats.live_bytes,
                           .freed = stats.freed_bytes,
                           .live_objects = stats.live_objects,
                           .committed = stats.committed,
                           .resident = heap_.space->resident_bytes(),
                           .external = stats.external,
                           .allocated = heap_.space->handed_out()});
  if (!stats.abandoned && tables_.moments.is_due(now())) {
    look(Moment::Why::collection, stats.minor,
         [this](auto visit) { heap_.collector->each_found(visit); });
  }
  if (now() >= next_write_ns_) write_or_tell(Durability::quick);
}

/// Where there is no memory for it, there is no moment.
template <class EachObject>
void Record::look(Moment::Why why, bool has_dead, EachObject each) noexcept {
  Moment& moment = tables_.moments.begin();
  moment.at_ns = now();
  moment.why = why;
  moment.has_dead = has_dead;
  moment.number = heap_.collector->last().number;
  const HeapView view(heap_, heap_.collector->types());
  MomentTaker taker(moment, view);
  if (!taker.prepare()) return;
  each([&taker](Run run) { taker.add(run); });
  taker.finish();
  moment.walk_ns = now() - moment.at_ns;
  tables_.moments.keep(moment);
}

void Record::look_at_all(Moment::Why why) noexcept {
  static_cast<void>(heap_.collector->read([&](const Space& space, const TypeTable&) {
    look(why, true, [&](auto visit) { each_object(space, visit); });
    return true;
  }));
}

void Record::at_limit() noexcept {
  if (tables_.refusals++ != 0) return;
  tables_.first_refusal_ns = now();
  look_at_all(Moment::Why::limit);
  write_or_tell(Durability::quick);
}

void Record::end() noexcept {
  if (process_id() != tables_.process) return;
  look_at_all(Moment::Why::end);
  write_or_tell(Durability::synced);
}

void Record::write_or_tell(Durability durability) noexcept {
  const Error error = write(durability);
  if (!error) {
    has_failed_ = false;
    return;
  }
  if (std::exchange(has_failed_, true)) return;
  char message[160];
  error.write_message(message, sizeof message);
  log_.log(LogLevel::error, "record %s is not written: %s", name_.c_str(), message);
}

Error Record::write(Durability durability) noexcept {
  // The file is the parent's.
  if (process_id() != tables_.process) return {};
  constexpr std::uint64_t kLeastApart = 1'000'000'000;
  const std::uint64_t written = now();
  next_write_ns_ = written + std::max(written / 4, kLeastApart);
  FileTarget target(heap_.space->arena().system());
  if (const Error error = target.file.open(name_.c_str())) return error;
  const bool is_final = durability == Durability::synced;
  if (!write_record(tables_, heap_, written, is_final, target.sink())) {
    return target.error ? target.error
                        : Error{.code = Errc::out_of_host_memory, .detail = "record"};
  }
  return is_final ? target.file.commit() : target.file.place();
}

}  // namespace besom::detail
