/// How fast do short-lived trees come and go beside a long-lived one? The Benchmarks Game's
/// binary-trees: nothing in a node but two children.
///
/// Each parent is stored before its children are made, so that only the top of a tree needs a root.

#include <array>

#include BENCH_PEER
#include "bench/workloads/program.hpp"

namespace {

struct Node {
  static constexpr const char* name() { return "Node"; }
  [[no_unique_address]] bench::Header header;
  bench::Field<Node> left;
  bench::Field<Node> right;

  static constexpr std::array<std::size_t, 2> refs() {
    return {offsetof(Node, left), offsetof(Node, right)};
  }
};
static_assert(sizeof(Node) == 16);

struct Program {
  bench::Heap& heap;
  bench::Type<Node> type;
  bench::Outcome outcome = {};

  Node* allocate() {
    ++outcome.objects;
    return heap.allocate(type);
  }
  void grow(Node* node, std::uint32_t depth) {
    if (depth == 0) return;
    Node* left = allocate();
    node->left = left;
    grow(left, depth - 1);
    Node* right = allocate();
    node->right = right;
    grow(right, depth - 1);
  }
  static std::uint64_t count(Node* node) {
    if (bench::get(node->left) == nullptr) return 1;
    return 1 + count(bench::get(node->left)) + count(bench::get(node->right));
  }
  void release(Node* node) {
    if constexpr (bench::kCollects) return;
    if (bench::get(node->left) != nullptr) {
      release(bench::get(node->left));
      release(bench::get(node->right));
    }
    heap.release(node);
  }
  void try_tree(std::uint32_t depth) {
    const bench::Root<Node> tree(heap, allocate());
    grow(tree.get(), depth);
    outcome.check = outcome.check * 3 + count(tree.get());
    release(tree.get());
  }
};

}  // namespace

int main(int argc, char** argv) {
  constexpr const char* kUsage = "DEPTH HEAP_BYTES";
  constexpr std::uint32_t kLeastDepth = 4;
  const auto depth = static_cast<std::uint32_t>(bench::argument(argc, argv, 1, kUsage));
  bench::Heap heap(bench::argument(argc, argv, 2, kUsage));
  const bench::Type<Node> type = heap.define<Node>();
  Program program{heap, type};

  program.try_tree(depth + 1);
  const bench::Root<Node> long_lived(program.heap, program.allocate());
  program.grow(long_lived.get(), depth);
  for (std::uint32_t d = kLeastDepth; d <= depth; d += 2) {
    const std::uint32_t trees = 1u << (depth - d + kLeastDepth);
    for (std::uint32_t i = 0; i < trees; ++i) program.try_tree(d);
  }
  program.outcome.check += Program::count(long_lived.get());
  bench::report(program.heap, program.outcome);
}
