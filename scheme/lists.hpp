#pragma once

#include <cstdint>

#include "value.hpp"

namespace scheme {

class Interp;

/// Equivalence. equal? ends on circular structures too, and needs no native stack for deep ones.
[[nodiscard]] bool is_eqv(const Interp& in, Value x, Value y) noexcept;
[[nodiscard]] bool is_equal(Interp& in, Value x, Value y);

/// The length of a proper list, or -1.
[[nodiscard]] std::int64_t list_length(const Interp& in, Value list) noexcept;

}  // namespace scheme
