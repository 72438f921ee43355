/// syntax-rules: matching and filling in.

#include <algorithm>
#include <functional>

#include "environment.hpp"
#include "lists.hpp"
#include "syntax.hpp"

namespace scheme {
namespace {

/// What a pattern variable stands for: a form, or one match for each repetition.
struct Match {
  Value form = kFalse;
  bool is_sequence = false;
  std::vector<Match> items{};
};

struct Binding {
  Value id;
  Match match;
};
using Bindings = std::vector<Binding>;

}  // namespace

/// One use of a macro.
class MacroUse {
 public:
  /// Whether an identifier of the use matches a literal of the rules.
  using LiteralTest = std::function<bool(Value id, Value literal)>;

  MacroUse(Interp& in, const Macro* macro, LiteralTest matches_literal)
      : in_(in),
        matches_literal_(std::move(matches_literal)),
        env_(macro->env.get()),
        ellipsis_(macro->ellipsis.get()),
        literals_(macro->literals.get()) {}

  /// The form that the first matching rule makes, or kUnbound when there is none. The keyword in
  /// front is not matched.
  Value expand(Value rules, Value form) {
    for (; rules != kNil; rules = in_.cdr(rules)) {
      const Value rule = in_.car(rules);
      Bindings bindings;
      if (!matches(in_.cdr(in_.car(rule)), in_.cdr(form), bindings)) continue;
      return fill(in_.car(in_.cdr(rule)), bindings, true);
    }
    return kUnbound;
  }

 private:
  bool is_identifier(Value value) const { return in_.is_symbol(value) || in_.is(value, kAlias); }
  bool is_literal(Value id) const {
    for (Value rest = literals_; in_.is_pair(rest); rest = in_.cdr(rest)) {
      if (in_.car(rest) == id) return true;
    }
    return false;
  }
  bool is_ellipsis(Value value) const {
    return value == ellipsis_ && is_identifier(value) && !is_literal(value);
  }
  bool is_underscore(Value id) const {
    while (in_.is(id, kAlias)) id = in_.at<Alias>(id)->name.get();
    return in_.name_of(id) == U"_";
  }
  bool has_ellipsis(Value list) const {
    return in_.is_pair(list) && in_.is_pair(in_.cdr(list)) && is_ellipsis(in_.car(in_.cdr(list)));
  }

  bool matches(Value pattern, Value form, Bindings& bindings) {
    in_.check_native_stack({});
    for (;;) {
      if (is_identifier(pattern)) {
        if (is_literal(pattern)) {
          return is_identifier(form) && matches_literal_(form, pattern);
        }
        if (!is_underscore(pattern)) bindings.push_back({pattern, {form, false, {}}});
        return true;
      }
      if (in_.is_pair(pattern)) {
        if (has_ellipsis(pattern)) return matches_repeated(pattern, form, bindings);
        if (!in_.is_pair(form) || !matches(in_.car(pattern), in_.car(form), bindings)) return false;
        pattern = in_.cdr(pattern);
        form = in_.cdr(form);
        continue;
      }
      if (in_.is(pattern, kVector)) {
        return in_.is(form, kVector) && matches(as_list(pattern), as_list(form), bindings);
      }
      return pattern == form || is_equal(in_, pattern, form);
    }
  }

  Value as_list(Value vector) {
    auto* object = in_.at<Vector>(vector);
    Value list = kNil;
    for (std::uint32_t i = object->size(); i > 0; --i) {
      list = in_.cons(object->slots()[i - 1].get(), list);
    }
    return list;
  }

  std::size_t pairs_of(Value list) const {
    std::size_t count = 0;
    for (; in_.is_pair(list) && count < 10'000'000; list = in_.cdr(list)) ++count;
    return count;
  }

  /// `(item ... . after)`: as many items as leave enough for what comes after.
  bool matches_repeated(Value pattern, Value form, Bindings& bindings) {
    const Value item = in_.car(pattern);
    const Value after = in_.cdr(in_.cdr(pattern));
    const std::size_t needed = pairs_of(after);
    const std::size_t given = pairs_of(form);
    if (given < needed) return false;
    std::vector<Binding> repeated;
    collect_variables(item, repeated);
    for (Binding& binding : repeated) binding.match.is_sequence = true;
    for (std::size_t i = 0; i < given - needed; ++i, form = in_.cdr(form)) {
      Bindings one;
      if (!matches(item, in_.car(form), one)) return false;
      for (std::size_t k = 0; k < one.size(); ++k) {
        repeated[k].match.items.push_back(std::move(one[k].match));
      }
    }
    bindings.insert(bindings.end(), repeated.begin(), repeated.end());
    return matches(after, form, bindings);
  }

