#include "report.hpp"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <utility>

#include "program.hpp"

namespace example {

Report::Report(std::string page, besom::HeapOptions& options)
    : page_(std::move(page)), record_(options.record.c_str()), keeps_record_(!record_.empty()) {
  if (page_.empty() || keeps_record_) return;
  record_ = page_ + ".record";
  options.record = record_;
}

void Report::make() const {
  if (page_.empty()) return;
  std::string parts[] = {BESOM_REPORT, "--output=" + page_, "--", record_};
  char* arguments[] = {parts[0].data(), parts[1].data(), parts[2].data(), parts[3].data(), nullptr};
  pid_t child = 0;
  int status = 0;
  if (posix_spawn(&child, BESOM_REPORT, nullptr, nullptr, arguments, environ) != 0 ||
      waitpid(child, &status, 0) != child || status != 0) {
    throw Stop{kFailed, "no report was made of " + record_};
  }
  if (!keeps_record_) unlink(record_.c_str());
}

}  // namespace example
