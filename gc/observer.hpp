#pragma once

#include <cstdint>

#include "besom/error.hpp"
#include "besom/stats.hpp"
#include "besom/type.hpp"

namespace besom::detail {

class SiteTable;

/// An object that has just been allocated, as one of those that stand for all.
struct AllocationSample {
  std::uint32_t index;
  TypeId type;
  std::uint64_t size_bytes;
  const void* caller;  ///< Where the call of the heap returns to.
};

/// Hears what a heap does, for those who write it down. The heap owns it, and asks for no more than
/// whether there is one.
class HeapObserver {
 public:
  HeapObserver() = default;
  HeapObserver(const HeapObserver&) = delete;
  HeapObserver& operator=(const HeapObserver&) = delete;
  virtual ~HeapObserver() = default;

  /// The program stood still from `begin` to `end`, of now_ns(). Inside a collection as a rule: may
  /// do nothing with the heap.
  virtual void after_stop(StopKind kind, std::uint64_t begin, std::uint64_t end) noexcept = 0;
  /// Of the stop that ended last. The heap refuses all else, and each_live() may be called. A
  /// collection that a callback jumped out of is not reported.
  virtual void after_collection(const CollectionStats& stats) noexcept = 0;
  /// An allocation is about to be refused for want of memory; nobody can help any more. Outside of
  /// collections: the heap may be read.
  virtual void at_limit(const Error& refusal) noexcept = 0;
  /// Space::is_sample_due(). The heap refuses all else.
  virtual void after_sample(const AllocationSample& sample) noexcept = 0;
  /// All objects were forgotten.
  virtual void after_reset() noexcept = 0;
  /// Where was allocated; nullptr where that is not sampled.
  [[nodiscard]] virtual const SiteTable* sites() const noexcept = 0;
  /// The heap is about to go; all its objects are still there, and it may be read.
  virtual void at_end() noexcept = 0;
};

}  // namespace besom::detail
