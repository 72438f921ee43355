#include "heap/discard_walk.hpp"

#include <algorithm>

namespace besom::detail {

void DiscardWalk::step(const FreeList& list, Arena& arena, std::uint64_t touched,
                       std::uint32_t pieces, std::uint64_t bytes) noexcept {
  BESOM_ASSERT(bytes != 0 && bytes % arena.page_bytes() == 0);
  const BoundaryMap& map = list.map();
  const std::uint64_t before = discarded_;
  // Millions of small holes need no walk.
  if (list.largest_free_block() < least_) is_done_ = true;
  for (; !is_done_ && pieces != 0 && discarded_ - before < bytes; --pieces) {
    // The program may have taken a part of the hole in which the last step ended.
    std::uint32_t granule = map.is_start(next_) ? next_ : map.prev_start(next_);
    if (!map.is_hole(granule)) granule = map.next_hole(next_);
    if (granule == BoundaryMap::kNone || to_bytes(granule) >= touched) {
      end_pass();
      return;
    }
    const std::uint64_t end = std::uint64_t{map.next_start(granule)} << kGranuleShift;
    const std::uint64_t begin = std::uint64_t{std::max(granule, next_)} << kGranuleShift;
    const std::uint64_t stop = std::min(end, (begin / bytes + 1) * bytes);
    next_ = static_cast<std::uint32_t>(stop >> kGranuleShift);
    if (end - to_bytes(granule) >= least_) visit(arena, begin, std::min(stop, touched));
  }
}

void DiscardWalk::end_pass() noexcept {
  is_done_ = !counts_;
  counts_ = false;
  kept_ -= std::min(kept_, most_);
  next_ = 1;
}

void DiscardWalk::visit(Arena& arena, std::uint64_t begin, std::uint64_t end) noexcept {
  if (begin >= end) return;
  const std::uint64_t held = arena.held_bytes(begin, end - begin);
  if (counts_) {
    kept_ += held;
    return;
  }
  const std::uint64_t here = std::min(kept_, held);
  kept_ -= here;
  if (here != held) discarded_ += arena.discard(begin + here, end - begin - here);
}

}  // namespace besom::detail
