#include "besom/inspect.hpp"
#include "inspect/heap_view.hpp"

namespace besom {

using detail::HeapView;

Error each_object(Heap& heap, ObjectVisitor visitor, void* user) noexcept {
  return detail::read(heap, [&](const HeapView& view) -> Error {
    if (visitor == nullptr) {
      return {.code = Errc::bad_argument, .detail = "each_object(): no visitor"};
    }
    view.each_object([&](Run run) { visitor(user, view.object(run)); });
    return {};
  });
}

Error each_hole(Heap& heap, HoleVisitor visitor, void* user) noexcept {
  return detail::read(heap, [&](const HeapView& view) -> Error {
    detail::each_hole(view.space(), [&](Run hole) { visitor(user, hole); });
    return {};
  });
}

}  // namespace besom
