/// Conditions, where they came up, and how an uncaught one is told.

#include <algorithm>

#include "bytecode.hpp"
#include "interp.hpp"
#include "printer.hpp"

namespace scheme {

Value Interp::condition(ConditionKind kind, std::string_view message, Value irritants,
                        const Place& place) {
  const Rooted rooted_irritants(*this, irritants);
  const Rooted file(*this, place.file);
  const Rooted text(*this, string(message));
  auto* object = make<Condition>(kCondition);
  object->header.length = kind;
  object->message.init(text.get());
  object->irritants.init(irritants);
  object->file.init(place.file);
  object->line = place.line;
  object->column = place.column;
  return ref(object);
}

void Interp::put_place(Value condition, const Place& place) noexcept {
  // The one of an exhausted heap is used again and again.
  if (!is(condition, kCondition) || condition == registers.exhausted) return;
  auto* object = at<Condition>(condition);
  if (is_object(object->file.get())) return;
  object->file.set(place.file);
  object->line = place.line;
  object->column = place.column;
}

void Interp::begin_form(const Place& place) noexcept {
  registers.form_file = place.file;
  form_line_ = place.line;
  form_column_ = place.column;
}

void Interp::fail_at(const Place& place, std::string_view message,
                     std::initializer_list<Value> irritants, ConditionKind kind) {
  const Rooted file(*this, place.file);
  const Rooted rooted(*this, list(irritants));
  throw Raised{condition(kind, message, rooted.get(), place)};
}

void Interp::fail(std::string_view message, std::initializer_list<Value> irritants,
                  ConditionKind kind) {
  fail_at(place(), message, irritants, kind);
}

void Interp::wrong_type(std::string_view who, std::string_view what, Value got) {
  const Rooted rooted(*this, got);
  std::string message = public_name(who);
  message.append(": expected ").append(what).append(", got");
  fail(message, {got});
}

void Interp::out_of_range(std::string_view who, Value index, std::uint64_t size) {
  fail(public_name(who) + ": index " + describe(index) + " is not below " + std::to_string(size));
}

void Interp::exhausted() {
  // What was asked for may be more than what is left.
  keep_reserve();
  drops_stack_ = !is_object(registers.reserve);
  registers.reserve = kFalse;
  throw Raised{registers.exhausted};
}

void Interp::wrong_argument_count(Value procedure, std::uint32_t argc) {
  fail(describe(procedure) + ": called with " + std::to_string(argc) +
       (argc == 1 ? " argument" : " arguments") + ", which it does not take");
}

void Interp::bad_index(std::string_view who, Value object, Value index, TypeNumber type) {
  const char* what = type == kVector ? "vector" : type == kString ? "string" : "bytevector";
  if (!is(object, type)) wrong_type(who, what, object);
  if (!is_fixnum(index) || fixnum_of(index) < 0) wrong_type(who, "index", index);
  out_of_range(who, index, at<Header>(object)->length / (type == kString ? 4 : 1));
}

void Interp::wrong_record(Value type, std::uint32_t field, Value got) {
  const auto* record = at<RecordType>(type);
  const Value name = at<Vector>(record->fields.get())->slots()[field].get();
  wrong_type("field " + utf8(name), "record " + utf8(record->name.get()), got);
}

void Interp::not_a_procedure(Value value) {
  const Rooted rooted(*this, value);
  fail("call: expected procedure, got", {value});
}

std::uint32_t Interp::frame_slots(const Value* fp) const noexcept {
  const Value procedure = fp[-1];
  return !procedure.is_null() && is(procedure, kClosure)
             ? at<Code>(at<Closure>(procedure)->code.get())->frame_slots
             : 0;
}

/// The frames of a running program from the innermost one on: first those on the stack, then those
/// in the heap.
class Frames {
 public:
  explicit Frames(const Interp& in)
      : in_(in),
        fp_(in.fp_),
        pc_(in.pc_),
        rest_(in.registers.rest),
        rest_end_(in.rest_end_),
        rest_fp_(in.rest_fp_),
        rest_pc_(in.rest_pc_) {}

  /// Goes to the caller's; false when there is none.
  bool next() {
    if (is_on_stack_ && fp_ > in_.bottom_ + 2) {
      pc_ = in_.decode(fp_[-2]);
      fp_ -= 2 + in_.frame_offset(pc_);
      return true;
    }
    if (!is_on_stack_) leave_rest();
    is_on_stack_ = false;
    return enter_rest();
  }

  /// What the frame's procedure was compiled to, or nullptr.
  [[nodiscard]] Code* code() const {
    auto* code = reinterpret_cast<Code*>(in_.heap_.object_start(pc_ - 1));
    return code != nullptr && code->header.type == kCode ? code : nullptr;
  }

  /// Of the call that has not returned; `code` is not null.
  [[nodiscard]] Place place() const {
    Code* const code = this->code();
    const Value positions = code->positions.get();
    if (!in_.is(positions, kBytevector)) return {};
    const auto* table =
        reinterpret_cast<const std::uint32_t*>(in_.at<Bytevector>(positions)->bytes());
    const std::uint32_t position = table[pc_ - 1 - code->insns()];
    return {code->file.get(), position >> 10, position & 1023};
  }

  /// The instruction that called, or that failed.
  [[nodiscard]] Insn insn() const { return pc_[-1]; }

 private:
  void leave_rest() {
    rest_end_ = rest_fp_ - 2;
    const Insn* below = in_.decode(in_.at<Continuation>(rest_)->slots()[rest_end_].get());
    rest_pc_ = in_.index_of(below);
    if (rest_end_ != 0) rest_fp_ = rest_end_ - in_.frame_offset(below);
  }

