#pragma once

#include <atomic>
#include <csignal>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "objects.hpp"
#include "symbols.hpp"

namespace scheme {

class Interp;

/// A procedure written in C++. `args` are `count` slots of the VM's stack, which are roots.
using BuiltinFunction = Value (*)(Interp& in, Value* args, std::uint32_t count);

/// Procedures that the VM itself carries out, since they change what is called or returned to.
/// With `prelude_if_unbound` the prelude's "%own-NAME" is called in their place when they return
/// kUnbound.
enum class Control : std::uint8_t {
  none,
  apply,
  apply_values,
  call_cc,
  throw_to,
  eval,
  prelude_if_unbound
};

struct Builtin {
  const char* name;
  BuiltinFunction function;
  std::int16_t least;
  std::int16_t most;  ///< -1: any number.
  Control control = Control::none;
};

/// A Scheme object was raised by C++ code: the VM calls the handlers.
struct Raised {
  Value object;
};
/// An object was raised and nobody handled it. Its text is made while the stack is still there.
struct Uncaught {
  std::string message;
  ConditionKind kind;
};
/// `(exit n)`.
struct Exit {
  int code;
};

/// A place in a source text; `file` is a String or #f.
struct Place {
  Value file = kFalse;
  std::uint32_t line = 0;
  std::uint32_t column = 0;
};

/// One interpreter: a heap's objects, the VM's stack and registers, the builtin procedures.
///
/// Everything that a collection has to know about is a root by one callback: the live part of the
/// stack, the registers, `Rooted` values, and while a `Pins` is open every object made by a make_
/// function. Several interpreters can live in one process, each in a heap of its own.
class Interp {
 public:
  /// `heap` has no types yet, and outlives the interpreter. Throws example::Stop when it is
  /// too small.
  explicit Interp(besom::Heap& heap);
  ~Interp();
  Interp(const Interp&) = delete;
  Interp& operator=(const Interp&) = delete;

  [[nodiscard]] besom::Heap& heap() noexcept { return heap_; }

  // Objects.
  template <class T>
  [[nodiscard]] T* at(Value value) const noexcept {
    return reinterpret_cast<T*>(base_ + value.bits());
  }
  [[nodiscard]] bool is(Value value, TypeNumber type) const noexcept {
    return is_object(value) && at<Header>(value)->type == type;
  }
  [[nodiscard]] Pair* pair(Value value) const noexcept { return at<Pair>(value); }
  [[nodiscard]] bool is_pair(Value value) const noexcept { return is(value, kPair); }
  [[nodiscard]] Value car(Value value) const noexcept { return pair(value)->car.get(); }
  [[nodiscard]] Value cdr(Value value) const noexcept { return pair(value)->cdr.get(); }
  [[nodiscard]] bool is_symbol(Value value) const noexcept { return is(value, kSymbol); }
  [[nodiscard]] static Value ref(const void* object) noexcept {
    return Value(besom::Ref<void>(object));
  }
  /// The objects' fields that are slots are not yet Scheme data: the caller fills them in before it
  /// allocates again.
  template <class T>
  [[nodiscard]] T* make(TypeNumber type) {
    T* object = heap_.allocate(besom::Type<T>{type});
    if (object == nullptr) [[unlikely]]
      exhausted();
    if (pin_depth_ != 0) pins_.push_back(ref(object));
    return object;
  }
  template <class T>
  [[nodiscard]] T* make(TypeNumber type, std::uint64_t length) {
    return static_cast<T*>(make_array(type, length));
  }
  [[nodiscard]] Value cons(Value car, Value cdr);
  [[nodiscard]] Value list(std::initializer_list<Value> items);
  [[nodiscard]] Value flonum(double value);
  [[nodiscard]] Value integer(std::int64_t value) {
    return fits_fixnum(value) ? fixnum(value) : big_integer(value);
  }
  [[nodiscard]] Value string(std::u32string_view text);
  /// Malformed UTF-8 becomes U+FFFD.
  [[nodiscard]] Value string(std::string_view utf8);
  [[nodiscard]] Value make_string(std::uint64_t size, char32_t fill);
  [[nodiscard]] Value make_vector(std::uint64_t size, Value fill, TypeNumber type = kVector);
  [[nodiscard]] Value make_bytevector(std::uint64_t size);
  [[nodiscard]] Value symbol(std::string_view utf8);
  [[nodiscard]] Value intern(std::u32string_view name);
  /// Several values, or the one.
  [[nodiscard]] Value values(std::span<const Value> items);

