// A graph full of cycles under random mutation, compared with a shadow of it that the host keeps.
//
// The shadow works out what is reachable by itself. After each round the heap must hold exactly
// that: nothing lost, nothing altered, nothing left over. It also tells how much of the garbage lay
// on or behind cycles, which a reference counter would never free.
//
// To learn from: roots that are the embedder's own memory, as an interpreter's stack would be.
#include <besom/besom.hpp>
#include <cstddef>
#include <cstdint>
#include <iomanip>
#include <iostream>
#include <vector>

#include "common/program.hpp"
#include "common/progress.hpp"
#include "common/random.hpp"

using besom::HandleScope;
using besom::Heap;
using besom::Local;
using besom::Ref;
using besom::Type;
using example::expect;
using example::Random;
using example::require;

namespace {

constexpr std::uint32_t kEdges = 3;

struct Node {
  besom::Header header;
  std::uint32_t id;  ///< Its place in the shadow.
  besom::Member<Node> edges[kEdges];

  static besom::TypeDescriptor type() {
    besom::TypeDescriptor descriptor{.name = "Node", .size = sizeof(Node), .fields = {}};
    for (std::uint32_t i = 0; i < kEdges; ++i) {
      const std::uint32_t offset =
          offsetof(Node, edges) + i * std::uint32_t{sizeof(Node::edges[0])};
      descriptor.fields.push_back({"edge " + std::to_string(i), offset});
    }
    return descriptor;
  }
};

/// The host's record of the graph. Nodes are known by id; 0 is none.
class Shadow {
 public:
  explicit Shadow(std::uint32_t root_count) : roots_(root_count), nodes_(1) {}

  [[nodiscard]] std::uint32_t add() {
    if (unused_.empty()) {
      nodes_.emplace_back();
      return static_cast<std::uint32_t>(nodes_.size() - 1);
    }
    const std::uint32_t id = unused_.back();
    unused_.pop_back();
    nodes_[id] = {};
    return id;
  }
  void place(std::uint32_t id, Ref<Node> ref) { nodes_[id].ref = ref; }
  void set_edge(std::uint32_t id, std::uint32_t edge, std::uint32_t target) {
    nodes_[id].edges[edge] = target;
  }
  void set_root(std::uint32_t root, std::uint32_t target) { roots_[root] = target; }

  /// Compares every reachable node with the heap's; returns how many there are.
  std::uint64_t compare(Heap& heap, Type<Node> type, const std::vector<std::uint32_t>& roots) {
    mark();
    for (std::size_t i = 0; i < roots_.size(); ++i) {
      expect(nodes_[roots_[i]].ref.index() == roots[i], "every root holds what the shadow says");
    }
    std::uint64_t reachable = 0;
    for (std::uint32_t id = 1; id < nodes_.size(); ++id) {
      if (!nodes_[id].marked) continue;
      ++reachable;
      const besom::Result<Node*> node = heap.check(nodes_[id].ref, type);
      expect(bool(node) && (*node)->id == id, "every reachable node is in the heap, unaltered");
      for (std::uint32_t edge = 0; edge < kEdges; ++edge) {
        expect((*node)->edges[edge].ref() == nodes_[nodes_[id].edges[edge]].ref,
               "every edge leads where the shadow says");
      }
    }
    return reachable;
  }

  struct Garbage {
    std::uint64_t nodes = 0;
    std::uint64_t cyclic = 0;  ///< On or behind a cycle of garbage.
  };
  /// Forgets the nodes that compare() did not reach.
  Garbage drop_garbage() {
    Garbage garbage;
    std::vector<std::uint32_t> in_edges(nodes_.size());
    for (const Record& node : nodes_) {
      for (const std::uint32_t target : node.edges) ++in_edges[target];
    }
    // As a reference counter would: free what no edge leads to, until there is no such node.
    std::vector<std::uint32_t> uncounted;
    for (std::uint32_t id = 1; id < nodes_.size(); ++id) {
      if (nodes_[id].marked || !nodes_[id].ref) continue;
      ++garbage.nodes;
      if (in_edges[id] == 0) uncounted.push_back(id);
    }
    garbage.cyclic = garbage.nodes;
    while (!uncounted.empty()) {
      const Record& node = nodes_[uncounted.back()];
      uncounted.pop_back();
      --garbage.cyclic;
      for (const std::uint32_t target : node.edges) {
        if (target != 0 && --in_edges[target] == 0 && !nodes_[target].marked) {
          uncounted.push_back(target);
        }
      }
    }
    for (std::uint32_t id = 1; id < nodes_.size(); ++id) {
      if (nodes_[id].marked || !nodes_[id].ref) continue;
      nodes_[id] = {};
      unused_.push_back(id);
    }
    return garbage;
  }

 private:
  struct Record {
    Ref<Node> ref;  ///< Keeps nothing alive.
    std::uint32_t edges[kEdges] = {};
    bool marked = false;
  };

