#include "gc/granule_set.hpp"

namespace besom::detail {

Error GranuleSet::reserve(std::uint64_t heap_max, const char* name, const System& system) {
  if (is_reserved()) return {};
  const std::uint64_t lines = (heap_max >> (kGranuleShift + kLineShift)) + 1;
  if (!lines_.grow(static_cast<std::uint32_t>(lines))) {
    return {.code = Errc::out_of_host_memory, .bytes = lines / 8, .detail = name};
  }
  Result<SideTable> table = SideTable::map(lines * sizeof(std::uint64_t), name, system);
  if (!table) return table.error();
  table_ = std::move(*table);
  return {};
}

void GranuleSet::clear() noexcept {
  if (!is_reserved()) return;
  for (std::uint32_t line = lines_.first_from(0); line != BitTree::kNone;
       line = lines_.first_from(line + 1)) {
    words()[line] = 0;
  }
  lines_.clear();
}

}  // namespace besom::detail
