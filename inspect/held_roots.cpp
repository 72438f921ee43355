#include "inspect/held_roots.hpp"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstring>

#include "gc/observers.hpp"
#include "gc/roots/root_walks.hpp"
#include "heap/text_output.hpp"

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

std::uint64_t HeldRoots::count(HeldRoot::Kind kind) const noexcept {
  std::uint64_t sum = 0;
  for (const HeldRoot& row : rows()) sum += row.kind == kind ? row.count : 0;
  return sum;
}

std::size_t HeldRoots::write_message(char* buffer, std::size_t size) const noexcept {
  detail::TextOutput text(buffer, size);
  for (const HeldRoot& row : rows()) {
    text.print("%" PRIu64 " %s '", row.count, name_of(row.kind)).add(row.label).add("'\n");
  }
  return text.length();
}

/// Lists each root by itself, then puts those together that sorting made neighbours.
class HeldRootsFinder {
 public:
  [[nodiscard]] bool find(const detail::RootTable& roots) noexcept {
    roots.each_held([&](HeldRoot::Kind kind, const char* label) {
      add({.kind = kind, .label = label != nullptr ? label : "", .count = 1});
    });
    if (!has_memory_ || held_.count_ == 0) return has_memory_;
    HeldRoot* const rows = &held_.rows_[0];
    std::sort(rows, rows + held_.count_, [](const HeldRoot& a, const HeldRoot& b) {
      return a.kind != b.kind ? a.kind < b.kind : std::strcmp(a.label, b.label) < 0;
    });
    HeldRoot* last = rows;
    for (HeldRoot* row = rows + 1; row != rows + held_.count_; ++row) {
      if (row->kind == last->kind && std::strcmp(row->label, last->label) == 0) {
        ++last->count;
      } else {
        *++last = *row;
      }
    }
    held_.count_ = static_cast<std::size_t>(last - rows) + 1;
    return true;
  }
  [[nodiscard]] HeldRoots take() noexcept { return std::move(held_); }

 private:
  void add(const HeldRoot& row) noexcept {
    if (held_.count_ == held_.rows_.size()) {
      has_memory_ = has_memory_ && held_.rows_.grow(held_.count_ * 2 + 64);
      if (!has_memory_) return;
    }
    held_.rows_[held_.count_++] = row;
  }

  HeldRoots held_;
  bool has_memory_ = true;
};

namespace detail {

Result<HeldRoots> find_held_roots(const RootTable& roots) {
  HeldRootsFinder finder;
  if (finder.find(roots)) return finder.take();
  return Error{.code = Errc::out_of_host_memory, .detail = "list of roots"};
}

void log_held_handles(const RootTable& roots, const LogSink& log) noexcept {
  if (roots.handles().count() == 0 || !log.wants(LogLevel::info)) return;
  char labels[400] = "";
  HeldRootsFinder finder;
  const bool listed = finder.find(roots);
  const HeldRoots held = finder.take();
  std::size_t length = 0;
  for (const HeldRoot& row : held.rows()) {
    if (!listed || row.kind != HeldRoot::Kind::handle) break;
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
