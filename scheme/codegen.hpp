#pragma once

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "bytecode.hpp"
#include "syntax.hpp"

namespace scheme {

/// A place in code that is jumped to before or after it is known.
struct Label {
  int target = -1;
  std::vector<std::size_t> jumps{};
};

/// A procedure whose code is being generated.
struct Function {
  Function* parent = nullptr;
  Var* self = nullptr;  ///< The variable that names it, if that is never assigned.
  std::vector<Insn> code{};
  std::vector<std::uint32_t> positions{};
  std::vector<Value> constants{};
  std::vector<Var*> free{};
  std::unordered_map<const Var*, std::uint32_t> free_numbers{};
  std::uint32_t next = 0;   ///< The first slot that is not in use.
  std::uint32_t frame = 0;  ///< Slots that were ever in use.
};

[[nodiscard]] inline std::uint32_t position_of(const Node* node) {
  return node->line << 10 | std::min<std::uint32_t>(node->column, 1023);
}
[[nodiscard]] inline bool is_op(const Insn& insn, Op op) {
  return insn.op == static_cast<std::uint8_t>(op);
}

/// For each instruction bits for the slots that are live before it: it, or what may come after,
/// reads what is in them. Of a call these are, below the callee's frame, those live while it runs.
[[nodiscard]] std::vector<std::uint32_t> live_slots(const std::vector<Insn>& code);

/// Generates code. Variables and temporaries have slots, taken and given back like a stack; the
/// value of an expression goes to a slot that the caller names, which is written last of all.
class Generator {
 public:
  Generator(Interp& in, Value file, bool is_internal)
      : in_(in), file_(file), is_internal_(is_internal) {}

  /// A lambda or case_lambda without free variables: a closure.
  [[nodiscard]] Value closure(Node* lambda);

 private:
  enum Context { kTail, kValue, kEffect };
  // codegen.cpp
  void gen(Node* node, Context context, std::uint32_t to);
  void gen_value(Node* node, std::uint32_t to) { gen(node, kValue, to); }
  void gen_effect(Node* node);
  void gen_constant(Value value, Context context, std::uint32_t to);
  void gen_variable(Var* var, Context context, std::uint32_t to);
  void gen_set(Node* node);
  void gen_choice(Node* node, Context context, std::uint32_t to);
  void gen_any(Node* node, Context context, std::uint32_t to);
  void gen_call(Node* node, Context context, std::uint32_t to);
  void gen_let(Node* node, Context context, std::uint32_t to);
  void gen_receive(Node* node, Context context, std::uint32_t to);
  void finish_value(Context context, std::uint32_t to);
  std::uint32_t operand(Node* node);
  bool is_plain_slot(const Node* node) const;
  std::uint32_t take_slot();
  void bind_slot(Var* var, std::uint32_t slot);
  std::uint32_t free_number(Function& function, Var* var);
  Insn capture_of(Var* var);

  // codegen_procedures.cpp
  Value compile_lambda(Node* lambda, Function& function);
  void compile_clause(Node* lambda, Function& function);
  void gen_lambda(Node* node, std::uint32_t to, Var* self);
  void gen_fix(Node* node, Context context, std::uint32_t to);
  void gen_loop(Node* node, Context context, std::uint32_t to);
  void gen_jump_to_loop(Node* node);

  // inline_calls.cpp
  bool gen_inline(Node* node, Context context, std::uint32_t to);
  bool gen_builtin(Node* node, Context context, std::uint32_t to);
  const Builtin* builtin_of(const Node* procedure, std::uint32_t& number) const;
  void branch(Node* node, bool when, Label& to);
  bool branch_call(Node* node, bool when, Label& to);
  enum Compare { kLess, kAtMost, kGreater, kAtLeast, kEqual };
  void branch_compare(Compare compare, Node* x, Node* y, bool when, Label& to);

  // Emission.
  std::size_t emit(Op op, std::uint32_t a, std::uint32_t imm, std::uint32_t x = 0);
  std::size_t emit_abc(Op op, std::uint32_t a, std::uint32_t b, std::uint32_t c,
                       std::uint32_t x = 0);
  void emit_jump(Op op, std::uint32_t a, Label& to, std::uint32_t x = 0);
  void emit_jump_ab(Op op, std::uint32_t a, std::uint32_t b, Label& to);
  void place(Label& label);
  void keep(Value value) { function_->constants.push_back(value); }

  Interp& in_;
  Value file_;
  bool is_internal_;
  Value internal_name_ = kFalse;  ///< What all procedures of one text of the prelude are called.
  Function* function_ = nullptr;
  std::uint32_t position_ = 0;
  std::unordered_map<const Node*, Label> loop_labels_;  ///< By lambda.
};

}  // namespace scheme
