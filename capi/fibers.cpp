/// The C interface: fibers.

#include "capi/capi.hpp"

using besom::detail::give;
using besom::detail::give_heap_error;
using besom::detail::HostPool;

besom_fiber* besom_fiber_new(besom_heap* heap, const void* stack, size_t bytes) {
  if (heap == nullptr) return nullptr;
  const bool is_searched = stack != nullptr || bytes != 0;
  besom_fiber* const made = heap->fibers.make();
  if (made == nullptr) {
    give(heap, {.code = besom::Errc::out_of_host_memory, .detail = "fiber"});
    return nullptr;
  }
  made->fiber = is_searched ? besom::Fiber(*heap->heap, stack, bytes) : besom::Fiber(*heap->heap);
  if (made->fiber) return made;
  give_heap_error(heap);
  heap->fibers.drop(made);
  return nullptr;
}

void besom_fiber_free(besom_fiber* fiber) { HostPool<besom_fiber>::drop(fiber); }

bool besom_fiber_is_running(const besom_fiber* fiber) {
  return fiber != nullptr && fiber->fiber.is_running();
}

besom_status besom_switch_to(besom_heap* heap, besom_fiber* fiber, besom_swap swap, void* user) {
  if (heap == nullptr) return BESOM_BAD_ARGUMENT;
  return give(heap, heap->heap->switch_to(fiber != nullptr ? &fiber->fiber : nullptr, swap, user));
}
