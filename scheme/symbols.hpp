#pragma once

#include <string_view>
#include <vector>

#include "value.hpp"

namespace scheme {

class Interp;

/// All symbols of one interpreter, by name: an open-addressed table that does not keep them. A
/// symbol leaves it when it is freed, and not before: one that a guardian brings back to life is
/// still the one of its name.
class SymbolTable {
 public:
  /// The symbol of that name. Throws Raised when the heap is exhausted.
  [[nodiscard]] Value intern(Interp& in, std::u32string_view name);
  /// The symbol is about to be freed.
  void drop(Value symbol, std::uint32_t hash) noexcept;
  /// Takes no more room than its symbols need.
  void shrink();

 private:
  struct Entry {
    Value symbol;  ///< kUnbound where none ever was, kDeleted where one went.
    std::uint32_t hash;
  };
  void insert(Entry entry) noexcept;
  void resize(std::size_t places);

  std::vector<Entry> entries_;
  std::size_t count_ = 0;
  std::size_t used_ = 0;  ///< Places of symbols, also of those that went.
};

[[nodiscard]] std::uint32_t hash_of(std::u32string_view text) noexcept;

}  // namespace scheme