  /// In the order in which matches() binds them.
  void collect_variables(Value pattern, Bindings& bindings) {
    if (is_identifier(pattern)) {
      if (!is_literal(pattern) && !is_underscore(pattern) && !is_ellipsis(pattern)) {
        bindings.push_back({pattern, {}});
      }
    } else if (in_.is_pair(pattern)) {
      collect_variables(in_.car(pattern), bindings);
      collect_variables(in_.cdr(pattern), bindings);
    } else if (in_.is(pattern, kVector)) {
      collect_variables(as_list(pattern), bindings);
    }
  }

  Value rename(Value id) {
    for (const auto& [original, alias] : aliases_) {
      if (original == id) return alias;
    }
    auto* object = in_.make<Alias>(kAlias);
    object->name.init(id);
    object->env.init(env_);
    aliases_.emplace_back(id, in_.ref(object));
    return aliases_.back().second;
  }

  Value fill(Value form, const Bindings& bindings, bool ellipsis_counts) {
    in_.check_native_stack({});
    if (is_identifier(form)) {
      for (const Binding& binding : bindings) {
        if (binding.id != form) continue;
        if (binding.match.is_sequence) {
          in_.fail("pattern variable needs an ellipsis after it:", {form}, kSyntaxCondition);
        }
        return binding.match.form;
      }
      return rename(form);
    }
    if (in_.is_pair(form)) {
      if (ellipsis_counts && is_ellipsis(in_.car(form)) && in_.is_pair(in_.cdr(form))) {
        return fill(in_.car(in_.cdr(form)), bindings, false);
      }
      if (ellipsis_counts && has_ellipsis(form)) return fill_repeated(form, bindings);
      // Along the list without recursion.
      const Value first = in_.cons(fill(in_.car(form), bindings, ellipsis_counts), kNil);
      Value last = first;
      for (form = in_.cdr(form); in_.is_pair(form); form = in_.cdr(form)) {
        if (ellipsis_counts && (has_ellipsis(form) || is_ellipsis(in_.car(form)))) break;
        const Value cell = in_.cons(fill(in_.car(form), bindings, ellipsis_counts), kNil);
        in_.pair(last)->cdr.set(cell);
        last = cell;
      }
      if (form != kNil) in_.pair(last)->cdr.set(fill(form, bindings, ellipsis_counts));
      return first;
    }
    if (in_.is(form, kVector)) {
      const Value list = fill(as_list(form), bindings, ellipsis_counts);
      const Value vector =
          in_.make_vector(static_cast<std::uint64_t>(list_length(in_, list)), kNil);
      Slot* slot = in_.at<Vector>(vector)->slots();
      for (Value rest = list; rest != kNil; rest = in_.cdr(rest)) (slot++)->set(in_.car(rest));
      return vector;
    }
    return form;
  }

  bool mentions(Value form, Value id) const {
    if (form == id) return true;
    if (in_.is_pair(form)) return mentions(in_.car(form), id) || mentions(in_.cdr(form), id);
    if (in_.is(form, kVector)) {
      auto* vector = in_.at<Vector>(form);
      for (std::uint32_t i = 0; i < vector->size(); ++i) {
        if (mentions(vector->slots()[i].get(), id)) return true;
      }
    }
    return false;
  }

  /// `(item ... ... . after)`: once for each match of the variables in it; each further ellipsis
  /// flattens one level.
  Value fill_repeated(Value form, const Bindings& bindings) {
    const Value item = in_.car(form);
    Value after = in_.cdr(in_.cdr(form));
    int depth = 1;
    for (; in_.is_pair(after) && is_ellipsis(in_.car(after)); after = in_.cdr(after)) ++depth;
    std::vector<Value> results;
    repeat(item, bindings, depth, results);
    Value list = fill(after, bindings, true);
    for (std::size_t i = results.size(); i > 0; --i) list = in_.cons(results[i - 1], list);
    return list;
  }

  void repeat(Value item, const Bindings& bindings, int depth, std::vector<Value>& results) {
    if (depth == 0) {
      results.push_back(fill(item, bindings, true));
      return;
    }
    std::size_t count = 0;
    bool has_sequence = false;
    for (const Binding& binding : bindings) {
      if (!binding.match.is_sequence || !mentions(item, binding.id)) continue;
      if (has_sequence && binding.match.items.size() != count) {
        in_.fail("pattern variables matched different numbers of forms", {}, kSyntaxCondition);
      }
      count = binding.match.items.size();
      has_sequence = true;
    }
    if (!has_sequence) {
      in_.fail("no pattern variable to repeat before an ellipsis", {}, kSyntaxCondition);
    }
    for (std::size_t i = 0; i < count; ++i) {
      Bindings one;
      for (const Binding& binding : bindings) {
        if (!mentions(item, binding.id)) continue;
        one.push_back(binding.match.is_sequence ? Binding{binding.id, binding.match.items[i]}
                                                : binding);
      }
      repeat(item, one, depth - 1, results);
    }
  }

