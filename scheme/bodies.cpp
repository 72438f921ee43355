/// Definitions: in bodies, where they are a letrec*, and at top level.

#include <algorithm>

#include "compile.hpp"
#include "environment.hpp"
#include "lists.hpp"
#include "syntax.hpp"

namespace scheme {

/// The name and value of `(define name value)` and `(define (name . params) body ...)`; a curried
/// definition nests.
bool Expander::definition_parts(Value form, Scope* scope, const Pos& pos, Value& id,
                                Value& expression) {
  check_list(form, pos, 2);
  Value target = nth(form, 1);
  Value body = in_.cdr(in_.cdr(form));
  if (is_identifier(target)) {
    if (body != kNil && in_.cdr(body) != kNil) fail(pos, "malformed", form);
    expression = body == kNil ? kUnspecified : in_.car(body);
  }
  while (in_.is_pair(target)) {
    // `lambda` as the core means it, whatever the name is bound to here.
    auto* alias = in_.make<Alias>(kAlias);
    alias->name.init(in_.symbol("lambda"));
    alias->env.init(in_.registers.core);
    expression = in_.cons(in_.ref(alias), in_.cons(in_.cdr(target), body));
    target = in_.car(target);
    body = in_.cons(expression, kNil);
  }
  static_cast<void>(scope);
  id = target;
  if (!is_identifier(id)) fail(pos, "malformed", form);
  return true;
}

/// Procedures are called after the variable they are first bound to.
Node* Expander::expand_named(Value expression, Scope* scope, Value name, const Pos& pos) {
  Node* result = expand(expression, scope, pos);
  if ((result->kind == Node::lambda || result->kind == Node::case_lambda) &&
      result->value == kFalse) {
    result->value = symbol_of(name);
  }
  return result;
}

/// Whether `form`, its head a core form, defines something in a body: then it goes to `found`, or
/// what it stands for to the front of `pending`.
bool Expander::take_definition(Value form, Scope* scope, const Pos& pos,
                               std::vector<Definition>& found, std::deque<Pending>& pending) {
  const Denotation head = find(in_.car(form), scope);
  if (head.kind != Denotation::form) return false;
  const auto splice = [&](Value forms) {
    check_list(forms, pos, 0);
    std::vector<Pending> items;
    for (; forms != kNil; forms = in_.cdr(forms)) {
      items.push_back({in_.car(forms), pos_of(in_.car(forms), pos)});
    }
    pending.insert(pending.begin(), items.begin(), items.end());
  };
  // A name may be defined once; bind_var finds the variable of a redefinition.
  const auto define = [&](Value id) {
    for (const Scope::Entry& entry : scope->entries) {
      if (entry.id == id && entry.var != nullptr) fail(pos, "defined twice in one body:", id);
    }
    return bind_var(scope, id);
  };
  switch (in_.at<Form>(head.value)->header.length) {
    case kDefine: {
      Value id, expression;
      definition_parts(form, scope, pos, id, expression);
      found.push_back({{define(id)}, false, false, expression, nullptr, pos});
      return true;
    }
    case kDefineValues: {
      check_list(form, pos, 3, 3);
      Definition definition{{}, false, true, nth(form, 2), nullptr, pos};
      bind_params(nth(form, 1), scope, definition.vars, definition.has_rest, pos);
      found.push_back(std::move(definition));
      return true;
    }
    case kDefineRecordType:
      for (const auto& [id, value] : record_parts(form, scope, pos)) {
        found.push_back({{define(id)}, false, false, kFalse, value, pos});
      }
      return true;
    case kDefineSyntax:
      check_list(form, pos, 3, 3);
      bind_syntax(nth(form, 1), nth(form, 2), scope, scope, pos);
      return true;
    case kBegin:
      splice(in_.cdr(form));
      return true;
    case kInclude:
    case kIncludeCi:
      splice(
          include_forms(form, scope, pos, in_.at<Form>(head.value)->header.length == kIncludeCi));
      return true;
    case kCondExpand:
      splice(cond_expand_forms(form, scope, pos));
      return true;
    default:
      return false;
  }
}

Node* Expander::expand_body(Value forms, Scope* scope, const Pos& pos) {
  check_list(forms, pos, 1);
  // What the body defines may have the name of a parameter.
  Scope* const inside = inner(scope);
  std::vector<Definition> definitions;
  std::vector<Pending> expressions;
  std::deque<Pending> pending;
  for (Value rest = forms; rest != kNil; rest = in_.cdr(rest)) {
    pending.push_back({in_.car(rest), pos_of(in_.car(rest), pos_of(rest, pos))});
  }
  while (!pending.empty()) {
    Pending item = pending.front();
    pending.pop_front();
    // Macros are expanded to see if they define something.
    while (in_.is_pair(item.form) && is_identifier(in_.car(item.form))) {
      const Denotation head = find(in_.car(item.form), inside);
      if (head.kind != Denotation::macro) break;
      item.form = macro_use(head.value, item.form, inside, item.pos);
    }
    const std::size_t before = definitions.size();
    if (in_.is_pair(item.form) && is_identifier(in_.car(item.form)) &&
        take_definition(item.form, inside, item.pos, definitions, pending)) {
      // Expressions between definitions are evaluated in their place.
      if (definitions.size() != before && !expressions.empty()) {
        std::vector<Definition> between;
        for (const Pending& expression : expressions) {
          between.push_back(
              {{var(kFalse)}, false, false, expression.form, nullptr, expression.pos});
        }
        definitions.insert(definitions.begin() + static_cast<std::ptrdiff_t>(before),
                           between.begin(), between.end());
        expressions.clear();
      }
      continue;
    }
    expressions.push_back(item);
  }
  std::vector<Node*> body;
  if (definitions.empty()) {
    for (const Pending& item : expressions) body.push_back(expand(item.form, inside, item.pos));
    return sequence(std::move(body), pos);
  }
  std::vector<Var*> vars;
  std::vector<Node*> values;
  for (Definition& definition : definitions) {
    Node* value = definition.ready != nullptr ? definition.ready
                  : definition.is_values ? expand(definition.expression, inside, definition.pos)
                                         : expand_named(definition.expression, inside,
                                                        definition.vars[0]->name, definition.pos);
    if (!definition.is_values) {
      vars.push_back(definition.vars[0]);
      values.push_back(value);
      continue;
    }
    // The values as a list, which the variables then take apart.
    Var* const list = var(kFalse);
    Var* const rest = var(kFalse);
    Node* receive = node(Node::receive, definition.pos);
    receive->vars = {rest};
    receive->has_rest = true;
    receive->b = value;
    receive->a = call(core("%check-values", definition.pos),
                      {local(rest, definition.pos),
                       constant(fixnum(static_cast<std::int64_t>(definition.vars.size()) -
                                       (definition.has_rest ? 1 : 0)),
                                definition.pos),
                       constant(boolean(definition.has_rest), definition.pos)},
                      definition.pos);
    vars.push_back(list);
    values.push_back(receive);
    for (std::size_t i = 0; i < definition.vars.size(); ++i) {
      const bool is_rest = definition.has_rest && i + 1 == definition.vars.size();
      vars.push_back(definition.vars[i]);
      values.push_back(call(core(is_rest ? "list-tail" : "list-ref", definition.pos),
                            {local(list, definition.pos),
                             constant(fixnum(static_cast<std::int64_t>(i)), definition.pos)},
                            definition.pos));
    }
  }
  for (const Pending& item : expressions) body.push_back(expand(item.form, inside, item.pos));
  return letrec(std::move(vars), std::move(values), sequence(std::move(body), pos), pos);
}

/// Definitions and assignments that the rule of the environment forbids (R7RS 5.2, 5.6, 6.12).
void Expander::check_definable(Value id, Scope* scope, const Pos& pos) {
  const std::uint32_t rule = in_.at<Environment>(scope->env)->rule;
  if (rule == kFixedNames) fail(pos, "the environment is immutable, and cannot define", id);
  if (rule == kLibraryNames && is_imported(in_, scope->env, symbol_of(id))) {
    fail(pos, "a library cannot define what it imports:", id);
  }
}

void Expander::check_assignable(const Denotation& variable, const Pos& pos) {
  std::uint32_t rule = in_.at<Environment>(variable.env)->rule;
  // What a program evaluates in its own environment is as though typed at the REPL.
  if (rule == kProgramNames && map_ == nullptr) rule = kOpenNames;
  if (rule == kFixedNames)
    fail(pos, "the environment is immutable, and cannot assign", variable.name);
  if (rule < kOpenNames && is_imported(in_, variable.env, variable.name)) {
    fail(pos, "an imported variable cannot be assigned:", variable.name);
  }
}

Node* Expander::define_global(Value id, Scope* scope, Node* value, const Pos& pos) {
  check_definable(id, scope, pos);
  Node* result = node(Node::define_global, pos);
  result->value = define_cell(in_, scope->env, symbol_of(id));
  definition_came(in_, scope->env, symbol_of(id));
  result->a = value;
  return result;
}

/// A form at top level, or in a library.
Node* Expander::toplevel(Value form, Scope* scope, const Pos& outer) {
  in_.check_native_stack(outer);
  Pos pos = pos_of(form, outer);
  while (in_.is_pair(form) && is_identifier(in_.car(form))) {
    const Denotation head = find(in_.car(form), scope);
    if (head.kind == Denotation::macro) {
      form = macro_use(head.value, form, scope, pos);
      continue;
    }
    if (head.kind != Denotation::form) break;
    check_list(form, pos, 1);
    const auto all = [&](Value forms) {
      check_list(forms, pos, 0);
      for (Value rest = forms; rest != kNil; rest = in_.cdr(rest)) {
        expect_definitions(in_, in_.car(rest), scope->env);
      }
      std::vector<Node*> nodes;
      for (; forms != kNil; forms = in_.cdr(forms)) {
        nodes.push_back(toplevel(in_.car(forms), scope, pos_of(forms, pos)));
      }
      return sequence(std::move(nodes), pos);
    };
    switch (const std::uint32_t id = in_.at<Form>(head.value)->header.length) {
      case kDefine: {
        Value name, expression;
        definition_parts(form, scope, pos, name, expression);
        // The cell first: the value may refer to what is being defined.
        Node* definition = define_global(name, scope, nullptr, pos);
        definition->a = expand_named(expression, scope, name, pos);
        return definition;
      }
      case kDefineValues: {
        check_list(form, pos, 3, 3);
        Node* result = node(Node::receive, pos);
        Scope* const inside = inner(scope);
        result->b = expand(nth(form, 2), scope, pos);
        bind_params(nth(form, 1), inside, result->vars, result->has_rest, pos);
        std::vector<Node*> definitions;
        for (std::size_t i = 0; i < result->vars.size(); ++i) {
          definitions.push_back(
              define_global(inside->entries[i].id, scope, local(result->vars[i], pos), pos));
        }
        result->a = sequence(std::move(definitions), pos);
        return result;
      }
      case kDefineRecordType: {
        std::vector<Node*> definitions;
        for (const auto& [name, value] : record_parts(form, scope, pos)) {
          definitions.push_back(define_global(name, scope, value, pos));
        }
        return sequence(std::move(definitions), pos);
      }
      case kDefineSyntax:
        check_list(form, pos, 3, 3);
        bind_syntax(nth(form, 1), nth(form, 2), scope, scope, pos);
        return constant(kUnspecified, pos);
      case kBegin:
        return all(in_.cdr(form));
      case kImport:
        for (Value sets = in_.cdr(form); sets != kNil; sets = in_.cdr(sets)) {
          import_set(in_.car(sets), scope, pos);
        }
        return constant(kUnspecified, pos);
      case kDefineLibrary:
        return define_library(form, scope, pos);
      case kInclude:
      case kIncludeCi:
        return all(include_forms(form, scope, pos, id == kIncludeCi));
      case kCondExpand:
        return all(cond_expand_forms(form, scope, pos));
      default:
        return expand(form, scope, pos);
    }
  }
  return expand(form, scope, pos);
}

/// `(define-record-type name (constructor field ...) predicate (field accessor [modifier]) ...)` as
/// names and values. The type is made here, once for each expansion.
std::vector<std::pair<Value, Node*>> Expander::record_parts(Value form, Scope* scope,
                                                            const Pos& pos) {
  static_cast<void>(scope);
  check_list(form, pos, 3);
  std::vector<std::pair<Value, Node*>> parts;
  const Value type_name = in_.is_pair(nth(form, 1)) ? in_.car(nth(form, 1)) : nth(form, 1);
  const Value constructor = nth(form, 2);
  const Value after = in_.cdr(in_.cdr(in_.cdr(form)));
  const Value predicate = after == kNil ? kFalse : in_.car(after);
  std::vector<Value> specs;
  for (Value rest = after == kNil ? kNil : in_.cdr(after); rest != kNil; rest = in_.cdr(rest)) {
    const Value spec = is_identifier(in_.car(rest)) ? in_.list({in_.car(rest)}) : in_.car(rest);
    check_list(spec, pos, 1, 3);
    specs.push_back(spec);
  }
  if (!is_identifier(type_name)) fail(pos, "malformed", form);

  const Value fields = in_.make_vector(specs.size(), kFalse);
  for (std::size_t i = 0; i < specs.size(); ++i) {
    if (!is_identifier(in_.car(specs[i]))) fail(pos, "malformed field in", form);
    for (std::size_t k = 0; k < i; ++k) {
      if (in_.car(specs[k]) == in_.car(specs[i]))
        fail(pos, "field occurs twice:", in_.car(specs[i]));
    }
    in_.at<Vector>(fields)->slots()[i].set(symbol_of(in_.car(specs[i])));
  }
  auto* object = in_.make<RecordType>(kRecordType);
  object->name.init(symbol_of(type_name));
  object->fields.init(fields);
  const Value type = in_.ref(object);
  parts.emplace_back(type_name, constant(type, pos));

  const Value constructor_name = in_.is_pair(constructor) ? in_.car(constructor) : constructor;
  if (is_true(constructor)) {
    if (!is_identifier(constructor_name)) fail(pos, "malformed", form);
    std::vector<Var*> params;
    std::vector<Node*> args{constant(type, pos)};
    std::vector<Node*> values(specs.size(), constant(kFalse, pos));
    const auto add_param = [&](std::size_t field) {
      params.push_back(var(in_.car(specs[field])));
      values[field] = local(params.back(), pos);
    };
    if (!in_.is_pair(constructor)) {
      for (std::size_t i = 0; i < specs.size(); ++i) add_param(i);
    } else {
      check_list(constructor, pos, 1);
      for (Value rest = in_.cdr(constructor); rest != kNil; rest = in_.cdr(rest)) {
        const auto spec = std::find_if(specs.begin(), specs.end(), [&](Value candidate) {
          return in_.car(candidate) == in_.car(rest);
        });
        if (spec == specs.end()) fail(pos, "the constructor names no field:", in_.car(rest));
        add_param(static_cast<std::size_t>(spec - specs.begin()));
      }
    }
    args.insert(args.end(), values.begin(), values.end());
    parts.emplace_back(constructor_name,
                       lambda(std::move(params), false, call(core("%record", pos), args, pos),
                              symbol_of(constructor_name), pos));
  }
  if (is_true(predicate)) {
    if (!is_identifier(predicate)) fail(pos, "malformed", form);
    Var* const object_var = var(kFalse);
    Node* test = node(Node::is_record, pos);
    test->value = type;
    test->a = local(object_var, pos);
    parts.emplace_back(predicate, lambda({object_var}, false, test, symbol_of(predicate), pos));
  }
  for (std::size_t i = 0; i < specs.size(); ++i) {
    const Value names = in_.cdr(specs[i]);
    if (names == kNil) continue;
    Var* const object_var = var(kFalse);
    Node* get = node(Node::record_ref, pos);
    get->value = type;
    get->index = static_cast<std::uint32_t>(i);
    get->a = local(object_var, pos);
    parts.emplace_back(in_.car(names),
                       lambda({object_var}, false, get, symbol_of(in_.car(names)), pos));
    if (in_.cdr(names) == kNil) continue;
    Var* const target = var(kFalse);
    Var* const value = var(kFalse);
    Node* set = node(Node::record_set, pos);
    set->value = type;
    set->index = static_cast<std::uint32_t>(i);
    set->a = local(target, pos);
    set->b = local(value, pos);
    parts.emplace_back(nth(names, 1),
                       lambda({target, value}, false, set, symbol_of(nth(names, 1)), pos));
  }
  return parts;
}

}  // namespace scheme
