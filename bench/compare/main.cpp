/// Runs every workload over Besom and every peer that was built, interleaved on one CPU, prints
/// what they took and which of Besom's bars are met, and writes the same as JSON and as a chart.

#include <unistd.h>

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

constexpr const char* kUsage =
    "usage: compare [options]\n"
    "  --runs N              runs of each program (5; 3 with --quick)\n"
    "  --quick               small sizes: seconds, and figures that only show that it works\n"
    "  --only WORKLOAD       this workload only; may be given several times\n"
    "  --peer PEER           this peer only, beside besom; may be given several times\n"
    "  --besom-options TEXT  also run Besom with BESOM_OPTIONS=TEXT; may be given several times\n"
    "  --cpu N               pin to this CPU (the last)\n"
    "  --no-limits           do not measure the machine's limits first\n"
    "  --json FILE           (compare.json)\n"
    "  --svg FILE            (compare.svg)\n";

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

[[noreturn]] void refuse(const std::string& why) {
  std::cerr << "compare: " << why << "\n" << kUsage;
  std::exit(kUsageError);
}

int number_of(const std::string& text, int least) {
  char* end = nullptr;
  const long number = std::strtol(text.c_str(), &end, 10);
  if (text.empty() || *end != '\0' || number < least || number > 1000) {
    refuse("bad number '" + text + "'");
  }
  return static_cast<int>(number);
}

Options parse(const std::vector<std::string>& words) {
  Options options;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    const auto value = [&]() -> const std::string& {
      if (i + 1 == words.size()) refuse(word + " needs a value");
      return words[++i];
    };
    if (word == "--help") {
      std::cout << kUsage;
      std::exit(0);
    } else if (word == "--runs") {
      options.runs = number_of(value(), 1);
    } else if (word == "--cpu") {
      options.cpu = number_of(value(), 0);
    } else if (word == "--quick") {
      options.quick = true;
    } else if (word == "--no-limits") {
      options.with_limits = false;
    } else if (word == "--only") {
      options.only.push_back(value());
    } else if (word == "--peer") {
      options.only_peers.push_back(value());
    } else if (word == "--besom-options") {
      options.besom_options.push_back(value());
    } else if (word == "--json") {
      options.json = value();
    } else if (word == "--svg") {
      options.svg = value();
    } else {
      refuse("unknown option '" + word + "'");
    }
  }
  if (options.runs == 0) options.runs = options.quick ? 3 : 5;
  for (const std::string& name : options.only) {
    const auto has_name = [&](const Workload& workload) { return workload.name == name; };
    if (std::none_of(workloads().begin(), workloads().end(), has_name)) {
      refuse("no workload '" + name + "'");
    }
  }
  for (const std::string& name : options.only_peers) {
    if (std::find(peers().begin(), peers().end(), name) == peers().end()) {
      refuse("no peer '" + name + "'");
    }
  }
  return options;
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
  return Comparison(parse({argv + 1, argv + argc}),
                    std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path())
      .run();
} catch (const std::exception& error) {
  std::cerr << "compare: " << error.what() << "\n";
  return 70;
}
