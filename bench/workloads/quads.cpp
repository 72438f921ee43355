/// What does a large tree that lives on cost while small ones come and go? After the Whippet
/// collector's quads: a 4-ary tree is held, then ten times its nodes are made as trees of depth 3,
/// each dropped at once.

#include <array>

#include BENCH_PEER
#include "bench/workloads/program.hpp"

namespace {

constexpr std::uint32_t kSmallDepth = 3;
constexpr std::uint32_t kRounds = 10;

struct Quad {
  static constexpr const char* name() { return "Quad"; }
  [[no_unique_address]] bench::Header header;
  bench::Field<Quad> children[4];

  static constexpr std::array<std::size_t, 4> refs() {
    constexpr std::size_t kFirst = offsetof(Quad, children);
    constexpr std::size_t kStep = sizeof(bench::Field<Quad>);
    return {kFirst, kFirst + kStep, kFirst + 2 * kStep, kFirst + 3 * kStep};
  }
};

struct Program {
  bench::Heap& heap;
  bench::Type<Quad> type;
  bench::Outcome outcome = {};

  Quad* allocate() {
    ++outcome.objects;
    return heap.allocate(type);
  }
  void grow(Quad* quad, std::uint32_t depth) {
    if (depth == 0) return;
    for (auto& field : quad->children) {
      Quad* child = allocate();
      field = child;
      grow(child, depth - 1);
    }
  }
  static std::uint64_t count(Quad* quad) {
    std::uint64_t quads = 1;
    for (auto& field : quad->children) {
      if (bench::get(field) == nullptr) break;
      quads += count(bench::get(field));
    }
    return quads;
  }
  void release(Quad* quad) {
    if constexpr (bench::kCollects) return;
    for (auto& field : quad->children) {
      if (bench::get(field) == nullptr) break;
      release(bench::get(field));
    }
    heap.release(quad);
  }
  void make_and_drop() {
    const bench::Root<Quad> tree(heap, allocate());
    grow(tree.get(), kSmallDepth);
    release(tree.get());
  }
};

}  // namespace

int main(int argc, char** argv) {
  constexpr const char* kUsage = "DEPTH HEAP_BYTES";
  const auto depth = static_cast<std::uint32_t>(bench::argument(argc, argv, 1, kUsage));
  bench::Heap heap(bench::argument(argc, argv, 2, kUsage));
  const bench::Type<Quad> type = heap.define<Quad>();
  Program program{heap, type};

  const bench::Root<Quad> held(program.heap, program.allocate());
  program.grow(held.get(), depth);
  const std::uint64_t held_quads = program.outcome.objects;
  for (std::uint32_t round = 1; round <= kRounds; ++round) {
    while (program.outcome.objects < (round + 1) * held_quads) program.make_and_drop();
    program.outcome.check += Program::count(held.get());
  }
  bench::report(program.heap, program.outcome);
}
