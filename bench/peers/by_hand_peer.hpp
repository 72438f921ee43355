#pragma once

#include <cstdlib>
#include <new>

#ifdef BENCH_MIMALLOC
#include <mimalloc.h>
#endif

#include "bench/peers/grows_to.hpp"
#include "bench/peers/pointers.hpp"

/// Memory freed by hand: malloc and free of the C library or of what is linked in its place, or
/// mimalloc's own entry points, which spare it the detour through the C library's names.
namespace bench {

inline constexpr bool kCollects = false;

class Heap {
 public:
  explicit Heap(std::uint64_t) noexcept {}
  explicit Heap(GrowsTo) noexcept {}

  template <class T>
  [[nodiscard]] Type<T> define() noexcept {
    return {};
  }
  template <class T>
  [[nodiscard]] T* allocate(Type<T>) {
    return new (checked(take(sizeof(T)))) T{};
  }
  [[nodiscard]] Blob* allocate_blob(std::uint32_t bytes) {
    return checked(try_allocate_blob(bytes));
  }
  [[nodiscard]] Blob* try_allocate_blob(std::uint32_t bytes) {
    return static_cast<Blob*>(take(bytes));
  }
  void release(void* object) noexcept {
#ifdef BENCH_MIMALLOC
    mi_free(object);
#else
    std::free(object);
#endif
  }
  [[nodiscard]] std::uint64_t collections() const noexcept { return 0; }
  [[nodiscard]] double pause_ms() const noexcept { return 0; }

 private:
  [[nodiscard]] static void* take(std::size_t bytes) {
#ifdef BENCH_MIMALLOC
    return mi_malloc(bytes);
#else
    return std::malloc(bytes);
#endif
  }
};

template <class T>
class Table {
 public:
  Table(Heap& heap, std::uint32_t length)
      : heap_(heap),
        memory_(heap.allocate_blob(static_cast<std::uint32_t>(bytes(length)))),
        slots_(new (memory_) T* [length] {}) {}
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;
  ~Table() { heap_.release(memory_); }

  [[nodiscard]] T* get(std::uint32_t i) const noexcept { return slots_[i]; }
  void set(std::uint32_t i, T* object) noexcept { slots_[i] = object; }
  [[nodiscard]] static std::uint64_t bytes(std::uint32_t length) noexcept {
    return std::uint64_t{length} * sizeof(T*);
  }

 private:
  Heap& heap_;
  void* memory_;
  T** slots_;
};

}  // namespace bench
