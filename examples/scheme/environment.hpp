#pragma once

#include <string>

#include "objects.hpp"

namespace scheme {

class Interp;

/// An empty environment; `parent` is #f or where names are looked up that it lacks.
[[nodiscard]] Value make_environment(Interp& in, Value parent);
/// What a symbol means: a Cell, Macro or Form; #f when unbound.
[[nodiscard]] Value find_binding(Interp& in, Value env, Value symbol);
/// The same for code that will use it: procedures of the prelude are compiled when they are first
/// asked for.
[[nodiscard]] Value lookup(Interp& in, Value env, Value symbol);
void bind(Interp& in, Value env, Value symbol, Value binding);
/// The program will define the name at top level: what it compiles until then refers to its own
/// variable already, and not to what is built in or imported.
void expect_definition(Interp& in, Value env, Value symbol);
void definition_came(Interp& in, Value env, Value symbol);
/// The variable of that name that belongs to the environment itself, made if need be. A name that
/// was imported is defined anew.
[[nodiscard]] Value define_cell(Interp& in, Value env, Value symbol);
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
