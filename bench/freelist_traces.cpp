/// Question: how much faster than the original's two ordered maps is FreeList, and how full does it
/// get? Unit: ns of CPU time per operation. Live sets: in the names of the traces.
///
/// Both lists run each trace in turn, several times; the table shows medians, their ratio, the
/// spread of the ratios, and whether the bar is met.

#include <sched.h>

#include <cstdio>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "bench/freelist_trace.hpp"
#include "bench/version.hpp"
#include "tests/support/reference_free_list.hpp"
#include "tests/support/seed.hpp"

namespace besom::bench {
namespace {

using test::ReferenceFreeList;

struct Options {
  std::uint64_t seed = 1;
  int repeats = 3;
  bool quick = false;
  bool profile = false;  ///< FreeList alone, for a profiler.
  std::string json;
  std::string only;
  std::optional<int> cpu;
};

/// What a trace must reach; zero: not asked.
struct Bar {
  double ratio = 0;
  double fill_percent = 0;
  double worst_us = 0;
};

struct Row {
  std::string name;
  Bar bar;
  Sample reference;
  Sample besom;
  double least_ratio;
  double most_ratio;

  [[nodiscard]] double ratio() const { return reference.ns / besom.ns; }
  [[nodiscard]] bool met() const {
    return ratio() >= bar.ratio &&
           (bar.fill_percent == 0 || besom.fill_percent >= bar.fill_percent) &&
           (bar.worst_us == 0 || besom.worst_us <= bar.worst_us) && besom.tables_excess == 0;
  }
};

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

Sample median(const std::vector<Sample>& samples) {
  const auto of = [&](double Sample::*field) {
    std::vector<double> values;
    for (const Sample& sample : samples) values.push_back(sample.*field);
    return median(std::move(values));
  };
  return {of(&Sample::ns), of(&Sample::fill_percent), of(&Sample::worst_us),
          of(&Sample::tables_excess)};
}

class Program {
 public:
  explicit Program(const Options& options) : options_(options) {}

  void run_all() {
    std::printf("%-42s %10s %9s %7s  %-13s %s\n", "trace", "reference", "besom", "ratio", "spread",
                "bar");
    churn();
    sweep();
    checkerboard();
    fill();
    large();
  }

  [[nodiscard]] int missed() const {
    return static_cast<int>(
        std::ranges::count_if(rows_, [](const Row& row) { return !row.met(); }));
  }

  void write_json() const;

 private:
  [[nodiscard]] std::uint32_t scaled(std::uint32_t count) const {
    return options_.quick ? count / 10 : count;
  }
  [[nodiscard]] bool wanted(const std::string& name) const {
    return name.find(options_.only) != std::string::npos;
  }

  /// `make` gives the trace, which lives only while it is run.
  template <class Make>
  void compare(const std::string& name, const Bar& bar, Make make) {
    if (!wanted(name)) return;
    const auto trace = make();
    if (options_.profile) {
      std::printf("%-42s %.2f ns\n", name.c_str(), trace.template run<FreeList>().ns);
      return;
    }
    std::vector<Sample> reference;
    std::vector<Sample> besom;
    std::vector<double> ratios;
    for (int repeat = 0; repeat < options_.repeats; ++repeat) {
      reference.push_back(trace.template run<ReferenceFreeList>());
      besom.push_back(trace.template run<FreeList>());
      ratios.push_back(reference.back().ns / besom.back().ns);
    }
    const auto [least, most] = std::ranges::minmax(ratios);
    rows_.push_back({name, bar, median(reference), median(besom), least, most});
    print(rows_.back());
  }

  static void print(const Row& row) {
    std::printf("%-42s %10.1f %9.2f %6.2fx  %5.2f..%-6.2f", row.name.c_str(), row.reference.ns,
                row.besom.ns, row.ratio(), row.least_ratio, row.most_ratio);
    if (row.bar.ratio > 0) std::printf(" >= %gx", row.bar.ratio);
    if (row.besom.fill_percent >= 0) {
      std::printf(" filled %.2f %% (reference %.2f %%, bar %g %%)", row.besom.fill_percent,
                  row.reference.fill_percent, row.bar.fill_percent);
    }
    if (row.besom.worst_us >= 0) {
      std::printf(" worst %.1f us (bar %g us)", row.besom.worst_us, row.bar.worst_us);
    }
    if (row.besom.tables_excess > 0) {
      std::printf(" tables %.0f bytes too large", row.besom.tables_excess);
    }
    std::printf("  %s\n", row.met() ? "met" : "MISSED");
    std::fflush(stdout);
  }

