#include "inspect/observe/exit_table.hpp"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <utility>

#include "gc/clock.hpp"
#include "gc/collector.hpp"
#include "heap/text_output.hpp"
#include "inspect/observe/program_name.hpp"

namespace besom::detail {
namespace {

/// Three digits and a unit, without what the locale makes of a decimal point.
void add_scaled(TextOutput& text, std::uint64_t whole, std::uint64_t part, std::uint64_t unit,
                const char* name) noexcept {
  const std::uint64_t hundredths = part * 100 / unit;
  if (whole >= 100) {
    text.print("%" PRIu64 " %s", whole, name);
  } else if (whole >= 10) {
    text.print("%" PRIu64 ".%" PRIu64 " %s", whole, hundredths / 10, name);
  } else {
    text.print("%" PRIu64 ".%02" PRIu64 " %s", whole, hundredths, name);
  }
}

void add_duration(TextOutput& text, std::uint64_t ns) noexcept {
  constexpr const char* kUnits[] = {"us", "ms", "s"};
  std::uint64_t unit = 1000;
  std::uint32_t i = 0;
  while (i + 1 < std::size(kUnits) && ns / unit >= 1000) {
    unit *= 1000;
    ++i;
  }
  add_scaled(text, ns / unit, ns % unit, unit, kUnits[i]);
}

void add_bytes(TextOutput& text, std::uint64_t bytes) noexcept {
  constexpr const char* kUnits[] = {"KiB", "MiB", "GiB", "TiB"};
  if (bytes < 1024) {
    text.print("%" PRIu64 " bytes", bytes);
    return;
  }
  unsigned shift = 10;
  while (shift < 40 && bytes >> shift >= 1024) shift += 10;
  const std::uint64_t unit = std::uint64_t{1} << shift;
  add_scaled(text, bytes >> shift, bytes & (unit - 1), unit, kUnits[shift / 10 - 1]);
}

/// So many of a thousand stops were at most so long: the upper end of their entry.
std::uint64_t quantile_ns(const StopStats& stats, std::uint64_t thousandths) noexcept {
  std::uint64_t below = 0;
  for (std::uint32_t i = 0; i + 1 < StopStats::kLengths; ++i) {
    below += stats.lengths[i];
    if (below * 1000 >= stats.count * thousandths) {
      return std::min(std::uint64_t{1000} << i, stats.longest_ns);
    }
  }
  return stats.longest_ns;
}

}  // namespace

void ExitTable::add_collection(const CollectionStats& stats) noexcept {
  minor_ += stats.minor ? 1 : 0;
  live_most_ = std::max(live_most_, stats.live_bytes);
  roots_ns_ += stats.roots_ns;
  mark_ns_ += stats.mark_ns;
  weak_ns_ += stats.weak_ns;
  sweep_ns_ += stats.sweep_ns;
  rescans_ += stats.mark_rescans;
  bad_refs_ += stats.bad_refs;
  bad_headers_ += stats.bad_headers;
}

/// In one piece, as others may write, too.
void ExitTable::line(const char* label, const char* value) noexcept {
  char text[256];
  TextOutput(text, sizeof text).print("besom: %-12s ", label).add(value);
  if (sink_.write != nullptr) {
    sink_.write(sink_.user, LogLevel::info, text);
  } else {
    std::fprintf(stderr, "%s\n", text);
  }
}

void ExitTable::write(const SiteTable* sites) noexcept {
  char value[200];
  const std::uint64_t ns = now_ns() - begun_;
  const HeapStats stats = heap_.collector->stats();
  TextOutput time(value, sizeof value);
  add_duration(time, ns);
  const std::uint64_t thousandths = stats.pause_ns / (ns / 1000 + 1);
  time.print(", %" PRIu64 ".%" PRIu64 " %% of it stopped", thousandths / 10, thousandths % 10);
  line("program", program_name().data());
  line("time", value);
  write_collections(stats);
  write_stops();
  write_memory(stats);
  if (sites != nullptr) write_sites(*sites);
}

void ExitTable::write_collections(const HeapStats& stats) noexcept {
  char value[200];
  TextOutput counts(value, sizeof value);
  counts.print("%" PRIu64 ", of which %" PRIu64 " minor, %" PRIu64 " abandoned", stats.collections,
               minor_, stats.abandoned);
  line("collections", value);
  TextOutput phases(value, sizeof value);
  add_duration(phases.add("roots "), roots_ns_);
  add_duration(phases.add(", mark "), mark_ns_);
  add_duration(phases.add(", weak "), weak_ns_);
  add_duration(phases.add(", sweep "), sweep_ns_);
  phases.add(", without what allocation swept");
  line("phases", value);
  if (rescans_ + bad_refs_ + bad_headers_ == 0) return;
  TextOutput damage(value, sizeof value);
  damage.print("%" PRIu64 " rescans for want of mark stack, %" PRIu64 " bad refs, %" PRIu64
               " bad headers",
               rescans_, bad_refs_, bad_headers_);
  line("met", value);
}

void ExitTable::write_stops() noexcept {
  const Stops& stops = heap_.collector->stops();
  char value[200];
  for (std::uint32_t i = 0; i < kStopKinds; ++i) {
    const StopStats& stats = stops.of(static_cast<StopKind>(i));
    if (stats.count == 0) continue;
    TextOutput text(value, sizeof value);
    text.print("%-5s %" PRIu64 ", ", name_of(static_cast<StopKind>(i)), stats.count);
    add_duration(text, stats.total_ns);
    add_duration(text.add(" in all; half of them up to "), quantile_ns(stats, 500));
    add_duration(text.add(", 99 % up to "), quantile_ns(stats, 990));
    add_duration(text.add(", the longest "), stats.longest_ns);
    line("stops", value);
  }
  const Utilisation left = stops.utilisation();
  const auto percent = [](double share) { return static_cast<int>(share * 100 + 0.5); };
  TextOutput text(value, sizeof value);
  text.print("%d %% of the worst 1 ms, %d %% of 5 ms, %d %% of 10 ms, %d %% of 50 ms",
             percent(left.in_1_ms), percent(left.in_5_ms), percent(left.in_10_ms),
             percent(left.in_50_ms));
  line("left", value);
}

void ExitTable::write_memory(const HeapStats& stats) noexcept {
  char value[200];
  const CollectionStats& last = heap_.collector->last();
  TextOutput live(value, sizeof value);
  add_bytes(live, last.live_bytes);
  add_bytes(live.add(" after the last collection, "), live_most_);
  live.add(" after the fullest");
  line("live", value);
  TextOutput allocated(value, sizeof value);
  add_bytes(allocated, stats.allocated);
  add_bytes(allocated.add(", freed "), stats.freed_bytes);
  allocated.print(" in %" PRIu64 " objects", stats.freed_objects);
  line("allocated", value);
  TextOutput memory(value, sizeof value);
  add_bytes(memory, stats.committed);
  add_bytes(memory.add(" committed, "), stats.used);
  add_bytes(memory.add(" used, "), stats.touched);
  add_bytes(memory.add(" had to be cleared first, "), stats.table_bytes);
  add_bytes(memory.add(" in side tables at most, "), stats.reserved + stats.table_reserved);
  memory.add(" of addresses");
  line("memory", value);
  if (stats.external == 0) return;
  TextOutput external(value, sizeof value);
  add_bytes(external, stats.external);
  line("external", value);
}

/// The ten with the most bytes at the fullest collection.
void ExitTable::write_sites(const SiteTable& sites) noexcept {
  constexpr std::uint32_t kMost = 10;
  const bool has_peak = sites.has_peak();
  const auto bytes_of = [has_peak](const Site& site) {
    return has_peak ? site.peak_bytes : site.live_bytes;
  };
  const Site* most[kMost];
  std::uint32_t count = 0;
  for (const Site& site : sites.sites()) {
    const Site* next = &site;
    for (std::uint32_t i = 0; i < count; ++i) {
      if (bytes_of(*next) > bytes_of(*most[i])) std::swap(next, most[i]);
    }
    if (count < kMost) most[count++] = next;
  }
  for (std::uint32_t i = 0; i < count; ++i) {
    const Site& site = *most[i];
    char value[230];
    TextOutput text(value, sizeof value);
    add_bytes(text, bytes_of(site));
    add_bytes(text.add(" alive at the fullest of "), site.allocated_bytes);
    text.add(": ").add(site.function).add(" ").add(site.file);
    if (site.line != 0) text.print(":%" PRIu32, site.line);
    line("site", value);
  }
}

}  // namespace besom::detail
