#pragma once

#include <cstdint>

namespace besom::test {

/// The host's allocator with faults injected, for an executable linked with --wrap of malloc,
/// calloc, realloc and free. operator new goes through it too.
class HostMemory {
 public:
  /// Lets the `k`th allocation from now on fail, counted from 1, or that and all later ones.
  static void fail(std::uint64_t k, bool persistent) noexcept;
  static void lift() noexcept;

  [[nodiscard]] static std::uint64_t allocations() noexcept;
  /// Allocations less frees.
  [[nodiscard]] static std::int64_t outstanding() noexcept;
  /// Since the last fail().
  [[nodiscard]] static std::uint64_t injected() noexcept;
  [[nodiscard]] static std::uint64_t injected_in_all() noexcept;
};

}  // namespace besom::test
