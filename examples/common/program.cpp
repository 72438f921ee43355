#include "program.hpp"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string_view>
#include <utility>

#include "report.hpp"

namespace example {

using besom::CollectionStats;
using besom::Errc;
using besom::Error;
using besom::Heap;
using besom::HeapOptions;
using besom::HeapStats;
using besom::Result;
using besom::VerifyReport;

namespace {

int exit_code_for(Errc code) {
  switch (code) {
    case Errc::ok:
      return kFine;
    case Errc::bad_option:
      return kUsage;
    case Errc::heap_limit:
    case Errc::object_too_large:
    case Errc::commit_failed:
    case Errc::out_of_host_memory:
      return kHeapExhausted;
    default:
      return kFailed;
  }
}

double share(std::uint64_t part, double whole) {
  return whole > 0 ? static_cast<double>(part) / whole : 0;
}

std::string duration_text(std::uint64_t ns) {
  char text[32];
  const auto value = static_cast<double>(ns);
  if (value < 1e6) {
    std::snprintf(text, sizeof text, "%.1f us", value / 1e3);
  } else if (value < 1e9) {
    std::snprintf(text, sizeof text, "%.2f ms", value / 1e6);
  } else {
    std::snprintf(text, sizeof text, "%.2f s", value / 1e9);
  }
  return text;
}

std::string rate_text(double per_second) {
  char text[32];
  if (per_second < 1e4) {
    std::snprintf(text, sizeof text, "%.0f", per_second);
  } else if (per_second < 1e6) {
    std::snprintf(text, sizeof text, "%.1f k", per_second / 1e3);
  } else {
    std::snprintf(text, sizeof text, "%.1f M", per_second / 1e6);
  }
  return text;
}

std::string json_string(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  }
  return quoted + '"';
}

/// All that the summary shows.
struct Summary {
  const char* name;
  std::uint64_t seed;
  int exit_code;
  std::string message;  ///< Of a run that failed.
  double seconds;
  HeapStats heap;
  CollectionStats last;
  std::uint64_t live_bytes_most;
  std::uint64_t bad_refs;
  std::uint64_t work;
  const char* work_unit;

  [[nodiscard]] double work_per_second() const { return share(work, seconds); }
  [[nodiscard]] double bytes_per_second() const { return share(heap.allocated, seconds); }
};

void print_row(const char* label, const std::string& value) {
  std::printf("  %-12s %s\n", label, value.c_str());
}

void print_table(const Summary& summary) {
  const HeapStats& heap = summary.heap;
  char time[64];
  std::snprintf(time, sizeof time, "%.2f s, %.1f %% of it in collections", summary.seconds,
                100 * share(heap.pause_ns, summary.seconds * 1e9));

  std::printf("\n%s, seed %" PRIu64 "\n", summary.name, summary.seed);
  print_row("time", time);
  print_row("collections", std::to_string(heap.collections));
  print_row("pause", duration_text(heap.pause_max_ns) + " the longest stop");
  print_row("live", bytes_text(summary.last.live_bytes) + " after the last collection");
  print_row("committed", bytes_text(heap.committed));
  print_row("allocated", bytes_text(heap.allocated) + ", " +
                             bytes_text(static_cast<std::uint64_t>(summary.bytes_per_second())) +
                             "/s");
  if (summary.work != 0) {
    print_row("throughput", rate_text(summary.work_per_second()) + " " + summary.work_unit + "/s");
  }
  print_row("result", summary.exit_code == kFine ? "checked, correct" : summary.message);
}

void print_json(std::FILE* out, const Summary& summary) {
  const HeapStats& heap = summary.heap;
  const CollectionStats& last = summary.last;
  const auto field = [out](const char* key, std::uint64_t value) {
    std::fprintf(out, ",\"%s\":%" PRIu64, key, value);
  };
  std::fprintf(out, "{\"example\":%s", json_string(summary.name).c_str());
  field("seed", summary.seed);
  field("exit_code", static_cast<std::uint64_t>(summary.exit_code));
  std::fprintf(out, ",\"message\":%s,\"seconds\":%.6f", json_string(summary.message).c_str(),
               summary.seconds);
  field("collections", heap.collections);
  field("pause_max_ns", heap.pause_max_ns);
  field("pause_total_ns", heap.pause_ns);
  field("live_bytes", last.live_bytes);
  field("live_objects", last.live_objects);
  field("live_bytes_max", summary.live_bytes_most);
  field("committed_bytes", heap.committed);
  field("reserved_bytes", heap.reserved);
  field("table_bytes", heap.table_bytes);
  field("table_reserved_bytes", heap.table_reserved);
  field("capacity_bytes", heap.capacity);
  field("used_bytes", heap.used);
  field("allocated_bytes", heap.allocated);
  field("touched_bytes", heap.touched);
  field("freed_bytes", heap.freed_bytes);
  field("freed_objects", heap.freed_objects);
  field("holes", last.holes);
  field("largest_hole_bytes", last.largest_hole);
  field("bad_refs", summary.bad_refs);
  field("work", summary.work);
  std::fprintf(out, ",\"work_unit\":%s", json_string(summary.work_unit).c_str());
  std::fprintf(out, ",\"work_per_second\":%.1f,\"allocated_bytes_per_second\":%.1f}\n",
               summary.work_per_second(), summary.bytes_per_second());
  std::fflush(out);
}

/// Puts standard error in the place of standard output, so that whatever an example prints leaves
/// the JSON alone there; returns the true standard output.
std::FILE* divert_stdout() {
  const int out = dup(STDOUT_FILENO);
  std::FILE* file = out < 0 ? nullptr : fdopen(out, "w");
  if (file == nullptr || dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
    throw Stop{kFailed, "standard output cannot be duplicated"};
  }
  return file;
}

}  // namespace