  [[nodiscard]] std::u32string_view text(Value string) const noexcept {
    return {at<String>(string)->chars(), at<String>(string)->size()};
  }
  [[nodiscard]] std::u32string_view name_of(Value symbol) const noexcept {
    return text(at<Symbol>(symbol)->name.get());
  }
  [[nodiscard]] std::string utf8(Value string_or_symbol) const;

  // Errors. `who` is the name of the C++ code, told as the procedure that the program called; all
  // of these throw Raised.
  [[noreturn]] void fail(std::string_view message, std::initializer_list<Value> irritants = {},
                         ConditionKind kind = kErrorCondition);
  [[noreturn]] void fail_at(const Place& place, std::string_view message,
                            std::initializer_list<Value> irritants, ConditionKind kind);
  /// "who: expected WHAT, got VALUE".
  [[noreturn]] void wrong_type(std::string_view who, std::string_view what, Value got);
  [[noreturn]] void out_of_range(std::string_view who, Value index, std::uint64_t size);
  [[nodiscard]] std::string public_name(std::string_view who) const;
  [[noreturn]] void exhausted();
  [[nodiscard]] Value condition(ConditionKind kind, std::string_view message, Value irritants,
                                const Place& place);
  /// A condition that does not know where it came up gets the place.
  void put_place(Value condition, const Place& place) noexcept;

  // Running.
  /// Calls a procedure without arguments and runs it to its end. Throws Uncaught and Exit. Not
  /// re-entrant: builtins do not call back.
  Value run(Value thunk);
  /// What is read or compiled from now on begins there.
  void begin_form(const Place& place) noexcept;
  /// Where the program is: of the instruction that is being carried out, or of the form that is
  /// compiled.
  [[nodiscard]] Place place() const;
  /// The procedure of the program's that runs, for the heap's profile of allocations.
  [[nodiscard]] bool name_site(besom::AllocationSite& site);
  /// `place`, "file:line:col: ", or "" when unknown.
  [[nodiscard]] std::string text_of(const Place& place) const;
  /// The text of an uncaught object, with up to ten frames.
  [[nodiscard]] Uncaught uncaught(Value object);
  /// The object as it stands in messages.
  [[nodiscard]] std::string describe(Value object);
  /// A condition's message and irritants.
  [[nodiscard]] std::string describe_condition(Value object);
  /// Raises the condition of an interrupt that came in.
  void check_interrupt();
  /// What the interpreter does for itself once objects have died. Does not collect.
  void after_collection();
  /// Raises an interrupt condition at the next call, loop or throw to a continuation; may be called
  /// by a signal handler.
  void interrupt() noexcept {
    interrupted_.store(true, std::memory_order_relaxed);
    request_poll();
  }
  /// Whether there was one that nothing has answered yet.
  [[nodiscard]] bool is_interrupted() const noexcept { return interrupted_; }
  /// The same as an interrupt, but no program can go on: run() throws Uncaught.
  void stop() noexcept {
    stopped_.store(true, std::memory_order_relaxed);
    interrupt();
  }
  /// Forgets what was going on when an error ended it.
  void reset() noexcept;

  [[nodiscard]] const std::vector<Builtin>& builtins() const noexcept { return builtins_; }
  /// The native stack is used up as far as it may be: recursion over source text has to end.
  void check_native_stack(const Place& place);

