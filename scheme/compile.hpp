#pragma once

#include <string_view>

#include "interp.hpp"

namespace scheme {

/// A procedure without arguments that evaluates a datum, which has no source text, in the
/// environment. Raises syntax errors. What it defines as syntax or imports takes effect at once.
[[nodiscard]] Value compile_for_eval(Interp& in, Value form, Value env);
/// The procedure that a definition of the prelude makes: `(define (name . formals) body ...)` or
/// `(define name expression)`, the expression a lambda or case-lambda. It is not shown in lists of
/// frames.
[[nodiscard]] Value compile_internal(Interp& in, std::string_view name, std::string_view text);

/// Before a port's first form is compiled: learns what the program defines, by reading all of it.
/// Does nothing with a port that cannot go back to its beginning.
void look_ahead(Interp& in, Value port, Value env);
/// The same for a form of the program.
void expect_definitions(Interp& in, Value form, Value env);

/// Reads the next form of a port and compiles it; kEof at the end.
[[nodiscard]] Value compile_next(Interp& in, Value port, Value env);

}  // namespace scheme
