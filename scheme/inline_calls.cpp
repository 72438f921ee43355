/// Calls of builtin procedures that are instructions of their own, and tests that jump.

#include <algorithm>
#include <cstring>
#include <optional>

#include "codegen.hpp"

namespace scheme {
namespace {

enum class Shape { unary, type_test, binary, store_two, store_three };

struct InlineCall {
  const char* name;
  std::uint32_t args;
  Shape shape;
  Op op;
  TypeNumber type = kPair;
};

constexpr InlineCall kInlineCalls[] = {
    {"not", 1, Shape::unary, Op::not_},
    {"null?", 1, Shape::unary, Op::is_null},
    {"pair?", 1, Shape::type_test, Op::is_type, kPair},
    {"symbol?", 1, Shape::type_test, Op::is_type, kSymbol},
    {"string?", 1, Shape::type_test, Op::is_type, kString},
    {"vector?", 1, Shape::type_test, Op::is_type, kVector},
    {"bytevector?", 1, Shape::type_test, Op::is_type, kBytevector},
    {"char?", 1, Shape::unary, Op::is_char},
    {"eq?", 2, Shape::binary, Op::eq},
    {"eqv?", 2, Shape::binary, Op::eqv},
    {"cons", 2, Shape::binary, Op::cons},
    {"car", 1, Shape::unary, Op::car},
    {"cdr", 1, Shape::unary, Op::cdr},
    {"caar", 1, Shape::unary, Op::caar},
    {"cadr", 1, Shape::unary, Op::cadr},
    {"cdar", 1, Shape::unary, Op::cdar},
    {"cddr", 1, Shape::unary, Op::cddr},
    {"caddr", 1, Shape::unary, Op::caddr},
    {"set-car!", 2, Shape::store_two, Op::set_car},
    {"set-cdr!", 2, Shape::store_two, Op::set_cdr},
    {"+", 2, Shape::binary, Op::add},
    {"-", 2, Shape::binary, Op::sub},
    {"*", 2, Shape::binary, Op::mul},
    {"/", 2, Shape::binary, Op::div},
    {"quotient", 2, Shape::binary, Op::quotient},
    {"truncate-quotient", 2, Shape::binary, Op::quotient},
    {"remainder", 2, Shape::binary, Op::remainder},
    {"truncate-remainder", 2, Shape::binary, Op::remainder},
    {"modulo", 2, Shape::binary, Op::modulo},
    {"floor-remainder", 2, Shape::binary, Op::modulo},
    {"<", 2, Shape::binary, Op::less},
    {"<=", 2, Shape::binary, Op::at_most},
    {"=", 2, Shape::binary, Op::num_equal},
    {"vector-ref", 2, Shape::binary, Op::vector_ref},
    {"vector-set!", 3, Shape::store_three, Op::vector_set},
    {"string-ref", 2, Shape::binary, Op::string_ref},
    {"bytevector-u8-ref", 2, Shape::binary, Op::bytevector_ref},
};

const InlineCall* inline_call(std::string_view name, std::size_t args) {
  for (const InlineCall& call : kInlineCalls) {
    if (call.args == args && name == call.name) return &call;
  }
  return nullptr;
}

/// A constant that fits an operand of 16 bits.
std::optional<std::int32_t> small_constant(const Node* node) {
  if (node->kind != Node::constant || !is_fixnum(node->value)) return {};
  const std::int32_t i = fixnum_of(node->value);
  if (i < -32768 || i > 32767) return {};
  return i;
}

}  // namespace

/// The builtin that a procedure expression names, or nullptr: a variable of the core's that still
/// holds its primitive.
const Builtin* Generator::builtin_of(const Node* procedure, std::uint32_t& number) const {
  if (procedure->kind != Node::global) return nullptr;
  const auto* cell = in_.at<Cell>(procedure->value);
  if (cell->header.length != 0 || !in_.is(cell->value.get(), kPrimitive)) return nullptr;
  number = in_.at<Header>(cell->value.get())->length;
  return &in_.builtins()[number];
}

bool Generator::gen_inline(Node* node, Context context, std::uint32_t to) {
  std::uint32_t number = 0;
  const Builtin* builtin = builtin_of(node->a, number);
  if (builtin == nullptr) return false;
  const std::string_view name = builtin->name;
  std::vector<Node*>& args = node->list;
  const std::uint32_t before = function_->next;

  constexpr std::size_t kMostNested = 16;
  if ((name == "+" || name == "*") && args.size() > 2 && args.size() <= kMostNested) {
    // From the left, as though it were nested.
    Node first{.kind = Node::call, .line = node->line, .column = node->column};
    first.a = node->a;
    first.list.assign(args.begin(), args.end() - 1);
    Node outer = first;
    outer.list = {&first, args.back()};
    gen_call(&outer, context, to);
    return true;
  }
  if ((name == ">" || name == ">=") && args.size() == 2) {
    const std::uint32_t x = operand(args[0]);
    const std::uint32_t y = operand(args[1]);
    position_ = node->line << 10 | std::min<std::uint32_t>(node->column, 1023);
    emit_abc(name == ">" ? Op::less : Op::at_most, to, y, x);
    function_->next = before;
    finish_value(context, to);
    return true;
  }
  const bool is_sum = name == "+" || name == "-";
  if (is_sum && args.size() == 2) {
    std::optional<std::int32_t> addend = small_constant(args[1]);
    Node* other = args[0];
    if (!addend && name == "+") {
      addend = small_constant(args[0]);
      other = args[1];
    }
    if (addend && *addend > -32768) {
      const std::uint32_t x = operand(other);
      position_ = node->line << 10 | std::min<std::uint32_t>(node->column, 1023);
      emit_abc(Op::add_imm, to, x, static_cast<std::uint32_t>(name == "-" ? -*addend : *addend));
      function_->next = before;
      finish_value(context, to);
      return true;
    }
  }

  const InlineCall* call = inline_call(name, args.size());
  if (call == nullptr) return false;
  std::uint32_t slots[3] = {};
  for (std::size_t i = 0; i < args.size(); ++i) slots[i] = operand(args[i]);
  position_ = node->line << 10 | std::min<std::uint32_t>(node->column, 1023);
  switch (call->shape) {
    case Shape::unary:
    case Shape::type_test:
      emit_abc(call->op, to, slots[0], 0, call->type);
      break;
    case Shape::binary:
      emit_abc(call->op, to, slots[0], slots[1]);
      break;
    case Shape::store_two:
    case Shape::store_three:
      emit_abc(call->op, slots[0], slots[1], slots[2]);
      function_->next = before;
      gen_constant(kUnspecified, context, to);
      return true;
  }
  function_->next = before;
  finish_value(context, to);
  return true;
}

/// A builtin that is known now is called without a frame.
bool Generator::gen_builtin(Node* node, Context context, std::uint32_t to) {
  std::uint32_t number = 0;
  const Builtin* builtin = builtin_of(node->a, number);
  const std::size_t argc = node->list.size();
  if (builtin == nullptr || builtin->control != Control::none || argc > 255 ||
      argc < static_cast<std::size_t>(builtin->least) ||
      (builtin->most >= 0 && argc > static_cast<std::size_t>(builtin->most))) {
    return false;
  }
  const std::uint32_t before = function_->next;
  std::uint32_t first = before;
  if (argc == 1) {
    first = operand(node->list[0]);
  } else {
    for (Node* arg : node->list) gen_value(arg, take_slot());
  }
  position_ = node->line << 10 | std::min<std::uint32_t>(node->column, 1023);
  // Without arguments the slot only marks the end of what is live.
  if (argc == 0) first = take_slot();
  emit_abc(Op::call_builtin, to, first, number, static_cast<std::uint32_t>(argc));
  function_->next = before;
  finish_value(context, to);
  return true;
}

/// Jumps if the node's value, as a truth value, is `when`; else goes on.
void Generator::branch(Node* node, bool when, Label& to) {
  in_.check_native_stack({file_, node->line, node->column});
  if (node->line != 0) position_ = node->line << 10 | std::min<std::uint32_t>(node->column, 1023);
  const std::uint32_t before = function_->next;
  switch (node->kind) {
    case Node::constant:
      if (is_true(node->value) == when) emit_jump(Op::jump, 0, to);
      return;
    case Node::choice: {
      Label otherwise, end;
      if (node->c->kind == Node::constant && !is_true(node->c->value)) {
        // (and a b)
        branch(node->a, false, when ? end : to);
        branch(node->b, when, to);
        place(end);
        return;
      }
      branch(node->a, false, otherwise);
      branch(node->b, when, to);
      emit_jump(Op::jump, 0, end);
      place(otherwise);
      branch(node->c, when, to);
      place(end);
      return;
    }
    case Node::any: {
      Label end;
      for (std::size_t i = 0; i + 1 < node->list.size(); ++i) {
        branch(node->list[i], true, when ? to : end);
      }
      branch(node->list.back(), when, to);
      place(end);
      return;
    }
    case Node::sequence:
      for (std::size_t i = 0; i + 1 < node->list.size(); ++i) gen_effect(node->list[i]);
      return branch(node->list.back(), when, to);
    case Node::call:
      if (branch_call(node, when, to)) return;
      break;
    default:
      break;
  }
  const std::uint32_t slot = operand(node);
  emit_jump(when ? Op::jump_true : Op::jump_false, slot, to);
  function_->next = before;
}

bool Generator::branch_call(Node* node, bool when, Label& to) {
  std::uint32_t number = 0;
  const Builtin* builtin = builtin_of(node->a, number);
  if (builtin == nullptr) return false;
  const std::string_view name = builtin->name;
  std::vector<Node*>& args = node->list;
  const std::uint32_t before = function_->next;
  if (args.size() == 1) {
    if (name == "not") {
      branch(args[0], !when, to);
      return true;
    }
    Node zero{.kind = Node::constant};
    zero.value = fixnum(0);
    if (name == "zero?") return branch_compare(kEqual, args[0], &zero, when, to), true;
    if (name == "positive?") return branch_compare(kGreater, args[0], &zero, when, to), true;
    if (name == "negative?") return branch_compare(kLess, args[0], &zero, when, to), true;
    const InlineCall* call = inline_call(name, 1);
    if (call == nullptr) return false;
    if (call->op == Op::is_null) {
      emit_jump(when ? Op::jump_null : Op::jump_not_null, operand(args[0]), to);
    } else if (call->shape == Shape::type_test) {
      emit_jump(when ? Op::jump_type : Op::jump_not_type, operand(args[0]), to, call->type);
    } else {
      return false;
    }
    function_->next = before;
    return true;
  }
  if (args.size() != 2) return false;
  if (name == "<") return branch_compare(kLess, args[0], args[1], when, to), true;
  if (name == "<=") return branch_compare(kAtMost, args[0], args[1], when, to), true;
  if (name == ">") return branch_compare(kGreater, args[0], args[1], when, to), true;
  if (name == ">=") return branch_compare(kAtLeast, args[0], args[1], when, to), true;
  if (name == "=") return branch_compare(kEqual, args[0], args[1], when, to), true;
  // eqv? differs from eq? on numbers in objects of their own alone.
  const auto is_plain = [&](const Node* arg) {
    return arg->kind == Node::constant && (!is_object(arg->value) || in_.is_symbol(arg->value));
  };
  if (name == "eq?" || (name == "eqv?" && (is_plain(args[0]) || is_plain(args[1])))) {
    const std::uint32_t x = operand(args[0]);
    const std::uint32_t y = operand(args[1]);
    emit_jump_ab(when ? Op::jump_eq : Op::jump_not_eq, x, y, to);
    function_->next = before;
    return true;
  }
  return false;
}

void Generator::branch_compare(Compare compare, Node* x, Node* y, bool when, Label& to) {
  constexpr Compare kMirrored[] = {kGreater, kAtLeast, kLess, kAtMost, kEqual};
  constexpr Op kImmediate[][2] = {
      {Op::jump_not_less_imm, Op::jump_less_imm},
      {Op::jump_not_at_most_imm, Op::jump_at_most_imm},
      {Op::jump_not_greater_imm, Op::jump_greater_imm},
      {Op::jump_not_at_least_imm, Op::jump_at_least_imm},
      {Op::jump_not_equal_imm, Op::jump_equal_imm},
  };
  const std::uint32_t before = function_->next;
  const std::uint32_t position = position_;
  if (small_constant(x) && !small_constant(y)) {
    std::swap(x, y);
    compare = kMirrored[compare];
  }
  if (const std::optional<std::int32_t> constant = small_constant(y)) {
    const std::uint32_t slot = operand(x);
    position_ = position;
    emit_jump_ab(kImmediate[compare][when ? 1 : 0], slot, static_cast<std::uint32_t>(*constant),
                 to);
  } else {
    std::uint32_t a = operand(x);
    std::uint32_t b = operand(y);
    position_ = position;
    if (compare == kGreater || compare == kAtLeast) {
      std::swap(a, b);
      compare = kMirrored[compare];
    }
    const Op op = compare == kLess     ? (when ? Op::jump_less : Op::jump_not_less)
                  : compare == kAtMost ? (when ? Op::jump_at_most : Op::jump_not_at_most)
                                       : (when ? Op::jump_equal : Op::jump_not_equal);
    emit_jump_ab(op, a, b, to);
  }
  function_->next = before;
}

}  // namespace scheme
