#pragma once

#include <cstdint>

#include "gc/mark/granule_set.hpp"
#include "gc/mark/marker.hpp"
#include "heap/space.hpp"
#include "heap/type_table.hpp"

namespace besom::detail {

/// Knows the objects whose types have a release hook, and calls that when they die. A side bitmap
/// that is reserved when the first such type is defined: other objects cost nothing.
class Releaser {
 public:
  /// Fails with out_of_host_memory.
  [[nodiscard]] Error prepare(std::uint64_t heap_max, const System& system) {
    return objects_.reserve(heap_max, "besom released", system);
  }
  /// Precondition: prepare() has succeeded.
  void add(std::uint32_t index) noexcept { objects_.insert(index >> kGranuleShift); }

  /// Calls the hooks of the objects that are not marked, in address order, and forgets those;
  /// without `marks`, of all. An object whose header contradicts the tables is left out and
  /// counted. The free list's map has to show every object.
  struct Counts {
    std::uint64_t released = 0;
    std::uint64_t bad_headers = 0;
  };
  Counts release(const Space& space, const TypeTable& types, const GranuleBits* marks) noexcept;

  [[nodiscard]] bool is_used() const noexcept { return objects_.is_reserved(); }
  [[nodiscard]] std::uint64_t table_bytes() const noexcept { return objects_.table_bytes(); }

 private:
  GranuleSet objects_;
};

}  // namespace besom::detail
