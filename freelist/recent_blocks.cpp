#include "freelist/recent_blocks.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace besom::detail {
namespace {

/// The flags of a line's tags, as the map has them.
std::uint64_t starts_of(const std::uint8_t* tags) {
  std::uint64_t starts = 0;
  for (unsigned i = 0; i < kLineGranules; i += 8) {
    std::uint64_t eight = 0;
    std::memcpy(&eight, tags + i, sizeof eight);
    // The product's top byte has bit k from byte k.
    const std::uint64_t flags = (eight >> 7) & 0x0101010101010101;
    starts |= flags * 0x0102040810204080 >> 56 << i;
  }
  return starts;
}
static_assert(std::endian::native == std::endian::little, "byte k of a word is tag k");

}  // namespace

void RecentBlocks::write_to(BoundaryMap& map, std::uint32_t end) noexcept {
  if (step_ != 0) {
    map.set_starts(first_, end, step_);
    first_ = end;
    return;
  }
  for (std::uint32_t line = first_ >> kLineShift; first_ < end; ++line) {
    std::uint8_t* tags = &tag(line << kLineShift);
    map.add_starts(line, starts_of(tags));
    std::memset(tags, 0, kLineGranules);
    first_ = (line + 1) << kLineShift;
  }
  first_ = end;
}

bool RecentBlocks::take_from(BoundaryMap& map, std::uint32_t end) noexcept {
  // The lines with nothing but blocks below `end`; the lowest block of them stays in the map.
  const std::uint32_t top = (end - 1) >> kLineShift;
  std::uint32_t line = top + 1;
  std::uint32_t lowest = 0;
  for (std::uint64_t below = bit(end - 1) * 2 - 1; line > 0 && line + kLinesTaken > top + 1;
       below = ~std::uint64_t{0}) {
    const Line& words = map.line(line - 1);
    if ((words.holes & below) != 0) break;
    --line;
    if ((words.starts & below) != 0) {
      lowest = (line << kLineShift) | lowest_bit(words.starts & below);
    }
  }
  if (lowest == 0) return false;
  std::uint32_t newest = 0;
  for (line = lowest >> kLineShift; line <= top; ++line) {
    std::uint64_t starts = map.line(line).starts;
    if (line == lowest >> kLineShift) starts &= ~bit(lowest);
    if (line == top) starts &= bit(end - 1) * 2 - 1;
    map.remove_starts(line, starts);
    for (; starts != 0; starts &= starts - 1) {
      const std::uint32_t granule = (line << kLineShift) | lowest_bit(starts);
      if (newest == 0) {
        first_ = granule;
      } else {
        add(newest, granule - newest);
      }
      newest = granule;
    }
  }
  if (newest == 0) return false;
  step_ = steps_end_ = 0;
  add(newest, end - newest);
  return true;
}

}  // namespace besom::detail
