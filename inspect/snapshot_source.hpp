#pragma once

#include <cstdint>

#include "besom/detail/root_table.hpp"
#include "gc/weak/finalizer_table.hpp"
#include "heap/space.hpp"
#include "heap/type_table.hpp"

namespace besom::detail {

/// All that a snapshot shows.
struct SnapshotSource {
  const Space& space;  ///< Space::conceal_unused() before.
  const TypeTable& types;
  const RootTable& roots;
  const FinalizerTable& finalizers;
  std::uint32_t newest;  ///< The new object that is a root by itself, or 0.
};

}  // namespace besom::detail
