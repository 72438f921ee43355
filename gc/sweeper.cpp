#include "gc/sweeper.hpp"

#include <bit>

namespace besom::detail {
namespace {

std::uint32_t lowest(std::uint64_t bits, std::uint32_t line) {
  return (line << kLineShift) | static_cast<std::uint32_t>(std::countr_zero(bits));
}

std::uint64_t above(std::uint32_t granule) { return ~std::uint64_t{1} << (granule & 63u); }

}  // namespace

std::uint64_t count_objects(const Space& space) noexcept {
  const BoundaryMap& map = space.free_list().map();
  const std::uint32_t end = to_granules(space.free_list().used_end());
  std::uint64_t count = 0;
  for (std::uint32_t number = map.next_used_line(0);
       number != BoundaryMap::kNone && number << kLineShift <= end;
       number = map.next_used_line(number + 1)) {
    const Line line = map.line(number);
    const std::uint64_t below_end = number == end >> kLineShift ? bit(end) - 1 : ~std::uint64_t{0};
    count += static_cast<std::uint64_t>(count_bits(line.starts & ~line.holes & below_end));
  }
  return count;
}

SweepResult sweep(Space& space, MarkBits& marks, std::uint32_t end, bool poison,
                  bool young_only) noexcept {
  // Blocks that are no objects: neither dead nor, in the next minor collection, old.
  const Quarantine& quarantine = space.quarantine();
  std::uint32_t quarantined = 0;
  quarantine.each([&](Run run) {
    marks.set(to_granules(run.index));
    if (to_granules(run.index) < end) ++quarantined;
  });
  // Apart from the result: where stores may alias it, it would be written for each line.
  std::uint64_t live_objects = 0;
  std::uint64_t freed_objects = 0;
  std::uint64_t freed_bytes = 0;
  const BoundaryMap& map = space.free_list().map();
  std::uint32_t dead_begin = 0;  // granule 0 is never an object: no run is open
  const auto close = [&](std::uint32_t dead_end) {
    const Run run{to_bytes(dead_begin), to_bytes(dead_end - dead_begin)};
    if (poison) space.poison_run(run);
    space.release(run);
    freed_bytes += run.size_bytes;
    dead_begin = 0;
  };
  // An open run ends where the next object starts, be that young or not.
  const auto next_line = [&](std::uint32_t from) {
    return young_only && dead_begin == 0 ? space.young_lines().first_from(from)
                                         : map.next_used_line(from);
  };
  for (std::uint32_t number = next_line(0);
       number != BoundaryMap::kNone && number << kLineShift <= end;
       number = next_line(number + 1)) {
    const Line line = map.line(number);
    // What starts at `end`, a hole or the sentinel behind the capacity, only ends the last run.
    const std::uint64_t below_end = number == end >> kLineShift ? bit(end) - 1 : ~std::uint64_t{0};
    const std::uint64_t blocks = line.starts & ~line.holes & below_end;
    const std::uint64_t marked = marks.words()[number];
    std::uint64_t dead = blocks & ~marked;
    std::uint64_t kept = line.starts & ~dead;
    space.leaves().erase(number, dead);
    const std::uint64_t live = blocks & marked;
    if (live != 0) live_objects += count_bits(live);
    freed_objects += count_bits(dead);
    while (true) {
      if (dead_begin == 0) {
        if (dead == 0) break;
        dead_begin = lowest(dead, number);
        kept &= above(dead_begin);
      }
      if (kept == 0) break;
      const std::uint32_t dead_end = lowest(kept, number);
      dead &= above(dead_end);
      kept &= above(dead_end);
      close(dead_end);
    }
  }
  space.young_lines().clear();
  quarantine.each([&](Run run) { marks.clear(to_granules(run.index)); });
  space.trim_quarantine();
  if (!young_only) live_objects -= quarantined;
  return {live_objects, freed_objects, freed_bytes};
}

}  // namespace besom::detail
