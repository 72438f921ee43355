#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "besom/detail/export.h"
#include "besom/error.hpp"
#include "besom/type.hpp"

namespace besom {

/// One thing that verification found wrong. Its texts are the names of types and fields, which live
/// as long as the heap, and the labels of roots.
struct BESOM_API Defect {
  /// What can be wrong.
  enum class Kind : std::uint8_t {
    bad_ref,     ///< A slot holds an index where no object starts.
    bad_header,  ///< An object's header names no type, or claims more than its extent.
    bad_root,    ///< A root holds an index where no object starts.
    /// In a generational heap an old object refers to a young one, and nothing says so: the store
    /// went past write_ref(), the member types and note_store().
    missed_store,
    /// At the end of an incremental cycle a live object or a root refers to an object that was not
    /// marked: a store that took another way to it away, or a read from a weak slot, went past the
    /// barrier.
    lost,
  };
  Kind kind;                ///< What is wrong.
  std::uint32_t holder;     ///< Index of the object with the slot; 0 for a root.
  std::uint32_t offset;     ///< Of the slot in the holder, in bytes; 0 where a callback visited.
  std::uint32_t target;     ///< What the slot holds; for a bad header, the type it names.
  const char* holder_name;  ///< Type of the holder, or label of the root; "" for a bad header.
  const FieldDescriptor* field;  ///< nullptr but for a slot that is a field.
  std::uint32_t element;         ///< Of a slot in the trailing array.
  const char* part;              ///< ".key" or ".value" of an entry; else "".
  bool by_callback;              ///< A trace callback visited the slot.
  const char* target_name;       ///< Of a missed store and what is lost: type of the target.

  /// E.g. "bad_ref: Node 0x40 left (at +8) holds 0x1230: no object starts there".
  [[nodiscard]] std::string message() const { return detail::message_of(*this); }
  /// The same into `buffer`: see Error::write_message().
  std::size_t write_message(char* buffer, std::size_t size) const noexcept;
};
static_assert(sizeof(Defect) == 64);

}  // namespace besom
