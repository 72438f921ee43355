#pragma once

#include <cstdint>

#include "besom/detail/heap_parts.hpp"
#include "besom/log.hpp"
#include "besom/stats.hpp"
#include "inspect/observe/site_table.hpp"

namespace besom::detail {

/// Sums up what collections did, and writes a table of it when the heap ends.
class ExitTable {
 public:
  /// `sink` without a `write`: to standard error.
  ExitTable(const HeapParts& heap, const LogSink& sink, std::uint64_t begun) noexcept
      : heap_(heap), sink_(sink), begun_(begun) {}

  void add_collection(const CollectionStats& stats) noexcept;
  /// `sites` may be nullptr.
  void write(const SiteTable* sites) noexcept;

 private:
  void line(const char* label, const char* value) noexcept;
  void write_collections(const HeapStats& stats) noexcept;
  void write_stops() noexcept;
  void write_memory(const HeapStats& stats) noexcept;
  void write_sites(const SiteTable& sites) noexcept;

  const HeapParts& heap_;
  LogSink sink_;
  std::uint64_t begun_;
  std::uint64_t minor_ = 0;
  std::uint64_t live_most_ = 0;
  std::uint64_t roots_ns_ = 0;
  std::uint64_t mark_ns_ = 0;
  std::uint64_t weak_ns_ = 0;
  std::uint64_t sweep_ns_ = 0;
  std::uint64_t rescans_ = 0;
  std::uint64_t bad_refs_ = 0;
  std::uint64_t bad_headers_ = 0;
};

}  // namespace besom::detail
