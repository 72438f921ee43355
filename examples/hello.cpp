// The least a program does with Besom: describe a type, allocate, root, drop, collect.
#include <besom/besom.hpp>
#include <cstddef>
#include <iostream>
#include <string_view>

struct Pair {
  besom::Header header;  // every object begins with one
  besom::Member<Pair> first, second;

  static besom::TypeDescriptor type() {  // tells the collector where the refs are
    return {.name = "Pair",
            .size = sizeof(Pair),
            .fields = {{"first", offsetof(Pair, first)}, {"second", offsetof(Pair, second)}}};
  }
};

int main(int argc, char** argv) {
  if (argc > 1) {
    std::cout << "usage: hello (it takes no arguments)\n";
    return argv[1] == std::string_view("--help") ? 0 : 64;
  }

  const auto heap = besom::Heap::create({.heap_max = 64 << 20});
  if (!heap) return std::cerr << heap.error().message() << '\n', 70;
  besom::Heap& h = **heap;
  const auto pair = *h.define<Pair>();

  auto root = h.make(pair);   // a new object, all zero, and a handle that keeps it alive
  auto other = h.make(pair);  // no exceptions: a handle is empty when the heap is exhausted
  if (!root || !other) return std::cerr << h.error().message() << '\n', 71;

  root->first = other.get();
  other.reset();  // it lives on: the first object leads to it
  h.collect();
  const auto rooted = h.last_collection().live_objects;

  root.reset();  // now nothing leads to either
  h.collect();
  const auto dropped = h.last_collection().live_objects;

  std::cout << rooted << " objects live with the root, " << dropped << " without\n";
  return rooted == 2 && dropped == 0 ? 0 : 70;
}
