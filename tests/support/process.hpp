#pragma once

#include <unistd.h>

#include <cstdint>
#include <fstream>

namespace besom::test {

/// The memory of this process that is present, in bytes.
inline std::uint64_t process_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t total = 0;
  std::uint64_t resident = 0;
  statm >> total >> resident;
  return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace besom::test
