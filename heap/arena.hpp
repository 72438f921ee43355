#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>

#include "besom/detail/table_memory.hpp"
#include "besom/error.hpp"
#include "besom/system.hpp"
#include "heap/zero_pages.hpp"

namespace besom {

/// Gives those pages of `[begin, begin + bytes)`, memory that `system` gave, back that hold only
/// zeros: they read the same. Returns the bytes given back. O(bytes).
std::uint64_t discard_zeros(const void* begin, std::uint64_t bytes, const System& system) noexcept;

/// Tables from system.map(), and back to system.unmap(). `system` outlives them.
[[nodiscard]] TableMemory table_memory(const System& system) noexcept;

/// Never 0, and another each time; where the system has no randomness to give, from the time.
[[nodiscard]] std::uint64_t random_seed() noexcept;

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
  /// The guard behind a smaller reservation; a page, where that is more.
  static constexpr std::uint64_t kSmallGuard = 64 << 10;
  static constexpr std::uint64_t kHugePage = 2 << 20;
  /// Capacities are rounded to multiples of this whatever the machine's page is, so that the same
  /// program has the same collections on each.
  static constexpr std::uint64_t kStep = 4 << 10;

  /// Reserves room for `max_bytes`, at most 4 GiB, all 8 GiB where `reserve_bytes` is 0, and below
  /// it for the cards that record stores, which they do from the beginning if that is wanted. Fails
  /// with reserve_failed, for the prefix with commit_failed, and with out_of_host_memory.
  [[nodiscard]] static Result<Arena> reserve(std::uint64_t max_bytes, std::uint64_t reserve_bytes,
                                             const System& system, bool record_stores = false);
  /// Takes small pages alone from now on: the first touch of a huge one stops the program for as
  /// long as clearing 2 MiB takes.
  void use_small_pages() noexcept { wants_huge_ = false; }
  Arena(Arena&& other) noexcept;
  Arena& operator=(Arena&&) = delete;
  ~Arena();

  [[nodiscard]] char* base() const noexcept { return base_; }
  [[nodiscard]] std::uint64_t committed() const noexcept { return committed_; }
  /// From the base on, the guard included.
  [[nodiscard]] std::uint64_t reserved() const noexcept { return reserved_; }

  [[nodiscard]] std::uint64_t page_bytes() const noexcept { return system_->page(); }
  [[nodiscard]] std::uint64_t table_bytes() const noexcept { return zero_pages_.size_bytes(); }

  /// Makes the prefix of `bytes`, rounded up to the page, accessible; a smaller prefix is left
  /// alone. Fails with commit_failed and changes nothing.
  [[nodiscard]] Error commit(std::uint64_t bytes) noexcept;
  /// Gives the whole pages inside `[index, index + bytes)` back to the system; they read as zero,
  /// and the system keeps off until they are used again. Returns the bytes that were not given back
  /// before.
  std::uint64_t discard(std::uint64_t index, std::uint64_t bytes) noexcept;
  /// How much of `[index, index + bytes)` was not given back, or was used since, in whole pages: it
  /// may hold memory of the system's.
  [[nodiscard]] std::uint64_t held_bytes(std::uint64_t index, std::uint64_t bytes) const noexcept;
  /// `[index, index + bytes)` is about to be written, in parts or in all. To be called before that,
  /// wherever something may have been discarded.
  void use(std::uint64_t index, std::uint64_t bytes) noexcept {
    if (zero_pages_.empty() || bytes == 0) return;
    if (zero_pages_.note_used(index, index + bytes)) advise_used(index, index + bytes);
  }
  /// Bytes that were used again after they were given back, in whole pages, each time.
  [[nodiscard]] std::uint64_t used_again() const noexcept { return zero_pages_.used_again(); }
  /// Makes `[index, index + bytes)` zero, without touching what is known to be, and calls use().
  void zero(std::uint64_t index, std::uint64_t bytes) noexcept;
  [[nodiscard]] const System& system() const noexcept { return *system_; }

 private:
  Arena(char* base, std::uint64_t prefix, std::uint64_t reserved, const System& system) noexcept
      : base_(base), prefix_(prefix), reserved_(reserved), system_(&system) {}

  void advise_used(std::uint64_t begin, std::uint64_t end) noexcept;
  void advise_again(std::uint64_t number, bool was_discarded) noexcept;

  char* base_;
  std::uint64_t committed_ = 0;
  std::uint64_t prefix_;
  std::uint64_t reserved_;
  const System* system_;
  detail::ZeroPages zero_pages_;
  /// Huge pages of which some pages were given back and others not. Left to itself the system would
  /// make them whole again, all zeros, within minutes.
  std::bitset<kAlignment / kHugePage> split_;
  bool wants_huge_ = true;
};

namespace detail {

/// How large the stack of the program's first thread may grow now, in bytes: all ones without
/// limit.
[[nodiscard]] std::uint64_t stack_limit() noexcept;
/// Whether the calling thread is the program's first.
[[nodiscard]] bool is_first_thread() noexcept;
/// Another one in the child of a fork.
[[nodiscard]] std::int64_t process_id() noexcept;

}  // namespace detail
}  // namespace besom
