/// The VM: a register machine. Operands are slots of the frame, so that most of what a program does
/// with variables and simple procedures is one instruction each.

#include <algorithm>
#include <atomic>
#include <iterator>

#include "bytecode.hpp"
#include "compile.hpp"
#include "environment.hpp"
#include "fixnums.hpp"
#include "interp.hpp"
#include "lists.hpp"
#include "numbers.hpp"
#include "vm_macros.hpp"

// Labels as values: each instruction jumps to the next one's code itself, which branch predictors
// tell apart better than one switch.
#pragma GCC diagnostic ignored "-Wpedantic"

namespace scheme {
namespace {

bool num_greater(Interp& in, Value x, Value y) { return num_less(in, y, x); }
bool num_at_least(Interp& in, Value x, Value y) { return num_at_most(in, y, x); }

}  // namespace

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
  if (is(procedure, kClosure)) [[likely]] {
    pc = at<Code>(at<Closure>(procedure)->code.get())->insns();
    NEXT();
  }
  if (is(procedure, kPrimitive)) {
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
        goto resume_thrown;
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
  if (is(procedure, kContinuation)) {
    save_caller(fp, argc);
    if (at<Continuation>(procedure)->winders.get() == registers.winders) {
      result = values({fp, argc});
      throw_to(procedure);
      goto resume_thrown;
    }
    extend_to(fp + argc + 1);
    std::copy_backward(fp, fp + argc, fp + argc + 1);
    fp[0] = procedure;
    fp[-1] = registers.rewind;
    ++argc;
    goto enter_procedure;
  }
  if (is(procedure, kGuardian)) {
    save_caller(fp, argc);
    result = call_guardian(procedure, fp, argc);
    goto return_result;
  }
  if (is(procedure, kParameter) && argc == 0) {
    result = at<Parameter>(procedure)->value.get();
    goto return_result;
  }
}
wrong_procedure:
  save_caller(fp, argc);
  if (is(fp[-1], kParameter)) wrong_argument_count(fp[-1], argc);
  not_a_procedure(fp[-1]);

return_result:
  RETURN(result);

underflow:
  result = fp[0];
resume_thrown:
  if (!Interp::underflow(fp, pc)) return result;
  fp[pc[-1].a] = result;
  NEXT();

enter:
  if (argc != insn.x) [[unlikely]]
    goto wrong_count;
  if (fp + insn.a > limit_.load(std::memory_order_relaxed)) [[unlikely]]
    make_room(fp, argc, insn.a);
  NEXT();
enter_rest:
  if (argc < insn.x) [[unlikely]]
    goto wrong_count;
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
  goto wrong_count;

move:
  A = B;
  NEXT();
constant:
  A = Value::from_bits(insn.imm);
  NEXT();
global : {
  const Value value = at<Cell>(Value::from_bits(insn.imm))->value.get();
  if (value == kUnbound) [[unlikely]]
    goto undefined;
  A = value;
  NEXT();
}
set_global : {
  auto* cell = at<Cell>(Value::from_bits(insn.imm));
  if (cell->value.get() == kUnbound) [[unlikely]]
    goto undefined;
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
    poll();
  }
  NEXT();
  LONG_JUMP_TEST(jump_false, A == kFalse)
  LONG_JUMP_TEST(jump_true, A != kFalse)
  JUMP_TEST(jump_eq, A == B)
  JUMP_TEST(jump_not_eq, A != B)
  LONG_JUMP_TEST(jump_null, A == kNil)
  LONG_JUMP_TEST(jump_not_null, A != kNil)
  LONG_JUMP_TEST(jump_type, is(A, TypeNumber{insn.x}))
  LONG_JUMP_TEST(jump_not_type, !is(A, TypeNumber{insn.x}))

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
    goto undefined;
  fp = callee;
  goto enter_procedure;
}
tail_call_global : {
  const Value procedure = at<Cell>(Value::from_bits(insn.imm))->value.get();
  if (procedure == kUnbound) [[unlikely]]
    goto undefined;
  argc = insn.x;
  const Value* from = &A + 2;
  fp[-1] = procedure;
  for (std::uint32_t i = 0; i < argc; ++i) fp[i] = from[i];
  goto enter_procedure;
}
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
ret:
  RETURN(A);
