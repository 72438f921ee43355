#include "bench/compare/report.hpp"

#include <sys/utsname.h>

#include <cmath>
#include <ctime>
#include <fstream>
#include <iomanip>
#include <nlohmann/json.hpp>
#include <sstream>

namespace bench::compare {

namespace {

using Json = nlohmann::ordered_json;

constexpr int kNameWidth = 24;

std::string cpu_model() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown CPU";
}

std::string fixed(double value, int digits) {
  std::ostringstream out;
  out << std::fixed << std::setprecision(digits) << value;
  return out.str();
}

/// Three significant digits for small figures, whole ones for large.
std::string figure(double value) { return fixed(value, value >= 100 ? 0 : value >= 10 ? 1 : 2); }

/// Three digits behind the point.
double rounded(double value) { return std::round(value * 1000) / 1000; }

Json list_of(const std::vector<double>& values) {
  Json list = Json::array();
  for (const double value : values) list.push_back(rounded(value));
  return list;
}

Json json_of(const WorkloadResult& result) {
  Json peers = Json::array();
  for (const PeerResult& peer : result.peers) {
    peers.push_back({{"name", peer.peer},
                     {"median", rounded(peer.median())},
                     {"times", list_of(peer.times)},
                     {"rss_mib", rounded(peer.peak_rss_mib())},
                     {"collections", std::llround(peer.collections)},
                     {"refused", std::llround(peer.refused)},
                     {"pause_ms", rounded(peer.pause_ms)},
                     {"failure", peer.failure}});
  }
  Json bars = Json::array();
  for (const BarResult& bar : result.bars) {
    bars.push_back({{"of", bar.peer},
                    {"what", bar.what},
                    {"value", rounded(bar.value)},
                    {"must", rounded(bar.must)},
                    {"aim", rounded(bar.aim)},
                    {"verdict", name_of(bar.verdict)}});
  }
  return {{"name", result.workload->name},
          {"unit", result.workload->unit()},
          {"limit", rounded(result.floor)},
          {"peers", peers},
          {"bars", bars}};
}

void print_bar(std::ostream& out, const BarResult& bar) {
  out << bar.peer << ": " << figure(bar.value) << " " << bar.what << ", must " << figure(bar.must);
  if (bar.aim > 0) out << ", aim " << figure(bar.aim);
  out << ": " << name_of(bar.verdict) << "\n";
}

}  // namespace

Circumstances observe() {
  Circumstances circumstances;
  circumstances.cpu_model = cpu_model();
  utsname name{};
  if (uname(&name) == 0) circumstances.kernel = std::string(name.sysname) + " " + name.release;
  char date[32];
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &utc);
  circumstances.date = date;
  return circumstances;
}

void print_table(std::ostream& out, const WorkloadResult& result) {
  const Workload& workload = *result.workload;
  out << "\n" << workload.title << ", " << workload.unit() << "\n";
  out << "  " << std::left << std::setw(kNameWidth) << "" << std::right << std::setw(9) << "median"
      << std::setw(9) << "spread" << std::setw(9) << "RSS MiB" << std::setw(13) << "collections"
      << std::setw(9) << "refused" << std::setw(12) << "Besom is"
      << "\n";
  const PeerResult* besom = result.find("besom");
  for (const PeerResult& peer : result.peers) {
    out << "  " << std::left << std::setw(kNameWidth) << peer.peer << std::right;
    if (!peer.failure.empty()) {
      out << "  " << peer.failure << "\n";
      continue;
    }
    out << std::setw(9) << figure(peer.median()) << std::setw(7) << fixed(peer.spread_percent(), 0)
        << " %" << std::setw(9) << fixed(peer.peak_rss_mib(), 0) << std::setw(13)
        << fixed(peer.collections, 0) << std::setw(9) << fixed(peer.refused, 0);
    if (besom != nullptr && besom != &peer) {
      out << std::setw(10) << fixed(besom->median() / peer.median(), 2) << " x";
    }
    out << "\n";
  }
  for (const BarResult& bar : result.bars) print_bar(out << "  ", bar);
  if (result.floor > 0 && besom != nullptr) {
    out << "  limit: " << figure(result.floor) << " " << workload.unit() << ", "
        << workload.floor_words << ": Besom is at "
        << fixed(100 * result.floor / besom->median(), 0) << " % of what is possible\n";
  }
  if (result.checks_differ) out << "  THE PEERS' CHECKS DIFFER: not the same work\n";
}

void print_bars(std::ostream& out, const std::vector<WorkloadResult>& results) {
  out << "\nBars\n";
  for (const WorkloadResult& result : results) {
    for (const BarResult& bar : result.bars) {
      out << "  " << std::left << std::setw(17) << result.workload->name << std::right;
      print_bar(out, bar);
    }
  }
}

void write_json(std::ostream& out, const Circumstances& circumstances,
                const std::vector<WorkloadResult>& results) {
  Json limits = Json::object();
  for (const auto& [name, value] : circumstances.limits) limits[name] = rounded(value);
  Json workloads = Json::array();
  for (const WorkloadResult& result : results) workloads.push_back(json_of(result));
  const Json all = {{"cpu_model", circumstances.cpu_model},
                    {"kernel", circumstances.kernel},
                    {"date", circumstances.date},
                    {"cpu", circumstances.cpu},
                    {"runs", circumstances.runs},
                    {"quick", circumstances.quick},
                    {"limits", limits},
                    {"workloads", workloads}};
  out << all.dump(2) << "\n";
}

}  // namespace bench::compare
