#pragma once

#include <ostream>
#include <vector>

#include "bench/compare/result.hpp"

namespace bench::compare {

/// What a run of compare was, for those who read its results later.
struct Circumstances {
  std::string cpu_model;
  std::string kernel;
  std::string date;
  int cpu = 0;
  int runs = 0;
  bool quick = false;
  Limits limits;
};
[[nodiscard]] Circumstances observe();

void print_table(std::ostream& out, const WorkloadResult& result);
/// Every bar in one line each.
void print_bars(std::ostream& out, const std::vector<WorkloadResult>& results);
void write_json(std::ostream& out, const Circumstances& circumstances,
                const std::vector<WorkloadResult>& results);
/// One group of horizontal bars per workload, with its bar as a line across them.
void write_svg(std::ostream& out, const Circumstances& circumstances,
               const std::vector<WorkloadResult>& results);

}  // namespace bench::compare