ret_constant:
  RETURN(Value::from_bits(insn.imm));
unpack:
  SAVE();
  Interp::unpack(&A, insn.x, insn.c() != 0, B);
  NEXT();

  PUT(not_, boolean(B == kFalse))
  PUT(eq, boolean(B == C))
  PUT(eqv, boolean(B == C || is_eqv(*this, B, C)))
  PUT(is_null, boolean(B == kNil))
  PUT(is_type, boolean(is(B, TypeNumber{insn.x})))
  PUT(is_char, boolean(scheme::is_char(B)))

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
  for (int i = 0; i < 2 && is(x, kPair); ++i) x = at<Pair>(x)->cdr.get();
  if (!is(x, kPair)) [[unlikely]] {
    SAVE();
    wrong_type("caddr", "list of three", B);
  }
  A = at<Pair>(x)->car.get();
  NEXT();
}
  SET_PAIR(set_car, "set-car!", car)
  SET_PAIR(set_cdr, "set-cdr!", cdr)

  PUT_NUMBER(add, fixnum_add, num_add, C)
  PUT_NUMBER(sub, fixnum_sub, num_sub, C)
  PUT_NUMBER(mul, fixnum_mul, num_mul, C)
div:
  SAVE();
  A = num_div(*this, B, C);
  NEXT();
  PUT_NUMBER(add_imm, fixnum_add, num_add, fixnum(static_cast<std::int16_t>(insn.c())))
  PUT_NUMBER(quotient, fixnum_quotient, num_quotient, C)
  PUT_NUMBER(remainder, fixnum_remainder, num_remainder, C)
  PUT_NUMBER(modulo, fixnum_modulo, num_modulo, C)
  PUT_COMPARE(less, <, num_less)
  PUT_COMPARE(at_most, <=, num_at_most)
  PUT_COMPARE(num_equal, ==, num_equals)

vector_ref : {
  const Value x = B, i = C;
  CHECK_INDEX("vector-ref", Vector, x, i);
  A = at<Vector>(x)->slots()[fixnum_of(i)].get();
  NEXT();
}
vector_set : {
  const Value x = A, i = B;
  CHECK_INDEX("vector-set!", Vector, x, i);
  at<Vector>(x)->slots()[fixnum_of(i)].set(C);
  NEXT();
}
string_ref : {
  const Value x = B, i = C;
  CHECK_INDEX("string-ref", String, x, i);
  A = character(at<String>(x)->chars()[fixnum_of(i)]);
  NEXT();
}
bytevector_ref : {
  const Value x = B, i = C;
  CHECK_INDEX("bytevector-u8-ref", Bytevector, x, i);
  A = fixnum(at<Bytevector>(x)->bytes()[fixnum_of(i)]);
  NEXT();
}
record_ref : {
  const Value x = B, type = Value::from_bits(pc++->imm);
  CHECK_RECORD(x, type);
  A = at<Record>(x)->fields()[insn.c()].get();
  NEXT();
}
record_set : {
  const Value x = A, type = Value::from_bits(pc++->imm);
  CHECK_RECORD(x, type);
  at<Record>(x)->fields()[insn.c()].set(B);
  NEXT();
}
is_record : {
  const Value x = B, type = Value::from_bits(pc++->imm);
  A = boolean(is(x, kRecord) && at<Record>(x)->type.get() == type);
  NEXT();
}

wrong_count:
  save_caller(fp, argc);
  wrong_argument_count(fp[-1], argc);
undefined:
  SAVE();
  fail("undefined variable: " + utf8(at<Cell>(Value::from_bits(insn.imm))->name.get()));
unassigned:
  SAVE();
  fail("variable used before its definition was evaluated");
}

}  // namespace scheme
