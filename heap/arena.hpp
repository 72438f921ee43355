#pragma once

#include <cstddef>
#include <cstdint>

#include "heap/error.hpp"
#include "heap/system.hpp"

namespace besom {

/// Gives those pages of `[begin, begin + bytes)`, private memory of this process, back to the
/// system that hold only zeros: they read the same. Returns the bytes given back. O(bytes).
std::uint64_t discard_zeros(const void* begin, std::uint64_t bytes, const System& system) noexcept;

/// The one mapping that all objects live in.
///
///            base (a multiple of 4 GiB)
///   | prefix |<------ committed ------>|<-- reserved, inaccessible -->|<- guard, inaccessible ->|
///   | cards  |nil|blocks and holes ... |                              |                         |
///
/// The base's alignment lets the address of a slot tell the base, so that a 32-bit ref can be
/// followed without any other pointer, and leads to what lies below it: see Cards. With the full
/// reservation the guard is 4 GiB: no 32-bit index plus 32-bit offset leaves it. Only the committed
/// prefix takes memory, and only where used.
///
/// Owns the mapping; destroyed in one munmap. Not thread-safe.
class Arena {
 public:
  static constexpr std::uint64_t kAlignment = std::uint64_t{1} << 32;
  static constexpr std::uint64_t kFullReservation = std::uint64_t{2} << 32;
  /// The guard behind a smaller reservation.
  static constexpr std::uint64_t kSmallGuard = 64 << 10;
  static constexpr std::uint64_t kHugePage = 2 << 20;
  static constexpr std::uint64_t kPage = 4 << 10;

  /// Reserves room for `max_bytes`, all 8 GiB where `reserve_bytes` is 0, and below it for what
  /// records stores if that is wanted. Fails with reserve_failed and, for the prefix, with
  /// commit_failed.
  [[nodiscard]] static Result<Arena> reserve(std::uint64_t max_bytes, std::uint64_t reserve_bytes,
                                             const System& system, bool record_stores = false);
  Arena(Arena&& other) noexcept;
  Arena& operator=(Arena&&) = delete;
  ~Arena();

  [[nodiscard]] char* base() const noexcept { return base_; }
  [[nodiscard]] std::uint64_t committed() const noexcept { return committed_; }
  /// From the base on, the guard included.
  [[nodiscard]] std::uint64_t reserved() const noexcept { return reserved_; }

  /// Makes the prefix of `bytes` (a multiple of kPage) accessible; a smaller prefix is left alone.
  /// Fails with commit_failed and changes nothing.
  [[nodiscard]] Error commit(std::uint64_t bytes) noexcept;
  /// Gives the whole pages inside `[index, index + bytes)` back to the system; they read as zero.
  /// Returns the bytes given back.
  std::uint64_t discard(std::uint64_t index, std::uint64_t bytes) noexcept;
  [[nodiscard]] const System& system() const noexcept { return *system_; }

 private:
  Arena(char* base, std::uint64_t prefix, std::uint64_t reserved, const System& system) noexcept
      : base_(base), prefix_(prefix), reserved_(reserved), system_(&system) {}

  char* base_;
  std::uint64_t committed_ = 0;
  std::uint64_t prefix_;
  std::uint64_t reserved_;
  const System* system_;
};

/// Zeroed memory for a side table, taken straight from the system: it costs only the pages that are
/// written. Owns its mapping.
class SideTable {
 public:
  SideTable() = default;
  SideTable(SideTable&& other) noexcept;
  SideTable& operator=(SideTable&& other) noexcept;
  ~SideTable();

  /// Fails with out_of_host_memory.
  [[nodiscard]] static Result<SideTable> map(std::uint64_t bytes, const char* name,
                                             const System& system);
  [[nodiscard]] void* data() const noexcept { return data_; }
  [[nodiscard]] std::uint64_t size_bytes() const noexcept { return bytes_; }
  /// Gives the pages from `offset` on back to the system.
  void discard_from(std::uint64_t offset) noexcept;
  /// Gives the pages below `end` back that hold only zeros; returns the bytes given back.
  std::uint64_t discard_zeros_below(std::uint64_t end) noexcept;

 private:
  void* data_ = nullptr;
  std::uint64_t bytes_ = 0;
  const System* system_ = nullptr;
};

}  // namespace besom
