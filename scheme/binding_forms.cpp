/// let and its kin, do.

#include "environment.hpp"
#include "lists.hpp"
#include "syntax.hpp"

namespace scheme {

Node* Expander::form_let(Value form, Scope* scope, const Pos& pos) {
  check_list(form, pos, 3);
  if (is_identifier(nth(form, 1))) return named_let(form, scope, pos);
  Scope* const inside = inner(scope);
  std::vector<Value> names;
  std::vector<Node*> values;
  const Value bindings = check_list(nth(form, 1), pos, 0);
  for (Value rest = bindings; rest != kNil; rest = in_.cdr(rest)) {
    const Value binding = check_list(in_.car(rest), pos, 2, 2);
    if (!is_identifier(in_.car(binding))) fail(pos, "malformed", form);
    for (const Value name : names) {
      if (name == in_.car(binding)) fail(pos, "variable occurs twice:", name);
    }
    names.push_back(in_.car(binding));
    values.push_back(expand_named(nth(binding, 1), scope, in_.car(binding), pos_of(binding, pos)));
  }
  std::vector<Var*> vars;
  for (const Value name : names) vars.push_back(bind_var(inside, name));
  Node* body = expand_body(in_.cdr(in_.cdr(form)), inside, pos);
  return let(std::move(vars), std::move(values), body, pos);
}

/// `((letrec ((name (lambda params body ...))) name) arg ...)`
Node* Expander::named_let(Value form, Scope* scope, const Pos& pos) {
  check_list(form, pos, 4);
  const Value name = nth(form, 1);
  Scope* const outside = inner(scope);
  Var* const loop = bind_var(outside, name);
  Scope* const inside = inner(outside);
  std::vector<Var*> vars;
  std::vector<Node*> values;
  for (Value rest = check_list(nth(form, 2), pos, 0); rest != kNil; rest = in_.cdr(rest)) {
    const Value binding = check_list(in_.car(rest), pos, 2, 2);
    if (!is_identifier(in_.car(binding))) fail(pos, "malformed", form);
    for (const Scope::Entry& entry : inside->entries) {
      if (entry.id == in_.car(binding)) fail(pos, "variable occurs twice:", entry.id);
    }
    values.push_back(expand(nth(binding, 1), scope, pos_of(binding, pos)));
    vars.push_back(bind_var(inside, in_.car(binding)));
  }
  Node* body = expand_body(in_.cdr(in_.cdr(in_.cdr(form))), inside, pos);
  Node* procedure = lambda(std::move(vars), false, body, symbol_of(name), pos);
  return letrec({loop}, {procedure}, call(local(loop, pos), std::move(values), pos), pos);
}

Node* Expander::form_let_star(Value form, Scope* scope, const Pos& pos) {
  check_list(form, pos, 3);
  std::vector<Var*> vars;
  std::vector<Node*> values;
  for (Value rest = check_list(nth(form, 1), pos, 0); rest != kNil; rest = in_.cdr(rest)) {
    const Value binding = check_list(in_.car(rest), pos, 2, 2);
    if (!is_identifier(in_.car(binding))) fail(pos, "malformed", form);
    values.push_back(expand_named(nth(binding, 1), scope, in_.car(binding), pos_of(binding, pos)));
    scope = inner(scope);
    vars.push_back(bind_var(scope, in_.car(binding)));
  }
  Node* body = expand_body(in_.cdr(in_.cdr(form)), scope, pos);
  for (std::size_t i = vars.size(); i > 0; --i)
    body = let({vars[i - 1]}, {values[i - 1]}, body, pos);
  return body;
}

Node* Expander::form_letrec(Value form, Scope* scope, const Pos& pos) {
  check_list(form, pos, 3);
  Scope* const inside = inner(scope);
  std::vector<Var*> vars;
  const Value bindings = check_list(nth(form, 1), pos, 0);
  for (Value rest = bindings; rest != kNil; rest = in_.cdr(rest)) {
    const Value binding = check_list(in_.car(rest), pos, 2, 2);
    if (!is_identifier(in_.car(binding))) fail(pos, "malformed", form);
    for (const Scope::Entry& entry : inside->entries) {
      if (entry.id == in_.car(binding)) fail(pos, "variable occurs twice:", entry.id);
    }
    vars.push_back(bind_var(inside, in_.car(binding)));
  }
  std::vector<Node*> values;
  for (Value rest = bindings; rest != kNil; rest = in_.cdr(rest)) {
    const Value binding = in_.car(rest);
    values.push_back(expand_named(nth(binding, 1), inside, in_.car(binding), pos_of(binding, pos)));
  }
  Node* body = expand_body(in_.cdr(in_.cdr(form)), inside, pos);
  return letrec(std::move(vars), std::move(values), body, pos);
}

Node* Expander::form_let_values(Value form, Scope* scope, const Pos& pos) {
  check_list(form, pos, 3);
  return let_values(nth(form, 1), in_.cdr(in_.cdr(form)), scope, false, pos);
}
Node* Expander::form_let_star_values(Value form, Scope* scope, const Pos& pos) {
  check_list(form, pos, 3);
  return let_values(nth(form, 1), in_.cdr(in_.cdr(form)), scope, true, pos);
}

/// All variables are new ones, so that nesting is right for both: they differ in what the
/// expressions see.
Node* Expander::let_values(Value bindings, Value body, Scope* scope, bool sequential,
                           const Pos& pos) {
  check_list(bindings, pos, 0);
  Scope* inside = inner(scope);
  std::vector<Node*> receives;
  for (; bindings != kNil; bindings = in_.cdr(bindings)) {
    const Value binding = check_list(in_.car(bindings), pos, 2, 2);
    Node* receive = node(Node::receive, pos);
    receive->b = expand(nth(binding, 1), sequential ? inside : scope, pos_of(binding, pos));
    if (sequential) inside = inner(inside);
    bind_params(in_.car(binding), inside, receive->vars, receive->has_rest, pos);
    receives.push_back(receive);
  }
  Node* result = expand_body(body, inside, pos);
  for (auto receive = receives.rbegin(); receive != receives.rend(); ++receive) {
    (*receive)->a = result;
    result = *receive;
  }
  return result;
}

/// SRFI 8.
Node* Expander::form_receive(Value form, Scope* scope, const Pos& pos) {
  check_list(form, pos, 4);
  Node* result = node(Node::receive, pos);
  result->b = expand(nth(form, 2), scope, pos);
  Scope* const inside = inner(scope);
  bind_params(nth(form, 1), inside, result->vars, result->has_rest, pos);
  result->a = expand_body(in_.cdr(in_.cdr(in_.cdr(form))), inside, pos);
  return result;
}

/// `(do ((var init step) ...) (test result ...) command ...)`
Node* Expander::form_do(Value form, Scope* scope, const Pos& pos) {
  check_list(form, pos, 3);
  Scope* const inside = inner(scope);
  Var* const loop = var(in_.symbol("do"));
  std::vector<Var*> vars;
  std::vector<Node*> values;
  const Value bindings = check_list(nth(form, 1), pos, 0);
  for (Value rest = bindings; rest != kNil; rest = in_.cdr(rest)) {
    const Value binding = check_list(in_.car(rest), pos, 2, 3);
    if (!is_identifier(in_.car(binding))) fail(pos, "malformed", form);
    values.push_back(expand(nth(binding, 1), scope, pos_of(binding, pos)));
    vars.push_back(bind_var(inside, in_.car(binding)));
  }
  const Value ending = check_list(nth(form, 2), pos, 1);
  Node* test = expand(in_.car(ending), inside, pos_of(ending, pos));
  Node* result = expand_sequence(in_.cdr(ending), inside, pos);
  std::vector<Node*> commands;
  for (Value rest = in_.cdr(in_.cdr(in_.cdr(form))); rest != kNil; rest = in_.cdr(rest)) {
    commands.push_back(expand(in_.car(rest), inside, pos_of(rest, pos)));
  }
  std::vector<Node*> steps;
  std::size_t i = 0;
  for (Value rest = bindings; rest != kNil; rest = in_.cdr(rest), ++i) {
    const Value step = in_.cdr(in_.cdr(in_.car(rest)));
    steps.push_back(step == kNil ? local(vars[i], pos) : expand(in_.car(step), inside, pos));
  }
  commands.push_back(call(local(loop, pos), std::move(steps), pos));
  Node* body = choice(test, result, sequence(std::move(commands), pos), pos);
  Node* procedure = lambda(std::move(vars), false, body, loop->name, pos);
  return letrec({loop}, {procedure}, call(local(loop, pos), std::move(values), pos), pos);
}

Node* Expander::form_let_syntax(Value form, Scope* scope, const Pos& pos) {
  check_list(form, pos, 3);
  Scope* const inside = inner(scope);
  for (Value rest = check_list(nth(form, 1), pos, 0); rest != kNil; rest = in_.cdr(rest)) {
    const Value binding = check_list(in_.car(rest), pos, 2, 2);
    bind_syntax(in_.car(binding), nth(binding, 1), inside, scope, pos);
  }
  return expand_body(in_.cdr(in_.cdr(form)), inside, pos);
}

Node* Expander::form_letrec_syntax(Value form, Scope* scope, const Pos& pos) {
  check_list(form, pos, 3);
  Scope* const inside = inner(scope);
  for (Value rest = check_list(nth(form, 1), pos, 0); rest != kNil; rest = in_.cdr(rest)) {
    const Value binding = check_list(in_.car(rest), pos, 2, 2);
    bind_syntax(in_.car(binding), nth(binding, 1), inside, inside, pos);
  }
  return expand_body(in_.cdr(in_.cdr(form)), inside, pos);
}

}  // namespace scheme
