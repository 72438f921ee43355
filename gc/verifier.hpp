#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "freelist/export.hpp"
#include "heap/error.hpp"

namespace besom {

/// One thing that verification found wrong.
struct BESOM_API Defect {
  enum class Kind : std::uint8_t {
    bad_ref,     ///< A slot holds an index where no object starts.
    bad_header,  ///< An object's header names no type, or claims more than its extent.
    bad_root,    ///< A root holds an index where no object starts.
    /// In a generational heap an old object refers to one that a minor collection did not find: the
    /// store went past write_ref(), the member types and note_store().
    missed_store,
  };
  Kind kind = Kind::bad_ref;
  std::uint32_t holder = 0;   ///< Index of the object with the slot; 0 for a root.
  std::uint32_t offset = 0;   ///< Of the slot in the holder, in bytes.
  std::uint32_t target = 0;   ///< What the slot holds; for a bad header, the type it names.
  std::string holder_name;    ///< Type of the holder, or label of the root.
  std::string slot_name;      ///< Field, or number in the trailing array, e.g. "3" or "3.key".
  std::string target_name{};  ///< Of a missed store: type of the target.

  /// E.g. "bad_ref: Node 0x40 left (at +8) holds 0x1230: no object starts there".
  [[nodiscard]] std::string message() const;
};

/// All that one walk over the heap found.
struct VerifyReport {
  Error error{};  ///< Why nothing was walked: reentrant or wrong_thread.
  std::uint64_t objects = 0;
  std::uint64_t slots = 0;  ///< Refs and values visited, roots included.
  std::vector<Defect> defects;

  [[nodiscard]] bool ok() const noexcept { return !error && defects.empty(); }
};

namespace detail {

class FinalizerTable;
class MarkBits;
class RootTable;
class Space;
class TypeTable;

/// Walks every object, root, weak handle and registration, whether reachable or not. The free
/// list's own tables are checked first; a contradiction there aborts, as nothing else could be
/// trusted. Windows have to be retired. Allocates host memory. O(capacity).
[[nodiscard]] VerifyReport verify_heap(const Space& space, const TypeTable& types,
                                       const RootTable& roots, const RootTable& weak_handles,
                                       const FinalizerTable& finalizers);

/// After marking in a minor collection: every slot of a marked object that refers to an unmarked
/// one. What a full marking would reach in addition is behind one of those. O(capacity).
[[nodiscard]] VerifyReport find_missed_stores(const Space& space, const TypeTable& types,
                                              const MarkBits& marks);

}  // namespace detail
}  // namespace besom
