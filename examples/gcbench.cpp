// GCBench, the artificial benchmark by John Ellis and Pete Kovac, in C by Hans Boehm: binary trees
// of many sizes, built top down and bottom up, beside a tree and an array of numbers that stay.
//
// To learn from: top down needs fewer roots than bottom up, because each new node is stored at once
// in a tree that is rooted already.
#include <besom/besom.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iostream>

#include "common/program.hpp"
#include "common/progress.hpp"

using besom::ByteArray;
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
  std::int32_t i, j;  ///< Unused ballast, as in the original.

  static besom::TypeDescriptor type() {
    return {.name = "Node",
            .size = sizeof(Node),
            .fields = {{"left", offsetof(Node, left)}, {"right", offsetof(Node, right)}}};
  }
};

/// Grows a tree below `node`, which the caller has rooted: what it holds is reachable at once.
void populate(Heap& heap, Type<Node> type, std::uint64_t depth, Node* node) {
  if (depth == 0) return;
  node->left = require(heap.allocate(type), heap);
  node->right = require(heap.allocate(type), heap);
  populate(heap, type, depth - 1, node->left.get());
  populate(heap, type, depth - 1, node->right.get());
}

/// Makes the subtrees first; they need roots of their own while the rest is made.
Node* make_tree(Heap& heap, Type<Node> type, std::uint64_t depth) {
  if (depth == 0) return require(heap.allocate(type), heap);
  HandleScope scope(heap);
  const Local<Node> left = require(scope.root(make_tree(heap, type, depth - 1)), heap);
  const Local<Node> right = require(scope.root(make_tree(heap, type, depth - 1)), heap);
  Node* node = require(heap.allocate(type), heap);
  node->left = left.get();
  node->right = right.get();
  return node;
}

std::uint64_t count(const Node* node) {
  return node->left ? 1 + count(node->left.get()) + count(node->right.get()) : 1;
}

std::uint64_t nodes_of_depth(std::uint64_t depth) { return (std::uint64_t{2} << depth) - 1; }

/// The numbers 1/i as bytes in the heap, where the collector does not look for refs.
void fill(ByteArray& array, std::uint64_t numbers) {
  for (std::uint64_t i = 0; i < numbers; ++i) {
    const double number = 1.0 / static_cast<double>(i + 1);
    std::memcpy(array.data() + i * sizeof number, &number, sizeof number);
  }
}

double number_at(ByteArray& array, std::uint64_t i) {
  double number = 0;
  std::memcpy(&number, array.data() + i * sizeof number, sizeof number);
  return number;
}

}  // namespace

int main(int argc, char** argv) {
  constexpr std::uint64_t kLeastDepth = 4;
  std::uint64_t depth = 17;
  std::uint64_t numbers = 500'000;
  example::Program program("gcbench", "GCBench by Ellis, Kovac and Boehm.");
  program.option("depth",
                 "Levels of the long-lived and the largest short-lived trees; 16 in the original",
                 depth, kLeastDepth, 24);
  program.option("numbers", "Length of the array that stays", numbers, 1, 100'000'000);

  return program.run(argc, argv, [&](Heap& heap) {
    const Type<Node> type = require(heap.define<Node>());
    const Type<ByteArray> bytes = require(heap.define<ByteArray>());
    const std::uint64_t stretch = depth + 2;
    {
      HandleScope scope(heap);
      const Local<Node> tree = require(scope.root(make_tree(heap, type, stretch)), heap);
      expect(count(tree.get()) == nodes_of_depth(stretch), "the stretch tree is whole");
      program.snapshot(heap);
      program.did(nodes_of_depth(stretch), "nodes");
      std::cout << "stretched the heap with a tree of depth " << stretch << '\n';
    }

    const Handle<Node> long_lived = require(heap.make(type, 0, "long-lived tree"), heap);
    populate(heap, type, depth, long_lived.get());
    const auto length = static_cast<std::uint32_t>(numbers * sizeof(double));
    const Handle<ByteArray> array = require(heap.make(bytes, length, "array"), heap);
    fill(*array, numbers);
    std::cout << "holding a tree of depth " << depth << " and " << numbers << " numbers\n";

    example::Progress progress("gcbench", depth - kLeastDepth + 2);
    for (std::uint64_t d = kLeastDepth; d <= depth; d += 2) {
      // Twice the work of the stretch tree at each depth, half of it in either direction.
      const std::uint64_t trees = 2 * nodes_of_depth(stretch) / nodes_of_depth(d);
      const auto begun = std::chrono::steady_clock::now();
      for (std::uint64_t i = 0; i < trees; ++i) {
        HandleScope scope(heap);
        const Local<Node> tree = require(scope.root(heap.allocate(type)), heap);
        populate(heap, type, d, tree.get());
        if (i == 0) expect(count(tree.get()) == nodes_of_depth(d), "top down, whole");
        if (i % 64 == 0) progress.at(d - kLeastDepth);
      }
      const auto half = std::chrono::steady_clock::now();
      for (std::uint64_t i = 0; i < trees; ++i) {
        HandleScope scope(heap);
        const Local<Node> tree = require(scope.root(make_tree(heap, type, d)), heap);
        if (i == 0) expect(count(tree.get()) == nodes_of_depth(d), "bottom up, whole");
        if (i % 64 == 0) progress.at(d - kLeastDepth + 1);
      }
      const auto end = std::chrono::steady_clock::now();
      using Milliseconds = std::chrono::duration<double, std::milli>;
      std::cout << example::count_text(static_cast<std::uint64_t>(trees), "tree") << " of depth "
                << d << ": top down " << static_cast<int>(Milliseconds(half - begun).count())
                << " ms, bottom up " << static_cast<int>(Milliseconds(end - half).count())
                << " ms\n";
      program.did(2 * trees * nodes_of_depth(d), "nodes");
    }

    expect(count(long_lived.get()) == nodes_of_depth(depth), "the long-lived tree is whole");
    for (std::uint64_t i = 0; i < numbers; ++i) {
      expect(number_at(*array, i) == 1.0 / static_cast<double>(i + 1), "the array is unaltered");
    }
  });
}
