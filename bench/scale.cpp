/// Does the time per object stay the same from a small heap to the largest, and does its memory
/// come back? For each size: fills the heap with objects of 48 bytes in a table, collects, drops
/// every second one, collects, fills the holes again; medians of several rounds. Then nine tenths
/// are dropped, once in whole stretches and once scattered.

#include <unistd.h>

#include <algorithm>
#include <besom/besom.hpp>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "bench/svg.hpp"
#include "bench/version.hpp"

namespace {

struct Object {
  besom::Header header;
  besom::Member<Object> ref[4];
  std::uint64_t payload[3];
  static besom::TypeDescriptor type() {
    besom::TypeDescriptor descriptor{.name = "Object", .size = sizeof(Object)};
    for (std::uint32_t i = 0; i < 4; ++i) {
      descriptor.fields.push_back(
          {.name = "ref" + std::to_string(i),
           .offset = static_cast<std::uint32_t>(offsetof(Object, ref) + 4 * i)});
    }
    return descriptor;
  }
};
static_assert(sizeof(Object) == 48);
using Table = besom::RefArray<Object>;

double cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

double resident_bytes() {
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen("/proc/self/statm", "r"),
                                                       std::fclose);
  std::uint64_t total = 0;
  std::uint64_t resident = 0;
  if (file == nullptr || std::fscanf(file.get(), "%" SCNu64 "%" SCNu64, &total, &resident) != 2) {
    return 0;
  }
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

[[noreturn]] void give_up(const besom::Error& error) {
  std::fprintf(stderr, "scale: %s\n", error.message().c_str());
  std::exit(71);
}

/// CPU times in nanoseconds, each the median of all rounds.
struct Figures {
  std::uint64_t mib = 0;
  std::uint32_t objects = 0;
  std::uint64_t holes = 0;
  double fill_ns = 0;    ///< Per object, the first touch of its memory included.
  double mark_ns = 0;    ///< Per live object.
  double sweep_ns = 0;   ///< Per dead object, each of which leaves a hole.
  double refill_ns = 0;  ///< Per hole.
  // Resident memory beyond what the process took before the heap was made, side tables included.
  double rss_full = 0;       ///< While the heap is full, over heap_max.
  double rss_stretches = 0;  ///< Over live bytes, a tenth of the objects kept in ten stretches,
  double rss_scattered = 0;  ///< or every tenth object.
  std::uint64_t left = 0;    ///< Holes when all is dropped.
};

class Row {
 public:
  explicit Row(std::uint64_t mib) : rss_before_(resident_bytes()) {
    figures_.mib = mib;
    besom::HeapOptions options;
    options.heap_max = mib << 20;
    options.heap_initial = options.heap_max;
    options.growth = besom::Growth::fixed();
    auto heap = besom::Heap::create(options);
    if (!heap) give_up(heap.error());
    heap_ = std::move(*heap);
    object_ = *heap_->define<Object>();
    count_ = static_cast<std::uint32_t>(options.heap_max / 100 * 98 /
                                        (sizeof(Object) + sizeof(std::uint32_t)));
    figures_.objects = count_;
    table_ = heap_->make(*heap_->define<Table>(), count_, "all objects");
    if (!table_) give_up(heap_->error());
  }

  Figures run() {
    const std::uint64_t rounds = std::clamp<std::uint64_t>(1024 / figures_.mib, 3, 31);
    for (std::uint64_t i = 0; i < rounds; ++i) run_round();
    figures_.fill_ns = median(fills_);
    figures_.mark_ns = median(marks_);
    figures_.sweep_ns = median(sweeps_);
    figures_.refill_ns = median(refills_);
    figures_.rss_stretches = rss_when_kept(
        [this](std::uint32_t i) { return std::uint64_t{i} * 100 / count_ % 10 == 4; });
    figures_.rss_scattered = rss_when_kept([](std::uint32_t i) { return i % 10 == 4; });
    table_.reset();
    collect();
    figures_.left = last().holes;
    return figures_;
  }

