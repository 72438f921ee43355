#include "gc/roots/held_rows.hpp"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstring>

#include "gc/roots/root_walks.hpp"

namespace besom {

const char* name_of(HeldRoot::Kind kind) noexcept {
  switch (kind) {
    case HeldRoot::Kind::handle:
      return "handle";
    case HeldRoot::Kind::local:
      return "local";
    case HeldRoot::Kind::range:
      return "range";
    case HeldRoot::Kind::callback:
      return "callback";
    case HeldRoot::Kind::mark_hook:
      return "mark hook";
  }
  return "unknown";
}

namespace detail {
namespace {

/// Puts those rows together that sorting made neighbours.
void merge(HeldRows& held) noexcept {
  if (held.count == 0) return;
  HeldRoot* const rows = &held.rows[0];
  std::sort(rows, rows + held.count, [](const HeldRoot& a, const HeldRoot& b) {
    return a.kind != b.kind ? a.kind < b.kind : std::strcmp(a.label, b.label) < 0;
  });
  HeldRoot* last = rows;
  for (HeldRoot* row = rows + 1; row != rows + held.count; ++row) {
    if (row->kind == last->kind && std::strcmp(row->label, last->label) == 0) {
      ++last->count;
    } else {
      *++last = *row;
    }
  }
  held.count = static_cast<std::size_t>(last - rows) + 1;
}

}  // namespace

Result<HeldRows> count_held(const RootTable& roots) noexcept {
  HeldRows held;
  bool has_memory = true;
  roots.each_held([&](HeldRoot::Kind kind, const char* label) {
    if (held.count == held.rows.size()) {
      has_memory = has_memory && held.rows.grow(held.count * 2 + 64);
      if (!has_memory) return;
    }
    held.rows[held.count++] = {.kind = kind, .label = label != nullptr ? label : "", .count = 1};
  });
  if (!has_memory) return Error{.code = Errc::out_of_host_memory, .detail = "list of roots"};
  merge(held);
  return held;
}

void log_held_handles(const RootTable& roots, const LogSink& log) noexcept {
  if (roots.handles().count() == 0 || !log.wants(LogLevel::info)) return;
  char labels[400] = "";
  const Result<HeldRows> held = count_held(roots);
  std::size_t length = 0;
  for (std::size_t i = 0; held && i < held->count; ++i) {
    const HeldRoot& row = held->rows[i];
    if (row.kind != HeldRoot::Kind::handle) break;
    const std::size_t room = sizeof labels - length;
    const int wanted = std::snprintf(labels + length, room, "%s '%s' (%" PRIu64 ")",
                                     length == 0 ? ":" : ",", row.label, row.count);
    if (wanted < 0 || static_cast<std::size_t>(wanted) >= room) {
      std::snprintf(labels + length, room, ", ...");
      break;
    }
    length += static_cast<std::size_t>(wanted);
  }
  const std::uint64_t count = roots.handles().count();
  log.log(LogLevel::info, "heap destroyed with %" PRIu64 " handle%s held%s", count, plural(count),
          labels);
}

}  // namespace detail
}  // namespace besom
