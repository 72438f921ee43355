/// How does a heap do on trees built both ways, with a long-lived tree and one large array beside
/// them? GCBench by John Ellis and Pete Kovac, changed by Hans Boehm.

#include <array>

#include BENCH_PEER
#include "bench/workloads/program.hpp"

namespace {

constexpr std::uint32_t kStretchDepth = 18;
constexpr std::uint32_t kLongLivedDepth = 16;
constexpr std::uint32_t kArrayLength = 500'000;
constexpr std::uint32_t kLeastDepth = 4;
constexpr std::uint32_t kMostDepth = 16;

struct Node {
  static constexpr const char* name() { return "Node"; }
  [[no_unique_address]] bench::Header header;
  bench::Field<Node> left;
  bench::Field<Node> right;
  std::int32_t i;
  std::int32_t j;

  static constexpr std::array<std::size_t, 2> refs() {
    return {offsetof(Node, left), offsetof(Node, right)};
  }
};
static_assert(sizeof(Node) == 24);

constexpr std::uint32_t tree_size(std::uint32_t depth) { return (1u << (depth + 1)) - 1; }
constexpr std::uint32_t tree_count(std::uint32_t depth) {
  return 2 * tree_size(kStretchDepth) / tree_size(depth);
}

struct Program {
  bench::Heap& heap;
  bench::Type<Node> type;
  bench::Outcome outcome = {};

  Node* allocate() {
    ++outcome.objects;
    return heap.allocate(type);
  }
  /// Top down: the tree's root holds everything.
  void populate(std::uint32_t depth, Node* node) {
    if (depth == 0) return;
    Node* left = allocate();
    node->left = left;
    Node* right = allocate();
    node->right = right;
    populate(depth - 1, left);
    populate(depth - 1, right);
  }
  /// Bottom up: nothing but locals holds the subtrees until their parent is made.
  Node* make_tree(std::uint32_t depth) {
    if (depth == 0) return allocate();
    bench::Scope scope(heap);
    const auto left = scope.root(make_tree(depth - 1));
    const auto right = scope.root(make_tree(depth - 1));
    Node* node = allocate();
    node->left = left.get();
    node->right = right.get();
    return node;
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
  void build_both_ways(std::uint32_t depth) {
    for (std::uint32_t i = 0; i < tree_count(depth); ++i) {
      const bench::Root<Node> tree(heap, allocate());
      populate(depth, tree.get());
      release(tree.get());
    }
    for (std::uint32_t i = 0; i < tree_count(depth); ++i) {
      Node* tree = make_tree(depth);
      bench::keep(tree);
      release(tree);
    }
  }
};

}  // namespace

int main(int argc, char** argv) {
  bench::Heap heap(bench::argument(argc, argv, 1, "HEAP_BYTES"));
  const bench::Type<Node> type = heap.define<Node>();
  Program program{heap, type};

  Node* stretch = program.make_tree(kStretchDepth);
  program.outcome.check = Program::count(stretch);
  program.release(stretch);

  const bench::Root<Node> long_lived(program.heap, program.allocate());
  program.populate(kLongLivedDepth, long_lived.get());
  const bench::Root<bench::Blob> array(program.heap,
                                       program.heap.allocate_blob(static_cast<std::uint32_t>(
                                           bench::kHeaderBytes + kArrayLength * sizeof(double))));
  auto* numbers = reinterpret_cast<double*>(bench::bytes_of(array.get()));
  for (std::uint32_t i = 0; i < kArrayLength; ++i) {
    numbers[i] = i == 0 || i >= kArrayLength / 2 ? 0.0 : 1.0 / i;
  }

  for (std::uint32_t depth = kLeastDepth; depth <= kMostDepth; depth += 2) {
    program.build_both_ways(depth);
  }
  program.outcome.check += Program::count(long_lived.get()) + program.outcome.objects;
  program.outcome.check += static_cast<std::uint64_t>(1.0 / numbers[1000]);
  bench::report(program.heap, program.outcome);
}
