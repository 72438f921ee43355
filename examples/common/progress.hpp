#pragma once

#include <chrono>
#include <cstdint>

namespace example {

/// Says on standard error how far a long run has come: on a terminal in one line that is redrawn
/// and wiped at the end, elsewhere in a line every ten seconds. Silent for the first second.
class Progress {
 public:
  Progress(const char* what, std::uint64_t total) noexcept;
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `done` of the total is done. Reads a clock: not for innermost loops.
  void at(std::uint64_t done) noexcept;

 private:
  using Clock = std::chrono::steady_clock;

  const char* what_;
  std::uint64_t total_;
  bool terminal_;
  bool drawn_ = false;
  Clock::time_point begun_;
  Clock::time_point next_;
};

}  // namespace example
