#include "numbers.hpp"

#include <bit>
#include <cmath>

#include "interp.hpp"

namespace scheme {
namespace {

[[noreturn]] void overflow(Interp& in, const char* who) {
  in.fail(in.public_name(who) + ": integer overflow, the result needs more than 64 bits");
}
[[noreturn]] void division_by_zero(Interp& in, const char* who) {
  in.fail(in.public_name(who) + ": division by zero");
}

bool is_flonum(const Interp& in, Value value) { return in.is(value, kFlonum); }
double flonum_of(const Interp& in, Value value) { return in.at<Flonum>(value)->value; }

/// The operation on flonums where one is inexact, else on integers; the latter says if it
/// overflows.
template <class OnReals, class OnIntegers>
Value combine(Interp& in, Value x, Value y, const char* who, OnReals on_reals,
              OnIntegers on_integers) {
  if (is_flonum(in, x) && is_flonum(in, y)) [[likely]] {
    return in.flonum(on_reals(flonum_of(in, x), flonum_of(in, y)));
  }
  const Number a = number_of(in, x, who), b = number_of(in, y, who);
  if (a.is_exact && b.is_exact) {
    std::int64_t result = 0;
    if (on_integers(a.integer, b.integer, &result)) overflow(in, who);
    return in.integer(result);
  }
  return in.flonum(on_reals(a.as_double(), b.as_double()));
}

/// Exact and inexact numbers are compared as the numbers they are, not after rounding.
template <class OnReals, class OnIntegers>
bool compare(Interp& in, Value x, Value y, const char* who, OnReals on_reals,
             OnIntegers on_integers) {
  if (is_flonum(in, x) && is_flonum(in, y)) return on_reals(flonum_of(in, x), flonum_of(in, y));
  const Number a = number_of(in, x, who), b = number_of(in, y, who);
  if (a.is_exact && b.is_exact) return on_integers(a.integer, b.integer);
  const double real = a.is_exact ? b.real : a.real;
  if (std::fabs(real) < 9.2e18 && std::floor(real) == real) {
    const auto whole = static_cast<std::int64_t>(real);
    return a.is_exact ? on_integers(a.integer, whole) : on_integers(whole, b.integer);
  }
  return on_reals(a.as_double(), b.as_double());
}

enum class Division { quotient, remainder, modulo };

Value divide(Interp& in, Value x, Value y, const char* who, Division kind) {
  const Number a = number_of(in, x, who), b = number_of(in, y, who);
  if (a.is_exact && b.is_exact) {
    if (b.integer == 0) division_by_zero(in, who);
    // The one quotient that does not fit; the machine's division would trap.
    if (b.integer == -1) {
      if (kind != Division::quotient) return fixnum(0);
      if (a.integer == INT64_MIN) overflow(in, who);
      return in.integer(-a.integer);
    }
    if (kind == Division::quotient) return in.integer(a.integer / b.integer);
    std::int64_t rest = a.integer % b.integer;
    if (kind == Division::modulo && rest != 0 && (rest < 0) != (b.integer < 0)) rest += b.integer;
    return in.integer(rest);
  }
  const double n = a.as_double(), d = b.as_double();
  if (std::floor(n) != n || std::isinf(n)) in.wrong_type(who, "integer", x);
  if (std::floor(d) != d || std::isinf(d)) in.wrong_type(who, "integer", y);
  if (d == 0) division_by_zero(in, who);
  if (kind == Division::quotient) return in.flonum(std::trunc(n / d));
  double rest = std::fmod(n, d);
  if (kind == Division::modulo && rest != 0 && (rest < 0) != (d < 0)) rest += d;
  return in.flonum(rest);
}

}  // namespace

bool is_number(const Interp& in, Value value) noexcept {
  return is_fixnum(value) || in.is(value, kFlonum) || in.is(value, kInteger);
}
bool is_exact_integer(const Interp& in, Value value) noexcept {
  return is_fixnum(value) || in.is(value, kInteger);
}

Number number_of(Interp& in, Value value, const char* who) {
  if (is_fixnum(value)) return {true, fixnum_of(value), 0};
  if (in.is(value, kFlonum)) return {false, 0, flonum_of(in, value)};
  if (in.is(value, kInteger)) return {true, in.at<Integer>(value)->value, 0};
  in.wrong_type(who, "number", value);
}

std::int64_t integer_of(Interp& in, Value value, const char* who) {
  const Number number = is_number(in, value) ? number_of(in, value, who) : Number{false, 0, 0.5};
  if (number.is_exact) return number.integer;
  if (std::floor(number.real) != number.real || std::fabs(number.real) > 9.2e18) {
    in.wrong_type(who, "integer", value);
  }
  return static_cast<std::int64_t>(number.real);
}

std::uint32_t index_of(Interp& in, Value value, const char* who, std::uint64_t most) {
  if (!is_exact_integer(in, value)) in.wrong_type(who, "exact integer", value);
  const std::int64_t index = number_of(in, value, who).integer;
  if (index < 0 || static_cast<std::uint64_t>(index) > most) in.out_of_range(who, value, most + 1);
  return static_cast<std::uint32_t>(index);
}

Value value_of(Interp& in, const Number& number) {
  return number.is_exact ? in.integer(number.integer) : in.flonum(number.real);
}

Value num_add(Interp& in, Value x, Value y) {
  return combine(
      in, x, y, "+", [](double a, double b) { return a + b; },
      [](std::int64_t a, std::int64_t b, std::int64_t* r) {
        return __builtin_add_overflow(a, b, r);
      });
}
Value num_sub(Interp& in, Value x, Value y) {
  return combine(
      in, x, y, "-", [](double a, double b) { return a - b; },
      [](std::int64_t a, std::int64_t b, std::int64_t* r) {
        return __builtin_sub_overflow(a, b, r);
      });
}
Value num_mul(Interp& in, Value x, Value y) {
  return combine(
      in, x, y, "*", [](double a, double b) { return a * b; },
      [](std::int64_t a, std::int64_t b, std::int64_t* r) {
        return __builtin_mul_overflow(a, b, r);
      });
}

Value num_div(Interp& in, Value x, Value y) {
  if (is_flonum(in, x) && is_flonum(in, y)) {
    return in.flonum(flonum_of(in, x) / flonum_of(in, y));
  }
  const Number a = number_of(in, x, "/"), b = number_of(in, y, "/");
  if (b.is_exact && b.integer == 0) division_by_zero(in, "/");
  if (a.is_exact && b.is_exact && b.integer != -1 && a.integer % b.integer == 0) {
    return in.integer(a.integer / b.integer);
  }
  if (a.is_exact && b.is_exact && b.integer == -1) return num_sub(in, fixnum(0), x);
  return in.flonum(a.as_double() / b.as_double());
}

Value num_quotient(Interp& in, Value x, Value y) {
  return divide(in, x, y, "quotient", Division::quotient);
}
Value num_remainder(Interp& in, Value x, Value y) {
  return divide(in, x, y, "remainder", Division::remainder);
}
Value num_modulo(Interp& in, Value x, Value y) {
  return divide(in, x, y, "modulo", Division::modulo);
}

bool num_less(Interp& in, Value x, Value y) {
  return compare(
      in, x, y, "<", [](double a, double b) { return a < b; },
      [](std::int64_t a, std::int64_t b) { return a < b; });
}
bool num_at_most(Interp& in, Value x, Value y) {
  return compare(
      in, x, y, "<=", [](double a, double b) { return a <= b; },
      [](std::int64_t a, std::int64_t b) { return a <= b; });
}
bool num_equals(Interp& in, Value x, Value y) {
  return compare(
      in, x, y, "=", [](double a, double b) { return a == b; },
      [](std::int64_t a, std::int64_t b) { return a == b; });
}

bool are_same_number(const Interp& in, Value x, Value y) noexcept {
  if (is_flonum(in, x) && is_flonum(in, y)) {
    const double a = flonum_of(in, x), b = flonum_of(in, y);
    return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b) ||
           (std::isnan(a) && std::isnan(b));
  }
  return in.is(x, kInteger) && in.is(y, kInteger) &&
         in.at<Integer>(x)->value == in.at<Integer>(y)->value;
}

}  // namespace scheme
