#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

/// What compare runs, and how well Besom has to do.
namespace bench::compare {

/// The figures that the program limits prints, by name. Empty: not measured.
using Limits = std::map<std::string, double>;

/// The least that Besom must reach, as a part of a peer's time, and where it should go.
struct Bar {
  const char* peer;
  double must;
  double must_generational;  ///< Of a heap with generations; as `must` where they are to change
                             ///< nothing.
  double aim;
};

struct Workload {
  const char* name;
  const char* title;
  const char* program;
  std::vector<std::string> arguments;
  std::vector<std::string> quick_arguments;
  /// True: the CPU time of the whole process, in ms. False: what the program measures itself, per
  /// operation or object, in ns.
  bool counts_whole_program;
  Bar bar;
  double most_rss_mib;       ///< 0: no bar.
  double most_rss_per_live;  ///< In parts of the live bytes; 0: no bar.
  /// What this would cost on a machine's limits alone, in the workload's unit; 0: not known.
  double (*floor)(const Limits& limits, double objects);
  const char* floor_words;
  /// The rest is in parts of what the bar's peer takes; 0: no bar.
  double most_rss_of_peer = 0;
  double most_collections_of_peer = 0;
  /// True: the heap may refuse requests, though no more of them than the bar's peer does.
  bool may_refuse = false;

  [[nodiscard]] const char* unit() const noexcept { return counts_whole_program ? "ms" : "ns"; }
};

[[nodiscard]] const std::vector<Workload>& workloads();

/// In the order in which they are shown; Besom itself is first.
[[nodiscard]] const std::vector<std::string>& peers();

}  // namespace bench::compare
