// Holds one large 4-ary tree and drops many small ones: the more is held, the dearer is each
// collection, and the more room there is, the rarer it is. Try --growth 1.2 and --growth 4.
//
// After `quads` of the Whippet collector's benchmarks.
#include <besom/besom.hpp>
#include <cstddef>
#include <cstdint>
#include <iostream>

#include "common/program.hpp"
#include "common/progress.hpp"

using besom::Handle;
using besom::HandleScope;
using besom::Heap;
using besom::Local;
using besom::Type;
using example::expect;
using example::require;

namespace {

constexpr std::uint32_t kArity = 4;

struct Quad {
  besom::Header header;
  besom::Member<Quad> kids[kArity];

  static besom::TypeDescriptor type() {
    besom::TypeDescriptor descriptor{.name = "Quad", .size = sizeof(Quad), .fields = {}};
    for (std::uint32_t i = 0; i < kArity; ++i) {
      const std::uint32_t offset = offsetof(Quad, kids) + i * std::uint32_t{sizeof(Quad::kids[0])};
      descriptor.fields.push_back({"kid " + std::to_string(i), offset});
    }
    return descriptor;
  }
};

/// A full tree of `depth` levels below its top. The caller roots it before it allocates again.
Quad* build(Heap& heap, Type<Quad> type, std::uint64_t depth) {
  HandleScope scope(heap);
  const Local<Quad> top = require(scope.root(heap.allocate(type)), heap);
  if (depth > 0) {
    for (std::uint32_t i = 0; i < kArity; ++i) {
      // In a statement of its own: which side of `=` is evaluated first should not matter.
      Quad* kid = build(heap, type, depth - 1);
      top->kids[i] = kid;
    }
  }
  // Rooted by nothing once the scope ends; as nothing is allocated before the caller roots it, that
  // is enough.
  return top.get();
}

std::uint64_t count(const Quad* quad) {
  if (!quad->kids[0]) return 1;
  std::uint64_t quads = 1;
  for (const auto& kid : quad->kids) quads += count(kid.get());
  return quads;
}

std::uint64_t quads_of_depth(std::uint64_t depth) {
  return ((std::uint64_t{1} << (2 * (depth + 1))) - 1) / (kArity - 1);
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t depth = 10;
  std::uint64_t small_depth = 3;
  std::uint64_t trees = 500'000;
  example::Program program("quads", "Holds one large 4-ary tree and drops many small ones.");
  program.option("depth", "Levels of the tree that is held", depth, 0, 13);
  program.option("small-depth", "Levels of the trees that are dropped", small_depth, 0, 10);
  program.option("trees", "How many are dropped", trees, 0, 1'000'000'000);

  return program.run(argc, argv, [&](Heap& heap) {
    const Type<Quad> type = require(heap.define<Quad>());
    const Handle<Quad> held = require(Handle<Quad>(heap, build(heap, type, depth), "held"), heap);
    program.snapshot(heap);
    program.did(quads_of_depth(depth), "quads");
    std::cout << "holding " << quads_of_depth(depth) << " quads in a tree of depth " << depth
              << '\n';

    example::Progress progress("quads", trees);
    for (std::uint64_t i = 0; i < trees; ++i) {
      HandleScope scope(heap);
      const Local<Quad> tree = require(scope.root(build(heap, type, small_depth)), heap);
      expect(count(tree.get()) == quads_of_depth(small_depth), "every small tree is whole");
      if (i % 256 == 0) progress.at(i);
    }
    program.did(trees * quads_of_depth(small_depth), "quads");
    std::cout << "dropped " << trees << " trees of depth " << small_depth << '\n';

    expect(count(held.get()) == quads_of_depth(depth), "the held tree is whole");
    expect(!heap.collect(), "a collection cannot fail");
    expect(heap.last_collection().live_objects == quads_of_depth(depth),
           "nothing but the held tree is left");
  });
}
