#include "inspect/observe/trace.hpp"

#include <algorithm>
#include <cinttypes>
#include <utility>

#include "heap/arena.hpp"
#include "inspect/observe/program_name.hpp"

namespace besom::detail {
namespace {

/// The format's unit is the microsecond.
struct Microseconds {
  std::uint64_t whole;
  std::uint64_t thousandths;
};
Microseconds in_us(std::uint64_t ns) noexcept { return {ns / 1000, ns % 1000}; }

const char* title_of(StopKind kind) noexcept {
  if (kind == StopKind::full) return "full collection";
  return kind == StopKind::minor ? "minor collection" : name_of(kind);
}

void add_figures(TextOutput& text, const CollectionStats& stats) noexcept {
  text.print(",\"args\":{\"number\":%" PRIu64 ",\"cause\":\"%s\",\"abandoned\":%s", stats.number,
             name_of(stats.cause), stats.abandoned ? "true" : "false");
  text.print(",\"live_objects\":%" PRIu64 ",\"freed_bytes\":%" PRIu64 "}", stats.live_objects,
             stats.freed_bytes);
}

}  // namespace

Error Trace::open(const FileName& name) noexcept {
  if (!buffer_.grow(kBufferBytes)) return {.code = Errc::out_of_host_memory, .detail = "trace"};
  name_.take(name);
  if (const Error error = file_.open(name_.c_str())) return error;
  TextOutput text = begin_events();
  text.print("[\n{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":%" PRIi64 ",\"args\":{\"name\":\"",
             process_);
  for (const char c : program_name().substr(0, 255)) {
    const bool is_plain = c >= ' ' && c <= '~' && c != '"' && c != '\\';
    text.add({is_plain ? &c : "?", 1});
  }
  text.add("\"}}");
  end_events(text);
  if (const Error error = file_.write(buffer_.data(), used_)) return error;
  used_ = 0;
  return file_.show();
}

TextOutput Trace::begin_events() noexcept {
  if (kBufferBytes - used_ < kMostBytes) write();
  return {&buffer_[used_], kBufferBytes - used_};
}

void Trace::end_events(const TextOutput& text) noexcept {
  BESOM_ASSERT(text.length() < kMostBytes);
  used_ += text.length();
}

void Trace::write() noexcept {
  const std::size_t bytes = std::exchange(used_, 0);
  // The file is the parent's.
  if (has_failed_ || process_id() != process_) return;
  const Error error = file_.write(buffer_.data(), bytes);
  if (!error) return;
  has_failed_ = true;
  char message[160];
  error.write_message(message, sizeof message);
  log_.log(LogLevel::error, "trace %s ends here: %s", name_.c_str(), message);
}

void Trace::add_slice(TextOutput& text, const char* name, std::uint64_t begin,
                      std::uint64_t ns) const noexcept {
  const Microseconds at = in_us(begin - begun_);
  const Microseconds length = in_us(ns);
  text.print(",\n{\"name\":\"%s\",\"cat\":\"gc\",\"ph\":\"X\",\"pid\":%" PRIi64 ",\"tid\":1", name,
             process_);
  text.print(",\"ts\":%" PRIu64 ".%03" PRIu64 ",\"dur\":%" PRIu64 ".%03" PRIu64, at.whole,
             at.thousandths, length.whole, length.thousandths);
}

/// From the beginning to the end of marking, what the program does between the stops included.
void Trace::add_cycle(TextOutput& text, const char* phase, std::uint64_t at) const noexcept {
  const Microseconds us = in_us(at - begun_);
  text.print(",\n{\"name\":\"cycle\",\"cat\":\"gc\",\"ph\":\"%s\",\"id\":%" PRIu64
             ",\"pid\":%" PRIi64 ",\"tid\":1",
             phase, cycles_, process_);
  text.print(",\"ts\":%" PRIu64 ".%03" PRIu64, us.whole, us.thousandths);
}

/// Drawn on top of each other, the two add up to what is committed.
void Trace::add_levels(TextOutput& text, std::uint64_t at, std::uint64_t live,
                       std::uint64_t committed) const noexcept {
  const Microseconds us = in_us(at - begun_);
  text.print(",\n{\"name\":\"heap bytes\",\"ph\":\"C\",\"pid\":%" PRIi64 ",\"ts\":%" PRIu64
             ".%03" PRIu64,
             process_, us.whole, us.thousandths);
  text.print(",\"args\":{\"live\":%" PRIu64 ",\"free\":%" PRIu64 "}}", live,
             committed - std::min(committed, live));
}

void Trace::add_stop(StopKind kind, std::uint64_t begin, std::uint64_t end) noexcept {
  add_held();
  TextOutput text = begin_events();
  const bool is_whole = kind == StopKind::full || kind == StopKind::minor;
  // A full collection gives up the cycle that it finds.
  if (is_in_cycle_ && (is_whole || kind == StopKind::begin)) {
    add_cycle(text, "e", begin);
    text.add(",\"args\":{\"given_up\":true}}");
    is_in_cycle_ = false;
  }
  if (is_whole || kind == StopKind::end) {
    held_ = {kind, begin, end};
    is_holding_ = true;
  } else {
    if (kind == StopKind::begin) {
      ++cycles_;
      is_in_cycle_ = true;
      add_cycle(text, "b", begin);
      text.add("}");
    }
    add_slice(text, title_of(kind), begin, end - begin);
    text.add("}");
  }
  end_events(text);
}

/// One that nothing was reported of: a callback jumped out.
void Trace::add_held() noexcept {
  if (!std::exchange(is_holding_, false)) return;
  TextOutput text = begin_events();
  add_slice(text, title_of(held_.kind), held_.begin, held_.end - held_.begin);
  text.add("}");
  end_events(text);
}

/// What comes between the phases, and after the sweep, is short: the slice around them shows it.
/// Those of a cycle lie in several stops.
void Trace::add_collection(const CollectionStats& stats) noexcept {
  if (!std::exchange(is_holding_, false)) return;
  TextOutput text = begin_events();
  add_levels(text, held_.begin, stats.live_bytes + stats.freed_bytes, stats.committed);
  add_slice(text, title_of(held_.kind), held_.begin, held_.end - held_.begin);
  if (is_in_cycle_) {
    text.add("}");
    add_cycle(text, "e", held_.end);
    is_in_cycle_ = false;
    add_figures(text, stats);
    text.add("}");
  } else {
    add_figures(text, stats);
    text.add("}");
    std::uint64_t at = held_.begin;
    const auto add_phase = [&](const char* name, std::uint64_t ns) {
      add_slice(text, name, at, ns);
      text.add("}");
      at += ns;
    };
    add_phase("roots", stats.roots_ns);
    add_phase("mark", stats.mark_ns);
    add_phase("weak", stats.weak_ns);
    add_phase("sweep", stats.sweep_ns);
  }
  add_levels(text, held_.end, stats.live_bytes, stats.committed);
  end_events(text);
  write();
}

void Trace::end() noexcept {
  add_held();
  TextOutput text = begin_events();
  text.add("\n]\n");
  end_events(text);
  write();
  static_cast<void>(file_.close());
}

}  // namespace besom::detail
