#include "gc/default_sink.hpp"

#ifdef BESOM_HAS_SPDLOG
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
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

/// An embedder that registered a logger of this name gets the lines there; else standard error.
spdlog::logger& logger() {
  static const std::shared_ptr<spdlog::logger> instance = [] {
    std::shared_ptr<spdlog::logger> found = spdlog::get("besom");
    if (found == nullptr) found = spdlog::stderr_logger_mt("besom");
    found->set_level(spdlog::level::trace);
    return found;
  }();
  return *instance;
}

}  // namespace

LogSink default_sink(LogLevel level) noexcept {
  return {.write = [](void*, LogLevel line_level,
                      const char* line) noexcept { logger().log(spdlog_level(line_level), line); },
          .user = nullptr,
          .level = level};
}

#else

LogSink default_sink(LogLevel) noexcept { return {}; }

#endif

}  // namespace besom::detail
