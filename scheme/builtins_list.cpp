/// Equivalence, pairs, lists, symbols.

#include <iterator>

#include "builtins.hpp"
#include "lists.hpp"
#include "numbers.hpp"

namespace scheme {
namespace {

BUILTIN(is_not) { return boolean(args[0] == kFalse); }
BUILTIN(eq) { return boolean(args[0] == args[1]); }
BUILTIN(eqv) { return boolean(is_eqv(in, args[0], args[1])); }
BUILTIN(equal) { return boolean(is_equal(in, args[0], args[1])); }

template <TypeNumber type>
BUILTIN(has_type) {
  return boolean(in.is(args[0], type));
}
BUILTIN(is_null) { return boolean(args[0] == kNil); }
BUILTIN(is_list) { return boolean(list_length(in, args[0]) >= 0); }
BUILTIN(is_boolean) { return boolean(args[0] == kFalse || args[0] == kTrue); }

BUILTIN(cons) { return in.cons(args[0], args[1]); }
/// Called at each step along a list: long searches can be interrupted, and look now and then
/// whether the list is circular.
void count_step(Interp& in, std::uint32_t& steps, Value list, const char* who) {
  if ((++steps & 0xfffff) != 0) return;
  in.check_interrupt();
  if ((steps & (steps - 1)) != 0) return;
  for (Value fast = list, slow = list; in.is_pair(fast) && in.is_pair(in.cdr(fast));) {
    fast = in.cdr(in.cdr(fast));
    slow = in.cdr(slow);
    if (fast == slow) in.wrong_type(who, "list", list);
  }
}

Pair* pair_of(Interp& in, Value value, const char* who) {
  if (!in.is_pair(value)) in.wrong_type(who, "pair", value);
  return in.pair(value);
}
BUILTIN(set_car) {
  pair_of(in, args[0], "set-car!")->car.set(args[1]);
  return kUnspecified;
}
BUILTIN(set_cdr) {
  pair_of(in, args[0], "set-cdr!")->cdr.set(args[1]);
  return kUnspecified;
}

/// c[ad]+r: `path` is the middle of the name, applied from its end.
Value follow(Interp& in, Value value, const char* who, const char* path, int length) {
  const Value whole = value;
  for (int i = length; i > 0; --i) {
    if (!in.is_pair(value)) in.wrong_type(who, length == 1 ? "pair" : "nested pair", whole);
    value = path[i - 1] == 'a' ? in.car(value) : in.cdr(value);
  }
  return value;
}
#define PATH(name)                                                           \
  Value c##name##r(Interp& in, Value* args, std::uint32_t) {                 \
    return follow(in, args[0], "c" #name "r", #name, int{sizeof #name - 1}); \
  }
// clang-format off
PATH(a) PATH(d)
PATH(aa) PATH(ad) PATH(da) PATH(dd)
PATH(aaa) PATH(aad) PATH(ada) PATH(add) PATH(daa) PATH(dad) PATH(dda) PATH(ddd)
PATH(aaaa) PATH(aaad) PATH(aada) PATH(aadd) PATH(adaa) PATH(adad) PATH(adda) PATH(addd)
PATH(daaa) PATH(daad) PATH(dada) PATH(dadd) PATH(ddaa) PATH(ddad) PATH(ddda) PATH(dddd)
    // clang-format on

