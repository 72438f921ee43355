#include <cinttypes>
#include <utility>

#include "besom/inspect.hpp"
#include "gc/roots/held_rows.hpp"
#include "heap/text_output.hpp"
#include "inspect/heap_view.hpp"

namespace besom {

std::uint64_t HeldRoots::count(HeldRoot::Kind kind) const noexcept {
  std::uint64_t sum = 0;
  for (const HeldRoot& row : rows()) sum += row.kind == kind ? row.count : 0;
  return sum;
}

std::size_t HeldRoots::write_message(char* buffer, std::size_t size) const noexcept {
  detail::TextOutput text(buffer, size);
  for (const HeldRoot& row : rows()) {
    text.print("%" PRIu64 " %s '", row.count, name_of(row.kind)).add(row.label).add("'\n");
  }
  return text.length();
}

Result<HeldRoots> held_roots(Heap& heap) noexcept {
  const detail::HeapParts& parts = detail::parts_of(heap);
  if (!parts.collector->may_enter()) return parts.error;
  Result<detail::HeldRows> held = detail::count_held(*parts.roots);
  if (!held) return held.error();
  HeldRoots roots;
  roots.rows_ = std::move(held->rows);
  roots.count_ = held->count;
  return roots;
}

}  // namespace besom
