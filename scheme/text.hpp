#pragma once

#include <string>
#include <string_view>

namespace scheme {

/// The code point that starts at `bytes[at]`, which is moved past it; malformed bytes give U+FFFD,
/// one for each byte.
[[nodiscard]] char32_t decode_utf8(std::string_view bytes, std::size_t& at) noexcept;
/// How many bytes the code point that starts with `first` should have; 1 for a malformed one.
[[nodiscard]] std::size_t utf8_length(unsigned char first) noexcept;
void append_utf8(std::string& text, char32_t c);
[[nodiscard]] std::string to_utf8(std::u32string_view text);
[[nodiscard]] std::u32string from_utf8(std::string_view bytes);

[[nodiscard]] constexpr bool is_scalar_value(std::uint64_t c) noexcept {
  return c < 0xd800 || (c > 0xdfff && c <= 0x10ffff);
}

}  // namespace scheme
