#include "besom/detail/root_table.hpp"

#include <new>
#include <type_traits>
#include <utility>

#include "besom/detail/check.hpp"

namespace besom::detail {

RootTable::RootTable(Heap* heap, char* base, const TableMemory& memory) noexcept
    : base_(base), thread_(gate_, chunks_), sources_(memory) {
  gate_.heap = heap;
  gate_.thread = this_thread();
  thread_.locals.set_open(true);
}

RootTable::~RootTable() {
  while (dropped_ != nullptr) fibers_.drop(std::exchange(dropped_, dropped_->next));
}

RootTable* RootTable::create(Heap* heap, char* base, const TableMemory& memory) noexcept {
  return new (std::nothrow) RootTable(heap, base, memory);
}

void RootTable::clear() noexcept {
  handles_.clear();
  weak_handles_.clear();
  for (FiberState* fiber = &thread_; fiber != nullptr; fiber = fiber->next) fiber->locals.clear();
  sources_.clear();
}

void RootTable::detach() noexcept {
  clear();
  gate_.heap = nullptr;
  running_->locals.set_open(false);
}

void RootTable::set_locked(bool locked) noexcept {
  gate_.set_locked(locked);
  running_->locals.set_open(!locked);
}

void RootTable::remove_handle(HandleSlot* slot) noexcept {
  BESOM_CHECK(!is_locked(), "root removed during a collection: ref, serial", slot->ref,
              slot->serial);
  BESOM_CHECK(gate_.thread == this_thread(), "root removed by another thread: ref, serial",
              slot->ref, slot->serial);
  if (handles_.owns(slot)) note_given_up(*slot);
  HandleTable::remove(slot);
}

bool RootTable::unwind(std::uint64_t place, std::uint64_t serial,
                       std::uint32_t open_scopes) noexcept {
  const std::uint32_t open_before = locals().open_scopes();
  if (!locals().unwind(place, serial, open_scopes)) return false;
  // Each scope is an owner, too.
  owners_ -= open_before - open_scopes;
  return true;
}

void RootTable::drop_local(std::uint64_t place, std::uint32_t open_scopes) noexcept {
  LocalSlot& slot = chunks_.at(place);
  slot.ref = 0;
  if (locals().is_last(slot) && locals().open_scopes() == open_scopes) {
    static_cast<void>(locals().unwind(place, slot.serial, open_scopes));
  }
}

FiberState* RootTable::add_fiber(const NativeStack& native) noexcept {
  FiberState* fiber = dropped_;
  if (fiber != nullptr) {
    dropped_ = fiber->next;
  } else {
    fiber = fibers_.make(gate_, chunks_);
    if (fiber == nullptr) return nullptr;
  }
  fiber->native = native;
  fiber->left_in = nullptr;
  fiber->previous = &thread_;
  fiber->next = thread_.next;
  if (fiber->next != nullptr) fiber->next->previous = fiber;
  thread_.next = fiber;
  return fiber;
}

void RootTable::remove_fiber(FiberState* fiber) noexcept {
  if (fiber == running_) running_ = &thread_;  // of a heap that is gone
  fiber->previous->next = fiber->next;
  if (fiber->next != nullptr) fiber->next->previous = fiber->previous;
  const std::uint32_t open_scopes = fiber->locals.open_scopes();
  fiber->locals.drop();
  if (open_scopes == 0) {
    fibers_.drop(fiber);
    return;
  }
  owners_ -= open_scopes;
  fiber->next = dropped_;
  dropped_ = fiber;
}

void RootTable::switch_to(FiberState& to, StackSwap swap, void* user) {
  BESOM_ASSERT(swap != nullptr);
  FiberState& from = *running_;
  from.locals.set_open(false);
  running_ = &to;
  to.locals.set_open(true);
  leave_stack(&from.left_in, swap, user);
  BESOM_CHECK(running_ == &from, "control came back without switch_to(): to, while there runs",
              reinterpret_cast<std::uintptr_t>(&from), reinterpret_cast<std::uintptr_t>(running_));
}

std::uint64_t RootTable::add_source(const RootSource& source) noexcept {
  return refusal() == Errc::ok ? sources_.add(source) : 0;
}

bool RootTable::remove_source(std::uint64_t serial) noexcept {
  if (serial == 0 || heap() == nullptr) return false;
  BESOM_CHECK(!is_locked(), "root source removed during a collection: serial", serial, 0);
  BESOM_CHECK(gate_.thread == this_thread(), "root source removed by another thread: serial",
              serial, 0);
  return sources_.remove(serial);
}

void RootTable::run_hooks(const MarkView& marks) const {
  for (const RootSource& source : sources_.rows()) {
    if (source.is_removed()) continue;
    source.visit([&](const auto& own) {
      if constexpr (std::is_same_v<decltype(own), const RootSource::Hook&>) {
        own.call(own.user, marks);
      }
    });
  }
}

void RootTable::visit_native(const FiberState& fiber, const NativeStack& stack,
                             Tracer& tracer) const {
  if (&fiber == running_) {
    visit_stack(stack, tracer);
  } else if (fiber.left_in != nullptr) {  // else it was never run
    visit_left_stack(stack, fiber.left_in, tracer);
  }
}

}  // namespace besom::detail