 private:
  void run_round() {
    keep([](std::uint32_t) { return false; });
    collect();
    fills_.push_back(fill_empty());
    for (int i = 0; i < 3; ++i) {
      collect();
      marks_.push_back(cpu_ns(last().mark_ns) / count_);
    }
    keep([](std::uint32_t i) { return i % 2 == 0; });
    collect();
    figures_.holes = last().holes;
    sweeps_.push_back(cpu_ns(last().sweep_ns) / (count_ / 2));
    refills_.push_back(fill_empty());
    figures_.rss_full = rss() / static_cast<double>(figures_.mib << 20);
  }
  /// In the order of the table, so that what is kept lies as it was built.
  template <class Keep>
  double rss_when_kept(Keep kept) {
    keep([](std::uint32_t) { return false; });
    collect();
    fill_empty();
    keep(kept);
    collect();
    return rss() / static_cast<double>(last().live_bytes);
  }
  template <class Keep>
  void keep(Keep kept) {
    for (std::uint32_t i = 0; i < count_; ++i) {
      if (!kept(i)) (*table_)[i] = nullptr;
    }
  }
  /// CPU time per object, in nanoseconds.
  double fill_empty() {
    const double begun = cpu_seconds();
    std::uint32_t made = 0;
    for (std::uint32_t i = 0; i < count_; ++i) {
      if ((*table_)[i]) continue;
      Object* object = heap_->allocate(object_);
      if (object == nullptr) give_up(heap_->error());
      (*table_)[i] = object;
      ++made;
    }
    return (cpu_seconds() - begun) * 1e9 / made;
  }
  [[nodiscard]] double rss() const { return resident_bytes() - rss_before_; }
  void collect() {
    const double begun = cpu_seconds();
    if (const besom::Error error = heap_->collect()) give_up(error);
    collection_seconds_ = cpu_seconds() - begun;
  }
  [[nodiscard]] const besom::CollectionStats& last() const { return heap_->last_collection(); }
  /// Of a part of the last collection: its share of the CPU time, as of the pause. Wall clock alone
  /// would count what other programs took.
  [[nodiscard]] double cpu_ns(std::uint64_t part_ns) const {
    return collection_seconds_ * 1e9 * static_cast<double>(part_ns) /
           static_cast<double>(last().pause_ns);
  }
  static double median(std::vector<double>& samples) {
    std::sort(samples.begin(), samples.end());
    return samples[samples.size() / 2];
  }

