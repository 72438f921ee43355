#pragma once

#include "besom/inspect.hpp"
#include "heap/replaced_file.hpp"

namespace besom::detail {

/// A file as a sink, which keeps the error that it met.
struct FileTarget {
  explicit FileTarget(const System& system) noexcept : file(system) {}

  /// Good as long as this stays in place.
  [[nodiscard]] SnapshotSink sink() noexcept {
    const auto append = [](void* user, const char* bytes, std::size_t count) {
      auto* to = static_cast<FileTarget*>(user);
      to->error = to->file.write(bytes, count);
      return !to->error;
    };
    return {.write = append, .user = this};
  }

  ReplacedFile file;
  Error error;
};

}  // namespace besom::detail
