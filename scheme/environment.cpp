#include "environment.hpp"

#include <iterator>

#include "builtins.hpp"
#include "chars.hpp"
#include "compile.hpp"
#include "hash.hpp"
#include "interp.hpp"
#include "lists.hpp"
#include "ports.hpp"
#include "prelude.hpp"
#include "syntax.hpp"

namespace scheme {

Value make_environment(Interp& in, Value parent, EnvironmentRule rule) {
  const Rooted rooted_parent(in, parent);
  const Rooted table(in, make_hash_table(in, kEqHash));
  auto* env = in.make<Environment>(kEnvironment);
  env->header.length = in.next_environment++;
  env->table.init(table.get());
  env->parent.init(parent);
  env->exports.init(kFalse);
  env->ahead.init(kFalse);
  env->imported.init(kFalse);
  env->rule = rule;
  return in.ref(env);
}

namespace {

/// The prelude's helpers are its own.
bool is_helper(Interp& in, Value symbol) {
  const std::u32string_view name = in.name_of(symbol);
  return name.size() > 1 && name[0] == U'%';
}

/// A procedure of the prelude is compiled when code first asks for it.
void complete(Interp& in, Value found) {
  if (!in.is(found, kCell) || in.at<Cell>(found)->header.length != 0 ||
      in.at<Cell>(found)->value.get() != kUnbound) {
    return;
  }
  const std::string name = in.utf8(in.at<Cell>(found)->name.get());
  const std::string_view text = prelude_text(name);
  if (!text.empty()) {
    const Rooted cell(in, found);
    // Not asked for again by its own text.
    in.at<Cell>(found)->value.set(kUnassigned);
    try {
      const Value procedure = compile_internal(in, name, text);
      in.at<Cell>(found)->value.set(procedure);
    } catch (...) {
      // The heap was exhausted: to be compiled when it is asked for again.
      in.at<Cell>(found)->value.set(kUnbound);
      throw;
    }
  }
}

bool is_own(Interp& in, Value env, Value binding) {
  return in.is(binding, kCell) && (in.at<Cell>(binding)->header.length & ~kOnlyMentioned) ==
                                      in.at<Environment>(env)->header.length;
}

/// The environment's table in `slot`, made when it is first needed.
Value table_in(Interp& in, Value env, Slot Environment::*slot) {
  const Rooted rooted(in, env);
  if (!is_object((in.at<Environment>(env)->*slot).get())) {
    const Value table = make_hash_table(in, kEqHash);
    (in.at<Environment>(env)->*slot).set(table);
  }
  return (in.at<Environment>(env)->*slot).get();
}

/// The cell of that name that belongs to the environment itself, made if need be.
Value own_cell(Interp& in, Value env, Value symbol, std::uint32_t flag) {
  const Slot* binding = hash_find(in, in.at<Environment>(env)->table.get(), symbol);
  if (binding != nullptr && is_own(in, env, binding->get())) return binding->get();
  const Rooted rooted_symbol(in, symbol), rooted_env(in, env);
  auto* cell = in.make<Cell>(kCell);
  cell->header.length = in.at<Environment>(env)->header.length | flag;
  cell->value.init(kUnbound);
  cell->name.init(symbol);
  const Rooted rooted(in, in.ref(cell));
  // What code mentions in an environment that stays as it is, no definition will give a value.
  if (flag != kOnlyMentioned || in.at<Environment>(env)->rule != kFixedNames) {
    bind(in, env, symbol, rooted.get());
  }
  return rooted.get();
}

}  // namespace

Value find_binding(Interp& in, Value env, Value symbol) {
  while (is_object(env)) {
    const Slot* binding = hash_find(in, in.at<Environment>(env)->table.get(), symbol);
    if (binding != nullptr) return binding->get();
    env = in.at<Environment>(env)->parent.get();
    if (is_object(env) && is_helper(in, symbol)) return kFalse;
  }
  return kFalse;
}

bool is_bound_here(Interp& in, Value env, Value symbol) {
  const Slot* binding = hash_find(in, in.at<Environment>(env)->table.get(), symbol);
  return binding != nullptr &&
         !(in.is(binding->get(), kCell) &&
           (in.at<Cell>(binding->get())->header.length & kOnlyMentioned) != 0);
}

bool is_imported(Interp& in, Value env, Value symbol) {
  const Value table = in.at<Environment>(env)->imported.get();
  return is_object(table) && hash_find(in, table, symbol) != nullptr;
}

Value lookup(Interp& in, Value env, Value symbol) {
  const Value found = find_binding(in, env, symbol);
  complete(in, found);
  const Value ahead = in.at<Environment>(env)->ahead.get();
  if (!is_object(found) || !is_object(ahead) || is_own(in, env, found) || in.is(found, kMacro) ||
      hash_find(in, ahead, symbol) == nullptr) {
    return found;
  }
  // Until then the program's variable is what the name means otherwise.
  const Rooted rooted(in, found);
  const Value cell = define_cell(in, env, symbol);
  if (in.is(found, kCell)) in.at<Cell>(cell)->value.set(in.at<Cell>(found)->value.get());
  return cell;
}

void expect_definition(Interp& in, Value env, Value symbol) {
  // What is refused when it comes changes nothing before.
  if (in.at<Environment>(env)->rule < kProgramNames && is_imported(in, env, symbol)) return;
  const Rooted rooted_symbol(in, symbol);
  hash_put(in, table_in(in, env, &Environment::ahead), symbol, kTrue);
}

void definition_came(Interp& in, Value env, Value symbol) {
  const Value ahead = in.at<Environment>(env)->ahead.get();
  if (is_object(ahead)) static_cast<void>(hash_remove(in, ahead, symbol));
}

void bind(Interp& in, Value env, Value symbol, Value binding) {
  const Rooted rooted_binding(in, binding), rooted_env(in, env), rooted_symbol(in, symbol);
  hash_put(in, in.at<Environment>(env)->table.get(), symbol, binding);
  const Value imported = in.at<Environment>(env)->imported.get();
  if (is_object(imported)) static_cast<void>(hash_remove(in, imported, symbol));
}

void bind_imported(Interp& in, Value env, Value symbol, Value binding) {
  const Rooted rooted_env(in, env), rooted_symbol(in, symbol);
  bind(in, env, symbol, binding);
  hash_put(in, table_in(in, env, &Environment::imported), symbol, kTrue);
}

Value define_cell(Interp& in, Value env, Value symbol) {
  const Value cell = own_cell(in, env, symbol, 0);
  in.at<Cell>(cell)->header.length &= ~kOnlyMentioned;
  return cell;
}

Value mention_cell(Interp& in, Value env, Value symbol) {
  return own_cell(in, env, symbol, kOnlyMentioned);
}

Value core_value(Interp& in, const char* name) {
  return in.at<Cell>(lookup(in, in.registers.core, in.symbol(name)))->value.get();
}

void define_core(Interp& in, std::vector<Builtin>& builtins) {
  open_chars(in);
  in.registers.core = make_environment(in, kFalse, kOpenNames);
  define_forms(in, in.registers.core);
  for (const auto& table : {list_builtins(), number_builtins(), real_builtins(), char_builtins(),
                            string_builtins(), vector_builtins(), control_builtins(),
                            port_builtins(), hash_builtins(), system_builtins()}) {
    for (const Builtin& builtin : table) {
      const Rooted name(in, in.symbol(builtin.name));
      auto* primitive = in.make<Primitive>(kPrimitive);
      primitive->header.length = static_cast<std::uint32_t>(builtins.size());
      primitive->name.init(name.get());
      const Rooted value(in, in.ref(primitive));
      const Value cell = define_cell(in, in.registers.core, name.get());
      in.at<Cell>(cell)->value.set(value.get());
      builtins.push_back(builtin);
    }
  }
  for (std::size_t i = 0; !prelude_name(i).empty(); ++i) {
    static_cast<void>(define_cell(in, in.registers.core, in.symbol(prelude_name(i))));
  }
  const auto parameter = [&](const char* name, Value port) {
    const Rooted rooted(in, port);
    auto* object = in.make<Parameter>(kParameter);
    object->value.init(port);
    object->converter.init(kFalse);
    const Rooted value(in, in.ref(object));
    const Value cell = define_cell(in, in.registers.core, in.symbol(name));
    in.at<Cell>(cell)->value.set(value.get());
    return value.get();
  };
  in.registers.input =
      parameter("current-input-port", descriptor_port(in, kInputPort | kTextualPort, 0, kFalse));
  in.registers.output =
      parameter("current-output-port", descriptor_port(in, kOutputPort | kTextualPort, 1, kFalse));
  in.registers.error =
      parameter("current-error-port", descriptor_port(in, kOutputPort | kTextualPort, 2, kFalse));
  in.at<Environment>(in.registers.core)->rule = kFixedNames;
  in.registers.user = make_environment(in, in.registers.core, kOpenNames);
  in.registers.raise = core_value(in, "raise");
  in.registers.rewind = core_value(in, "%rewind");
}

void close_interp(Interp& in) noexcept {
  flush_all(in);
  close_chars(in);
}

}  // namespace scheme
