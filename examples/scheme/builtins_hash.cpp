/// Hash tables, after SRFI 69.

#include "builtins.hpp"
#include "environment.hpp"
#include "hash.hpp"
#include "numbers.hpp"

namespace scheme {
namespace {

HashTable* table_of(Interp& in, Value value, const char* who) {
  if (!in.is(value, kHashTable)) in.wrong_type(who, "hash table", value);
  return in.at<HashTable>(value);
}
void check_key(Interp& in, const HashTable* table, Value key, const char* who) {
  if (kind_of(table) >= kStringHash && !in.is(key, kString)) in.wrong_type(who, "string", key);
}

/// The equivalences that tables know, by the procedures that have them.
HashKind kind_for(Interp& in, Value equivalence) {
  struct Known {
    std::string_view name;
    HashKind kind;
  };
  constexpr Known kKnown[] = {{"equal?", kEqualHash},    {"eq?", kEqHash},
                              {"eqv?", kEqvHash},        {"=", kEqvHash},
                              {"string=?", kStringHash}, {"string-ci=?", kStringCiHash},
                              {"char=?", kEqHash},       {"symbol=?", kEqHash}};
  if (in.is(equivalence, kPrimitive)) {
    const std::string name = in.utf8(in.at<Primitive>(equivalence)->name.get());
    for (const Known& known : kKnown) {
      if (known.name == name) return known.kind;
    }
  }
  in.fail("make-hash-table: only eq?, eqv?, equal?, string=? and string-ci=? are known, not",
          {equivalence});
}

BUILTIN(make_table) {
  return make_hash_table(in, count == 0 || is_fixnum(args[0]) ? kEqualHash : kind_for(in, args[0]));
}
BUILTIN(make_weak_table) {
  return make_hash_table(in, count == 0 ? kEqvHash : kind_for(in, args[0]), 0, true);
}
BUILTIN(is_table) { return boolean(in.is(args[0], kHashTable)); }
BUILTIN(ref_default) {
  const auto* table = table_of(in, args[0], "hash-table-ref/default");
  check_key(in, table, args[1], "hash-table-ref/default");
  const Slot* slot = hash_find(in, args[0], args[1]);
  return slot == nullptr ? args[2] : slot->get();
}
BUILTIN(set) {
  check_key(in, table_of(in, args[0], "hash-table-set!"), args[1], "hash-table-set!");
  hash_put(in, args[0], args[1], args[2]);
  return kUnspecified;
}
BUILTIN(remove) {
  check_key(in, table_of(in, args[0], "hash-table-delete!"), args[1], "hash-table-delete!");
  static_cast<void>(hash_remove(in, args[0], args[1]));
  return kUnspecified;
}
BUILTIN(exists) {
  check_key(in, table_of(in, args[0], "hash-table-exists?"), args[1], "hash-table-exists?");
  return boolean(hash_find(in, args[0], args[1]) != nullptr);
}
BUILTIN(size) {
  // Counted: keys of weak tables go without a word.
  std::int64_t size = 0;
  hash_each(in.at<Vector>(table_of(in, args[0], "hash-table-size")->entries.get()),
            [&](Value, Value) { ++size; });
  return in.integer(size);
}
BUILTIN(clear) {
  static_cast<void>(table_of(in, args[0], "hash-table-clear!"));
  hash_clear(in, args[0]);
  return kUnspecified;
}

template <class Item>
Value collect(Interp& in, Value table, const char* who, const Item& item) {
  // The table may not change meanwhile, but the list is made of new objects.
  const Rooted entries(in, table_of(in, table, who)->entries.get());
  ListBuilder list(in);
  hash_each(in.at<Vector>(entries.get()),
            [&](Value key, Value value) { list.add(item(key, value)); });
  return list.finish();
}
BUILTIN(keys) {
  return collect(in, args[0], "hash-table-keys", [](Value key, Value) { return key; });
}
BUILTIN(all_values) {
  return collect(in, args[0], "hash-table-values", [](Value, Value value) { return value; });
}
BUILTIN(to_alist) {
  return collect(in, args[0], "hash-table->alist",
                 [&](Value key, Value value) { return in.cons(key, value); });
}
BUILTIN(copy) {
  const auto* table = table_of(in, args[0], "hash-table-copy");
  const Rooted result(in, make_hash_table(in, kind_of(table), table->count));
  const Rooted entries(in, table->entries.get());
  hash_each(in.at<Vector>(entries.get()),
            [&](Value key, Value value) { hash_put(in, result.get(), key, value); });
  return result.get();
}
BUILTIN(equivalence) {
  constexpr const char* kNames[] = {"eq?", "eqv?", "equal?", "string=?", "string-ci=?"};
  return core_value(in, kNames[kind_of(table_of(in, args[0], "hash-table"))]);
}
BUILTIN(hash_function) {
  constexpr const char* kNames[] = {"hash-by-identity", "hash", "hash", "string-hash",
                                    "string-ci-hash"};
  return core_value(in, kNames[kind_of(table_of(in, args[0], "hash-table"))]);
}
template <HashKind kind>
BUILTIN(hash) {
  if (kind >= kStringHash && !in.is(args[0], kString))
    in.wrong_type("string-hash", "string", args[0]);
  const std::int64_t hash = hash_of(in, args[0], kind);
  if (count < 2) return in.integer(hash & kMaxFixnum);
  const std::int64_t bound = integer_of(in, args[1], "hash");
  if (bound <= 0) in.wrong_type("hash", "positive integer", args[1]);
  return in.integer(hash % bound);
}

constexpr Builtin kBuiltins[] = {
    {"make-hash-table", make_table, 0, -1},
    {"make-equal-hashtable", make_table, 0, 1},
    {"make-weak-key-hash-table", make_weak_table, 0, 1},
    {"hash-table?", is_table, 1, 1},
    {"hash-table-ref/default", ref_default, 3, 3},
    {"hash-table-set!", set, 3, 3},
    {"hash-table-delete!", remove, 2, 2},
    {"hash-table-exists?", exists, 2, 2},
    {"hash-table-contains?", exists, 2, 2},
    {"hash-table-size", size, 1, 1},
    {"hash-table-count", size, 1, 1},
    {"hash-table-clear!", clear, 1, 1},
    {"hash-table-keys", keys, 1, 1},
    {"hash-table-values", all_values, 1, 1},
    {"hash-table->alist", to_alist, 1, 1},
    {"hash-table-copy", copy, 1, 2},
    {"hash-table-equivalence-function", equivalence, 1, 1},
    {"hash-table-hash-function", hash_function, 1, 1},
    {"hash", hash<kEqualHash>, 1, 2},
    {"hash-by-identity", hash<kEqHash>, 1, 2},
    {"string-hash", hash<kStringHash>, 1, 2},
    {"string-ci-hash", hash<kStringCiHash>, 1, 2},
};

}  // namespace

std::span<const Builtin> hash_builtins() { return kBuiltins; }

}  // namespace scheme
