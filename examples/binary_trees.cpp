// Builds and drops binary trees of many sizes beside one that stays: the Benchmarks Game's program,
// https://benchmarksgame-team.pages.debian.net/benchmarksgame/description/binarytrees.html
//
// To learn from: how a recursive function roots what it holds while it allocates more.
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

struct Node {
  besom::Header header;
  besom::Member<Node> left, right;

  static besom::TypeDescriptor type() {
    return {.name = "Node",
            .size = sizeof(Node),
            .fields = {{"left", offsetof(Node, left)}, {"right", offsetof(Node, right)}}};
  }
};
static_assert(sizeof(Node) == 16, "one granule: nothing is lost to rounding");

/// A full tree of `depth` levels below its top. The caller roots it before it allocates again.
Node* build(Heap& heap, Type<Node> type, std::uint64_t depth) {
  if (depth == 0) return require(heap.allocate(type), heap);

  // Each of the two later allocations may collect. Until the top holds them, the subtrees are
  // reachable through these locals only; the scope drops them on return.
  HandleScope scope(heap);
  const Local<Node> left = require(scope.root(build(heap, type, depth - 1)), heap);
  const Local<Node> right = require(scope.root(build(heap, type, depth - 1)), heap);
  Node* node = require(heap.allocate(type), heap);
  node->left = left.get();
  node->right = right.get();
  return node;  // The newest object needs no root until the next allocation.
}

/// Never allocates, so bare pointers will do: objects do not move.
std::uint64_t count(const Node* node) {
  return node->left ? 1 + count(node->left.get()) + count(node->right.get()) : 1;
}

std::uint64_t nodes_of_depth(std::uint64_t depth) { return (std::uint64_t{2} << depth) - 1; }

}  // namespace

int main(int argc, char** argv) {
  constexpr std::uint64_t kLeastDepth = 4;
  std::uint64_t depth = 18;
  example::Program program("binary_trees", "Builds and drops binary trees beside one that stays.");
  program.option("depth", "Levels of the largest trees", depth, kLeastDepth, 26);

  return program.run(argc, argv, [&](Heap& heap) {
    const Type<Node> type = require(heap.define<Node>());
    {
      HandleScope scope(heap);
      const Local<Node> tree = require(scope.root(build(heap, type, depth + 1)), heap);
      const std::uint64_t nodes = count(tree.get());
      std::cout << "stretch tree of depth " << depth + 1 << ": "
                << example::count_text(nodes, "node") << '\n';
      expect(nodes == nodes_of_depth(depth + 1), "the stretch tree is whole");
      program.snapshot(heap);
      program.did(nodes, "nodes");
    }

    // A handle is a root that is owned and can be kept in a structure of the host's.
    const Handle<Node> long_lived =
        require(Handle<Node>(heap, build(heap, type, depth), "long-lived tree"), heap);

    example::Progress progress("binary_trees", depth - kLeastDepth + 2);
    for (std::uint64_t d = kLeastDepth; d <= depth; d += 2) {
      const std::uint64_t trees = std::uint64_t{1} << (depth - d + kLeastDepth);
      std::uint64_t nodes = 0;
      for (std::uint64_t i = 0; i < trees; ++i) {
        HandleScope scope(heap);
        nodes += count(require(scope.root(build(heap, type, d)), heap).get());
        if (i % 64 == 0) progress.at(d - kLeastDepth);
      }
      std::cout << example::count_text(trees, "tree") << " of depth " << d << ": "
                << example::count_text(nodes, "node") << '\n';
      expect(nodes == trees * nodes_of_depth(d), "every tree is whole");
      program.did(nodes, "nodes");
    }

    const std::uint64_t nodes = count(long_lived.get());
    std::cout << "long-lived tree of depth " << depth << ": " << example::count_text(nodes, "node")
              << '\n';
    expect(nodes == nodes_of_depth(depth), "the long-lived tree outlives every collection");
    program.did(nodes, "nodes");
  });
}
