#pragma once

#include <cerrno>
#include <string_view>

namespace besom::detail {

/// The name of the program that runs, without its folder. Any bytes.
[[nodiscard]] inline std::string_view program_name() noexcept {
  return program_invocation_short_name;
}

}  // namespace besom::detail
