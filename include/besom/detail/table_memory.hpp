#pragma once

#include <cstddef>

namespace besom {

/// Where the tables of a heap take their memory from: a free list knows no system calls, and
/// whoever makes one gives it these. A copy costs three words. What `context` points to outlives
/// the tables.
struct TableMemory {
  struct Calls {
    /// Zeroed memory that costs only the pages that are written; nullptr when there is none.
    void* (*map)(const void* context, std::size_t bytes, const char* name);
    /// All of what map() gave.
    void (*unmap)(const void* context, void* data, std::size_t bytes);
    /// Gives the whole pages in it back; they read as zero.
    void (*discard)(const void* context, void* data, std::size_t bytes);
    /// Gives those pages back that hold only zeros. O(bytes).
    void (*discard_zeros)(const void* context, void* data, std::size_t bytes);
  };
  /// Smaller tables come from malloc all the same, and nothing of them is given back: a mapping of
  /// its own takes at least a page, which may be as large as this.
  static constexpr std::size_t kLeastMapped = 64 << 10;

  const Calls* calls = nullptr;  ///< nullptr: all tables come from malloc.
  const void* context = nullptr;
  const char* name = "besom tables";  ///< Of mappings, in the process's memory map. Static.

  [[nodiscard]] constexpr TableMemory named(const char* text) const noexcept {
    return {calls, context, text};
  }
  [[nodiscard]] constexpr bool maps(std::size_t bytes) const noexcept {
    return calls != nullptr && bytes >= kLeastMapped;
  }
};

}  // namespace besom
