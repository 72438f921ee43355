#include "repl.hpp"

namespace scheme {
Outcome run_repl(Interp&) { return {}; }
}  // namespace scheme
