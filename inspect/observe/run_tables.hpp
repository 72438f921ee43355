#pragma once

#include <cstdint>
#include <span>

#include "besom/stats.hpp"
#include "inspect/observe/moments.hpp"
#include "inspect/observe/site_table.hpp"
#include "inspect/observe/thinned.hpp"

namespace besom::detail {

/// One collection, or several that came one after the other. Times from the beginning of the run.
struct CollectionRow {
  std::uint64_t begin_ns, end_ns;
  std::uint64_t number;
  std::uint64_t full, minor, abandoned;
  std::uint64_t cause;
  std::uint64_t stopped_ns, roots_ns, mark_ns, weak_ns, sweep_ns;
  std::uint64_t used_before, live, live_after, freed, live_objects;
  std::uint64_t committed, resident, external, allocated;

  void merge(const CollectionRow& later) noexcept;
};

/// Likewise.
struct StopRow {
  std::uint64_t begin_ns, end_ns;
  std::uint64_t stopped_ns;
  std::uint64_t longest_begin_ns, longest_ns;
  std::uint64_t kinds[kStopKinds];

  void merge(const StopRow& later) noexcept;
};

struct LongStop {
  std::uint64_t begin_ns;
  std::uint64_t ns;
  StopKind kind;
};

/// The stops of a run, all together and the longest one by one.
class StopTable {
 public:
  static constexpr std::uint32_t kRows = 2048;
  static constexpr std::uint32_t kLongest = 32;

  /// False when the host has no memory.
  [[nodiscard]] bool create() noexcept { return rows_.create(); }
  void add(StopKind kind, std::uint64_t begin_ns, std::uint64_t end_ns) noexcept;

  [[nodiscard]] const Thinned<StopRow, kRows>& rows() const noexcept { return rows_; }
  /// In any order.
  [[nodiscard]] std::span<const LongStop> longest() const noexcept {
    return {longest_, longest_count_};
  }

 private:
  Thinned<StopRow, kRows> rows_;
  LongStop longest_[kLongest];
  std::uint32_t longest_count_ = 0;
};

/// What a run did, in bounded memory. Times from its beginning, in nanoseconds.
struct RunTables {
  static constexpr std::uint32_t kCollections = 1024;

  /// False when the host has no memory.
  [[nodiscard]] bool create() noexcept {
    return collections.create() && stops.create() && moments.create();
  }

  std::uint64_t begun_unix_ms = 0;
  std::int64_t process = 0;
  Thinned<CollectionRow, kCollections> collections;
  StopTable stops;
  Moments moments;
  const SiteTable* sites = nullptr;  ///< nullptr: not sampled.
  std::uint64_t refusals = 0;
  std::uint64_t first_refusal_ns = 0;
};

}  // namespace besom::detail
