#pragma once

#include <besom/besom.hpp>
#include <cstdio>
#include <string>

namespace example {

/// Writes the collections of a run as Chrome trace events, which Perfetto (ui.perfetto.dev) and
/// chrome://tracing draw: a slice for each with its phases inside, and how the heap fills.
///
/// Source of the format: "Trace Event Format", the Chromium project.
class Trace {
 public:
  Trace() = default;
  Trace(const Trace&) = delete;
  Trace& operator=(const Trace&) = delete;
  ~Trace() {
    if (file_ != nullptr) std::fclose(file_);
  }

  /// `program` names the process in the trace. Throws Stop when the file cannot be made.
  void open(const std::string& name, const char* program);
  /// To be called by a collection's listener: the collection has just ended. Does nothing before
  /// open(). A cycle of an incremental heap shows as if its stops came all together at its end.
  void add(const besom::CollectionStats& stats) noexcept;
  /// Ends the text. False when not all of it could be written.
  [[nodiscard]] bool finish() noexcept;

 private:
  void slice(const char* name, std::uint64_t from, std::uint64_t ns) noexcept;
  void levels(std::uint64_t at, std::uint64_t live, std::uint64_t committed) noexcept;

  std::FILE* file_ = nullptr;
  std::uint64_t begun_ = 0;
};

}  // namespace example
