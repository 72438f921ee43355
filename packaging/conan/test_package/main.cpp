// Exits with 0 when the package can be used.
#include <besom/besom.hpp>
#include <cstddef>

struct Pair {
  besom::Header header;
  besom::Member<Pair> first;

  static besom::TypeDescriptor type() {
    return {.name = "Pair", .size = sizeof(Pair), .fields = {{"first", offsetof(Pair, first)}}};
  }
};

int main() {
  const auto heap = besom::Heap::create({.heap_max = 1 << 20});
  if (!heap) return 1;
  const auto pair = (*heap)->define<Pair>();
  const besom::Handle<Pair> root = (*heap)->make(*pair);
  root->first = (*heap)->allocate(*pair);
  return !(*heap)->collect() && (*heap)->last_collection().live_objects == 2 ? 0 : 1;
}
