#include "progress.hpp"

#include <unistd.h>

#include <cstdio>

namespace example {

using namespace std::chrono_literals;

Progress::Progress(const char* what, std::uint64_t total) noexcept
    : what_(what),
      total_(total),
      terminal_(isatty(STDERR_FILENO) != 0),
      begun_(Clock::now()),
      next_(begun_ + (terminal_ ? 1s : 10s)) {}

Progress::~Progress() {
  if (drawn_ && terminal_) std::fputs("\r\033[K", stderr);
}

void Progress::at(std::uint64_t done) noexcept {
  const Clock::time_point now = Clock::now();
  if (now < next_) return;
  next_ = now + (terminal_ ? Clock::duration(100ms) : Clock::duration(10s));
  drawn_ = true;
  const double share = total_ == 0 ? 1.0 : static_cast<double>(done) / static_cast<double>(total_);
  const double seconds = std::chrono::duration<double>(now - begun_).count();
  if (!terminal_) {
    std::fprintf(stderr, "%s: %.0f %% after %.0f s\n", what_, share * 100, seconds);
    return;
  }
  constexpr int kWidth = 30;
  const int filled = static_cast<int>(share * kWidth);
  std::fprintf(stderr, "\r%s [%.*s%*s] %.0f %%, %.0f s\033[K", what_, filled,
               "##############################", kWidth - filled, "", share * 100, seconds);
  std::fflush(stderr);
}

}  // namespace example
