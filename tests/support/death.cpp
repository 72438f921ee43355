#include "tests/support/death.hpp"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <stdexcept>

namespace besom::test {
namespace {

constexpr int kReturned = 0;
constexpr int kThrew = 99;

[[noreturn]] void run_child(int error_pipe, const std::function<void()>& body) {
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  // The test framework's handler would report the abort as a failed test of the parent.
  std::signal(SIGABRT, SIG_DFL);
  dup2(error_pipe, STDERR_FILENO);
  try {
    body();
  } catch (...) {
    _exit(kThrew);
  }
  _exit(kReturned);
}

std::string read_all(int file) {
  std::string text;
  char buffer[1024];
  for (;;) {
    const ssize_t count = read(file, buffer, sizeof buffer);
    if (count > 0) {
      text.append(buffer, static_cast<std::size_t>(count));
    } else if (count == 0 || errno != EINTR) {
      return text;
    }
  }
}

}  // namespace

std::string Death::describe() const {
  std::string text;
  if (WIFSIGNALED(wait_status)) {
    text = "killed by signal " + std::to_string(WTERMSIG(wait_status));
  } else if (WEXITSTATUS(wait_status) == kReturned) {
    text = "survived";
  } else if (WEXITSTATUS(wait_status) == kThrew) {
    text = "threw";
  } else {
    text = "exited with " + std::to_string(WEXITSTATUS(wait_status));
  }
  return text + ", stderr: " + message;
}

void limit_address_space(std::size_t more) {
  std::ifstream statm("/proc/self/statm");
  std::size_t pages = 0;
  statm >> pages;
  const rlim_t bytes = pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE)) + more;
  const rlimit limit{bytes, bytes};
  if (setrlimit(RLIMIT_AS, &limit) != 0) throw std::runtime_error("setrlimit failed");
}

Death death_of(const std::function<void()>& body) {
  // What is buffered now would otherwise be written twice.
  std::fflush(nullptr);
  std::cout.flush();
  std::cerr.flush();
  int ends[2];
  if (pipe(ends) != 0) throw std::runtime_error("pipe failed");
  const pid_t child = fork();
  if (child < 0) {
    close(ends[0]);
    close(ends[1]);
    throw std::runtime_error("fork failed");
  }
  if (child == 0) {
    close(ends[0]);
    run_child(ends[1], body);
  }
  close(ends[1]);
  Death death;
  death.message = read_all(ends[0]);
  close(ends[0]);
  while (waitpid(child, &death.wait_status, 0) < 0 && errno == EINTR) {
  }
  death.aborted = WIFSIGNALED(death.wait_status) && WTERMSIG(death.wait_status) == SIGABRT;
  return death;
}

}  // namespace besom::test
