#include "fuzz/driver.hpp"

#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <exception>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/seed.hpp"

namespace {

using besom::fuzz::Counter;
using besom::fuzz::counters;
using besom::test::parse_number;
using besom::test::Random;

constexpr int kFine = 0;
constexpr int kUsage = 64;
constexpr int kFailed = 70;

struct Options {
  std::uint64_t ops = 1'000'000;
  std::uint64_t seed = besom::test::test_seed();
  std::optional<std::uint64_t> only_case;
  std::vector<std::string> files;
};

std::optional<Options> parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (!name.starts_with("--")) {
      options.files.push_back(name);
      continue;
    }
    const auto number = i + 1 < argc ? parse_number(argv[++i]) : std::nullopt;
    if (!number) return std::nullopt;
    if (name == "--ops") {
      options.ops = *number;
    } else if (name == "--seed") {
      options.seed = *number;
    } else if (name == "--case") {
      options.only_case = *number;
    } else {
      return std::nullopt;
    }
  }
  return options;
}

/// Input number `number` of a seed: the same bytes on every machine. Lengths are spread over the
/// orders of magnitude, so that short ones are common.
std::vector<std::uint8_t> make_input(std::uint64_t seed, std::uint64_t number) {
  Random random(seed ^ (number * 0x9e3779b97f4a7c15u));
  const auto most = static_cast<std::uint32_t>(besom::fuzz::kMostInputBytes);
  std::vector<std::uint8_t> input(1 + (random.below(most) >> random.below(6)));
  for (auto& byte : input) byte = static_cast<std::uint8_t>(random.next() >> 56);
  return input;
}

/// False when the target threw.
bool run(const std::vector<std::uint8_t>& input, const std::string& replay) {
  try {
    LLVMFuzzerTestOneInput(input.data(), input.size());
    return true;
  } catch (const std::exception& exception) {
    std::printf("FAILED: %s\nreplay: %s\n", exception.what(), replay.c_str());
    return false;
  }
}

bool run_files(const Options& options) {
  bool all_fine = true;
  for (const std::string& name : options.files) {
    std::ifstream file(name, std::ios::binary);
    const std::vector<std::uint8_t> input{std::istreambuf_iterator<char>(file), {}};
    all_fine = run(input, name) && all_fine;
  }
  return all_fine;
}

bool run_random(const Options& options) {
  std::uint64_t number = options.only_case.value_or(0);
  do {
    char replay[80];
    std::snprintf(replay, sizeof replay, "--seed 0x%" PRIx64 " --case %" PRIu64, options.seed,
                  number);
    if (!run(make_input(options.seed, number), replay)) return false;
    ++number;
  } while (!options.only_case && counters()[0].count < options.ops);
  return true;
}

/// Prints the counters; false when one falls short of its gate.
bool report(const Options& options, double seconds) {
  const std::uint64_t operations = counters()[0].count;
  std::printf("seed 0x%" PRIx64 ", %.1f s, %.0f operations/s\n", options.seed, seconds,
              static_cast<double>(operations) / seconds);
  // A short run cannot show that something happens rarely.
  const bool is_long = operations >= 1'000'000 && options.files.empty();
  bool all_reached = true;
  for (const Counter& counter : counters()) {
    const bool reached = counter.count >= counter.least_per_million * (operations / 1'000'000);
    std::printf("  %-28s %12" PRIu64 "%s\n", counter.name, counter.count,
                reached || !is_long ? "" : "   SHORT OF ITS GATE");
    all_reached = all_reached && (reached || !is_long);
  }
  return all_reached;
}

}  // namespace

int main(int argc, char** argv) {
  const std::optional<Options> options = parse(argc, argv);
  if (!options) {
    std::fprintf(stderr, "usage: %s [--ops N] [--seed N] [--case N] [input file]...\n", argv[0]);
    return kUsage;
  }
  const auto begin = std::chrono::steady_clock::now();
  const bool fine = options->files.empty() ? run_random(*options) : run_files(*options);
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
  return report(*options, elapsed.count()) && fine ? kFine : kFailed;
}
