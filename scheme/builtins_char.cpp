/// Characters, and comparison of strings.

#include "builtins.hpp"
#include "chars.hpp"
#include "numbers.hpp"
#include "text.hpp"

namespace scheme {
namespace {

char32_t char_arg(Interp& in, Value value, const char* who) {
  if (!is_char(value)) in.wrong_type(who, "character", value);
  return char_of(value);
}

BUILTIN(is_char_value) { return boolean(is_char(args[0])); }
BUILTIN(char_to_integer) {
  return fixnum(static_cast<std::int64_t>(char_arg(in, args[0], "char->integer")));
}
BUILTIN(integer_to_char) {
  const std::uint32_t code = index_of(in, args[0], "integer->char", 0x10ffff);
  if (!is_scalar_value(code)) in.wrong_type("integer->char", "Unicode scalar value", args[0]);
  return character(code);
}
template <char32_t (*map)(const Interp&, char32_t)>
BUILTIN(map_char) {
  return character(map(in, char_arg(in, args[0], "char case mapping")));
}
template <bool (*has)(const Interp&, char32_t)>
BUILTIN(test_char) {
  return boolean(has(in, char_arg(in, args[0], "character test")));
}
bool is_space(const Interp&, char32_t c) { return is_whitespace(c); }
bool is_digit(const Interp&, char32_t c) { return digit_value(c) >= 0; }
bool is_upper(const Interp& in, char32_t c) { return is_uppercase(in, c); }
bool is_lower(const Interp& in, char32_t c) { return is_lowercase(in, c); }
BUILTIN(digit_value_of) {
  const int value = digit_value(char_arg(in, args[0], "digit-value"));
  return value < 0 ? kFalse : fixnum(value);
}

enum Order { kEqual, kLess, kGreater, kAtMost, kAtLeast };
template <class T>
bool in_order(Order order, const T& a, const T& b) {
  switch (order) {
    case kEqual:
      return a == b;
    case kLess:
      return a < b;
    case kGreater:
      return a > b;
    case kAtMost:
      return a <= b;
    case kAtLeast:
      return a >= b;
  }
  return false;
}
template <Order order, bool folds>
BUILTIN(compare_chars) {
  bool result = true;
  char32_t last = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    char32_t c = char_arg(in, args[i], "character comparison");
    if (folds) c = foldcase(in, c);
    result = result && (i == 0 || in_order(order, last, c));
    last = c;
  }
  return boolean(result);
}
template <Order order, bool folds>
BUILTIN(compare_strings) {
  for (std::uint32_t i = 0; i < count; ++i) {
    if (!in.is(args[i], kString)) in.wrong_type("string comparison", "string", args[i]);
  }
  bool result = true;
  for (std::uint32_t i = 1; i < count && result; ++i) {
    if (!folds) {
      result = in_order(order, in.text(args[i - 1]), in.text(args[i]));
      continue;
    }
    const std::u32string a = foldcase(in, in.text(args[i - 1])), b = foldcase(in, in.text(args[i]));
    result = in_order(order, a, b);
  }
  return boolean(result);
}

constexpr Builtin kBuiltins[] = {
    {"char?", is_char_value, 1, 1},
    {"char->integer", char_to_integer, 1, 1},
    {"integer->char", integer_to_char, 1, 1},
    {"char-upcase", map_char<upcase>, 1, 1},
    {"char-downcase", map_char<downcase>, 1, 1},
    {"char-foldcase", map_char<foldcase>, 1, 1},
    {"char-alphabetic?", test_char<is_alphabetic>, 1, 1},
    {"char-numeric?", test_char<is_digit>, 1, 1},
    {"char-whitespace?", test_char<is_space>, 1, 1},
    {"char-upper-case?", test_char<is_upper>, 1, 1},
    {"char-lower-case?", test_char<is_lower>, 1, 1},
    {"digit-value", digit_value_of, 1, 1},
    {"char=?", compare_chars<kEqual, false>, 1, -1},
    {"char<?", compare_chars<kLess, false>, 1, -1},
    {"char>?", compare_chars<kGreater, false>, 1, -1},
    {"char<=?", compare_chars<kAtMost, false>, 1, -1},
    {"char>=?", compare_chars<kAtLeast, false>, 1, -1},
    {"char-ci=?", compare_chars<kEqual, true>, 1, -1},
    {"char-ci<?", compare_chars<kLess, true>, 1, -1},
    {"char-ci>?", compare_chars<kGreater, true>, 1, -1},
    {"char-ci<=?", compare_chars<kAtMost, true>, 1, -1},
    {"char-ci>=?", compare_chars<kAtLeast, true>, 1, -1},
    {"string=?", compare_strings<kEqual, false>, 1, -1},
    {"string<?", compare_strings<kLess, false>, 1, -1},
    {"string>?", compare_strings<kGreater, false>, 1, -1},
    {"string<=?", compare_strings<kAtMost, false>, 1, -1},
    {"string>=?", compare_strings<kAtLeast, false>, 1, -1},
    {"string-ci=?", compare_strings<kEqual, true>, 1, -1},
    {"string-ci<?", compare_strings<kLess, true>, 1, -1},
    {"string-ci>?", compare_strings<kGreater, true>, 1, -1},
    {"string-ci<=?", compare_strings<kAtMost, true>, 1, -1},
    {"string-ci>=?", compare_strings<kAtLeast, true>, 1, -1},
};

}  // namespace

std::span<const Builtin> char_builtins() { return kBuiltins; }

}  // namespace scheme
