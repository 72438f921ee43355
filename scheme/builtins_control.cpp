/// Procedures, values, conditions, records, promises, parameters; what the prelude rests on.

#include <iterator>

#include "builtins.hpp"
#include "bytecode.hpp"
#include "compile.hpp"
#include "environment.hpp"
#include "lists.hpp"
#include "numbers.hpp"

namespace scheme {
namespace {

bool is_procedure(const Interp& in, Value value) {
  return in.is(value, kClosure) || in.is(value, kPrimitive) || in.is(value, kContinuation) ||
         in.is(value, kParameter) || in.is(value, kGuardian);
}
BUILTIN(procedure_p) { return boolean(is_procedure(in, args[0])); }
BUILTIN(check_procedure) {
  if (!is_procedure(in, args[0])) in.wrong_type(in.utf8(args[1]), "procedure", args[0]);
  return kUnspecified;
}
BUILTIN(values) { return in.values({args, count}); }
/// `(%check-values list required has-rest)`: the list, if it has the right length.
BUILTIN(check_values) {
  const std::int64_t given = list_length(in, args[0]);
  const std::int32_t required = fixnum_of(args[1]);
  if (given < required || (given > required && !is_true(args[2]))) {
    in.fail("expected " + std::to_string(required) + " values, got " + std::to_string(given));
  }
  return args[0];
}

// The dynamic state.
BUILTIN(handlers) { return in.registers.handlers; }
BUILTIN(set_handlers) {
  in.registers.handlers = args[0];
  return kUnspecified;
}
BUILTIN(winders) { return in.registers.winders; }
BUILTIN(set_winders) {
  in.registers.winders = args[0];
  return kUnspecified;
}
BUILTIN(continuation_winders) { return in.at<Continuation>(args[0])->winders.get(); }

// Conditions.
BUILTIN(uncaught) { throw in.uncaught(args[0]); }
BUILTIN(handler_returned) {
  const std::string message = "exception handler returned from raise of";
  if (!in.is(args[0], kCondition)) in.fail(message, {args[0]});
  in.fail(message + " error: " + in.describe_condition(args[0]));
}
BUILTIN(error) {
  Rooted irritants(in, kNil);
  for (std::uint32_t i = count; i > 1; --i) irritants.set(in.cons(args[i - 1], irritants.get()));
  const Place place = in.place();
  const Value condition = in.condition(kErrorCondition, "", irritants.get(), place);
  in.at<Condition>(condition)->message.set(args[0]);
  throw Raised{condition};
}
bool has_kind(Interp& in, Value value, ConditionKind kind) {
  return in.is(value, kCondition) && in.at<Condition>(value)->header.length == kind;
}
BUILTIN(is_condition) { return boolean(in.is(args[0], kCondition)); }
template <ConditionKind kind>
BUILTIN(is_kind) {
  return boolean(has_kind(in, args[0], kind));
}
BUILTIN(condition_message) {
  if (!in.is(args[0], kCondition)) in.wrong_type("error-object-message", "error object", args[0]);
  return in.at<Condition>(args[0])->message.get();
}
BUILTIN(condition_irritants) {
  if (!in.is(args[0], kCondition)) in.wrong_type("error-object-irritants", "error object", args[0]);
  return in.at<Condition>(args[0])->irritants.get();
}
/// "file:line:col: message irritant ..."
BUILTIN(condition_text) { return in.string(in.uncaught(args[0]).message); }

// Records.
BUILTIN(record) {
  auto* object = in.make<Record>(kRecord, count - 1);
  object->type.init(args[0]);
  for (std::uint32_t i = 1; i < count; ++i) object->fields()[i - 1].init(args[i]);
  return in.ref(object);
}
BUILTIN(is_record) { return boolean(in.is(args[0], kRecord)); }

// Promises: the state is a pair (done? . value or thunk).
BUILTIN(promise) {
  const Rooted state(in, in.cons(args[0], args[1]));
  auto* object = in.make<Promise>(kPromise);
  object->state.init(state.get());
  return in.ref(object);
}
BUILTIN(is_promise) { return boolean(in.is(args[0], kPromise)); }
BUILTIN(make_promise) {
  if (in.is(args[0], kPromise)) return args[0];
  Value state_args[] = {kTrue, args[0]};
  return promise(in, state_args, 2);
}
BUILTIN(promise_state) { return in.at<Promise>(args[0])->state.get(); }
/// The first promise becomes what the second is.
BUILTIN(promise_join) {
  if (!in.is(args[1], kPromise)) in.wrong_type("force", "promise from delay-force", args[1]);
  auto* to = in.at<Promise>(args[0]);
  auto* from = in.at<Promise>(args[1]);
  const Value state = to->state.get();
  in.pair(state)->car.set(in.car(from->state.get()));
  in.pair(state)->cdr.set(in.cdr(from->state.get()));
  from->state.set(state);
  return kUnspecified;
}

// Parameters.
BUILTIN(make_parameter) {
  auto* object = in.make<Parameter>(kParameter);
  object->value.init(args[0]);
  object->converter.init(args[1]);
  return in.ref(object);
}
Parameter* parameter_of(Interp& in, Value value) {
  if (!in.is(value, kParameter)) in.wrong_type("parameterize", "parameter", value);
  return in.at<Parameter>(value);
}
BUILTIN(parameter_converter) { return parameter_of(in, args[0])->converter.get(); }
BUILTIN(set_parameter) {
  parameter_of(in, args[0])->value.set(args[1]);
  return kUnspecified;
}

/// Whether a procedure takes so many arguments.
BUILTIN(accepts) {
  const std::uint32_t given = index_of(in, args[1], "%accepts?", 255);
  if (in.is(args[0], kPrimitive)) {
    const Builtin& builtin = in.builtins()[in.at<Header>(args[0])->length];
    return boolean(given >= static_cast<std::uint32_t>(builtin.least) &&
                   (builtin.most < 0 || given <= static_cast<std::uint32_t>(builtin.most)));
  }
  if (!in.is(args[0], kClosure)) return kTrue;
  for (const Insn* insn = in.at<Code>(in.at<Closure>(args[0])->code.get())->insns();; ++insn) {
    switch (Op{insn->op}) {
      case Op::enter:
        return boolean(given == insn->x);
      case Op::enter_rest:
        return boolean(given >= insn->x);
      case Op::case_exact:
        if (given == insn->x) return kTrue;
        break;
      case Op::case_least:
        if (given >= insn->x) return kTrue;
        break;
      default:
        return kFalse;
    }
  }
}

// Environments.
BUILTIN(environment) {
  const Rooted env(in, make_environment(in, kFalse, kFixedNames));
  for (std::uint32_t i = 0; i < count; ++i) import(in, env.get(), args[i]);
  return env.get();
}
BUILTIN(interaction_environment) { return in.registers.user; }
/// R5RS's two, of which `(null-environment 5)` has the syntax alone.
template <bool syntax_alone>
BUILTIN(report_environment) {
  constexpr const char* kWho = syntax_alone ? "null-environment" : "scheme-report-environment";
  if (count == 1 && args[0] != fixnum(5)) in.wrong_type(kWho, "5", args[0]);
  const Rooted scheme(in, in.symbol("scheme")), r5rs(in, in.symbol("r5rs"));
  const Rooted name(in, in.list({scheme.get(), r5rs.get()}));
  const Rooted library(in, find_library(in, name.get()));
  if (!syntax_alone) return library.get();
  const Rooted env(in, make_environment(in, kFalse, kFixedNames));
  each_binding(in, library.get(), [&](Value symbol, Value binding) {
    if (in.is(binding, kForm)) bind_imported(in, env.get(), symbol, binding);
  });
  return env.get();
}
BUILTIN(is_environment) { return boolean(in.is(args[0], kEnvironment)); }
BUILTIN(compile_next_form) {
  if (!in.is(args[0], kPort)) in.wrong_type("load", "port", args[0]);
  return compile_next(in, args[0], args[1]);
}
BUILTIN(look_ahead_in) {
  if (!in.is(args[0], kPort)) in.wrong_type("load", "port", args[0]);
  look_ahead(in, args[0], args[1]);
  return kUnspecified;
}
BUILTIN(feature_list) { return features(in); }
BUILTIN(runtime_void) { return kUnspecified; }

constexpr Builtin kBuiltins[] = {
    {"procedure?", procedure_p, 1, 1},
    {"%check-procedure", check_procedure, 2, 2},
    {"values", values, 0, -1},
    {"%check-values", check_values, 3, 3},
    {"apply", nullptr, 2, -1, Control::apply},
    {"%apply-values", nullptr, 2, 2, Control::apply_values},
    {"call/cc", nullptr, 1, 1, Control::call_cc},
    {"call-with-current-continuation", nullptr, 1, 1, Control::call_cc},
    {"%throw", nullptr, 2, 2, Control::throw_to},
    {"eval", nullptr, 1, 2, Control::eval},
    {"%handlers", handlers, 0, 0},
    {"%set-handlers!", set_handlers, 1, 1},
    {"%winders", winders, 0, 0},
    {"%set-winders!", set_winders, 1, 1},
    {"%continuation-winders", continuation_winders, 1, 1},
    {"%uncaught", uncaught, 1, 1},
    {"%handler-returned", handler_returned, 1, 1},
    {"error", error, 1, -1},
    {"error-object?", is_condition, 1, 1},
    {"condition?", is_condition, 1, 1},
    {"error-object-message", condition_message, 1, 1},
    {"error-object-irritants", condition_irritants, 1, 1},
    {"condition/report-string", condition_text, 1, 1},
    {"file-error?", is_kind<kFileCondition>, 1, 1},
    {"read-error?", is_kind<kReadCondition>, 1, 1},
    {"interrupt-condition?", is_kind<kInterruptCondition>, 1, 1},
    {"heap-exhausted?", is_kind<kExhaustedCondition>, 1, 1},
    {"%exhausted?", is_kind<kExhaustedCondition>, 1, 1},
    {"%record", record, 1, -1},
    {"record?", is_record, 1, 1},
    {"%promise", promise, 2, 2},
    {"promise?", is_promise, 1, 1},
    {"make-promise", make_promise, 1, 1},
    {"%promise-state", promise_state, 1, 1},
    {"%promise-join!", promise_join, 2, 2},
    {"%make-parameter", make_parameter, 2, 2},
    {"%parameter-converter", parameter_converter, 1, 1},
    {"%set-parameter!", set_parameter, 2, 2},
    {"environment", environment, 0, -1},
    {"interaction-environment", interaction_environment, 0, 0},
    {"system-global-environment", interaction_environment, 0, 0},
    {"scheme-report-environment", report_environment<false>, 0, 1},
    {"null-environment", report_environment<true>, 0, 1},
    {"environment?", is_environment, 1, 1},
    {"%accepts?", accepts, 2, 2},
    {"%compile-next", compile_next_form, 2, 2},
    {"%look-ahead", look_ahead_in, 2, 2},
    {"features", feature_list, 0, 0},
    {"void", runtime_void, 0, -1},
    {"%nothing", runtime_void, 0, 0},  // What no program has as a value.
};

}  // namespace

std::span<const Builtin> control_builtins() { return kBuiltins; }

}  // namespace scheme
