#include "codegen.hpp"

#include <algorithm>

namespace scheme {
namespace {

/// Slots of a frame have to fit an operand.
constexpr std::uint32_t kMostSlots = 60'000;

}  // namespace

std::size_t Generator::emit(Op op, std::uint32_t a, std::uint32_t imm, std::uint32_t x) {
  function_->code.push_back({static_cast<std::uint8_t>(op), static_cast<std::uint8_t>(x),
                             static_cast<std::uint16_t>(a), imm});
  function_->positions.push_back(position_);
  return function_->code.size() - 1;
}

std::size_t Generator::emit_abc(Op op, std::uint32_t a, std::uint32_t b, std::uint32_t c,
                                std::uint32_t x) {
  return emit(op, a, (b & 0xffff) | c << 16, x);
}

void Generator::emit_jump(Op op, std::uint32_t a, Label& to, std::uint32_t x) {
  const std::size_t at = emit(op, a, 0, x);
  if (to.target >= 0) {
    function_->code[at].imm = static_cast<std::uint32_t>(to.target - static_cast<int>(at) - 1);
  } else {
    to.jumps.push_back(at);
  }
}

/// A jump whose distance has 16 bits: of comparisons of two slots.
void Generator::emit_jump_ab(Op op, std::uint32_t a, std::uint32_t b, Label& to) {
  to.jumps.push_back(emit_abc(op, a, b, 0));
}

void Generator::place(Label& label) {
  label.target = static_cast<int>(function_->code.size());
  for (const std::size_t at : label.jumps) {
    const int distance = label.target - static_cast<int>(at) - 1;
    Insn& insn = function_->code[at];
    const bool is_short = insn.op >= static_cast<std::uint8_t>(Op::jump_less) &&
                          insn.op <= static_cast<std::uint8_t>(Op::jump_not_equal_imm);
    if (is_short || is_op(insn, Op::jump_eq) || is_op(insn, Op::jump_not_eq)) {
      if (distance > 32767) {
        in_.fail_at({file_, position_ >> 10, position_ & 1023}, "procedure is too large", {},
                    kSyntaxCondition);
      }
      insn.imm |= static_cast<std::uint32_t>(distance) << 16;
    } else {
      insn.imm = static_cast<std::uint32_t>(distance);
    }
  }
  label.jumps.clear();
}

std::uint32_t Generator::take_slot() {
  const std::uint32_t slot = function_->next++;
  if (slot >= kMostSlots) {
    in_.fail_at({file_, position_ >> 10, position_ & 1023}, "procedure is too large", {},
                kSyntaxCondition);
  }
  function_->frame = std::max(function_->frame, function_->next);
  return slot;
}

/// The variable lives in the slot from now on: its value is there.
void Generator::bind_slot(Var* var, std::uint32_t slot) {
  var->owner = function_;
  var->slot = slot;
  if (var->is_assigned) emit_abc(Op::box, slot, slot, 0);
}

std::uint32_t Generator::free_number(Function& function, Var* var) {
  const auto [entry, is_new] =
      function.free_numbers.emplace(var, static_cast<std::uint32_t>(function.free.size()));
  if (is_new) function.free.push_back(var);
  return entry->second;
}

/// How a closure made here gets hold of the variable.
Insn Generator::capture_of(Var* var) {
  const auto op = static_cast<std::uint8_t>(Op::capture);
  if (var->owner == function_) return {op, 0, static_cast<std::uint16_t>(var->slot), 0};
  if (function_->self == var) return {op, 2, 0, 0};
  return {op, 1, static_cast<std::uint16_t>(free_number(*function_, var)), 0};
}

void Generator::finish_value(Context context, std::uint32_t to) {
  if (context == kTail) emit(Op::ret, to, 0);
}

void Generator::gen_constant(Value value, Context context, std::uint32_t to) {
  if (is_object(value)) keep(value);
  if (context == kTail) emit(Op::ret_constant, 0, value.bits());
  if (context == kValue) emit(Op::constant, to, value.bits());
}

void Generator::gen_variable(Var* var, Context context, std::uint32_t to) {
  if (context == kEffect && !var->is_assigned) return;
  if (var->owner == function_) {
    if (var->is_assigned) {
      emit_abc(Op::unbox, to, var->slot, 0);
    } else if (context == kTail) {
      emit(Op::ret, var->slot, 0);
      return;
    } else if (var->slot != to) {
      emit_abc(Op::move, to, var->slot, 0);
    }
  } else if (function_->self == var) {
    emit(Op::self, to, 0);
  } else {
    emit_abc(var->is_assigned ? Op::free_unbox : Op::free, to, free_number(*function_, var), 0);
  }
  finish_value(context, to);
}

void Generator::gen_set(Node* node) {
  const std::uint32_t before = function_->next;
  const std::uint32_t value = operand(node->a);
  position_ = position_of(node);
  if (node->kind == Node::set_global || node->kind == Node::define_global) {
    keep(node->value);
    emit(node->kind == Node::set_global ? Op::set_global : Op::define_global, value,
         node->value.bits());
  } else if (node->var->owner == function_) {
    emit_abc(Op::set_box, node->var->slot, value, 0);
  } else {
    emit_abc(Op::free_set_box, value, free_number(*function_, node->var), 0);
  }
  function_->next = before;
}

void Generator::gen_effect(Node* node) {
  const std::uint32_t before = function_->next;
  gen(node, kEffect, take_slot());
  function_->next = before;
}

bool Generator::is_plain_slot(const Node* node) const {
  return node->kind == Node::local && node->var->owner == function_ && !node->var->is_assigned;
}

/// The slot that holds the node's value: a variable's own where it has one.
std::uint32_t Generator::operand(Node* node) {
  if (is_plain_slot(node)) return node->var->slot;
  const std::uint32_t slot = take_slot();
  gen_value(node, slot);
  return slot;
}

void Generator::gen(Node* node, Context context, std::uint32_t to) {
  in_.check_native_stack({file_, node->line, node->column});
  if (node->line != 0) position_ = position_of(node);
  const std::uint32_t before = function_->next;
  switch (node->kind) {
    case Node::constant:
      return gen_constant(node->value, context, to);
    case Node::local:
      return gen_variable(node->var, context, to);
    case Node::global:
      keep(node->value);
      emit(Op::global, to, node->value.bits());
      return finish_value(context, to);
    case Node::set_local:
    case Node::set_global:
    case Node::define_global:
      gen_set(node);
      return gen_constant(kUnspecified, context, to);
    case Node::choice:
      return gen_choice(node, context, to);
    case Node::any:
      return gen_any(node, context, to);
    case Node::sequence:
      for (std::size_t i = 0; i + 1 < node->list.size(); ++i) gen_effect(node->list[i]);
      return gen(node->list.back(), context, to);
    case Node::call:
      return gen_call(node, context, to);
    case Node::lambda:
    case Node::case_lambda:
      if (context == kEffect) return;
      gen_lambda(node, to, nullptr);
      return finish_value(context, to);
    case Node::let:
      return gen_let(node, context, to);
    case Node::fix:
      return node->is_loop ? gen_loop(node, context, to) : gen_fix(node, context, to);
    case Node::receive:
      return gen_receive(node, context, to);
    case Node::record_ref:
    case Node::is_record: {
      const std::uint32_t object = operand(node->a);
      emit_abc(node->kind == Node::record_ref ? Op::record_ref : Op::is_record, to, object,
               node->index);
      keep(node->value);
      emit(Op::constant, 0, node->value.bits());
      function_->next = before;
      return finish_value(context, to);
    }
    case Node::record_set: {
      const std::uint32_t object = operand(node->a);
      const std::uint32_t value = operand(node->b);
      emit_abc(Op::record_set, object, value, node->index);
      keep(node->value);
      emit(Op::constant, 0, node->value.bits());
      function_->next = before;
      return gen_constant(kUnspecified, context, to);
    }
  }
}

void Generator::gen_choice(Node* node, Context context, std::uint32_t to) {
  Label otherwise, end;
  branch(node->a, false, otherwise);
  gen(node->b, context, to);
  // Nothing comes after a tail position, nor is there anything to do for a constant's effect.
  const bool is_done = context == kTail || (context == kEffect && node->c->kind == Node::constant);
  if (!is_done) emit_jump(Op::jump, 0, end);
  place(otherwise);
  gen(node->c, context, to);
  place(end);
}

void Generator::gen_any(Node* node, Context context, std::uint32_t to) {
  Label end;
  for (std::size_t i = 0; i + 1 < node->list.size(); ++i) {
    if (context == kEffect) {
      branch(node->list[i], true, end);
    } else if (context == kTail && is_plain_slot(node->list[i])) {
      Label next;
      emit_jump(Op::jump_false, node->list[i]->var->slot, next);
      emit(Op::ret, node->list[i]->var->slot, 0);
      place(next);
    } else {
      gen_value(node->list[i], to);
      emit_jump(Op::jump_true, to, end);
    }
  }
  gen(node->list.back(), context, to);
  place(end);
  if (context == kTail) emit(Op::ret, to, 0);
}

void Generator::gen_call(Node* node, Context context, std::uint32_t to) {
  if (node->a->kind == Node::local && node->a->var->loop != nullptr) return gen_jump_to_loop(node);
  if (gen_inline(node, context, to) || gen_builtin(node, context, to)) return;
  const std::uint32_t before = function_->next;
  const auto argc = static_cast<std::uint32_t>(node->list.size());
  // Where the result is wanted on top of the frame, the callee's frame begins right there.
  const bool is_on_top = context != kTail && to + 1 == function_->next;
  const std::uint32_t base = is_on_top ? to : take_slot();
  const std::uint32_t procedure = take_slot();
  const bool is_global = node->a->kind == Node::global && argc < 255;
  if (!is_global) gen_value(node->a, procedure);
  for (Node* arg : node->list) {
    const std::uint32_t slot = take_slot();
    gen_value(arg, slot);
  }
  position_ = position_of(node);
  if (is_global) {
    keep(node->a->value);
    emit(context == kTail ? Op::tail_call_global : Op::call_global, base, node->a->value.bits(),
         argc);
  } else {
    emit(context == kTail ? Op::tail_call : Op::call, base, argc, std::min(argc, 255u));
  }
  function_->next = before;
  if (context == kValue && base != to) emit_abc(Op::move, to, base, 0);
}

void Generator::gen_let(Node* node, Context context, std::uint32_t to) {
  const std::uint32_t before = function_->next;
  std::vector<std::uint32_t> slots;
  for (Node* value : node->list) {
    slots.push_back(take_slot());
    gen_value(value, slots.back());
  }
  for (std::size_t i = 0; i < slots.size(); ++i) bind_slot(node->vars[i], slots[i]);
  gen(node->a, context, to);
  function_->next = before;
}

void Generator::gen_receive(Node* node, Context context, std::uint32_t to) {
  const std::uint32_t before = function_->next;
  const std::uint32_t values = take_slot();
  gen_value(node->b, values);
  position_ = position_of(node);
  const std::uint32_t first = function_->next;
  for (std::size_t i = 0; i < node->vars.size(); ++i) take_slot();
  emit_abc(Op::unpack, first, values, node->has_rest ? 1 : 0,
           static_cast<std::uint32_t>(node->vars.size()));
  for (std::size_t i = 0; i < node->vars.size(); ++i) {
    bind_slot(node->vars[i], first + static_cast<std::uint32_t>(i));
  }
  gen(node->a, context, to);
  function_->next = before;
}

Value generate(Interp& in, Node* program, Value file, bool is_internal) {
  return Generator(in, file, is_internal).closure(program);
}

}  // namespace scheme
