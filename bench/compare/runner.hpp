#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace bench::compare {

/// One run of one program.
struct Sample {
  double cpu_ms = 0;   ///< User and system time of the whole process.
  double rss_mib = 0;  ///< At its peak.
  std::string output;
  int exit_code = 0;  ///< Above 128: killed by that signal.
};

/// Runs programs one after the other, all on one CPU.
class Runner {
 public:
  /// `cpu` -1: the last one that this process may use.
  explicit Runner(int cpu);
  [[nodiscard]] int cpu() const noexcept { return cpu_; }
  /// `besom_options` goes into the environment as BESOM_OPTIONS unless empty.
  [[nodiscard]] Sample run(const std::vector<std::string>& command,
                           const std::string& besom_options) const;

 private:
  int cpu_;
};

/// The "key=number" words of a program's line.
[[nodiscard]] std::map<std::string, std::string> parse_words(const std::string& output);

}  // namespace bench::compare
