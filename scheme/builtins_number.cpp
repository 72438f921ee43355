/// Numbers: arithmetic that is exact where its arguments are.

#include <bit>
#include <cmath>

#include "builtins.hpp"
#include "numbers.hpp"
#include "text.hpp"

namespace scheme {
namespace {

template <Value (*operation)(Interp&, Value, Value), int unit>
BUILTIN(accumulate) {
  if (count == 0) return fixnum(unit);
  Rooted result(in, args[0]);
  if (count == 1) static_cast<void>(number_of(in, args[0], unit == 0 ? "+" : "*"));
  for (std::uint32_t i = 1; i < count; ++i) result.set(operation(in, result.get(), args[i]));
  return result.get();
}
BUILTIN(subtract) {
  if (count == 1) {
    const Number number = number_of(in, args[0], "-");
    if (!number.is_exact) return in.flonum(-number.real);
    return num_sub(in, fixnum(0), args[0]);
  }
  Rooted result(in, args[0]);
  for (std::uint32_t i = 1; i < count; ++i) result.set(num_sub(in, result.get(), args[i]));
  return result.get();
}
BUILTIN(divide) {
  if (count == 1) return num_div(in, fixnum(1), args[0]);
  Rooted result(in, args[0]);
  for (std::uint32_t i = 1; i < count; ++i) result.set(num_div(in, result.get(), args[i]));
  return result.get();
}

bool less(Interp& in, Value x, Value y) { return num_less(in, x, y); }
bool greater(Interp& in, Value x, Value y) { return num_less(in, y, x); }
bool at_most(Interp& in, Value x, Value y) { return num_at_most(in, x, y); }
bool at_least(Interp& in, Value x, Value y) { return num_at_most(in, y, x); }
bool equals(Interp& in, Value x, Value y) { return num_equals(in, x, y); }
template <bool (*holds)(Interp&, Value, Value)>
BUILTIN(compare) {
  bool result = true;
  if (count == 1) static_cast<void>(number_of(in, args[0], "compare"));
  for (std::uint32_t i = 1; i < count; ++i) result = holds(in, args[i - 1], args[i]) && result;
  return boolean(result);
}
template <bool greatest>
BUILTIN(extreme) {
  Number best = number_of(in, args[0], greatest ? "max" : "min");
  bool is_exact = best.is_exact;
  for (std::uint32_t i = 1; i < count; ++i) {
    const Number other = number_of(in, args[i], greatest ? "max" : "min");
    is_exact = is_exact && other.is_exact;
    const bool is_nan = std::isnan(other.as_double());
    if (best.is_exact && other.is_exact
            ? (greatest ? other.integer > best.integer : other.integer < best.integer)
            : is_nan || (greatest ? other.as_double() > best.as_double()
                                  : other.as_double() < best.as_double())) {
      best = other;
    }
  }
  return is_exact ? value_of(in, best) : in.flonum(best.as_double());
}

BUILTIN(is_number_value) { return boolean(is_number(in, args[0])); }
BUILTIN(is_real) { return boolean(is_number(in, args[0])); }
bool has_integer_value(const Interp& in, Value value) {
  if (!in.is(value, kFlonum)) return is_exact_integer(in, value);
  const double real = in.at<Flonum>(value)->value;
  return std::floor(real) == real && !std::isinf(real);
}
BUILTIN(is_rational) {
  return boolean(in.is(args[0], kFlonum) ? std::isfinite(in.at<Flonum>(args[0])->value)
                                         : is_exact_integer(in, args[0]));
}
BUILTIN(is_integer) { return boolean(has_integer_value(in, args[0])); }
BUILTIN(is_exact_integer_value) { return boolean(is_exact_integer(in, args[0])); }
BUILTIN(is_exact) { return boolean(number_of(in, args[0], "exact?").is_exact); }
BUILTIN(is_inexact) { return boolean(!number_of(in, args[0], "inexact?").is_exact); }
BUILTIN(is_zero) { return boolean(number_of(in, args[0], "zero?").as_double() == 0); }
BUILTIN(is_positive) { return boolean(number_of(in, args[0], "positive?").as_double() > 0); }
BUILTIN(is_negative) { return boolean(number_of(in, args[0], "negative?").as_double() < 0); }
template <bool odd>
BUILTIN(has_parity) {
  const Number number = number_of(in, args[0], odd ? "odd?" : "even?");
  if (!has_integer_value(in, args[0])) in.wrong_type(odd ? "odd?" : "even?", "integer", args[0]);
  if (number.is_exact) return boolean(((number.integer & 1) != 0) == odd);
  return boolean((std::fmod(number.real, 2) != 0) == odd);
}

BUILTIN(absolute) {
  const Number number = number_of(in, args[0], "abs");
  if (!number.is_exact) return in.flonum(std::fabs(number.real));
  return number.integer < 0 ? num_sub(in, fixnum(0), args[0]) : args[0];
}
template <Value (*operation)(Interp&, Value, Value)>
BUILTIN(binary) {
  return operation(in, args[0], args[1]);
}
/// Rounded down: (n - (n modulo d)) / d.
Value floor_quotient(Interp& in, Value x, Value y) {
  const Rooted rest(in, num_modulo(in, x, y));
  const Rooted difference(in, num_sub(in, x, rest.get()));
  return num_quotient(in, difference.get(), y);
}
template <Value (*quotient)(Interp&, Value, Value), Value (*remainder)(Interp&, Value, Value)>
BUILTIN(both_parts) {
  const Rooted first(in, quotient(in, args[0], args[1]));
  const Rooted second(in, remainder(in, args[0], args[1]));
  const Value parts[] = {first.get(), second.get()};
  return in.values(parts);
}

std::uint64_t magnitude(std::int64_t i) {
  return i < 0 ? 0 - static_cast<std::uint64_t>(i) : static_cast<std::uint64_t>(i);
}
std::uint64_t gcd_of(std::uint64_t a, std::uint64_t b) {
  while (b != 0) a = std::exchange(b, a % b);
  return a;
}
/// Of integers, which are inexact if one of them is.
template <bool multiple>
BUILTIN(common) {
  const char* who = multiple ? "lcm" : "gcd";
  std::uint64_t result = multiple ? 1 : 0;
  bool is_exact = true;
  for (std::uint32_t i = 0; i < count; ++i) {
    is_exact = number_of(in, args[i], who).is_exact && is_exact;
    const std::uint64_t other = magnitude(integer_of(in, args[i], who));
    if (!multiple) {
      result = gcd_of(result, other);
    } else if (other == 0 || result == 0) {
      result = 0;
    } else if (__builtin_mul_overflow(result, other / gcd_of(result, other), &result)) {
      in.fail("lcm: integer overflow, the result needs more than 64 bits");
    }
  }
  if (!is_exact) return in.flonum(static_cast<double>(result));
  if (result > static_cast<std::uint64_t>(INT64_MAX)) {
    in.fail(in.public_name(who) + ": integer overflow, the result needs more than 64 bits");
  }
  return in.integer(static_cast<std::int64_t>(result));
}

template <double (*round)(double)>
BUILTIN(round_with) {
  const Number number = number_of(in, args[0], "round");
  return number.is_exact ? args[0] : in.flonum(round(number.real));
}
double floor_double(double x) { return std::floor(x); }
double ceiling_double(double x) { return std::ceil(x); }
double truncate_double(double x) { return std::trunc(x); }
double round_double(double x) { return std::nearbyint(x); }

BUILTIN(to_exact) {
  const Number number = number_of(in, args[0], "exact");
  if (number.is_exact) return args[0];
  if (std::floor(number.real) != number.real || std::isinf(number.real)) {
    in.fail(in.public_name("exact") + ": there is no exact number for", {args[0]});
  }
  if (std::fabs(number.real) >= 9223372036854775808.0) {
    in.fail(in.public_name("exact") + ": integer overflow, the result needs more than 64 bits");
  }
  return in.integer(static_cast<std::int64_t>(number.real));
}
BUILTIN(to_inexact) {
  const Number number = number_of(in, args[0], "inexact");
  return number.is_exact ? in.flonum(static_cast<double>(number.integer)) : args[0];
}

/// A finite double as a ratio of two doubles, the denominator a power of two.
double denominator_of(double value) {
  double denominator = 1;
  while (std::floor(value) != value) {
    value *= 2;
    denominator *= 2;
  }
  return denominator;
}
BUILTIN(numerator) {
  const Number number = number_of(in, args[0], "numerator");
  if (number.is_exact) return args[0];
  if (!std::isfinite(number.real)) in.wrong_type("numerator", "rational", args[0]);
  return in.flonum(number.real * denominator_of(number.real));
}
BUILTIN(denominator) {
  const Number number = number_of(in, args[0], "denominator");
  if (number.is_exact) return fixnum(1);
  if (!std::isfinite(number.real)) in.wrong_type("denominator", "rational", args[0]);
  return in.flonum(denominator_of(number.real));
}

/// By repeated squaring; the last square is not needed and may not fit.
Value exact_power(Interp& in, std::int64_t base, std::int64_t exponent) {
  std::int64_t result = 1;
  for (;; exponent >>= 1) {
    bool overflows = (exponent & 1) != 0 && __builtin_mul_overflow(result, base, &result);
    if (exponent <= 1 && !overflows) return in.integer(result);
    overflows = __builtin_mul_overflow(base, base, &base) || overflows;
    if (overflows) in.fail("expt: integer overflow, the result needs more than 64 bits");
  }
}
BUILTIN(expt) {
  const Number base = number_of(in, args[0], "expt"), power = number_of(in, args[1], "expt");
  if (base.is_exact && power.is_exact) {
    if (base.integer == 1 || power.integer == 0) return fixnum(1);
    if (base.integer == -1) return fixnum((power.integer & 1) != 0 ? -1 : 1);
    if (base.integer == 0) {
      if (power.integer < 0) in.fail("expt: division by zero");
      return fixnum(0);
    }
    if (power.integer > 0) return exact_power(in, base.integer, power.integer);
  }
  return in.flonum(std::pow(base.as_double(), power.as_double()));
}

/// The greatest integer whose square is at most n.
std::int64_t integer_root(std::int64_t n) {
  auto root = static_cast<std::int64_t>(std::sqrt(static_cast<double>(n)));
  while (root > 0 && (root > 3037000499 || root * root > n)) --root;
  while (root < 3037000499 && (root + 1) * (root + 1) <= n) ++root;
  return root;
}
BUILTIN(exact_integer_sqrt) {
  if (!is_exact_integer(in, args[0])) in.wrong_type("exact-integer-sqrt", "exact integer", args[0]);
  const std::int64_t n = number_of(in, args[0], "exact-integer-sqrt").integer;
  if (n < 0) in.wrong_type("exact-integer-sqrt", "exact integer of at least 0", args[0]);
  const std::int64_t root = integer_root(n);
  const Rooted first(in, in.integer(root));
  const Rooted second(in, in.integer(n - root * root));
  const Value parts[] = {first.get(), second.get()};
  return in.values(parts);
}
BUILTIN(square) { return num_mul(in, args[0], args[0]); }

unsigned radix_of(Interp& in, const Value* args, std::uint32_t count, const char* who) {
  if (count < 2) return 10;
  const std::uint32_t radix = index_of(in, args[1], who, 36);
  if (radix < 2) in.fail(in.public_name(who) + ": no radix:", {args[1]});
  return radix;
}
BUILTIN(number_to_string) {
  const Number number = number_of(in, args[0], "number->string");
  const unsigned radix = radix_of(in, args, count, "number->string");
  return in.string(number.is_exact ? number_text(number.integer, radix)
                                   : number_text(number.real, radix));
}
BUILTIN(string_to_number) {
  if (!in.is(args[0], kString)) in.wrong_type("string->number", "string", args[0]);
  const ParsedNumber parsed =
      parse_number(in.utf8(args[0]), radix_of(in, args, count, "string->number"));
  return parsed.number ? value_of(in, *parsed.number) : kFalse;
}

template <std::int64_t (*operation)(std::int64_t, std::int64_t), int unit>
BUILTIN(bitwise) {
  std::int64_t result = unit;
  for (std::uint32_t i = 0; i < count; ++i) {
    result = operation(result, integer_of(in, args[i], "bitwise"));
  }
  return in.integer(result);
}
std::int64_t bit_and(std::int64_t a, std::int64_t b) { return a & b; }
std::int64_t bit_or(std::int64_t a, std::int64_t b) { return a | b; }
std::int64_t bit_xor(std::int64_t a, std::int64_t b) { return a ^ b; }
BUILTIN(bitwise_not) { return in.integer(~integer_of(in, args[0], "bitwise-not")); }
BUILTIN(arithmetic_shift) {
  const std::int64_t value = integer_of(in, args[0], "arithmetic-shift");
  const std::int64_t by = integer_of(in, args[1], "arithmetic-shift");
  if (by <= 0) return in.integer(by < -63 ? (value < 0 ? -1 : 0) : value >> -by);
  if (value == 0) return fixnum(0);
  const std::int64_t shifted =
      by > 62 ? 0 : static_cast<std::int64_t>(static_cast<std::uint64_t>(value) << by);
  if (by > 62 || shifted >> by != value) {
    in.fail("arithmetic-shift: integer overflow, the result needs more than 64 bits");
  }
  return in.integer(shifted);
}

constexpr Builtin kBuiltins[] = {
    {"+", accumulate<num_add, 0>, 0, -1},
    {"*", accumulate<num_mul, 1>, 0, -1},
    {"-", subtract, 1, -1},
    {"/", divide, 1, -1},
    {"<", compare<less>, 1, -1},
    {">", compare<greater>, 1, -1},
    {"<=", compare<at_most>, 1, -1},
    {">=", compare<at_least>, 1, -1},
    {"=", compare<equals>, 1, -1},
    {"max", extreme<true>, 1, -1},
    {"min", extreme<false>, 1, -1},
    {"number?", is_number_value, 1, 1},
    {"complex?", is_number_value, 1, 1},
    {"real?", is_real, 1, 1},
    {"rational?", is_rational, 1, 1},
    {"integer?", is_integer, 1, 1},
    {"exact-integer?", is_exact_integer_value, 1, 1},
    {"exact?", is_exact, 1, 1},
    {"inexact?", is_inexact, 1, 1},
    {"zero?", is_zero, 1, 1},
    {"positive?", is_positive, 1, 1},
    {"negative?", is_negative, 1, 1},
    {"odd?", has_parity<true>, 1, 1},
    {"even?", has_parity<false>, 1, 1},
    {"abs", absolute, 1, 1},
    {"magnitude", absolute, 1, 1},
    {"quotient", binary<num_quotient>, 2, 2},
    {"truncate-quotient", binary<num_quotient>, 2, 2},
    {"remainder", binary<num_remainder>, 2, 2},
    {"truncate-remainder", binary<num_remainder>, 2, 2},
    {"modulo", binary<num_modulo>, 2, 2},
    {"floor-remainder", binary<num_modulo>, 2, 2},
    {"floor-quotient", binary<floor_quotient>, 2, 2},
    {"floor/", both_parts<floor_quotient, num_modulo>, 2, 2},
    {"truncate/", both_parts<num_quotient, num_remainder>, 2, 2},
    {"gcd", common<false>, 0, -1},
    {"lcm", common<true>, 0, -1},
    {"floor", round_with<floor_double>, 1, 1},
    {"ceiling", round_with<ceiling_double>, 1, 1},
    {"truncate", round_with<truncate_double>, 1, 1},
    {"round", round_with<round_double>, 1, 1},
    {"exact", to_exact, 1, 1},
    {"inexact->exact", to_exact, 1, 1},
    {"inexact", to_inexact, 1, 1},
    {"exact->inexact", to_inexact, 1, 1},
    {"numerator", numerator, 1, 1},
    {"denominator", denominator, 1, 1},
    {"expt", expt, 2, 2},
    {"exact-integer-sqrt", exact_integer_sqrt, 1, 1},
    {"square", square, 1, 1},
    {"number->string", number_to_string, 1, 2},
    {"string->number", string_to_number, 1, 2},
    {"bitwise-and", bitwise<bit_and, -1>, 0, -1},
    {"bitwise-or", bitwise<bit_or, 0>, 0, -1},
    {"bitwise-xor", bitwise<bit_xor, 0>, 0, -1},
    {"bitwise-not", bitwise_not, 1, 1},
    {"arithmetic-shift", arithmetic_shift, 2, 2},
};

}  // namespace

std::span<const Builtin> number_builtins() { return kBuiltins; }

}  // namespace scheme
