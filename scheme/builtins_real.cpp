/// Numbers: functions whose results are inexact.

#include <cmath>

#include "builtins.hpp"
#include "numbers.hpp"

namespace scheme {
namespace {

/// An exact argument for which the result is exact stays so: `(exp 0)` is 1.
template <double (*function)(double), int argument, int result>
BUILTIN(real_function_with) {
  if (args[0] == fixnum(argument)) return fixnum(result);
  return in.flonum(function(number_of(in, args[0], "real function").as_double()));
}
BUILTIN(log_of) {
  const double value = number_of(in, args[0], "log").as_double();
  if (count == 2) {
    const double base = number_of(in, args[1], "log").as_double();
    return in.flonum(base == 2    ? std::log2(value)
                     : base == 10 ? std::log10(value)
                                  : std::log(value) / std::log(base));
  }
  return args[0] == fixnum(1) ? fixnum(0) : in.flonum(std::log(value));
}
BUILTIN(arc_tangent) {
  const Number y = number_of(in, args[0], "atan");
  if (count == 1) {
    return args[0] == fixnum(0) ? fixnum(0) : in.flonum(std::atan(y.as_double()));
  }
  const Number x = number_of(in, args[1], "atan");
  if (y.is_exact && y.integer == 0 && x.is_exact && x.integer > 0) return fixnum(0);
  return in.flonum(std::atan2(y.as_double(), x.as_double()));
}
BUILTIN(square_root) {
  const Number number = number_of(in, args[0], "sqrt");
  if (number.as_double() < 0) in.fail("sqrt: there are no complex numbers: of", {args[0]});
  const double root = std::sqrt(number.as_double());
  // Exact where the argument is the square of an integer.
  if (number.is_exact) {
    const auto whole = static_cast<std::int64_t>(root);
    for (const std::int64_t candidate : {whole, whole + 1}) {
      if (candidate <= 3037000499 && candidate * candidate == number.integer) {
        return in.integer(candidate);
      }
    }
  }
  return in.flonum(root);
}

BUILTIN(is_nan) { return boolean(std::isnan(number_of(in, args[0], "nan?").as_double())); }
BUILTIN(is_finite) { return boolean(std::isfinite(number_of(in, args[0], "finite?").as_double())); }
BUILTIN(is_infinite) {
  return boolean(std::isinf(number_of(in, args[0], "infinite?").as_double()));
}

/// The simplest ratio in [low, high], 0 < low: Stern-Brocot by continued fractions.
double simplest(double low, double high) {
  const double floor = std::floor(low);
  if (floor == low) return floor;
  if (floor < std::floor(high)) return floor + 1;
  return floor + 1 / simplest(1 / (high - floor), 1 / (low - floor));
}
BUILTIN(rationalize) {
  const Number x = number_of(in, args[0], "rationalize"), y = number_of(in, args[1], "rationalize");
  const double low = x.as_double() - std::fabs(y.as_double());
  const double high = x.as_double() + std::fabs(y.as_double());
  double result;
  if (std::isnan(low) || std::isnan(high)) {
    result = std::nan("");
  } else if (std::isinf(low) || std::isinf(high)) {
    result =
        std::isinf(y.as_double()) ? (std::isinf(x.as_double()) ? std::nan("") : 0) : x.as_double();
  } else if (low <= 0 && high >= 0) {
    result = 0;
  } else {
    result = low > 0 ? simplest(low, high) : -simplest(-high, -low);
  }
  if (x.is_exact && y.is_exact && std::floor(result) == result) {
    return in.integer(static_cast<std::int64_t>(result));
  }
  return in.flonum(result);
}

double exp_double(double x) { return std::exp(x); }
double sin_double(double x) { return std::sin(x); }
double cos_double(double x) { return std::cos(x); }
double tan_double(double x) { return std::tan(x); }
double asin_double(double x) { return std::asin(x); }
double acos_double(double x) { return std::acos(x); }

// Real numbers as complex ones.
BUILTIN(real_part) {
  static_cast<void>(number_of(in, args[0], "real-part"));
  return args[0];
}
BUILTIN(imag_part) {
  static_cast<void>(number_of(in, args[0], "imag-part"));
  return fixnum(0);
}
BUILTIN(angle) {
  const Number number = number_of(in, args[0], "angle");
  if (number.as_double() < 0) return in.flonum(3.141592653589793);
  return number.is_exact ? fixnum(0) : in.flonum(0);
}

/// Both take what is real after all.
BUILTIN(make_rectangular) {
  static_cast<void>(number_of(in, args[0], "make-rectangular"));
  if (args[1] != fixnum(0)) {
    static_cast<void>(number_of(in, args[1], "make-rectangular"));
    in.fail("make-rectangular: there are no complex numbers: imaginary part", {args[1]});
  }
  return args[0];
}
BUILTIN(make_polar) {
  static_cast<void>(number_of(in, args[0], "make-polar"));
  if (args[1] != fixnum(0)) {
    static_cast<void>(number_of(in, args[1], "make-polar"));
    in.fail("make-polar: there are no complex numbers: angle", {args[1]});
  }
  return args[0];
}

constexpr Builtin kBuiltins[] = {
    {"exp", real_function_with<exp_double, 0, 1>, 1, 1},
    {"log", log_of, 1, 2},
    {"sin", real_function_with<sin_double, 0, 0>, 1, 1},
    {"cos", real_function_with<cos_double, 0, 1>, 1, 1},
    {"tan", real_function_with<tan_double, 0, 0>, 1, 1},
    {"asin", real_function_with<asin_double, 0, 0>, 1, 1},
    {"acos", real_function_with<acos_double, 1, 0>, 1, 1},
    {"atan", arc_tangent, 1, 2},
    {"sqrt", square_root, 1, 1},
    {"nan?", is_nan, 1, 1},
    {"finite?", is_finite, 1, 1},
    {"infinite?", is_infinite, 1, 1},
    {"rationalize", rationalize, 2, 2},
    {"real-part", real_part, 1, 1},
    {"imag-part", imag_part, 1, 1},
    {"angle", angle, 1, 1},
    {"make-rectangular", make_rectangular, 2, 2},
    {"make-polar", make_polar, 2, 2},
};

}  // namespace

std::span<const Builtin> real_builtins() { return kBuiltins; }

}  // namespace scheme
