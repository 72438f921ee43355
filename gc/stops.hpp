#pragma once

#include <cstdint>

#include "besom/stats.hpp"

namespace besom::detail {

/// How long the program stood still, and the least that any span of time left to it.
///
/// A span in which the stops take most can be moved so that it ends where a stop ends, so only
/// these are looked at. The stops of the longest span are kept in a ring. Those that come close
/// after each other share an entry: then there is always room, and a span that ends or begins
/// within an entry takes the stops to be spread evenly over it. O(1) a stop, on the average.
class Stops {
 public:
  /// In nanoseconds of one clock, `begin` not before the `end` of the last.
  void add(StopKind kind, std::uint64_t begin, std::uint64_t end) noexcept;

  [[nodiscard]] const StopStats& of(StopKind kind) const noexcept {
    return kinds_[static_cast<std::uint32_t>(kind)];
  }
  /// Over all kinds.
  [[nodiscard]] std::uint64_t longest_ns() const noexcept { return longest_ns_; }
  [[nodiscard]] Utilisation utilisation() const noexcept;

 private:
  static constexpr std::uint64_t kSpansMs[] = {1, 5, 10, 50};
  static constexpr std::uint32_t kSpans = sizeof kSpansMs / sizeof *kSpansMs;
  static constexpr std::uint64_t kNsPerMs = 1'000'000;
  /// Stops that begin within so much after one began share its entry.
  static constexpr std::uint64_t kEntryNs = 50'000;
  static constexpr std::uint32_t kEntries = 1024;
  static_assert(kEntries * kEntryNs > 50 * kNsPerMs);

  struct Entry {
    std::uint64_t begin;
    std::uint64_t end;
    std::uint64_t stopped;
  };
  struct Span {
    std::uint32_t first = 0;    ///< The first entry that reaches into it.
    std::uint64_t stopped = 0;  ///< Of this and all later entries.
    std::uint64_t worst = 0;
  };

  [[nodiscard]] Entry& at(std::uint32_t number) noexcept { return ring_[number % kEntries]; }
  void look_back(Span& span, std::uint64_t length, std::uint64_t now) noexcept;

  StopStats kinds_[kStopKinds];
  Span spans_[kSpans];
  Entry ring_[kEntries];
  std::uint32_t entries_ = 0;  ///< Made so far; the last ones are in the ring.
  std::uint64_t longest_ns_ = 0;
};

}  // namespace besom::detail
