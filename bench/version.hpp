#pragma once

#include <besom/version.h>

#include <cstdio>
#include <string_view>

namespace bench {

/// Whether the one argument is `--version`; then it is answered.
[[nodiscard]] inline bool told_version(int argc, char** argv, const char* name) {
  if (argc != 2 || std::string_view(argv[1]) != "--version") return false;
  std::printf("%s of Besom %s\n", name, BESOM_VERSION);
  return true;
}

}  // namespace bench
