#include "repl.hpp"

#ifdef SCHEME_EDITLINE
#include <editline/readline.h>
#endif
#include <unistd.h>

#include <algorithm>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>

#include "compile.hpp"
#include "environment.hpp"
#include "hash.hpp"
#include "ports.hpp"
#include "printer.hpp"
#include "reader.hpp"
#include "snapshot.hpp"

namespace scheme {
namespace {

/// Whom Ctrl-C and the tab key mean: C calls back without an argument. There is one terminal.
Interp* interactive = nullptr;

void on_interrupt(int) {
  if (interactive != nullptr) interactive->interrupt();
}

/// What came of waiting for a line.
enum class Input { line, end, interrupt };

/// Where there was none. A signal ends the waiting just as the end of the input does.
Input no_line() {
  if (!interactive->is_interrupted()) return Input::end;
  std::puts("");
  return Input::interrupt;
}

Input next_plain_line(std::string& line) {
  if (std::getline(std::cin, line)) return Input::line;
  const Input input = no_line();
  if (input == Input::interrupt) std::cin.clear();
  return input;
}

#ifdef SCHEME_EDITLINE

std::vector<std::string> completions;

/// Every name that begins with `prefix`, of the program's and of the core's.
void find_completions(Interp& in, std::string_view prefix) {
  completions.clear();
  for (const Value env : {in.registers.user, in.registers.core}) {
    const auto* table = in.at<HashTable>(in.at<Environment>(env)->table.get());
    hash_each(in.at<Vector>(table->entries.get()), [&](Value symbol, Value) {
      std::string name = in.utf8(symbol);
      if (name.starts_with(prefix) && !name.starts_with("%"))
        completions.push_back(std::move(name));
    });
  }
  std::sort(completions.begin(), completions.end());
}

char* next_completion(const char* prefix, int state) {
  static std::size_t next;
  if (state == 0) {
    next = 0;
    find_completions(*interactive, prefix);
  }
  return next < completions.size() ? strdup(completions[next++].c_str()) : nullptr;
}

char** complete(const char* prefix, int, int) {
  // No file names where there is no such variable.
  rl_attempted_completion_over = 1;
  return rl_completion_matches(prefix, next_completion);
}

class Lines {
 public:
  explicit Lines(bool is_terminal) : is_terminal_(is_terminal) {
    if (!is_terminal_) return;
    rl_readline_name = const_cast<char*>("scheme");
    rl_attempted_completion_function = complete;
    static char breaks[] = " \t\n()\"';`,";
    rl_basic_word_break_characters = breaks;
    using_history();
    stifle_history(1000);
    if (const char* home = secure_getenv("HOME"))
      file_ = std::string(home) + "/.besom_scheme_history";
    if (!file_.empty()) read_history(file_.c_str());
  }
  Lines(const Lines&) = delete;
  Lines& operator=(const Lines&) = delete;
  ~Lines() {
    if (is_terminal_ && !file_.empty()) write_history(file_.c_str());
  }
  Input next(const char* prompt, std::string& line) {
    if (!is_terminal_) return next_plain_line(line);
    char* text = readline(prompt);
    if (text == nullptr) return no_line();
    line = text;
    std::free(text);
    return Input::line;
  }
  void remember(const std::string& form) {
    if (is_terminal_ && !form.empty()) add_history(form.c_str());
  }

 private:
  bool is_terminal_;
  std::string file_;
};

#else

class Lines {
 public:
  explicit Lines(bool is_terminal) : is_terminal_(is_terminal) {}
  Input next(const char* prompt, std::string& line) {
    if (is_terminal_) std::fputs(prompt, stdout);
    std::fflush(stdout);
    return next_plain_line(line);
  }
  void remember(const std::string&) {}

