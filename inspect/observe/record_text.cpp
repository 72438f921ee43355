#include "inspect/observe/record_text.hpp"

#include <algorithm>
#include <cinttypes>
#include <cstdio>

#include "besom/version.h"
#include "gc/collector.hpp"
#include "inspect/json_output.hpp"
#include "inspect/observe/program_name.hpp"
#include "inspect/observe/run_tables.hpp"

namespace besom::detail {
namespace {

constexpr const char* kStopKinds[] = {"full", "minor", "begin", "slice", "end"};
constexpr const char* kWhys[] = {"collection", "limit", "end"};

/// Members and elements with the commas between them.
class Json {
 public:
  explicit Json(JsonOutput& output) noexcept : output_(output) {}

  void begin(const char* key, char bracket) noexcept {
    add_key(key);
    output_.text({&bracket, 1});
    is_first_ = true;
  }
  void end(char bracket) noexcept {
    output_.text({&bracket, 1});
    is_first_ = false;
  }
  /// Without a key an element.
  void number(const char* key, std::uint64_t number) noexcept {
    add_key(key);
    output_.number(number);
  }
  void text(const char* key, std::string_view text) noexcept {
    add_key(key);
    output_.string(text);
  }
  void truth(const char* key, bool truth) noexcept {
    add_key(key);
    output_.text(truth ? "true" : "false");
  }
  void null(const char* key) noexcept {
    add_key(key);
    output_.text("null");
  }
  /// A finite one.
  void real(const char* key, double number) noexcept {
    add_key(key);
    // What printf() writes depends on the locale.
    const auto millionths = static_cast<std::uint64_t>(number * 1e6 + 0.5);
    char digits[8];
    std::snprintf(digits, sizeof digits, "%06" PRIu64, millionths % 1'000'000);
    output_.number(millionths / 1'000'000);
    output_.text(".");
    output_.text(digits);
  }
  template <class Names>
  void names(const char* key, const Names& names) noexcept {
    begin(key, '[');
    for (const char* name : names) text(nullptr, name);
    end(']');
  }
  void row(std::initializer_list<std::uint64_t> numbers) noexcept {
    begin(nullptr, '[');
    for (const std::uint64_t number : numbers) this->number(nullptr, number);
    end(']');
  }

 private:
  void add_key(const char* key) noexcept {
    if (!is_first_) output_.text(key != nullptr ? ",\n" : ",");
    is_first_ = false;
    if (key == nullptr) return;
    output_.string(key);
    output_.text(":");
  }

  JsonOutput& output_;
  bool is_first_ = true;
};

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
  json.end('}');
}

void write_kinds(Json& json, const Stops& stops) noexcept {
  json.begin("kinds", '{');
  for (std::uint32_t kind = 0; kind < std::size(kStopKinds); ++kind) {
    const StopStats& stats = stops.of(static_cast<StopKind>(kind));
    json.begin(kStopKinds[kind], '{');
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
  json.null("sites");
  json.end('}');
  output.text("\n");
  output.flush();
  return !output.has_failed();
}

}  // namespace besom::detail
