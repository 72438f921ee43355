#pragma once

#include <cstdint>

#include "gc/heap.hpp"
#include "gc/marker.hpp"
#include "gc/nursery.hpp"
#include "gc/pacer.hpp"
#include "gc/releaser.hpp"
#include "gc/stats.hpp"
#include "gc/sweeper.hpp"

namespace besom::detail {

/// The part of a heap that works between the mutator's steps: makes room for allocations that the
/// windows could not serve, and runs collections.
class Collector {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Collector>> create(Heap& heap, LogSink log);

  /// Memory for an object: from windows and holes, else by collecting, else by growing. On failure
  /// nullptr, with the reason in `error`.
  [[nodiscard]] char* allocate(std::uint32_t granules, Error& error) noexcept;
  void collect(Cause cause) noexcept;
  /// For the embedder: from inside a finalizer, when that has returned.
  void collect_on_request() noexcept;
  /// Calls `count` finalizers; how many there were.
  std::uint64_t run_finalizers(FinalizerRunner runner, std::uint64_t count) noexcept;
  [[nodiscard]] VerifyReport verify();
  /// The mapped capacity and the accounts as after creation.
  void reset() noexcept;

  /// Takes the side tables that objects of the type need. Fails with out_of_host_memory.
  [[nodiscard]] Error prepare(const TypeDescriptor& descriptor) noexcept;
  [[nodiscard]] Error prepare_weak() noexcept;
  void note_released(const void* object) noexcept { releaser_.add(index_of(object)); }
  /// Calls the release hooks of all objects, which then are forgotten. Aborts during a collection
  /// and inside a finalizer.
  void release_all() noexcept;

  [[nodiscard]] bool is_collecting() const noexcept { return collecting_; }
  [[nodiscard]] bool is_own_thread() const noexcept;
  void attach_thread() noexcept;
  void set_listener(CollectionListener listener, void* user) noexcept {
    listener_ = listener;
    listener_user_ = user;
  }

  [[nodiscard]] TypeTable& types() noexcept { return types_; }
  [[nodiscard]] const CollectionStats& last() const noexcept { return last_; }
  [[nodiscard]] HeapStats stats() const noexcept;

 private:
  Collector(Heap& heap, Marker marker, LogSink log) noexcept
      : heap_(heap),
        marker_(std::move(marker)),
        pacer_(heap.options_),
        nursery_(heap.options_.generational),
        log_(log) {
    attach_thread();
  }

  [[nodiscard]] char* allocate_by_growing(std::uint32_t granules, std::uint64_t limit,
                                          Error& error) noexcept;
  [[nodiscard]] std::uint64_t allocated_since_collection() const noexcept;
  void mark(CollectionStats& stats) noexcept;
  void settle(CollectionStats& stats) noexcept;
  void finish(CollectionStats& stats) noexcept;
  [[nodiscard]] bool is_minor(Cause cause) const noexcept;
  void verify_or_abort(const char* when);
  void abort_with(const VerifyReport& report, const char* when);

  Heap& heap_;
  Marker marker_;
  Pacer pacer_;
  Nursery nursery_;
  Releaser releaser_;
  TypeTable types_;
  LogSink log_;
  CollectionStats last_;
  HeapStats totals_;
  std::uint64_t used_after_collection_ = 0;
  std::uint64_t live_objects_ = 0;  ///< After the last collection.
  std::uint32_t until_zeal_ = 0;
  bool collecting_ = false;
  bool collect_deferred_ = false;  ///< A finalizer asked for a collection.
  const void* thread_ = nullptr;
  CollectionListener listener_ = nullptr;
  void* listener_user_ = nullptr;
};

}  // namespace besom::detail
