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
  std::string message(who);
  message.append(": expected ").append(what).append(", got");
  fail(message, {got});
}

void Interp::out_of_range(std::string_view who, Value index, std::uint64_t size) {
  fail(std::string(who) + ": index " + describe(index) + " is not below " + std::to_string(size));
}

void Interp::exhausted() {
  // The second time in a row there is nothing left to handle the first with.
  if (!is_object(registers.reserve)) {
    throw Uncaught{text_of(place()) + "error: heap exhausted: " + heap_.error().message(),
                   kExhaustedCondition};
  }
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

void Interp::not_a_procedure(Value value) { wrong_type("call", "procedure", value); }

std::uint32_t Interp::frame_slots(const Value* fp) const noexcept {
  const Value procedure = fp[-1];
  return !procedure.is_null() && is(procedure, kClosure)
             ? at<Code>(at<Closure>(procedure)->code.get())->frame_slots
             : 0;
}

namespace {

Place place_in(Interp& in, const Insn* pc) {
  auto* code = reinterpret_cast<Code*>(in.heap().object_start(pc - 1));
  if (code == nullptr || code->header.type != kCode || !in.is(code->positions.get(), kBytevector)) {
    return {};
  }
  const auto* positions =
      reinterpret_cast<const std::uint32_t*>(in.at<Bytevector>(code->positions.get())->bytes());
  const std::uint32_t position = positions[pc - 1 - code->insns()];
  return {code->file.get(), position >> 10, position & 1023};
}

}  // namespace

/// In the library's own procedures, and in code without a file, the place is that of their caller.
Place Interp::place() const {
  auto& self = const_cast<Interp&>(*this);
  if (!running_ || pc_ == nullptr) return {registers.form_file, form_line_, form_column_};
  const Value* fp = fp_;
  const Insn* pc = pc_;
  Value rest = registers.rest;
  std::uint32_t rest_end = rest_end_, rest_pc = rest_pc_;
  for (int depth = 0; depth < 1000; ++depth) {
    auto* code = reinterpret_cast<Code*>(heap_.object_start(pc - 1));
    if (code == nullptr || code->header.type != kCode) return {};
    if (code->is_internal == 0 && is_object(code->file.get())) return place_in(self, pc);
    if (fp <= bottom_ + 2) {
      if (!is_object(rest) || rest_end == 0) return {};
      pc = reinterpret_cast<const Insn*>(base_ + rest_pc);
      return reinterpret_cast<Code*>(heap_.object_start(pc - 1))->is_internal == 0
                 ? place_in(self, pc)
                 : Place{};
    }
    pc = decode(fp[-2]);
    fp -= 2 + frame_offset(pc);
  }
  return {};
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

  // The frames, from the innermost one on: first those on the stack, then those in the heap.
  constexpr int kMostFrames = 10;
  int shown = 0;
  std::string previous;
  const auto show = [&](const Insn* pc) {
    const auto* code = reinterpret_cast<const Code*>(heap_.object_start(pc - 1));
    if (code == nullptr || code->header.type != kCode || code->is_internal != 0) return;
    const Value name = code->name.get();
    ++shown;
    result.message.append("\n  ").append(text_of(place_in(*this, pc)));
    result.message += is_symbol(name) ? "in " + utf8(name)
                      : name == kTrue ? "at top level"
                                      : "in an unnamed procedure";
  };
  const Value* fp = fp_;
  const Insn* pc = pc_;
  for (;; show(pc), pc = decode(fp[-2]), fp -= 2 + frame_offset(pc)) {
    if (fp <= bottom_ + 2 || shown >= kMostFrames) break;
  }
  if (shown < kMostFrames) show(pc);
  Value rest = registers.rest;
  std::uint32_t end = rest_end_, rest_fp = rest_fp_, rest_pc = rest_pc_;
  while (is_object(rest) && shown < kMostFrames) {
    auto* kont = at<Continuation>(rest);
    if (end == 0) {
      rest = kont->next.get();
      end = kont->next_end;
      rest_fp = kont->next_fp;
      rest_pc = kont->next_pc;
      continue;
    }
    const auto* at_pc = reinterpret_cast<const Insn*>(base_ + rest_pc);
    show(at_pc);
    end = rest_fp - 2;
    const Insn* below = decode(kont->slots()[end].get());
    rest_pc = static_cast<std::uint32_t>(reinterpret_cast<const char*>(below) - base_);
    if (end != 0) rest_fp = end - frame_offset(below);
  }
  return result;
}

}  // namespace scheme
