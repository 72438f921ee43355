/// What does a full collection cost per live object when every ref is a cache miss? A random graph
/// of 48-byte objects with four refs each; the best of several collections. For collectors only.

#include <algorithm>
#include <array>
#include <cstring>

#include BENCH_PEER
#include "bench/workloads/program.hpp"
#include "tests/support/random.hpp"

namespace {

constexpr std::size_t kObjectBytes = 48;
constexpr std::size_t kRefs = 4;
constexpr std::uint32_t kWalk = 1'000'000;

struct Node {
  static constexpr const char* name() { return "Node"; }
  static constexpr std::size_t kPayload =
      kObjectBytes - bench::kHeaderBytes - kRefs * sizeof(bench::Field<Node>);
  [[no_unique_address]] bench::Header header;
  bench::Field<Node> targets[kRefs];
  std::uint32_t payload[kPayload / sizeof(std::uint32_t)];

  static constexpr std::array<std::size_t, kRefs> refs() {
    constexpr std::size_t kFirst = offsetof(Node, targets);
    constexpr std::size_t kStep = sizeof(bench::Field<Node>);
    return {kFirst, kFirst + kStep, kFirst + 2 * kStep, kFirst + 3 * kStep};
  }
};
static_assert(sizeof(Node) == kObjectBytes);

/// Returns the one object that holds the graph; the table of all is gone by then. Not inlined, so
/// that a conservative collector finds no stale copies of the table's entries.
[[gnu::noinline]] Node* build(bench::Heap& heap, std::uint32_t objects) {
  const bench::Type<Node> type = heap.define<Node>();
  besom::test::Random random(42);
  bench::Table<Node> table(heap, objects);
  for (std::uint32_t i = 0; i < objects; ++i) {
    Node* node = heap.allocate(type);
    node->payload[0] = i;
    table.set(i, node);
  }
  for (std::uint32_t i = 0; i < objects; ++i) {
    for (auto& target : table.get(i)->targets) target = table.get(random.below(objects));
  }
  return table.get(0);
}

}  // namespace

int main(int argc, char** argv) {
  constexpr const char* kUsage = "OBJECTS COLLECTIONS HEAP_BYTES";
  const auto objects = static_cast<std::uint32_t>(bench::argument(argc, argv, 1, kUsage));
  const auto collections = static_cast<std::uint32_t>(bench::argument(argc, argv, 2, kUsage));
  bench::Heap heap(bench::argument(argc, argv, 3, kUsage));
  bench::Outcome outcome{.objects = objects};

  const bench::Root<Node> root(heap, build(heap, objects));
  for (std::uint32_t i = 0; i < collections; ++i) {
    const double start = bench::cpu_ns();
    heap.collect();
    const double each = (bench::cpu_ns() - start) / objects;
    outcome.ns_each = i == 0 ? each : std::min(outcome.ns_each, each);
  }
  besom::test::Random random(7);
  Node* node = root.get();
  for (std::uint32_t i = 0; i < kWalk; ++i) {
    node = bench::get(node->targets[random.below(kRefs)]);
    outcome.check += node->payload[0];
  }
  bench::report(heap, outcome);
}
