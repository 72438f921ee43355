#include "chars.hpp"

#include <locale.h>
#include <wctype.h>

#include <algorithm>
#include <iterator>

#include "interp.hpp"

namespace scheme {
namespace {

struct NamedChar {
  std::string_view name;
  char32_t c;
};
constexpr NamedChar kNamed[] = {{"alarm", 7},    {"backspace", 8}, {"delete", 127}, {"escape", 27},
                                {"newline", 10}, {"null", 0},      {"return", 13},  {"space", 32},
                                {"tab", 9},      {"linefeed", 10}, {"nul", 0},      {"altmode", 27},
                                {"rubout", 127}};

/// The zeros of Unicode's decimal digits (general category Nd), each followed by one to nine.
constexpr char32_t kZeros[] = {
    0x30,    0x660,   0x6f0,   0x7c0,   0x966,   0x9e6,   0xa66,   0xae6,   0xb66,   0xbe6,
    0xc66,   0xce6,   0xd66,   0xde6,   0xe50,   0xed0,   0xf20,   0x1040,  0x1090,  0x17e0,
    0x1810,  0x1946,  0x19d0,  0x1a80,  0x1a90,  0x1b50,  0x1bb0,  0x1c40,  0x1c50,  0xa620,
    0xa8d0,  0xa900,  0xa9d0,  0xa9f0,  0xaa50,  0xabf0,  0xff10,  0x104a0, 0x10d30, 0x11066,
    0x110f0, 0x11136, 0x111d0, 0x112f0, 0x11450, 0x114d0, 0x11650, 0x116c0, 0x11730, 0x118e0,
    0x11950, 0x11c50, 0x11d50, 0x11da0, 0x16a60, 0x16ac0, 0x16b50, 0x1d7ce, 0x1d7d8, 0x1d7e2,
    0x1d7ec, 0x1d7f6, 0x1e140, 0x1e2f0, 0x1e950, 0x1fbf0};

locale_t locale_of(const Interp& in) { return static_cast<locale_t>(in.locale); }
wint_t wide(char32_t c) { return static_cast<wint_t>(c); }

}  // namespace

std::string_view name_of_char(char32_t c) noexcept {
  for (const NamedChar& named : kNamed) {
    if (named.c == c) return named.name;
  }
  return {};
}

std::int32_t char_named(std::string_view name) noexcept {
  for (const NamedChar& named : kNamed) {
    if (named.name == name) return static_cast<std::int32_t>(named.c);
  }
  return -1;
}

char32_t upcase(const Interp& in, char32_t c) noexcept {
  if (c < 128) return c >= 'a' && c <= 'z' ? c - 32 : c;
  return static_cast<char32_t>(towupper_l(wide(c), locale_of(in)));
}
char32_t downcase(const Interp& in, char32_t c) noexcept {
  if (c < 128) return c >= 'A' && c <= 'Z' ? c + 32 : c;
  return static_cast<char32_t>(towlower_l(wide(c), locale_of(in)));
}
char32_t foldcase(const Interp& in, char32_t c) noexcept {
  // Both sigmas, and the like: what differs below may agree above.
  return downcase(in, upcase(in, c));
}
bool is_alphabetic(const Interp& in, char32_t c) noexcept {
  if (c < 128) return (c | 32) >= 'a' && (c | 32) <= 'z';
  // The C library counts other scripts' digits as letters.
  return iswalpha_l(wide(c), locale_of(in)) != 0 && digit_value(c) < 0;
}
bool is_uppercase(const Interp& in, char32_t c) noexcept {
  return c < 128 ? c >= 'A' && c <= 'Z' : iswupper_l(wide(c), locale_of(in)) != 0;
}
bool is_lowercase(const Interp& in, char32_t c) noexcept {
  return c < 128 ? c >= 'a' && c <= 'z' : iswlower_l(wide(c), locale_of(in)) != 0;
}
bool is_whitespace(char32_t c) noexcept {
  return c == 32 || (c >= 9 && c <= 13) || c == 0x85 || c == 0xa0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
         c == 0x3000;
}
bool is_printable(const Interp& in, char32_t c) noexcept {
  return c < 128 ? c >= 32 && c < 127 : iswprint_l(wide(c), locale_of(in)) != 0;
}

int digit_value(char32_t c) noexcept {
  const auto* above = std::upper_bound(std::begin(kZeros), std::end(kZeros), c);
  if (above == std::begin(kZeros)) return -1;
  const char32_t digit = c - above[-1];
  return digit < 10 ? static_cast<int>(digit) : -1;
}

void open_chars(Interp& in) { in.locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr); }
void close_chars(Interp& in) noexcept {
  if (in.locale != nullptr) freelocale(locale_of(in));
  in.locale = nullptr;
}

}  // namespace scheme