  Interp& in_;
  LiteralTest matches_literal_;
  Value env_, ellipsis_, literals_;
  std::vector<std::pair<Value, Value>> aliases_;
};

Value Expander::macro_use(Value macro, Value form, Scope* scope, const Pos& pos) {
  const auto* object = in_.at<Macro>(macro);
  const Value env = object->env.get();
  Scope* const definition =
      is_fixnum(env) ? &scopes_[static_cast<std::size_t>(fixnum_of(env))] : scope_of(env);
  // A macro that expands into itself without end.
  if (++expansions_ > 1'000'000) {
    in_.fail_at(pos, "macro expansion does not end", {}, kSyntaxCondition);
  }
  const auto matches_literal = [&](Value id, Value literal) {
    return is_literal_match(id, scope, literal, definition);
  };
  Value result = kUnbound;
  try {
    result = MacroUse(in_, object, matches_literal).expand(object->rules.get(), form);
  } catch (const Raised& raised) {
    const Rooted error(in_, raised.object);
    auto* condition = in_.at<Condition>(raised.object);
    if (condition->line == 0 && raised.object != in_.registers.exhausted) {
      condition->file.set(pos.file);
      condition->line = pos.line;
      condition->column = pos.column;
    }
    throw;
  }
  if (result == kUnbound) fail(pos, "no rule of the macro matches", form);
  return result;
}

/// `(syntax-rules [ellipsis] (literal ...) (pattern template) ...)`, or the name of another macro.
Value Expander::transformer(Value spec, Scope* scope, const Pos& pos) {
  if (is_identifier(spec)) {
    const Denotation found = find(spec, scope);
    if (found.kind == Denotation::macro || found.kind == Denotation::form) return found.value;
    fail(pos, "no syntax:", spec);
  }
  if (!in_.is_pair(spec)) fail(pos, "malformed syntax definition:", spec);
  while (is_identifier(in_.car(spec))) {
    const Denotation head = find(in_.car(spec), scope);
    if (head.kind != Denotation::macro) break;
    spec = macro_use(head.value, spec, scope, pos);
    if (!in_.is_pair(spec)) fail(pos, "malformed syntax definition:", spec);
  }
  if (!is_core(in_.car(spec), scope, "syntax-rules")) fail(pos, "no syntax-rules:", spec);
  check_list(spec, pos, 2);
  Value rest = in_.cdr(spec);
  Value ellipsis = kFalse;
  if (is_identifier(in_.car(rest))) {
    ellipsis = in_.car(rest);
    rest = in_.cdr(rest);
    check_list(rest, pos, 1);
  } else {
    // The template of another macro may have put this in, its ellipsis as an alias.
    ellipsis = ellipsis_in(in_.cdr(rest));
  }
  check_list(in_.car(rest), pos, 0);
  for (Value literals = in_.car(rest); literals != kNil; literals = in_.cdr(literals)) {
    if (!is_identifier(in_.car(literals))) fail(pos, "malformed literals in", spec);
  }
  for (Value rules = in_.cdr(rest); rules != kNil; rules = in_.cdr(rules)) {
    check_list(in_.car(rules), pos, 2, 2);
    if (!in_.is_pair(in_.car(in_.car(rules)))) fail(pos, "malformed rule:", in_.car(rules));
  }
  auto* macro = in_.make<Macro>(kMacro);
  macro->env.init(scope->parent == nullptr ? scope->env : fixnum(scope->number));
  macro->ellipsis.init(ellipsis);
  macro->literals.init(in_.car(rest));
  macro->rules.init(in_.cdr(rest));
  return in_.ref(macro);
}

/// The identifier named `...` as the rules have it.
Value Expander::ellipsis_in(Value form) const {
  in_.check_native_stack({});
  if (is_identifier(form)) return in_.name_of(symbol_of(form)) == U"..." ? form : kFalse;
  for (; in_.is_pair(form); form = in_.cdr(form)) {
    const Value found = ellipsis_in(in_.car(form));
    if (is_true(found)) return found;
  }
  if (in_.is(form, kVector)) {
    auto* vector = in_.at<Vector>(form);
    for (std::uint32_t i = 0; i < vector->size(); ++i) {
      const Value found = ellipsis_in(vector->slots()[i].get());
      if (is_true(found)) return found;
    }
  }
  return form == kNil || !is_identifier(form) ? kFalse : ellipsis_in(form);
}

void Expander::bind_syntax(Value id, Value spec, Scope* scope, Scope* spec_scope, const Pos& pos) {
  if (!is_identifier(id)) fail(pos, "malformed syntax definition:", id);
  const Value macro = transformer(spec, spec_scope, pos);
  if (scope->parent == nullptr) {
    check_definable(id, scope, pos);
    bind(in_, scope->env, symbol_of(id), macro);
  } else {
    scope->entries.push_back({id, nullptr, macro});
  }
}

}  // namespace scheme
