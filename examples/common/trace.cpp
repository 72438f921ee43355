#include "trace.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cinttypes>
#include <cstring>
#include <utility>

#include "program.hpp"

namespace example {
namespace {

std::uint64_t now_ns() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
}

/// The format's unit.
double microseconds(std::uint64_t ns) { return static_cast<double>(ns) / 1e3; }

}  // namespace

void Trace::open(const std::string& name, const char* program) {
  file_ = std::fopen(name.c_str(), "w");
  if (file_ == nullptr) throw Stop{kFailed, name + ": " + std::strerror(errno)};
  begun_ = now_ns();
  std::fprintf(file_,
               "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n"
               "{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":1,\"args\":{\"name\":\"%s\"}},\n"
               "{\"name\":\"thread_name\",\"ph\":\"M\",\"pid\":1,\"tid\":1,"
               "\"args\":{\"name\":\"collections\"}}",
               program);
}

/// What comes between the phases, and after the sweep, is short: the slice around them shows it.
void Trace::add(const besom::CollectionStats& stats) noexcept {
  if (file_ == nullptr) return;
  const std::uint64_t end = now_ns() - begun_;
  const std::uint64_t begin = end - std::min(end, stats.pause_ns);
  levels(begin, stats.live_bytes + stats.freed_bytes, stats.committed);
  std::fprintf(file_,
               ",\n{\"name\":\"%s collection\",\"cat\":\"gc\",\"ph\":\"X\",\"ts\":%.3f,"
               "\"dur\":%.3f,\"pid\":1,\"tid\":1,\"args\":{\"number\":%" PRIu64
               ",\"cause\":\"%s\",\"abandoned\":%s,\"live_objects\":%" PRIu64
               ",\"freed_objects\":%" PRIu64 ",\"freed_bytes\":%" PRIu64 "}}",
               stats.minor ? "minor" : "full", microseconds(begin), microseconds(stats.pause_ns),
               stats.number, name_of(stats.cause), stats.abandoned ? "true" : "false",
               stats.live_objects, stats.freed_objects, stats.freed_bytes);
  std::uint64_t at = begin;
  const auto phase = [&](const char* name, std::uint64_t ns) {
    slice(name, at, ns);
    at += ns;
  };
  phase("roots", stats.roots_ns);
  phase("mark", stats.mark_ns);
  phase("weak", stats.weak_ns);
  phase("sweep", stats.sweep_ns);
  levels(end, stats.live_bytes, stats.committed);
}

void Trace::slice(const char* name, std::uint64_t from, std::uint64_t ns) noexcept {
  std::fprintf(file_,
               ",\n{\"name\":\"%s\",\"cat\":\"gc\",\"ph\":\"X\",\"ts\":%.3f,\"dur\":%.3f,"
               "\"pid\":1,\"tid\":1}",
               name, microseconds(from), microseconds(ns));
}

/// Drawn on top of each other, the two add up to what is committed.
void Trace::levels(std::uint64_t at, std::uint64_t live, std::uint64_t committed) noexcept {
  std::fprintf(file_,
               ",\n{\"name\":\"heap bytes\",\"ph\":\"C\",\"ts\":%.3f,\"pid\":1,"
               "\"args\":{\"live\":%" PRIu64 ",\"free\":%" PRIu64 "}}",
               microseconds(at), live, committed - std::min(committed, live));
}

bool Trace::finish() noexcept {
  if (file_ == nullptr) return true;
  std::fputs("\n]}\n", file_);
  const bool failed = std::ferror(file_) != 0;
  const bool closed = std::fclose(std::exchange(file_, nullptr)) == 0;
  return closed && !failed;
}

}  // namespace example
