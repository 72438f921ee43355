#pragma once

#include "objects.hpp"

namespace scheme {

class Interp;

/// Hash tables in the heap. Objects do not move, so that an object's index is its hash where
/// identity counts. Tables, keys and values given are reachable by the collector.
[[nodiscard]] Value make_hash_table(Interp& in, HashKind kind, std::uint32_t expected = 0);
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
  for (std::uint32_t i = 0; i < entries->size(); i += 2) {
    const Value key = entries->slots()[i].get();
    if (key != kUnbound && key != kDeleted) visit(key, entries->slots()[i + 1].get());
  }
}

}  // namespace scheme
