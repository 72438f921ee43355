#pragma once

#include <cstdint>

namespace bench {

/// Makes a heap that starts small and grows as it sees fit, up to so many bytes. Made of a bare
/// number, a heap has that many bytes from the start.
struct GrowsTo {
  std::uint64_t bytes;
};

}  // namespace bench