  /// What the interpreter itself holds on to.
  struct Registers {
    Value core = kFalse;     ///< The environment of everything that is built in.
    Value user = kFalse;     ///< The environment of programs; its parent is `core`.
    Value libraries = kNil;  ///< List of (name . environment).
    Value winders = kNil;    ///< List of (before after . handlers), innermost first.
    Value handlers = kNil;   ///< List of procedures, innermost first.
    Value input = kFalse;    ///< Parameters that hold the current ports.
    Value output = kFalse;
    Value error = kFalse;
    Value stub = kFalse;       ///< Code that the bottom frame returns to.
    Value raise = kFalse;      ///< The procedure that calls handlers.
    Value rewind = kFalse;     ///< The procedure that runs winders on the way to a continuation.
    Value rest = kFalse;       ///< Continuation below the stack's bottom, or #f.
    Value exhausted = kFalse;  ///< A condition made in time.
    Value reserve = kFalse;    ///< Memory for the handler of an exhausted heap, or #f.
    Value scratch[2] = {kFalse, kFalse};
    Value command_line = kNil;
    Value form_file = kFalse;  ///< Of the form that is read or compiled.
  };
  Registers registers;
  /// Numbers for environments, so that a cell can tell whose it is.
  std::uint32_t next_environment = 0;
  /// Characters are classified by the C library's tables for this locale, a locale_t.
  void* locale = nullptr;
  /// Scheme's guardians rest on the heap's, numbered.
  [[nodiscard]] Value make_guardian();
  [[nodiscard]] Value call_guardian(Value guardian, const Value* args, std::uint32_t count);
  /// Open output ports of files, which it does not keep: what was written to them is to get out in
  /// any case.
  std::set<std::uint32_t> outputs;

 private:
  friend class Frames;
  friend class Pins;
  friend class Rooted;

  [[nodiscard]] void* make_array(TypeNumber type, std::uint64_t length);
  [[nodiscard]] Value big_integer(std::int64_t value);
  void visit_roots(besom::Tracer& tracer);
  /// An object is about to be freed of which the interpreter knows, but which it does not keep.
  void release(Header* object) noexcept;
  void define_builtins();
  /// Memory set aside for a handler. Tried again after each collection, until there is room.
  void keep_reserve();
  void try_to_keep_reserve();
  void give_back_dead(Value guardian, besom::Guardian& dead);

  // The VM: vm.cpp, continuations.cpp.
  Value execute(std::uint32_t argc);
  [[nodiscard]] std::uint32_t frame_offset(const Insn* pc) const;
  [[nodiscard]] std::uint32_t frame_slots(const Value* fp) const noexcept;
  [[nodiscard]] std::uint32_t index_of(const Insn* pc) const noexcept {
    return static_cast<std::uint32_t>(reinterpret_cast<const char*>(pc) - base_);
  }
  [[nodiscard]] const Insn* decode(Value pc) const noexcept {
    return reinterpret_cast<const Insn*>(base_ + (pc.bits() & ~7u));
  }
  [[nodiscard]] Value encode(const Insn* pc) const noexcept {
    return Value::from_bits(static_cast<std::uint32_t>(reinterpret_cast<const char*>(pc) - base_) |
                            1);
  }
  [[nodiscard]] Value capture_below(const Value* frame);
  void move_to_bottom(Value*& fp, std::uint32_t argc) noexcept;
  [[nodiscard]] bool underflow(Value*& fp, const Insn*& pc) noexcept;
  void leave_returned() noexcept;
  void clear_dead_slots() noexcept;
  void throw_to(Value continuation);
  /// The registers as they are for the caller of the frame at `fp`, whose procedure cannot be
  /// entered or is carried out by C++ code.
  void save_caller(Value* fp, std::uint32_t argc) noexcept;
  void make_room(Value*& fp, std::uint32_t argc, std::uint32_t slots);
  void extend_to(Value* end) noexcept;
  /// Where a program goes round at the latest: what waits for that.
  void poll();
  /// Something waits for poll().
  void request_poll() noexcept { limit_.store(nullptr, std::memory_order_relaxed); }
  void prepare_raise(Value object);
  void raise_without_stack(Value object);
  [[nodiscard]] std::uint32_t spread_list(Value*& fp, std::uint32_t argc);
  [[nodiscard]] std::uint32_t spread_values(Value* fp);
  void gather_rest(Value* fp, std::uint32_t argc, std::uint32_t required);
  void unpack(Value* to, std::uint32_t count, bool has_rest, Value from);

  [[noreturn]] void wrong_argument_count(Value procedure, std::uint32_t argc);
  [[noreturn]] void not_a_procedure(Value value);
  [[noreturn]] void bad_index(std::string_view who, Value object, Value index, TypeNumber type);
  [[noreturn]] void wrong_record(Value type, std::uint32_t field, Value got);

