#include "besom/fiber.hpp"

#include "besom/heap.hpp"

namespace besom {
namespace {

std::uintptr_t number(const void* address) { return reinterpret_cast<std::uintptr_t>(address); }

}  // namespace

Fiber::Fiber(Heap& heap) noexcept : Fiber(heap, detail::NativeStack{}) {}

Fiber::Fiber(Heap& heap, const void* stack, std::size_t bytes) noexcept {
  if (!detail::is_memory(stack, bytes) || bytes == 0) {
    detail::note_failure(heap, {.code = Errc::bad_option,
                                .bytes = bytes,
                                .detail = "stack of a fiber: null, empty or larger than memory"});
    return;
  }
  const auto* low = static_cast<const char*>(stack);
  *this = Fiber(heap, detail::NativeStack{.low = low, .end = low + bytes});
}

Fiber::Fiber(Heap& heap, const detail::NativeStack& stack) noexcept {
  detail::RootTable& table = detail::roots_of(heap);
  if (table.refusal() == Errc::ok) state_ = table.add_fiber(stack);
  if (state_ == nullptr) {
    detail::note_root_failure(heap);
    return;
  }
  table_ = &table;
  table_->retain();
}

void Fiber::reset() noexcept {
  if (table_ == nullptr) return;
  if (table_->heap() != nullptr) {
    BESOM_CHECK(!is_running(), "fiber dropped while it runs: it, its open scopes", number(state_),
                state_->locals.open_scopes());
    const Errc code = table_->refusal();
    BESOM_CHECK(code == Errc::ok,
                "fiber dropped during a collection or by another thread: error, it", code,
                number(state_));
  }
  table_->remove_fiber(std::exchange(state_, nullptr));
  std::exchange(table_, nullptr)->release();
}

}  // namespace besom
