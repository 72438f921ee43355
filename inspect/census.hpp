#pragma once

#include "besom/census.hpp"
#include "heap/space.hpp"
#include "heap/type_table.hpp"

namespace besom::detail {

/// Visits every object, reachable or not, in address order. Space::conceal_unused() before.
void visit_objects(const Space& space, const TypeTable& types, ObjectVisitor visitor, void* user);
/// Fails with out_of_host_memory. Space::conceal_unused() before.
[[nodiscard]] Result<Census> take_census(const Space& space, const TypeTable& types);

}  // namespace besom::detail
