#pragma once

#include <cstddef>
#include <cstdint>

#include "besom/detail/zeroed_array.hpp"
#include "besom/log.hpp"
#include "besom/stats.hpp"
#include "heap/arena.hpp"
#include "heap/replaced_file.hpp"
#include "heap/text_output.hpp"
#include "inspect/observe/output_name.hpp"

namespace besom::detail {

/// Writes stops and collections as trace events, which Perfetto (ui.perfetto.dev) and
/// chrome://tracing draw: a slice for each stop, phases in those of whole collections, a span for
/// each cycle, and how the heap fills. The file has all of the last collection when that is over,
/// and lacks no more than its closing bracket, which the format does not ask for.
///
/// Source of the format: "Trace Event Format", the Chromium project.
class Trace {
 public:
  Trace(const System& system, const LogSink& log, std::uint64_t begun) noexcept
      : file_(system), log_(log), process_(process_id()), begun_(begun) {}

  /// Fails with write_failed and out_of_host_memory.
  [[nodiscard]] Error open(const FileName& name) noexcept;
  void add_stop(StopKind kind, std::uint64_t begin, std::uint64_t end) noexcept;
  /// To which the last stop belongs.
  void add_collection(const CollectionStats& stats) noexcept;
  void end() noexcept;

 private:
  static constexpr std::size_t kBufferBytes = 64 << 10;
  static constexpr std::size_t kMostBytes = 2 << 10;  ///< More than what one call here adds.

  struct Stop {
    StopKind kind;
    std::uint64_t begin;
    std::uint64_t end;
  };
  /// Room for more text, to be handed to add().
  [[nodiscard]] TextOutput begin_events() noexcept;
  void end_events(const TextOutput& text) noexcept;
  void write() noexcept;
  void add_held() noexcept;
  void add_slice(TextOutput& text, const char* name, std::uint64_t begin,
                 std::uint64_t ns) const noexcept;
  void add_cycle(TextOutput& text, const char* phase, std::uint64_t at) const noexcept;
  void add_levels(TextOutput& text, std::uint64_t at, std::uint64_t live,
                  std::uint64_t committed) const noexcept;

  OutputName name_;
  ReplacedFile file_;
  LogSink log_;
  ZeroedArray<char> buffer_;
  std::size_t used_ = 0;
  std::int64_t process_;
  std::uint64_t begun_;
  /// Of a whole collection, whose figures come after it.
  Stop held_{};
  bool is_holding_ = false;
  std::uint64_t cycles_ = 0;
  bool is_in_cycle_ = false;
  bool has_failed_ = false;
};

}  // namespace besom::detail
