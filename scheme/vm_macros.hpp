#pragma once

/// How the instructions in vm.cpp are written: these stand in Interp::execute alone, and use its
/// variables `fp`, `pc`, `insn` and `labels`.

// Operands.
#define A fp[insn.a]
#define B fp[insn.b()]
#define C fp[insn.c()]

// Before anything that may raise or collect.
#define SAVE() (fp_ = fp, pc_ = pc, top_ = nullptr)

#define NEXT()             \
  do {                     \
    insn = *pc++;          \
    goto* labels[insn.op]; \
  } while (false)

#define RETURN(value)                    \
  do {                                   \
    const Value returned = value;        \
    pc = decode(fp[-2]);                 \
    const std::uint32_t base = pc[-1].a; \
    fp -= 2 + base;                      \
    fp[base] = returned;                 \
    NEXT();                              \
  } while (false)

// Jumps.
#define JUMP_IF(condition)                                    \
  do {                                                        \
    if (condition) pc += static_cast<std::int16_t>(insn.c()); \
    NEXT();                                                   \
  } while (false)
#define LONG_JUMP_IF(condition)                               \
  do {                                                        \
    if (condition) pc += static_cast<std::int32_t>(insn.imm); \
    NEXT();                                                   \
  } while (false)

#define JUMP_TEST(name, condition) \
  name:                            \
  JUMP_IF(condition);
#define LONG_JUMP_TEST(name, condition) \
  name:                                 \
  LONG_JUMP_IF(condition);

// Comparisons of fixnums are those of their tagged bits.
#define COMPARE_BITS(x, op, y) \
  (static_cast<std::int32_t>((x).bits()) op static_cast<std::int32_t>((y).bits()))
#define JUMP_COMPARE(name, op, compare, wanted)    \
  name : {                                         \
    const Value x = A, y = B;                      \
    if (are_fixnums(x, y)) [[likely]]              \
      JUMP_IF(COMPARE_BITS(x, op, y) == (wanted)); \
    SAVE();                                        \
    JUMP_IF(compare(*this, x, y) == (wanted));     \
  }
#define JUMP_COMPARE_IMM(name, op, compare, wanted)                     \
  name : {                                                              \
    const Value x = A, y = fixnum(static_cast<std::int16_t>(insn.b())); \
    if (is_fixnum(x)) [[likely]]                                        \
      JUMP_IF(COMPARE_BITS(x, op, y) == (wanted));                      \
    SAVE();                                                             \
    JUMP_IF(compare(*this, x, y) == (wanted));                          \
  }

// Results.
#define PUT(name, value) \
  name:                  \
  A = value;             \
  NEXT();
#define PUT_COMPARE(name, op, compare)     \
  name : {                                 \
    const Value x = B, y = C;              \
    if (are_fixnums(x, y)) [[likely]] {    \
      A = boolean(COMPARE_BITS(x, op, y)); \
    } else {                               \
      SAVE();                              \
      A = boolean(compare(*this, x, y));   \
    }                                      \
    NEXT();                                \
  }
// `fast` as in fixnums.hpp, `slow` for all numbers.
#define PUT_NUMBER(name, fast, slow, second) \
  name : {                                   \
    const Value x = B, y = second;           \
    Value number;                            \
    if (fast(x, y, number)) [[likely]] {     \
      A = number;                            \
      NEXT();                                \
    }                                        \
    SAVE();                                  \
    A = slow(*this, x, y);                   \
    NEXT();                                  \
  }
// One step of car or cdr each, `first` nearest the pair.
#define PUT_PATH1(name, first)        \
  name : {                            \
    const Value x = B;                \
    if (!is(x, kPair)) [[unlikely]] { \
      SAVE();                         \
      wrong_type(#name, "pair", x);   \
    }                                 \
    A = at<Pair>(x)->first.get();     \
    NEXT();                           \
  }
#define PUT_PATH2(name, first, second)                                        \
  name : {                                                                    \
    const Value x = B;                                                        \
    if (!is(x, kPair) || !is(at<Pair>(x)->first.get(), kPair)) [[unlikely]] { \
      SAVE();                                                                 \
      wrong_type(#name, "nested pair", x);                                    \
    }                                                                         \
    A = at<Pair>(at<Pair>(x)->first.get())->second.get();                     \
    NEXT();                                                                   \
  }

// Stores and checks.
#define SET_PAIR(name, who, field)  \
  name:                             \
  if (!is(A, kPair)) [[unlikely]] { \
    SAVE();                         \
    wrong_type(who, "pair", A);     \
  }                                 \
  at<Pair>(A)->field.set(B);        \
  NEXT();
#define CHECK_INDEX(who, Type, x, i)                                                    \
  do {                                                                                  \
    if (!is(x, k##Type) || !is_fixnum(i) ||                                             \
        static_cast<std::uint32_t>(fixnum_of(i)) >= at<Type>(x)->size()) [[unlikely]] { \
      SAVE();                                                                           \
      bad_index(who, x, i, k##Type);                                                    \
    }                                                                                   \
  } while (false)
#define CHECK_RECORD(x, record_type)                                                  \
  do {                                                                                \
    if (!is(x, kRecord) || at<Record>(x)->type.get() != (record_type)) [[unlikely]] { \
      SAVE();                                                                         \
      wrong_record(record_type, insn.c(), x);                                         \
    }                                                                                 \
  } while (false)
