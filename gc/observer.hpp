#pragma once

#include <cstdint>

#include "besom/error.hpp"
#include "besom/stats.hpp"

namespace besom::detail {

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
  /// The heap is about to go; all its objects are still there, and it may be read.
  virtual void at_end() noexcept = 0;
};

}  // namespace besom::detail
