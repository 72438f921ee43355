#pragma once

#include <cstdint>

#include "besom/defect.hpp"
#include "besom/detail/root_table.hpp"
#include "gc/mark/marker.hpp"
#include "gc/weak/finalizer_table.hpp"
#include "heap/space.hpp"
#include "heap/type_table.hpp"

namespace besom::detail {

/// Is told of each defect when it is met.
struct DefectSink {
  void (*take)(void* user, const Defect& defect) noexcept;
  void* user;
};
/// What a walk met.
struct VerifyCounts {
  std::uint64_t objects = 0;
  std::uint64_t slots = 0;
  std::uint64_t defects = 0;
};

/// Walks every object, root, weak handle and registration, whether reachable or not. The free
/// list's own tables have to be sound, and what is unused concealed: Space::conceal_unused().
/// Allocates nothing itself. O(capacity).
VerifyCounts verify_heap(const Space& space, const TypeTable& types, const RootTable& roots,
                         const FinalizerTable& finalizers, DefectSink sink);

/// Every slot of a marked object that refers to an unmarked one.
///   With `cards`, before marking: but for those whose store the cards know of. The marks are those
///   of the last collection, so that marked ones are old and the others young.
///   Without, after marking in a minor collection: what a full one would reach in addition is
///   behind one of those.
/// What is unused has to be concealed. Allocates nothing itself. O(capacity).
VerifyCounts find_missed_stores(const Space& space, const TypeTable& types,
                                const GranuleBits& marks, const Cards* cards, DefectSink sink);

/// At the end of a cycle: every slot of a marked object, and every root that is no mere number,
/// that leads to an object without a mark. Otherwise as above.
VerifyCounts find_lost(const Space& space, const TypeTable& types, const RootTable& roots,
                       const GranuleBits& marks, DefectSink sink);

}  // namespace besom::detail