  double rss_before_;
  std::vector<double> fills_, marks_, sweeps_, refills_;
  Figures figures_;
  std::unique_ptr<besom::Heap> heap_;
  besom::Type<Object> object_;
  besom::Handle<Table> table_;
  std::uint32_t count_ = 0;
  double collection_seconds_ = 0;  ///< CPU time of the last one.
};

struct Curve {
  const char* name;
  const char* style;
  double Figures::*figure;
};
constexpr Curve kCurves[] = {{"fill", "fill", &Figures::fill_ns},
                             {"mark", "mark", &Figures::mark_ns},
                             {"sweep", "sweep", &Figures::sweep_ns},
                             {"refill", "refill", &Figures::refill_ns}};

void write_json(std::FILE* out, const std::vector<Figures>& rows) {
  std::fprintf(out, "[");
  for (const Figures& row : rows) {
    std::fprintf(out, "%s\n  {\"mib\": %" PRIu64 ", \"objects\": %" PRIu32 ", \"holes\": %" PRIu64,
                 &row == rows.data() ? "" : ",", row.mib, row.objects, row.holes);
    for (const Curve& curve : kCurves) {
      std::fprintf(out, ", \"%s_ns\": %.2f", curve.name, row.*curve.figure);
    }
    std::fprintf(out,
                 ", \"rss_full_per_heap\": %.3f, \"rss_stretches_per_live\": %.3f, "
                 "\"rss_scattered_per_live\": %.3f, \"holes_left\": %" PRIu64 "}",
                 row.rss_full, row.rss_stretches, row.rss_scattered, row.left);
  }
  std::fprintf(out, "\n]\n");
}

void write_svg(std::ostream& out, const std::vector<Figures>& rows) {
  constexpr double kWidth = 720;
  constexpr double kHeight = 380;
  constexpr double kLeft = 50;
  constexpr double kRight = 640;
  constexpr double kTop = 60;
  constexpr double kBottom = 330;
  double most = 1;
  for (const Figures& row : rows) {
    for (const Curve& curve : kCurves) most = std::max(most, row.*curve.figure);
  }
  const auto x_of = [&](std::size_t i) {
    return kLeft + (kRight - kLeft) * static_cast<double>(i) /
                       static_cast<double>(std::max<std::size_t>(rows.size() - 1, 1));
  };
  const auto y_of = [&](double ns) { return kBottom - (kBottom - kTop) * ns / most; };

  bench::Canvas canvas(out, kWidth, kHeight,
                       "text{font:12px sans-serif;fill:#333}.head{font-size:17px;font-weight:bold}"
                       ".grid{stroke:#ddd}polyline{fill:none;stroke-width:2}.fill{stroke:#9db4c0}"
                       ".mark{stroke:#b5651d}.sweep{stroke:#27874b}.refill{stroke:#6a4c93}");
  canvas.text(16, 28, "head", "Time per object or hole by size of the heap, ns");
  const double step = most > 100 ? 50 : most > 40 ? 20 : most > 20 ? 10 : 5;
  for (double ns = 0; ns <= most; ns += step) {
    canvas.line(kLeft, y_of(ns), kRight, y_of(ns), "grid");
    canvas.text(kLeft - 8, y_of(ns) + 4, "", std::to_string(static_cast<int>(ns)), "end");
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const bool is_gib = rows[i].mib >= 1024;
    canvas.text(
        x_of(i), kBottom + 20, "",
        std::to_string(is_gib ? rows[i].mib / 1024 : rows[i].mib) + (is_gib ? " GiB" : " MiB"),
        "middle");
  }
  for (const Curve& curve : kCurves) {
    std::vector<std::pair<double, double>> points;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      points.emplace_back(x_of(i), y_of(rows[i].*curve.figure));
    }
    canvas.polyline(points, curve.style);
    canvas.text(kRight + 8, points.back().second + 4, "", curve.name);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (bench::told_version(argc, argv, "scale")) return 0;
  const std::uint64_t most = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 4096;
  if (most == 0 || most > 4096) {
    std::fprintf(stderr, "usage: scale [most MiB, 1..4096; %s\n",
                 "writes scale.json and scale.svg]");
    return 64;
  }
  std::printf(
      "                                                          RSS/heap  RSS/live, a tenth kept\n"
      "   MiB    objects     fill     mark    sweep   refill      full  in stretches  scattered  "
      "holes left\n");
  std::vector<Figures> rows;
  for (std::uint64_t mib = 1; mib <= most; mib *= 4) {
    rows.push_back(Row(mib).run());
    const Figures& row = rows.back();
    std::printf("%6" PRIu64 " %10u %8.1f %8.1f %8.1f %8.1f %9.3f %13.2f %10.2f %11" PRIu64 "\n",
                mib, row.objects, row.fill_ns, row.mark_ns, row.sweep_ns, row.refill_ns,
                row.rss_full, row.rss_stretches, row.rss_scattered, row.left);
    std::fflush(stdout);
  }
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> json(std::fopen("scale.json", "w"), std::fclose);
  if (json != nullptr) write_json(json.get(), rows);
  std::ofstream svg("scale.svg");
  write_svg(svg, rows);
  svg.close();
  if (json == nullptr || !svg) {
    std::fprintf(stderr, "scale: scale.json and scale.svg cannot be written here\n");
    return 70;
  }
}
