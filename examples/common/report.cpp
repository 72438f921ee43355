#include "report.hpp"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <utility>

#include "program.hpp"

namespace example {

namespace {

void make_page(const std::string& page, const std::string& record) {
  std::string parts[] = {BESOM_REPORT, "--output=" + page, "--", record};
  char* arguments[] = {parts[0].data(), parts[1].data(), parts[2].data(), parts[3].data(), nullptr};
  pid_t child = 0;
  int status = 0;
  if (posix_spawn(&child, BESOM_REPORT, nullptr, nullptr, arguments, environ) != 0 ||
      waitpid(child, &status, 0) != child || status != 0) {
    throw Stop{kFailed, "no report was made of " + record};
  }
}

}  // namespace

Report::Report(std::string page, besom::HeapOptions& options)
    : page_(std::move(page)), record_(options.record.c_str()), keeps_record_(!record_.empty()) {
  if (page_.empty() || keeps_record_) return;
  record_ = page_ + ".record";
  options.record = record_;
}

void Report::make() const {
  if (page_.empty()) return;
  make_page(page_, record_);
  if (keeps_record_) return;
  unlink(record_.c_str());
  // The library numbers the records of further heaps that had the same options.
  for (int number = 2;; ++number) {
    std::string suffix(1, '.');
    suffix += std::to_string(number);
    const std::string record = page_ + suffix + ".record";
    if (access(record.c_str(), R_OK) != 0) return;
    std::filesystem::path page = page_;
    page.replace_extension(suffix + page.extension().string());
    make_page(page.string(), record);
    unlink(record.c_str());
  }
}

}  // namespace example