  besom::Heap& heap_;
  char* base_ = nullptr;
  SymbolTable symbols_;
  std::vector<Builtin> builtins_;

  std::unique_ptr<Value[], void (*)(void*)> stack_;
  Value* bottom_ = nullptr;      ///< Where the first frame's return address is.
  Value* soft_limit_ = nullptr;  ///< Slots below hold values; those above are cleared before use.
  Value* hard_limit_ = nullptr;  ///< Where the stack goes over into the heap.
  /// Registers, as of the last call out of the VM.
  Value* fp_ = nullptr;
  const Insn* pc_ = nullptr;
  std::string site_function_, site_file_;  ///< What name_site() gave out.
  Value* top_ = nullptr;                   ///< End of the live slots; nullptr: of the whole frame.
  /// The part of `registers.rest` that is still to be returned to.
  std::uint32_t rest_end_ = 0, rest_fp_ = 0, rest_pc_ = 0;
  /// What calls and loops compare with: the soft limit, or null to make them poll().
  std::atomic<Value*> limit_ = nullptr;
  std::atomic<bool> interrupted_ = false;
  std::atomic<bool> stopped_ = false;
  bool collected_ = false;                        ///< Since the last after_collection().
  std::uint64_t refused_at_ = ~std::uint64_t{0};  ///< Live bytes up to which no reserve was had.
  bool drops_stack_ = false;  ///< Exhausted with no reserve left: frames have to make room.
  bool running_ = false;
  std::uint32_t form_line_ = 0, form_column_ = 0;  ///< With `registers.form_file`.

  struct NumberedGuardian {
    besom::Guardian queue;
    Value object;  ///< Scheme's, which it does not keep; #f when that has died.
  };
  std::vector<NumberedGuardian> guardians_;
  std::vector<Value> temporaries_;
  std::vector<Value> pins_;
  std::uint32_t pin_depth_ = 0;
  const char* native_stack_ = nullptr;
  std::size_t native_stack_bytes_ = 0;
  besom::RootRegistration roots_;
  besom::MarkHookRegistration mark_hook_;
};

/// A value that a collection sees while the scope lasts.
class Rooted {
 public:
  explicit Rooted(Interp& in, Value value = kFalse) : in_(in), index_(in.temporaries_.size()) {
    in.temporaries_.push_back(value);
  }
  Rooted(const Rooted&) = delete;
  Rooted& operator=(const Rooted&) = delete;
  ~Rooted() { in_.temporaries_.resize(index_); }

  [[nodiscard]] Value get() const noexcept { return in_.temporaries_[index_]; }
  void set(Value value) noexcept { in_.temporaries_[index_] = value; }

 private:
  Interp& in_;
  std::size_t index_;
};

/// While it lasts, everything that make_ functions allocate stays, and each symbol that is named.
/// For code that builds a lot of small objects and keeps refs in C++ variables: reader, expander,
/// compiler.
class Pins {
 public:
  explicit Pins(Interp& in) : in_(in), count_(in.pins_.size()) { ++in.pin_depth_; }
  Pins(const Pins&) = delete;
  Pins& operator=(const Pins&) = delete;
  ~Pins() {
    --in_.pin_depth_;
    in_.pins_.resize(count_);
  }
  /// Keeps an object that was made elsewhere.
  void pin(Value value) { in_.pins_.push_back(value); }

 private:
  Interp& in_;
  std::size_t count_;
};

/// Builds a list front to back; rooted.
class ListBuilder {
 public:
  explicit ListBuilder(Interp& in) : in_(in), head_(in, kNil) {}
  void add(Value item) {
    const Value cell = in_.cons(item, kNil);
    if (head_.get() == kNil) {
      head_.set(cell);
    } else {
      in_.pair(last_)->cdr.set(cell);
    }
    last_ = cell;
  }
  /// The list, with `tail` at its end.
  [[nodiscard]] Value finish(Value tail = kNil) {
    if (head_.get() == kNil) return tail;
    in_.pair(last_)->cdr.set(tail);
    return head_.get();
  }

 private:
  Interp& in_;
  Rooted head_;
  Value last_ = kNil;
};

}  // namespace scheme
