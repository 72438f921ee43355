#pragma once

#include <memory>

#include "besom/detail/heap_parts.hpp"
#include "besom/log.hpp"
#include "gc/observer.hpp"
#include "inspect/observe/exit_table.hpp"
#include "inspect/observe/output_name.hpp"
#include "inspect/observe/record.hpp"
#include "inspect/observe/sampler.hpp"
#include "inspect/observe/trace.hpp"

namespace besom::detail {

/// All that a heap's options want to be written down. Writes nothing in the child of a fork.
class Observers final : public HeapObserver {
 public:
  /// Whether the options want anything.
  [[nodiscard]] static bool are_wanted(const HeapOptions& options) noexcept;
  /// `heap` has all its parts, and outlives it. Fails with write_failed and out_of_host_memory.
  [[nodiscard]] static Result<std::unique_ptr<Observers>> create(HeapParts& heap,
                                                                 const LogSink& log) noexcept;

  void after_stop(StopKind kind, std::uint64_t begin, std::uint64_t end) noexcept override;
  void after_collection(const CollectionStats& stats) noexcept override;
  void at_limit(const Error& refusal) noexcept override;
  void after_sample(const AllocationSample& sample) noexcept override;
  void after_reset() noexcept override;
  [[nodiscard]] const SiteTable* sites() const noexcept override;
  void at_end() noexcept override;

 private:
  Observers(HeapParts& heap, const LogSink& log) noexcept;
  [[nodiscard]] Error open() noexcept;
  [[nodiscard]] Error open_sites() noexcept;
  void save_snapshot(const Error& refusal) noexcept;
  void save_profile() noexcept;

  HeapParts& heap_;
  LogSink log_;
  std::int64_t process_;
  std::uint64_t begun_;
  std::unique_ptr<Trace> trace_;
  std::unique_ptr<Record> record_;
  std::unique_ptr<ExitTable> table_;
  std::unique_ptr<Sampler> sampler_;
  OutputName profile_;
  OutputName snapshot_;
  bool has_met_limit_ = false;
};

}  // namespace besom::detail
