#pragma once

#include <cstddef>
#include <cstdint>

#include "besom/detail/export.h"

namespace besom {

/// The system calls that the heap makes, as a table, so that an embedder can serve them and a test
/// can make the kth one fail. Each behaves like the call of its name: nullptr or -1 for failure,
/// with errno set. Addresses and sizes of memory are multiples of the page. The first five are
/// required; what is said to be optional may be null.
struct System {
  /// Greatest page of any machine that Besom runs on.
  static constexpr std::size_t kAnyPage = 64 << 10;

  /// Reserves `bytes` of inaccessible address space at `hint` exactly; without a hint, anywhere.
  /// The operating system leaves it out of core files.
  void* (*reserve)(void* hint, std::size_t bytes) = nullptr;
  /// Maps `bytes` of zeroed, accessible memory that takes no space until written.
  void* (*map)(std::size_t bytes) = nullptr;
  /// Of what reserve() or map() gave, all or the first or last part.
  int (*unmap)(void* address, std::size_t bytes) = nullptr;
  /// Makes reserved memory accessible. It is in core files from then on.
  int (*commit)(void* address, std::size_t bytes) = nullptr;
  /// Gives the memory back; reading it again finds zeros. Only of what was mapped or committed.
  int (*discard)(void* address, std::size_t bytes) = nullptr;
  /// Asks for huge pages. Optional; failure is not an error.
  int (*advise_huge)(void* address, std::size_t bytes) = nullptr;
  /// Shows `name` in the process's memory map. Optional; failure is not an error.
  int (*name)(void* address, std::size_t bytes, const char* name) = nullptr;

  // Files, for save_snapshot() and what the options let a heap write: these fail with write_failed
  // where one of them is null.

  /// Makes a file that did not exist and nobody else may read; the `XXXXXX` at the end of `name`
  /// becomes what no file is called. Returns its descriptor.
  int (*create_file)(char* name) = nullptr;
  /// Writes at `offset`. May write less than `bytes`, but not nothing. Beyond RLIMIT_FSIZE it fails
  /// with EFBIG and sends no signal.
  std::int64_t (*write_file)(int file, const void* data, std::size_t bytes,
                             std::uint64_t offset) = nullptr;
  /// Returns when the file's bytes are on the medium.
  int (*sync_file)(int file) = nullptr;
  /// The descriptor is gone even where this fails.
  int (*close_file)(int file) = nullptr;
  /// Puts `file` in the place of `target` at once. Fails with EEXIST where `target` is there and no
  /// regular file, such as a device or a link.
  int (*replace_file)(const char* target, const char* file) = nullptr;
  /// As unlink().
  int (*remove_file)(const char* name) = nullptr;

  /// Asks for pages of the ordinary size, so that the system does not fill the gaps in a huge one
  /// that was given back in part; advise_huge() takes it back. Optional; failure is not an error.
  int (*advise_small)(void* address, std::size_t bytes) = nullptr;
  /// The page in bytes: a power of two from 4 KiB to 2 MiB. 0: kAnyPage.
  std::size_t page_bytes = 0;

  /// page_bytes, or what stands for 0.
  [[nodiscard]] constexpr std::size_t page() const noexcept {
    return page_bytes != 0 ? page_bytes : kAnyPage;
  }
};

/// The operating system.
[[nodiscard]] BESOM_API const System& operating_system() noexcept;

}  // namespace besom
