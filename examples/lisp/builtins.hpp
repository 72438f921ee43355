#pragma once
// 4. The functions that the language comes with.
#include <iostream>

#include "text.hpp"

namespace lisp {
/// The arguments of a builtin. They stay on the stack until it returns.
struct Arguments {
  Memory& memory;
  std::size_t base, count;

  Value operator[](std::size_t i) const { return memory.stack[base + i]; }
  /// The object of an argument; an error where it is of another type.
  template <class T>
  [[nodiscard]] T& get(std::size_t i) const {
    auto* object = memory.as<T>((*this)[i]);
    if (object == nullptr) throw Failure{"of the wrong type: " + print(memory, (*this)[i])};
    return *object;
  }
  [[nodiscard]] std::string_view text(std::size_t i) const { return get<String>(i).text(); }
  [[nodiscard]] std::int64_t number(std::size_t i) const {
    const Value value = (*this)[i];
    if (!value.is_integer()) throw Failure{"not an integer: " + print(memory, value)};
    return value.as_integer();
  }
};

/// A function written in C++.
struct Function {
  const char* name;
  std::size_t least, most;  ///< Numbers of arguments.
  Value (*run)(const Arguments& arguments);
};
using A = const Arguments&;

inline Value integer(std::int64_t number) {
  if (number < Value::kMinInt || number > Value::kMaxInt) {
    throw Failure{"integer out of range: " + std::to_string(number)};
  }
  return Value::integer(number);
}

/// The first with each of the others in turn. Of one alone: `start` with it.
template <class Operation>
Value calculate(A a, std::int64_t start) {
  Value result = Value::integer(a.count > 1 ? a.number(0) : start);
  for (std::size_t i = a.count > 1 ? 1 : 0; i < a.count; ++i) {
    result = integer(Operation()(std::int64_t{result.as_integer()}, a.number(i)));
  }
  return result;
}
inline std::int64_t divisor(A a) {
  return a.number(1) != 0 ? a.number(1) : throw Failure{"division by zero"};
}

/// (substring string begin end), in bytes.
inline Value substring(A a) {
  const std::string text(a.text(0));
  const std::int64_t begin = a.number(1), end = a.number(2);
  if (begin < 0 || begin > end || end > std::ssize(text)) throw Failure{"not in the string"};
  return a.memory.string(text.substr(begin, end - begin));
}

/// The arguments' texts. Strings are readable from the argument `bare` on.
inline std::string joined(A a, const char* between, std::size_t bare) {
  std::string text;
  for (std::size_t i = 0; i < a.count; ++i) {
    text += (i != 0 ? between : "") + print(a.memory, a[i], i >= bare);
  }
  return text;
}

/// (gc): collects, and returns (objects bytes symbols) of what lives.
inline Value gc(A a) {
  a.memory.heap.collect();
  const besom::CollectionStats& last = a.memory.heap.last_collection();
  Value list = a.memory.cons(integer(a.memory.symbol_count()), Value());
  list = a.memory.cons(integer(static_cast<std::int64_t>(last.live_bytes)), list);
  return a.memory.cons(integer(static_cast<std::int64_t>(last.live_objects)), list);
}

/// Functions and special forms are values of global variables, so no word is reserved. The number
/// of a special form is its place here; that of a function counts on from there.
enum class Form { quote, if_, cond, and_, or_, begin, let, lambda, define, set, apply, call };
constexpr const char* kForms[] = {"quote", "if",     "cond",   "and",  "or",   "begin",
                                  "let",   "lambda", "define", "set!", "apply"};
constexpr std::size_t kAny = ~std::size_t{0};
constexpr Function kFunctions[] = {
    {"+", 0, kAny, [](A a) { return calculate<std::plus<>>(a, 0); }},
    {"-", 1, kAny, [](A a) { return calculate<std::minus<>>(a, 0); }},
    {"*", 0, kAny, [](A a) { return calculate<std::multiplies<>>(a, 1); }},
    {"/", 2, 2, [](A a) { return integer(a.number(0) / divisor(a)); }},
    {"mod", 2, 2, [](A a) { return integer(a.number(0) % divisor(a)); }},
    {"=", 2, 2, [](A a) { return a.memory.truth(a.number(0) == a.number(1)); }},
    {"<", 2, 2, [](A a) { return a.memory.truth(a.number(0) < a.number(1)); }},
    {">", 2, 2, [](A a) { return a.memory.truth(a.number(0) > a.number(1)); }},
    {"eq?", 2, 2, [](A a) { return a.memory.truth(a[0] == a[1]); }},
    {"integer?", 1, 1, [](A a) { return a.memory.truth(a[0].is_integer()); }},
    {"pair?", 1, 1, [](A a) { return a.memory.truth(a.memory.as<Pair>(a[0]) != nullptr); }},
    {"string?", 1, 1, [](A a) { return a.memory.truth(a.memory.as<String>(a[0]) != nullptr); }},
    {"symbol?", 1, 1, [](A a) { return a.memory.truth(a.memory.as<Symbol>(a[0]) != nullptr); }},
    {"cons", 2, 2, [](A a) { return a.memory.cons(a[0], a[1]); }},
    {"car", 1, 1, [](A a) { return a.get<Pair>(0).first.get(); }},
    {"cdr", 1, 1, [](A a) { return a.get<Pair>(0).rest.get(); }},
    {"string=?", 2, 2, [](A a) { return a.memory.truth(a.text(0) == a.text(1)); }},
    {"string-append", 0, kAny, [](A a) { return a.memory.string(joined(a, "", kAny)); }},
    {"string-length", 1, 1, [](A a) { return integer(std::ssize(a.text(0))); }},
    {"substring", 3, 3, substring},
    {"display", 0, kAny, [](A a) { return std::cout << joined(a, " ", kAny), Value(); }},
    {"print", 0, kAny, [](A a) { return std::cout << joined(a, " ", 0) << '\n', Value(); }},
    {"error", 1, kAny, [](A a) -> Value { throw Failure{joined(a, " ", 1)}; }},
    {"gc", 0, 0, gc},
};

/// What is easier to say in Lisp.
constexpr std::string_view kPrelude = R"(
(define t 't) (define else t)
(define (not x) (if x nil t)) (define (list . elements) elements)
(define (<= a b) (not (> a b))) (define (>= a b) (not (< a b)))
(define (equal? a b)
  (cond ((and (pair? a) (pair? b)) (and (equal? (car a) (car b)) (equal? (cdr a) (cdr b))))
        (else (if (and (string? a) (string? b)) (string=? a b) (eq? a b)))))
(define (fold f start l) (if l (fold f (f start (car l)) (cdr l)) start))
(define (reverse l) (fold (lambda (done x) (cons x done)) nil l))
(define (append a b) (fold (lambda (done x) (cons x done)) b (reverse a)))
(define (length l) (fold (lambda (n x) (+ n 1)) 0 l))
(define (map f l) (reverse (fold (lambda (done x) (cons (f x) done)) nil l)))
(define (filter f l) (reverse (fold (lambda (done x) (if (f x) (cons x done) done)) nil l)))
(define (for-each f l) (fold (lambda (done x) (f x) nil) nil l))
)";
}  // namespace lisp
