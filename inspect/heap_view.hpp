#pragma once

#include <cstdint>
#include <utility>

#include "besom/heap.hpp"
#include "besom/inspect.hpp"
#include "gc/collector.hpp"
#include "gc/object_slots.hpp"
#include "gc/weak/finalizer_table.hpp"
#include "heap/load_once.hpp"
#include "heap/space.hpp"
#include "heap/type_table.hpp"

namespace besom::detail {

/// A heap to be read and not changed, in which every object and hole shows. Good inside read().
class HeapView {
 public:
  HeapView(const HeapParts& parts, const TypeTable& types) noexcept
      : parts_(parts), types_(types) {}

  [[nodiscard]] const Space& space() const noexcept { return *parts_.space; }
  [[nodiscard]] const TypeTable& types() const noexcept { return types_; }
  [[nodiscard]] const RootTable& roots() const noexcept { return *parts_.roots; }
  [[nodiscard]] const FinalizerTable& finalizers() const noexcept { return *parts_.finalizers; }
  /// The new object that is a root by itself, or 0.
  [[nodiscard]] std::uint32_t newest() const noexcept { return parts_.newest; }

  /// Calls `visit(Run)` for every object, reachable or not, in address order.
  template <class Visit>
  void each_object(Visit visit) const {
    detail::each_object(space(), visit);
  }
  /// Reads the object's header once.
  [[nodiscard]] ObjectView object(Run run) const noexcept {
    const char* address = space().base() + run.index;
    const Header header = load_header(address);
    const TypeInfo* type = checked_type(types_, header, run.size_bytes);
    return {.ref = Ref<void>(run.index),
            .header = reinterpret_cast<const Header*>(address),
            .type = type != nullptr ? type->descriptor : nullptr,
            .type_id = type != nullptr ? header.type : 0,
            .size_bytes = run.size_bytes};
  }

 private:
  const HeapParts& parts_;
  const TypeTable& types_;
};

/// Runs `body(view)`, which returns what an Error converts to, while the heap refuses all else.
/// Fails with reentrant and wrong_thread: then the body does not run.
template <class Body>
auto read(Heap& heap, Body body) -> decltype(body(std::declval<const HeapView&>())) {
  const HeapParts& parts = parts_of(heap);
  if (!parts.collector->may_enter()) return parts.error;
  return parts.collector->read(
      [&](const Space&, const TypeTable& types) { return body(HeapView(parts, types)); });
}

}  // namespace besom::detail
