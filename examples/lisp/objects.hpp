#pragma once
// 1. What the Lisp keeps in the heap.
//
// A value is 32 bits: an integer of 31 bits, or a ref to an object of one of the types below. The
// null ref is `nil`, which is the empty list and also "false". So nil takes no object at all.
//
// Every object begins with a Header. Each type has a type(), which tells the collector where in the
// object the refs are. Objects begin as zeros, and no constructor runs: new fields are nil or null.
#include <besom/besom.hpp>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace lisp {
using besom::Header;
using besom::Member;
using besom::TypeDescriptor;
using besom::Value;
using besom::ValueMember;

/// Text, which never changes. The header's length counts the bytes.
struct String : besom::ByteArray {
  [[nodiscard]] std::string_view text() const {
    return {reinterpret_cast<const char*>(data()), length()};
  }
  static TypeDescriptor type() { return {.name = "String", .trailing = besom::Trailing::bytes}; }
};

/// A list is its first element and the list of the others. No program can change a pair, so no list
/// runs in a circle. In a type without a trailing array the header's length is ours: a list that
/// the reader made has its place in the program's text there (text.hpp), others have 0.
struct Pair {
  Header header;
  ValueMember first, rest;
  static TypeDescriptor type() {
    return {.name = "Pair",
            .size = sizeof(Pair),
            .fields = {{"first", offsetof(Pair, first), besom::SlotKind::value},
                       {"rest", offsetof(Pair, rest), besom::SlotKind::value}}};
  }
};

/// A name. There is one symbol for each name (Memory::intern), so two symbols are the same name
/// exactly if they are the same object. The name's bytes follow the fixed part.
struct Symbol {
  Header header;
  Member<Pair> global;  ///< The global variable; null as long as nobody has defined it.
  [[nodiscard]] std::string_view name() const {
    return {besom::trailing_of<const char>(this), header.length};
  }
  static TypeDescriptor type() {
    return {.name = "Symbol",
            .size = sizeof(Symbol),
            .fields = {{"global", offsetof(Symbol, global)}},
            .trailing = besom::Trailing::bytes};
  }
};

// A variable is a pair (name . value), and an environment is a list of those in sight: first those
// of the same call or `let`, then those around. Each call and each `let` begins with an element
// nil, behind which its variables are. The empty list stands for the global variables.

/// What `lambda` makes: code, and the variables that are in sight where it stands. They live as
/// long as the closure does, which is why a Lisp needs a collector and not a stack.
struct Closure {
  Header header;
  /// Symbols; a symbol in the place of the list's end takes the rest. In a builtin, which has
  /// nothing else: an integer, its number in the table of functions (builtins.hpp).
  ValueMember parameters;
  Member<Pair> body;
  Member<Pair> environment;
  static TypeDescriptor type() {
    return {.name = "Closure",
            .size = sizeof(Closure),
            .fields = {{"parameters", offsetof(Closure, parameters), besom::SlotKind::value},
                       {"body", offsetof(Closure, body)},
                       {"environment", offsetof(Closure, environment)}}};
  }
};
}  // namespace lisp
