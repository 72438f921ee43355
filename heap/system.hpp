#pragma once

#include <cstddef>

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
};

/// The operating system.
[[nodiscard]] BESOM_API const System& operating_system() noexcept;

}  // namespace besom
