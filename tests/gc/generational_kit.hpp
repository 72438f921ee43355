#pragma once

#include "tests/gc/kit.hpp"

namespace besom::test {

inline HeapOptions generational_options(std::uint64_t heap_max = 64 * kMiB) {
  HeapOptions options = exact_options(heap_max);
  options.growth = Growth::fixed();
  options.generational = true;
  return options;
}

/// Allocates garbage until the heap has made another minor collection.
inline void force_minor(Kit& kit) {
  const std::uint64_t before = kit.heap.stats().collections;
  while (kit.heap.stats().collections == before || !kit.heap.last_collection().minor) {
    if (kit.heap.allocate(kit.node) == nullptr || kit.heap.stats().collections == before + 20) {
      FAIL("no minor collection came");
    }
  }
}

/// Enough that lives for minor collections to be cheaper than full ones.
inline Handle<Node> make_ballast(Kit& kit) {
  Handle<Node> list = kit.heap.make(kit.node);
  for (int i = 0; i < 100'000; ++i) {
    Node* node = kit.heap.allocate(kit.node);
    node->left = list.get();
    list.set(node);
  }
  REQUIRE_FALSE(kit.heap.collect());
  return list;
}

}  // namespace besom::test
