/// Numbers as text.

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "numbers.hpp"

namespace scheme {
namespace {

/// A digit's value, or 99.
unsigned digit_of(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'z') return static_cast<unsigned>(c - 'a' + 10);
  if (c >= 'A' && c <= 'Z') return static_cast<unsigned>(c - 'A' + 10);
  return 99;
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

struct Digits {
  bool are_digits = false;
  bool fit = true;
  std::int64_t value = 0;
  double real = 0;
};

/// Signed digits: as an integer, and as a double where that does not fit.
Digits parse_digits(std::string_view text, unsigned radix) {
  Digits result;
  const bool is_negative = !text.empty() && text[0] == '-';
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
  result.are_digits = !text.empty();
  for (const char c : text) {
    const unsigned digit = digit_of(c);
    if (digit >= radix) return {};
    const auto step = static_cast<std::int64_t>(is_negative ? -std::int64_t{digit} : digit);
    if (__builtin_mul_overflow(result.value, std::int64_t{radix}, &result.value) ||
        __builtin_add_overflow(result.value, step, &result.value)) {
      result.fit = false;
    }
    result.real = result.real * radix + digit;
  }
  if (is_negative) result.real = -result.real;
  return result;
}

/// In lower case; the exponent may begin with R5RS's s, f, d or l too.
std::optional<double> parse_decimal(std::string text) {
  const std::size_t marker = text.find_first_of("sfdl");
  if (marker != std::string::npos) text[marker] = 'e';
  // strtod takes words and hexadecimal numbers that are no Scheme. The program leaves LC_NUMERIC as
  // it is, and std::from_chars for double is in no libc++ before 20.
  std::string_view rest = text;
  const bool is_negative = !rest.empty() && rest[0] == '-';
  if (!rest.empty() && (rest[0] == '-' || rest[0] == '+')) rest.remove_prefix(1);
  if (rest.empty() || (digit_of(rest[0]) > 9 && rest[0] != '.')) return {};
  if (rest[0] == '.' && (rest.size() == 1 || digit_of(rest[1]) > 9)) return {};
  if (rest.find_first_not_of("0123456789.e+-") != std::string_view::npos) return {};
  char* end = nullptr;
  const double value = std::strtod(rest.data(), &end);  // ends where `text` does
  if (*end != '\0' || end != rest.data() + rest.size()) return {};
  return is_negative ? -value : value;
}

/// `12.5` in another radix.
std::optional<double> parse_positional(std::string_view text, unsigned radix) {
  const bool is_negative = !text.empty() && text[0] == '-';
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
  if (text.size() < 2 || text.find('.') == text.npos) return {};
  // Digits that say nothing could make the largest numbers infinite.
  text.remove_suffix(text.size() - 1 - text.find_last_not_of('0'));
  double value = 0;
  int places = -1;
  for (const char c : text) {
    if (c == '.' && places < 0) {
      places = 0;
      continue;
    }
    const unsigned digit = digit_of(c);
    if (digit >= radix) return {};
    value = value * radix + digit;
    if (places >= 0) ++places;
  }
  // Exact where the radix is a power of two.
  value = std::has_single_bit(radix)
              ? std::ldexp(value, -places * (static_cast<int>(std::bit_width(radix)) - 1))
              : value / std::pow(radix, places);
  return is_negative ? -value : value;
}

ParsedNumber as_exact(double value) {
  if (std::floor(value) != value || std::fabs(value) >= 9223372036854775808.0) {
    return {{}, std::isfinite(value) ? ParsedNumber::kTooLarge : ParsedNumber::kNoNumber};
  }
  return {Number{true, static_cast<std::int64_t>(value), 0}};
}

ParsedNumber inexact(double value) { return {Number{false, 0, value}}; }

/// `text` is in lower case and has no prefix; `exactness` is 'e', 'i' or 0.
ParsedNumber parse_real(const std::string& text, unsigned radix, char exactness) {
  const Digits digits = parse_digits(text, radix);
  if (digits.are_digits) {
    if (exactness == 'i')
      return inexact(digits.fit ? static_cast<double>(digits.value) : digits.real);
    if (!digits.fit) return {{}, ParsedNumber::kTooLarge};
    return {Number{true, digits.value, 0}};
  }
  std::optional<double> value;
  if (text == "+inf.0") value = HUGE_VAL;
  if (text == "-inf.0") value = -HUGE_VAL;
  if (text == "+nan.0" || text == "-nan.0") value = std::nan("");
  const std::size_t slash = text.find('/');
  if (slash != std::string::npos) {
    // There are no ratios: what is not whole is inexact, as division makes it.
    const Digits over = parse_digits(text.substr(0, slash), radix);
    const std::string below = text.substr(slash + 1);
    const Digits under = parse_digits(below, radix);
    if (!over.are_digits || !under.are_digits || digit_of(below[0]) >= radix) return {};
    if (under.fit && under.value == 0) return {};
    value = (over.fit ? static_cast<double>(over.value) : over.real) /
            (under.fit ? static_cast<double>(under.value) : under.real);
    if (exactness == 0 && over.fit && under.fit && over.value % under.value == 0) exactness = 'e';
  } else if (!value && radix == 10) {
    value = parse_decimal(text);
  } else if (!value) {
    value = parse_positional(text, radix);
  }
  if (!value) return {};
  return exactness == 'e' ? as_exact(*value) : inexact(*value);
}

/// `real+imaginaryi` or `magnitude@angle`: of these only what is real on the whole is a number
/// here.
ParsedNumber parse_complex(const std::string& text, unsigned radix, char exactness) {
  const auto is_zero = [](const ParsedNumber& part) {
    return part.number && part.number->is_exact && part.number->integer == 0;
  };
  const std::size_t at = text.find('@');
  if (at != std::string::npos) {
    const ParsedNumber length = parse_real(text.substr(0, at), radix, exactness);
    const ParsedNumber angle = parse_real(text.substr(at + 1), radix, exactness);
    if (!length.is_numeric() || !angle.is_numeric()) return {};
    return is_zero(angle) ? length : ParsedNumber{{}, ParsedNumber::kComplex};
  }
  if (text.empty() || text.back() != 'i') return {};
  // The sign of the imaginary part is the last one that begins a number.
  for (std::size_t sign = text.size() - 1; sign-- > 0;) {
    if (text[sign] != '+' && text[sign] != '-') continue;
    std::string imaginary = text.substr(sign, text.size() - sign - 1);
    if (imaginary.size() == 1) imaginary += '1';
    const ParsedNumber imaginary_part = parse_real(imaginary, radix, exactness);
    const ParsedNumber real_part =
        parse_real(sign == 0 ? "0" : text.substr(0, sign), radix, exactness);
    if (!imaginary_part.is_numeric() || !real_part.is_numeric()) continue;
    return is_zero(imaginary_part) ? real_part : ParsedNumber{{}, ParsedNumber::kComplex};
  }
  return {};
}

/// Precondition: finite, and the radix a power of two, so that all steps are exact.
std::string positional_text(double value, unsigned radix) {
  constexpr char kDigits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
  double whole = 0;
  double fraction = std::modf(std::fabs(value), &whole);
  std::string text;
  for (; whole >= 1; whole = std::floor(whole / radix)) {
    text += kDigits[static_cast<unsigned>(std::fmod(whole, radix))];
  }
  if (text.empty()) text = "0";
  if (std::signbit(value)) text += '-';
  std::reverse(text.begin(), text.end());
  text += fraction == 0 ? ".0" : ".";
  while (fraction > 0) {
    const double digit = std::floor(fraction *= radix);
    text += kDigits[static_cast<unsigned>(digit)];
    fraction -= digit;
  }
  return text;
}

}  // namespace

std::string number_text(std::int64_t value, unsigned radix) {
  char text[80];
  const auto end = std::to_chars(text, text + sizeof text, value, static_cast<int>(radix)).ptr;
  return {text, end};
}

std::string number_text(double value, unsigned radix) {
  if (std::isnan(value)) return "+nan.0";
  if (std::isinf(value)) return value > 0 ? "+inf.0" : "-inf.0";
  if (std::has_single_bit(radix)) return positional_text(value, radix);
  if (radix != 10 && std::floor(value) == value && std::fabs(value) < 9e18) {
    return number_text(static_cast<std::int64_t>(value), radix) + ".0";
  }
  // The shortest digits that tell the number from its neighbours, as d.ddde+dd.
  char text[64];
  const char* end =
      std::to_chars(text, text + sizeof text, value, std::chars_format::scientific).ptr;
  std::string mantissa(text, static_cast<std::size_t>(end - text));
  const std::size_t exponent = mantissa.find('e');
  const int power = std::atoi(mantissa.c_str() + exponent + 1);
  mantissa.resize(exponent);
  const std::string sign = mantissa[0] == '-' ? "-" : "";
  std::string digits;
  for (const char c : mantissa) {
    if (digit_of(c) < 10) digits += c;
  }
  if (power < -6 || power >= 21) return mantissa + "e" + std::to_string(power);
  if (power < 0) digits.insert(0, static_cast<std::size_t>(-power), '0');
  const std::size_t places = power < 0 ? 1 : static_cast<std::size_t>(power) + 1;
  if (digits.size() < places) digits.append(places - digits.size(), '0');
  const std::string fraction = digits.substr(places);
  return sign + digits.substr(0, places) + "." + (fraction.empty() ? "0" : fraction);
}

ParsedNumber parse_number(std::string_view text, unsigned radix) {
  char exactness = 0;
  bool has_radix = false;
  while (text.size() >= 2 && text[0] == '#') {
    const char prefix = lower(text[1]);
    if (prefix == 'e' || prefix == 'i') {
      if (exactness != 0) return {};
      exactness = prefix;
    } else if (prefix == 'x' || prefix == 'b' || prefix == 'o' || prefix == 'd') {
      if (has_radix) return {};
      has_radix = true;
      radix = prefix == 'x' ? 16 : prefix == 'b' ? 2 : prefix == 'o' ? 8 : 10;
    } else {
      return {};
    }
    text.remove_prefix(2);
  }
  std::string folded(text);
  for (char& c : folded) c = lower(c);
  const ParsedNumber real = parse_real(folded, radix, exactness);
  return real.is_numeric() ? real : parse_complex(folded, radix, exactness);
}

}  // namespace scheme
