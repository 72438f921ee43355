/// Expressions: names, calls, lambda.

#include "environment.hpp"
#include "lists.hpp"
#include "syntax.hpp"

namespace scheme {

void Expander::fail(const Pos& pos, std::string_view message, Value form) {
  in_.fail_at(pos, message, {strip(form)}, kSyntaxCondition);
}

Scope* Expander::scope_of(Value env) {
  Scope*& root = roots_[env.bits()];
  if (root == nullptr) {
    scopes_.push_back({nullptr, env, static_cast<std::uint32_t>(scopes_.size()), {}});
    root = &scopes_.back();
  }
  return root;
}

Scope* Expander::inner(Scope* parent) {
  scopes_.push_back({parent, parent->env, static_cast<std::uint32_t>(scopes_.size()), {}});
  return &scopes_.back();
}

Node* Expander::node(Node::Kind kind, const Pos& pos) {
  nodes_.push_back({.kind = kind, .line = pos.line, .column = pos.column});
  return &nodes_.back();
}

Node* Expander::constant(Value value, const Pos& pos) {
  Node* result = node(Node::constant, pos);
  result->value = value;
  return result;
}

Node* Expander::sequence(std::vector<Node*> nodes, const Pos& pos) {
  if (nodes.empty()) return constant(kUnspecified, pos);
  if (nodes.size() == 1) return nodes[0];
  Node* result = node(Node::sequence, pos);
  result->list = std::move(nodes);
  return result;
}

Node* Expander::choice(Node* a, Node* b, Node* c, const Pos& pos) {
  Node* result = node(Node::choice, pos);
  result->a = a;
  result->b = b;
  result->c = c;
  return result;
}

Node* Expander::local(Var* var, const Pos& pos) {
  Node* result = node(Node::local, pos);
  result->var = var;
  return result;
}

/// A builtin procedure, whatever the program calls it.
Node* Expander::core(const char* name, const Pos& pos) {
  Node* result = node(Node::global, pos);
  result->value = lookup(in_, in_.registers.core, in_.symbol(name));
  return result;
}

Node* Expander::call(Node* procedure, std::vector<Node*> args, const Pos& pos) {
  if (procedure->kind == Node::lambda && !procedure->has_rest &&
      procedure->vars.size() == args.size()) {
    return let(procedure->vars, std::move(args), procedure->a, pos);
  }
  Node* result = node(Node::call, pos);
  result->a = procedure;
  result->list = std::move(args);
  return result;
}

Node* Expander::lambda(std::vector<Var*> vars, bool has_rest, Node* body, Value name,
                       const Pos& pos) {
  Node* result = node(Node::lambda, pos);
  result->vars = std::move(vars);
  result->has_rest = has_rest;
  result->a = body;
  result->value = name;
  return result;
}

/// Procedures among the values get names that are known, so that calls of them may become jumps.
Node* Expander::let(std::vector<Var*> vars, std::vector<Node*> values, Node* body, const Pos& pos) {
  std::vector<Var*> names;
  std::vector<Node*> lambdas;
  Node* result = node(Node::let, pos);
  for (std::size_t i = 0; i < vars.size(); ++i) {
    if (values[i]->kind == Node::lambda && !vars[i]->is_assigned) {
      names.push_back(vars[i]);
      lambdas.push_back(values[i]);
    } else {
      result->vars.push_back(vars[i]);
      result->list.push_back(values[i]);
    }
  }
  result->a = names.empty() ? body : fix(std::move(names), std::move(lambdas), body, pos);
  return result->vars.empty() ? result->a : result;
}

Var* Expander::var(Value id) {
  vars_.push_back({});
  vars_.back().name = symbol_of(id);
  return &vars_.back();
}

Var* Expander::bind_var(Scope* scope, Value id) {
  Var* result = var(id);
  scope->entries.push_back({id, result, kFalse});
  return result;
}

Place Expander::pos_of(Value form, const Pos& outer) const {
  Pos pos = outer;
  if (in_.is_pair(form) && !included_.find(form, pos) && map_ != nullptr) {
    static_cast<void>(map_->find(form, pos));
  }
  return pos;
}

bool Expander::is_identifier(Value value) const {
  return in_.is_symbol(value) || in_.is(value, kAlias);
}

Value Expander::symbol_of(Value id) const {
  while (in_.is(id, kAlias)) id = in_.at<Alias>(id)->name.get();
  return id;
}

/// A datum as the program's text has it: symbols in the place of aliases. What has none stays the
/// same object.
Value Expander::strip(Value datum) {
  in_.check_native_stack({});
  if (in_.is(datum, kAlias)) return symbol_of(datum);
  if (in_.is_pair(datum)) {
    // Along the spine without recursion; `copied` begins where something changed.
    std::vector<Value> items;
    bool has_changed = false;
    Value rest = datum;
    std::unordered_map<std::uint32_t, bool> seen;
    for (; in_.is_pair(rest); rest = in_.cdr(rest)) {
      if (items.size() > 1000 && seen[rest.bits()]) return datum;  // Circular: it has no aliases.
      if (items.size() >= 1000) seen[rest.bits()] = true;
      items.push_back(in_.is_pair(in_.car(rest)) || is_object(in_.car(rest)) ? strip(in_.car(rest))
                                                                             : in_.car(rest));
      has_changed = has_changed || items.back() != in_.car(rest);
    }
    Value tail = rest == kNil ? rest : strip(rest);
    if (!has_changed && tail == rest) return datum;
    for (std::size_t i = items.size(); i > 0; --i) tail = in_.cons(items[i - 1], tail);
    return tail;
  }
  if (in_.is(datum, kVector)) {
    auto* vector = in_.at<Vector>(datum);
    for (std::uint32_t i = 0; i < vector->size(); ++i) {
      const Value item = vector->slots()[i].get();
      const Value stripped = strip(item);
      if (stripped == item) continue;
      const Value copy = in_.make_vector(vector->size(), kFalse);
      for (std::uint32_t k = 0; k < vector->size(); ++k) {
        in_.at<Vector>(copy)->slots()[k].set(strip(vector->slots()[k].get()));
      }
      return copy;
    }
  }
  return datum;
}

Denotation Expander::find(Value id, Scope* scope) {
  for (;;) {
    for (const Scope* at = scope; at != nullptr; at = at->parent) {
      for (auto entry = at->entries.rbegin(); entry != at->entries.rend(); ++entry) {
        if (entry->id != id) continue;
        if (entry->var != nullptr) return {Denotation::local, entry->var};
        return {in_.is(entry->macro, kForm) ? Denotation::form : Denotation::macro, nullptr,
                entry->macro};
      }
    }
    if (!in_.is(id, kAlias)) break;
    const Value env = in_.at<Alias>(id)->env.get();
    scope = is_fixnum(env) ? &scopes_[static_cast<std::size_t>(fixnum_of(env))] : scope_of(env);
    id = in_.at<Alias>(id)->name.get();
  }
  const Value binding = lookup(in_, scope->env, id);
  const Denotation::Kind kind = in_.is(binding, kCell)    ? Denotation::global
                                : in_.is(binding, kMacro) ? Denotation::macro
                                : in_.is(binding, kForm)  ? Denotation::form
                                                          : Denotation::unbound;
  return {kind, nullptr, kind == Denotation::unbound ? kFalse : binding, id, scope->env};
}

/// Whether an identifier of a macro's use matches a literal of its rules: both mean the same, or
/// both are unbound and of one name. A variable that was mentioned and never defined is unbound;
/// so is, for this, what a program sees without having imported it.
bool Expander::is_literal_match(Value id, Scope* scope, Value literal, Scope* literal_scope) {
  const Denotation a = find(id, scope);
  const Denotation b = find(literal, literal_scope);
  if (a.kind == b.kind && a.var == b.var && a.value == b.value && a.kind != Denotation::unbound) {
    return true;
  }
  const auto is_free = [&](const Denotation& it) {
    return is_object(it.name) && !is_bound_here(in_, it.env, it.name);
  };
  return a.name == b.name && is_free(a) && is_free(b);
}

/// Whether an identifier is one of the core's, such as `else`, and not the program's own.
bool Expander::is_core(Value id, Scope* scope, const char* name) {
  if (!is_identifier(id) || in_.utf8(symbol_of(id)) != name) return false;
  const Denotation found = find(id, scope);
  if (found.kind == Denotation::local) return false;
  return found.value == lookup(in_, in_.registers.core, symbol_of(id)) ||
         (is_object(found.name) && !is_bound_here(in_, found.env, found.name));
}

Value Expander::check_list(Value form, const Pos& pos, std::int64_t least, std::int64_t most) {
  const std::int64_t length = list_length(in_, form);
  if (length < least || (most >= 0 && length > most)) fail(pos, "malformed", form);
  return form;
}

Value Expander::nth(Value list, int n) const {
  while (n-- > 0) list = in_.cdr(list);
  return in_.car(list);
}

Node* Expander::expand(Value form, Scope* scope, const Pos& outer) {
  in_.check_native_stack(outer);
  Pos pos = pos_of(form, outer);
  for (;;) {
    if (is_identifier(form)) return reference(form, scope, pos);
    if (!in_.is_pair(form)) {
      if (form == kNil) fail(pos, "an empty list is no expression; quote it", form);
      return constant(strip(form), pos);
    }
    if (!is_identifier(in_.car(form))) return expand_call(form, scope, pos);
    const Denotation head = find(in_.car(form), scope);
    if (head.kind == Denotation::macro) {
      form = macro_use(head.value, form, scope, pos);
      pos = pos_of(form, pos);
    } else if (head.kind == Denotation::form) {
      check_list(form, pos, 1);
      return expand_form(in_.at<Form>(head.value)->header.length, form, scope, pos);
    } else {
      return expand_call(form, scope, pos);
    }
  }
}

Node* Expander::expand_call(Value form, Scope* scope, const Pos& pos) {
  check_list(form, pos, 1);
  Node* procedure = expand(in_.car(form), scope, pos);
  std::vector<Node*> args;
  for (Value rest = in_.cdr(form); rest != kNil; rest = in_.cdr(rest)) {
    args.push_back(expand(in_.car(rest), scope, pos_of(rest, pos)));
  }
  // (call-with-values (lambda () e) (lambda formals body)) needs neither procedure.
  if (procedure->kind == Node::global && args.size() == 2 && args[0]->kind == Node::lambda &&
      args[1]->kind == Node::lambda && args[0]->vars.empty() &&
      in_.at<Cell>(procedure->value)->header.length == 0 &&
      in_.name_of(in_.at<Cell>(procedure->value)->name.get()) == U"call-with-values") {
    Node* result = node(Node::receive, pos);
    result->vars = args[1]->vars;
    result->has_rest = args[1]->has_rest;
    result->b = args[0]->a;
    result->a = args[1]->a;
    return result;
  }
  return call(procedure, std::move(args), pos);
}

Node* Expander::expand_sequence(Value forms, Scope* scope, const Pos& pos) {
  check_list(forms, pos, 0);
  std::vector<Node*> nodes;
  for (; forms != kNil; forms = in_.cdr(forms)) {
    nodes.push_back(expand(in_.car(forms), scope, pos_of(forms, pos)));
  }
  return sequence(std::move(nodes), pos);
}

Node* Expander::reference(Value id, Scope* scope, const Pos& pos) {
  const Denotation found = find(id, scope);
  switch (found.kind) {
    case Denotation::local:
      return local(found.var, pos);
    case Denotation::global:
    case Denotation::unbound: {
      Node* result = node(Node::global, pos);
      result->value =
          found.kind == Denotation::global ? found.value : mention_cell(in_, found.env, found.name);
      return result;
    }
    case Denotation::macro:
    case Denotation::form:
      break;
  }
  fail(pos, "syntax is no variable:", id);
}

void Expander::bind_params(Value params, Scope* scope, std::vector<Var*>& vars, bool& has_rest,
                           const Pos& pos) {
  has_rest = false;
  const std::size_t first = scope->entries.size();
  for (; params != kNil; params = in_.cdr(params)) {
    const bool is_rest = !in_.is_pair(params);
    const Value id = is_rest ? params : in_.car(params);
    if (!is_identifier(id)) fail(pos, "a parameter has to be an identifier, got", id);
    for (std::size_t i = first; i < scope->entries.size(); ++i) {
      if (scope->entries[i].id == id) fail(pos, "parameter occurs twice:", id);
    }
    vars.push_back(bind_var(scope, id));
    has_rest = is_rest;
    if (is_rest) break;
  }
  if (vars.size() > 250) in_.fail_at(pos, "too many parameters", {}, kSyntaxCondition);
}

Node* Expander::expand_lambda(Value params, Value body, Scope* scope, Value name, const Pos& pos) {
  Scope* const inside = inner(scope);
  std::vector<Var*> vars;
  bool has_rest = false;
  bind_params(params, inside, vars, has_rest, pos);
  Node* expanded = expand_body(body, inside, pos);
  return lambda(std::move(vars), has_rest, expanded, name, pos);
}

Node* Expander::expand_program(Value form, const Place& place) {
  Node* body = toplevel(form, root_, {file_, place.line, place.column});
  const bool is_source = map_ != nullptr;
  if (is_source) {
    // Its last call is no tail call, so that the list of frames ends with the form.
    Node* whole = node(Node::let, {file_, body->line, body->column});
    whole->vars = {var(kFalse)};
    whole->list = {body};
    whole->a = local(whole->vars[0], {file_, body->line, body->column});
    body = whole;
  }
  return lambda({}, false, body, boolean(is_source), {file_, body->line, body->column});
}

}  // namespace scheme
