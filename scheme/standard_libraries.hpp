#pragma once

#include <string_view>

namespace scheme {

/// The names that a standard library exports, with white space between them; "" for an unknown one.
/// `name` as it is written, e.g. "(scheme base)".
[[nodiscard]] std::string_view standard_library(std::string_view name) noexcept;

/// What cond-expand and (features) know.
inline constexpr const char* kFeatures[] = {
    "r7rs",    "besom",    "full-unicode", "srfi-6", "srfi-8", "srfi-9",       "srfi-39",
    "srfi-69", "srfi-111", "posix",        "linux",  "x86-64", "little-endian"};

}  // namespace scheme
