#pragma once
// 2. How objects are made, and what keeps them alive.
//
// Any allocation may collect. What a C++ function will still use after one must be reachable from a
// root at that moment. There are three kinds of roots here:
//   - a Handle, for what lives as long as the interpreter: the globals, the table of symbols;
//   - a Local in a HandleScope, for an object that a C++ function works on;
//   - `stack`, for values, since a Local holds no integer: arguments, lists that are half built.
// A result that is returned has no root: whoever gets it stores or roots it before he allocates.
#include <sys/resource.h>

#include <algorithm>
#include <functional>
#include <string>
#include <tuple>
#include <vector>

#include "objects.hpp"

namespace lisp {
/// How an error leaves what is being done: thrown, so that each HandleScope on the way drops its
/// locals. It lies outside of the heap, since the heap may be full.
struct Failure {
  enum Kind { kSyntax = 65, kError = 70, kExhausted = 71, kIncomplete };  // the exit codes
  std::string message;
  Kind kind = kError;
  std::string place{};  ///< "file:line:column: ", or empty where that is not known yet.
};

/// Cuts the stack to its present height when it goes, also by an error.
struct StackMark {
  std::vector<Value>& stack;
  const std::size_t base = stack.size();
  ~StackMark() { stack.resize(base); }
};

class Memory {
 public:
  explicit Memory(besom::Heap& in)
      : heap(in),
        roots_(in.add_roots(visit_stack, this, "stack")),
        symbols_(in,
                 besom::make_table(in, of<besom::WeakValueTable>(), of<besom::WeakValueArray>())),
        t_(in, intern("t"), "t") {
    if (!roots_ || !symbols_ || !t_) throw Failure{in.error().message(), Failure::kExhausted};
    rlimit limit{};
    getrlimit(RLIMIT_STACK, &limit);  // a quarter of it is for what does not check the depth
    native_stack_end_ = static_cast<const char*>(__builtin_frame_address(0)) -
                        std::min(limit.rlim_cur, rlim_t{64} << 20) / 4 * 3;
  }
  template <class T>
  [[nodiscard]] besom::Type<T> of() const {
    return std::get<besom::Type<T>>(types_);
  }
  /// A new object, all zero. A refused allocation is an error of the Lisp program.
  template <class T, class... Length>
  T* make(Length... length) {
    T* object = heap.allocate(of<T>(), length...);
    if (object == nullptr) throw Failure{heap.error().message(), Failure::kExhausted};
    return object;
  }
  /// The object of a value, or nullptr where it is no `T`. as_ref() takes the value for a ref, the
  /// heap knows where that leads, and the header there says what it is.
  template <class T>
  [[nodiscard]] T* as(Value value) const {
    if (!value.is_ref()) return nullptr;
    const Header* header = heap.get(value.as_ref<Header>());
    return header->type == of<T>().id ? heap.get(value.as_ref<T>()) : nullptr;
  }
  /// The values need no root.
  Value cons(Value first, Value rest, std::uint32_t place = 0) {
    push(first);
    push(rest);
    Pair* pair = make<Pair>();
    pair->header.length = place;
    pair->rest = pop();
    pair->first = pop();
    return besom::Ref<Pair>(pair);
  }
  /// Makes one list of what was pushed since the stack's height was `base`. What was pushed last is
  /// the list's end: nil, or what stands behind a dot.
  Value pop_list(std::size_t base, std::uint32_t place = 0) {
    while (stack.size() > base + 1) {  // from the end to the first pair, which gets the place
      const Value rest = pop(), first = pop();
      push(cons(first, rest, stack.size() == base ? place : 0));
    }
    return pop();
  }
  Value string(std::string_view text) {
    auto* string = make<String>(text.size());
    std::copy(text.begin(), text.end(), string->data());
    return besom::Ref<String>(string);
  }
  /// The one symbol of that name. The table keeps none alive: an entry goes when nothing else
  /// refers to its symbol. A key is a number that the name's hash gives. As two names may have the
  /// same, there are four for each; the first may have become free while the name has the second.
  Symbol* intern(std::string_view name) {
    Value key;
    for (std::size_t i = 0, hash = std::hash<std::string_view>()(name); i < 4; ++i) {
      const Value tried = Value::integer(static_cast<int>((hash + i) & Value::kMaxInt));
      auto* known = as<Symbol>(symbols_->get(heap, tried));
      if (known == nullptr) key = tried;
      if (known != nullptr && known->name() == name) return known;
    }
    if (key.is_null()) throw Failure{"too many names have the same hash"};
    besom::HandleScope scope(heap);
    const auto symbol = scope.root(make<Symbol>(name.size()));
    std::copy(name.begin(), name.end(), besom::trailing_of<char>(symbol.get()));
    const besom::Error error = symbols_->put(heap, key, symbol.ref());
    if (error) throw Failure{error.message(), Failure::kExhausted};
    return symbol.get();
  }
  [[nodiscard]] std::uint32_t symbol_count() const { return symbols_->size(heap); }
  void push(Value value) { stack.push_back(value); }
  Value pop() {
    const Value value = stack.back();
    return stack.pop_back(), value;
  }
  /// Whatever recurses calls this: to nest too deep is an error, and not the end of the program.
  void check_depth() const {
    if (static_cast<const char*>(__builtin_frame_address(0)) < native_stack_end_) {
      throw Failure{"calls or data nest too deep"};
    }
  }
  [[nodiscard]] Value truth(bool holds) const { return holds ? Value(t_.ref()) : Value(); }

  besom::Heap& heap;
  std::vector<Value> stack;
  std::string file;  ///< What places call the text. As long as it is empty, lists get no places.

 private:
  /// The collector asks for the roots that are the interpreter's own.
  static void visit_stack(void* memory, besom::Tracer& tracer) {
    for (const Value& value : static_cast<Memory*>(memory)->stack) tracer.visit(value);
  }
  template <class... T>
  struct Types : std::tuple<besom::Type<T>...> {
    explicit Types(besom::Heap& in) : std::tuple<besom::Type<T>...>(*in.define<T>()...) {}
  };
  Types<String, Symbol, Pair, Closure, besom::WeakValueTable, besom::WeakValueArray> types_{heap};
  besom::RootRegistration roots_;
  besom::Handle<besom::WeakValueTable> symbols_;
  besom::Handle<Symbol> t_;
  const char* native_stack_end_ = nullptr;
};
}  // namespace lisp
