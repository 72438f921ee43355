#include "tests/support/picture.hpp"

namespace besom::test {
namespace {

constexpr char kFree = '.';

/// Maximal runs of one character, as runs of granules.
struct Stretch {
  char kind;
  Run run;
};

std::vector<Stretch> stretches(std::string_view drawing) {
  std::vector<Stretch> all;
  for (std::uint32_t place = 0; place < drawing.size(); ++place) {
    if (place == 0 || drawing[place] != drawing[place - 1]) {
      all.push_back({drawing[place], {granule(place), 0}});
    }
    all.back().run.size_bytes += FreeList::kAlign;
  }
  return all;
}

bool is_block(const Stretch& stretch) { return stretch.kind != kFree; }

}  // namespace

std::vector<Run> blocks_of(std::string_view drawing) {
  std::vector<Run> blocks;
  for (const Stretch& stretch : stretches(drawing)) {
    if (is_block(stretch)) blocks.push_back(stretch.run);
  }
  return blocks;
}

FreeList from_picture(std::string_view drawing) {
  const auto count = static_cast<std::uint32_t>(drawing.size());
  FreeList list(granules(count + 1));
  if (count == 0) return list;
  // One block, cut into granules and joined again as drawn; then the holes are given back.
  const std::uint32_t all = list.alloc_fast(granules(count));
  list.cut_block(all, FreeList::kAlign, granules(count));
  const std::vector<Stretch> parts = stretches(drawing);
  for (const Stretch& part : parts) list.join_blocks(part.run.index, part.run.size_bytes);
  for (const Stretch& part : parts) {
    if (!is_block(part)) list.dealloc_fast(part.run.index, part.run.size_bytes);
  }
  return list;
}

std::string picture(const FreeList& list) {
  std::string drawing;
  const std::uint32_t end = FreeList::kAlign + list.max_size();
  const std::vector<Run> holes = sorted_holes(list);
  auto hole = holes.begin();
  char block = '#';
  for (std::uint32_t index = FreeList::kAlign; index < end;) {
    const Run run = list.run_at(index);
    if (hole != holes.end() && *hole == run) {
      drawing.append(run.size_bytes / FreeList::kAlign, kFree);
      ++hole;
      block = '#';
    } else {
      drawing.append(run.size_bytes / FreeList::kAlign, list.is_block(index) ? block : '?');
      block = block == '#' ? '=' : '#';
    }
    index = run.end();
  }
  return drawing;
}

}  // namespace besom::test
