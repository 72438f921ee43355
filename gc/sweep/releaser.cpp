#include "gc/sweep/releaser.hpp"

#include "heap/load_once.hpp"

namespace besom::detail {

Releaser::Counts Releaser::release(const Space& space, const TypeTable& types,
                                   const GranuleBits* marks) noexcept {
  Counts counts;
  const BoundaryMap& map = space.free_list().map();
  objects_.each([&](std::uint32_t granule) {
    if (marks != nullptr && marks->test(granule)) return;
    objects_.erase(granule);
    char* object = space.base() + to_bytes(granule);
    const std::uint32_t extent = to_bytes(map.next_start(granule) - granule);
    const TypeInfo* type = checked_type(types, load_header(object), extent);
    if (type == nullptr || !type->is_released) {
      ++counts.bad_headers;
      return;
    }
    ++counts.released;
    type->descriptor->release(type->descriptor->release_user, object, extent);
  });
  return counts;
}

}  // namespace besom::detail
