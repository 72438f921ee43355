#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "besom/detail/check.hpp"
#include "besom/detail/export.h"
#include "besom/detail/zeroed_array.hpp"
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
  const char* target_name;       ///< Of a missed store: type of the target.

  /// E.g. "bad_ref: Node 0x40 left (at +8) holds 0x1230: no object starts there".
  [[nodiscard]] std::string message() const { return detail::message_of(*this); }
  /// The same into `buffer`: see Error::write_message().
  std::size_t write_message(char* buffer, std::size_t size) const noexcept;
};
static_assert(sizeof(Defect) == 64);

/// The defects that a report keeps, in the order in which they were met: objects by address, then
/// roots.
class DefectList {
 public:
  /// @{
  /// How many there are: O(1).
  [[nodiscard]] std::size_t size() const noexcept { return count_; }
  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
  /// @}
  /// Aborts where `i` is not below size().
  [[nodiscard]] const Defect& operator[](std::size_t i) const noexcept {
    BESOM_CHECK(i < count_, "defect: number, of", i, count_);
    return defects_[i];
  }
  /// @{
  /// For a loop over all of them.
  [[nodiscard]] const Defect* begin() const noexcept { return defects_.data(); }
  [[nodiscard]] const Defect* end() const noexcept { return defects_.data() + count_; }
  /// @}

  /// False when the host has no memory.
  [[nodiscard]] bool add(const Defect& defect) noexcept {
    if (count_ == defects_.size() && !defects_.grow(count_ * 2 + 16)) return false;
    defects_[count_++] = defect;
    return true;
  }

 private:
  detail::ZeroedArray<Defect> defects_;
  std::size_t count_ = 0;
};

/// All that one walk over the heap found. Good as long as the heap and the labels of its roots.
struct VerifyReport {
  /// How many defects are kept unless the caller says otherwise: 64 KB of host memory at most.
  static constexpr std::uint64_t kMaxDefects = 1000;

  /// reentrant or wrong_thread: nothing was walked. out_of_host_memory: all was walked and counted,
  /// but fewer defects are kept than were wanted.
  Error error{};
  std::uint64_t objects = 0;  ///< Visited.
  std::uint64_t slots = 0;    ///< Refs and values visited, roots included.
  DefectList defects;         ///< The first that were found.
  std::uint64_t more = 0;     ///< Defects found beyond those kept.

  /// Defects, those included that are not kept.
  [[nodiscard]] std::uint64_t found() const noexcept { return defects.size() + more; }
  /// All was walked, and nothing is wrong.
  [[nodiscard]] bool ok() const noexcept { return !error && found() == 0; }
};

}  // namespace besom
