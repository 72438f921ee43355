#include "text.hpp"

#include <cstdint>

namespace scheme {

std::size_t utf8_length(unsigned char first) noexcept {
  if (first >= 0xf0 && first < 0xf8) return 4;
  if (first >= 0xe0 && first < 0xf0) return 3;
  if (first >= 0xc0 && first < 0xe0) return 2;
  return 1;
}

char32_t decode_utf8(std::string_view bytes, std::size_t& at) noexcept {
  constexpr char32_t kMalformed = 0xfffd;
  constexpr char32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  const auto first = static_cast<unsigned char>(bytes[at]);
  if (first < 0x80) return static_cast<unsigned char>(bytes[at++]);
  const std::size_t length = utf8_length(first);
  if (length == 1 || at + length > bytes.size()) {
    ++at;
    return kMalformed;
  }
  char32_t c = first & (0x7fu >> length);
  for (std::size_t i = 1; i < length; ++i) {
    const auto next = static_cast<unsigned char>(bytes[at + i]);
    if ((next & 0xc0) != 0x80) {
      ++at;
      return kMalformed;
    }
    c = c << 6 | (next & 0x3fu);
  }
  at += c >= kLeast[length] && is_scalar_value(c) ? length : 1;
  return c >= kLeast[length] && is_scalar_value(c) ? c : kMalformed;
}

void append_utf8(std::string& text, char32_t c) {
  const auto put = [&](char32_t byte) { text += static_cast<char>(byte); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xc0 | c >> 6);
    put(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    put(0xe0 | c >> 12);
    put(0x80 | (c >> 6 & 0x3f));
    put(0x80 | (c & 0x3f));
  } else {
    put(0xf0 | c >> 18);
    put(0x80 | (c >> 12 & 0x3f));
    put(0x80 | (c >> 6 & 0x3f));
    put(0x80 | (c & 0x3f));
  }
}

std::string to_utf8(std::u32string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  for (const char32_t c : text) append_utf8(bytes, c);
  return bytes;
}

std::u32string from_utf8(std::string_view bytes) {
  std::u32string text;
  text.reserve(bytes.size());
  for (std::size_t at = 0; at < bytes.size();) text += decode_utf8(bytes, at);
  return text;
}

}  // namespace scheme
