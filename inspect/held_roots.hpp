#pragma once

#include "besom/detail/root_table.hpp"
#include "besom/held_roots.hpp"

namespace besom::detail {

/// Fails with out_of_host_memory. O(n log n) in the handles.
[[nodiscard]] Result<HeldRoots> find_held_roots(const RootTable& roots);

}  // namespace besom::detail
