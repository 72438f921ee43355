#pragma once

#include <cstdint>

#include "besom/detail/root_table.hpp"
#include "besom/root_path.hpp"
#include "heap/space.hpp"
#include "heap/type_table.hpp"

namespace besom::detail {

/// `target` is an object, `newest` the new object that is a root by itself, or 0. Breadth first;
/// takes four bytes of host memory a granule of arena and four an object, and fails with
/// out_of_host_memory. Space::conceal_unused() before. O(heap).
[[nodiscard]] Result<RootPath> find_path(const Space& space, const TypeTable& types,
                                         const RootTable& roots, std::uint32_t newest,
                                         std::uint32_t target);

}  // namespace besom::detail
