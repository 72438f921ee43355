#include "driver.hpp"

#include "compile.hpp"
#include "ports.hpp"
#include "printer.hpp"

namespace scheme {
namespace {

int code_of(ConditionKind kind, bool is_compiling) {
  if (kind == kExhaustedCondition) return kHeapExhausted;
  return is_compiling && (kind == kReadCondition || kind == kSyntaxCondition) ? kSyntax : kFailed;
}

}  // namespace

FormResult run_form(Interp& in, Value port) {
  bool is_compiling = true;
  const auto failed = [&](const Uncaught& uncaught) -> FormResult {
    in.reset();
    return {kUnspecified, {false, code_of(uncaught.kind, is_compiling), uncaught.message}};
  };
  try {
    const Value thunk = compile_next(in, port, in.registers.user);
    if (thunk == kEof) return {kEof, {}};
    is_compiling = false;
    return {in.run(thunk), {}};
  } catch (const Raised& raised) {
    const Rooted object(in, raised.object);
    return failed(in.uncaught(raised.object));
  } catch (const Uncaught& uncaught) {
    return failed(uncaught);
  } catch (const Exit& exit) {
    in.reset();
    return {kEof, {true, exit.code, ""}};
  }
}

Outcome run_port(Interp& in, Value port, bool echo) {
  const Rooted rooted(in, port);
  Rooted last(in, kUnspecified);
  in.at<Environment>(in.registers.user)->rule = kProgramNames;
  try {
    look_ahead(in, port, in.registers.user);
  } catch (const Uncaught& uncaught) {
    in.reset();
    return {false, code_of(uncaught.kind, true), uncaught.message};
  }
  for (;;) {
    FormResult result = run_form(in, port);
    if (result.outcome.is_over || result.outcome.code != kFine) return result.outcome;
    if (result.value == kEof) break;
    last.set(result.value);
  }
  if (echo && last.get() != kUnspecified) {
    write_bytes(in, in.at<Port>(current_output(in)), print(in, last.get()) + "\n");
  }
  return {};
}

Value text_port(Interp& in, std::string_view text, std::string_view name) {
  const Rooted rooted_name(in, in.string(name));
  return memory_port(in, kInputPort | kTextualPort, text, rooted_name.get());
}

}  // namespace scheme
