#include "gc/sweep/releaser.hpp"

#include "heap/load_once.hpp"

namespace besom::detail {

Releaser::Counts Releaser::release(const Space& space, const TypeTable& types,
                                   const GranuleBits* marks) noexcept {
  begin();
  return some(space, types, marks, ~std::uint64_t{0});
}

Releaser::Counts Releaser::some(const Space& space, const TypeTable& types,
                                const GranuleBits* marks, std::uint64_t most) noexcept {
  Counts counts;
  const BoundaryMap& map = space.free_list().map();
  for (; most != 0; --most) {
    const std::uint32_t granule = objects_.first_from(next_);
    if (granule == GranuleSet::kNone) break;
    next_ = granule + 1;
    if (marks != nullptr && marks->test(granule)) continue;
    objects_.erase(granule);
    char* object = space.base() + to_bytes(granule);
    const std::uint32_t extent = to_bytes(map.next_start(granule) - granule);
    const TypeInfo* type = checked_type(types, load_header(object), extent);
    if (type == nullptr || !type->is_released) {
      ++counts.bad_headers;
      continue;
    }
    ++counts.released;
    type->descriptor->release(type->descriptor->release_user, object, extent);
  }
  return counts;
}

}  // namespace besom::detail
