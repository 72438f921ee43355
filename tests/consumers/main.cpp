// A program as a user would write it: exits 0 when what it linked works and is of the version that
// its headers say.
#include <besom/besom.hpp>
#include <cstddef>
#include <cstdio>
#include <stdexcept>

namespace {

struct Pair {
  besom::Header header;
  besom::Member<Pair> first, second;

  static besom::TypeDescriptor type() {
    return {.name = "Pair",
            .size = sizeof(Pair),
            .fields = {{"first", offsetof(Pair, first)}, {"second", offsetof(Pair, second)}}};
  }
};

std::uint64_t live_after_collection(besom::Heap& heap) {
  if (const besom::Error error = heap.collect()) throw std::runtime_error(error.message());
  return heap.last_collection().live_objects;
}

}  // namespace

int main() try {  // Users may throw, though the library does not.
  const auto heap = *besom::Heap::create({.heap_max = 1 << 20});
  const auto pair = *heap->define<Pair>();
  besom::Handle<Pair> root = heap->make(pair);
  root->first = heap->allocate(pair);
  besom::HandleScope scope(*heap);
  const besom::Local<Pair> local = scope.root(root->first.get());
  if (!heap->check(local.ref(), pair) || live_after_collection(*heap) != 2) return 1;
  root.reset();
  if (live_after_collection(*heap) != 1 || !besom::verify(*heap).ok()) return 1;
  const auto show = [](void*, besom::Run hole) {
    std::printf("besom %s: %u bytes free at 0x%x\n", BESOM_VERSION, hole.size_bytes, hole.index);
  };
  if (besom::each_hole(*heap, show, nullptr)) return 1;
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
