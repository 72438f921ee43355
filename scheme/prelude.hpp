#pragma once

#include <cstddef>
#include <string_view>

namespace scheme {

// The library's procedures that are written in Scheme: the files in prelude/.

/// The definition of that name, or "".
[[nodiscard]] std::string_view prelude_text(std::string_view name) noexcept;
/// The name that the `number`th of them defines, or "".
[[nodiscard]] std::string_view prelude_name(std::size_t number) noexcept;

}  // namespace scheme
