#include "gc/stops.hpp"

#include <algorithm>
#include <bit>

#include "besom/detail/check.hpp"

namespace besom::detail {

void Stops::add(StopKind kind, std::uint64_t begin, std::uint64_t end) noexcept {
  BESOM_ASSERT(begin <= end);
  const std::uint64_t ns = end - begin;
  StopStats& stats = kinds_[static_cast<std::uint32_t>(kind)];
  ++stats.count;
  stats.total_ns += ns;
  stats.longest_ns = std::max(stats.longest_ns, ns);
  const auto length = static_cast<std::uint32_t>(std::bit_width(ns / 1000));
  ++stats.lengths[std::min(length, StopStats::kLengths - 1)];
  longest_ns_ = std::max(longest_ns_, ns);

  if (entries_ != 0 && begin - at(entries_ - 1).begin < kEntryNs) {
    Entry& entry = at(entries_ - 1);
    entry.end = end;
    entry.stopped += ns;
  } else {
    at(entries_++) = {begin, end, ns};
  }
  for (std::uint32_t i = 0; i < kSpans; ++i) {
    spans_[i].stopped += ns;
    look_back(spans_[i], kSpansMs[i] * kNsPerMs, end);
  }
}

/// From `now` on.
void Stops::look_back(Span& span, std::uint64_t length, std::uint64_t now) noexcept {
  const std::uint64_t from = now - std::min(now, length);
  while (span.first + 1 != entries_ && at(span.first).end <= from)
    span.stopped -= at(span.first++).stopped;
  const Entry& first = at(span.first);
  std::uint64_t before = 0;
  if (first.begin < from) {
    const auto share =
        static_cast<double>(from - first.begin) / static_cast<double>(first.end - first.begin);
    before = static_cast<std::uint64_t>(share * static_cast<double>(first.stopped));
  }
  span.worst = std::max(span.worst, span.stopped - before);
}

Utilisation Stops::utilisation() const noexcept {
  const auto left = [this](std::uint32_t i) {
    const auto length = static_cast<double>(kSpansMs[i] * kNsPerMs);
    return 1 - std::min(static_cast<double>(spans_[i].worst) / length, 1.0);
  };
  return {left(0), left(1), left(2), left(3)};
}

}  // namespace besom::detail
