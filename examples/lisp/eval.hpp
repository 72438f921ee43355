#pragma once
// 5. What expressions mean.
#include "builtins.hpp"

namespace lisp {
/// A null environment is the global one. What is passed in here has to be rooted by the caller.
class Interpreter : public Memory {
 public:
  explicit Interpreter(besom::Heap& in)
      : Memory(in), globals_(in, as<Pair>(cons({}, {})), "globals") {
    if (!globals_) throw Failure{heap.error().message(), Failure::kExhausted};
    for (const char* form : kForms) define_builtin(form);
    for (const Function& function : kFunctions) define_builtin(function.name);
    Reader prelude(*this);
    prelude.add(kPrelude);
    while (const auto expression = prelude.next()) evaluate(*expression, nullptr);
  }
  Value evaluate(Value expression, Pair* environment) {
    if (auto* name = as<Symbol>(expression)) return find(name, environment)->rest.get();
    auto* list = as<Pair>(expression);
    return list != nullptr ? evaluate_list(list, environment) : expression;
  }

 private:
  /// The first element of a list that has one.
  [[nodiscard]] Value first(Value list) const {
    return as<Pair>(list) ? as<Pair>(list)->first.get() : throw Failure{"malformed"};
  }
  [[nodiscard]] Pair* rest_of(const Pair* list) const { return as<Pair>(list->rest.get()); }
  void advance(besom::Local<Pair>& list) const { list.set(rest_of(list.get())); }
  [[nodiscard]] Symbol* name(Value value) const {
    return as<Symbol>(value) ? as<Symbol>(value) : throw Failure{"no name: " + print(*this, value)};
  }
  void define_builtin(const char* name) {
    auto* builtin = make<Closure>();
    builtin->parameters = Value::integer(builtins_++);
    push(besom::Ref<Closure>(builtin));
    auto* symbol = intern(name);
    define(symbol, pop(), nullptr);
  }
  /// Which special form a value is; Form::call where it is none.
  [[nodiscard]] Form form_of(Value value) const {
    const Value number = as<Closure>(value) ? as<Closure>(value)->parameters.get() : Value();
    const bool is_form = number.is_integer() && number.as_integer() < std::ssize(kForms);
    return is_form ? static_cast<Form>(number.as_integer()) : Form::call;
  }
  /// The variable of that name in an environment, or in its innermost scope alone.
  Pair* search(Pair* list, const Symbol* name, bool in_scope) const {
    for (; list != nullptr; list = rest_of(list)) {
      auto* variable = as<Pair>(list->first.get());
      if (variable == nullptr && in_scope) break;
      if (variable != nullptr && as<Symbol>(variable->first.get()) == name) return variable;
    }
    return nullptr;
  }
  Pair* find(const Symbol* name, Pair* environment) const {
    if (auto* variable = search(environment, name, false)) return variable;
    if (name->global) return name->global.get();
    throw Failure{"undefined: " + std::string(name->name())};
  }
  /// Adds a variable behind `scope`, the element nil.
  Pair* add(Pair* scope, Symbol* name, Value value) {
    const Value variable = cons(besom::Ref<Symbol>(name), value);
    scope->rest = cons(variable, scope->rest.get());
    return as<Pair>(variable);
  }
  /// Sets a variable of this environment, a new one where it has none of that name.
  void define(Symbol* name, Value value, Pair* environment) {
    Pair* const scope = environment != nullptr ? environment : globals_.get();
    auto* variable = search(rest_of(scope), name, true);
    if (variable == nullptr) variable = add(scope, name, value);
    variable->rest = value;
    if (environment == nullptr) name->global = variable;
  }
  /// A call in tail position does not recurse: each turn of the loop leaves to the next what to
  /// evaluate for the result, and its environment. So a loop takes no room on any stack, and what
  /// one turn used is garbage in the next.
  Value evaluate_list(Pair* list, Pair* around) {
    check_depth();
    besom::HandleScope scope(heap);
    auto form = scope.root(list);
    auto rest = scope.root(list);  // what is left to do: operands, clauses, a body
    auto environment = scope.root(around);
    if (!form || !rest) throw Failure{heap.error().message(), Failure::kExhausted};
    const StackMark mark{stack};
    std::uint32_t place = 0;
    const auto value_of = [&](Value expression) { return evaluate(expression, environment.get()); };
    // The form from its nth element on, and that element. Number 0 is `if`, or the function.
    const auto from = [&](int n) {
      Pair* i = form.get();
      for (; n > 0 && i != nullptr; --n) i = rest_of(i);
      return i;
    };
    const auto part = [&](int n) { return first(besom::Ref<Pair>(from(n))); };
    const auto lambda = [&](Value parameters) {
      if (parameters.is_integer()) throw Failure{"malformed"};
      auto* closure = make<Closure>();
      closure->parameters = parameters;
      closure->body = from(2);
      closure->environment = environment.get();
      return Value(besom::Ref<Closure>(closure));
    };
    try {
      for (;;) {
        if (form->header.length != 0) place = form->header.length;
        stack.resize(mark.base);
        push(value_of(part(0)));
        rest.set(from(1));
        bool is_then = false;
        const Form special = form_of(stack.back());
        switch (special) {
          case Form::quote:
            return part(1);
          case Form::if_:
            is_then = !value_of(part(1)).is_null();
            rest.set(from(3));
            break;
          case Form::cond:  // (cond (test expression...)...)
            while (rest && value_of(first(rest->first.get())).is_null()) advance(rest);
            if (rest) rest.set(rest_of(as<Pair>(rest->first.get())));
            break;
          case Form::and_:  // ends at the first that is nil, `or` at the first that is not
          case Form::or_: {
            Value value = truth(special == Form::and_);
            for (; rest && value.is_null() == (special == Form::or_); advance(rest)) {
              value = value_of(rest->first.get());
            }
            return value;
          }
          case Form::begin:
            break;
          case Form::let: {  // (let ((name expression)...) body...)
            besom::HandleScope inner(heap);
            const auto variables = inner.root(as<Pair>(cons(Value(), environment.ref())));
            for (auto* i = as<Pair>(part(1)); i != nullptr; i = rest_of(i)) {
              auto* variable = name(first(i->first.get()));
              add(variables.get(), variable, value_of(first(as<Pair>(i->first.get())->rest.get())));
            }
            environment.set(variables.get());
            rest.set(from(2));
            break;
          }
          case Form::lambda:  // (lambda parameters body...)
            return lambda(part(1));
          case Form::define: {  // (define name expression) or (define (name . parameters) body...)
            const auto* head = as<Pair>(part(1));
            auto* variable = name(head != nullptr ? head->first.get() : part(1));
            define(variable, head != nullptr ? lambda(head->rest.get()) : value_of(part(2)),
                   environment.get());
            return besom::Ref<Symbol>(variable);
          }
          case Form::set: {
            const Value value = value_of(part(2));
            find(name(part(1)), environment.get())->rest = value;
            return value;
          }
          case Form::apply:
          case Form::call:
            for (; rest; advance(rest)) push(value_of(rest->first.get()));
            if (const Function* function = callee(mark.base)) {
              return function->run({*this, mark.base + 1, stack.size() - mark.base - 1});
            }
            rest.set(as<Closure>(stack[mark.base])->body.get());
            environment.set(enter(*as<Closure>(stack[mark.base]), mark.base + 1));
        }
        // All but the last expression of a body are evaluated here.
        for (; !is_then && rest && rest_of(rest.get()); advance(rest)) value_of(rest->first.get());
        const Value last = is_then ? part(2) : rest ? rest->first.get() : Value();
        if (as<Pair>(last) == nullptr) return value_of(last);
        form.set(as<Pair>(last));
      }
    } catch (Failure& failure) {  // the innermost form that has a place is the one to name
      if (failure.place.empty() && place != 0) failure.place = place_text(*this, place);
      throw;
    }
  }
  /// The function of C++ at stack[base], for which the arguments above are right in number, or
  /// nullptr for a lambda. Where `apply` is there, it is replaced by what it is to call.
  const Function* callee(std::size_t base) {
    while (form_of(stack[base]) == Form::apply && stack.size() == base + 3) {
      const Value list = pop();  // nothing allocates before its elements are on the stack
      stack[base] = pop();
      for (auto* i = as<Pair>(list); i != nullptr; i = rest_of(i)) push(i->first.get());
    }
    const auto* closure = as<Closure>(stack[base]);
    if (closure == nullptr || form_of(stack[base]) != Form::call) {
      throw Failure{"cannot be called so: " + print(*this, stack[base])};
    }
    if (!closure->parameters.get().is_integer()) return nullptr;
    const auto& function = kFunctions[closure->parameters.get().as_integer() - std::ssize(kForms)];
    const std::size_t count = stack.size() - base - 1;
    if (count < function.least || count > function.most) throw Failure{"wrong number of arguments"};
    return &function;
  }
  /// The environment of a call: what is on the stack from stack[next] on, by the parameters' names.
  Pair* enter(const Closure& closure, std::size_t next) {
    besom::HandleScope scope(heap);
    const auto variables = scope.root(as<Pair>(cons(Value(), closure.environment.ref())));
    Value names = closure.parameters.get();
    for (; const auto* pair = as<Pair>(names); names = pair->rest.get()) {
      if (next == stack.size()) throw Failure{"too few arguments"};
      add(variables.get(), name(pair->first.get()), stack[next++]);
    }
    if (!names.is_null()) {
      push(Value());
      push(pop_list(next));
      add(variables.get(), name(names), stack.back());
    } else if (next != stack.size()) {
      throw Failure{"too many arguments"};
    }
    return variables.get();
  }
  besom::Handle<Pair> globals_;
  std::int32_t builtins_ = 0;
};
}  // namespace lisp
