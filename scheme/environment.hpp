#pragma once

#include <string>

#include "hash.hpp"
#include "interp.hpp"

namespace scheme {

/// An empty environment; `parent` is #f or where names are looked up that it lacks.
[[nodiscard]] Value make_environment(Interp& in, Value parent, EnvironmentRule rule);
/// Calls `visit(symbol, binding)` for all that the environment itself has, which must not change
/// meanwhile.
template <class Visit>
void each_binding(Interp& in, Value env, const Visit& visit) {
  const Value table = in.at<Environment>(env)->table.get();
  hash_each(in.at<Vector>(in.at<HashTable>(table)->entries.get()), visit);
}
/// What a symbol means: a Cell, Macro or Form; #f when unbound. An environment does not see its
/// parent's names that begin with %.
[[nodiscard]] Value find_binding(Interp& in, Value env, Value symbol);
/// The same for code that will use it: procedures of the prelude are compiled when they are first
/// asked for.
[[nodiscard]] Value lookup(Interp& in, Value env, Value symbol);
/// Whether the environment itself has a meaning for the symbol, be it defined or imported.
[[nodiscard]] bool is_bound_here(Interp& in, Value env, Value symbol);
[[nodiscard]] bool is_imported(Interp& in, Value env, Value symbol);
void bind(Interp& in, Value env, Value symbol, Value binding);
void bind_imported(Interp& in, Value env, Value symbol, Value binding);
/// The program will define the name at top level: what it compiles until then refers to its own
/// variable already, and not to what is built in or imported.
void expect_definition(Interp& in, Value env, Value symbol);
void definition_came(Interp& in, Value env, Value symbol);
/// The variable of that name that belongs to the environment itself, made if need be. A name that
/// was imported is defined anew.
[[nodiscard]] Value define_cell(Interp& in, Value env, Value symbol);
/// The same for code that refers to a variable before its definition. In an environment that stays
/// as it is nobody else meets that one.
[[nodiscard]] Value mention_cell(Interp& in, Value env, Value symbol);
/// The value of one of the library's own procedures.
[[nodiscard]] Value core_value(Interp& in, const char* name);

/// Adds what an import set names. Raises an error for an unknown library or name.
void import(Interp& in, Value env, Value import_set);
/// The library of that name, a list, or #f.
[[nodiscard]] Value find_library(Interp& in, Value name);
void add_library(Interp& in, Value name, Value env);
/// Whether a cond-expand requirement holds that is a feature's name.
[[nodiscard]] bool has_feature(Interp& in, Value symbol);
[[nodiscard]] Value features(Interp& in);

}  // namespace scheme
