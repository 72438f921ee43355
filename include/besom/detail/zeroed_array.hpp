#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <type_traits>
#include <utility>

#include "besom/detail/table_memory.hpp"

namespace besom::detail {

/// A growable table whose new elements are zero without being written, so that a table sized for
/// 4 GiB costs only the pages that are used: large ones are mapped, and malloc's calloc does the
/// same where there is no TableMemory. That is why this is no vector: a vector's resize would touch
/// every element.
///
/// Owns its storage. Growing reports failure instead of throwing and then changes nothing.
template <class T>
class ZeroedArray {
  static_assert(std::is_trivially_copyable_v<T>, "elements are moved with memcpy");

 public:
  ZeroedArray() = default;
  explicit ZeroedArray(const TableMemory& memory) noexcept : memory_(memory) {}
  ~ZeroedArray() { give_back(); }
  ZeroedArray(ZeroedArray&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        memory_(other.memory_) {}
  ZeroedArray& operator=(ZeroedArray&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(memory_, other.memory_);
    return *this;
  }

  /// Grows to at least `count` elements; false, with errno set, when there is no memory.
  [[nodiscard]] bool grow(std::size_t count) noexcept {
    if (count <= size_) return true;
    if (count > SIZE_MAX / sizeof(T)) return false;
    T* grown = take(count);
    if (grown == nullptr) return false;
    if (size_ != 0) std::memcpy(static_cast<void*>(grown), data_, size_ * sizeof(T));
    give_back();
    data_ = grown;
    size_ = count;
    return true;
  }

  /// Gives the pages from element `first` on back to the system, where they came from it; the
  /// elements in whole pages become zero then, the others stay.
  void discard_from(std::size_t first) noexcept {
    if (first >= size_ || !memory_.maps(size_bytes())) return;
    memory_.calls->discard(memory_.context, data_ + first, (size_ - first) * sizeof(T));
  }
  /// Gives the pages of the first `count` elements back that hold only zeros, where they came from
  /// the system. O(count).
  void discard_zeros(std::size_t count) noexcept {
    if (count > size_) count = size_;
    if (count == 0 || !memory_.maps(size_bytes())) return;
    memory_.calls->discard_zeros(memory_.context, data_, count * sizeof(T));
  }

  [[nodiscard]] T& operator[](std::size_t i) noexcept { return data_[i]; }
  [[nodiscard]] const T& operator[](std::size_t i) const noexcept { return data_[i]; }
  [[nodiscard]] T* data() noexcept { return data_; }
  [[nodiscard]] const T* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::size_t size_bytes() const noexcept { return size_ * sizeof(T); }

 private:
  [[nodiscard]] T* take(std::size_t count) noexcept {
    const std::size_t bytes = count * sizeof(T);
    return static_cast<T*>(memory_.maps(bytes)
                               ? memory_.calls->map(memory_.context, bytes, memory_.name)
                               : std::calloc(count, sizeof(T)));
  }
  void give_back() noexcept {
    if (memory_.maps(size_bytes())) {
      memory_.calls->unmap(memory_.context, data_, size_bytes());
    } else {
      std::free(data_);
    }
  }

  T* data_ = nullptr;
  std::size_t size_ = 0;
  TableMemory memory_;
};

}  // namespace besom::detail
