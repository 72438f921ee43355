#include "bench/compare/plan.hpp"

namespace bench::compare {

namespace {

constexpr double kNsPerMs = 1e6;

double limit(const Limits& limits, const char* name) {
  const auto found = limits.find(name);
  return found == limits.end() ? 0 : found->second;
}

/// Every object is written once, in the cache; nothing is ever collected or looked at.
template <int kBytes>
double bump_all(const Limits& limits, double objects) {
  return objects * limit(limits, "bump_32_in_1m_ns") * kBytes / 32 / kNsPerMs;
}
constexpr const char* kBumpAll = "every object zeroed once in the cache, nothing else";

double bump_one(const Limits& limits, double) { return limit(limits, "bump_32_in_1m_ns"); }

/// Each object is a cache miss, as many of them under way as the machine can have.
double miss_each(const Limits& limits, double) { return limit(limits, "chase_16_huge_ns"); }

/// One miss for the slot's old blob, and writing the new one.
double replace_one(const Limits& limits, double) {
  constexpr double kMeanBytes = 144;
  const double gb_per_s = limit(limits, "write_gb_per_s");
  return gb_per_s == 0 ? 0 : limit(limits, "chase_16_huge_ns") + kMeanBytes / gb_per_s;
}

double not_known(const Limits&, double) { return 0; }

}  // namespace

const std::vector<std::string>& peers() {
  static const std::vector<std::string> kPeers = {"besom",    "bdwgc-inline", "bdwgc",
                                                  "mimalloc", "jemalloc",     "glibc"};
  return kPeers;
}

const std::vector<Workload>& workloads() {
  static const std::vector<Workload> kWorkloads = {
      {.name = "binary_trees_18",
       .title = "binary_trees 18, heap 64 MiB",
       .program = "binary_trees",
       .arguments = {"18", "64M"},
       .quick_arguments = {"14", "4M"},
       .counts_whole_program = true,
       .bar = {"bdwgc-inline", 0.85, 0.85, 0.60},
       .most_rss_mib = 68,
       .most_rss_per_live = 0,
       .floor = bump_all<16>,
       .floor_words = kBumpAll},
      {.name = "binary_trees_20",
       .title = "binary_trees 20, heap 256 MiB",
       .program = "binary_trees",
       .arguments = {"20", "256M"},
       .quick_arguments = {"16", "16M"},
       .counts_whole_program = true,
       .bar = {"bdwgc-inline", 0.85, 0.85, 0.60},
       .most_rss_mib = 0,
       .most_rss_per_live = 0,
       .floor = bump_all<16>,
       .floor_words = kBumpAll},
      {.name = "gcbench",
       .title = "GCBench, heap 32 MiB",
       .program = "gcbench",
       .arguments = {"32M"},
       .quick_arguments = {"32M"},
       .counts_whole_program = true,
       .bar = {"mimalloc", 1.0, 0.75, 0.65},
       .most_rss_mib = 0,
       .most_rss_per_live = 0,
       .floor = bump_all<32>,
       .floor_words = kBumpAll},
      {.name = "quads",
       .title = "quads 10, heap 112 MB",
       .program = "quads",
       .arguments = {"10", "112000000"},
       .quick_arguments = {"8", "7000000"},
       .counts_whole_program = true,
       .bar = {"mimalloc", 1.15, 0.95, 0.85},
       .most_rss_mib = 0,
       .most_rss_per_live = 0,
       .floor = bump_all<32>,
       .floor_words = kBumpAll},
      {.name = "churn",
       .title = "churn of 1 M blobs of 16..256 bytes, heap 288 MB, each",
       .program = "churn",
       .arguments = {"1000000", "20000000", "288000000"},
       .quick_arguments = {"100000", "1000000", "28800000"},
       .counts_whole_program = false,
       .bar = {"bdwgc-inline", 0.95, 0.95, 0.70},
       .most_rss_mib = 0,
       .most_rss_per_live = 2.1,
       .floor = replace_one,
       .floor_words = "one miss for the old blob, the new one written at full speed"},
      {.name = "mark",
       .title =
           "full collection of a random graph, 10 M objects of 48 bytes with 4 refs, per object",
       .program = "mark",
       .arguments = {"10000000", "5", "1G"},
       .quick_arguments = {"500000", "3", "64M"},
       .counts_whole_program = false,
       .bar = {"bdwgc", 0.25, 0.25, 0.17},
       .most_rss_mib = 0,
       .most_rss_per_live = 0,
       .floor = miss_each,
       .floor_words = "one miss per object, sixteen at a time"},
      {.name = "alloc",
       .title = "32-byte objects, all garbage, heap 64 MiB, each",
       .program = "alloc",
       .arguments = {"100000000", "64M"},
       .quick_arguments = {"5000000", "64M"},
       .counts_whole_program = false,
       .bar = {"bdwgc-inline", 0.33, 0.33, 0.20},
       .most_rss_mib = 0,
       .most_rss_per_live = 0,
       .floor = bump_one,
       .floor_words = "bump and zero in the cache"},
      {.name = "steady_small",
       .title = "steady small, 16 MiB live in a heap of up to 64 MiB, each",
       .program = "steady",
       .arguments = {"16M", "1500000", "64M", "small"},
       .quick_arguments = {"2M", "100000", "8M", "small"},
       .counts_whole_program = false,
       .bar = {"bdwgc", 1.0, 1.0, 0.70},
       .most_rss_mib = 0,
       .most_rss_per_live = 0,
       .floor = not_known,
       .floor_words = "",
       .most_rss_of_peer = 1.25,
       .most_collections_of_peer = 1.5,
       .may_refuse = true},
      {.name = "steady_small_half",
       .title = "steady small, 32 MiB live in a heap of up to 64 MiB, each",
       .program = "steady",
       .arguments = {"32M", "1500000", "64M", "small"},
       .quick_arguments = {"4M", "100000", "8M", "small"},
       .counts_whole_program = false,
       .bar = {"bdwgc", 1.0, 1.0, 0.70},
       .most_rss_mib = 0,
       .most_rss_per_live = 0,
       .floor = not_known,
       .floor_words = "",
       .most_rss_of_peer = 1.25,
       .most_collections_of_peer = 1.5,
       .may_refuse = true},
      {.name = "steady_mixed",
       .title = "steady mixed, 32 MiB live in a heap of up to 64 MiB, each",
       .program = "steady",
       .arguments = {"32M", "500000", "64M", "mixed"},
       .quick_arguments = {"8M", "50000", "16M", "mixed"},
       .counts_whole_program = false,
       .bar = {"bdwgc", 1.0, 1.0, 0.70},
       .most_rss_mib = 0,
       .most_rss_per_live = 0,
       .floor = not_known,
       .floor_words = "",
       .may_refuse = true},
      {.name = "mix",
       .title =
           "6 M small blobs, one in 500 beside one of 64..256 KiB, heap 300 MB, each small one",
       .program = "mix",
       .arguments = {"6000000", "500", "300000000"},
       .quick_arguments = {"600000", "500", "300000000"},
       .counts_whole_program = false,
       .bar = {"bdwgc", 0.6, 0.6, 0.40},
       .most_rss_mib = 0,
       .most_rss_per_live = 0,
       .floor = not_known,
       .floor_words = "",
       .may_refuse = true},
  };
  return kWorkloads;
}

}  // namespace bench::compare
