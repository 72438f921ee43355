#pragma once

#include <cstdint>

#include "gc/mark/marker.hpp"
#include "heap/space.hpp"

namespace besom::detail {

/// All objects, dead ones included. Call Space::retire() before. O(used part / 1 KiB).
[[nodiscard]] std::uint64_t count_objects(const Space& space) noexcept;

/// Turns every unmarked object below granule `end` that lies in a young line into free space:
/// neighbours go together, in address order, as one run through FreeList::dealloc_fast. Reads side
/// tables only, never an object, so that dead memory stays out of the cache. Erases the young
/// lines. Call Space::retire() before. Returns how many objects were freed. O(young lines).
std::uint64_t sweep_young(Space& space, GranuleBits& marks, std::uint32_t end) noexcept;

/// The same for all unmarked objects below `end`, at once. Space::dead_objects() then counts them.
/// Marks of objects stay with `keep_marks`, else they are cleared. O(end / 1 KiB).
void sweep_all(Space& space, GranuleBits& marks, std::uint32_t end, bool keep_marks) noexcept;

/// Clears all marks below granule `end` that are no object's: a sweep which was left to
/// allocation leaves some, and bad refs do where objects were visited again. Call Space::retire()
/// before. Returns how many objects are marked. O(end / 1 KiB).
std::uint64_t keep_marks_of_objects(const Space& space, GranuleBits& marks,
                                    std::uint32_t end) noexcept;

/// What the marked objects below granule `end` take, by the side tables. O(objects).
[[nodiscard]] std::uint64_t bytes_of_marked(const Space& space, const GranuleBits& marks,
                                            std::uint32_t end) noexcept;

}  // namespace besom::detail