  void mark() {
    for (Record& node : nodes_) node.marked = false;
    std::vector<std::uint32_t> pending;
    const auto reach = [&](std::uint32_t id) {
      if (id == 0 || nodes_[id].marked) return;
      nodes_[id].marked = true;
      pending.push_back(id);
    };
    for (const std::uint32_t root : roots_) reach(root);
    while (!pending.empty()) {
      const Record& node = nodes_[pending.back()];
      pending.pop_back();
      for (const std::uint32_t target : node.edges) reach(target);
    }
  }

  std::vector<std::uint32_t> roots_;
  std::vector<Record> nodes_;  ///< The first stands for "none".
  std::vector<std::uint32_t> unused_;
};

/// Does the same things to the heap and to the shadow.
class Mutator {
 public:
  Mutator(Heap& heap, std::uint32_t root_count, std::uint64_t seed)
      : heap_(heap),
        type_(require(heap.define<Node>())),
        shadow_(root_count),
        random_(seed),
        roots_(root_count),
        registration_(
            require(heap.add_root_range(roots_.data(), roots_.size(), "graph roots"), heap)) {}

  /// The shares are such that the graph neither dies out nor grows without end.
  void step() {
    if (random_.chance(70)) {
      add_node();
    } else if (random_.chance(62)) {
      if (Node* source = reachable()) set_edge(source, random_.below(kEdges), reachable());
    } else if (random_.chance(80)) {
      if (Node* source = reachable()) set_edge(source, random_.below(kEdges), nullptr);
    } else {
      set_root(random_.below(root_count()), nullptr);
    }
  }

  Shadow::Garbage compare(std::uint64_t& reachable) {
    expect(!heap_.collect(), "a collection cannot fail");
    reachable = shadow_.compare(heap_, type_, roots_);
    expect(heap_.last_collection().live_objects == reachable, "nothing but the reachable is left");
    return shadow_.drop_garbage();
  }

  void drop_roots() {
    for (std::uint32_t i = 0; i < root_count(); ++i) set_root(i, nullptr);
  }

 private:
  [[nodiscard]] std::uint32_t root_count() const {
    return static_cast<std::uint32_t>(roots_.size());
  }

  /// The end of a random walk from a random root.
  [[nodiscard]] Node* reachable() {
    Node* node = heap_.get(Ref<Node>(roots_[random_.below(root_count())]));
    for (std::uint32_t steps = random_.below(32); node != nullptr && steps > 0; --steps) {
      Node* next = node->edges[random_.below(kEdges)].get();
      if (next != nullptr) node = next;
    }
    return node;
  }

  /// Puts a new node into an edge or a root. Half of the new nodes point back at what holds them.
  void add_node() {
    const std::uint32_t id = shadow_.add();
    HandleScope scope(heap_);
    const Local<Node> node = require(scope.root(heap_.allocate(type_)), heap_);
    node->id = id;
    shadow_.place(id, node.ref());
    Node* holder = reachable();
    if (holder == nullptr) {
      set_root(random_.below(root_count()), node.get());
      return;
    }
    const std::uint32_t edge = random_.below(kEdges);
    set_edge(node.get(), 0, holder->edges[edge].get());
    if (random_.chance(50)) set_edge(node.get(), 1, holder);
    set_edge(holder, edge, node.get());
  }

  void set_edge(Node* source, std::uint32_t edge, Node* target) {
    source->edges[edge] = target;
    shadow_.set_edge(source->id, edge, target == nullptr ? 0 : target->id);
  }
  void set_root(std::uint32_t root, Node* target) {
    roots_[root] = Ref<Node>(target).index();
    shadow_.set_root(root, target == nullptr ? 0 : target->id);
  }

  Heap& heap_;
  Type<Node> type_;
  Shadow shadow_;
  Random random_;
  std::vector<std::uint32_t> roots_;
  besom::RootRegistration registration_;  ///< Goes before the slots it names.
};

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t rounds = 10;
  std::uint64_t steps = 300'000;
  std::uint64_t roots = 1000;
  example::Program program("graph", "A graph with cycles, mutated at random and checked.");
  program.option("rounds", "Rounds, with a comparison after each", rounds, 1, 1'000'000);
  program.option("steps", "Mutations in a round", steps, 1, 100'000'000);
  program.option("roots", "Places that the graph hangs from", roots, 1, 1'000'000);

  return program.run(argc, argv, [&](Heap& heap) {
    Mutator mutator(heap, static_cast<std::uint32_t>(roots), program.seed());
    example::Progress progress("graph", rounds * steps);
    std::cout << "round      live     freed  of these on or behind cycles\n";
    const auto report = [&](std::uint64_t round) {
      std::uint64_t live = 0;
      const Shadow::Garbage garbage = mutator.compare(live);
      std::cout << std::setw(5) << round << std::setw(10) << live << std::setw(10) << garbage.nodes
                << std::setw(10) << garbage.cyclic << '\n';
      return live;
    };
    for (std::uint64_t round = 1; round <= rounds; ++round) {
      for (std::uint64_t i = 0; i < steps; ++i) {
        mutator.step();
        if (i % 4096 == 0) progress.at((round - 1) * steps + i);
      }
      report(round);
      program.did(steps, "mutations");
    }
    program.snapshot(heap);
    mutator.drop_roots();
    expect(report(rounds + 1) == 0, "without roots nothing lives");
  });
}
