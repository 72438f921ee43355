#pragma once

#include "value.hpp"

/// Arithmetic of two fixnums on their tagged bits, for the VM. Each puts the result into `to`, or
/// returns false where it is none of theirs: an operand is no fixnum, or the result does not fit.
namespace scheme {

[[gnu::always_inline]] inline bool fixnum_add(Value x, Value y, Value& to) noexcept {
  std::int32_t sum;
  if (!are_fixnums(x, y) ||
      __builtin_add_overflow(static_cast<std::int32_t>(x.bits()),
                             static_cast<std::int32_t>(y.bits() - kFixnumTag), &sum)) {
    return false;
  }
  to = Value::from_bits(static_cast<std::uint32_t>(sum));
  return true;
}

[[gnu::always_inline]] inline bool fixnum_sub(Value x, Value y, Value& to) noexcept {
  std::int32_t difference;
  if (!are_fixnums(x, y) ||
      __builtin_sub_overflow(static_cast<std::int32_t>(x.bits()),
                             static_cast<std::int32_t>(y.bits() - kFixnumTag), &difference)) {
    return false;
  }
  to = Value::from_bits(static_cast<std::uint32_t>(difference));
  return true;
}

[[gnu::always_inline]] inline bool fixnum_mul(Value x, Value y, Value& to) noexcept {
  if (!are_fixnums(x, y)) return false;
  const std::int64_t product = std::int64_t{fixnum_of(x)} * fixnum_of(y);
  if (!fits_fixnum(product)) return false;
  to = fixnum(product);
  return true;
}

// What rounds otherwise below 0, and a divisor of 0, is not for these.

[[gnu::always_inline]] inline bool fixnum_quotient(Value x, Value y, Value& to) noexcept {
  if (!are_fixnums(x, y) || fixnum_of(y) <= 0) return false;
  to = fixnum(fixnum_of(x) / fixnum_of(y));
  return true;
}

[[gnu::always_inline]] inline bool fixnum_remainder(Value x, Value y, Value& to) noexcept {
  if (!are_fixnums(x, y) || fixnum_of(y) <= 0) return false;
  to = fixnum(fixnum_of(x) % fixnum_of(y));
  return true;
}

[[gnu::always_inline]] inline bool fixnum_modulo(Value x, Value y, Value& to) noexcept {
  if (!are_fixnums(x, y) || fixnum_of(y) <= 0 || fixnum_of(x) < 0) return false;
  to = fixnum(fixnum_of(x) % fixnum_of(y));
  return true;
}

}  // namespace scheme
