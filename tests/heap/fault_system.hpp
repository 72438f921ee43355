#pragma once

#include <besom/system.hpp>
#include <cstddef>
#include <cstdint>

namespace besom::test {

/// One of the calls of the System seam.
enum class SystemCall : std::uint8_t {
  reserve,
  map,
  unmap,
  commit,
  discard,
  advise_huge,
  name,
  create_file,
  write_file,
  sync_file,
  close_file,
  replace_file,
  remove_file,
  advise_small
};
inline constexpr int kSystemCalls = 14;
[[nodiscard]] const char* name_of(SystemCall call) noexcept;

/// The operating system with faults injected, and an account of what is mapped. A System is a table
/// of plain functions, so there is one of these in a process. It allocates no host memory. Aborts
/// when it is asked for something with memory that it did not give, or with a part of a page.
class FaultSystem {
 public:
  [[nodiscard]] static const System& table() noexcept;
  /// Behaves as on a machine with pages of `bytes`, a multiple of its own; nothing may be mapped.
  /// 0: its own.
  static void set_page(std::size_t bytes) noexcept;
  /// Zeroes the counters of calls and lifts the fault.
  static void reset() noexcept;
  /// Lets the `k`th call from now on fail, counted from 1, or that and all later ones: with ENOMEM
  /// one for memory, with ENOSPC one for files.
  static void fail(SystemCall call, std::uint64_t k, bool persistent) noexcept;
  static void lift() noexcept;

  [[nodiscard]] static std::uint64_t calls(SystemCall call) noexcept;
  /// Since the last fail().
  [[nodiscard]] static std::uint64_t injected() noexcept;
  /// Since the process began.
  [[nodiscard]] static std::uint64_t injected_in_all() noexcept;
  [[nodiscard]] static std::size_t mappings() noexcept;
  [[nodiscard]] static std::uint64_t mapped_bytes() noexcept;
  /// Really unmaps what a failed unmap left behind.
  static void release_all() noexcept;
};

}  // namespace besom::test
