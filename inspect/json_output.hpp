#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "besom/detail/zeroed_array.hpp"
#include "besom/inspect.hpp"

namespace besom::detail {

/// Puts JSON together in a buffer of 64 KiB and hands that to a sink whenever it is full. Once the
/// sink has refused, what is added goes nowhere.
class JsonOutput {
 public:
  explicit JsonOutput(const SnapshotSink& sink) noexcept : sink_(sink) {}

  /// Takes the buffer; false when the host has no memory.
  [[nodiscard]] bool create() noexcept { return buffer_.grow(kBufferBytes); }

  /// As it is.
  void text(std::string_view text) noexcept;
  void number(std::uint64_t number) noexcept;
  /// In quotes. What may not stand there is escaped; a byte that is no UTF-8 becomes U+FFFD.
  void string(std::string_view text) noexcept;
  /// Hands out what is left in the buffer.
  void flush() noexcept;

  [[nodiscard]] bool has_failed() const noexcept { return has_failed_; }
  /// What the sink took.
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

 private:
  static constexpr std::size_t kBufferBytes = 64 << 10;

  void make_room(std::size_t bytes) noexcept {
    if (kBufferBytes - used_ < bytes) flush();
  }

  SnapshotSink sink_;
  ZeroedArray<char> buffer_;
  std::size_t used_ = 0;
  std::uint64_t bytes_ = 0;
  bool has_failed_ = false;
};

}  // namespace besom::detail
