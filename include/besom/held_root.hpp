#pragma once

#include <cstdint>

#include "besom/detail/export.h"

namespace besom {

/// All roots of one kind under one label.
struct HeldRoot {
  /// How the heap was told of it.
  enum class Kind : std::uint8_t { handle, local, range, callback, mark_hook };
  Kind kind;            ///< A native stack that is searched is a range.
  const char* label;    ///< As the embedder gave it; "" where it gave none.
  std::uint64_t count;  ///< Handles, locals that are not null, or registrations.
};

/// The kind's name as it stands in the enumeration, with a space: "mark hook".
[[nodiscard]] BESOM_API const char* name_of(HeldRoot::Kind kind) noexcept;

}  // namespace besom
