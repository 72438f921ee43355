/// The VM's stack: how it goes over into the heap and comes back.

#include <algorithm>
#include <atomic>

#include "bytecode.hpp"
#include "interp.hpp"
#include "lists.hpp"

namespace scheme {

/// The offset of the frame that the instruction before `pc` called: of a call it is an operand;
/// what was raised at another instruction was called on top of the frame.
std::uint32_t Interp::frame_offset(const Insn* pc) const {
  const Op op{pc[-1].op};
  if (op == Op::call || op == Op::call_global) return pc[-1].a;
  const auto* code = reinterpret_cast<const Code*>(heap_.object_start(pc - 1));
  return code->frame_slots;
}

void Interp::save_caller(Value* fp, std::uint32_t argc) noexcept {
  pc_ = decode(fp[-2]);
  fp_ = fp - 2 - frame_offset(pc_);
  top_ = fp + argc;
}

void Interp::extend_to(Value* end) noexcept {
  // A piece at a time, so that a call seldom comes here.
  constexpr std::ptrdiff_t kChunk = 1024;
  if (end <= soft_limit_) return;
  Value* const whole = hard_limit_ + 1024;
  Value* const limit = std::min(end + kChunk, std::max(end, whole));
  std::fill(soft_limit_, limit, Value());
  soft_limit_ = limit;
  if (!interrupted_ && !collected_) limit_ = soft_limit_;
}

void Interp::poll() {
  // An interrupt that comes in after this one is seen at the next call.
  limit_ = soft_limit_;
  if (collected_) after_collection();
  check_interrupt();
}

void Interp::check_interrupt() {
  if (!interrupted_.load(std::memory_order_relaxed)) return;
  interrupted_ = false;
  limit_ = soft_limit_;
  if (collected_) request_poll();
  if (stopped_) throw Uncaught{"error: stopped", kInterruptCondition};
  throw Raised{condition(kInterruptCondition, "interrupted", kNil, place())};
}

void Interp::make_room(Value*& fp, std::uint32_t argc, std::uint32_t slots) {
  save_caller(fp, argc);
  poll();
  if (fp + slots > hard_limit_) {
    static_cast<void>(capture_below(fp - 2));
    move_to_bottom(fp, argc);
    save_caller(fp, argc);
    if (fp + slots > hard_limit_) fail("procedure needs more stack than there is");
  }
  extend_to(fp + slots);
}

/// A continuation that returns from the frame that begins at `frame` to its caller. What is below
/// then lies in it and no longer on the stack.
Value Interp::capture_below(const Value* frame) {
  const auto count = static_cast<std::uint32_t>(frame - bottom_);
  if (count == 0 && is_object(registers.rest)) {
    const auto* rest = at<Continuation>(registers.rest);
    if (rest_end_ == rest->header.length && rest_pc_ == rest->pc &&
        rest->winders.get() == registers.winders && rest->handlers.get() == registers.handlers) {
      return registers.rest;
    }
  }
  leave_returned();
  auto* kont = make<Continuation>(kContinuation, count);
  kont->next.init(registers.rest);
  kont->next_end = rest_end_;
  kont->next_fp = rest_fp_;
  kont->next_pc = rest_pc_;
  kont->winders.init(registers.winders);
  kont->handlers.init(registers.handlers);
  for (std::uint32_t i = 0; i < count; ++i) kont->slots()[i].init(bottom_[i]);
  const Insn* pc = decode(frame[0]);
  kont->pc = index_of(pc);
  kont->fp = count == 0 ? 0 : count - frame_offset(pc);
  registers.rest = ref(kont);
  rest_end_ = count;
  rest_fp_ = kont->fp;
  rest_pc_ = kont->pc;
  return registers.rest;
}

/// The frame at `fp` becomes the only one on the stack.
void Interp::move_to_bottom(Value*& fp, std::uint32_t argc) noexcept {
  bottom_[0] = encode(at<Code>(registers.stub)->insns() + 1);
  if (fp == bottom_ + 2) return;
  std::copy(fp - 1, fp + argc, bottom_ + 1);
  fp = bottom_ + 2;
}

void Interp::throw_to(Value continuation) {
  // A program may go round by continuations alone, without a call or a loop.
  check_interrupt();
  const auto* kont = at<Continuation>(continuation);
  registers.rest = continuation;
  registers.winders = kont->winders.get();
  registers.handlers = kont->handlers.get();
  rest_end_ = kont->header.length;
  rest_fp_ = kont->fp;
  rest_pc_ = kont->pc;
}

/// The rest begins with a frame again, or is #f. One that was returned from wholly must not be kept
/// by what is captured later: in a loop that captures, each would keep the one before.
void Interp::leave_returned() noexcept {
  while (is_object(registers.rest) && rest_end_ == 0) {
    const auto* kont = at<Continuation>(registers.rest);
    registers.rest = kont->next.get();
    rest_end_ = kont->next_end;
    rest_fp_ = kont->next_fp;
    rest_pc_ = kont->next_pc;
  }
}

/// Takes the innermost frame of the rest back onto the empty stack; false when there is none.
bool Interp::underflow(Value*& fp, const Insn*& pc) noexcept {
  leave_returned();
  if (!is_object(registers.rest)) return false;
  auto* kont = at<Continuation>(registers.rest);
  const std::uint32_t start = rest_fp_ - 2;
  const std::uint32_t count = rest_end_ - start;
  extend_to(bottom_ + count);
  for (std::uint32_t i = 0; i < count; ++i) bottom_[i] = kont->slots()[start + i].get();
  pc = reinterpret_cast<const Insn*>(base_ + rest_pc_);
  fp = bottom_ + 2;
  extend_to(fp + frame_slots(fp));
  rest_end_ = start;
  if (start != 0) {
    const Insn* below = decode(bottom_[0]);
    rest_pc_ = index_of(below);
    rest_fp_ = start - frame_offset(below);
  }
  bottom_[0] = encode(at<Code>(registers.stub)->insns() + 1);
  return true;
}

/// What no frame on the stack reads any more is to keep nothing. Frames that continuations hold
/// keep all they have.
void Interp::clear_dead_slots() noexcept {
  const Value* end = top_ != nullptr ? top_ : fp_ + frame_slots(fp_);
  Value* fp = fp_;
  for (const Insn* pc = pc_; fp > bottom_;) {
    const std::uint32_t own = std::min(frame_offset(pc), static_cast<std::uint32_t>(end - fp));
    if (is(fp[-1], kClosure)) {
      auto* code = at<Code>(at<Closure>(fp[-1])->code.get());
      const auto number = static_cast<std::uint64_t>(pc - 1 - code->insns());
      // A procedure that is about to begin has no instruction of its own.
      if (is(code->live.get(), kBytevector) && number < code->header.length / sizeof(Insn)) {
        const auto* live =
            reinterpret_cast<const std::uint32_t*>(at<Bytevector>(code->live.get())->bytes());
        for (std::uint32_t i = 0; i < std::min(own, kLiveSlots); ++i) {
          if ((live[number] >> i & 1) == 0) fp[i] = Value();
        }
      }
    }
    end = fp - 2;
    pc = decode(fp[-2]);
    fp -= 2 + frame_offset(pc);
  }
}

/// `(apply f a ... list)` becomes `(f a ... item ...)`.
std::uint32_t Interp::spread_list(Value*& fp, std::uint32_t argc) {
  const Value list = fp[argc - 1];
  const std::int64_t count = list_length(*this, list);
  if (count < 0) wrong_type("apply", "list", list);
  if (count > hard_limit_ - fp - argc) {
    // What is on the stack makes room for as many arguments as it can ever take.
    static_cast<void>(capture_below(fp - 2));
    move_to_bottom(fp, argc);
    save_caller(fp, argc);
    if (count > hard_limit_ - fp - argc) {
      fail("apply: too many arguments: " + std::to_string(count));
    }
  }
  extend_to(fp + argc + count);
  fp[-1] = fp[0];
  std::copy(fp + 1, fp + argc - 1, fp);
  Value* to = fp + argc - 2;
  for (Value rest = list; is_pair(rest); rest = cdr(rest)) *to++ = car(rest);
  return static_cast<std::uint32_t>(to - fp);
}

/// `(%apply-values f values)` becomes `(f value ...)`.
std::uint32_t Interp::spread_values(Value* fp) {
  const Value packed = fp[1];
  fp[-1] = fp[0];
  if (!is(packed, kValues)) {
    fp[0] = packed;
    return 1;
  }
  auto* values = at<Vector>(packed);
  if (fp + values->size() > hard_limit_) fail("call-with-values: too many values");
  extend_to(fp + values->size());
  for (std::uint32_t i = 0; i < values->size(); ++i) fp[i] = values->slots()[i].get();
  return values->size();
}

/// Arguments beyond `required` become a list in the slot after them. Before the frame itself is
/// there: a collection would let the stack end after the arguments.
void Interp::gather_rest(Value* fp, std::uint32_t argc, std::uint32_t required) {
  extend_to(fp + argc + 1);
  save_caller(fp, argc + 1);
  Value rest = kNil;
  fp[argc] = kNil;
  for (std::uint32_t i = argc; i > required; --i) {
    Pair* pair = heap_.allocate(besom::Type<Pair>{kPair});
    if (pair == nullptr) exhausted();
    pair->car.init(fp[i - 1]);
    pair->cdr.init(fp[i]);
    rest = ref(pair);
    fp[i - 1] = rest;
  }
  fp[required] = rest;
}

void Interp::unpack(Value* to, std::uint32_t count, bool has_rest, Value from) {
  const std::uint32_t required = has_rest ? count - 1 : count;
  const bool is_packed = is(from, kValues);
  const std::uint32_t given = is_packed ? at<Vector>(from)->size() : 1;
  if (given < required || (given > required && !has_rest)) {
    fail("expected " + std::to_string(required) + (has_rest ? " values or more" : " values") +
         ", got " + std::to_string(given));
  }
  const auto value = [&](std::uint32_t i) {
    return is_packed ? at<Vector>(from)->slots()[i].get() : from;
  };
  if (has_rest) {
    const Rooted rooted(*this, from);
    Rooted rest(*this, kNil);
    for (std::uint32_t i = given; i > required; --i) rest.set(cons(value(i - 1), rest.get()));
    to[required] = rest.get();
  }
  for (std::uint32_t i = 0; i < required; ++i) to[i] = value(i);
}

/// Sets the stack up for a call of the handlers, as though the instruction that failed had called
/// them.
void Interp::prepare_raise(Value object) {
  if (!is_object(registers.handlers) || !is_object(registers.raise)) throw uncaught(object);
  Value* fp = fp_ + frame_offset(pc_) + 2;
  extend_to(fp + 1);
  fp[-2] = encode(pc_);
  fp[-1] = registers.raise;
  fp[0] = object;
  fp_ = fp;
}

/// The same for a handler that has to do without what was going on, which fills the heap. What the
/// handler returns to was captured when it was made; what it does not return to is garbage now.
void Interp::raise_without_stack(Value object) {
  extend_to(bottom_ + 3);
  registers.rest = kFalse;
  rest_end_ = rest_fp_ = rest_pc_ = 0;
  pc_ = at<Code>(registers.stub)->insns() + 1;
  bottom_[0] = encode(pc_);
  bottom_[1] = registers.raise;
  bottom_[2] = object;
  fp_ = bottom_ + 2;
  top_ = bottom_ + 3;
  keep_reserve();
}

}  // namespace scheme
