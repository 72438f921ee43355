#pragma once

#include <cstddef>
#include <cstdint>

#include "besom/detail/front.hpp"
#include "besom/ref.hpp"

namespace besom {

/// What machine code needs to allocate objects of one size in one heap without a call. Plain
/// numbers, to be compiled into it; docs/contract.md has the sequence, and what may not be changed.
///
///                        base
///     + cursor_offset         | eight bytes: where the next object goes
///     + limit_offset          | eight bytes: behind the last place for one
///     + newest_offset         | four bytes: index of the last new object, itself a root until it
///                             | has another
///
/// The offsets are the same for all heaps of one build of the library, the base is the heap's own.
struct AllocationContract {
  void* base;  ///< Good as long as the heap.
  /// @{
  /// Bytes from `base` to what stands there: see above.
  std::uint32_t cursor_offset;
  std::uint32_t limit_offset;
  std::uint32_t newest_offset;
  /// @}
  /// What one object takes: its size rounded up to a multiple of 16. 0 where objects of that size
  /// always go through Heap::allocate(), as those of more than kMostBytes do.
  std::uint32_t object_bytes;

  /// The largest objects, header included, that machine code may allocate by itself.
  static constexpr std::uint32_t kMostBytes = detail::Front::kWindowClasses * kGranuleBytes;
};

static_assert(AllocationContract::kMostBytes == 512 && kGranuleBytes == 16);
static_assert(offsetof(detail::Window, cursor) == 0 && offsetof(detail::Window, limit) == 8 &&
                  sizeof(detail::Window) == 24,
              "generated code reads and writes these");
static_assert(offsetof(Header, type) == 0 && offsetof(Header, length) == 4);
static_assert(sizeof(AllocationContract) == 24, "C programs see the same");

}  // namespace besom
