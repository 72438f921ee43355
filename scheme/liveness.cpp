/// Which slots of a frame are still to be read, so that a collection keeps nothing else.

#include <algorithm>

#include "codegen.hpp"

namespace scheme {
namespace {

enum Role : unsigned { kSetsA = 1, kReadsA = 2, kReadsB = 4, kReadsC = 8 };

/// What becomes of the operands; of calls, and of what has a number of slots, the rest is in
/// before().
unsigned roles_of(Op op) {
  switch (op) {
    case Op::underflow:
    case Op::enter:
    case Op::enter_rest:
    case Op::case_exact:
    case Op::case_least:
    case Op::case_none:
    case Op::jump:
    case Op::loop:
    case Op::capture:
    case Op::ret_constant:
    case Op::tail_call:
    case Op::tail_call_global:
      return 0;
    case Op::constant:
    case Op::global:
    case Op::self:
    case Op::free:
    case Op::free_unbox:
    case Op::closure:
    case Op::call:
    case Op::call_global:
    case Op::call_builtin:
      return kSetsA;
    case Op::move:
    case Op::box:
    case Op::unbox:
    case Op::unpack:
    case Op::not_:
    case Op::is_null:
    case Op::is_type:
    case Op::is_char:
    case Op::car:
    case Op::cdr:
    case Op::caar:
    case Op::cadr:
    case Op::cdar:
    case Op::cddr:
    case Op::caddr:
    case Op::add_imm:
    case Op::record_ref:
    case Op::is_record:
      return kSetsA | kReadsB;
    case Op::eq:
    case Op::eqv:
    case Op::cons:
    case Op::add:
    case Op::sub:
    case Op::mul:
    case Op::div:
    case Op::quotient:
    case Op::remainder:
    case Op::modulo:
    case Op::less:
    case Op::at_most:
    case Op::num_equal:
    case Op::vector_ref:
    case Op::string_ref:
    case Op::bytevector_ref:
      return kSetsA | kReadsB | kReadsC;
    case Op::set_global:
    case Op::define_global:
    case Op::free_set_box:
    case Op::jump_false:
    case Op::jump_true:
    case Op::jump_null:
    case Op::jump_not_null:
    case Op::jump_type:
    case Op::jump_not_type:
    case Op::jump_less_imm:
    case Op::jump_not_less_imm:
    case Op::jump_at_most_imm:
    case Op::jump_not_at_most_imm:
    case Op::jump_greater_imm:
    case Op::jump_not_greater_imm:
    case Op::jump_at_least_imm:
    case Op::jump_not_at_least_imm:
    case Op::jump_equal_imm:
    case Op::jump_not_equal_imm:
    case Op::ret:
      return kReadsA;
    case Op::set_box:
    case Op::set_car:
    case Op::set_cdr:
    case Op::record_set:
    case Op::jump_eq:
    case Op::jump_not_eq:
    case Op::jump_less:
    case Op::jump_not_less:
    case Op::jump_at_most:
    case Op::jump_not_at_most:
    case Op::jump_equal:
    case Op::jump_not_equal:
      return kReadsA | kReadsB;
    case Op::patch:
      return kReadsA | kReadsC;
    case Op::vector_set:
      return kReadsA | kReadsB | kReadsC;
  }
  return 0;
}

/// Bits for `count` slots from `first` on; there are none for those from kLiveSlots on.
std::uint32_t bits(std::uint64_t first, std::uint64_t count = 1) {
  const std::uint64_t end = std::min<std::uint64_t>(first + count, kLiveSlots);
  if (first >= end) return 0;
  return static_cast<std::uint32_t>((std::uint64_t{1} << end) - (std::uint64_t{1} << first));
}

/// What is live before the instruction, from what is live after it.
std::uint32_t before(const Insn& insn, std::uint32_t live) {
  const Op op{insn.op};
  const unsigned roles = roles_of(op);
  if ((roles & kSetsA) != 0) live &= ~bits(insn.a, op == Op::unpack ? insn.x : 1);
  if ((roles & kReadsA) != 0) live |= bits(insn.a);
  if ((roles & kReadsB) != 0) live |= bits(insn.b());
  if ((roles & kReadsC) != 0) live |= bits(insn.c());
  const std::uint64_t argc = insn.x == 255 ? insn.b() : insn.x;
  if (op == Op::call || op == Op::tail_call) live |= bits(insn.a + 1u, argc + 1);
  if (op == Op::call_global || op == Op::tail_call_global) live |= bits(insn.a + 2u, insn.x);
  if (op == Op::call_builtin) live |= bits(insn.b(), insn.x);
  if (op == Op::capture && insn.x == 0) live |= bits(insn.a);
  return live;
}

enum class Flow { next, jump, branch, end };

/// Where an instruction goes on, and for jumps how far from the next one.
Flow flow_of(const Insn& insn, std::int32_t& distance) {
  const Op op{insn.op};
  distance = static_cast<std::int32_t>(insn.imm);
  switch (op) {
    case Op::jump:
    case Op::loop:
      return Flow::jump;
    case Op::case_none:
    case Op::tail_call:
    case Op::tail_call_global:
    case Op::ret:
    case Op::ret_constant:
      return Flow::end;
    case Op::case_exact:
    case Op::case_least:
    case Op::jump_false:
    case Op::jump_true:
    case Op::jump_null:
    case Op::jump_not_null:
    case Op::jump_type:
    case Op::jump_not_type:
      return Flow::branch;
    default:
      distance = static_cast<std::int16_t>(insn.c());
      return op >= Op::jump_eq && op <= Op::jump_not_equal_imm ? Flow::branch : Flow::next;
  }
}

/// Whether the next instruction is no instruction but a number.
bool has_data(const Insn& insn) {
  const Op op{insn.op};
  return op == Op::record_ref || op == Op::record_set || op == Op::is_record ||
         (op == Op::closure && insn.x == 255);
}

}  // namespace

std::vector<std::uint32_t> live_slots(const std::vector<Insn>& code) {
  std::vector<bool> is_data(code.size());
  for (std::size_t i = 0; i + 1 < code.size(); ++i) {
    if (!is_data[i]) is_data[i + 1] = has_data(code[i]);
  }
  std::vector<std::uint32_t> live(code.size() + 1);
  const bool has_loop =
      std::any_of(code.begin(), code.end(), [](const Insn& insn) { return is_op(insn, Op::loop); });
  // From the end, so that only what a loop jumps back to takes more than one round.
  for (bool is_changed = true; is_changed;) {
    is_changed = false;
    for (std::size_t i = code.size(); i-- > 0;) {
      std::uint32_t now = live[i + 1];
      if (!is_data[i]) {
        std::int32_t distance = 0;
        const Flow flow = flow_of(code[i], distance);
        if (flow == Flow::end || flow == Flow::jump) now = 0;
        if (flow == Flow::jump || flow == Flow::branch) {
          now |= live[i + 1 + static_cast<std::size_t>(std::ptrdiff_t{distance})];
        }
        now = before(code[i], now);
      }
      is_changed = is_changed || (has_loop && now != live[i]);
      live[i] = now;
    }
  }
  live.pop_back();
  return live;
}

}  // namespace scheme
