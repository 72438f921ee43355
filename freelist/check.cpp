#include "besom/detail/check.hpp"

#include <cstdio>
#include <cstdlib>

namespace besom::detail {

void check_failed(const char* file, int line, const char* what, std::uint64_t left,
                  std::uint64_t right) noexcept {
  std::fprintf(stderr, "besom: %s (0x%" PRIx64 ", 0x%" PRIx64 ") at %s:%d\n", what, left, right,
               file, line);
  std::abort();
}

}  // namespace besom::detail
