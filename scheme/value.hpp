#pragma once

#include <besom/besom.hpp>
#include <cstdint>

/// A Scheme whose data lives in a Besom heap.
namespace scheme {

using besom::Header;
using besom::Value;

/// How Scheme's data is told apart. The collector looks at bit 0 alone, so everything that is no
/// ref is odd:
///
///   bit 31 .................... 4 3 2 1 0
///       | index of an object   |0 0 0 0|      pair, string, flonum, ...
///       | integer of 30 bits        |1 1|      a fixnum; larger integers are objects
///       | number of the constant |0 0 0 1|      #f #t () ...
///       | code point             |0 1 0 1|      a character
///
/// Fixnums have both bits set so that one `and` tells whether two values are both fixnums.
constexpr std::uint32_t kFixnumTag = 3;
constexpr std::uint32_t kConstantTag = 1;
constexpr std::uint32_t kCharTag = 5;
constexpr std::int64_t kMinFixnum = -(1 << 29);
constexpr std::int64_t kMaxFixnum = (1 << 29) - 1;

[[nodiscard]] constexpr Value constant_value(std::uint32_t number) noexcept {
  return Value::from_bits(number << 4 | kConstantTag);
}
constexpr Value kFalse = constant_value(0);
constexpr Value kTrue = constant_value(1);
constexpr Value kNil = constant_value(2);
constexpr Value kEof = constant_value(3);
constexpr Value kUnspecified = constant_value(4);
constexpr Value kDefault = constant_value(5);  ///< An optional argument that was not given.
constexpr Value kUnbound = constant_value(6);  ///< What a global holds before its definition.
constexpr Value kUnassigned =
    constant_value(7);                         ///< What a letrec variable holds before its value.
constexpr Value kDeleted = constant_value(8);  ///< A hash table's entry that was removed.

[[nodiscard]] constexpr bool is_fixnum(Value value) noexcept { return (value.bits() & 3) == 3; }
[[nodiscard]] constexpr bool are_fixnums(Value a, Value b) noexcept {
  return (a.bits() & b.bits() & 3) == 3;
}
/// Precondition: in [kMinFixnum, kMaxFixnum].
[[nodiscard]] constexpr Value fixnum(std::int64_t i) noexcept {
  return Value::from_bits(static_cast<std::uint32_t>(i) << 2 | kFixnumTag);
}
[[nodiscard]] constexpr std::int32_t fixnum_of(Value value) noexcept {
  return static_cast<std::int32_t>(value.bits()) >> 2;
}
[[nodiscard]] constexpr bool fits_fixnum(std::int64_t i) noexcept {
  return kMinFixnum <= i && i <= kMaxFixnum;
}

[[nodiscard]] constexpr bool is_char(Value value) noexcept {
  return (value.bits() & 15) == kCharTag;
}
[[nodiscard]] constexpr Value character(char32_t c) noexcept {
  return Value::from_bits(static_cast<std::uint32_t>(c) << 4 | kCharTag);
}
[[nodiscard]] constexpr char32_t char_of(Value value) noexcept { return value.bits() >> 4; }

[[nodiscard]] constexpr Value boolean(bool b) noexcept { return b ? kTrue : kFalse; }
[[nodiscard]] constexpr bool is_true(Value value) noexcept { return value != kFalse; }
/// Whether it names an object: the zero of a slot never used does not occur as Scheme data.
[[nodiscard]] constexpr bool is_object(Value value) noexcept { return (value.bits() & 1) == 0; }

}  // namespace scheme