  void churn() {
    churn("churn 16..256, ", Sizes::uniform(16, 256));
    churn("churn log-normal to 64 KiB, ", Sizes::log_normal(64 << 10));
  }
  void churn(const std::string& name, const Sizes& sizes) {
    struct Live {
      std::uint32_t count;
      const char* name;
    };
    for (const Live& live : {Live{1'000, "1 k live"}, Live{scaled(100'000), "100 k live"},
                             Live{scaled(1'000'000), "1 M live"}}) {
      compare(name + live.name, {.ratio = 4},
              [&] { return ChurnTrace(sizes, live.count, scaled(10'000'000), options_.seed); });
    }
  }

  void sweep() {
    for (const bool by_run : {false, true}) {
      for (const std::uint32_t percent : {10u, 50u, 90u}) {
        const std::string name =
            "sweep 4 M, " + std::to_string(percent) + " % dead, per " + (by_run ? "run" : "object");
        compare(name, {.ratio = by_run ? 0.0 : 6.0, .fill_percent = 100},
                [&] { return SweepTrace(scaled(4'000'000), percent, by_run, 5, options_.seed); });
      }
    }
  }

  void checkerboard() {
    compare("8 M isolated granules, churn, no room", {.ratio = 8, .worst_us = 50}, [&] {
      return CheckerboardTrace(scaled(8'000'000), scaled(2'000'000), scaled(1'000'000),
                               options_.seed);
    });
  }

  void fill() {
    const std::uint64_t capacity = std::uint64_t{options_.quick ? 64u : 256u} << 20;
    compare("growth under churn, 16..256", {.fill_percent = 99.5}, [&] {
      return FillTrace{capacity, Sizes::uniform(16, 256), options_.seed};
    });
    compare("growth under churn, log-normal", {.fill_percent = 99.5}, [&] {
      return FillTrace{capacity, Sizes::log_normal(64 << 10), options_.seed};
    });
  }

  void large() {
    compare("churn 64 KiB..16 MiB, 300 live", {.ratio = 2}, [&] {
      return ChurnTrace(Sizes::log_uniform(64 << 10, 16 << 20), 300, scaled(2'000'000),
                        options_.seed);
    });
  }

  Options options_;
  std::vector<Row> rows_;
};

void Program::write_json() const {
  std::FILE* file = std::fopen(options_.json.c_str(), "w");
  if (file == nullptr) {
    std::perror(options_.json.c_str());
    return;
  }
  std::fprintf(file, "{\"seed\": %llu, \"repeats\": %d, \"quick\": %s, \"traces\": [\n",
               static_cast<unsigned long long>(options_.seed), options_.repeats,
               options_.quick ? "true" : "false");
  for (const Row& row : rows_) {
    std::fprintf(
        file,
        "  {\"name\": \"%s\", \"reference_ns\": %.3f, \"besom_ns\": %.3f, \"ratio\": %.3f, "
        "\"bar_ratio\": %g, \"fill_percent\": %.3f, \"worst_us\": %.3f, \"met\": %s}%s\n",
        row.name.c_str(), row.reference.ns, row.besom.ns, row.ratio(), row.bar.ratio,
        row.besom.fill_percent, row.besom.worst_us, row.met() ? "true" : "false",
        &row == &rows_.back() ? "" : ",");
  }
  std::fprintf(file, "]}\n");
  std::fclose(file);
}

std::optional<Options> parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--quick") {
      options.quick = true;
      continue;
    }
    if (name == "--profile") {
      options.profile = true;
      continue;
    }
    if (i + 1 == argc) return std::nullopt;
    const char* value = argv[++i];
    const auto number = test::parse_number(value);
    if (name == "--json") {
      options.json = value;
    } else if (name == "--only") {
      options.only = value;
    } else if (name == "--seed" && number) {
      options.seed = *number;
    } else if (name == "--repeats" && number && *number > 0) {
      options.repeats = static_cast<int>(*number);
    } else if (name == "--cpu" && number) {
      options.cpu = static_cast<int>(*number);
    } else {
      return std::nullopt;
    }
  }
  return options;
}

void pin_to(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(cpu), &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0) std::perror("sched_setaffinity");
}

}  // namespace
}  // namespace besom::bench

int main(int argc, char** argv) {
  if (bench::told_version(argc, argv, "freelist_traces")) return 0;
  const auto options = besom::bench::parse(argc, argv);
  if (!options) {
    std::fprintf(stderr,
                 "usage: %s [--quick] [--profile] [--repeats N] [--seed N] [--cpu N] [--only TEXT] "
                 "[--json FILE]\n",
                 argv[0]);
    return 64;
  }
  if (options->cpu) besom::bench::pin_to(*options->cpu);
  besom::bench::Program program(*options);
  program.run_all();
  if (!options->json.empty()) program.write_json();
  std::printf("seed %llu, medians of %d, %d bars missed\n",
              static_cast<unsigned long long>(options->seed), options->repeats, program.missed());
  return program.missed() == 0 ? 0 : 70;
}
