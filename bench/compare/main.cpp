/// Runs every workload over Besom and every peer that was built, interleaved on one CPU, prints
/// what they took and which of Besom's bars are met, and writes the same as JSON and as a chart.

#include <besom/version.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "bench/compare/plan.hpp"
#include "bench/compare/report.hpp"
#include "bench/compare/result.hpp"
#include "bench/compare/runner.hpp"

namespace bench::compare {
namespace {

constexpr int kUsageError = 64;
constexpr int kFailed = 70;

struct Options {
  int runs = 0;
  int cpu = -1;
  bool quick = false;
  bool with_limits = true;
  std::vector<std::string> only;
  std::vector<std::string> only_peers;
  std::vector<std::string> besom_options;
  std::string json = "compare.json";
  std::string svg = "compare.svg";
};

/// What there is to choose from, for `--help`. `folder` has the programs.
std::string choices(const std::filesystem::path& folder) {
  std::string text = "Workloads:\n";
  for (const Workload& workload : workloads()) {
    const std::string name = workload.name;
    text += "  " + name + std::string(name.size() < 20 ? 20 - name.size() : 1, ' ') +
            workload.title + "\n";
  }
  text += "Peers:";
  for (const std::string& peer : peers()) {
    text += " " + peer;
    if (!std::filesystem::exists(folder / "workloads" / ("churn-" + peer))) text += " (not built)";
  }
  return text;
}

void add_options(CLI::App& app, Options& options, const std::filesystem::path& folder) {
  std::vector<std::string> names;
  for (const Workload& workload : workloads()) names.emplace_back(workload.name);
  app.set_help_flag("-h,--help", "Print this and exit");
  app.set_version_flag("--version", "compare of Besom " BESOM_VERSION,
                       "Print Besom's version and exit");
  app.add_option("--runs", options.runs, "Runs of each program; 5, or 3 with --quick")
      ->check(CLI::Range(1, 1000));
  app.add_flag("--quick", options.quick,
               "Small sizes: seconds, and figures that only show that it works");
  app.add_option("--only", options.only, "This workload only; may be given several times")
      ->allow_extra_args(false)
      ->check(CLI::IsMember(names).description(""));
  app.add_option("--peer", options.only_peers,
                 "This peer only, beside besom; may be given several times")
      ->allow_extra_args(false)
      ->check(CLI::IsMember(peers()).description(""));
  app.add_option("--besom-options", options.besom_options,
                 "Also run Besom with this BESOM_OPTIONS; may be given several times")
      ->allow_extra_args(false);
  app.add_flag_callback(
      "--generational", [&] { options.besom_options.emplace_back("generational=on"); },
      "As --besom-options generational=on");
  app.add_option("--cpu", options.cpu, "Pin to this CPU; the last that there is")
      ->check(CLI::Range(0, 1000));
  app.add_flag_callback(
      "--no-limits", [&] { options.with_limits = false; },
      "Do not measure the machine's limits first");
  app.add_option("--json", options.json, "File for the figures")->capture_default_str();
  app.add_option("--svg", options.svg, "File for the chart")->capture_default_str();
  app.footer(choices(folder));
}

bool is_wanted(const std::vector<std::string>& only, const std::string& name) {
  return only.empty() || std::find(only.begin(), only.end(), name) != only.end();
}

/// One way to run a workload.
struct Contestant {
  std::string program;
  std::string besom_options;
};

class Comparison {
 public:
  Comparison(Options options, std::filesystem::path folder)
      : options_(std::move(options)), folder_(std::move(folder)), runner_(options_.cpu) {}

  int run() {
    circumstances_ = observe();
    circumstances_.cpu = runner_.cpu();
    circumstances_.runs = options_.runs;
    circumstances_.quick = options_.quick;
    if (options_.with_limits) circumstances_.limits = measure_limits();

    std::vector<WorkloadResult> results;
    bool failed = false;
    for (const Workload& workload : workloads()) {
      if (!is_wanted(options_.only, workload.name)) continue;
      results.push_back(run_workload(workload));
      print_table(std::cout, results.back());
      std::cout.flush();
      failed |= results.back().checks_differ || results.back().find("besom") == nullptr;
    }
    if (options_.quick) {
      std::cout << "\nQuick: smaller sizes than the titles say, and no bars.\n";
    } else {
      print_bars(std::cout, results);
    }

    std::ofstream json(options_.json);
    write_json(json, circumstances_, results);
    std::ofstream svg(options_.svg);
    write_svg(svg, circumstances_, results);
    if (!json.flush() || !svg.flush()) {
      std::cerr << "compare: cannot write " << options_.json << " or " << options_.svg << "\n";
      failed = true;
    }
    return failed ? kFailed : 0;
  }

