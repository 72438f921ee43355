#include "inspect/observe/record_text.hpp"

#include <algorithm>
#include <cinttypes>
#include <cstdio>

#include "besom/version.h"
#include "gc/collector.hpp"
#include "inspect/observe/json.hpp"
#include "inspect/observe/program_name.hpp"
#include "inspect/observe/run_tables.hpp"

namespace besom::detail {
namespace {

constexpr const char* kWhys[] = {"collection", "limit", "end"};

void write_options(Json& json, const HeapOptions& options) noexcept {
  json.begin("options", '{');
  json.number("heap_initial", options.heap_initial);
  json.number("heap_max", options.heap_max);
  json.number("reserve", options.reserve);
  json.real("growth", options.growth.factor);
  json.truth("generational", options.generational);
  json.truth("incremental", options.incremental);
  json.number("slice", options.slice);
  json.truth("safepoints", options.safepoints);
  json.begin("zeal", '{');
  json.number("alloc", options.zeal.collect_every);
  json.truth("verify", options.zeal.verify);
  json.truth("poison", options.zeal.poison);
  json.number("quarantine", options.zeal.quarantine);
  json.end('}');
  json.number("mark_stack", options.mark_stack);
  json.number("sample_bytes", options.sample_bytes);
  char seed[24];
  std::snprintf(seed, sizeof seed, "%" PRIu64, options.hash_seed);
  json.text("hash_seed", seed);
  json.end('}');
}

void write_types(Json& json, const TypeTable& types) noexcept {
  json.begin("types", '[');
  json.text(nullptr, kDamagedHeader);
  for (TypeId type = 1; type <= types.count(); ++type) {
    json.text(nullptr, types[type].descriptor->name);
  }
  json.end(']');
}

void write_stats(Json& json, const HeapStats& stats) noexcept {
  json.begin("stats", '{');
  json.number("collections", stats.collections);
  json.number("abandoned", stats.abandoned);
  json.number("capacity", stats.capacity);
  json.number("used", stats.used);
  json.number("committed", stats.committed);
  json.number("reserved", stats.reserved);
  json.number("table_bytes", stats.table_bytes);
  json.number("table_reserved", stats.table_reserved);
  json.number("external", stats.external);
  json.number("allocated", stats.allocated);
  json.number("pause_ns", stats.pause_ns);
  json.number("pause_max_ns", stats.pause_max_ns);
  json.number("freed_bytes", stats.freed_bytes);
  json.number("freed_objects", stats.freed_objects);
  json.number("finalizers_run", stats.finalizers_run);
  json.number("finalizers_failed", stats.finalizers_failed);
  json.number("released", stats.released);
  json.number("touched", stats.touched);
  json.end('}');
}

void write_kinds(Json& json, const Stops& stops) noexcept {
  json.begin("kinds", '{');
  for (std::uint32_t kind = 0; kind < kStopKinds; ++kind) {
    const StopStats& stats = stops.of(static_cast<StopKind>(kind));
    json.begin(name_of(static_cast<StopKind>(kind)), '{');
    json.number("count", stats.count);
    json.number("total_ns", stats.total_ns);
    json.number("longest_ns", stats.longest_ns);
    json.begin("lengths", '[');
    for (const std::uint64_t count : stats.lengths) json.number(nullptr, count);
    json.end(']');
    json.end('}');
  }
  json.end('}');
}

void write_longest(Json& json, const RunTables& run) noexcept {
  json.begin("longest", '{');
  json.names("columns", std::initializer_list<const char*>{"begin_ns", "ns", "kind"});
  json.begin("rows", '[');
  for (const LongStop& stop : run.stops.longest()) {
    json.row({stop.begin_ns, stop.ns, static_cast<std::uint64_t>(stop.kind)});
  }
  json.end(']');
  json.end('}');
}

void write_stops(Json& json, const RunTables& run, const Stops& stops) noexcept {
  json.begin("stops", '{');
  write_kinds(json, stops);
  write_longest(json, run);
  json.number("each", run.stops.rows().each());
  json.names("columns", std::initializer_list<const char*>{"begin_ns", "end_ns", "stopped_ns",
                                                           "longest_begin_ns", "longest_ns", "full",
                                                           "minor", "begin", "slice", "end"});
  json.begin("rows", '[');
  for (const StopRow& row : run.stops.rows().rows()) {
    json.row({row.begin_ns, row.end_ns, row.stopped_ns, row.longest_begin_ns, row.longest_ns,
              row.kinds[0], row.kinds[1], row.kinds[2], row.kinds[3], row.kinds[4]});
  }
  json.end(']');
  json.end('}');
  const Utilisation utilisation = stops.utilisation();
  json.begin("utilisation", '{');
  json.real("in_1_ms", utilisation.in_1_ms);
  json.real("in_5_ms", utilisation.in_5_ms);
  json.real("in_10_ms", utilisation.in_10_ms);
  json.real("in_50_ms", utilisation.in_50_ms);
  json.end('}');
}

void write_collections(Json& json, const RunTables& run) noexcept {
  json.begin("collections", '{');
  json.number("each", run.collections.each());
  json.begin("causes", '[');
  for (Cause cause = Cause::requested; cause <= Cause::zeal;
       cause = static_cast<Cause>(static_cast<std::uint32_t>(cause) + 1)) {
    json.text(nullptr, name_of(cause));
  }
  json.end(']');
  json.names("columns",
             std::initializer_list<const char*>{
                 "begin_ns",    "end_ns",     "number",     "full",    "minor",        "abandoned",
                 "cause",       "stopped_ns", "roots_ns",   "mark_ns", "weak_ns",      "sweep_ns",
                 "used_before", "live",       "live_after", "freed",   "live_objects", "committed",
                 "resident",    "external",   "allocated"});
  json.begin("rows", '[');
  for (const CollectionRow& row : run.collections.rows()) {
    json.row({row.begin_ns,  row.end_ns,       row.number,      row.full,     row.minor,
              row.abandoned, row.cause,        row.stopped_ns,  row.roots_ns, row.mark_ns,
              row.weak_ns,   row.sweep_ns,     row.used_before, row.live,     row.live_after,
              row.freed,     row.live_objects, row.committed,   row.resident, row.external,
              row.allocated});
  }
  json.end(']');
  json.end('}');
}

void write_moment(Json& json, const Moment& moment) noexcept {
  json.begin(nullptr, '{');
  json.number("at_ns", moment.at_ns);
  json.number("walk_ns", moment.walk_ns);
  json.text("why", kWhys[static_cast<std::uint32_t>(moment.why)]);
  json.number("number", moment.number);
  json.truth("has_dead", moment.has_dead);
  json.number("capacity", moment.capacity);
  json.number("live_objects", moment.live_objects);
  json.number("live_bytes", moment.live_bytes);
  json.begin("census", '[');
  for (std::uint32_t i = 0; i < moment.census_rows; ++i) {
    const Moment::Row& row = moment.census[i];
    json.row({row.type, row.objects, row.bytes});
  }
  json.end(']');
  json.number("other_objects", moment.other_objects);
  json.number("other_bytes", moment.other_bytes);
  json.number("cell_bytes", std::uint64_t{1} << moment.cell_shift);
  json.begin("strip", '[');
  for (std::uint32_t i = 0; i < moment.cells; ++i) json.number(nullptr, moment.strip[i]);
  json.end(']');
  json.begin("strip_types", '[');
  for (std::uint32_t i = 0; i < moment.cells; ++i) json.number(nullptr, moment.strip_types[i]);
  json.end(']');
  json.begin("holes", '[');
  for (const Moment::Holes& holes : moment.holes) json.row({holes.count, holes.bytes});
  json.end(']');
  json.end('}');
}

/// Of more than there is room for, those with the most bytes: found one by one, as a record asks
/// for no memory but its buffer.
void write_sites(Json& json, const SiteTable& table) noexcept {
  constexpr std::size_t kMost = 256;
  json.begin("sites", '{');
  json.number("sample_bytes", table.sample_bytes());
  json.number("samples", table.samples());
  json.number("lost", table.lost());
  json.begin("rows", '[');
  const Site* last = nullptr;
  const auto comes_before = [](const Site& a, const Site& b) {
    return a.allocated_bytes != b.allocated_bytes ? a.allocated_bytes > b.allocated_bytes : &a < &b;
  };
  for (std::size_t i = 0; i < std::min(kMost, table.sites().size()); ++i) {
    const Site* next = nullptr;
    for (const Site& site : table.sites()) {
      const bool is_left = last == nullptr || comes_before(*last, site);
      if (is_left && (next == nullptr || comes_before(site, *next))) next = &site;
    }
    json.begin(nullptr, '{');
    json.text("function", next->function);
    json.text("file", next->file);
    json.number("line", next->line);
    json.number("column", next->column);
    json.number("type", next->type);
    json.number("allocated_bytes", next->allocated_bytes);
    json.number("samples", next->samples);
    json.number("live_bytes", next->live_bytes);
    json.number("live_samples", next->live_samples);
    json.number("peak_bytes", next->peak_bytes);
    json.end('}');
    last = next;
  }
  json.end(']');
  json.end('}');
}

void write_head(Json& json, const RunTables& run, std::uint64_t written_ns,
                bool is_final) noexcept {
  json.number("besom_record", 1);
  json.truth("is_final", is_final);
  json.text("program", program_name());
  json.number("pid", static_cast<std::uint64_t>(run.process));
  json.text("version", BESOM_VERSION);
  json.number("begun_unix_ms", run.begun_unix_ms);
  json.number("written_ns", written_ns);
  json.number("refusals", run.refusals);
  if (run.refusals != 0) {
    json.number("first_refusal_ns", run.first_refusal_ns);
  } else {
    json.null("first_refusal_ns");
  }
}

}  // namespace

bool write_record(const RunTables& run, const HeapParts& heap, std::uint64_t written_ns,
                  bool is_final, const SnapshotSink& sink) noexcept {
  JsonOutput output(sink);
  if (!output.create()) return false;
  Json json(output);
  Collector& collector = *heap.collector;
  json.begin(nullptr, '{');
  write_head(json, run, written_ns, is_final);
  write_options(json, heap.options);
  write_types(json, collector.types());
  write_stats(json, collector.stats());
  write_stops(json, run, collector.stops());
  write_collections(json, run);
  json.begin("moments", '[');
  for (const Moment& moment : run.moments.all()) write_moment(json, moment);
  json.end(']');
  if (run.sites != nullptr) {
    write_sites(json, *run.sites);
  } else {
    json.null("sites");
  }
  json.end('}');
  output.text("\n");
  output.flush();
  return !output.has_failed();
}

}  // namespace besom::detail
