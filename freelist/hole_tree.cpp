#include "freelist/hole_tree.hpp"

#include <algorithm>
#include <iterator>

#include "besom/detail/check.hpp"

namespace besom::detail {
namespace {

std::uint64_t key(std::uint32_t granule, std::uint32_t size) {
  return (std::uint64_t{size} << 32) | granule;
}

/// A bijective mix (the finaliser of MurmurHash3), so that no two nodes share a priority.
std::uint32_t priority(std::uint32_t link) {
  link ^= link >> 16;
  link *= 0x85ebca6bu;
  link ^= link >> 13;
  link *= 0xc2b2ae35u;
  return link ^ (link >> 16);
}

}  // namespace

bool HoleTree::grow(std::uint32_t end) noexcept {
  // Holes are at least one granule apart.
  return nodes_.grow(end / (kMinGranules + 1) + 1);
}

void HoleTree::insert(std::uint32_t granule, std::uint32_t size) noexcept {
  Link added = unused_;
  if (added != 0) {
    unused_ = node(added).less;
  } else {
    added = ++taken_;
    BESOM_ASSERT(taken_ <= nodes_.size());
  }
  const std::uint64_t added_key = key(granule, size);
  const std::uint32_t added_priority = priority(added);
  const std::uint32_t tree = tree_of(size);
  BESOM_ASSERT(tree < kTrees);
  used_trees_[tree >> 6] |= bit(tree);
  Link* place = &roots_[tree];
  while (*place != 0 && priority(*place) > added_priority) {
    Node& at = node(*place);
    place = added_key < at.key ? &at.less : &at.greater;
  }
  Link rest = *place;
  *place = added;
  Node& top = node(added);
  top.key = added_key;
  // What hung here is split by the new key into the new node's two subtrees.
  Link* less = &top.less;
  Link* greater = &top.greater;
  while (rest != 0) {
    Node& at = node(rest);
    if (at.key < added_key) {
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
  const std::uint64_t gone_key = key(granule, size);
  const std::uint32_t tree = tree_of(size);
  Link* place = &roots_[tree];
  for (;;) {
    BESOM_CHECK(*place != 0, "hole is not in the tree: index, bytes", to_bytes(granule),
                to_bytes(size));
    Node& at = node(*place);
    if (at.key == gone_key) break;
    place = gone_key < at.key ? &at.less : &at.greater;
  }
  const Link gone = *place;
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
  if (roots_[tree] == 0) used_trees_[tree >> 6] &= ~bit(tree);
  node(gone).less = unused_;
  unused_ = gone;
  --count_;
}

Hole HoleTree::hole_at(Link link) const noexcept {
  const std::uint64_t found = node(link).key;
  return {static_cast<std::uint32_t>(found), static_cast<std::uint32_t>(found >> 32)};
}

std::uint32_t HoleTree::next_used_tree(std::uint32_t tree) const noexcept {
  std::uint64_t wanted = ~std::uint64_t{0} << (tree & 63u);
  for (std::uint32_t word = tree >> 6; word < std::size(used_trees_); ++word) {
    const std::uint64_t used = used_trees_[word] & wanted;
    if (used != 0) return (word << 6) | lowest_bit(used);
    wanted = ~std::uint64_t{0};
  }
  return kTrees;
}

Hole HoleTree::best_fit(std::uint32_t size) const noexcept {
  const std::uint32_t tree = tree_of(std::max(size, kMinGranules));
  Link best = 0;
  for (Link link = roots_[tree]; link != 0;) {
    const bool fits = node(link).key >= key(0, size);
    if (fits) best = link;
    link = fits ? node(link).less : node(link).greater;
  }
  if (best == 0) {
    const std::uint32_t next = next_used_tree(tree + 1);
    if (next == kTrees) return {};
    best = roots_[next];
    while (node(best).less != 0) best = node(best).less;
  }
  return hole_at(best);
}

Hole HoleTree::largest() const noexcept {
  std::uint32_t last = kTrees;
  for (std::uint32_t tree = 0; (tree = next_used_tree(tree)) != kTrees; ++tree) last = tree;
  if (last == kTrees) return {};
  Link largest = roots_[last];
  while (node(largest).greater != 0) largest = node(largest).greater;
  return hole_at(largest);
}

bool HoleTree::contains(std::uint32_t granule, std::uint32_t size) const noexcept {
  const std::uint64_t wanted = key(granule, size);
  Link link = size < kMinGranules ? 0 : roots_[tree_of(size)];
  while (link != 0 && node(link).key != wanted) {
    link = wanted < node(link).key ? node(link).less : node(link).greater;
  }
  return link != 0;
}

}  // namespace besom::detail
