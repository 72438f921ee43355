#pragma once

#include <cstddef>

#include "besom/detail/root_table.hpp"
#include "besom/detail/zeroed_array.hpp"
#include "besom/error.hpp"
#include "besom/held_root.hpp"
#include "besom/log.hpp"

namespace besom::detail {

/// Roots by kind, and by label in alphabetical order.
struct HeldRows {
  ZeroedArray<HeldRoot> rows;
  std::size_t count = 0;  ///< Of rows; behind those the array has room.
};

/// All handles, locals and registrations of a table. Fails with out_of_host_memory. O(n log n).
[[nodiscard]] Result<HeldRows> count_held(const RootTable& roots) noexcept;

/// A line at `info` that names the handles still held as a heap goes; none without handles.
void log_held_handles(const RootTable& roots, const LogSink& log) noexcept;

}  // namespace besom::detail
