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

/// The equivalences that tables know, by the procedures that have them; kNoKind for others.
constexpr HashKind kNoKind{99};
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
  return kNoKind;
}

/// `(%make-table [size | equivalence [hash]])`. A hash procedure that is built in is as good as the
/// table's own.
BUILTIN(make_table) {
  if (count == 0 || is_fixnum(args[0])) return make_hash_table(in, kEqualHash);
  const HashKind kind = kind_for(in, args[0]);
  const bool has_own_hash = count > 1 && !is_fixnum(args[1]) && !in.is(args[1], kPrimitive);
  if (kind != kNoKind && !has_own_hash) return make_hash_table(in, kind);
  const Rooted table(in, make_hash_table(in, kEqvHash));
  const Value hash = count > 1 && !is_fixnum(args[1]) ? args[1] : core_value(in, "hash");
  in.at<HashTable>(table.get())->procedures.set(in.cons(args[0], hash));
  return table.get();
}
BUILTIN(make_weak_table) {
  const HashKind kind = count == 0 ? kEqvHash : kind_for(in, args[0]);
  if (kind == kNoKind) {
    in.fail("make-weak-key-hash-table: the equivalence has to be a built-in one, got", {args[0]});
  }
  return make_hash_table(in, kind, 0, true);
}
BUILTIN(procedures_of) { return table_of(in, args[0], "hash table")->procedures.get(); }
BUILTIN(no_such_key) { in.fail(in.public_name("hash-table-ref") + ": no such key:", {args[0]}); }
BUILTIN(is_table) { return boolean(in.is(args[0], kHashTable)); }
// What a table does whose procedures are built in, or whose lists of entries are meant.
Value ref_in(Interp& in, Value* args, const HashTable* table, const char* who) {
  check_key(in, table, args[1], who);
  const Slot* slot = hash_find(in, args[0], args[1]);
  return slot == nullptr ? args[2] : slot->get();
}
Value set_in(Interp& in, Value* args, const HashTable* table, const char* who) {
  check_key(in, table, args[1], who);
  hash_put(in, args[0], args[1], args[2]);
  return kUnspecified;
}
Value remove_in(Interp& in, Value* args, const HashTable* table, const char* who) {
  check_key(in, table, args[1], who);
  static_cast<void>(hash_remove(in, args[0], args[1]));
  return kUnspecified;
}
Value exists_in(Interp& in, Value* args, const HashTable* table, const char* who) {
  check_key(in, table, args[1], who);
  return boolean(hash_find(in, args[0], args[1]) != nullptr);
}
using TableOperation = Value (*)(Interp&, Value*, const HashTable*, const char*);
enum TableProcedure { kRef, kSet, kDelete, kExists };
constexpr const char* kTableProcedures[] = {"hash-table-ref/default", "hash-table-set!",
                                            "hash-table-delete!", "hash-table-exists?"};
/// kUnbound where the program's own procedures have to be called.
template <TableOperation operation, TableProcedure name, bool meets_lists>
BUILTIN(in_table) {
  const auto* table = table_of(in, args[0], kTableProcedures[name]);
  if (!meets_lists && is_true(table->procedures.get())) return kUnbound;
  return operation(in, args, table, kTableProcedures[name]);
}

/// Calls `visit(key, value)` for all entries; the table may not change meanwhile.
template <class Visit>
void each_entry(Interp& in, const HashTable* table, const Visit& visit) {
  const bool has_lists = is_true(table->procedures.get());
  hash_each(in.at<Vector>(table->entries.get()), [&](Value key, Value value) {
    if (!has_lists) return visit(key, value);
    for (; in.is_pair(value); value = in.cdr(value)) {
      visit(in.car(in.car(value)), in.cdr(in.car(value)));
    }
  });
}
BUILTIN(size) {
  // Counted: keys of weak tables go without a word.
  std::int64_t size = 0;
  each_entry(in, table_of(in, args[0], "hash-table-size"), [&](Value, Value) { ++size; });
  return in.integer(size);
}
BUILTIN(clear) {
  static_cast<void>(table_of(in, args[0], "hash-table-clear!"));
  hash_clear(in, args[0]);
  return kUnspecified;
}

template <class Item>
Value collect(Interp& in, Value table, const char* who, const Item& item) {
  const auto* object = table_of(in, table, who);
  const Rooted rooted(in, table);
  ListBuilder list(in);
  each_entry(in, object, [&](Value key, Value value) { list.add(item(key, value)); });
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
  const bool has_weak_keys = (table->header.length & kWeakKeys) != 0;
  const Rooted result(in, make_hash_table(in, kind_of(table), table->count, has_weak_keys));
  const bool has_lists = is_true(table->procedures.get());
  in.at<HashTable>(result.get())->procedures.set(table->procedures.get());
  hash_each(in.at<Vector>(table->entries.get()), [&](Value key, Value value) {
    if (!has_lists) return hash_put(in, result.get(), key, value);
    ListBuilder list(in);
    for (; in.is_pair(value); value = in.cdr(value)) {
      list.add(in.cons(in.car(in.car(value)), in.cdr(in.car(value))));
    }
    hash_put(in, result.get(), key, list.finish());
  });
  return result.get();
}
BUILTIN(equivalence) {
  constexpr const char* kNames[] = {"eq?", "eqv?", "equal?", "string=?", "string-ci=?"};
  const auto* table = table_of(in, args[0], "hash-table-equivalence-function");
  const Value own = table->procedures.get();
  return is_true(own) ? in.car(own) : core_value(in, kNames[kind_of(table)]);
}
BUILTIN(hash_function) {
  constexpr const char* kNames[] = {"hash-by-identity", "hash", "hash", "string-hash",
                                    "string-ci-hash"};
  const auto* table = table_of(in, args[0], "hash-table-hash-function");
  const Value own = table->procedures.get();
  return is_true(own) ? in.cdr(own) : core_value(in, kNames[kind_of(table)]);
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
    {"%no-such-key", no_such_key, 1, 1},
    {"%table-procedures", procedures_of, 1, 1},
    {"hash-table-ref/default", in_table<ref_in, kRef, false>, 3, 3, Control::prelude_if_unbound},
    {"hash-table-set!", in_table<set_in, kSet, false>, 3, 3, Control::prelude_if_unbound},
    {"hash-table-delete!", in_table<remove_in, kDelete, false>, 2, 2, Control::prelude_if_unbound},
    {"hash-table-exists?", in_table<exists_in, kExists, false>, 2, 2, Control::prelude_if_unbound},
    {"%table-ref", in_table<ref_in, kRef, true>, 3, 3},
    {"%table-set!", in_table<set_in, kSet, true>, 3, 3},
    {"%table-delete!", in_table<remove_in, kDelete, true>, 2, 2},
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
