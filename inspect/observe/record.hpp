#pragma once

#include <cstdint>

#include "besom/log.hpp"
#include "besom/stats.hpp"
#include "inspect/heap_view.hpp"
#include "inspect/observe/output_name.hpp"
#include "inspect/observe/run_tables.hpp"

namespace besom::detail {

/// Writes down what a run did, in a file of bounded size: docs/record-format.md.
class Record {
 public:
  /// `heap` and `sites` outlive it; `sites` may be nullptr.
  Record(HeapParts& heap, const SiteTable* sites, const LogSink& log, std::uint64_t begun) noexcept;

  /// Writes the first. Fails with write_failed and out_of_host_memory.
  [[nodiscard]] Error open(const FileName& name) noexcept;
  void add_stop(StopKind kind, std::uint64_t begin, std::uint64_t end) noexcept;
  void add_collection(const CollectionStats& stats) noexcept;
  void at_limit() noexcept;
  void end() noexcept;

 private:
  [[nodiscard]] std::uint64_t now() const noexcept;
  template <class EachObject>
  void look(Moment::Why why, bool has_dead, EachObject each) noexcept;
  void look_at_all(Moment::Why why) noexcept;
  enum class Durability : std::uint8_t { quick, synced };
  [[nodiscard]] Error write(Durability durability) noexcept;
  void write_or_tell(Durability durability) noexcept;

  HeapParts& heap_;
  LogSink log_;
  OutputName name_;
  RunTables tables_;
  std::uint64_t begun_;
  std::uint64_t next_write_ns_ = 0;
  std::uint64_t cycle_begin_ns_ = 0;
  StopKind last_kind_ = StopKind::full;
  std::uint64_t last_begin_ns_ = 0;
  std::uint64_t last_end_ns_ = 0;
  bool has_failed_ = false;
};

}  // namespace besom::detail
