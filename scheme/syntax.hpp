#pragma once

#include <deque>
#include <unordered_map>
#include <vector>

#include "interp.hpp"
#include "reader.hpp"

namespace scheme {

struct Function;
struct Node;

/// A local variable.
struct Var {
  Value name = kFalse;
  bool is_assigned = false;   ///< It lives in a box, so that closures and continuations share it.
  Node* loop = nullptr;       ///< The lambda it names if all its calls are jumps.
  Function* owner = nullptr;  ///< Set when code for its binding is generated.
  std::uint32_t slot = 0;
};

/// A program after expansion: core forms only, names resolved.
struct Node {
  enum Kind {
    constant,       ///< value
    local,          ///< var
    global,         ///< value: the cell
    set_local,      ///< var, a
    set_global,     ///< value, a
    define_global,  ///< value, a
    choice,         ///< a ? b : c
    any,            ///< the first of `list` that is true
    sequence,       ///< list
    call,           ///< a is called with list
    lambda,         ///< vars, has_rest, a: body, value: name
    case_lambda,    ///< list of lambdas
    let,            ///< vars, list of values, a: body
    fix,            ///< vars, list of lambdas that see them, a: body
    receive,        ///< vars, has_rest: values of b, a: body
    record_ref,     ///< value: type, index, a
    record_set,     ///< value, index, a, b
    is_record       ///< value, a
  };
  Kind kind;
  std::uint32_t line = 0, column = 0;
  Value value = kFalse;
  Var* var = nullptr;
  Node *a = nullptr, *b = nullptr, *c = nullptr;
  std::vector<Node*> list{};
  std::vector<Var*> vars{};
  bool has_rest = false;
  bool is_loop = false;     ///< fix: calls of its lambdas are jumps.
  std::uint32_t index = 0;  ///< record_*: of the field.
  int label = -1;           ///< lambda of a loop: where its code starts.
};

/// What an identifier means.
struct Denotation {
  enum Kind { unbound, local, global, macro, form } kind = unbound;
  Var* var = nullptr;
  Value value = kFalse;  ///< Cell, Macro or Form.
  Value name = kFalse;   ///< The symbol, and the environment it was looked up in, where no form
  Value env = kFalse;    ///< binds the identifier.
};

/// The identifiers that one binding form binds. The outermost scope is an environment.
struct Scope {
  struct Entry {
    Value id;
    Var* var;
    Value macro;
  };
  Scope* parent = nullptr;
  Value env = kFalse;
  std::uint32_t number = 0;
  std::vector<Entry> entries{};
};

/// Expands one form. Identifiers are symbols, or aliases that a macro's template put in: an alias
/// is bound as itself where a binding form binds it, and otherwise means what its symbol means
/// where the macro was defined. That makes macros hygienic (Clinger and Rees 1991, "Macros that
/// work").
class Expander {
 public:
  Expander(Interp& in, Value env, const SourceMap* map, Value file)
      : in_(in), map_(map), file_(file), root_(scope_of(env)) {}

  /// A lambda without parameters that does what the form says, which is at `place`.
  [[nodiscard]] Node* expand_program(Value form, const Place& place);
  [[nodiscard]] Value file() const noexcept { return file_; }

 private:
  friend struct FormTable;
  using Pos = Place;

  /// A definition in a body: its value is still to be expanded, or is ready.
  struct Definition {
    std::vector<Var*> vars;
    bool has_rest;   ///< define-values: the last variable gets a list.
    bool is_values;  ///< define-values
    Value expression;
    Node* ready;
    Pos pos;
  };
  struct Pending {
    Value form;
    Pos pos;
  };

