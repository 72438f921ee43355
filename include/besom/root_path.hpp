#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "besom/detail/export.h"
#include "besom/detail/zeroed_array.hpp"
#include "besom/error.hpp"
#include "besom/type.hpp"

namespace besom {

/// One object of a path, and the slot that leads to it.
struct PathStep {
  /// What leads to an object.
  enum class Via : std::uint8_t {
    root,      ///< The first object.
    field,     ///< A field of the object before.
    element,   ///< An element of its trailing array.
    callback,  ///< A slot that its type's trace callback visits.
  };
  Ref<void> object;            ///< What the slot leads to.
  const TypeDescriptor* type;  ///< nullptr where the header is damaged. Lives as long as the heap.
  Via via;                     ///< Where the slot is.
  const FieldDescriptor* field;  ///< nullptr but for Via::field.
  std::uint32_t element;         ///< For Via::element.
};

/// Why an object lives: a shortest path of refs that keep their targets alive, from a root to it.
class BESOM_API RootPath {
 public:
  /// Whether there is a path. Without one the object goes with the next full collection.
  explicit operator bool() const noexcept { return count_ != 0; }
  /// Label of the root's handle or registration; "local"; "newest object" where nothing but having
  /// been allocated last is what keeps it. nullptr without a path.
  [[nodiscard]] const char* root_label() const noexcept { return root_label_; }
  /// The objects from the root to the one that was asked for, both included.
  [[nodiscard]] std::span<const PathStep> steps() const noexcept { return {steps_.data(), count_}; }
  /// One line, e.g. "'globals' -> Table 0x40 .entries -> Array 0x1230 [17] -> Node 0x80". Of a long
  /// path only both ends.
  [[nodiscard]] std::string message() const { return detail::message_of(*this); }
  /// The same into `buffer`: see Error::write_message().
  std::size_t write_message(char* buffer, std::size_t size) const noexcept;

 private:
  friend class PathSearch;
  const char* root_label_ = nullptr;
  detail::ZeroedArray<PathStep> steps_;
  std::size_t count_ = 0;
};

}  // namespace besom
