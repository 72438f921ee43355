#pragma once

#include <string>
#include <string_view>

#include "interp.hpp"

namespace scheme {

enum ExitCode : int {
  kFine = 0,
  kUsage = 64,
  kSyntax = 65,
  kNoInput = 66,
  kFailed = 70,
  kHeapExhausted = 71
};

/// How a program ended.
struct Outcome {
  bool is_over = false;  ///< `(exit)` was called.
  int code = kFine;
  std::string message;  ///< Of an uncaught error, with its frames.
};

/// Runs all forms of a textual port in the user's environment. With `echo` the value of the last
/// one is written, if it has any.
[[nodiscard]] Outcome run_port(Interp& in, Value port, bool echo);
/// Runs one form that reads from `port`; kEof at the end, else its value, which the caller roots.
struct FormResult {
  Value value;
  Outcome outcome;
};
[[nodiscard]] FormResult run_form(Interp& in, Value port);

/// A source text as a port.
[[nodiscard]] Value text_port(Interp& in, std::string_view text, std::string_view name);

}  // namespace scheme
