#include "symbols.hpp"

#include <algorithm>
#include <bit>

#include "interp.hpp"

namespace scheme {

constexpr std::size_t kLeastPlaces = 2048;

/// FNV-1a over code points.
std::uint32_t hash_of(std::u32string_view text) noexcept {
  std::uint32_t hash = 2166136261u;
  for (const char32_t c : text) hash = (hash ^ c) * 16777619u;
  return hash ^ hash >> 15;
}

Value SymbolTable::intern(Interp& in, std::u32string_view name) {
  const std::uint32_t hash = hash_of(name);
  const std::size_t mask = entries_.size() - 1;
  for (std::size_t i = hash & mask; !entries_.empty(); i = (i + 1) & mask) {
    const Entry& entry = entries_[i];
    if (entry.symbol == kUnbound) break;
    if (entry.hash == hash && entry.symbol != kDeleted && in.name_of(entry.symbol) == name) {
      // Perhaps nobody has it but this table.
      besom::note_kept(in.at<Symbol>(entry.symbol));
      return entry.symbol;
    }
  }
  const Rooted text(in, in.string(name));
  auto* symbol = in.make<Symbol>(kSymbol);
  symbol->name.init(text.get());
  symbol->hash = hash;
  const Entry entry{in.ref(symbol), hash};
  if ((used_ + 1) * 2 > entries_.size()) {
    resize(std::max(kLeastPlaces, std::bit_ceil((count_ + 1) * 3)));
  }
  insert(entry);
  return entry.symbol;
}

void SymbolTable::insert(Entry entry) noexcept {
  const std::size_t mask = entries_.size() - 1;
  std::size_t i = entry.hash & mask;
  while (is_object(entries_[i].symbol)) i = (i + 1) & mask;
  if (entries_[i].symbol == kUnbound) ++used_;
  entries_[i] = entry;
  ++count_;
}

void SymbolTable::resize(std::size_t places) {
  std::vector<Entry> old(places, Entry{kUnbound, 0});
  old.swap(entries_);
  count_ = used_ = 0;
  for (const Entry& entry : old) {
    if (is_object(entry.symbol)) insert(entry);
  }
}

void SymbolTable::shrink() {
  if (entries_.size() > kLeastPlaces && count_ * 8 < entries_.size()) {
    resize(std::max(kLeastPlaces, std::bit_ceil((count_ + 1) * 3)));
  }
}

void SymbolTable::drop(Value symbol, std::uint32_t hash) noexcept {
  const std::size_t mask = entries_.size() - 1;
  std::size_t i = hash & mask;
  while (entries_[i].symbol != symbol) {
    // It had no time to get in: the heap was exhausted.
    if (entries_[i].symbol == kUnbound) return;
    i = (i + 1) & mask;
  }
  entries_[i].symbol = kDeleted;
  --count_;
}

}  // namespace scheme
