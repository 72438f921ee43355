#pragma once

#include <besom/besom.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

/// What the examples share, so that each of them shows its own idea and little else.
namespace example {

enum ExitCode : int { kFine = 0, kUsage = 64, kFailed = 70, kHeapExhausted = 71 };

/// Thrown to end an example early; Program::run() prints the message and returns the code. Besom
/// itself never throws: an embedder decides what a refused allocation means, and this is one way.
struct Stop {
  int exit_code;
  std::string message;
};

[[noreturn]] void stop(const besom::Error& error);

/// Hands `pointer` through, a raw pointer, Local or Handle; stops the program when it is null.
/// Every allocation can be refused, so every one is wrapped so or tested.
template <class Pointer>
Pointer require(Pointer pointer, const besom::Heap& heap) {
  if (!pointer) [[unlikely]]
    stop(heap.error());
  return pointer;
}

/// The value of a result; stops the program when there is an error instead.
template <class T>
T require(besom::Result<T> result) {
  if (!result) [[unlikely]]
    stop(result.error());
  return *std::move(result);
}

/// The self-check: stops the program with kFailed and `what` unless `holds`.
inline void expect(bool holds, const char* what) {
  if (!holds) [[unlikely]]
    throw Stop{kFailed, std::string("self-check failed: ") + what};
}

/// E.g. "1 hole", "3 holes"; with a plural of its own, "2 entries".
[[nodiscard]] std::string count_text(std::uint64_t count, const char* noun,
                                     const char* plural = nullptr);
/// E.g. "12.3 MiB".
[[nodiscard]] std::string bytes_text(std::uint64_t bytes);

/// The frame around an example: reads the options that all have in common, makes the heap, runs the
/// work, verifies the heap and prints a summary.
///
/// Settings come, the later ones winning, from the example's defaults, from the environment's
/// BESOM_OPTIONS and from the command line.
class Program {
 public:
  Program(const char* name, const char* description, besom::HeapOptions defaults = {});
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  /// An option of the example's own, `--name N` with N in [least, most]. `value` holds the default
  /// and receives what the user gave.
  void option(const char* name, const char* help, std::uint64_t& value, std::uint64_t least,
              std::uint64_t most);
  void flag(const char* name, const char* help, bool& value);
  /// A text, `name` with its dashes.
  void option(const char* name, const char* help, std::string& value);
  /// The command line from the first argument on that is no option, for the example to interpret.
  void rest(const char* name, const char* help, std::vector<std::string>& arguments);
  /// No summary, and the heap is verified at the end under zeal alone, or where `--stats` is given:
  /// for an example whose output is somebody else's.
  void be_quiet() noexcept;

  /// Collects and writes what `--snapshot` asks for, at the first call: where the example's data is
  /// at its fullest. Without a call that happens at the end, when its roots are gone.
  void snapshot(besom::Heap& heap);

  /// All of it; returns the exit code for main().
  [[nodiscard]] int run(int argc, char** argv, const std::function<void(besom::Heap&)>& work);

  /// What `--seed` gave. The same seed gives the same run, collections included.
  [[nodiscard]] std::uint64_t seed() const noexcept;
  /// For the throughput in the summary: `count` more of the example's `unit` are done.
  void did(std::uint64_t count, const char* unit) noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace example
