#include "bench/compare/runner.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <sstream>
#include <system_error>

namespace bench::compare {

namespace {

constexpr unsigned kMostSeconds = 1800;  ///< A run that takes longer hangs.
constexpr int kCannotRun = 127;

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

int last_allowed_cpu() {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) fail("sched_getaffinity");
  for (int cpu = CPU_SETSIZE - 1; cpu > 0; --cpu) {
    if (CPU_ISSET(static_cast<unsigned>(cpu), &allowed)) return cpu;
  }
  return 0;
}

double ms_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_usec) * 1e-3;
}

[[noreturn]] void become(const std::vector<std::string>& command, int cpu, int output) {
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(static_cast<unsigned>(cpu), &only);
  std::vector<char*> words;
  for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  alarm(kMostSeconds);
  if (sched_setaffinity(0, sizeof only, &only) == 0 && dup2(output, STDOUT_FILENO) >= 0) {
    execv(words[0], words.data());
  }
  _exit(kCannotRun);
}

std::string read_all(int from) {
  std::string text;
  std::array<char, 4096> buffer;
  for (;;) {
    const ssize_t count = read(from, buffer.data(), buffer.size());
    if (count > 0) text.append(buffer.data(), static_cast<std::size_t>(count));
    if (count == 0 || (count < 0 && errno != EINTR)) return text;
  }
}

}  // namespace

Runner::Runner(int cpu) : cpu_(cpu >= 0 ? cpu : last_allowed_cpu()) {}

Sample Runner::run(const std::vector<std::string>& command,
                   const std::string& besom_options) const {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) fail("pipe2");
  const pid_t child = fork();
  if (child < 0) fail("fork");
  if (child == 0) {
    if (!besom_options.empty()) setenv("BESOM_OPTIONS", besom_options.c_str(), 1);
    become(command, cpu_, ends[1]);
  }
  close(ends[1]);
  Sample sample;
  sample.output = read_all(ends[0]);
  close(ends[0]);

  int status = 0;
  rusage usage{};
  while (wait4(child, &status, 0, &usage) < 0) {
    if (errno != EINTR) fail("wait4");
  }
  sample.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  sample.cpu_ms = ms_of(usage.ru_utime) + ms_of(usage.ru_stime);
  sample.rss_mib = static_cast<double>(usage.ru_maxrss) / 1024;
  return sample;
}

std::map<std::string, std::string> parse_words(const std::string& output) {
  std::map<std::string, std::string> words;
  std::istringstream in(output);
  for (std::string word; in >> word;) {
    const std::size_t equals = word.find('=');
    if (equals != std::string::npos) words[word.substr(0, equals)] = word.substr(equals + 1);
  }
  return words;
}

}  // namespace bench::compare
