#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "value.hpp"

namespace scheme {

class Interp;

/// "newline" for U+000A and its like; "" for characters that have no name.
[[nodiscard]] std::string_view name_of_char(char32_t c) noexcept;
/// The character of that name, or -1.
[[nodiscard]] std::int32_t char_named(std::string_view name) noexcept;

/// What some editors put before a text.
constexpr char32_t kByteOrderMark = 0xfeff;

// Unicode's simple mappings and properties, as the C library has them.
[[nodiscard]] char32_t upcase(const Interp& in, char32_t c) noexcept;
[[nodiscard]] char32_t downcase(const Interp& in, char32_t c) noexcept;
[[nodiscard]] char32_t foldcase(const Interp& in, char32_t c) noexcept;
[[nodiscard]] bool is_alphabetic(const Interp& in, char32_t c) noexcept;
[[nodiscard]] bool is_uppercase(const Interp& in, char32_t c) noexcept;
[[nodiscard]] bool is_lowercase(const Interp& in, char32_t c) noexcept;
[[nodiscard]] bool is_whitespace(char32_t c) noexcept;
[[nodiscard]] bool is_printable(const Interp& in, char32_t c) noexcept;
/// Of a decimal digit of any script, 0 to 9; of all else -1.
[[nodiscard]] int digit_value(char32_t c) noexcept;

// Of strings: Unicode's full mappings.
[[nodiscard]] std::u32string upcase(const Interp& in, std::u32string_view text);
[[nodiscard]] std::u32string downcase(const Interp& in, std::u32string_view text);
[[nodiscard]] std::u32string foldcase(const Interp& in, std::u32string_view text);

/// The locale that the mappings come from; released by close_chars().
void open_chars(Interp& in);
void close_chars(Interp& in) noexcept;

}  // namespace scheme
