#include "inspect/json_output.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace besom::detail {
namespace {

/// Bytes of the character that `text` begins with, or 0 where that is none.
/// Source: The Unicode Standard, table 3-7, "Well-Formed UTF-8 Byte Sequences".
std::size_t utf8_length(std::string_view text) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto lies_in = [&](std::size_t i, unsigned least, unsigned most) {
    return i < text.size() && byte(i) >= least && byte(i) <= most;
  };
  const auto follow = [&](std::size_t from, std::size_t end) {
    while (from < end && lies_in(from, 0x80, 0xbf)) ++from;
    return from == end ? end : 0;
  };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  if (first < 0xe0) return follow(1, 2);
  // No longer form of what is shorter, no surrogate, nothing above U+10FFFF.
  const unsigned least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  const unsigned most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  if (!lies_in(1, least, most)) return 0;
  return follow(2, first < 0xf0 ? 3 : 4);
}

}  // namespace

void JsonOutput::text(std::string_view text) noexcept {
  while (!text.empty()) {
    make_room(1);
    const std::size_t count = std::min(text.size(), kBufferBytes - used_);
    std::memcpy(&buffer_[used_], text.data(), count);
    used_ += count;
    text.remove_prefix(count);
  }
}

void JsonOutput::number(std::uint64_t number) noexcept {
  constexpr std::size_t kMostDigits = 20;
  make_room(kMostDigits);
  char* const begin = &buffer_[used_];
  used_ += static_cast<std::size_t>(std::to_chars(begin, begin + kMostDigits, number).ptr - begin);
}

void JsonOutput::string(std::string_view text) noexcept {
  this->text("\"");
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const char first = text[0];
    if (length == 0) {
      this->text("\\ufffd");
    } else if (first == '"' || first == '\\') {
      this->text("\\");
      this->text(text.substr(0, 1));
    } else if (static_cast<unsigned char>(first) < 0x20) {
      constexpr char kDigits[] = "0123456789abcdef";
      const char escape[] = {'\\', 'u', '0', '0', kDigits[first >> 4], kDigits[first & 15]};
      this->text({escape, sizeof escape});
    } else {
      this->text(text.substr(0, length));
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  this->text("\"");
}

void JsonOutput::flush() noexcept {
  if (!has_failed_ && used_ != 0) {
    has_failed_ = !sink_.write(sink_.user, &buffer_[0], used_);
    if (!has_failed_) bytes_ += used_;
  }
  used_ = 0;
}

}  // namespace besom::detail