  // expander.cpp
  [[noreturn]] void fail(const Pos& pos, std::string_view message, Value form);
  Scope* scope_of(Value env);
  Scope* inner(Scope* parent);
  Node* node(Node::Kind kind, const Pos& pos);
  Node* constant(Value value, const Pos& pos);
  Node* sequence(std::vector<Node*> nodes, const Pos& pos);
  Node* choice(Node* a, Node* b, Node* c, const Pos& pos);
  Node* local(Var* var, const Pos& pos);
  Node* core(const char* name, const Pos& pos);
  Node* call(Node* procedure, std::vector<Node*> args, const Pos& pos);
  Node* lambda(std::vector<Var*> vars, bool has_rest, Node* body, Value name, const Pos& pos);
  Node* let(std::vector<Var*> vars, std::vector<Node*> values, Node* body, const Pos& pos);
  Var* var(Value id);
  Var* bind_var(Scope* scope, Value id);
  Pos pos_of(Value form, const Pos& outer) const;
  bool is_identifier(Value value) const;
  Value strip(Value datum);
  Value symbol_of(Value id) const;
  Denotation find(Value id, Scope* scope);
  bool is_literal_match(Value id, Scope* scope, Value literal, Scope* literal_scope);
  bool is_core(Value id, Scope* scope, const char* name);
  Value check_list(Value form, const Pos& pos, std::int64_t least, std::int64_t most = -1);
  Value nth(Value list, int n) const;
  Node* expand(Value form, Scope* scope, const Pos& outer);
  Node* expand_call(Value form, Scope* scope, const Pos& pos);
  Node* expand_sequence(Value forms, Scope* scope, const Pos& pos);
  Node* reference(Value id, Scope* scope, const Pos& pos);
  Node* expand_lambda(Value params, Value body, Scope* scope, Value name, const Pos& pos);
  void bind_params(Value params, Scope* scope, std::vector<Var*>& vars, bool& has_rest,
                   const Pos& pos);
  Value macro_use(Value macro, Value form, Scope* scope, const Pos& pos);

  // bodies.cpp
  Node* expand_body(Value forms, Scope* scope, const Pos& pos);
  bool take_definition(Value form, Scope* scope, const Pos& pos, std::vector<Definition>& found,
                       std::deque<Pending>& pending);
  Node* finish_body(std::vector<Definition>& definitions, std::vector<Node*> body, Scope* scope,
                    const Pos& pos);
  Node* toplevel(Value form, Scope* scope, const Pos& pos);
  void import_set(Value set, Scope* scope, const Pos& pos);
  void check_definable(Value id, Scope* scope, const Pos& pos);
  void check_assignable(const Denotation& variable, const Pos& pos);
  Node* define_global(Value id, Scope* scope, Node* value, const Pos& pos);
  bool definition_parts(Value form, Scope* scope, const Pos& pos, Value& id, Value& expression);
  Node* expand_named(Value expression, Scope* scope, Value name, const Pos& pos);
  std::vector<std::pair<Value, Node*>> record_parts(Value form, Scope* scope, const Pos& pos);

  // letrec.cpp
  Node* letrec(std::vector<Var*> vars, std::vector<Node*> values, Node* body, const Pos& pos);
  Node* fix(std::vector<Var*> vars, std::vector<Node*> lambdas, Node* body, const Pos& pos);

