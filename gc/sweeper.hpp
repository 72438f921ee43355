#pragma once

#include <cstdint>

#include "gc/marker.hpp"
#include "heap/space.hpp"

namespace besom::detail {

struct SweepResult {
  std::uint64_t live_objects = 0;
  std::uint64_t freed_objects = 0;
  std::uint64_t freed_bytes = 0;
};

/// All objects, dead ones included. Windows have to be retired. O(used part / 1 KiB).
[[nodiscard]] std::uint64_t count_objects(const Space& space) noexcept;

/// Turns every unmarked object below `end` into free space: neighbours go together, in address
/// order, as one run through FreeList::dealloc_fast. Reads side tables only, never an object, so
/// that dead memory stays out of the cache. With `young_only` looks at no more than the lines where
/// objects are young; erases those. Windows have to be retired. O(end / 1 KiB), or of young lines.
[[nodiscard]] SweepResult sweep(Space& space, MarkBits& marks, std::uint32_t end, bool poison,
                                bool young_only) noexcept;

}  // namespace besom::detail
