/// The VM: a register machine. Operands are slots of the frame, so that most of what a program does
/// with variables and simple procedures is one instruction each.

#include <algorithm>
#include <iterator>

#include "bytecode.hpp"
#include "compile.hpp"
#include "environment.hpp"
#include "interp.hpp"
#include "lists.hpp"
#include "numbers.hpp"

// Labels as values: each instruction jumps to the next one's code itself, which branch predictors
// tell apart better than one switch.
#pragma GCC diagnostic ignored "-Wpedantic"

namespace scheme {
namespace {

bool num_greater(Interp& in, Value x, Value y) { return num_less(in, y, x); }
bool num_at_least(Interp& in, Value x, Value y) { return num_at_most(in, y, x); }

}  // namespace

Value Interp::run(Value thunk) {
  keep_reserve();
  registers.rest = kFalse;
  rest_end_ = rest_fp_ = rest_pc_ = 0;
  extend_to(bottom_ + 2);
  bottom_[0] = encode(at<Code>(registers.stub)->insns() + 1);
  bottom_[1] = thunk;
  fp_ = bottom_ + 2;
  pc_ = at<Code>(registers.stub)->insns() + 1;
  top_ = fp_;
  running_ = true;
  for (std::uint32_t argc = 0;;) {
    try {
      const Value result = execute(argc);
      running_ = false;
      fp_ = top_ = bottom_;
      return result;
    } catch (const Raised& raised) {
      prepare_raise(raised.object);
      argc = 1;
    }
  }
}

#define A fp[insn.a]
#define B fp[insn.b()]
#define C fp[insn.c()]
#define SAVE() (fp_ = fp, pc_ = pc, top_ = nullptr)
#define NEXT()             \
  do {                     \
    insn = *pc++;          \
    goto* labels[insn.op]; \
  } while (false)
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
#define HAS_TYPE(value, number) is(value, number)

// Comparisons of fixnums are those of their tagged bits.
#define JUMP_COMPARE(name, op, compare, wanted)                                               \
  name : {                                                                                    \
    const Value x = A, y = B;                                                                 \
    if (are_fixnums(x, y)) [[likely]]                                                         \
      JUMP_IF((static_cast<std::int32_t>(x.bits()) op static_cast<std::int32_t>(y.bits())) == \
              (wanted));                                                                      \
    SAVE();                                                                                   \
    JUMP_IF(compare(*this, x, y) == (wanted));                                                \
  }
#define JUMP_COMPARE_IMM(name, op, compare, wanted)                                           \
  name : {                                                                                    \
    const Value x = A, y = fixnum(static_cast<std::int16_t>(insn.b()));                       \
    if (is_fixnum(x)) [[likely]]                                                              \
      JUMP_IF((static_cast<std::int32_t>(x.bits()) op static_cast<std::int32_t>(y.bits())) == \
              (wanted));                                                                      \
    SAVE();                                                                                   \
    JUMP_IF(compare(*this, x, y) == (wanted));                                                \
  }
#define PUT_COMPARE(name, op, compare)                                                         \
  name : {                                                                                     \
    const Value x = B, y = C;                                                                  \
    if (are_fixnums(x, y)) [[likely]] {                                                        \
      A = boolean(static_cast<std::int32_t>(x.bits()) op static_cast<std::int32_t>(y.bits())); \
    } else {                                                                                   \
      SAVE();                                                                                  \
      A = boolean(compare(*this, x, y));                                                       \
    }                                                                                          \
    NEXT();                                                                                    \
  }
#define PUT_SLOW(name, function) \
  name : {                       \
    SAVE();                      \
    A = function(*this, B, C);   \
    NEXT();                      \
  }
// One step of car or cdr each, `first` nearest the pair.
#define PUT_PATH1(name, first)              \
  name : {                                  \
    const Value x = B;                      \
    if (!HAS_TYPE(x, kPair)) [[unlikely]] { \
      SAVE();                               \
      wrong_type(#name, "pair", x);         \
    }                                       \
    A = at<Pair>(x)->first.get();           \
    NEXT();                                 \
  }
#define PUT_PATH2(name, first, second)                                                    \
  name : {                                                                                \
    const Value x = B;                                                                    \
    if (!HAS_TYPE(x, kPair) || !HAS_TYPE(at<Pair>(x)->first.get(), kPair)) [[unlikely]] { \
      SAVE();                                                                             \
      wrong_type(#name, "nested pair", x);                                                \
    }                                                                                     \
    A = at<Pair>(at<Pair>(x)->first.get())->second.get();                                 \
    NEXT();                                                                               \
  }

/// Runs from the call of the procedure in fp_[-1] with `argc` arguments on.
Value Interp::execute(std::uint32_t argc) {
  static const void* const labels[] = {
#define X(name) &&name,
      SCHEME_OPS(X)
#undef X
  };
  Value* fp = fp_;
  const Insn* pc = pc_;
  Insn insn{};
  Value result;

enter_procedure : {
  const Value procedure = fp[-1];
  if (!is_object(procedure)) [[unlikely]]
    goto wrong_procedure;
  if (HAS_TYPE(procedure, kClosure)) [[likely]] {
    pc = at<Code>(at<Closure>(procedure)->code.get())->insns();
    NEXT();
  }
  if (HAS_TYPE(procedure, kPrimitive)) {
    const Builtin& builtin = builtins_[at<Header>(procedure)->length];
    save_caller(fp, argc);
    if (argc < static_cast<std::uint32_t>(builtin.least) ||
        (builtin.most >= 0 && argc > static_cast<std::uint32_t>(builtin.most))) [[unlikely]] {
      wrong_argument_count(procedure, argc);
    }
    switch (builtin.control) {
      case Control::none:
        result = builtin.function(*this, fp, argc);
        goto return_result;
      case Control::apply:
        argc = spread_list(fp, argc);
        goto enter_procedure;
      case Control::apply_values:
        argc = spread_values(fp);
        goto enter_procedure;
      case Control::call_cc: {
        const Value receiver = fp[0];
        const Value kont = capture_below(fp - 2);
        move_to_bottom(fp, 0);
        extend_to(fp + 1);
        fp[-1] = receiver;
        fp[0] = kont;
        argc = 1;
        goto enter_procedure;
      }
      case Control::throw_to:
        result = fp[1];
        throw_to(fp[0]);
        goto resume_rest;
      case Control::eval:
        fp[-1] = compile_for_eval(*this, fp[0], argc == 2 ? fp[1] : registers.user);
        argc = 0;
        goto enter_procedure;
      case Control::prelude_if_unbound:
        result = builtin.function(*this, fp, argc);
        if (result != kUnbound) [[likely]]
          goto return_result;
        fp[-1] = core_value(*this, ("%own-" + std::string(builtin.name)).c_str());
        goto enter_procedure;
    }
  }
  if (HAS_TYPE(procedure, kContinuation)) {
    save_caller(fp, argc);
    keep_reserve();
    if (at<Continuation>(procedure)->winders.get() == registers.winders) {
      result = values({fp, argc});
      throw_to(procedure);
      goto resume_rest;
    }
    extend_to(fp + argc + 1);
    std::copy_backward(fp, fp + argc, fp + argc + 1);
    fp[0] = procedure;
    fp[-1] = registers.rewind;
    ++argc;
    goto enter_procedure;
  }
  if (HAS_TYPE(procedure, kGuardian)) {
    save_caller(fp, argc);
    result = call_guardian(procedure, fp, argc);
    goto return_result;
  }
  if (HAS_TYPE(procedure, kParameter) && argc == 0) {
    result = at<Parameter>(procedure)->value.get();
    goto return_result;
  }
}
wrong_procedure:
  save_caller(fp, argc);
  if (HAS_TYPE(fp[-1], kParameter)) wrong_argument_count(fp[-1], argc);
  not_a_procedure(fp[-1]);

return_result:
  pc = decode(fp[-2]);
  fp -= 2 + pc[-1].a;
  fp[pc[-1].a] = result;
  NEXT();

underflow:
  result = fp[0];
resume_rest:
  if (!Interp::underflow(fp, pc)) return result;
  fp[pc[-1].a] = result;
  NEXT();

enter:
  if (argc != insn.x) [[unlikely]] {
    save_caller(fp, argc);
    wrong_argument_count(fp[-1], argc);
  }
  if (fp + insn.a > limit_.load(std::memory_order_relaxed)) [[unlikely]]
    make_room(fp, argc, insn.a);
  NEXT();
enter_rest:
  if (argc < insn.x) [[unlikely]] {
    save_caller(fp, argc);
    wrong_argument_count(fp[-1], argc);
  }
  gather_rest(fp, argc, insn.x);
  argc = insn.x + 1u;
  if (fp + insn.a > limit_.load(std::memory_order_relaxed)) [[unlikely]]
    make_room(fp, argc, insn.a);
  NEXT();
case_exact:
  LONG_JUMP_IF(argc == insn.x);
case_least:
  if (argc >= insn.x) {
    gather_rest(fp, argc, insn.x);
    argc = insn.x + 1u;
    pc += static_cast<std::int32_t>(insn.imm);
  }
  NEXT();
case_none:
  save_caller(fp, argc);
  wrong_argument_count(fp[-1], argc);

move:
  A = B;
  NEXT();
constant:
  A = Value::from_bits(insn.imm);
  NEXT();
global : {
  const Value value = at<Cell>(Value::from_bits(insn.imm))->value.get();
  if (value == kUnbound) [[unlikely]] {
    SAVE();
    fail("undefined variable: " + utf8(at<Cell>(Value::from_bits(insn.imm))->name.get()));
  }
  A = value;
  NEXT();
}
set_global : {
  auto* cell = at<Cell>(Value::from_bits(insn.imm));
  if (cell->value.get() == kUnbound) [[unlikely]] {
    SAVE();
    fail("undefined variable: " + utf8(cell->name.get()));
  }
  cell->value.set(A);
  NEXT();
}
define_global:
  at<Cell>(Value::from_bits(insn.imm))->value.set(A);
  NEXT();
self:
  A = fp[-1];
  NEXT();
free:
  A = at<Closure>(fp[-1])->free()[insn.b()].get();
  NEXT();
free_unbox : {
  const Value value = at<Box>(at<Closure>(fp[-1])->free()[insn.b()].get())->value.get();
  if (value == kUnassigned) [[unlikely]]
    goto unassigned;
  A = value;
  NEXT();
}
free_set_box:
  at<Box>(at<Closure>(fp[-1])->free()[insn.b()].get())->value.set(A);
  NEXT();
box : {
  SAVE();
  auto* object = heap_.allocate(besom::Type<Box>{kBox});
  if (object == nullptr) [[unlikely]]
    exhausted();
  object->value.init(B);
  A = ref(object);
  NEXT();
}
unbox : {
  const Value value = at<Box>(B)->value.get();
  if (value == kUnassigned) [[unlikely]]
    goto unassigned;
  A = value;
  NEXT();
}
set_box:
  at<Box>(A)->value.set(B);
  NEXT();
closure : {
  SAVE();
  std::uint32_t count = insn.x;
  if (count == 255) count = pc++->imm;
  auto* object = static_cast<Closure*>(heap_.allocate(kClosure, count));
  if (object == nullptr) [[unlikely]]
    exhausted();
  object->code.init(Value::from_bits(insn.imm));
  for (std::uint32_t i = 0; i < count; ++i) {
    const Insn capture = *pc++;
    Value value = kFalse;
    if (capture.x == 0) value = fp[capture.a];
    if (capture.x == 1) value = at<Closure>(fp[-1])->free()[capture.a].get();
    if (capture.x == 2) value = fp[-1];
    object->free()[i].init(value);
  }
  A = ref(object);
  NEXT();
}
capture:
  NEXT();  // Read by `closure`, never run.
patch:
  at<Closure>(A)->free()[insn.b()].set(C);
  NEXT();

jump:
  pc += static_cast<std::int32_t>(insn.imm);
  NEXT();
loop:
  pc += static_cast<std::int32_t>(insn.imm);
  if (limit_.load(std::memory_order_relaxed) == nullptr) [[unlikely]] {
    SAVE();
    check_interrupt();
  }
  NEXT();
jump_false:
  LONG_JUMP_IF(A == kFalse);
jump_true:
  LONG_JUMP_IF(A != kFalse);
jump_eq:
  JUMP_IF(A == B);
jump_not_eq:
  JUMP_IF(A != B);
jump_null:
  LONG_JUMP_IF(A == kNil);
jump_not_null:
  LONG_JUMP_IF(A != kNil);
jump_type:
  LONG_JUMP_IF(is_object(A) && at<Header>(A)->type == insn.x);
jump_not_type:
  LONG_JUMP_IF(!is_object(A) || at<Header>(A)->type != insn.x);

  JUMP_COMPARE(jump_less, <, num_less, true)
  JUMP_COMPARE(jump_not_less, <, num_less, false)
  JUMP_COMPARE(jump_at_most, <=, num_at_most, true)
  JUMP_COMPARE(jump_not_at_most, <=, num_at_most, false)
  JUMP_COMPARE(jump_equal, ==, num_equals, true)
  JUMP_COMPARE(jump_not_equal, ==, num_equals, false)
  JUMP_COMPARE_IMM(jump_less_imm, <, num_less, true)
  JUMP_COMPARE_IMM(jump_not_less_imm, <, num_less, false)
  JUMP_COMPARE_IMM(jump_at_most_imm, <=, num_at_most, true)
  JUMP_COMPARE_IMM(jump_not_at_most_imm, <=, num_at_most, false)
  JUMP_COMPARE_IMM(jump_greater_imm, >, num_greater, true)
  JUMP_COMPARE_IMM(jump_not_greater_imm, >, num_greater, false)
  JUMP_COMPARE_IMM(jump_at_least_imm, >=, num_at_least, true)
  JUMP_COMPARE_IMM(jump_not_at_least_imm, >=, num_at_least, false)
  JUMP_COMPARE_IMM(jump_equal_imm, ==, num_equals, true)
  JUMP_COMPARE_IMM(jump_not_equal_imm, ==, num_equals, false)

call:
  argc = insn.x == 255 ? insn.b() : insn.x;
  fp += insn.a + 2;
  fp[-2] = encode(pc);
  goto enter_procedure;
tail_call : {
  argc = insn.x == 255 ? insn.b() : insn.x;
  const Value* from = &A + 1;
  fp[-1] = from[0];
  for (std::uint32_t i = 0; i < argc; ++i) fp[i] = from[i + 1];
  goto enter_procedure;
}
call_global : {
  const Value procedure = at<Cell>(Value::from_bits(insn.imm))->value.get();
  argc = insn.x;
  Value* callee = fp + insn.a + 2;
  callee[-2] = encode(pc);
  callee[-1] = procedure;
  if (procedure == kUnbound) [[unlikely]]
    goto undefined_procedure;
  fp = callee;
  goto enter_procedure;
}
tail_call_global : {
  const Value procedure = at<Cell>(Value::from_bits(insn.imm))->value.get();
  if (procedure == kUnbound) [[unlikely]]
    goto undefined_procedure;
  argc = insn.x;
  const Value* from = &A + 2;
  fp[-1] = procedure;
  for (std::uint32_t i = 0; i < argc; ++i) fp[i] = from[i];
  goto enter_procedure;
}
undefined_procedure:
  SAVE();
  fail("undefined variable: " + utf8(at<Cell>(Value::from_bits(insn.imm))->name.get()));
call_builtin : {
  Value* args = &B;
  fp_ = fp;
  pc_ = pc;
  // One argument may be a variable anywhere in the frame; others are on top of it.
  top_ = insn.x == 1 ? nullptr : args + insn.x;
  const Value value = builtins_[insn.c()].function(*this, args, insn.x);
  A = value;
  NEXT();
}
ret : {
  const Value value = A;
  pc = decode(fp[-2]);
  const std::uint32_t base = pc[-1].a;
  fp -= 2 + base;
  fp[base] = value;
  NEXT();
}
ret_constant : {
  const Value value = Value::from_bits(insn.imm);
  pc = decode(fp[-2]);
  const std::uint32_t base = pc[-1].a;
  fp -= 2 + base;
  fp[base] = value;
  NEXT();
}
unpack:
  SAVE();
  Interp::unpack(&A, insn.x, insn.c() != 0, B);
  NEXT();

not_:
  A = boolean(B == kFalse);
  NEXT();
eq:
  A = boolean(B == C);
  NEXT();
eqv:
  A = boolean(B == C || is_eqv(*this, B, C));
  NEXT();
is_null:
  A = boolean(B == kNil);
  NEXT();
is_type:
  A = boolean(is_object(B) && at<Header>(B)->type == insn.x);
  NEXT();
is_char:
  A = boolean(scheme::is_char(B));
  NEXT();
cons : {
  SAVE();
  Pair* pair = heap_.allocate(besom::Type<Pair>{kPair});
  if (pair == nullptr) [[unlikely]]
    exhausted();
  pair->car.init(B);
  pair->cdr.init(C);
  A = ref(pair);
  NEXT();
}
  PUT_PATH1(car, car)
  PUT_PATH1(cdr, cdr)
  PUT_PATH2(caar, car, car)
  PUT_PATH2(cadr, cdr, car)
  PUT_PATH2(cdar, car, cdr)
  PUT_PATH2(cddr, cdr, cdr)
caddr : {
  Value x = B;
  for (int i = 0; i < 2 && HAS_TYPE(x, kPair); ++i) x = at<Pair>(x)->cdr.get();
  if (!HAS_TYPE(x, kPair)) [[unlikely]] {
    SAVE();
    wrong_type("caddr", "list of three", B);
  }
  A = at<Pair>(x)->car.get();
  NEXT();
}
set_car:
  if (!HAS_TYPE(A, kPair)) [[unlikely]] {
    SAVE();
    wrong_type("set-car!", "pair", A);
  }
  at<Pair>(A)->car.set(B);
  NEXT();
set_cdr:
  if (!HAS_TYPE(A, kPair)) [[unlikely]] {
    SAVE();
    wrong_type("set-cdr!", "pair", A);
  }
  at<Pair>(A)->cdr.set(B);
  NEXT();

add : {
  const Value x = B, y = C;
  std::int32_t sum;
  if (are_fixnums(x, y) &&
      !__builtin_add_overflow(static_cast<std::int32_t>(x.bits()),
                              static_cast<std::int32_t>(y.bits() - kFixnumTag), &sum)) [[likely]] {
    A = Value::from_bits(static_cast<std::uint32_t>(sum));
    NEXT();
  }
  SAVE();
  A = num_add(*this, x, y);
  NEXT();
}
sub : {
  const Value x = B, y = C;
  std::int32_t difference;
  if (are_fixnums(x, y) && !__builtin_sub_overflow(static_cast<std::int32_t>(x.bits()),
                                                   static_cast<std::int32_t>(y.bits() - kFixnumTag),
                                                   &difference)) [[likely]] {
    A = Value::from_bits(static_cast<std::uint32_t>(difference));
    NEXT();
  }
  SAVE();
  A = num_sub(*this, x, y);
  NEXT();
}
mul : {
  const Value x = B, y = C;
  if (are_fixnums(x, y)) [[likely]] {
    const std::int64_t product = std::int64_t{fixnum_of(x)} * fixnum_of(y);
    if (fits_fixnum(product)) [[likely]] {
      A = fixnum(product);
      NEXT();
    }
  }
  SAVE();
  A = num_mul(*this, x, y);
  NEXT();
}
add_imm : {
  const Value x = B;
  const std::int32_t addend = static_cast<std::int16_t>(insn.c()) * 4;
  std::int32_t sum;
  if (is_fixnum(x) && !__builtin_add_overflow(static_cast<std::int32_t>(x.bits()), addend, &sum))
      [[likely]] {
    A = Value::from_bits(static_cast<std::uint32_t>(sum));
    NEXT();
  }
  SAVE();
  A = num_add(*this, x, fixnum(static_cast<std::int16_t>(insn.c())));
  NEXT();
}
  PUT_SLOW(div, num_div)
quotient : {
  const Value x = B, y = C;
  if (are_fixnums(x, y) && fixnum_of(y) > 0) [[likely]] {
    A = fixnum(fixnum_of(x) / fixnum_of(y));
    NEXT();
  }
  SAVE();
  A = num_quotient(*this, x, y);
  NEXT();
}
remainder : {
  const Value x = B, y = C;
  if (are_fixnums(x, y) && fixnum_of(y) > 0) [[likely]] {
    A = fixnum(fixnum_of(x) % fixnum_of(y));
    NEXT();
  }
  SAVE();
  A = num_remainder(*this, x, y);
  NEXT();
}
modulo : {
  const Value x = B, y = C;
  if (are_fixnums(x, y) && fixnum_of(y) > 0 && fixnum_of(x) >= 0) [[likely]] {
    A = fixnum(fixnum_of(x) % fixnum_of(y));
    NEXT();
  }
  SAVE();
  A = num_modulo(*this, x, y);
  NEXT();
}
  PUT_COMPARE(less, <, num_less)
  PUT_COMPARE(at_most, <=, num_at_most)
  PUT_COMPARE(num_equal, ==, num_equals)

vector_ref : {
  const Value x = B, i = C;
  if (!HAS_TYPE(x, kVector) || !is_fixnum(i) ||
      static_cast<std::uint32_t>(fixnum_of(i)) >= at<Vector>(x)->size()) [[unlikely]] {
    SAVE();
    bad_index("vector-ref", x, i, kVector);
  }
  A = at<Vector>(x)->slots()[fixnum_of(i)].get();
  NEXT();
}
vector_set : {
  const Value x = A, i = B;
  if (!HAS_TYPE(x, kVector) || !is_fixnum(i) ||
      static_cast<std::uint32_t>(fixnum_of(i)) >= at<Vector>(x)->size()) [[unlikely]] {
    SAVE();
    bad_index("vector-set!", x, i, kVector);
  }
  at<Vector>(x)->slots()[fixnum_of(i)].set(C);
  NEXT();
}
string_ref : {
  const Value x = B, i = C;
  if (!HAS_TYPE(x, kString) || !is_fixnum(i) ||
      static_cast<std::uint32_t>(fixnum_of(i)) >= at<String>(x)->size()) [[unlikely]] {
    SAVE();
    bad_index("string-ref", x, i, kString);
  }
  A = character(at<String>(x)->chars()[fixnum_of(i)]);
  NEXT();
}
bytevector_ref : {
  const Value x = B, i = C;
  if (!HAS_TYPE(x, kBytevector) || !is_fixnum(i) ||
      static_cast<std::uint32_t>(fixnum_of(i)) >= at<Bytevector>(x)->size()) [[unlikely]] {
    SAVE();
    bad_index("bytevector-u8-ref", x, i, kBytevector);
  }
  A = fixnum(at<Bytevector>(x)->bytes()[fixnum_of(i)]);
  NEXT();
}
record_ref : {
  const Value x = B;
  const Value type = Value::from_bits(pc++->imm);
  if (!HAS_TYPE(x, kRecord) || at<Record>(x)->type.get() != type) [[unlikely]] {
    SAVE();
    wrong_record(type, insn.c(), x);
  }
  A = at<Record>(x)->fields()[insn.c()].get();
  NEXT();
}
record_set : {
  const Value x = A;
  const Value type = Value::from_bits(pc++->imm);
  if (!HAS_TYPE(x, kRecord) || at<Record>(x)->type.get() != type) [[unlikely]] {
    SAVE();
    wrong_record(type, insn.c(), x);
  }
  at<Record>(x)->fields()[insn.c()].set(B);
  NEXT();
}
is_record : {
  const Value x = B;
  const Value type = Value::from_bits(pc++->imm);
  A = boolean(HAS_TYPE(x, kRecord) && at<Record>(x)->type.get() == type);
  NEXT();
}

unassigned:
  SAVE();
  fail("variable used before its definition was evaluated");
}

}  // namespace scheme
