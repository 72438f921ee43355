#include "bench/compare/report.hpp"

#include <sys/utsname.h>

#include <ctime>
#include <fstream>
#include <iomanip>
#include <sstream>

namespace bench::compare {

namespace {

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

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out + '"';
}

std::string number(double value) { return fixed(value, 3); }

std::string list_of(const std::vector<double>& values) {
  std::string out = "[";
  for (const double value : values) out += (out.size() > 1 ? ", " : "") + number(value);
  return out + "]";
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
  out << "{\n  \"cpu_model\": " << quoted(circumstances.cpu_model)
      << ",\n  \"kernel\": " << quoted(circumstances.kernel)
      << ",\n  \"date\": " << quoted(circumstances.date) << ",\n  \"cpu\": " << circumstances.cpu
      << ",\n  \"runs\": " << circumstances.runs
      << ",\n  \"quick\": " << (circumstances.quick ? "true" : "false") << ",\n  \"limits\": {";
  const char* separator = "";
  for (const auto& [name, value] : circumstances.limits) {
    out << separator << "\n    " << quoted(name) << ": " << number(value);
    separator = ",";
  }
  out << "\n  },\n  \"workloads\": [";
  separator = "";
  for (const WorkloadResult& result : results) {
    out << separator << "\n    {\n      \"name\": " << quoted(result.workload->name)
        << ",\n      \"unit\": " << quoted(result.workload->unit())
        << ",\n      \"limit\": " << number(result.floor) << ",\n      \"peers\": [";
    separator = "";
    for (const PeerResult& peer : result.peers) {
      out << separator << "\n        {\"name\": " << quoted(peer.peer)
          << ", \"median\": " << number(peer.median()) << ", \"times\": " << list_of(peer.times)
          << ", \"rss_mib\": " << number(peer.peak_rss_mib())
          << ", \"collections\": " << fixed(peer.collections, 0)
          << ", \"refused\": " << fixed(peer.refused, 0)
          << ", \"pause_ms\": " << number(peer.pause_ms)
          << ", \"failure\": " << quoted(peer.failure) << "}";
      separator = ",";
    }
    out << "\n      ],\n      \"bars\": [";
    separator = "";
    for (const BarResult& bar : result.bars) {
      out << separator << "\n        {\"of\": " << quoted(bar.peer)
          << ", \"what\": " << quoted(bar.what) << ", \"value\": " << number(bar.value)
          << ", \"must\": " << number(bar.must) << ", \"aim\": " << number(bar.aim)
          << ", \"verdict\": " << quoted(name_of(bar.verdict)) << "}";
      separator = ",";
    }
    out << "\n      ]\n    }";
    separator = ",";
  }
  out << "\n  ]\n}\n";
}

}  // namespace bench::compare
