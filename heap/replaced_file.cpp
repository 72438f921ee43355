#include "heap/replaced_file.hpp"

#include <cerrno>
#include <cstdio>
#include <utility>

namespace besom::detail {
namespace {

Error failure(const char* detail) noexcept {
  return {.code = Errc::write_failed, .system_errno = errno, .detail = detail};
}

}  // namespace

ReplacedFile::~ReplacedFile() {
  static_cast<void>(close());
  if (exists_) system_.remove_file(written_name_);
}

Error ReplacedFile::open(const char* name) noexcept {
  if (system_.create_file == nullptr || system_.write_file == nullptr ||
      system_.sync_file == nullptr || system_.close_file == nullptr ||
      system_.replace_file == nullptr || system_.remove_file == nullptr) {
    errno = ENOSYS;
    return failure("a call for files that `system` does not have");
  }
  name_ = name;
  const int length = std::snprintf(written_name_, kMaxName, "%s.XXXXXX", name);
  if (length < 0 || static_cast<std::size_t>(length) >= kMaxName) {
    errno = ENAMETOOLONG;
    return failure("file's name");
  }
  file_ = system_.create_file(written_name_);
  if (file_ < 0) return failure("file made beside the one to be replaced");
  exists_ = true;
  return {};
}

Error ReplacedFile::write(const char* data, std::size_t bytes) noexcept {
  while (bytes != 0) {
    const std::int64_t count = system_.write_file(file_, data, bytes, written_);
    if (count <= 0) return failure("write to file");
    data += count;
    bytes -= static_cast<std::size_t>(count);
    written_ += static_cast<std::uint64_t>(count);
  }
  return {};
}

Error ReplacedFile::commit() noexcept {
  if (system_.sync_file(file_) != 0) return failure("sync of file");
  return place();
}

Error ReplacedFile::place() noexcept {
  if (Error error = close()) return error;
  return show();
}

Error ReplacedFile::show() noexcept {
  if (system_.replace_file(name_, written_name_) != 0) return failure("file to be replaced");
  exists_ = false;
  return {};
}

Error ReplacedFile::close() noexcept {
  if (file_ < 0 || system_.close_file(std::exchange(file_, -1)) == 0) return {};
  return failure("close of file");
}

}  // namespace besom::detail
