#pragma once

#include <cstdint>

#include "besom/detail/export.h"

namespace besom {

/// How much a line matters, the least first. No line has `off`.
enum class LogLevel : std::uint8_t { trace, debug, info, warn, error, off };

/// Where log lines go: a plain callback, so that no logging library shows in a public header. A
/// default-constructed sink drops everything.
struct BESOM_API LogSink {
  /// Receives a null-terminated line without newline, valid during the call only. It must not call
  /// back into the object that logs.
  using Write = void (*)(void* user, LogLevel level, const char* line) noexcept;

  Write write = nullptr;           ///< nullptr: lines are dropped.
  void* user = nullptr;            ///< Passed to `write`.
  LogLevel level = LogLevel::off;  ///< Lines below this level are not even formatted.

  /// Whether a line of that level would be handed on.
  [[nodiscard]] bool wants(LogLevel line_level) const noexcept {
    return write != nullptr && line_level >= level;
  }

  /// Formats like printf into a fixed buffer (longer lines are cut) and hands the line on.
  __attribute__((format(printf, 3, 4))) void log(LogLevel line_level, const char* format,
                                                 ...) const noexcept;
};

namespace detail {

/// What follows the noun behind a count: "1 hole", "2 holes".
[[nodiscard]] constexpr const char* plural(std::uint64_t count) noexcept {
  return count == 1 ? "" : "s";
}

}  // namespace detail
}  // namespace besom

/// Trace lines stand on hot paths: release builds compile them out.
#ifdef NDEBUG
#define BESOM_TRACE(sink, ...) static_cast<void>(0)
#else
#define BESOM_TRACE(sink, ...)                                                                \
  ((sink).wants(::besom::LogLevel::trace) ? (sink).log(::besom::LogLevel::trace, __VA_ARGS__) \
                                          : void(0))
#endif
