#include "freelist/hole_tree.hpp"

#include "freelist/check.hpp"

namespace besom::detail {
namespace {

/// Size first, address second: one 64-bit comparison.
std::uint64_t key(std::uint32_t size, std::uint32_t link) {
  return (std::uint64_t{size} << 32) | link;
}

std::uint32_t link_of(std::uint32_t granule) { return (granule >> kLineShift) + 1; }

/// A bijective mix (the finaliser of MurmurHash3), so that no two nodes share a priority.
std::uint32_t priority(std::uint32_t link) {
  link ^= link >> 16;
  link *= 0x85ebca6bu;
  link ^= link >> 13;
  link *= 0xc2b2ae35u;
  return link ^ (link >> 16);
}

}  // namespace

bool HoleTree::grow(std::uint32_t end) noexcept { return nodes_.grow((end >> kLineShift) + 1); }

void HoleTree::insert(std::uint32_t granule, std::uint32_t size) noexcept {
  const Link added = link_of(granule);
  const std::uint64_t added_key = key(size, added);
  const std::uint32_t added_priority = priority(added);
  Link* place = &root_;
  while (*place != 0 && priority(*place) > added_priority) {
    Node& at = node(*place);
    place = added_key < key(at.size, *place) ? &at.less : &at.greater;
  }
  Link rest = *place;
  *place = added;
  Node& top = node(added);
  top.size = size;
  // What hung here is split by the new key into the new node's two subtrees.
  Link* less = &top.less;
  Link* greater = &top.greater;
  while (rest != 0) {
    Node& at = node(rest);
    if (key(at.size, rest) < added_key) {
      *less = rest;
      less = &at.greater;
      rest = at.greater;
    } else {
      *greater = rest;
      greater = &at.less;
      rest = at.less;
    }
  }
  *less = 0;
  *greater = 0;
  ++count_;
}

void HoleTree::erase(std::uint32_t granule, std::uint32_t size) noexcept {
  const Link gone = link_of(granule);
  const std::uint64_t gone_key = key(size, gone);
  Link* place = &root_;
  while (*place != gone) {
    BESOM_CHECK(*place != 0, "hole is not in the tree: index, bytes", to_bytes(granule),
                to_bytes(size));
    Node& at = node(*place);
    place = gone_key < key(at.size, *place) ? &at.less : &at.greater;
  }
  Link less = node(gone).less;
  Link greater = node(gone).greater;
  while (less != 0 && greater != 0) {
    if (priority(less) > priority(greater)) {
      *place = less;
      place = &node(less).greater;
      less = *place;
    } else {
      *place = greater;
      place = &node(greater).less;
      greater = *place;
    }
  }
  *place = less | greater;
  --count_;
}

HoleTree::Hole HoleTree::hole_at(const BoundaryMap& map, Link link) const noexcept {
  if (link == 0) return {};
  // A hole of 64 granules or more reaches past its line, so it is the last to start there.
  const std::uint32_t line = link - 1;
  const auto last = 63u - static_cast<std::uint32_t>(std::countl_zero(map.line(line).holes));
  return {(line << kLineShift) | last, node(link).size};
}

HoleTree::Hole HoleTree::best_fit(const BoundaryMap& map, std::uint32_t size) const noexcept {
  Link best = 0;
  for (Link link = root_; link != 0;) {
    const bool fits = node(link).size >= size;
    if (fits) best = link;
    link = fits ? node(link).less : node(link).greater;
  }
  return hole_at(map, best);
}

HoleTree::Hole HoleTree::largest(const BoundaryMap& map) const noexcept {
  Link largest = root_;
  while (largest != 0 && node(largest).greater != 0) largest = node(largest).greater;
  return hole_at(map, largest);
}

bool HoleTree::contains(std::uint32_t granule, std::uint32_t size) const noexcept {
  const Link wanted = link_of(granule);
  Link link = root_;
  while (link != 0 && link != wanted) {
    link = key(size, wanted) < key(node(link).size, link) ? node(link).less : node(link).greater;
  }
  return link != 0 && node(link).size == size;
}

}  // namespace besom::detail
