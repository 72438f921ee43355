#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "besom/detail/export.h"
#include "besom/detail/zeroed_array.hpp"
#include "besom/error.hpp"

namespace besom {

/// All roots of one kind under one label.
struct HeldRoot {
  /// How the heap was told of it.
  enum class Kind : std::uint8_t { handle, local, range, callback, mark_hook };
  Kind kind;            ///< A native stack that is searched is a range.
  const char* label;    ///< As the embedder gave it; "" where it gave none.
  std::uint64_t count;  ///< Handles, locals that are not null, or registrations.
};

/// The kind's name as it stands in the enumeration, with a space: "mark hook".
[[nodiscard]] BESOM_API const char* name_of(HeldRoot::Kind kind) noexcept;

/// What keeps objects of a heap alive from outside.
class BESOM_API HeldRoots {
 public:
  /// By kind, and by label in alphabetical order.
  [[nodiscard]] std::span<const HeldRoot> rows() const noexcept { return {rows_.data(), count_}; }
  /// How many roots of a kind there are.
  [[nodiscard]] std::uint64_t count(HeldRoot::Kind kind) const noexcept;
  /// A line for each row, e.g. "3 handle 'parser'", each with its newline.
  [[nodiscard]] std::string message() const { return detail::message_of(*this); }
  /// The same into `buffer`: see Error::write_message().
  std::size_t write_message(char* buffer, std::size_t size) const noexcept;

 private:
  friend class HeldRootsFinder;
  detail::ZeroedArray<HeldRoot> rows_;
  std::size_t count_ = 0;
};

}  // namespace besom
