#pragma once

#include "objects.hpp"

namespace scheme {

class Interp;

/// Hash tables in the heap. Objects do not move, so that an object's index is its hash where
/// identity counts. Tables, keys and values given are reachable by the collector.
[[nodiscard]] Value make_hash_table(Interp& in, HashKind kind, std::uint32_t expected = 0,
                                    bool has_weak_keys = false);
[[nodiscard]] inline HashKind kind_of(const HashTable* table) noexcept {
  return HashKind{table->header.length & ~kWeakKeys};
}
/// Keys and values, two slots a place. Weak entries are counted by places.
[[nodiscard]] inline std::uint32_t places_of(const Vector* entries) noexcept {
  return entries->header.type == kWeakEntries ? entries->header.length : entries->header.length / 2;
}
/// Whether a place's key is one: entries whose keys died have null.
[[nodiscard]] constexpr bool is_entry(Value key) noexcept {
  return key != kUnbound && key != kDeleted && !key.is_null();
}
/// Where the key's value is, or nullptr.
[[nodiscard]] Slot* hash_find(Interp& in, Value table, Value key);
void hash_put(Interp& in, Value table, Value key, Value value);
/// False when there was no such key.
bool hash_remove(Interp& in, Value table, Value key);
void hash_clear(Interp& in, Value table);

[[nodiscard]] std::uint32_t hash_of(Interp& in, Value key, HashKind kind);

/// Calls `visit(key, value)` for each entry; the table may not be changed meanwhile.
template <class Visit>
void hash_each(Vector* entries, const Visit& visit) {
  for (std::uint32_t i = 0; i < places_of(entries); ++i) {
    const Value key = entries->slots()[2 * i].get_weak();
    if (is_entry(key)) visit(key, entries->slots()[2 * i + 1].get_weak());
  }
}

}  // namespace scheme
