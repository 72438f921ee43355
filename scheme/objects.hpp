#pragma once

#include "value.hpp"

namespace scheme {

/// The types of objects, in the order of their definition: their ids in the heap, known when the
/// interpreter is compiled so that a type test is one comparison.
enum TypeNumber : besom::TypeId {
  kPair = 1,
  kFlonum,
  kInteger,
  kSymbol,
  kString,
  kVector,
  kBytevector,
  kClosure,
  kPrimitive,
  kContinuation,
  kParameter,
  kBox,
  kValues,
  kPromise,
  kRecord,
  kRecordType,
  kCondition,
  kPort,
  kHashTable,
  kEnvironment,
  kCell,
  kCode,
  kMacro,
  kAlias,
  kForm,
  kWeakEntries,
  kWeakBox,
  kEphemeron,
  kGuardian,
  kTypeCount = kGuardian
};

/// A value as a field of an object.
class Slot {
 public:
  [[nodiscard]] Value get() const noexcept { return Value::from_bits(bits_); }
  /// Of a weak slot: an incremental heap has to know that what it gives lives on.
  [[nodiscard]] Value get_weak() const noexcept {
    besom::prepare_read(this);
    return get();
  }
  /// Any store into an object that a collection may have seen.
  void set(Value value) noexcept { besom::write_ref(bits_, value.bits()); }
  /// The first store into an object just allocated: what is young needs no barrier.
  void init(Value value) noexcept { bits_ = value.bits(); }

 private:
  std::uint32_t bits_;
};
static_assert(sizeof(Slot) == 4);

struct Pair {
  Header header;
  Slot car, cdr;
};
static_assert(sizeof(Pair) == 16);

struct Flonum {
  Header header;
  double value;
};
static_assert(sizeof(Flonum) == 16);

/// An exact integer beyond a fixnum.
struct Integer {
  Header header;
  std::int64_t value;
};

struct Symbol {
  static constexpr bool kReleased = true;
  Header header;
  Slot name;           ///< A String that nobody else has.
  std::uint32_t hash;  ///< Of the name.
};

/// Code points of four bytes each follow; `header.length` counts bytes, as the collector does.
struct String {
  Header header;
  [[nodiscard]] std::uint32_t size() const noexcept { return header.length / 4; }
  [[nodiscard]] char32_t* chars() noexcept { return besom::trailing_of<char32_t>(this); }
};

/// A vector, or several values that are returned at once.
struct Vector {
  Header header;
  [[nodiscard]] std::uint32_t size() const noexcept { return header.length; }
  [[nodiscard]] Slot* slots() noexcept { return besom::trailing_of<Slot>(this); }
};

struct Bytevector {
  Header header;
  [[nodiscard]] std::uint32_t size() const noexcept { return header.length; }
  [[nodiscard]] std::uint8_t* bytes() noexcept { return besom::trailing_of<std::uint8_t>(this); }
};

/// One instruction: an operation, and slots of the frame or 32 bits of constant as operands.
struct Insn {
  std::uint8_t op;
  std::uint8_t x;
  std::uint16_t a;
  std::uint32_t imm;

  [[nodiscard]] std::uint16_t b() const noexcept { return static_cast<std::uint16_t>(imm); }
  [[nodiscard]] std::uint16_t c() const noexcept { return static_cast<std::uint16_t>(imm >> 16); }
};
static_assert(sizeof(Insn) == 8);

/// Slots of a frame that Code::live tells about; those beyond are taken for live.
constexpr std::uint32_t kLiveSlots = 32;

/// Compiled code; its instructions follow. What they refer to by index is kept alive by
/// `constants`.
struct Code {
  Header header;
  Slot constants;  ///< Vector.
  Slot name;       ///< Symbol or #f; #t: a form at top level.
  Slot file;       ///< String or #f.
  Slot positions;  ///< Bytevector: for each instruction line << 10 | column, in four bytes.
  Slot live;       ///< Bytevector: for each instruction the slots live before it, as bits.
  std::uint16_t frame_slots;
  std::uint16_t is_internal;  ///< Of the library: not shown in lists of frames.

