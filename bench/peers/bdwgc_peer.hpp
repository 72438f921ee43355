#pragma once

#include <gc/gc.h>
#include <gc/gc_inline.h>
#include <gc/gc_mark.h>

#include <cstdlib>

#include "bench/peers/grows_to.hpp"
#include "bench/peers/pointers.hpp"

/// The Boehm-Demers-Weiser collector, set up as well as we know how; bench/README.md says why each
/// choice is fair. With BENCH_BDWGC_INLINE small objects come from lists of the program's own that
/// GC_generic_malloc_many() fills, else from GC_MALLOC and GC_MALLOC_ATOMIC.
namespace bench {

inline constexpr bool kCollects = true;

namespace detail {

#ifdef BENCH_BDWGC_INLINE
inline constexpr std::size_t kGranuleBytes = 16;
inline constexpr std::size_t kLists = 17;  // up to 256 bytes
/// By kind and granules; linked through the first word.
inline void* free_lists[2][kLists] = {};

/// A collection takes back what the lists hold: marking through them would cost the collector time,
/// and lists of pointer-free objects it would not mark through at all.
inline void drop_free_lists() {
  for (auto& lists : free_lists) {
    for (void*& list : lists) list = nullptr;
  }
}

template <int kKind>
[[nodiscard]] inline void* take(std::size_t bytes) {
  const std::size_t granules = (bytes + kGranuleBytes - 1) / kGranuleBytes;
  if (granules >= kLists) [[unlikely]] {
    return kKind == GC_I_PTRFREE ? GC_MALLOC_ATOMIC(bytes) : GC_MALLOC(bytes);
  }
  void*& list = free_lists[kKind][granules];
  if (list == nullptr) [[unlikely]] {
    GC_generic_malloc_many(granules * kGranuleBytes, kKind, &list);
  }
  void* object = list;
  if (object == nullptr) [[unlikely]] {
    return nullptr;
  }
  list = GC_NEXT(object);
  if constexpr (kKind != GC_I_PTRFREE) GC_NEXT(object) = nullptr;
  return object;
}
#else
template <int kKind>
[[nodiscard]] inline void* take(std::size_t bytes) {
  return kKind == GC_I_PTRFREE ? GC_MALLOC_ATOMIC(bytes) : GC_MALLOC(bytes);
}
#endif

}  // namespace detail

class Heap {
 public:
  explicit Heap(std::uint64_t bytes) {
    set_up();
    if (bytes > GC_get_heap_size()) GC_expand_hp(bytes - GC_get_heap_size());
    GC_set_max_heap_size(GC_get_heap_size());
  }
  explicit Heap(GrowsTo limit) {
    set_up();
    GC_set_max_heap_size(limit.bytes);
  }

  template <class T>
  [[nodiscard]] Type<T> define() noexcept {
    return {};
  }
  template <class T>
  [[nodiscard]] T* allocate(Type<T>) {
    constexpr int kKind = T::refs().empty() ? GC_I_PTRFREE : GC_I_NORMAL;
    return static_cast<T*>(checked(detail::take<kKind>(sizeof(T))));
  }
  [[nodiscard]] Blob* allocate_blob(std::uint32_t bytes) {
    return checked(try_allocate_blob(bytes));
  }
  [[nodiscard]] Blob* try_allocate_blob(std::uint32_t bytes) {
    return static_cast<Blob*>(detail::take<GC_I_PTRFREE>(bytes));
  }
  template <class T>
  void release(T*) noexcept {}
  void collect() noexcept { GC_gcollect(); }

  [[nodiscard]] std::uint64_t collections() const noexcept { return GC_get_gc_no(); }
  [[nodiscard]] double pause_ms() const noexcept {
    return static_cast<double>(GC_get_full_gc_total_time());
  }

 private:
  static void set_up() {
    // Serial, as Besom's marking is.
    setenv("GC_MARKERS", "1", 1);
    // Otherwise each object is one byte longer than asked for, and 16-byte nodes take 32 bytes.
    // Pointers into objects from the stack are honoured all the same.
    GC_set_all_interior_pointers(0);
    GC_set_warn_proc(GC_ignore_warn_proc);
    GC_INIT();
    GC_start_performance_measurement();
#ifdef BENCH_BDWGC_INLINE
    GC_set_start_callback(detail::drop_free_lists);
#endif
  }
};

template <class T>
class Table {
 public:
  Table(Heap&, std::uint32_t length)
      : slots_(static_cast<T**>(checked(GC_MALLOC(bytes(length))))) {}
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;
  /// By hand, because a stale copy of the pointer somewhere on the stack would keep all of it.
  ~Table() { GC_FREE(slots_); }

  [[nodiscard]] T* get(std::uint32_t i) const noexcept { return slots_[i]; }
  void set(std::uint32_t i, T* object) noexcept { slots_[i] = object; }
  [[nodiscard]] static std::uint64_t bytes(std::uint32_t length) noexcept {
    return std::uint64_t{length} * sizeof(T*);
  }

 private:
  T** slots_;
};

}  // namespace bench