 private:
  Limits measure_limits() const {
    std::vector<std::string> command = {folder_ / "limits" / "limits"};
    if (options_.quick) command.emplace_back("--quick");
    const Sample sample = runner_.run(command, "");
    Limits limits;
    std::istringstream lines(sample.output);
    for (std::string line; std::getline(lines, line);) {
      const std::size_t open = line.find('"');
      const std::size_t close = line.find('"', open + 1);
      if (open == std::string::npos || close == std::string::npos) continue;
      const std::string name = line.substr(open + 1, close - open - 1);
      limits[name] = std::strtod(line.c_str() + close + 2, nullptr);
      std::cout << "  " << name << " " << limits[name] << "\n";
    }
    return limits;
  }

  WorkloadResult run_workload(const Workload& workload) const {
    WorkloadResult result{.workload = &workload, .peers = {}, .bars = {}};
    std::vector<Contestant> contestants;
    const auto enter = [&](const std::string& peer, const std::string& besom_options) {
      const std::filesystem::path program =
          folder_ / "workloads" / (std::string(workload.program) + "-" + peer);
      if (!std::filesystem::exists(program)) return;
      contestants.push_back({program, besom_options});
      PeerResult& entry = result.peers.emplace_back();
      entry.peer = besom_options.empty() ? peer : peer + "+" + besom_options;
      entry.is_besom = peer == "besom";
      entry.is_generational = besom_options.find("generational") != std::string::npos;
    };
    for (const std::string& peer : peers()) {
      if (peer != "besom" && !is_wanted(options_.only_peers, peer)) continue;
      enter(peer, "");
      if (peer != "besom") continue;
      for (const std::string& besom_options : options_.besom_options) enter(peer, besom_options);
    }
    // Interleaved, so that what disturbs the machine for a while disturbs everybody.
    for (int run = 0; run < options_.runs; ++run) {
      for (std::size_t i = 0; i < contestants.size(); ++i) {
        add_run(workload, contestants[i], result.peers[i]);
      }
    }
    judge(result, circumstances_.limits);
    // The bars are about the full sizes.
    if (options_.quick) result.bars.clear();
    return result;
  }

  void add_run(const Workload& workload, const Contestant& contestant, PeerResult& result) const {
    std::vector<std::string> command = {contestant.program};
    const auto& arguments = options_.quick ? workload.quick_arguments : workload.arguments;
    command.insert(command.end(), arguments.begin(), arguments.end());
    const Sample sample = runner_.run(command, contestant.besom_options);
    auto words = parse_words(sample.output);
    if (sample.exit_code != 0 || words.count("check") == 0) {
      result.failure = "failed, exit code " + std::to_string(sample.exit_code);
      return;
    }
    const auto word = [&](const char* name) { return std::strtod(words[name].c_str(), nullptr); };
    result.times.push_back(workload.counts_whole_program ? sample.cpu_ms : word("ns_each"));
    result.rss_mib.push_back(sample.rss_mib);
    result.collections = word("collections");
    result.refused = word("refused");
    result.pause_ms = word("pause_ms");
    result.objects = word("objects");
    result.live_bytes = word("live_bytes");
    if (!result.check.empty() && result.check != words["check"]) {
      result.failure = "failed, another check in another run";
    }
    result.check = words["check"];
  }

  Options options_;
  std::filesystem::path folder_;  ///< bench/ of the build: each program lies in a folder below it.
  Runner runner_;
  Circumstances circumstances_;
};

}  // namespace
}  // namespace bench::compare

int main(int argc, char** argv) try {
  using namespace bench::compare;
  const std::filesystem::path folder =
      std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path();
  Options options;
  CLI::App app("Runs every workload over Besom and every peer that was built", "compare");
  add_options(app, options, folder);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsageError;
  }
  if (options.runs == 0) options.runs = options.quick ? 3 : 5;
  return Comparison(options, folder).run();
} catch (const std::exception& error) {
  std::cerr << "compare: " << error.what() << "\n";
  return bench::compare::kFailed;
}