void stop(const Error& error) { throw Stop{exit_code_for(error.code), error.message()}; }

std::string count_text(std::uint64_t count, const char* noun, const char* plural) {
  const std::string number = std::to_string(count) + ' ';
  if (count == 1) return number + noun;
  return plural != nullptr ? number + plural : number + noun + 's';
}

std::string bytes_text(std::uint64_t bytes) {
  if (bytes < 1024) return count_text(bytes, "byte");
  constexpr const char* kUnits[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < std::size(kUnits); ++unit) value /= 1024;
  char text[32];
  std::snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
  return text;
}

struct Program::State {
  State(const char* program_name, const char* description, const HeapOptions& defaults)
      : name(program_name), options(defaults), app(description, program_name) {}

  const char* name;
  HeapOptions options;
  CLI::App app;
  std::string settings;  ///< The heap's, from the command line, in the words of parse_options().
  std::string stats;     ///< "", "exit" or "json".
  std::string snapshot;  ///< Name of the file that is still to be written, if any.
  std::string report;    ///< Name of the page, if any.
  std::uint64_t seed = 1;
  std::uint64_t work = 0;
  const char* work_unit = "";
  bool is_quiet = false;
  std::vector<std::string>* rest = nullptr;

  void apply(std::string_view text) {
    Result<HeapOptions> parsed = besom::parse_options(text, options);
    if (!parsed) stop(parsed.error());
    options = *parsed;
  }

  /// `--flag TEXT` stands for `key=TEXT`: the library's parser is the only one.
  void add_setting(const char* flag, const char* key, const char* help) {
    const auto take = [this, flag, key](const std::string& text) {
      const std::string setting = std::string(key) + "=" + text;
      // A comma would smuggle another setting in.
      const Result<HeapOptions> parsed = besom::parse_options(setting);
      if (text.find(',') != std::string::npos) throw CLI::ValidationError(flag, "takes one value");
      if (!parsed) throw CLI::ValidationError(flag, parsed.error().message());
      settings += (settings.empty() ? "" : ",") + setting;
    };
    app.add_option_function<std::string>(flag, take, help)->group("Heap");
  }
  /// `--flag` stands for `key=on`.
  void add_switch(const char* flag, const char* key, const char* help) {
    const auto take = [this, key](std::int64_t) {
      settings += (settings.empty() ? "" : ",") + std::string(key) + "=on";
    };
    app.add_flag_function(flag, take, help)->group("Heap");
  }

  void add_common() {
    app.set_help_flag("-h,--help", "Print this and exit");
    app.set_version_flag("--version", std::string(name) + " of Besom " BESOM_VERSION,
                         "Print Besom's version and exit");
    add_setting("--heap-max", "heap_max", "Most that the heap may take, e.g. 64M, at most 4G");
    add_setting("--heap-initial", "heap_initial", "What it may take before it first collects");
    add_setting("--growth", "growth",
                "`fixed`, or how far beyond what is live it may grow, e.g. 2");
    add_switch("--generational", "generational", "Collect the young alone most of the time");
    add_switch("--incremental", "incremental", "Mark in slices, between which the program runs");
    add_setting(
        "--zeal", "zeal",
        "Slow checks: `off`, or a sum of alloc:N (collect at every Nth allocation), verify, "
        "poison and quarantine:SIZE; alloc:N alone means all four");
    add_setting("--log-level", "log", "trace, debug, info, warn, error or off");
    add_setting("--trace", "trace",
                "Write each stop and collection to this file, for Perfetto (ui.perfetto.dev)");
    add_setting("--record", "record", "Write what a report of the run needs to this file");
    add_setting("--allocation-profile", "allocation_profile",
                "Write where live objects were allocated to this file, for Chrome's DevTools");
    add_setting("--snapshot-at-limit", "snapshot_at_limit",
                "Write the heap to this file when it is full, for Chrome's DevTools");
    app.add_flag("--stats{exit}", stats,
                 "All statistics at the end; --stats=json: as JSON, alone on standard output")
        ->check(CLI::IsMember({"exit", "json"}))
        ->group("Common");
    app.add_option(
           "--snapshot", snapshot,
           "Write the heap to this file at its fullest or at the end, for Chrome's DevTools")
        ->group("Common");
    app.add_option("--report", report, "Make this HTML page of the run, with besom-report")
        ->group("Common");
    app.add_option("--seed", seed, "For the random numbers")
        ->capture_default_str()
        ->group("Common");
    app.footer(
        "Besides, the environment's BESOM_OPTIONS sets the heap, e.g. "
        "\"heap_max=64M,zeal=alloc:100\"."
        "\nExit codes: 0 fine, 64 usage, 70 failed, 71 heap exhausted.");
  }
};

