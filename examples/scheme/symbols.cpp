#include "symbols.hpp"

#include "interp.hpp"

namespace scheme {
namespace {

/// The symbol of that name, or the free slot where it belongs. There is always a free one.
Slot& find(Interp& in, Vector* table, std::u32string_view name, std::uint32_t hash) {
  const std::uint32_t mask = table->size() - 1;
  for (std::uint32_t i = hash & mask;; i = (i + 1) & mask) {
    Slot& slot = table->slots()[i];
    if (slot.get() == kFalse) return slot;
    // Null where a symbol was that nobody used any more.
    if (slot.get().is_null()) continue;
    if (in.at<Symbol>(slot.get())->hash == hash && in.name_of(slot.get()) == name) return slot;
  }
}

}  // namespace

/// FNV-1a over code points.
std::uint32_t hash_of(std::u32string_view text) noexcept {
  std::uint32_t hash = 2166136261u;
  for (const char32_t c : text) hash = (hash ^ c) * 16777619u;
  return hash ^ hash >> 15;
}

Value SymbolTable::intern(Interp& in, std::u32string_view name) {
  const std::uint32_t hash = hash_of(name);
  if (is_object(table_)) {
    const Value found = find(in, in.at<Vector>(table_), name, hash).get();
    if (found != kFalse) return found;
  }
  const Rooted text(in, in.string(name));
  const Rooted symbol(in, in.ref(in.make<Symbol>(kSymbol)));
  auto* object = in.at<Symbol>(symbol.get());
  object->name.init(text.get());
  object->hash = hash;
  if (!is_object(table_) || count_ * 2 >= in.at<Vector>(table_)->size()) grow(in);
  find(in, in.at<Vector>(table_), in.text(text.get()), hash).set(symbol.get());
  ++count_;
  return symbol.get();
}

void SymbolTable::grow(Interp& in) {
  const std::uint32_t size = is_object(table_) ? in.at<Vector>(table_)->size() * 2 : 2048;
  const Value grown = in.make_vector(size, kFalse, kWeakVector);
  count_ = 0;
  if (is_object(table_)) {
    auto* old = in.at<Vector>(table_);
    for (std::uint32_t i = 0; i < old->size(); ++i) {
      const Value symbol = old->slots()[i].get();
      if (symbol == kFalse || symbol.is_null()) continue;
      ++count_;
      find(in, in.at<Vector>(grown), in.name_of(symbol), in.at<Symbol>(symbol)->hash).set(symbol);
    }
  }
  table_ = grown;
}

}  // namespace scheme
