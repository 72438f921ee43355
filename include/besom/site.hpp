#pragma once

#include <cstdint>
#include <string_view>

namespace besom {

/// Where the program allocates, as the host names it.
struct AllocationSite {
  std::string_view function;  ///< Of the program. Copied, up to 63 bytes.
  std::string_view file;      ///< Likewise, up to 127 bytes, of a longer one the end.
  std::uint32_t line = 0;     ///< From 1; 0: not known.
  std::uint32_t column = 0;   ///< Likewise.
};

/// Asked for each allocation that is sampled, on the heap's thread, when the object has just been
/// made: what is the program doing? Fills `site` with text that stays until the next call; false:
/// it does not know, and the address that the call of the heap returns to is taken. Must return,
/// may read objects and call Heap::object_start(), and nothing else of the heap.
using SiteNamer = bool (*)(void* user, AllocationSite& site);

}  // namespace besom
