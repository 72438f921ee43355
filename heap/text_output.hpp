#pragma once

#include <cstdarg>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <string_view>

namespace besom::detail {

/// Puts a text together in a buffer of the caller's, cut to fit with its zero, and counts how long
/// the whole text is. Takes no host memory, so that a message can be written where there is none.
class TextOutput {
 public:
  /// `size` counts the zero; 0: nothing is written.
  TextOutput(char* buffer, std::size_t size) noexcept : buffer_(buffer), size_(size) {
    if (size_ != 0) buffer_[0] = '\0';
  }

  TextOutput& add(std::string_view text) noexcept {
    if (length_ + 1 < size_) {
      const std::size_t room = size_ - 1 - length_;
      const std::size_t count = text.size() < room ? text.size() : room;
      std::memcpy(buffer_ + length_, text.data(), count);
      buffer_[length_ + count] = '\0';
    }
    length_ += text.size();
    return *this;
  }
  /// Formats like printf; one call adds at most 127 bytes.
  __attribute__((format(printf, 2, 3))) TextOutput& print(const char* format, ...) noexcept {
    char text[128];
    std::va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return add(text);
  }

  /// Of the whole text, without a zero.
  [[nodiscard]] std::size_t length() const noexcept { return length_; }

 private:
  char* buffer_;
  std::size_t size_;
  std::size_t length_ = 0;
};

}  // namespace besom::detail
