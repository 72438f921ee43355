#include "inspect/observe/run_tables.hpp"

#include <algorithm>
#include <iterator>

namespace besom::detail {

void CollectionRow::merge(const CollectionRow& later) noexcept {
  end_ns = later.end_ns;
  number = later.number;
  full += later.full;
  minor += later.minor;
  abandoned += later.abandoned;
  cause = later.cause;
  stopped_ns += later.stopped_ns;
  roots_ns += later.roots_ns;
  mark_ns += later.mark_ns;
  weak_ns += later.weak_ns;
  sweep_ns += later.sweep_ns;
  used_before = std::max(used_before, later.used_before);
  live = std::min(live, later.live);
  live_after = later.live_after;
  freed += later.freed;
  live_objects = later.live_objects;
  committed = std::max(committed, later.committed);
  resident = std::max(resident, later.resident);
  external = std::max(external, later.external);
  allocated = later.allocated;
}

void StopRow::merge(const StopRow& later) noexcept {
  end_ns = later.end_ns;
  stopped_ns += later.stopped_ns;
  if (later.longest_ns > longest_ns) {
    longest_begin_ns = later.longest_begin_ns;
    longest_ns = later.longest_ns;
  }
  for (std::uint32_t i = 0; i < std::size(kinds); ++i) kinds[i] += later.kinds[i];
}

void StopTable::add(StopKind kind, std::uint64_t begin_ns, std::uint64_t end_ns) noexcept {
  const std::uint64_t ns = end_ns - begin_ns;
  StopRow row{.begin_ns = begin_ns,
              .end_ns = end_ns,
              .stopped_ns = ns,
              .longest_begin_ns = begin_ns,
              .longest_ns = ns,
              .kinds = {}};
  row.kinds[static_cast<std::uint32_t>(kind)] = 1;
  rows_.add(row);
  if (longest_count_ < kLongest) {
    longest_[longest_count_++] = {begin_ns, ns, kind};
    return;
  }
  LongStop* const least =
      std::min_element(longest_, longest_ + kLongest,
                       [](const LongStop& a, const LongStop& b) { return a.ns < b.ns; });
  if (ns > least->ns) *least = {begin_ns, ns, kind};
}

}  // namespace besom::detail
