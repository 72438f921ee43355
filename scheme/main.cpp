/// scheme: runs a Scheme program in a Besom heap, or talks to who has started it.

#include <unistd.h>

#include <cstdio>

#include "common/program.hpp"
#include "driver.hpp"
#include "ports.hpp"
#include "repl.hpp"

namespace {

using scheme::Interp;
using scheme::Outcome;
using scheme::Rooted;
using scheme::Value;

/// What the command line asks for.
struct Command {
  std::string expression;
  std::vector<std::string> arguments;  ///< The program's file, or "-", and its arguments.
};

void set_command_line(Interp& in, const Command& command) {
  scheme::ListBuilder list(in);
  for (const std::string& argument : command.arguments) list.add(in.string(argument));
  in.registers.command_line = list.finish();
}

Outcome run_file(Interp& in, const std::string& name) {
  constexpr std::uint32_t kFlags = scheme::kInputPort | scheme::kTextualPort;
  Value port;
  try {
    port = name == "-" ? scheme::descriptor_port(in, kFlags, dup(STDIN_FILENO), in.string("-"))
                       : scheme::open_file(in, name, kFlags);
  } catch (const scheme::Raised& raised) {
    return {false, scheme::kNoInput, in.uncaught(raised.object).message};
  }
  return scheme::run_port(in, port, false);
}

void run(besom::Heap& heap, const Command& command) {
  Interp in(heap);
  set_command_line(in, command);
  Outcome outcome;
  if (!command.expression.empty()) {
    const Rooted port(in, scheme::text_port(in, command.expression, "-e"));
    outcome = scheme::run_port(in, port.get(), true);
  } else if (!command.arguments.empty()) {
    outcome = run_file(in, command.arguments[0]);
  } else {
    outcome = scheme::run_repl(in);
  }
  scheme::flush_all(in);
  if (!outcome.message.empty()) std::fprintf(stderr, "%s\n", outcome.message.c_str());
  if (outcome.code != scheme::kFine) throw example::Stop{outcome.code, ""};
}

}  // namespace

int main(int argc, char** argv) {
  example::Program program("scheme", "A Scheme (R7RS-small) whose data lives in a Besom heap");
  Command command;
  program.be_quiet();
  program.option("-e", "An expression to evaluate instead of a file", command.expression);
  program.rest(
      "[FILE [ARGUMENT...]]",
      "Runs the program in FILE, or standard input when that is -; without one, reads from "
      "the terminal.",
      command.arguments);
  return program.run(argc, argv, [&](besom::Heap& heap) { run(heap, command); });
}
