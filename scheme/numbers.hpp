#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "value.hpp"

namespace scheme {

class Interp;

/// A number out of its object: exact integers have 64 bits, all others are doubles.
struct Number {
  bool is_exact = true;
  std::int64_t integer = 0;
  double real = 0;

  [[nodiscard]] double as_double() const noexcept {
    return is_exact ? static_cast<double>(integer) : real;
  }
};

[[nodiscard]] bool is_number(const Interp& in, Value value) noexcept;
[[nodiscard]] bool is_exact_integer(const Interp& in, Value value) noexcept;
/// Raises a type error that names `who`.
[[nodiscard]] Number number_of(Interp& in, Value value, const char* who);
/// The same for a number that has to be an exact integer, or a flonum with an integer's value.
[[nodiscard]] std::int64_t integer_of(Interp& in, Value value, const char* who);
/// An exact integer in [0, most].
[[nodiscard]] std::uint32_t index_of(Interp& in, Value value, const char* who, std::uint64_t most);
[[nodiscard]] Value value_of(Interp& in, const Number& number);

// Arithmetic; exact results that do not fit 64 bits raise an overflow error.
[[nodiscard]] Value num_add(Interp& in, Value x, Value y);
[[nodiscard]] Value num_sub(Interp& in, Value x, Value y);
[[nodiscard]] Value num_mul(Interp& in, Value x, Value y);
[[nodiscard]] Value num_div(Interp& in, Value x, Value y);
[[nodiscard]] Value num_quotient(Interp& in, Value x, Value y);
[[nodiscard]] Value num_remainder(Interp& in, Value x, Value y);
[[nodiscard]] Value num_modulo(Interp& in, Value x, Value y);
[[nodiscard]] bool num_less(Interp& in, Value x, Value y);
[[nodiscard]] bool num_at_most(Interp& in, Value x, Value y);
[[nodiscard]] bool num_equals(Interp& in, Value x, Value y);

/// Of numbers that are eqv? to each other only if they are alike in exactness and bits.
[[nodiscard]] bool are_same_number(const Interp& in, Value x, Value y) noexcept;

/// The shortest text that reads back as the same number.
[[nodiscard]] std::string number_text(double value, unsigned radix = 10);
[[nodiscard]] std::string number_text(std::int64_t value, unsigned radix = 10);
/// What a text means in Scheme's notation, e.g. "#e1.5e2", or why it means nothing here: it is no
/// number, an exact integer that does not fit, or a complex number.
struct ParsedNumber {
  enum Problem { kNoNumber, kTooLarge, kComplex };
  std::optional<Number> number;
  Problem problem = kNoNumber;

  [[nodiscard]] bool is_numeric() const noexcept { return number || problem != kNoNumber; }
};
[[nodiscard]] ParsedNumber parse_number(std::string_view text, unsigned radix = 10);

}  // namespace scheme
