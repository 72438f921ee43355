/// cond, case, guard, promises, parameterize.

#include "environment.hpp"
#include "lists.hpp"
#include "syntax.hpp"

namespace scheme {

Node* Expander::form_cond(Value form, Scope* scope, const Pos& pos) {
  check_list(form, pos, 1);
  return clauses(in_.cdr(form), scope, pos, constant(kUnspecified, pos));
}

/// The clauses of cond; `otherwise` is what happens when none is taken.
Node* Expander::clauses(Value list, Scope* scope, const Pos& outer, Node* otherwise) {
  check_list(list, outer, 0);
  std::vector<Value> all;
  for (; list != kNil; list = in_.cdr(list)) all.push_back(in_.car(list));
  Node* result = otherwise;
  for (std::size_t i = all.size(); i > 0; --i) {
    const Value clause = all[i - 1];
    const Pos pos = pos_of(clause, outer);
    check_list(clause, pos, 1);
    const Value first = in_.car(clause);
    const Value rest = in_.cdr(clause);
    if (is_core(first, scope, "else")) {
      if (i != all.size()) fail(pos, "else has to be the last clause", clause);
      result = expand_sequence(rest, scope, pos);
    } else if (rest == kNil) {
      Node* any = node(Node::any, pos);
      any->list = {expand(first, scope, pos), result};
      result = any;
    } else if (is_core(in_.car(rest), scope, "=>")) {
      check_list(rest, pos, 2, 2);
      Var* const value = var(kFalse);
      Node* receiver = expand(nth(rest, 1), scope, pos);
      result = let({value}, {expand(first, scope, pos)},
                   choice(local(value, pos), call(receiver, {local(value, pos)}, pos), result, pos),
                   pos);
    } else {
      Node* test = expand(first, scope, pos);
      result = choice(test, expand_sequence(rest, scope, pos), result, pos);
    }
  }
  return result;
}

Node* Expander::form_case(Value form, Scope* scope, const Pos& pos) {
  check_list(form, pos, 2);
  Var* const key = var(kFalse);
  Node* value = expand(nth(form, 1), scope, pos);
  return let({key}, {value}, case_clauses(in_.cdr(in_.cdr(form)), key, scope, pos), pos);
}

Node* Expander::case_clauses(Value list, Var* key, Scope* scope, const Pos& outer) {
  check_list(list, outer, 0);
  if (list == kNil) return constant(kUnspecified, outer);
  const Value clause = in_.car(list);
  const Pos pos = pos_of(clause, outer);
  check_list(clause, pos, 2);
  const Value body = in_.cdr(clause);
  Node* then = nullptr;
  if (is_core(in_.car(body), scope, "=>")) {
    check_list(body, pos, 2, 2);
    then = call(expand(nth(body, 1), scope, pos), {local(key, pos)}, pos);
  } else {
    then = expand_sequence(body, scope, pos);
  }
  if (is_core(in_.car(clause), scope, "else")) {
    if (in_.cdr(list) != kNil) fail(pos, "else has to be the last clause", clause);
    return then;
  }
  std::vector<Node*> tests;
  for (Value data = check_list(in_.car(clause), pos, 0); data != kNil; data = in_.cdr(data)) {
    const Value datum = strip(in_.car(data));
    // Only numbers in objects of their own need more than a comparison of bits.
    const bool needs_eqv = in_.is(datum, kFlonum) || in_.is(datum, kInteger);
    tests.push_back(
        call(core(needs_eqv ? "eqv?" : "eq?", pos), {local(key, pos), constant(datum, pos)}, pos));
  }
  Node* otherwise = case_clauses(in_.cdr(list), key, scope, outer);
  if (tests.empty()) return otherwise;
  Node* test = tests[0];
  if (tests.size() > 1) {
    test = node(Node::any, pos);
    test->list = std::move(tests);
  }
  return choice(test, then, otherwise, pos);
}

Node* Expander::promise(Node* body, bool is_done, const Pos& pos) {
  return call(core("%promise", pos),
              {constant(boolean(is_done), pos), lambda({}, false, body, kFalse, pos)}, pos);
}

/// `(delay e)` is `(delay-force (make-promise e))`.
Node* Expander::form_delay(Value form, Scope* scope, const Pos& pos) {
  check_list(form, pos, 2, 2);
  Node* body =
      call(core("%promise", pos), {constant(kTrue, pos), expand(nth(form, 1), scope, pos)}, pos);
  return promise(body, false, pos);
}

Node* Expander::form_delay_force(Value form, Scope* scope, const Pos& pos) {
  check_list(form, pos, 2, 2);
  return promise(expand(nth(form, 1), scope, pos), false, pos);
}

/// `(%parameterize (list (cons parameter value) ...) (lambda () body ...))`
Node* Expander::form_parameterize(Value form, Scope* scope, const Pos& pos) {
  check_list(form, pos, 3);
  std::vector<Node*> pairs;
  for (Value rest = check_list(nth(form, 1), pos, 0); rest != kNil; rest = in_.cdr(rest)) {
    const Value binding = check_list(in_.car(rest), pos, 2, 2);
    Node* parameter = expand(in_.car(binding), scope, pos_of(binding, pos));
    pairs.push_back(call(core("cons", pos), {parameter, expand(nth(binding, 1), scope, pos)}, pos));
  }
  Node* body = expand_body(in_.cdr(in_.cdr(form)), inner(scope), pos);
  return call(
      core("%parameterize", pos),
      {call(core("list", pos), std::move(pairs), pos), lambda({}, false, body, kFalse, pos)}, pos);
}

/// `(%guard (lambda () body ...) (lambda (var reraise) (cond clause ... (else (reraise))))
/// has-else)`
Node* Expander::form_guard(Value form, Scope* scope, const Pos& pos) {
  check_list(form, pos, 3);
  const Value spec = check_list(nth(form, 1), pos, 1);
  if (!is_identifier(in_.car(spec))) fail(pos, "malformed", form);
  Scope* const inside = inner(scope);
  Var* const condition = bind_var(inside, in_.car(spec));
  Var* const reraise = var(kFalse);
  Node* handler = clauses(in_.cdr(spec), inside, pos, call(local(reraise, pos), {}, pos));
  Value last = in_.cdr(spec);
  while (last != kNil && in_.cdr(last) != kNil) last = in_.cdr(last);
  const bool has_else =
      last != kNil && in_.is_pair(in_.car(last)) && is_core(in_.car(in_.car(last)), inside, "else");
  Node* body = expand_body(in_.cdr(in_.cdr(form)), inner(scope), pos);
  return call(
      core("%guard", pos),
      {lambda({}, false, body, kFalse, pos),
       lambda({condition, reraise}, false, handler, kFalse, pos), constant(boolean(has_else), pos)},
      pos);
}

}  // namespace scheme
