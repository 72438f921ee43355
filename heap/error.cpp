#include "heap/error.hpp"

#include <cinttypes>
#include <cstdio>
#include <cstring>

namespace besom {

const char* name_of(Errc code) noexcept {
  switch (code) {
    case Errc::ok:
      return "ok";
    case Errc::reserve_failed:
      return "reserve_failed";
    case Errc::commit_failed:
      return "commit_failed";
    case Errc::heap_limit:
      return "heap_limit";
    case Errc::object_too_large:
      return "object_too_large";
    case Errc::out_of_host_memory:
      return "out_of_host_memory";
    case Errc::bad_ref:
      return "bad_ref";
    case Errc::bad_type:
      return "bad_type";
    case Errc::bad_option:
      return "bad_option";
    case Errc::stale_handle:
      return "stale_handle";
    case Errc::wrong_heap:
      return "wrong_heap";
    case Errc::wrong_thread:
      return "wrong_thread";
    case Errc::reentrant:
      return "reentrant";
    case Errc::unbalanced:
      return "unbalanced";
    case Errc::no_collect:
      return "no_collect";
    case Errc::abandoned:
      return "abandoned";
  }
  return "unknown";
}

std::string Error::message() const {
  char figures[160];
  std::string text = name_of(code);
  if (bytes != 0) {
    std::snprintf(figures, sizeof figures, ": %" PRIu64 " bytes needed", bytes);
    text += figures;
  }
  if (limit != 0) {
    std::snprintf(figures, sizeof figures, ", limit is %" PRIu64 " bytes", limit);
    text += figures;
  }
  if (detail != nullptr) {
    text += bytes != 0 ? " (" : ": ";
    text += detail;
    if (bytes != 0) text += ')';
  }
  if (system_errno != 0) {
    text += ": ";
    text += std::strerror(system_errno);
  }
  return text;
}

}  // namespace besom
