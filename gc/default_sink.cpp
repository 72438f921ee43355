#include "gc/default_sink.hpp"

#ifdef BESOM_HAS_SPDLOG
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <exception>
#include <memory>
#endif

namespace besom::detail {

#ifdef BESOM_HAS_SPDLOG

namespace {

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::trace:
      return spdlog::level::trace;
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warn:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
    case LogLevel::off:
      return spdlog::level::off;
  }
  return spdlog::level::off;
}

/// An embedder that registered a logger of this name gets the lines there, at the levels it set;
/// else standard error. Throws when there is no memory for a logger.
spdlog::logger& logger() {
  static const std::shared_ptr<spdlog::logger> instance = [] {
    std::shared_ptr<spdlog::logger> found = spdlog::get("besom");
    if (found == nullptr) {
      found = spdlog::stderr_logger_mt("besom");
      found->set_level(spdlog::level::trace);
    }
    return found;
  }();
  return *instance;
}

/// spdlog throws, and this file alone of the library is compiled with exceptions to stop that here:
/// a heap that cannot log goes on. spdlog reports what went wrong with a registered logger itself.
void write(void*, LogLevel level, const char* line) noexcept {
  try {
    logger().log(spdlog_level(level), line);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "besom: %s (not logged: %s)\n", line, error.what());
  } catch (...) {
    std::fprintf(stderr, "besom: %s (not logged: a sink threw)\n", line);
  }
}

}  // namespace

LogSink default_sink(LogLevel level) noexcept {
  return {.write = write, .user = nullptr, .level = level};
}

#else

LogSink default_sink(LogLevel) noexcept { return {}; }

#endif

}  // namespace besom::detail
