// 6. The program: expressions from a file, from the command line or from a terminal.
#include <unistd.h>

#include <fstream>

#include "eval.hpp"

namespace {
using lisp::Failure;
constexpr const char* kHelp =
    "usage: lisp [--heap-max=SIZE, such as 16M] [--incremental] [--generational]\n"
    "            [FILE | -e EXPRESSION | --version]\n"
    "without a file or an expression, a dialogue\n"
    "exit codes: 0 fine, 64 usage, 65 syntax, 66 no input, 70 error, 71 heap exhausted\n";
enum ExitCode : int { kFine = 0, kUsage = 64, kNoInput = 66 };  // and those of failures
int report(const Failure& failure) {
  std::cerr << failure.place << "error: " << failure.message << '\n';
  return failure.kind == Failure::kIncomplete ? Failure::kSyntax : failure.kind;
}
void run(lisp::Interpreter& lisp, lisp::Reader& reader, bool shows_values) {
  while (const auto expression = reader.next()) try {
      const besom::Value value = lisp.evaluate(*expression, nullptr);
      if (shows_values) std::cout << print(lisp, value) << '\n';
    } catch (Failure& failure) {
      if (failure.place.empty()) failure.place = reader.start();
      throw;
    }
}

/// An error ends the line that it is in, and nothing else. Where variables hold so much that the
/// heap is full, not even the line that would free it could be read. For that case some memory is
/// set aside, and let go then.
void converse(lisp::Interpreter& lisp) {
  const auto set_aside = [&] { return lisp.heap.make(lisp.of<lisp::String>(), 16 << 10, "spare"); };
  besom::Handle<lisp::String> spare = set_aside();  // empty where there is no room
  lisp::Reader reader(lisp);
  const char* const prompt = isatty(STDIN_FILENO) != 0 ? "> " : "";
  for (std::string line; std::cout << prompt << std::flush, std::getline(std::cin, line);) try {
      reader.add(line + '\n');
      run(lisp, reader, true);
      if (!spare && lisp.heap.stats().used < lisp.heap.options().heap_max / 2) spare = set_aside();
    } catch (const Failure& failure) {
      if (failure.kind == Failure::kIncomplete) continue;  // the next line may end it
      report(failure);
      reader.skip_all();
      if (failure.kind == Failure::kExhausted) spare.reset();
    }
}
}  // namespace

int main(int argc, char** argv) try {
  std::string settings = "heap_max=64M";
  std::vector<std::string> arguments(argv + 1, argv + argc);
  for (; !arguments.empty(); arguments.erase(arguments.begin())) {
    const bool is_size = arguments[0].starts_with("--heap-max=");
    const bool is_mode = arguments[0] == "--incremental" || arguments[0] == "--generational";
    if (!is_size && !is_mode) break;
    settings += ',';
    settings += is_size ? "heap_max=" + arguments[0].substr(11) : arguments[0].substr(2) + "=on";
  }
  const std::string file = arguments.empty() ? "repl" : arguments[0];
  if (file == "--help") return std::cout << kHelp, kFine;
  if (file == "--version") return std::cout << "lisp of Besom " BESOM_VERSION "\n", kFine;
  const bool is_text = file == "-e";
  if (arguments.size() > 2 || (arguments.size() == 2) != is_text || (file[0] == '-' && !is_text)) {
    return std::cerr << kHelp, kUsage;
  }
  const auto options = besom::parse_options(settings);
  if (!options) return std::cerr << options.error().message() << '\n', kUsage;
  const auto heap = besom::Heap::create(*options);  // which reads BESOM_OPTIONS, too
  if (!heap) std::cerr << heap.error().message() << '\n';
  if (!heap) return heap.error().code == besom::Errc::bad_option ? int{kUsage} : Failure::kError;
  lisp::Interpreter lisp(**heap);
  lisp.file = file;
  if (arguments.empty()) return converse(lisp), kFine;
  std::ifstream input(file);
  std::string text = is_text ? arguments[1] : "";
  if (!is_text && !std::getline(input, text, '\0').eof()) {
    return std::cerr << file << ": cannot be read\n", kNoInput;
  }
  lisp::Reader reader(lisp);
  reader.add(text);
  run(lisp, reader, is_text);
  return kFine;
} catch (const Failure& failure) {
  return report(failure);
}
