#pragma once

#include <cstddef>
#include <cstdint>

#include "freelist/export.hpp"

namespace besom {

/// The system calls that the heap makes, as a table, so that a test can make the kth one fail.
/// Each behaves like the call of its name: nullptr or -1 for failure, with errno set.
struct System {
  /// Reserves `bytes` of inaccessible address space at `hint` exactly; without a hint, anywhere.
  void* (*reserve)(void* hint, std::size_t bytes);
  /// Maps `bytes` of zeroed, accessible memory that takes no space until written.
  void* (*map)(std::size_t bytes);
  int (*unmap)(void* address, std::size_t bytes);
  /// Makes reserved memory accessible.
  int (*commit)(void* address, std::size_t bytes);
  /// Gives the memory back; reading it again finds zeros.
  int (*discard)(void* address, std::size_t bytes);
  /// Asks for huge pages. Failure is not an error.
  int (*advise_huge)(void* address, std::size_t bytes);
  /// Shows `name` in the process's memory map. Failure is not an error.
  int (*name)(void* address, std::size_t bytes, const char* name);

  /// Makes a file that did not exist and nobody else may read; the `XXXXXX` at the end of `name`
  /// becomes what no file is called. Returns its descriptor.
  int (*create_file)(char* name);
  /// Writes at `offset`. May write less than `bytes`, but not nothing. Beyond RLIMIT_FSIZE it fails
  /// with EFBIG and sends no signal.
  std::int64_t (*write_file)(int file, const void* data, std::size_t bytes, std::uint64_t offset);
  /// Returns when the file's bytes are on the medium.
  int (*sync_file)(int file);
  /// The descriptor is gone even where this fails.
  int (*close_file)(int file);
  /// Puts `file` in the place of `target` at once. Fails with EEXIST where `target` is there and no
  /// regular file, such as a device or a link.
  int (*replace_file)(const char* target, const char* file);
  int (*remove_file)(const char* name);
};

/// The operating system.
[[nodiscard]] BESOM_API const System& operating_system() noexcept;

}  // namespace besom
