/// The C interface: fibers.

#include "capi/capi.hpp"

using besom::detail::give;
using besom::detail::give_heap_error;

besom_fiber* besom_fiber_new(besom_heap* heap, const void* stack, size_t bytes) {
  if (heap == nullptr) return nullptr;
  const bool is_searched = stack != nullptr || bytes != 0;
  besom::detail::CFiber* const made = heap->fibers.make();
  if (made == nullptr) {
    give(heap, {.code = besom::Errc::out_of_host_memory, .detail = "fiber"});
    return nullptr;
  }
  made->fiber = is_searched ? besom::Fiber(*heap->heap, stack, bytes) : besom::Fiber(*heap->heap);
  if (made->fiber) return heap->fibers.token_of(heap->token_bits, made);
  give_heap_error(heap);
  heap->fibers.drop(made);
  return nullptr;
}

void besom_fiber_free(besom_fiber* fiber) { besom::detail::free_token(fiber); }

bool besom_fiber_is_running(const besom_fiber* fiber) {
  const auto* const found = besom::detail::find(fiber);
  return found != nullptr && found->fiber.is_running();
}

besom_status besom_switch_to(besom_heap* heap, besom_fiber* fiber, besom_swap swap, void* user) {
  if (heap == nullptr) return BESOM_BAD_ARGUMENT;
  auto* const found = besom::detail::find(fiber);
  if (fiber != nullptr && found == nullptr) {
    return give(heap, {.code = besom::Errc::stale_handle, .detail = "fiber"});
  }
  return give(heap, heap->heap->switch_to(found != nullptr ? &found->fiber : nullptr, swap, user));
}