 private:
  bool is_terminal_;
};

#endif

/// Whether the text ends inside a datum, so that more lines belong to it.
bool is_incomplete(Interp& in, const std::string& text) {
  Pins pins(in);
  Reader reader(in, text_port(in, text, "terminal"));
  try {
    while (reader.read() != kEof) {
    }
  } catch (const Raised&) {
    return reader.is_incomplete();
  }
  return false;
}

/// The REPL's own commands: ,gc ,stats ,snapshot FILE ,q. True if it was one.
bool run_command(Interp& in, std::string_view line, Outcome& outcome) {
  if (line.empty() || line[0] != ',') return false;
  const std::string_view word = line.substr(0, line.find(' '));
  if (word == ",q" || word == ",quit") {
    outcome = {true, kFine, ""};
  } else if (word == ",gc") {
    static_cast<void>(in.heap().collect());
    const besom::CollectionStats& last = in.heap().last_collection();
    std::printf("%llu bytes live in %llu objects, %llu bytes freed\n",
                static_cast<unsigned long long>(last.live_bytes),
                static_cast<unsigned long long>(last.live_objects),
                static_cast<unsigned long long>(last.freed_bytes));
  } else if (word == ",stats") {
    const besom::HeapStats stats = in.heap().stats();
    std::printf("%llu collections, %llu bytes used of %llu, %llu allocated in all\n",
                static_cast<unsigned long long>(stats.collections),
                static_cast<unsigned long long>(stats.used),
                static_cast<unsigned long long>(stats.capacity),
                static_cast<unsigned long long>(stats.allocated));
  } else if (word == ",snapshot" && word.size() < line.size()) {
    const std::string file(
        line.substr(std::min(line.find_first_not_of(' ', word.size()), line.size())));
    const besom::Result<besom::SnapshotStats> stats = save_snapshot(in, file);
    if (stats) {
      std::printf("%llu objects in %llu bytes of %s\n",
                  static_cast<unsigned long long>(stats->objects),
                  static_cast<unsigned long long>(stats->bytes), file.c_str());
    } else {
      std::printf("%s\n", stats.error().message().c_str());
    }
  } else {
    std::printf("commands: ,gc ,stats ,snapshot FILE ,q\n");
  }
  return true;
}

/// Evaluates all forms of a text and prints what each is worth.
Outcome run_text(Interp& in, const std::string& text) {
  const Rooted port(in, text_port(in, text, "terminal"));
  for (;;) {
    FormResult result = run_form(in, port.get());
    flush_all(in);
    if (result.outcome.is_over) return result.outcome;
    if (result.outcome.code != kFine) {
      std::fprintf(stderr, "%s\n", result.outcome.message.c_str());
      return {};
    }
    if (result.value == kEof) return {};
    if (result.value == kUnspecified) continue;
    const Rooted value(in, result.value);
    std::printf("%s\n", print(in, value.get()).c_str());
  }
}

}  // namespace

Outcome run_repl(Interp& in) {
  const bool is_terminal = isatty(STDIN_FILENO) != 0;
  interactive = &in;
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  sigaction(SIGINT, &action, nullptr);
  // Lines are UTF-8, whatever the environment says or does not say.
  if (is_terminal) std::setlocale(LC_CTYPE, "C.UTF-8");
  if (is_terminal) std::puts("Besom Scheme. ,q leaves; ,gc and ,stats tell about the heap.");
  Lines lines(is_terminal);
  Outcome outcome;
  while (!outcome.is_over) {
    std::fflush(stdout);
    in.reset();
    std::string text, line;
    Input input = lines.next("> ", text);
    if (input == Input::end) break;
    if (input == Input::line && run_command(in, text, outcome)) continue;
    while (input == Input::line && is_incomplete(in, text)) {
      input = lines.next("  ", line);
      if (input == Input::line) text.append("\n").append(line);
    }
    // An interrupt drops what was typed so far.
    if (input != Input::interrupt) {
      lines.remember(text);
      outcome = run_text(in, text);
    }
  }
  if (is_terminal && !outcome.is_over) std::puts("");
  interactive = nullptr;
  return outcome;
}

}  // namespace scheme
