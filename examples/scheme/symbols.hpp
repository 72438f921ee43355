#pragma once

#include <string_view>

#include "value.hpp"

namespace scheme {

class Interp;

/// All symbols of one interpreter, by name: an open-addressed table in the heap that does not keep
/// them. A symbol that nothing else refers to goes, and its place is free when the table grows.
class SymbolTable {
 public:
  /// The symbol of that name. Throws Raised when the heap is exhausted.
  [[nodiscard]] Value intern(Interp& in, std::u32string_view name);
  void visit(besom::Tracer& tracer) const { tracer.visit(table_); }

 private:
  void grow(Interp& in);

  Value table_ = kFalse;  ///< Weak: symbols, #f, and null where one went.
  std::uint32_t count_ = 0;
};

[[nodiscard]] std::uint32_t hash_of(std::u32string_view text) noexcept;

}  // namespace scheme
