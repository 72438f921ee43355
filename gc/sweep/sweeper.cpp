#include "gc/sweep/sweeper.hpp"

#include <bit>

namespace besom::detail {
namespace {

std::uint32_t lowest(std::uint64_t bits, std::uint32_t line) {
  return (line << kLineShift) | static_cast<std::uint32_t>(std::countr_zero(bits));
}

std::uint64_t above(std::uint32_t granule) { return ~std::uint64_t{1} << (granule & 63u); }

/// What is in quarantine when a sweep begins: blocks that are no objects, and neither dead nor, in
/// the next minor collection, old.
class Spared {
 public:
  Spared(Space& space, GranuleBits& marks) noexcept : space_(space), marks_(marks) {
    space.quarantine().each([&](Run run) { marks.set(to_granules(run.index)); });
  }
  Spared(const Spared&) = delete;
  Spared& operator=(const Spared&) = delete;
  ~Spared() {
    space_.quarantine().each([&](Run run) { marks_.clear(to_granules(run.index)); });
    space_.trim_quarantine();
  }

 private:
  Space& space_;
  GranuleBits& marks_;
};

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

std::uint64_t sweep_young(Space& space, GranuleBits& marks, std::uint32_t end) noexcept {
  BESOM_ASSERT(space.is_swept() && !space.is_concealed());
  const Spared spared(space, marks);
  std::uint64_t freed_objects = 0;
  const BoundaryMap& map = space.free_list().map();
  std::uint32_t dead_begin = 0;  // granule 0 is never an object: no run is open
  // An open run ends where the next object starts, be that young or not.
  const auto next_line = [&](std::uint32_t from) {
    return dead_begin == 0 ? space.young_lines().first_from(from) : map.next_used_line(from);
  };
  for (std::uint32_t number = next_line(0);
       number != BoundaryMap::kNone && number << kLineShift <= end;
       number = next_line(number + 1)) {
    const Line line = map.line(number);
    // What starts at `end`, a hole or the sentinel behind the capacity, only ends the last run.
    const std::uint64_t below_end = number == end >> kLineShift ? bit(end) - 1 : ~std::uint64_t{0};
    std::uint64_t dead = line.starts & ~line.holes & below_end & ~marks.words()[number];
    std::uint64_t kept = line.starts & ~dead;
    space.leaves().erase(number, dead);
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
      space.release({to_bytes(dead_begin), to_bytes(dead_end - dead_begin)});
      dead_begin = 0;
    }
  }
  space.young_lines().clear();
  return freed_objects;
}

void sweep_all(Space& space, GranuleBits& marks, std::uint32_t end, bool keep_marks) noexcept {
  BESOM_ASSERT(space.is_swept() && !space.is_concealed());
  const Spared spared(space, marks);
  space.begin_sweep(marks.words(), end, keep_marks);
  space.retire();
}

std::uint64_t keep_marks_of_objects(const Space& space, GranuleBits& marks,
                                    std::uint32_t end) noexcept {
  BESOM_ASSERT(space.is_swept());
  const BoundaryMap& map = space.free_list().map();
  std::uint64_t count = 0;
  for (std::uint32_t number = 0; number <= end >> kLineShift; ++number) {
    std::uint64_t& word = marks.words()[number];
    if (word == 0) continue;
    const Line line = map.line(number);
    word &= line.starts & ~line.holes;
    count += count_bits(word);
  }
  return count;
}

std::uint64_t bytes_of_marked(const Space& space, const GranuleBits& marks,
                              std::uint32_t end) noexcept {
  std::uint64_t granules = 0;
  const BoundaryMap& map = space.free_list().map();
  for (std::uint32_t number = 0; number <= end >> kLineShift; ++number) {
    const Line& line = map.line(number);
    for (std::uint64_t rest = line.starts & ~line.holes & marks.words()[number]; rest != 0;
         rest &= rest - 1) {
      const std::uint32_t granule = lowest(rest, number);
      granules += map.next_start(granule) - granule;
    }
  }
  return granules << kGranuleShift;
}

}  // namespace besom::detail
