/// Code of procedures: closures, what they capture, and those that are loops.

#include <algorithm>
#include <cstring>
#include <utility>

#include "codegen.hpp"

namespace scheme {
namespace {

/// Whether the node refers to the variable.
bool mentions(const Node* node, const Var* var) {
  if (node == nullptr) return false;
  if (node->var == var) return true;
  if (mentions(node->a, var) || mentions(node->b, var) || mentions(node->c, var)) return true;
  return std::any_of(node->list.begin(), node->list.end(),
                     [&](const Node* item) { return mentions(item, var); });
}

}  // namespace

void Generator::gen_fix(Node* node, Context context, std::uint32_t to) {
  const std::uint32_t before = function_->next;
  for (Var* var : node->vars) {
    var->owner = function_;
    var->slot = take_slot();
  }
  // A closure made before one that it refers to is completed afterwards.
  struct Patch {
    std::uint32_t closure, number, slot;
  };
  std::vector<Patch> patches;
  for (std::size_t i = 0; i < node->vars.size(); ++i) {
    const std::size_t from = function_->code.size();
    gen_lambda(node->list[i], node->vars[i]->slot, node->vars[i]);
    std::uint32_t number = 0;
    for (std::size_t at = from; at < function_->code.size(); ++at) {
      Insn& insn = function_->code[at];
      if (!is_op(insn, Op::capture)) continue;
      const bool is_later =
          insn.x == 0 &&
          std::any_of(node->vars.begin() + static_cast<std::ptrdiff_t>(i), node->vars.end(),
                      [&](const Var* var) { return var->slot == insn.a; });
      if (is_later) {
        patches.push_back({node->vars[i]->slot, number, insn.a});
        insn.x = 3;
      }
      ++number;
    }
  }
  for (const Patch& patch : patches) emit_abc(Op::patch, patch.closure, patch.number, patch.slot);
  gen(node->a, context, to);
  function_->next = before;
}

/// Procedures all calls of which are jumps: their parameters are slots of this frame.
void Generator::gen_loop(Node* node, Context context, std::uint32_t to) {
  const std::uint32_t before = function_->next;
  for (Node* procedure : node->list) {
    loop_labels_[procedure];
    for (Var* var : procedure->vars) {
      var->owner = function_;
      var->slot = take_slot();
    }
  }
  Label end;
  gen(node->a, context, to);
  for (Node* procedure : node->list) {
    // What comes before has jumped here or away, if only now. Where all it does is to jump here,
    // as in most loops, it may as well fall in.
    if (procedure == node->list[0] && node->a->kind == Node::call &&
        node->a->a->kind == Node::local && node->a->a->var->loop == procedure) {
      loop_labels_[procedure].jumps.pop_back();
      function_->code.pop_back();
      function_->positions.pop_back();
    } else if (context != kTail) {
      emit_jump(Op::jump, 0, end);
    }
    place(loop_labels_[procedure]);
    for (Var* var : procedure->vars) {
      if (var->is_assigned) emit_abc(Op::box, var->slot, var->slot, 0);
    }
    gen(procedure->a, context, to);
  }
  place(end);
  function_->next = before;
}

void Generator::gen_jump_to_loop(Node* node) {
  const std::uint32_t before = function_->next;
  Node* const loop = node->a->var->loop;
  // An argument goes straight to its variable if nothing evaluated later reads the old value.
  std::vector<std::pair<std::uint32_t, std::uint32_t>> moves;
  for (std::size_t i = 0; i < node->list.size(); ++i) {
    Node* const arg = node->list[i];
    Var* const var = loop->vars[i];
    if (arg->kind == Node::local && arg->var == var && !var->is_assigned) continue;
    bool is_read_later = false;
    for (std::size_t k = i + 1; k < node->list.size(); ++k) {
      is_read_later = is_read_later || mentions(node->list[k], var);
    }
    // Its own expression may read it where the one instruction that writes comes last.
    const bool is_simple = !mentions(arg, var) ||
                           (arg->kind == Node::call && arg->a->kind == Node::global &&
                            std::all_of(arg->list.begin(), arg->list.end(), [&](const Node* item) {
                              return item->kind == Node::constant || is_plain_slot(item);
                            }));
    if (!is_read_later && is_simple) {
      gen_value(arg, var->slot);
    } else if (is_plain_slot(arg) && arg->var->slot >= before) {
      moves.emplace_back(var->slot, arg->var->slot);
    } else {
      const std::uint32_t slot = take_slot();
      gen_value(arg, slot);
      moves.emplace_back(var->slot, slot);
    }
  }
  for (const auto& [to, from] : moves) emit_abc(Op::move, to, from, 0);
  Label& label = loop_labels_[loop];
  emit_jump(label.target >= 0 ? Op::loop : Op::jump, 0, label);
  function_->next = before;
}

void Generator::gen_lambda(Node* node, std::uint32_t to, Var* self) {
  Function inside;
  inside.parent = function_;
  inside.self = self;
  const std::uint32_t position = position_;
  Function* const outside = std::exchange(function_, &inside);
  const Value code = compile_lambda(node, inside);
  function_ = outside;
  position_ = position;
  if (inside.free.empty()) {
    // Nothing in it depends on when it is made: it is made now.
    auto* closure = in_.make<Closure>(kClosure, 0);
    closure->code.init(code);
    return gen_constant(in_.ref(closure), kValue, to);
  }
  keep(code);
  const auto count = static_cast<std::uint32_t>(inside.free.size());
  // Numbered before anything is emitted: captures may add to this function's own.
  std::vector<Insn> captures;
  for (Var* var : inside.free) captures.push_back(capture_of(var));
  emit(Op::closure, to, code.bits(), std::min(count, 255u));
  if (count >= 255) emit(Op::constant, 0, count);
  for (const Insn& capture : captures) {
    function_->code.push_back(capture);
    function_->positions.push_back(position_);
  }
}

/// Parameters are in the first slots.
void Generator::compile_clause(Node* lambda, Function& function) {
  function.next = 0;
  for (std::size_t i = 0; i < lambda->vars.size(); ++i) take_slot();
  for (std::size_t i = 0; i < lambda->vars.size(); ++i) {
    bind_slot(lambda->vars[i], static_cast<std::uint32_t>(i));
  }
  const std::uint32_t to = take_slot();
  gen(lambda->a, kTail, to);
}

Value Generator::compile_lambda(Node* lambda, Function& function) {
  position_ = position_of(lambda);
  const auto required = [](const Node* clause) {
    return static_cast<std::uint32_t>(clause->vars.size() - (clause->has_rest ? 1 : 0));
  };
  if (lambda->kind == Node::lambda) {
    emit(lambda->has_rest ? Op::enter_rest : Op::enter, 0, 0, required(lambda));
    compile_clause(lambda, function);
  } else {
    std::vector<Label> labels(lambda->list.size());
    for (std::size_t i = 0; i < labels.size(); ++i) {
      const Node* clause = lambda->list[i];
      emit_jump(clause->has_rest ? Op::case_least : Op::case_exact, 0, labels[i], required(clause));
    }
    emit(Op::case_none, 0, 0);
    for (std::size_t i = 0; i < labels.size(); ++i) {
      place(labels[i]);
      emit(Op::enter, 0, 0, static_cast<std::uint32_t>(lambda->list[i]->vars.size()));
      compile_clause(lambda->list[i], function);
    }
  }
  for (Insn& insn : function.code) {
    if (is_op(insn, Op::enter) || is_op(insn, Op::enter_rest)) {
      insn.a = static_cast<std::uint16_t>(function.frame);
    }
  }

  const Value constants = in_.make_vector(function.constants.size(), kFalse);
  for (std::size_t i = 0; i < function.constants.size(); ++i) {
    in_.at<Vector>(constants)->slots()[i].set(function.constants[i]);
  }
  Value positions = kFalse;
  if (!is_internal_) {
    positions = in_.make_bytevector(function.positions.size() * 4);
    std::memcpy(in_.at<Bytevector>(positions)->bytes(), function.positions.data(),
                function.positions.size() * 4);
  }
  const std::vector<std::uint32_t> live_bits = live_slots(function.code);
  const Value live = in_.make_bytevector(live_bits.size() * 4);
  std::memcpy(in_.at<Bytevector>(live)->bytes(), live_bits.data(), live_bits.size() * 4);
  auto* code = in_.make<Code>(kCode, function.code.size() * sizeof(Insn));
  code->constants.init(constants);
  code->name.init(is_internal_ ? internal_name_ : lambda->value);
  code->file.init(file_);
  code->positions.init(positions);
  code->live.init(live);
  code->frame_slots = static_cast<std::uint16_t>(function.frame);
  code->is_internal = is_internal_ ? 1 : 0;
  std::memcpy(static_cast<void*>(code->insns()), function.code.data(),
              function.code.size() * sizeof(Insn));
  return in_.ref(code);
}

Value Generator::closure(Node* lambda) {
  Function function;
  function_ = &function;
  internal_name_ = lambda->value;
  const Value code = compile_lambda(lambda, function);
  auto* object = in_.make<Closure>(kClosure, 0);
  object->code.init(code);
  return in_.ref(object);
}

}  // namespace scheme