  bool enter_rest() {
    while (is_object(rest_) && rest_end_ == 0) {
      const auto* kont = in_.at<Continuation>(rest_);
      rest_ = kont->next.get();
      rest_end_ = kont->next_end;
      rest_fp_ = kont->next_fp;
      rest_pc_ = kont->next_pc;
    }
    if (!is_object(rest_)) return false;
    pc_ = reinterpret_cast<const Insn*>(in_.base_ + rest_pc_);
    return true;
  }

  const Interp& in_;
  const Value* fp_;
  const Insn* pc_;
  bool is_on_stack_ = true;
  Value rest_;  ///< A Continuation, and what of it is still to be returned to.
  std::uint32_t rest_end_, rest_fp_, rest_pc_;
};

/// What the program called: C++ code may have several names, and procedures of the prelude call
/// others.
std::string Interp::public_name(std::string_view who) const {
  std::string name(who);
  if (!running_ || pc_ == nullptr) return name;
  Frames frames(*this);
  const Insn insn = frames.insn();
  const bool is_by_name = Op{insn.op} == Op::call_global;
  Value called = kFalse;
  if (Op{insn.op} == Op::call_builtin) {
    name = builtins_[insn.c()].name;
  } else if (is_by_name || Op{insn.op} == Op::call) {
    called = fp_[insn.a + 1];
    if (is(called, kPrimitive)) name = builtins_[at<Header>(called)->length].name;
    // A procedure that was handed to the prelude is the program's.
    if (!is_by_name || at<Cell>(Value::from_bits(insn.imm))->value.get() != called) return name;
  }
  const Code* code = frames.code();
  if (code == nullptr || code->is_internal == 0)
    return name.starts_with("%") ? std::string(who) : name;
  // From a procedure of the prelude to the one of the prelude that called it by its name.
  while (frames.next()) {
    const Code* caller = frames.code();
    if (caller == nullptr || caller->is_internal == 0) break;
    if (caller->name.get() != code->name.get()) {
      if (Op{frames.insn().op} != Op::call_global) break;
      const Value procedure = at<Cell>(Value::from_bits(frames.insn().imm))->value.get();
      if (!is(procedure, kClosure) ||
          at<Code>(at<Closure>(procedure)->code.get())->name.get() != code->name.get()) {
        break;
      }
    }
    code = caller;
  }
  return utf8(code->name.get());
}

/// In the library's own procedures, and in code without a file, the place is that of their caller.
Place Interp::place() const {
  if (!running_ || pc_ == nullptr) return {registers.form_file, form_line_, form_column_};
  Frames frames(*this);
  do {
    const Code* code = frames.code();
    if (code == nullptr) return {};
    if (code->is_internal == 0 && is_object(code->file.get())) return frames.place();
  } while (frames.next());
  return {};
}

/// As place(), and whose instruction that is.
bool Interp::name_site(besom::AllocationSite& site) {
  if (!running_ || pc_ == nullptr) return false;
  Frames frames(*this);
  do {
    const Code* code = frames.code();
    if (code == nullptr) return false;
    if (code->is_internal != 0 || !is_object(code->file.get())) continue;
    const Place place = frames.place();
    const Value name = code->name.get();
    site_function_ = is(name, kSymbol) ? utf8(name) : name == kTrue ? "(top level)" : "(lambda)";
    site_file_ = utf8(place.file);
    site = {
        .function = site_function_, .file = site_file_, .line = place.line, .column = place.column};
    return true;
  } while (frames.next());
  return false;
}

std::string Interp::text_of(const Place& place) const {
  if (!is_object(place.file)) return "";
  return utf8(place.file) + ":" + std::to_string(place.line) + ":" + std::to_string(place.column) +
         ": ";
}

std::string Interp::describe(Value object) {
  constexpr std::size_t kMost = 200;
  PrintOptions options;
  options.most = kMost;
  return print(*this, object, options);
}

std::string Interp::describe_condition(Value object) {
  const auto* condition = at<Condition>(object);
  const Value message = condition->message.get();
  std::string text = is(message, kString) ? utf8(message) : describe(message);
  for (Value rest = condition->irritants.get(); is_pair(rest); rest = cdr(rest)) {
    text.append(" ").append(describe(car(rest)));
  }
  return text;
}

Uncaught Interp::uncaught(Value object) {
  Uncaught result{"", kErrorCondition};
  if (is(object, kCondition)) {
    const auto* condition = at<Condition>(object);
    result.kind = ConditionKind{condition->header.length};
    const Place where{condition->file.get(), condition->line, condition->column};
    result.message = text_of(is_object(where.file) ? where : place()).append("error: ");
    result.message += describe_condition(object);
  } else {
    result.message = text_of(place()) + "error: raised " + describe(object);
  }
  if (!running_ || pc_ == nullptr) return result;

  constexpr int kMostFrames = 10;
  Frames frames(*this);
  int shown = 0;
  do {
    const Code* code = frames.code();
    if (code == nullptr || code->is_internal != 0) continue;
    const Value name = code->name.get();
    ++shown;
    result.message.append("\n  ").append(text_of(frames.place()));
    result.message += is_symbol(name) ? "in " + utf8(name)
                      : name == kTrue ? "at top level"
                                      : "in an unnamed procedure";
  } while (shown < kMostFrames && frames.next());
  return result;
}

}  // namespace scheme
