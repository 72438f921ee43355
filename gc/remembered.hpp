#pragma once

#include <cstdint>

#include "besom/barrier.hpp"
#include "besom/detail/granule_bits.hpp"
#include "freelist/free_list.hpp"
#include "heap/host_vector.hpp"

namespace besom::detail {

/// The objects of a generational heap that each minor collection looks at as if something had been
/// stored into them, since what they refer to changes where no barrier is: in memory of the host.
/// 4 bytes each. The table's order is that of addresses.
class Remembered {
 public:
  explicit Remembered(const TableMemory& memory) noexcept : memory_(memory) {}

  /// False when the host has no memory. Adding one twice does nothing. O(n), of which a memmove is
  /// most.
  [[nodiscard]] bool add(std::uint32_t index) noexcept;
  /// O(n).
  void remove(std::uint32_t index) noexcept;
  void clear() noexcept;
  /// Marks all cards of each. O(n), and the cards that they have.
  void mark(Cards& cards, const FreeList& list) const noexcept;
  /// Forgets those without a mark, which are about to be freed. O(n).
  void forget_dead(const GranuleBits& marks) noexcept;

 private:
  TableMemory memory_;
  HostVector<std::uint32_t> indices_{&memory_};
};

}  // namespace besom::detail
