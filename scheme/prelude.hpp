#pragma once

#include <string_view>

namespace scheme {

/// The library's procedures that are written in Scheme: the text of a lambda expression, or "".
[[nodiscard]] std::string_view prelude_text(std::string_view name) noexcept;
/// The name of the `number`th of them, or nullptr.
[[nodiscard]] const char* prelude_name(std::size_t number) noexcept;

}  // namespace scheme
