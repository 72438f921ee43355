#include "interp.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "builtins.hpp"
#include "bytecode.hpp"
#include "common/program.hpp"
#include "ports.hpp"
#include "printer.hpp"
#include "text.hpp"

namespace scheme {
namespace {

/// Native stack that recursion over source text may use.
std::size_t native_stack_limit() {
  constexpr std::size_t kMost = 4 << 20;
  rlimit limit{};
  if (getrlimit(RLIMIT_STACK, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return kMost;
  return std::min<std::size_t>(kMost, limit.rlim_cur / 2);
}

/// What a handler has when the heap is exhausted.
std::uint32_t reserve_bytes(const besom::Heap& heap) {
  return static_cast<std::uint32_t>(
      std::clamp<std::uint64_t>(heap.options().heap_max / 32, 4 << 10, 512 << 10));
}

std::size_t stack_slots_for(std::uint64_t heap_max) {
  return std::clamp<std::size_t>(heap_max / 256, std::size_t{8} << 10, std::size_t{64} << 10);
}

}  // namespace

/// Slots above the hard limit: for what builtins and traps put on top of a full stack.
constexpr std::size_t kSlackSlots = 1024;

Interp::Interp(besom::Heap& heap)
    : heap_(heap),
      stack_(nullptr, std::free),
      native_stack_(reinterpret_cast<const char*>(&heap)),
      native_stack_bytes_(native_stack_limit()) {
  const auto release = [](void* user, void* object, std::uint32_t) {
    static_cast<Interp*>(user)->release(static_cast<Header*>(object));
  };
  if (const besom::Error error = define_types(heap, release, this)) example::stop(error);
  // The system's zero pages: only what is used of the stack takes memory.
  const std::size_t slots = stack_slots_for(heap.options().heap_max);
  stack_.reset(static_cast<Value*>(std::calloc(slots, sizeof(Value))));
  if (stack_ == nullptr) throw example::Stop{example::kHeapExhausted, "no memory for the stack"};
  bottom_ = stack_.get() + 2;
  fp_ = top_ = soft_limit_ = bottom_;
  limit_ = soft_limit_;
  hard_limit_ = stack_.get() + slots - kSlackSlots;
  native_stack_ = static_cast<const char*>(__builtin_frame_address(0));
  roots_ = heap.add_roots(
      [](void* user, besom::Tracer& tracer) { static_cast<Interp*>(user)->visit_roots(tracer); },
      this, "scheme");
  static_cast<void>(heap.set_site_namer(
      [](void* user, besom::AllocationSite& site) {
        return static_cast<Interp*>(user)->name_site(site);
      },
      this));
  mark_hook_ = heap.add_mark_hook(
      [](void* user, const besom::MarkView&) {
        static_cast<Interp*>(user)->collected_ = true;
        static_cast<Interp*>(user)->request_poll();
      },
      this, "scheme");
  if (!roots_ || !mark_hook_) example::stop(heap.error());
  try {
    auto* first = make<Box>(kBox);
    base_ = reinterpret_cast<char*>(first) - ref(first).bits();
    registers.exhausted = condition(kExhaustedCondition, "heap exhausted", kNil, {});
    define_builtins();
    keep_reserve();
  } catch (const Raised&) {
    const besom::Error error = heap.error();
    close_interp(*this);
    static_cast<void>(heap.reset());
    example::stop(error);
  }
}

Interp::~Interp() {
  close_interp(*this);
  // Nothing is left that would have to be released when this is no longer there.
  static_cast<void>(heap_.reset());
  static_cast<void>(heap_.set_site_namer(nullptr, nullptr));
}

Value Interp::make_guardian() {
  auto* object = make<Guardian>(kGuardian);
  object->header.length = static_cast<std::uint32_t>(guardians_.size());
  object->first.init(kFalse);
  object->last.init(kFalse);
  guardians_.push_back({besom::Guardian(heap_), ref(object)});
  return ref(object);
}

/// `(guardian object)` registers; `(guardian)` gives an object that is dead otherwise, or #f.
Value Interp::call_guardian(Value guardian, const Value* args, std::uint32_t count) {
  auto* object = at<Guardian>(guardian);
  besom::Guardian& queue = guardians_[object->header.length].queue;
  if (count == 0) {
    if (const Value first = object->first.get(); is_pair(first)) {
      object->first.set(cdr(first));
      return car(first);
    }
    const besom::Result<void*> next = queue.next();
    return next && *next != nullptr ? ref(*next) : kFalse;
  }
  if (count > 1) wrong_argument_count(guardian, count);
  // What is no object never dies.
  if (!is_object(args[0])) return kUnspecified;
  if (const besom::Error error = queue.guard(at<Header>(args[0]))) fail(error.message());
  return kUnspecified;
}

/// What is ready in the heap's guardian goes to Scheme's, which alone then keeps it: together with
/// that it can die for good, even if it refers to it.
void Interp::give_back_dead(Value guardian, besom::Guardian& dead) {
  while (dead.ready() > 0) {
    Pair* cell = heap_.allocate(besom::Type<Pair>{kPair});
    if (cell == nullptr) return;  // After the next collection.
    const besom::Result<void*> next = dead.next();
    cell->car.init(next && *next != nullptr ? ref(*next) : kFalse);
    cell->cdr.init(kNil);
    auto* object = at<Guardian>(guardian);
    if (is_pair(object->first.get())) {
      pair(object->last.get())->cdr.set(ref(cell));
    } else {
      object->first.set(ref(cell));
    }
    object->last.set(ref(cell));
  }
}

void Interp::release(Header* object) noexcept {
  switch (object->type) {
    case kSymbol:
      return symbols_.drop(ref(object), reinterpret_cast<Symbol*>(object)->hash);
    case kGuardian:
      guardians_[object->length].object = kFalse;
      return;
    default:
      return release_port(*this, reinterpret_cast<Port*>(object));
  }
}

void Interp::after_collection() {
  collected_ = false;
  const besom::NoCollectScope scope(heap_);
  symbols_.shrink();
  for (std::size_t i = 0; i < guardians_.size();) {
    NumberedGuardian& guardian = guardians_[i];
    if (is_object(guardian.object)) {
      give_back_dead(guardian.object, guardian.queue);
      ++i;
      continue;
    }
    // What it watched, it watches no more. The last takes its number.
    std::swap(guardian, guardians_.back());
    guardians_.pop_back();
    if (i < guardians_.size() && is_object(guardians_[i].object)) {
      at<Header>(guardians_[i].object)->length = static_cast<std::uint32_t>(i);
    }
  }
  try_to_keep_reserve();
}

void Interp::visit_roots(besom::Tracer& tracer) {
  const auto* first = reinterpret_cast<const Value*>(&registers);
  for (std::size_t i = 0; i < sizeof registers / sizeof(Value); ++i) tracer.visit(first[i]);
  for (const Value value : temporaries_) tracer.visit(value);
  for (const Value value : pins_) tracer.visit(value);
  Value* const top = top_ != nullptr ? top_ : fp_ + frame_slots(fp_);
  clear_dead_slots();
  for (const Value* slot = stack_.get(); slot < top; ++slot) tracer.visit(*slot);
  // What stands above is dead, and must not be taken for a ref when the stack grows over it again.
  // The limit stays: a caller's frame may reach beyond what is live now.
  if (top < soft_limit_) std::fill(top, soft_limit_, Value());
}

void* Interp::make_array(TypeNumber type, std::uint64_t length) {
  if (length > 0xffffffffu) exhausted();
  void* object =
      heap_.allocate(static_cast<besom::TypeId>(type), static_cast<std::uint32_t>(length));
  if (object == nullptr) [[unlikely]]
    exhausted();
  if (pin_depth_ != 0) pins_.push_back(ref(object));
  return object;
}

Value Interp::cons(Value car, Value cdr) {
  registers.scratch[0] = car;
  registers.scratch[1] = cdr;
  Pair* object = make<Pair>(kPair);
  object->car.init(car);
  object->cdr.init(cdr);
  return ref(object);
}

Value Interp::list(std::initializer_list<Value> items) {
  const Rooted rooted(*this, kNil);
  for (const Value item : items) temporaries_.push_back(item);
  Rooted list(*this, kNil);
  for (const Value* item = std::end(items); item != std::begin(items);) {
    list.set(cons(*--item, list.get()));
  }
  return list.get();
}

Value Interp::flonum(double value) {
  auto* object = make<Flonum>(kFlonum);
  object->value = value;
  return ref(object);
}

Value Interp::big_integer(std::int64_t value) {
  auto* object = make<Integer>(kInteger);
  object->value = value;
  return ref(object);
}

Value Interp::make_string(std::uint64_t size, char32_t fill) {
  auto* object = make<String>(kString, size * 4);
  if (fill != 0) std::fill_n(object->chars(), size, fill);
  return ref(object);
}

Value Interp::string(std::u32string_view text) {
  // `text` may lie in an object that only this call's caller knows: not moved, but to be kept.
  auto* object = make<String>(kString, text.size() * 4);
  if (!text.empty()) std::memcpy(object->chars(), text.data(), text.size() * 4);
  return ref(object);
}

Value Interp::string(std::string_view utf8) { return string(from_utf8(utf8)); }

Value Interp::make_vector(std::uint64_t size, Value fill, TypeNumber type) {
  registers.scratch[0] = fill;
  auto* object = make<Vector>(type, size);
  for (std::uint64_t i = 0; i < size; ++i) object->slots()[i].init(fill);
  return ref(object);
}

Value Interp::make_bytevector(std::uint64_t size) {
  return ref(make<Bytevector>(kBytevector, size));
}

Value Interp::symbol(std::string_view utf8) { return intern(from_utf8(utf8)); }
Value Interp::intern(std::u32string_view name) {
  const Value symbol = symbols_.intern(*this, name);
  if (pin_depth_ != 0) pins_.push_back(symbol);
  return symbol;
}

Value Interp::values(std::span<const Value> items) {
  if (items.size() == 1) return items[0];
  auto* object = make<Vector>(kValues, items.size());
  for (std::size_t i = 0; i < items.size(); ++i) object->slots()[i].init(items[i]);
  return ref(object);
}

std::string Interp::utf8(Value string_or_symbol) const {
  return to_utf8(is_symbol(string_or_symbol) ? name_of(string_or_symbol) : text(string_or_symbol));
}

void Interp::define_builtins() {
  define_core(*this, builtins_);
  auto* code = make<Code>(kCode, 2 * sizeof(Insn));
  code->constants.init(kNil);
  code->name.init(kFalse);
  code->file.init(kFalse);
  code->positions.init(kFalse);
  code->live.init(kFalse);
  code->frame_slots = 1;
  code->is_internal = 1;
  code->insns()[0] = {static_cast<std::uint8_t>(Op::call), 0, 0, 0};
  code->insns()[1] = {static_cast<std::uint8_t>(Op::underflow), 0, 0, 0};
  registers.stub = ref(code);
}

void Interp::keep_reserve() {
  if (is_object(registers.reserve)) return;
  if (void* object = heap_.allocate(kBytevector, reserve_bytes(heap_))) {
    registers.reserve = ref(object);
    refused_at_ = ~std::uint64_t{0};
  }
}

/// A refusal makes the heap collect again: one is asked for only where it is unlikely, and after it
/// only when more has become free.
void Interp::try_to_keep_reserve() {
  const std::uint64_t bytes = reserve_bytes(heap_);
  const std::uint64_t live = heap_.last_collection().live_bytes;
  if (live + 2 * bytes > heap_.options().heap_max || live >= refused_at_) return;
  keep_reserve();
  if (!is_object(registers.reserve)) refused_at_ = live - std::min(live, bytes);
}

void Interp::check_native_stack(const Place& place) {
  const auto* here = static_cast<const char*>(__builtin_frame_address(0));
  const std::size_t used =
      static_cast<std::size_t>(native_stack_ > here ? native_stack_ - here : here - native_stack_);
  if (used > native_stack_bytes_) {
    fail_at(place, "nested too deeply", {}, kSyntaxCondition);
  }
}

Value Interp::run(Value thunk) {
  {
    const Rooted rooted(*this, thunk);
    keep_reserve();
  }
  registers.rest = kFalse;
  rest_end_ = rest_fp_ = rest_pc_ = 0;
  extend_to(bottom_ + 2);
  bottom_[0] = encode(at<Code>(registers.stub)->insns() + 1);
  bottom_[1] = thunk;
  fp_ = bottom_ + 2;
  pc_ = at<Code>(registers.stub)->insns() + 1;
  top_ = fp_;
  running_ = true;
  for (std::uint32_t argc = 0;;) {
    try {
      const Value result = execute(argc);
      running_ = false;
      fp_ = top_ = bottom_;
      return result;
    } catch (const Raised& raised) {
      const bool drops_stack = std::exchange(drops_stack_, false) &&
                               raised.object == registers.exhausted &&
                               is_object(registers.handlers);
      drops_stack ? raise_without_stack(raised.object) : prepare_raise(raised.object);
      argc = 1;
    }
  }
}

void Interp::reset() noexcept {
  std::fill(bottom_, soft_limit_, Value());
  fp_ = top_ = soft_limit_ = bottom_;
  limit_ = soft_limit_;
  if (collected_) request_poll();
  registers.rest = kFalse;
  registers.winders = kNil;
  registers.handlers = kNil;
  rest_end_ = rest_fp_ = rest_pc_ = 0;
  interrupted_ = stopped_ = false;
  running_ = false;
}

}  // namespace scheme