    BUILTIN(list) {
  Rooted result(in, kNil);
  for (std::uint32_t i = count; i > 0; --i) result.set(in.cons(args[i - 1], result.get()));
  return result.get();
}
BUILTIN(cons_star) {
  Rooted result(in, args[count - 1]);
  for (std::uint32_t i = count - 1; i > 0; --i) result.set(in.cons(args[i - 1], result.get()));
  return result.get();
}
BUILTIN(make_list) {
  const std::uint32_t length = index_of(in, args[0], "make-list", 0xfffffff);
  Rooted result(in, kNil);
  for (std::uint32_t i = 0; i < length; ++i) {
    result.set(in.cons(count == 2 ? args[1] : kUnspecified, result.get()));
  }
  return result.get();
}
BUILTIN(length) {
  const std::int64_t length = list_length(in, args[0]);
  if (length < 0) in.wrong_type("length", "list", args[0]);
  return in.integer(length);
}
void add_copy(Interp& in, ListBuilder& copy, Value list) {
  if (list_length(in, list) < 0) in.wrong_type("append", "list", list);
  for (; list != kNil; list = in.cdr(list)) copy.add(in.car(list));
}
BUILTIN(append) {
  if (count == 0) return kNil;
  ListBuilder copy(in);
  for (std::uint32_t i = 0; i + 1 < count; ++i) add_copy(in, copy, args[i]);
  return copy.finish(args[count - 1]);
}
BUILTIN(append_all) {
  if (args[0] == kNil) return kNil;
  ListBuilder copy(in);
  Value rest = args[0];
  for (; in.cdr(rest) != kNil; rest = in.cdr(rest)) add_copy(in, copy, in.car(rest));
  return copy.finish(in.car(rest));
}
Value reverse_onto(Interp& in, Value list, Value tail, const char* who) {
  Rooted result(in, tail);
  Value rest = list;
  for (; in.is_pair(rest); rest = in.cdr(rest)) result.set(in.cons(in.car(rest), result.get()));
  if (rest != kNil) in.wrong_type(who, "list", list);
  return result.get();
}
BUILTIN(reverse) { return reverse_onto(in, args[0], kNil, "reverse"); }
BUILTIN(append_reverse) { return reverse_onto(in, args[0], args[1], "append-reverse"); }
Value tail_of(Interp& in, Value list, Value number, const char* who) {
  const std::uint32_t k = index_of(in, number, who, 0xffffffff);
  Value rest = list;
  for (std::uint32_t i = 0; i < k; ++i) {
    if (!in.is_pair(rest)) in.fail(in.public_name(who) + ": list is too short:", {list, number});
    rest = in.cdr(rest);
  }
  return rest;
}
BUILTIN(list_tail) { return tail_of(in, args[0], args[1], "list-tail"); }
BUILTIN(list_ref) {
  return pair_of(in, tail_of(in, args[0], args[1], "list-ref"), "list-ref")->car.get();
}
BUILTIN(list_set) {
  pair_of(in, tail_of(in, args[0], args[1], "list-set!"), "list-set!")->car.set(args[2]);
  return kUnspecified;
}
BUILTIN(list_copy) {
  ListBuilder copy(in);
  Value rest = args[0];
  for (; in.is_pair(rest); rest = in.cdr(rest)) copy.add(in.car(rest));
  return copy.finish(rest);
}
BUILTIN(last_pair) {
  Value rest = args[0];
  pair_of(in, rest, "last-pair");
  for (std::uint32_t steps = 0; in.is_pair(in.cdr(rest)); rest = in.cdr(rest)) {
    count_step(in, steps, args[0], "last-pair");
  }
  return rest;
}
BUILTIN(iota) {
  const std::uint32_t length = index_of(in, args[0], "iota", 0xfffffff);
  const Rooted step(in, count > 2 ? args[2] : fixnum(1));
  Rooted next(in, count > 1 ? args[1] : fixnum(0));
  ListBuilder result(in);
  for (std::uint32_t i = 0; i < length; ++i) {
    result.add(next.get());
    next.set(num_add(in, next.get(), step.get()));
  }
  return result.finish();
}

template <class Same>
Value find_member(Interp& in, Value x, Value list, const char* who, const Same& same) {
  Value rest = list;
  for (std::uint32_t steps = 0; in.is_pair(rest);
       rest = in.cdr(rest), count_step(in, steps, list, who)) {
    if (same(x, in.car(rest))) return rest;
  }
  if (rest != kNil) in.wrong_type(who, "list", list);
  return kFalse;
}
template <class Same>
Value find_entry(Interp& in, Value x, Value list, const char* who, const Same& same) {
  Value rest = list;
  for (std::uint32_t steps = 0; in.is_pair(rest);
       rest = in.cdr(rest), count_step(in, steps, list, who)) {
    if (same(x, pair_of(in, in.car(rest), who)->car.get())) return in.car(rest);
  }
  if (rest != kNil) in.wrong_type(who, "list", list);
  return kFalse;
}
BUILTIN(memq) {
  return find_member(in, args[0], args[1], "memq", [](Value x, Value y) { return x == y; });
}
BUILTIN(memv) {
  return find_member(in, args[0], args[1], "memv",
                     [&](Value x, Value y) { return is_eqv(in, x, y); });
}
BUILTIN(member) {
  return find_member(in, args[0], args[1], "member",
                     [&](Value x, Value y) { return is_equal(in, x, y); });
}
BUILTIN(assq) {
  return find_entry(in, args[0], args[1], "assq", [](Value x, Value y) { return x == y; });
}
BUILTIN(assv) {
  return find_entry(in, args[0], args[1], "assv",
                    [&](Value x, Value y) { return is_eqv(in, x, y); });
}
BUILTIN(assoc) {
  return find_entry(in, args[0], args[1], "assoc",
                    [&](Value x, Value y) { return is_equal(in, x, y); });
}

// For map and for-each over several lists.
BUILTIN(all_pairs) {
  for (Value rest = args[0]; in.is_pair(rest); rest = in.cdr(rest)) {
    if (!in.is_pair(in.car(rest))) return kFalse;
  }
  return boolean(args[0] != kNil);
}
// What goes through lists until what is left of one was no pair: an end of a list must be among
// what is left.
BUILTIN(check_ends) {
  Value other = kNil;
  for (std::uint32_t i = 0; i < count; ++i) {
    if (args[i] == kNil) return kUnspecified;
    if (other == kNil && !in.is_pair(args[i])) other = args[i];
  }
  in.wrong_type("map", "list", other);
}
BUILTIN(check_lists) {
  for (Value rest = args[0]; in.is_pair(rest); rest = in.cdr(rest)) {
    if (in.car(rest) == kNil) return kUnspecified;
  }
  for (Value rest = args[0]; in.is_pair(rest); rest = in.cdr(rest)) {
    if (!in.is_pair(in.car(rest))) in.wrong_type("map", "list", in.car(rest));
  }
  return kUnspecified;
}
template <bool first>
BUILTIN(parts) {
  ListBuilder result(in);
  for (Value rest = args[0]; in.is_pair(rest); rest = in.cdr(rest)) {
    result.add(first ? in.car(in.car(rest)) : in.cdr(in.car(rest)));
  }
  return result.finish();
}
BUILTIN(common_tail) {
  std::int64_t a = list_length(in, args[0]), b = list_length(in, args[1]);
  Value x = args[0], y = args[1];
  for (; a > b; --a) x = in.cdr(x);
  for (; b > a; --b) y = in.cdr(y);
  for (; x != y; y = in.cdr(y)) x = in.cdr(x);
  return x;
}

Value all_same(Interp& in, const Value* args, std::uint32_t count, const char* who,
               const char* what, bool (*is)(const Interp&, Value)) {
  bool same = true;
  for (std::uint32_t i = 0; i < count; ++i) {
    if (!is(in, args[i])) in.wrong_type(who, what, args[i]);
    same = same && args[i] == args[0];
  }
  return boolean(same);
}
BUILTIN(boolean_equal) {
  return all_same(in, args, count, "boolean=?", "boolean",
                  [](const Interp&, Value v) { return v == kFalse || v == kTrue; });
}
BUILTIN(symbol_equal) {
  return all_same(in, args, count, "symbol=?", "symbol",
                  [](const Interp& self, Value v) { return self.is_symbol(v); });
}
BUILTIN(symbol_to_string) {
  if (!in.is_symbol(args[0])) in.wrong_type("symbol->string", "symbol", args[0]);
  return in.string(in.name_of(args[0]));
}
BUILTIN(string_to_symbol) {
  if (!in.is(args[0], kString)) in.wrong_type("string->symbol", "string", args[0]);
  // The name in the table is a copy: the string may be changed.
  return in.intern(std::u32string(in.text(args[0])));
}

BUILTIN(box) {
  auto* object = in.make<Box>(kBox);
  object->value.init(count == 0 ? kFalse : args[0]);
  return in.ref(object);
}
BUILTIN(unbox) {
  if (!in.is(args[0], kBox)) in.wrong_type("unbox", "box", args[0]);
  return in.at<Box>(args[0])->value.get();
}
BUILTIN(set_box) {
  if (!in.is(args[0], kBox)) in.wrong_type("set-box!", "box", args[0]);
  in.at<Box>(args[0])->value.set(args[1]);
  return kUnspecified;
}

constexpr Builtin kBuiltins[] = {
    {"not", is_not, 1, 1},
    {"eq?", eq, 2, 2},
    {"eqv?", eqv, 2, 2},
    {"equal?", equal, 2, 2},
    {"pair?", has_type<kPair>, 1, 1},
    {"null?", is_null, 1, 1},
    {"list?", is_list, 1, 1},
    {"symbol?", has_type<kSymbol>, 1, 1},
    {"boolean?", is_boolean, 1, 1},
    {"box?", has_type<kBox>, 1, 1},
    {"box", box, 1, 1},
    {"unbox", unbox, 1, 1},
    {"set-box!", set_box, 2, 2},
    {"cons", cons, 2, 2},
    {"set-car!", set_car, 2, 2},
    {"set-cdr!", set_cdr, 2, 2},
    {"car", car, 1, 1},
    {"cdr", cdr, 1, 1},
    {"caar", caar, 1, 1},
    {"cadr", cadr, 1, 1},
    {"cdar", cdar, 1, 1},
    {"cddr", cddr, 1, 1},
    {"caaar", caaar, 1, 1},
    {"caadr", caadr, 1, 1},
    {"cadar", cadar, 1, 1},
    {"caddr", caddr, 1, 1},
    {"cdaar", cdaar, 1, 1},
    {"cdadr", cdadr, 1, 1},
    {"cddar", cddar, 1, 1},
    {"cdddr", cdddr, 1, 1},
    {"caaaar", caaaar, 1, 1},
    {"caaadr", caaadr, 1, 1},
    {"caadar", caadar, 1, 1},
    {"caaddr", caaddr, 1, 1},
    {"cadaar", cadaar, 1, 1},
    {"cadadr", cadadr, 1, 1},
    {"caddar", caddar, 1, 1},
    {"cadddr", cadddr, 1, 1},
    {"cdaaar", cdaaar, 1, 1},
    {"cdaadr", cdaadr, 1, 1},
    {"cdadar", cdadar, 1, 1},
    {"cdaddr", cdaddr, 1, 1},
    {"cddaar", cddaar, 1, 1},
    {"cddadr", cddadr, 1, 1},
    {"cdddar", cdddar, 1, 1},
    {"cddddr", cddddr, 1, 1},
    {"list", list, 0, -1},
    {"cons*", cons_star, 1, -1},
    {"list*", cons_star, 1, -1},
    {"make-list", make_list, 1, 2},
    {"length", length, 1, 1},
    {"append", append, 0, -1},
    {"append!", append, 0, -1},
    {"reverse", reverse, 1, 1},
    {"reverse!", reverse, 1, 1},
    {"append-reverse", append_reverse, 2, 2},
    {"list-tail", list_tail, 2, 2},
    {"list-ref", list_ref, 2, 2},
    {"list-set!", list_set, 3, 3},
    {"list-copy", list_copy, 1, 1},
    {"last-pair", last_pair, 1, 1},
    {"iota", iota, 1, 3},
    {"memq", memq, 2, 2},
    {"memv", memv, 2, 2},
    {"%member", member, 2, 2},
    {"assq", assq, 2, 2},
    {"assv", assv, 2, 2},
    {"%assoc", assoc, 2, 2},
    {"%all-pairs?", all_pairs, 1, 1},
    {"%check-ends", check_ends, 1, 2},
    {"%check-lists", check_lists, 1, 1},
    {"%append-all", append_all, 1, 1},
    {"%cars", parts<true>, 1, 1},
    {"%cdrs", parts<false>, 1, 1},
    {"%common-tail", common_tail, 2, 2},
    {"boolean=?", boolean_equal, 2, -1},
    {"symbol=?", symbol_equal, 2, -1},
    {"symbol->string", symbol_to_string, 1, 1},
    {"string->symbol", string_to_symbol, 1, 1},
};

}  // namespace

std::span<const Builtin> list_builtins() { return kBuiltins; }

}  // namespace scheme
