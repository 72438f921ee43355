#pragma once

#include <algorithm>
#include <besom/besom.hpp>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "bench/peers/grows_to.hpp"

/// The workloads' view of Besom. bench/README.md lists what each peer has to supply.
namespace bench {

inline constexpr bool kCollects = true;
inline constexpr std::size_t kHeaderBytes = sizeof(besom::Header);

using Header = besom::Header;
template <class T>
using Field = besom::Member<T>;
template <class T>
using Type = besom::Type<T>;
using Blob = besom::ByteArray;

template <class T>
[[nodiscard]] T* get(const Field<T>& field) noexcept {
  return field.get();
}
[[nodiscard]] inline unsigned char* bytes_of(Blob* blob) noexcept { return blob->data(); }

[[noreturn]] inline void give_up(const std::string& why) {
  std::fprintf(stderr, "besom: %s\n", why.c_str());
  std::exit(71);
}

class Heap {
 public:
  explicit Heap(std::uint64_t bytes) : Heap(fixed_at(bytes)) {}
  explicit Heap(GrowsTo limit) : Heap(growing_to(limit.bytes)) {}

  template <class T>
  [[nodiscard]] Type<T> define() {
    besom::TypeDescriptor descriptor{.name = T::name(), .size = sizeof(T), .fields = {}};
    for (const std::size_t offset : T::refs()) {
      descriptor.fields.push_back({.name = "ref" + std::to_string(descriptor.fields.size()),
                                   .offset = static_cast<std::uint32_t>(offset)});
    }
    return Type<T>{take(heap_->define(descriptor))};
  }
  template <class T>
  [[nodiscard]] T* allocate(Type<T> type) {
    return checked(heap_->allocate(type));
  }
  [[nodiscard]] Blob* allocate_blob(std::uint32_t bytes) {
    return checked(try_allocate_blob(bytes));
  }
  [[nodiscard]] Blob* try_allocate_blob(std::uint32_t bytes) {
    return heap_->allocate(blob_, bytes - std::min<std::uint32_t>(bytes, sizeof(besom::Header)));
  }
  template <class T>
  void release(T*) noexcept {}
  void collect() noexcept { static_cast<void>(heap_->collect()); }

  [[nodiscard]] std::uint64_t collections() const { return heap_->stats().collections; }
  [[nodiscard]] double pause_ms() const {
    return static_cast<double>(heap_->stats().pause_ns) * 1e-6;
  }
  [[nodiscard]] besom::Heap& impl() noexcept { return *heap_; }

 private:
  explicit Heap(const besom::HeapOptions& options)
      : heap_(take(besom::Heap::create(options))), blob_(take(heap_->define<Blob>())) {}

  /// BESOM_OPTIONS changes the rest.
  [[nodiscard]] static besom::HeapOptions fixed_at(std::uint64_t bytes) {
    besom::HeapOptions options;
    options.heap_initial = bytes;
    options.heap_max = bytes;
    options.growth = besom::Growth::fixed();
    return options;
  }
  [[nodiscard]] static besom::HeapOptions growing_to(std::uint64_t bytes) {
    besom::HeapOptions options;
    options.heap_max = bytes;
    return options;
  }
  template <class T>
  [[nodiscard]] static T take(besom::Result<T> result) {
    if (!result) give_up(result.error().message());
    return std::move(*result);
  }
  template <class T>
  [[nodiscard]] T* checked(T* object) const {
    if (object == nullptr) [[unlikely]] {
      give_up(heap_->error().message());
    }
    return object;
  }

  std::unique_ptr<besom::Heap> heap_;
  Type<Blob> blob_;
};

template <class T>
class Root {
 public:
  Root(Heap& heap, T* object) noexcept : handle_(heap.impl(), object) {}
  [[nodiscard]] T* get() const noexcept { return handle_.get(); }

 private:
  besom::Handle<T> handle_;
};

/// Keeps what a bottom-up recursion has built so far.
class Scope {
 public:
  explicit Scope(Heap& heap) noexcept : scope_(heap.impl()) {}
  template <class T>
  [[nodiscard]] besom::Local<T> root(T* object) noexcept {
    return scope_.root(object);
  }

 private:
  besom::HandleScope scope_;
};

/// An array of refs in the heap. Objects stay where they are, so the slots' address is kept.
template <class T>
class Table {
 public:
  Table(Heap& heap, std::uint32_t length) {
    const auto type = heap.impl().define<besom::RefArray<T>>();
    if (!type) give_up(type.error().message());
    auto* array = heap.impl().allocate(*type, length);
    if (array == nullptr) give_up(heap.impl().error().message());
    handle_ = besom::Handle<besom::RefArray<T>>(heap.impl(), array, "table");
    slots_ = array->data();
  }
  [[nodiscard]] T* get(std::uint32_t i) const noexcept { return slots_[i].get(); }
  void set(std::uint32_t i, T* object) noexcept { slots_[i] = object; }
  [[nodiscard]] static std::uint64_t bytes(std::uint32_t length) noexcept {
    return std::uint64_t{length} * sizeof(Field<T>);
  }

 private:
  besom::Handle<besom::RefArray<T>> handle_;
  Field<T>* slots_;
};

}  // namespace bench
