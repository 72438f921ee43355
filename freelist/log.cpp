#include "besom/log.hpp"

#include <cstdarg>
#include <cstdio>

namespace besom {

void LogSink::log(LogLevel line_level, const char* format, ...) const noexcept {
  if (!wants(line_level)) return;
  char line[512];
  std::va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  write(user, line_level, line);
}

}  // namespace besom
