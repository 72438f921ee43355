#pragma once

#include <string>
#include <vector>

#include "bench/compare/plan.hpp"

namespace bench::compare {

/// All runs of one workload over one peer, in the workload's unit.
struct PeerResult {
  std::string peer;
  bool is_besom = false;
  bool is_generational = false;
  std::vector<double> times;
  std::vector<double> rss_mib;
  double collections = 0;
  double refused = 0;  ///< Requests that the heap did not meet.
  double pause_ms = 0;
  double objects = 0;
  double live_bytes = 0;
  std::string check;
  std::string failure;  ///< Empty: all runs went well.

  [[nodiscard]] double median() const;
  [[nodiscard]] double least() const;
  [[nodiscard]] double most() const;
  [[nodiscard]] double peak_rss_mib() const;
  /// All runs lie within so many percent of the median, from the least to the most.
  [[nodiscard]] double spread_percent() const;
};

enum class Verdict { missed, met, aim_met };
[[nodiscard]] const char* name_of(Verdict verdict);

/// One bar and how far one way of running Besom got.
struct BarResult {
  std::string peer;  ///< Whose bar it is: a Besom.
  std::string what;
  double value = 0;
  double must = 0;
  double aim = 0;  ///< 0: none.
  Verdict verdict = Verdict::missed;
};

struct WorkloadResult {
  const Workload* workload = nullptr;
  std::vector<PeerResult> peers;
  std::vector<BarResult> bars;
  double floor = 0;  ///< In the workload's unit; 0: not known.
  bool checks_differ = false;

  [[nodiscard]] const PeerResult* find(const std::string& peer) const;
};

/// Fills in `bars`, `floor` and `checks_differ` from the runs.
void judge(WorkloadResult& result, const Limits& limits);

}  // namespace bench::compare