Program::Program(const char* name, const char* description, HeapOptions defaults)
    : state_(std::make_unique<State>(name, description, defaults)) {
  state_->add_common();
}
Program::~Program() = default;

void Program::option(const char* name, const char* help, std::uint64_t& value, std::uint64_t least,
                     std::uint64_t most) {
  state_->app.add_option(std::string("--") + name, value, help)
      ->check(CLI::Range(least, most))
      ->capture_default_str();
}
void Program::flag(const char* name, const char* help, bool& value) {
  state_->app.add_flag(std::string("--") + name, value, help);
}

void Program::option(const char* name, const char* help, std::string& value) {
  state_->app.add_option(name, value, help);
}
void Program::rest(const char* name, const char* help, std::vector<std::string>& arguments) {
  state_->rest = &arguments;
  state_->app.prefix_command();
  state_->app.description(state_->app.get_description() + ".\n" + state_->name + " [OPTIONS] " +
                          name + ": " + help);
}
void Program::be_quiet() noexcept { state_->is_quiet = true; }

std::uint64_t Program::seed() const noexcept { return state_->seed; }
void Program::did(std::uint64_t count, const char* unit) noexcept {
  state_->work += count;
  state_->work_unit = unit;
}

void Program::snapshot(Heap& heap) {
  const std::string file = std::exchange(state_->snapshot, {});
  if (file.empty()) return;
  if (const Error error = heap.collect()) stop(error);  // the living alone
  static_cast<void>(require(besom::save_snapshot(heap, file.c_str())));
}

int Program::run(int argc, char** argv, const std::function<void(Heap&)>& work) try {
  State& state = *state_;
  try {
    state.app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return state.app.exit(error) == 0 ? kFine : kUsage;
  }
  if (state.rest != nullptr) {
    *state.rest = state.app.remaining();
    if (!state.rest->empty() && state.rest->front().size() > 1 && state.rest->front()[0] == '-') {
      throw Stop{kUsage, "unknown option " + state.rest->front() + "; --help lists them"};
    }
  }
  // The heap would let the environment override all; here the command line has the last word.
  if (const char* environment = secure_getenv("BESOM_OPTIONS")) state.apply(environment);
  state.apply(state.settings);
  state.options.read_environment = false;
  if (state.stats == "exit") state.options.stats_at_exit = true;
  const Report page(state.report, state.options);
  std::FILE* json = state.stats == "json" ? divert_stdout() : nullptr;

  std::unique_ptr<Heap> heap = require(Heap::create(state.options));
  struct {
    std::uint64_t bad_refs = 0;
    std::uint64_t live_bytes = 0;  ///< After the collection that left most.
  } seen;
  static_cast<void>(heap->set_listener(
      [](void* user, const CollectionStats& stats) {
        auto& all = *static_cast<decltype(seen)*>(user);
        all.bad_refs += stats.bad_refs;
        all.live_bytes = std::max(all.live_bytes, stats.live_bytes);
      },
      &seen));

  Stop outcome{kFine, ""};
  const auto begun = std::chrono::steady_clock::now();
  try {
    work(*heap);
    snapshot(*heap);
  } catch (const Stop& stopped) {
    outcome = stopped;
  }
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begun;

  const bool verifies = !state.is_quiet || state.options.zeal.verify || !state.stats.empty();
  const VerifyReport report = verifies ? besom::verify(*heap) : VerifyReport{};
  if (outcome.exit_code == kFine && (!report.ok() || seen.bad_refs != 0)) {
    outcome = {kFailed, report.ok()    ? "collections met bad refs"
                        : report.error ? report.error.message()
                                       : report.defects[0].message()};
  }
  const Summary summary{.name = state.name,
                        .seed = state.seed,
                        .exit_code = outcome.exit_code,
                        .message = outcome.message,
                        .seconds = elapsed.count(),
                        .heap = heap->stats(),
                        .last = heap->last_collection(),
                        .live_bytes_most = seen.live_bytes,
                        .bad_refs = seen.bad_refs,
                        .work = state.work,
                        .work_unit = state.work_unit};
  std::cout.flush();
  if (json != nullptr) {
    print_json(json, summary);
    std::fclose(json);
  } else if (!state.is_quiet) {
    print_table(summary);
  }
  if (outcome.exit_code != kFine && !outcome.message.empty()) {
    std::fprintf(stderr, "%s: %s\n", state.name, outcome.message.c_str());
  }
  heap.reset();
  page.make();
  return outcome.exit_code;
} catch (const Stop& stopped) {
  std::fprintf(stderr, "%s: %s\n", state_->name, stopped.message.c_str());
  return stopped.exit_code;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s: %s\n", state_->name, error.what());
  return kFailed;
}

}  // namespace example
