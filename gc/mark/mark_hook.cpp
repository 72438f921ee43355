#include "besom/mark_hook.hpp"

#include "gc/mark/marker.hpp"
#include "heap/space.hpp"

namespace besom {

bool MarkView::is_marked(Ref<void> object) const noexcept {
  const std::uint32_t index = object.index();
  return space_.free_list().is_block(index) && marks_.test(detail::to_granules(index));
}

bool MarkView::is_marked(const void* object) const noexcept {
  if (object == nullptr || detail::arena_of(object) != space_.base()) return false;
  return is_marked(Ref<void>(detail::index_of(object)));
}

}  // namespace besom
