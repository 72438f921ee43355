#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "besom/detail/export.h"
#include "besom/detail/zeroed_array.hpp"
#include "besom/error.hpp"
#include "besom/run.hpp"
#include "besom/type.hpp"

namespace besom {

/// An object as a walk over the heap meets it.
struct ObjectView {
  Ref<void> ref;         ///< The object, by index.
  const Header* header;  ///< The object, by address.
  /// nullptr where the header names no type, or claims more than the object's extent.
  const TypeDescriptor* type;
  TypeId type_id;            ///< 0 where `type` is nullptr.
  std::uint32_t size_bytes;  ///< Of the extent: header included, rounded up to granules.
};

/// Called for each object of a walk. May read objects; may not allocate, collect or change roots.
using ObjectVisitor = void (*)(void* user, const ObjectView& object);

/// Called for each hole of a walk; as restricted as an ObjectVisitor.
using HoleVisitor = void (*)(void* user, Run hole);

/// All objects of one type.
struct CensusRow {
  TypeId type;                       ///< 0: of the objects whose header is damaged.
  const TypeDescriptor* descriptor;  ///< Lives as long as the heap; nullptr for type 0.
  std::uint64_t objects;             ///< Also those that are dead and not yet collected.
  std::uint64_t bytes;               ///< Headers included, rounded up to granules.

  /// The type's name, or kDamagedHeader. Lives as long as the heap.
  [[nodiscard]] const char* name() const noexcept { return name_of(descriptor); }
};

/// How many objects of each type there are, and how large.
class BESOM_API Census {
 public:
  /// Types that have objects, that with the most bytes first.
  [[nodiscard]] std::span<const CensusRow> rows() const noexcept { return {rows_.data(), count_}; }
  /// The row of a type, or nullptr when it has no objects. O(rows).
  [[nodiscard]] const CensusRow* row(TypeId type) const noexcept;
  /// @{
  /// Sum over all rows.
  [[nodiscard]] std::uint64_t objects() const noexcept { return objects_; }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
  /// @}
  /// A line for each row and one for the sum, each with its newline.
  [[nodiscard]] std::string message() const { return detail::message_of(*this); }
  /// The same into `buffer`: see Error::write_message().
  std::size_t write_message(char* buffer, std::size_t size) const noexcept;

 private:
  friend class CensusTaker;
  detail::ZeroedArray<CensusRow> rows_;
  std::size_t count_ = 0;
  std::uint64_t objects_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace besom
