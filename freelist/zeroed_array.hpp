#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <type_traits>
#include <utility>

namespace besom::detail {

/// A growable table whose new elements are zero without being written: the host's calloc takes
/// large blocks straight from the system, so a table sized for 4 GiB costs only the pages that are
/// used. That is why this is no vector: a vector's resize would touch every element.
///
/// Owns its storage. Growing reports failure instead of throwing and then changes nothing.
template <class T>
class ZeroedArray {
  static_assert(std::is_trivially_copyable_v<T>, "elements are moved with memcpy");

 public:
  ZeroedArray() = default;
  ~ZeroedArray() { std::free(data_); }
  ZeroedArray(ZeroedArray&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  ZeroedArray& operator=(ZeroedArray&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }

  /// Grows to at least `count` elements; false when the host has no memory.
  [[nodiscard]] bool grow(std::size_t count) noexcept {
    if (count <= size_) return true;
    T* grown = static_cast<T*>(std::calloc(count, sizeof(T)));
    if (grown == nullptr) return false;
    if (size_ != 0) std::memcpy(static_cast<void*>(grown), data_, size_ * sizeof(T));
    std::free(data_);
    data_ = grown;
    size_ = count;
    return true;
  }

  [[nodiscard]] T& operator[](std::size_t i) noexcept { return data_[i]; }
  [[nodiscard]] const T& operator[](std::size_t i) const noexcept { return data_[i]; }
  [[nodiscard]] const T* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::size_t size_bytes() const noexcept { return size_ * sizeof(T); }

 private:
  T* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace besom::detail
