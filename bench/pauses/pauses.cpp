/// How long does the collector keep a program from its work, each time it does? A table of objects
/// in a random graph: each step replaces a ref, and makes an object that dies at once. From time to
/// time a new object takes another one's place in the table. The CPU time of every 500 steps is
/// written down. The other languages' programs beside this one do the same.

#include BENCH_PEER
#include <algorithm>
#include <array>
#include <vector>

#include "bench/workloads/program.hpp"

namespace {

constexpr std::uint32_t kBatch = 500;
constexpr std::uint32_t kEdges = 4;

struct Node {
  static constexpr const char* name() { return "Node"; }
  [[no_unique_address]] bench::Header header;
  bench::Field<Node> edges[kEdges];
  std::uint64_t number;

  static constexpr std::array<std::size_t, kEdges> refs() {
    return {offsetof(Node, edges[0]), offsetof(Node, edges[1]), offsetof(Node, edges[2]),
            offsetof(Node, edges[3])};
  }
};

struct Pair {
  static constexpr const char* name() { return "Pair"; }
  [[no_unique_address]] bench::Header header;
  bench::Field<Node> from;
  bench::Field<Node> to;

  static constexpr std::array<std::size_t, 2> refs() {
    return {offsetof(Pair, from), offsetof(Pair, to)};
  }
};

/// The same numbers in every language. Source: Marsaglia 2003, "Xorshift RNGs".
class Random {
 public:
  std::uint32_t below(std::uint32_t bound) {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 17;
    state_ ^= state_ << 5;
    return state_ % bound;
  }

 private:
  std::uint32_t state_ = 2463534242;
};

class Graph {
 public:
  Graph(bench::Heap& heap, std::uint32_t size) : heap_(heap), size_(size), table_(heap, size) {
    for (std::uint32_t i = 0; i < size; ++i) table_.set(i, make(i));
    for (std::uint32_t i = 0; i < size; ++i) connect(table_.get(i));
  }

  void replace_edge() {
    Node* from = any();
    bench::Field<Node>& edge = from->edges[random_.below(kEdges)];
    Node* to = any();
    edge = to;
    Pair* pair = heap_.allocate(pairs_);
    pair->from = from;
    pair->to = to;
    bench::keep(pair);
  }
  void replace_node(std::uint64_t number) {
    Node* node = make(number);
    connect(node);
    table_.set(random_.below(size_), node);
  }
  [[nodiscard]] std::uint32_t check() const {
    std::uint32_t sum = 0;
    for (std::uint32_t i = 0; i < size_; ++i) {
      const Node* node = table_.get(i);
      for (const auto& edge : node->edges) {
        sum = sum * 31 + static_cast<std::uint32_t>(bench::get(edge)->number);
      }
    }
    return sum;
  }

 private:
  Node* make(std::uint64_t number) {
    Node* node = heap_.allocate(nodes_);
    node->number = number;
    return node;
  }
  void connect(Node* node) {
    for (auto& edge : node->edges) edge = any();
  }
  Node* any() { return table_.get(random_.below(size_)); }

  bench::Heap& heap_;
  std::uint32_t size_;
  bench::Type<Node> nodes_ = heap_.define<Node>();
  bench::Type<Pair> pairs_ = heap_.define<Pair>();
  bench::Table<Node> table_;
  Random random_;
};

}  // namespace

int main(int argc, char** argv) {
  constexpr const char* kUsage = "OBJECTS STEPS EVERY";
  const auto objects = static_cast<std::uint32_t>(bench::argument(argc, argv, 1, kUsage));
  const std::uint64_t steps = bench::argument(argc, argv, 2, kUsage);
  const std::uint64_t every = bench::argument(argc, argv, 3, kUsage);
  // Twice what the graph takes, and room for what is dead and not yet found to be.
  constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;
  bench::Heap heap(bench::GrowsTo{std::clamp<std::uint64_t>(objects * 96ull, kGiB, 4 * kGiB)});
  Graph graph(heap, objects);

  std::vector<double> times(steps / kBatch + 1);
  times[0] = bench::cpu_ns();
  for (std::uint64_t step = 1; step <= steps; ++step) {
    graph.replace_edge();
    if (step % every == 0) graph.replace_node(step);
    if (step % kBatch == 0) times[step / kBatch] = bench::cpu_ns();
  }
  std::printf("check=%" PRIu32 " collections=%" PRIu64 "\n", graph.check(), heap.collections());
  for (std::size_t i = 1; i < times.size(); ++i) std::printf("%.0f\n", times[i] - times[i - 1]);
}
