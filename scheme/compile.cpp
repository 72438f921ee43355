#include "compile.hpp"

#include "environment.hpp"
#include "lists.hpp"
#include "ports.hpp"
#include "syntax.hpp"

namespace scheme {
namespace {

/// A procedure without arguments that evaluates `form` in the environment. Raises syntax errors;
/// those that do not know where they are get the place.
Value compile(Interp& in, Value form, Value env, const SourceMap* map, Value file,
              const Place& place) {
  Pins pins(in);
  try {
    Expander expander(in, env, map, file);
    return generate(in, expander.expand_program(form, place), file, false);
  } catch (const Raised& raised) {
    in.put_place(raised.object, place);
    throw;
  }
}

}  // namespace

Value compile_for_eval(Interp& in, Value form, Value env) {
  if (!in.is(env, kEnvironment)) in.wrong_type("eval", "environment", env);
  return compile(in, form, env, nullptr, kFalse, in.place());
}

Value compile_internal(Interp& in, std::string_view name, std::string_view text) {
  Pins pins(in);
  const Value port = memory_port(in, kInputPort | kTextualPort, text);
  const Value definition = in.cdr(Reader(in, port).read());
  Value procedure = in.car(in.cdr(definition));
  if (const Value target = in.car(definition); in.is_pair(target)) {
    const Value lambda = in.symbol("lambda");
    procedure = in.cons(lambda, in.cons(in.cdr(target), in.cdr(definition)));
  }
  Expander expander(in, in.registers.core, nullptr, kFalse);
  Node* program = expander.expand_program(procedure, {});
  // Helpers that stand for a procedure have its name.
  constexpr std::string_view kOwn = "%own-";
  program->a->value = in.symbol(name.starts_with(kOwn)  ? name.substr(kOwn.size())
                                : name.starts_with("%") ? name.substr(1)
                                                        : name);
  // The program evaluates a lambda expression: its body is what is wanted.
  return generate(in, program->a, kFalse, true);
}

Value compile_next(Interp& in, Value port, Value env) {
  Pins pins(in);
  SourceMap map;
  Reader reader(in, port, &map);
  const Value form = reader.read();
  if (form == kEof) return kEof;
  Place place{in.at<Port>(port)->name.get(), reader.line(), reader.column()};
  static_cast<void>(map.find(form, place));
  return compile(in, form, env, &map, place.file, place);
}

void look_ahead(Interp& in, Value port, Value env) {
  if (!rewind(in.at<Port>(port))) return;
  try {
    for (bool is_end = false; !is_end;) {
      Pins pins(in);
      const Value form = Reader(in, port).read();
      expect_definitions(in, form, env);
      is_end = form == kEof;
    }
  } catch (const Raised&) {
    // What cannot be read is told when its turn comes.
  }
  static_cast<void>(rewind(in.at<Port>(port)));
}

void expect_definitions(Interp& in, Value form, Value env) {
  in.check_native_stack({});
  // Data may be circular, even in a program.
  constexpr int kMostNames = 1000;
  if (list_length(in, form) < 0) return;
  if (!in.is_pair(form) || !in.is_symbol(in.car(form)) || !in.is_pair(in.cdr(form))) return;
  const std::u32string_view head = in.name_of(in.car(form));
  const auto expect = [&](Value name) {
    if (in.is_symbol(name)) expect_definition(in, env, name);
  };
  Value rest = in.cdr(form);
  if (head == U"begin") {
    for (; in.is_pair(rest); rest = in.cdr(rest)) expect_definitions(in, in.car(rest), env);
  } else if (head == U"define") {
    Value target = in.car(rest);
    for (int i = 0; i < kMostNames && in.is_pair(target); ++i) target = in.car(target);
    expect(target);
  } else if (head == U"define-values") {
    Value names = in.car(rest);
    for (int i = 0; i < kMostNames && in.is_pair(names); ++i, names = in.cdr(names)) {
      expect(in.car(names));
    }
    expect(names);
  } else if (head == U"define-record-type") {
    // A field's own name defines nothing: it comes after the type, the constructor, the predicate.
    for (int i = 0; in.is_pair(rest); rest = in.cdr(rest), ++i) {
      Value part = in.car(rest);
      if (i < 3) {
        expect(in.is_pair(part) ? in.car(part) : part);
      } else if (in.is_pair(part) && list_length(in, part) > 0) {
        for (part = in.cdr(part); in.is_pair(part); part = in.cdr(part)) expect(in.car(part));
      }
    }
  }
}

}  // namespace scheme
