/// What does marking cost per live object, by the shape of the graph?
///
/// Shapes: objects of four random refs each, where every ref is a cache miss; a binary tree in the
/// order in which it was built; one long list; one wide array; many small arrays. Live objects:
/// the argument. The time is the CPU time of a full collection without garbage; the counter
/// `ns_each` is that per live object, `mark_share` the part of it that marked.

#include <benchmark/benchmark.h>

#include <besom/besom.hpp>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "bench/workloads/program.hpp"
#include "tests/support/random.hpp"

namespace {

using besom::RefArray;

constexpr std::uint32_t kRefs = 4;

struct Node {
  besom::Header header;
  besom::Member<Node> refs[kRefs];
  std::uint32_t payload[6];

  static besom::TypeDescriptor type() {
    besom::TypeDescriptor descriptor{.name = "Node", .size = sizeof(Node), .fields = {}};
    for (std::uint32_t i = 0; i < kRefs; ++i) {
      descriptor.fields.push_back(
          {.name = "ref" + std::to_string(i),
           .offset = static_cast<std::uint32_t>(offsetof(Node, refs) + i * sizeof(refs[0]))});
    }
    return descriptor;
  }
};
static_assert(sizeof(Node) == 48);

struct Graph {
  explicit Graph(std::uint32_t objects) {
    besom::HeapOptions options;
    options.heap_initial = options.heap_max = (std::uint64_t{objects} * 64) + (64 << 20);
    options.growth = besom::Growth::fixed();
    heap = std::move(*besom::Heap::create(options));
    nodes = *heap->define<Node>();
    arrays = *heap->define<RefArray<Node>>();
  }
  Node* allocate() const {
    Node* node = heap->allocate(nodes);
    if (node == nullptr) std::abort();
    return node;
  }
  RefArray<Node>* allocate_array(std::uint32_t length) const {
    auto* array = heap->allocate(arrays, length);
    if (array == nullptr) std::abort();
    return array;
  }

  std::unique_ptr<besom::Heap> heap;
  besom::Type<Node> nodes;
  besom::Type<RefArray<Node>> arrays;
};

using Root = besom::Handle<besom::Header>;
Root rooted(const Graph& graph, besom::Header& object) { return Root(*graph.heap, &object); }

void fill(const Graph& graph, RefArray<Node>& table) {
  for (std::uint32_t i = 0; i < table.length(); ++i) table[i] = graph.allocate();
}

Root random_graph(const Graph& graph, std::uint32_t objects) {
  besom::Handle<RefArray<Node>> table(*graph.heap, graph.allocate_array(objects));
  fill(graph, *table);
  besom::test::Random random(42);
  for (std::uint32_t i = 0; i < objects; ++i) {
    for (auto& ref : (*table)[i]->refs) ref = (*table)[random.below(objects)];
  }
  return rooted(graph, (*table)[0]->header);
}

void grow(const Graph& graph, Node* node, std::uint32_t objects) {
  if (objects <= 1) return;
  const std::uint32_t left = (objects - 1) / 2;
  if (left > 0) {
    node->refs[0] = graph.allocate();
    grow(graph, node->refs[0].get(), left);
  }
  node->refs[1] = graph.allocate();
  grow(graph, node->refs[1].get(), objects - 1 - left);
}

Root tree(const Graph& graph, std::uint32_t objects) {
  Node* top = graph.allocate();
  Root root = rooted(graph, top->header);
  grow(graph, top, objects);
  return root;
}

Root list(const Graph& graph, std::uint32_t objects) {
  Node* last = graph.allocate();
  Root root = rooted(graph, last->header);
  for (std::uint32_t i = 1; i < objects; ++i) {
    last->refs[0] = graph.allocate();
    last = last->refs[0].get();
  }
  return root;
}

Root wide_array(const Graph& graph, std::uint32_t objects) {
  besom::Handle<RefArray<Node>> table(*graph.heap, graph.allocate_array(objects));
  fill(graph, *table);
  return rooted(graph, table->header);
}

/// Each of 31 nodes, as hash tables and vectors are; an object in 32 is an array.
Root small_arrays(const Graph& graph, std::uint32_t objects) {
  constexpr std::uint32_t kLength = 31;
  Node* last = graph.allocate();
  Root root = rooted(graph, last->header);
  for (std::uint32_t i = 0; i < objects / (kLength + 1); ++i) {
    RefArray<Node>* array = graph.allocate_array(kLength);
    // The collector goes by the header, not by the C++ type of the field.
    last->refs[1] = reinterpret_cast<Node*>(array);
    fill(graph, *array);
    last = (*array)[kLength - 1].get();
  }
  return root;
}

void measure(benchmark::State& state, Root (*build)(const Graph&, std::uint32_t)) {
  const auto objects = static_cast<std::uint32_t>(state.range(0));
  const Graph graph(objects);
  const Root root = build(graph, objects);
  static_cast<void>(graph.heap->collect());
  double collect_ns = 0;
  double mark_ns = 0;
  double pause_ns = 0;
  for (auto _ : state) {
    const double start = bench::cpu_ns();
    static_cast<void>(graph.heap->collect());
    const double ns = bench::cpu_ns() - start;
    state.SetIterationTime(ns * 1e-9);
    collect_ns += ns;
    mark_ns += static_cast<double>(graph.heap->last_collection().mark_ns);
    pause_ns += static_cast<double>(graph.heap->last_collection().pause_ns);
  }
  state.counters["ns_each"] = collect_ns / static_cast<double>(state.iterations()) /
                              static_cast<double>(graph.heap->last_collection().live_objects);
  state.counters["mark_share"] = mark_ns / pause_ns;
}

void sizes(benchmark::internal::Benchmark* benchmark) {
  benchmark->Arg(10'000)
      ->Arg(1'000'000)
      ->Arg(10'000'000)
      ->UseManualTime()
      ->Unit(benchmark::kMillisecond);
}
BENCHMARK_CAPTURE(measure, random_graph, random_graph)->Apply(sizes);
BENCHMARK_CAPTURE(measure, tree, tree)->Apply(sizes);
BENCHMARK_CAPTURE(measure, list, list)->Apply(sizes);
BENCHMARK_CAPTURE(measure, wide_array, wide_array)->Apply(sizes);
BENCHMARK_CAPTURE(measure, small_arrays, small_arrays)->Apply(sizes);

}  // namespace

BENCHMARK_MAIN();