  [[nodiscard]] Insn* insns() noexcept { return besom::trailing_of<Insn>(this); }
};
static_assert(sizeof(Code) % 8 == 0);

/// The values of its free variables follow.
struct Closure {
  Header header;
  Slot code;
  [[nodiscard]] Slot* free() noexcept { return besom::trailing_of<Slot>(this); }
};
static_assert(sizeof(Closure) == 12);

/// `header.length` is its number in the table of builtins.
struct Primitive {
  Header header;
  Slot name;
};

/// What was on the stack when the continuation was captured, or when the stack ran over. It returns
/// to `pc` in the frame at `fp`; below its own frames lie those of `next`, up to `next_end`. Frames
/// go back to the stack one at a time, so that nothing is copied twice.
struct Continuation {
  Header header;
  Slot next;  ///< Continuation or #f.
  Slot winders;
  Slot handlers;
  std::uint32_t next_end, next_fp, next_pc;
  std::uint32_t fp, pc;
  [[nodiscard]] Slot* slots() noexcept { return besom::trailing_of<Slot>(this); }
};
static_assert(sizeof(Continuation) == 40);

struct Parameter {
  Header header;
  Slot value;
  Slot converter;
};

struct Box {
  Header header;
  Slot value;
};

/// `state` is a pair shared by all promises of one chain: (done? . value or thunk).
struct Promise {
  Header header;
  Slot state;
};

/// The fields follow.
struct Record {
  Header header;
  Slot type;
  [[nodiscard]] Slot* fields() noexcept { return besom::trailing_of<Slot>(this); }
};

struct RecordType {
  Header header;
  Slot name;
  Slot fields;  ///< Vector of symbols.
};

enum ConditionKind : std::uint32_t {
  kErrorCondition,
  kFileCondition,
  kReadCondition,
  kSyntaxCondition,
  kExhaustedCondition,
  kInterruptCondition,
};

/// An error with the place in the source where it came up. `header.length` is its ConditionKind.
struct Condition {
  Header header;
  Slot message;
  Slot irritants;
  Slot file;  ///< String or #f.
  std::uint32_t line, column;
};

enum PortFlag : std::uint32_t {
  kInputPort = 1,
  kOutputPort = 2,
  kTextualPort = 4,
  kBinaryPort = 8,
  kMemoryPort = 16,  ///< Over a string or bytevector; otherwise over a file descriptor.
  kOpenPort = 32,
  kAtEndPort = 64,  ///< The end of the file was met and not yet reported.
  kTerminalPort = 128,
  kFoldCasePort = 256,  ///< After #!fold-case.
};

/// Textual ports are UTF-8. Bytes go through a buffer: for a file it follows the port, and the
/// type's release hook writes what is left in it and closes the file.
struct Port {
  static constexpr bool kReleased = true;
  Header header;
  Slot buffer;  ///< Of a memory port: a Bytevector.
  Slot name;    ///< String or #f.
  std::uint32_t flags;
  std::uint32_t next, end;  ///< Input: buffer[next, end) is unread. Output: [0, end) is unwritten.
  std::int32_t descriptor;
  std::uint32_t line, column;  ///< Of the next character read; from 1.
  [[nodiscard]] std::uint8_t* own_buffer() noexcept {
    return besom::trailing_of<std::uint8_t>(this);
  }
};

enum HashKind : std::uint32_t { kEqHash, kEqvHash, kEqualHash, kStringHash, kStringCiHash };
/// Beside the HashKind: the table does not keep its keys.
constexpr std::uint32_t kWeakKeys = 16;

/// `header.length` is its HashKind, with or without kWeakKeys. Open addressing: slots 2i and 2i+1
/// of `entries` are a key and its value. With the program's own `procedures` the key is a hash, and
/// the value the list of (key . value) that have it.
struct HashTable {
  Header header;
  Slot entries;     ///< Vector, or weak entries.
  Slot procedures;  ///< (equivalence . hash), or #f.
  std::uint32_t count;
  std::uint32_t used;  ///< Entries in use or deleted.
};

/// What may be done with the names of an environment. Each permits what the next one does.
enum EnvironmentRule : std::uint32_t {
  kFixedNames,    ///< Nothing, as with what (environment ...) makes.
  kLibraryNames,  ///< Defining and assigning those that were not imported.
  kProgramNames,  ///< Defining imported names anew, too.
  kOpenNames,     ///< Assigning imported ones, too, as at the REPL.
};

/// What names mean at top level. `header.length` is a number of its own.
struct Environment {
  Header header;
  Slot table;          ///< HashTable: symbol to Cell, Macro or Form.
  Slot parent;         ///< Environment or #f.
  Slot exports;        ///< Of a library: list of (external . internal), or #f.
  Slot ahead;          ///< HashTable: names whose definition is still to come; or #f.
  Slot imported;       ///< HashTable: names that came by an import; or #f.
  std::uint32_t rule;  ///< EnvironmentRule
};

/// In the number of a cell: code mentions the variable, nothing has defined it.
constexpr std::uint32_t kOnlyMentioned = 0x80000000;

/// A global variable. `header.length` is the number of the environment that defined it.
struct Cell {
  Header header;
  Slot value;
  Slot name;
};

/// A syntax-rules transformer.
struct Macro {
  Header header;
  Slot env;  ///< Environment, or the number of a scope of the form that is being compiled.
  Slot ellipsis;
  Slot literals;
  Slot rules;
};

/// An identifier that a macro's template put in: `name` as seen from `env`.
struct Alias {
  Header header;
  Slot name;
  Slot env;
};

/// A weak pointer: the target is null once it was found dead. Also what an ephemeron begins with.
struct WeakBox {
  Header header;
  Slot target;
};

/// One key and one value follow, of which the value is kept while the key is reachable otherwise.
struct Ephemeron {
  Header header;
  [[nodiscard]] Slot* entry() noexcept { return besom::trailing_of<Slot>(this); }
};

/// A procedure that registers objects and gives them back when they are dead. `header.length` is
/// its number among the interpreter's besom::Guardians.
struct Guardian {
  static constexpr bool kReleased = true;
  Header header;
  Slot first, last;  ///< Of the list of objects that are dead and not yet given back; or #f.
};

/// A core form. `header.length` is its FormId.
struct Form {
  Header header;
  Slot name;
};

/// Defines all types in a heap that has none yet. `release` is called for symbols, guardians and
/// ports.
[[nodiscard]] besom::Error define_types(besom::Heap& heap, besom::ReleaseHook release, void* user);

}  // namespace scheme
