#include "besom/error.hpp"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstring>

#include "besom/log.hpp"

namespace besom {
namespace {

// strerror_r is one of two functions: one returns the text, one a status.
[[maybe_unused]] const char* text_of(const char* text, const char*) noexcept { return text; }
[[maybe_unused]] const char* text_of(int status, const char* buffer) noexcept {
  return status == 0 ? buffer : "unknown error";
}

}  // namespace

using detail::plural;

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
    case Errc::write_failed:
      return "write_failed";
    case Errc::bad_argument:
      return "bad_argument";
  }
  return "unknown";
}

Error Error::named(std::string_view text) const noexcept {
  Error result = *this;
  constexpr std::size_t kMost = sizeof result.name - 1;
  const std::size_t length = std::min(text.size(), kMost);
  for (std::size_t i = 0; i < length; ++i) {
    result.name[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
  }
  if (text.size() > kMost) std::memset(result.name + kMost - 3, '.', 3);
  result.name[length] = '\0';
  return result;
}

std::size_t Error::write_message(char* buffer, std::size_t size) const noexcept {
  char needed[64] = "";
  char met[96] = "";
  char reason[64] = "";
  // Where memory was wanted, bytes; else what was given, and what it is held against.
  const bool is_memory = (code >= Errc::reserve_failed && code <= Errc::out_of_host_memory) ||
                         code == Errc::unbalanced || code == Errc::write_failed;
  if (bytes != 0 && is_memory) {
    std::snprintf(needed, sizeof needed, ": %" PRIu64 " byte%s needed", bytes, plural(bytes));
  } else if (bytes != 0) {
    std::snprintf(needed, sizeof needed, ": %" PRIu64, bytes);
  }
  if (used != 0) {
    std::snprintf(met, sizeof met, ", %" PRIu64 " of %" PRIu64 " byte%s in use", used, limit,
                  plural(limit));
  } else if (limit != 0 && is_memory) {
    std::snprintf(met, sizeof met, ", limit is %" PRIu64 " byte%s", limit, plural(limit));
  } else if (limit != 0) {
    std::snprintf(met, sizeof met, ", against %" PRIu64, limit);
  }
  char called[sizeof name + 8] = "";
  if (name[0] != '\0') std::snprintf(called, sizeof called, ": `%s`", name);
  const char* before_detail = bytes != 0 ? " (" : ": ";
  const bool has_detail = detail != nullptr;
  const bool has_errno = system_errno != 0;
  const int length = std::snprintf(
      buffer, size, "%s%s%s%s%s%s%s%s%s", name_of(code), called, needed, met,
      has_detail ? before_detail : "", has_detail ? detail : "",
      has_detail && bytes != 0 ? ")" : "", has_errno ? ": " : "",
      has_errno ? text_of(strerror_r(system_errno, reason, sizeof reason), reason) : "");
  return length < 0 ? 0 : static_cast<std::size_t>(length);
}

}  // namespace besom
