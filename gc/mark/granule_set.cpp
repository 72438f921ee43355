#include "gc/mark/granule_set.hpp"

#include <cerrno>
#include <utility>

namespace besom::detail {

Error GranuleSet::reserve(std::uint64_t heap_max, const char* name, const System& system) {
  if (is_reserved()) return {};
  const std::uint64_t lines = (heap_max >> (kGranuleShift + kLineShift)) + 1;
  const TableMemory tables = table_memory(system).named(name);
  BitTree tree(tables);
  GranuleBits bits;
  if (!tree.grow(static_cast<std::uint32_t>(lines)) || !bits.create(heap_max, tables)) {
    return {.code = Errc::out_of_host_memory,
            .system_errno = errno,
            .bytes = lines * sizeof(std::uint64_t),
            .detail = name};
  }
  lines_ = std::move(tree);
  bits_ = std::move(bits);
  return {};
}

void GranuleSet::clear() noexcept {
  if (!is_reserved()) return;
  for (std::uint32_t line = lines_.first_from(0); line != BitTree::kNone;
       line = lines_.first_from(line + 1)) {
    bits_.words()[line] = 0;
  }
  lines_.clear();
}

}  // namespace besom::detail
