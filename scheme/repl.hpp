#pragma once

#include "driver.hpp"

namespace scheme {

/// Reads forms from the terminal and prints their values, until the end of the input or `(exit)`.
/// With libedit it has line editing, a history and completion of names; lines are plain otherwise.
[[nodiscard]] Outcome run_repl(Interp& in);

}  // namespace scheme
