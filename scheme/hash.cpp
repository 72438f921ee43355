#include "hash.hpp"

#include <bit>

#include "chars.hpp"
#include "interp.hpp"
#include "lists.hpp"
#include "numbers.hpp"

namespace scheme {
namespace {

std::uint32_t mix(std::uint64_t bits) {
  bits ^= bits >> 29;
  bits *= 0xbf58476d1ce4e5b9u;
  return static_cast<std::uint32_t>(bits >> 32);
}

bool are_same(Interp& in, HashKind kind, Value x, Value y) {
  switch (kind) {
    case kEqHash:
      return x == y;
    case kEqvHash:
      return is_eqv(in, x, y);
    case kEqualHash:
      return is_equal(in, x, y);
    case kStringHash:
      return in.text(x) == in.text(y);
    case kStringCiHash:
      return foldcase(in, in.text(x)) == foldcase(in, in.text(y));
  }
  return false;
}

/// Never used: in weak entries all zero, whereas one whose key died keeps an integer as its value.
bool is_unused(Vector* entries, std::uint32_t place) {
  const Value key = entries->slots()[2 * place].get();
  return key == kUnbound || (key.is_null() && entries->slots()[2 * place + 1].get().is_null());
}

Value make_entries(Interp& in, std::uint32_t places, bool is_weak) {
  if (is_weak) return in.ref(in.make<Vector>(kWeakEntries, places));
  return in.make_vector(2 * std::uint64_t{places}, kUnbound);
}

/// The key's place, or the first free one after it was not found.
std::uint32_t probe(Interp& in, HashKind kind, Vector* entries, Value key) {
  const std::uint32_t mask = places_of(entries) - 1;
  std::uint32_t free = 0xffffffff;
  for (std::uint32_t i = hash_of(in, key, kind) & mask;; i = (i + 1) & mask) {
    const Value other = entries->slots()[2 * i].get();
    if (is_unused(entries, i)) return 2 * (free != 0xffffffff ? free : i);
    if (!is_entry(other)) {
      if (free == 0xffffffff) free = i;
    } else if (are_same(in, kind, other, key)) {
      return 2 * i;
    }
  }
}

/// Puts all entries into a table of `capacity` places, a power of two.
void rehash(Interp& in, Value table, std::uint32_t capacity) {
  auto* object = in.at<HashTable>(table);
  const Value grown = make_entries(in, capacity, (object->header.length & kWeakKeys) != 0);
  const HashKind kind = kind_of(object);
  object->count = 0;
  auto* to = in.at<Vector>(grown);
  hash_each(in.at<Vector>(object->entries.get()), [&](Value key, Value value) {
    const std::uint32_t place = probe(in, kind, to, key);
    to->slots()[place].set(key);
    to->slots()[place + 1].set(value);
    ++object->count;
  });
  object->entries.set(grown);
  object->used = object->count;
}

/// Structures count with their first parts only: equal ones have equal hashes all the same.
std::uint32_t equal_hash(Interp& in, Value key, int depth) {
  if (!is_object(key)) return mix(key.bits());
  switch (in.at<Header>(key)->type) {
    case kString:
      return hash_of(in.text(key));
    case kPair: {
      std::uint32_t hash = 17;
      for (int i = 0; i < 8 && in.is_pair(key); ++i, key = in.cdr(key)) {
        hash = hash * 31 + (depth > 0 ? equal_hash(in, in.car(key), depth - 1) : 0);
      }
      return mix(hash);
    }
    case kVector: {
      auto* vector = in.at<Vector>(key);
      std::uint32_t hash = vector->size();
      for (std::uint32_t i = 0; i < vector->size() && i < 8 && depth > 0; ++i) {
        hash = hash * 31 + equal_hash(in, vector->slots()[i].get(), depth - 1);
      }
      return mix(hash);
    }
    case kBytevector: {
      auto* bytes = in.at<Bytevector>(key);
      std::uint32_t hash = bytes->size();
      for (std::uint32_t i = 0; i < bytes->size(); ++i) hash = hash * 31 + bytes->bytes()[i];
      return mix(hash);
    }
    case kBox:
      return depth > 0 ? equal_hash(in, in.at<Box>(key)->value.get(), depth - 1) * 7 : 7;
    default:
      return hash_of(in, key, kEqvHash);
  }
}

}  // namespace

std::uint32_t hash_of(Interp& in, Value key, HashKind kind) {
  switch (kind) {
    case kEqHash:
      return mix(key.bits());
    case kEqvHash:
      if (in.is(key, kFlonum)) return mix(std::bit_cast<std::uint64_t>(in.at<Flonum>(key)->value));
      if (in.is(key, kInteger)) return mix(static_cast<std::uint64_t>(in.at<Integer>(key)->value));
      return mix(key.bits());
    case kEqualHash:
      return equal_hash(in, key, 4);
    case kStringHash:
      return scheme::hash_of(in.text(key));
    case kStringCiHash:
      return scheme::hash_of(foldcase(in, in.text(key)));
  }
  return 0;
}

Value make_hash_table(Interp& in, HashKind kind, std::uint32_t expected, bool has_weak_keys) {
  const std::uint32_t capacity = std::bit_ceil(expected + expected / 2 + 8);
  const Rooted entries(in, make_entries(in, capacity, has_weak_keys));
  auto* table = in.make<HashTable>(kHashTable);
  table->header.length = kind | (has_weak_keys ? kWeakKeys : 0);
  table->entries.init(entries.get());
  table->procedures.init(kFalse);
  return in.ref(table);
}

Slot* hash_find(Interp& in, Value table, Value key) {
  const auto* object = in.at<HashTable>(table);
  auto* entries = in.at<Vector>(object->entries.get());
  const std::uint32_t place = probe(in, kind_of(object), entries, key);
  Slot* value = &entries->slots()[place + 1];
  if (entries->header.type == kWeakEntries) static_cast<void>(value->get_weak());
  return is_entry(entries->slots()[place].get()) ? value : nullptr;
}

void hash_put(Interp& in, Value table, Value key, Value value) {
  auto* object = in.at<HashTable>(table);
  auto* entries = in.at<Vector>(object->entries.get());
  const HashKind kind = kind_of(object);
  std::uint32_t place = probe(in, kind, entries, key);
  if (!is_entry(entries->slots()[place].get())) {
    const std::uint32_t capacity = places_of(entries);
    if (is_unused(entries, place / 2) && (object->used + 1) * 4 > capacity * 3) {
      const Rooted rooted_key(in, key), rooted_value(in, value);
      // Of weak entries some may be dead: how many shows when the others are moved.
      rehash(in, table, (object->count + 1) * 2 > capacity ? capacity * 2 : capacity);
      entries = in.at<Vector>(object->entries.get());
      place = probe(in, kind, entries, key);
    }
    if (is_unused(entries, place / 2)) ++object->used;
    ++object->count;
    entries->slots()[place].set(key);
  }
  entries->slots()[place + 1].set(value);
}

bool hash_remove(Interp& in, Value table, Value key) {
  auto* object = in.at<HashTable>(table);
  auto* entries = in.at<Vector>(object->entries.get());
  const std::uint32_t place = probe(in, kind_of(object), entries, key);
  if (!is_entry(entries->slots()[place].get())) return false;
  entries->slots()[place].set(kDeleted);
  entries->slots()[place + 1].set(kFalse);
  --object->count;
  return true;
}

void hash_clear(Interp& in, Value table) {
  auto* object = in.at<HashTable>(table);
  const Value entries = make_entries(in, 8, (object->header.length & kWeakKeys) != 0);
  object->entries.set(entries);
  object->count = object->used = 0;
}

}  // namespace scheme
