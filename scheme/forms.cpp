/// The core forms by name, and the simplest of them.

#include <iterator>

#include "environment.hpp"
#include "lists.hpp"
#include "syntax.hpp"

namespace scheme {

/// In the order of FormId where that has a name.
struct FormTable {
  struct Entry {
    const char* name;
    Node* (Expander::*expand)(Value form, Scope* scope, const Place& pos);
  };
  static constexpr Entry kForms[] = {
      {"define", &Expander::form_misplaced},
      {"define-values", &Expander::form_misplaced},
      {"define-record-type", &Expander::form_misplaced},
      {"define-syntax", &Expander::form_misplaced},
      {"begin", &Expander::form_begin},
      {"import", &Expander::form_misplaced},
      {"define-library", &Expander::form_misplaced},
      {"include", &Expander::form_include},
      {"include-ci", &Expander::form_include},
      {"cond-expand", &Expander::form_cond_expand},
      {"let-syntax", &Expander::form_let_syntax},
      {"letrec-syntax", &Expander::form_letrec_syntax},
      {"quote", &Expander::form_quote},
      {"quasiquote", &Expander::form_quasiquote},
      {"lambda", &Expander::form_lambda},
      {"case-lambda", &Expander::form_case_lambda},
      {"if", &Expander::form_if},
      {"set!", &Expander::form_set},
      {"let", &Expander::form_let},
      {"let*", &Expander::form_let_star},
      {"letrec", &Expander::form_letrec},
      {"letrec*", &Expander::form_letrec},
      {"let-values", &Expander::form_let_values},
      {"let*-values", &Expander::form_let_star_values},
      {"receive", &Expander::form_receive},
      {"do", &Expander::form_do},
      {"cond", &Expander::form_cond},
      {"case", &Expander::form_case},
      {"and", &Expander::form_and},
      {"or", &Expander::form_or},
      {"when", &Expander::form_when},
      {"unless", &Expander::form_unless},
      {"delay", &Expander::form_delay},
      {"delay-force", &Expander::form_delay_force},
      {"parameterize", &Expander::form_parameterize},
      {"guard", &Expander::form_guard},
      {"assert", &Expander::form_assert},
      {"syntax-error", &Expander::form_syntax_error},
      // Words that mean something inside other forms alone.
      {"else", &Expander::form_misplaced},
      {"=>", &Expander::form_misplaced},
      {"_", &Expander::form_misplaced},
      {"...", &Expander::form_misplaced},
      {"unquote", &Expander::form_misplaced},
      {"unquote-splicing", &Expander::form_misplaced},
      {"syntax-rules", &Expander::form_misplaced},
      {"export", &Expander::form_misplaced},
  };
};

Node* Expander::expand_form(std::uint32_t id, Value form, Scope* scope, const Pos& pos) {
  return (this->*FormTable::kForms[id].expand)(form, scope, pos);
}

void define_forms(Interp& in, Value env) {
  for (std::uint32_t id = 0; id < std::size(FormTable::kForms); ++id) {
    const Rooted name(in, in.symbol(FormTable::kForms[id].name));
    auto* form = in.make<Form>(kForm);
    form->header.length = id;
    form->name.init(name.get());
    bind(in, env, name.get(), in.ref(form));
  }
}

Node* Expander::form_misplaced(Value form, Scope*, const Pos& pos) {
  fail(pos, "misplaced:", form);
}

Node* Expander::form_quote(Value form, Scope*, const Pos& pos) {
  check_list(form, pos, 2, 2);
  return constant(strip(nth(form, 1)), pos);
}

Node* Expander::form_lambda(Value form, Scope* scope, const Pos& pos) {
  check_list(form, pos, 3);
  return expand_lambda(nth(form, 1), in_.cdr(in_.cdr(form)), scope, kFalse, pos);
}

Node* Expander::form_case_lambda(Value form, Scope* scope, const Pos& pos) {
  Node* result = node(Node::case_lambda, pos);
  for (Value rest = in_.cdr(form); rest != kNil; rest = in_.cdr(rest)) {
    const Value clause = check_list(in_.car(rest), pos, 2);
    result->list.push_back(
        expand_lambda(in_.car(clause), in_.cdr(clause), scope, kFalse, pos_of(clause, pos)));
  }
  return result;
}

Node* Expander::form_if(Value form, Scope* scope, const Pos& pos) {
  check_list(form, pos, 3, 4);
  Node* test = expand(nth(form, 1), scope, pos);
  Node* then = expand(nth(form, 2), scope, pos);
  const Value rest = in_.cdr(in_.cdr(in_.cdr(form)));
  return choice(test, then,
                rest == kNil ? constant(kUnspecified, pos) : expand(in_.car(rest), scope, pos),
                pos);
}

Node* Expander::form_set(Value form, Scope* scope, const Pos& pos) {
  check_list(form, pos, 3, 3);
  const Value id = nth(form, 1);
  if (!is_identifier(id)) fail(pos, "malformed", form);
  const Denotation found = find(id, scope);
  if (found.kind == Denotation::macro || found.kind == Denotation::form) {
    fail(pos, "syntax is no variable:", id);
  }
  Node* value = expand(nth(form, 2), scope, pos);
  Node* result = node(found.kind == Denotation::local ? Node::set_local : Node::set_global, pos);
  if (found.kind == Denotation::local) {
    result->var = found.var;
    found.var->is_assigned = true;
  } else {
    check_assignable(found, pos);
    // What is not the environment's own stays what it is for everybody else.
    result->value = mention_cell(in_, found.env, found.name);
    if (found.kind == Denotation::global && found.value != result->value) {
      result->value = define_cell(in_, found.env, found.name);
      in_.at<Cell>(result->value)->value.set(in_.at<Cell>(found.value)->value.get());
    }
  }
  result->a = value;
  return result;
}

Node* Expander::form_begin(Value form, Scope* scope, const Pos& pos) {
  return expand_sequence(in_.cdr(form), scope, pos);
}

Node* Expander::form_and(Value form, Scope* scope, const Pos& pos) {
  check_list(form, pos, 1);
  std::vector<Node*> nodes;
  for (Value rest = in_.cdr(form); rest != kNil; rest = in_.cdr(rest)) {
    nodes.push_back(expand(in_.car(rest), scope, pos_of(rest, pos)));
  }
  if (nodes.empty()) return constant(kTrue, pos);
  Node* result = nodes.back();
  for (std::size_t i = nodes.size() - 1; i > 0; --i) {
    result = choice(nodes[i - 1], result, constant(kFalse, pos), pos);
  }
  return result;
}

Node* Expander::form_or(Value form, Scope* scope, const Pos& pos) {
  check_list(form, pos, 1);
  std::vector<Node*> nodes;
  for (Value rest = in_.cdr(form); rest != kNil; rest = in_.cdr(rest)) {
    nodes.push_back(expand(in_.car(rest), scope, pos_of(rest, pos)));
  }
  if (nodes.empty()) return constant(kFalse, pos);
  if (nodes.size() == 1) return nodes[0];
  Node* result = node(Node::any, pos);
  result->list = std::move(nodes);
  return result;
}

Node* Expander::form_when(Value form, Scope* scope, const Pos& pos) {
  check_list(form, pos, 2);
  Node* test = expand(nth(form, 1), scope, pos);
  return choice(test, expand_sequence(in_.cdr(in_.cdr(form)), scope, pos),
                constant(kUnspecified, pos), pos);
}

Node* Expander::form_unless(Value form, Scope* scope, const Pos& pos) {
  check_list(form, pos, 2);
  Node* test = expand(nth(form, 1), scope, pos);
  return choice(test, constant(kUnspecified, pos),
                expand_sequence(in_.cdr(in_.cdr(form)), scope, pos), pos);
}

Node* Expander::form_assert(Value form, Scope* scope, const Pos& pos) {
  check_list(form, pos, 2);
  Node* failure = call(
      core("error", pos),
      {constant(in_.string("assertion failed"), pos), constant(strip(nth(form, 1)), pos)}, pos);
  return choice(expand(nth(form, 1), scope, pos), constant(kUnspecified, pos), failure, pos);
}

Node* Expander::form_syntax_error(Value form, Scope*, const Pos& pos) {
  check_list(form, pos, 2);
  const Value message = nth(form, 1);
  const Value irritants = strip(in_.cdr(in_.cdr(form)));
  throw Raised{in_.condition(kSyntaxCondition,
                             in_.is(message, kString) ? in_.utf8(message) : in_.describe(message),
                             irritants, pos)};
}

Node* Expander::form_quasiquote(Value form, Scope* scope, const Pos& pos) {
  check_list(form, pos, 2, 2);
  return quasi(nth(form, 1), 1, scope, pos);
}

/// Nested to `depth`. What has nothing to evaluate in it stays a constant.
Node* Expander::quasi(Value datum, int depth, Scope* scope, const Pos& outer) {
  in_.check_native_stack(outer);
  const Pos pos = pos_of(datum, outer);
  const auto is_form = [&](Value value, const char* name) {
    return in_.is_pair(value) && is_core(in_.car(value), scope, name) &&
           list_length(in_, value) == 2;
  };
  const auto is_constant = [](const Node* n) { return n->kind == Node::constant; };
  const auto cons = [&](Node* a, Node* b) {
    if (is_constant(a) && is_constant(b)) return constant(in_.cons(a->value, b->value), pos);
    return call(core("cons", pos), {a, b}, pos);
  };
  if (in_.is(datum, kVector)) {
    auto* vector = in_.at<Vector>(datum);
    Value list = kNil;
    for (std::uint32_t i = vector->size(); i > 0; --i) {
      list = in_.cons(vector->slots()[i - 1].get(), list);
    }
    Node* items = quasi(list, depth, scope, pos);
    if (is_constant(items) && list_length(in_, items->value) == vector->size()) {
      return constant(strip(datum), pos);
    }
    return call(core("list->vector", pos), {items}, pos);
  }
  if (!in_.is_pair(datum)) return constant(strip(datum), pos);
  const auto nested = [&](int inner_depth) {
    return cons(constant(symbol_of(in_.car(datum)), pos),
                quasi(in_.cdr(datum), inner_depth, scope, pos));
  };
  if (is_form(datum, "unquote")) {
    return depth == 1 ? expand(nth(datum, 1), scope, pos) : nested(depth - 1);
  }
  if (is_form(datum, "quasiquote")) return nested(depth + 1);
  const Value first = in_.car(datum);
  if (is_form(first, "unquote-splicing") && depth == 1) {
    Node* spliced = expand(nth(first, 1), scope, pos);
    if (in_.cdr(datum) == kNil) return spliced;
    return call(core("append", pos), {spliced, quasi(in_.cdr(datum), depth, scope, pos)}, pos);
  }
  if (is_form(first, "unquote-splicing")) {
    Node* inside = cons(constant(symbol_of(in_.car(first)), pos),
                        quasi(in_.cdr(first), depth - 1, scope, pos));
    return cons(inside, quasi(in_.cdr(datum), depth, scope, pos));
  }
  Node* head = quasi(first, depth, scope, pos);
  return cons(head, quasi(in_.cdr(datum), depth, scope, pos));
}

}  // namespace scheme
