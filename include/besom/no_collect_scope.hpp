#pragma once

#include "besom/heap.hpp"

namespace besom {

/// A stretch of code in which no collection happens: allocation grows the heap instead, up to
/// heap_max, and fails with heap_limit where it would have to collect; Heap::collect() fails with
/// no_collect. Refs may meanwhile live anywhere. Scopes nest. What came due inside is made up by
/// the next allocation after the outermost. Left by longjmp, it ends at Heap::restore_locals().
class NoCollectScope {
 public:
  /// On another thread than the heap's, and in a collection, the scope is empty: nothing can be
  /// allocated there either.
  explicit NoCollectScope(Heap& heap) noexcept
      : heap_(heap.forbid_collections() ? nullptr : &heap) {}
  NoCollectScope(const NoCollectScope&) = delete;
  NoCollectScope& operator=(const NoCollectScope&) = delete;
  /// Aborts when it cannot allow what it forbade: on another thread, or after a restore_locals()
  /// that ended it. The heap has to live still.
  ~NoCollectScope() {
    if (heap_ == nullptr) return;
    const Error error = heap_->allow_collections();
    BESOM_CHECK(!error, "NoCollectScope ended twice, or by another thread: error, ok", error.code,
                Errc::ok);
  }
  /// False where the scope is empty.
  explicit operator bool() const noexcept { return heap_ != nullptr; }

 private:
  Heap* heap_;
};

}  // namespace besom
