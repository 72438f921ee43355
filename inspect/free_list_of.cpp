#include "inspect/free_list_of.hpp"

#include "gc/collector.hpp"

namespace besom::detail {

const FreeList& free_list_of(Heap& heap) noexcept {
  const HeapParts& parts = parts_of(heap);
  BESOM_CHECK(parts.collector->is_own_thread(),
              "free_list() on another thread: last collection, handles",
              parts.collector->last().number, parts.roots->handles().count());
  parts.space->publish_windows();
  return parts.space->free_list();
}

}  // namespace besom::detail