  // forms.cpp, binding_forms.cpp, control_forms.cpp: each takes the whole form.
  Node* expand_form(std::uint32_t id, Value form, Scope* scope, const Pos& pos);
  Node* form_quote(Value form, Scope* scope, const Pos& pos);
  Node* form_quasiquote(Value form, Scope* scope, const Pos& pos);
  Node* form_lambda(Value form, Scope* scope, const Pos& pos);
  Node* form_case_lambda(Value form, Scope* scope, const Pos& pos);
  Node* form_if(Value form, Scope* scope, const Pos& pos);
  Node* form_set(Value form, Scope* scope, const Pos& pos);
  Node* form_begin(Value form, Scope* scope, const Pos& pos);
  Node* form_let(Value form, Scope* scope, const Pos& pos);
  Node* form_let_star(Value form, Scope* scope, const Pos& pos);
  Node* form_letrec(Value form, Scope* scope, const Pos& pos);
  Node* form_let_values(Value form, Scope* scope, const Pos& pos);
  Node* form_let_star_values(Value form, Scope* scope, const Pos& pos);
  Node* form_receive(Value form, Scope* scope, const Pos& pos);
  Node* form_do(Value form, Scope* scope, const Pos& pos);
  Node* form_cond(Value form, Scope* scope, const Pos& pos);
  Node* form_case(Value form, Scope* scope, const Pos& pos);
  Node* form_and(Value form, Scope* scope, const Pos& pos);
  Node* form_or(Value form, Scope* scope, const Pos& pos);
  Node* form_when(Value form, Scope* scope, const Pos& pos);
  Node* form_unless(Value form, Scope* scope, const Pos& pos);
  Node* form_delay(Value form, Scope* scope, const Pos& pos);
  Node* form_delay_force(Value form, Scope* scope, const Pos& pos);
  Node* form_parameterize(Value form, Scope* scope, const Pos& pos);
  Node* form_guard(Value form, Scope* scope, const Pos& pos);
  Node* form_assert(Value form, Scope* scope, const Pos& pos);
  Node* form_let_syntax(Value form, Scope* scope, const Pos& pos);
  Node* form_letrec_syntax(Value form, Scope* scope, const Pos& pos);
  Node* form_cond_expand(Value form, Scope* scope, const Pos& pos);
  Node* form_include(Value form, Scope* scope, const Pos& pos);
  Node* form_syntax_error(Value form, Scope* scope, const Pos& pos);
  Node* form_misplaced(Value form, Scope* scope, const Pos& pos);

  Node* quasi(Value datum, int depth, Scope* scope, const Pos& pos);
  Node* clauses(Value clauses, Scope* scope, const Pos& pos, Node* otherwise);
  Node* case_clauses(Value clauses, Var* key, Scope* scope, const Pos& pos);
  Node* named_let(Value form, Scope* scope, const Pos& pos);
  Node* let_values(Value bindings, Value body, Scope* scope, bool sequential, const Pos& pos);
  Node* promise(Node* body, bool is_done, const Pos& pos);

  // syntax_rules.cpp, libraries.cpp
  Value transformer(Value spec, Scope* scope, const Pos& pos);
  Value ellipsis_in(Value form) const;
  void bind_syntax(Value id, Value spec, Scope* scope, Scope* spec_scope, const Pos& pos);
  bool requirement_holds(Value requirement, Scope* scope, const Pos& pos);
  Value cond_expand_forms(Value form, Scope* scope, const Pos& pos);
  Value include_forms(Value form, Scope* scope, const Pos& pos, bool folds_case);
  Node* define_library(Value form, Scope* scope, const Pos& pos);
  void library_declarations(Value declarations, Scope* scope, Value& exports,
                            std::vector<Node*>& body, const Pos& pos);

  Interp& in_;
  const SourceMap* map_;
  SourceMap included_;  ///< Of files that the form includes.
  Value file_;
  std::deque<Node> nodes_;
  std::deque<Var> vars_;
  std::deque<Scope> scopes_;
  std::unordered_map<std::uint32_t, Scope*> roots_;  ///< By environment.
  Scope* root_;
  std::uint32_t expansions_ = 0, includes_ = 0;
};

/// The numbers of core forms, in Form::header.length. Definitions and the like mean something at
/// the head of a body or program only.
enum FormId : std::uint32_t {
  kDefine = 0,
  kDefineValues,
  kDefineRecordType,
  kDefineSyntax,
  kBegin,
  kImport,
  kDefineLibrary,
  kInclude,
  kIncludeCi,
  kCondExpand,
  kLetSyntax,
  kLetrecSyntax,
  kFirstPlainForm,
};

/// Binds the names of the core forms.
void define_forms(Interp& in, Value env);

/// The code of an expanded program: a closure.
[[nodiscard]] Value generate(Interp& in, Node* program, Value file, bool is_internal);

}  // namespace scheme
