#pragma once

#include <cstddef>
#include <cstdint>

#include "besom/error.hpp"
#include "besom/system.hpp"

namespace besom::detail {

/// A file that is written beside the one of its name, and takes its place when all of it is on the
/// medium: until then, and whatever fails, the old file is there as it was. Removes what it wrote
/// unless that took its place; a process that is killed leaves it behind as `NAME.XXXXXX`.
///
/// All errors are write_failed, with errno. Takes no host memory. Not thread-safe.
class ReplacedFile {
 public:
  explicit ReplacedFile(const System& system) noexcept : system_(system) {}
  ReplacedFile(const ReplacedFile&) = delete;
  ReplacedFile& operator=(const ReplacedFile&) = delete;
  ~ReplacedFile();

  /// `name` has to stay until commit(). It names a regular file or none.
  [[nodiscard]] Error open(const char* name) noexcept;
  /// Appends. After an error only the destructor is left to call.
  [[nodiscard]] Error write(const char* data, std::size_t bytes) noexcept;
  /// Puts the file in its place when it is on the medium. Once, as each of the next two.
  [[nodiscard]] Error commit() noexcept;
  /// Puts it in its place without waiting for the medium: what a system that fails may lose.
  [[nodiscard]] Error place() noexcept;
  /// Puts it in its place while it grows: what is written later appears there. Then close().
  [[nodiscard]] Error show() noexcept;
  /// Ends a file that was shown. Nothing where none is open.
  [[nodiscard]] Error close() noexcept;

 private:
  static constexpr std::size_t kMaxName = 4096;  ///< Linux's PATH_MAX, the zero included.

  const System& system_;
  const char* name_ = nullptr;
  char written_name_[kMaxName];
  int file_ = -1;
  std::uint64_t written_ = 0;
  bool exists_ = false;  ///< There is a file of `written_name_`.
};

}  // namespace besom::detail
