#pragma once

#include <cstdint>

#include "gc/observer.hpp"
#include "inspect/heap_view.hpp"
#include "inspect/observe/site_table.hpp"

namespace besom::detail {

/// Chooses which allocations are samples, has them named, and knows which of their objects live.
class Sampler {
 public:
  /// `heap` outlives it.
  explicit Sampler(HeapParts& heap) noexcept : heap_(heap), sites_(sample_bytes_of(heap.options)) {}

  /// 0 where nothing is to be sampled.
  [[nodiscard]] static std::uint64_t sample_bytes_of(const HeapOptions& options) noexcept;
  /// Samples from now on. False when the host has no memory.
  [[nodiscard]] bool create() noexcept;
  void add(const AllocationSample& sample) noexcept;
  /// After a collection that was not abandoned.
  void drop_dead() noexcept {
    sites_.drop_dead([this](std::uint32_t index) { return heap_.collector->has_found(index); });
    sites_.note_collection();
  }
  void drop_all() noexcept {
    sites_.drop_dead([](std::uint32_t) { return false; });
  }
  [[nodiscard]] const SiteTable& sites() const noexcept { return sites_; }

 private:
  void choose_next() noexcept;
  [[nodiscard]] std::uint64_t bytes_for(std::uint64_t bytes) const noexcept;

  HeapParts& heap_;
  SiteTable sites_;
  std::uint64_t random_ = 0x9e3779b97f4a7c15;
};

}  // namespace besom::detail
