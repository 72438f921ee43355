// Generators: functions that stop in their midst, each on a stack of its own, for one heap.
//
// Trees of different shapes have the same leaves if their generators, asked in turn, hand out the
// same numbers. Each generator walks its tree by recursion and keeps all that it has handed out in
// a list that nobody else knows. In the first half it roots what it holds in handle scopes, of
// which each fiber has its own; in the second it has raw pointers alone, and the collector searches
// the native stacks. Some generators are dropped half-way.
//
// The contexts are POSIX's ucontext; any other way to change stacks does as well. What Besom has to
// be told is where control goes: switch_to(), around the call that takes it there.
#include <ucontext.h>

#include <besom/besom.hpp>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <iostream>
#include <memory>
#include <utility>
#include <vector>

#include "common/program.hpp"
#include "common/random.hpp"

using besom::Fiber;
using besom::Handle;
using besom::HandleScope;
using besom::Heap;
using besom::Local;
using besom::Member;
using besom::Type;
using example::expect;
using example::require;
using example::stop;

namespace {

struct Node {
  besom::Header header;
  Member<Node> left, right;
  std::uint64_t number;

  static besom::TypeDescriptor type() {
    return {.name = "Node",
            .size = sizeof(Node),
            .fields = {{"left", offsetof(Node, left)}, {"right", offsetof(Node, right)}}};
  }
};

/// A function that hands out nodes, one at each call of next().
class Generator {
 public:
  using Body = std::function<void(Generator&)>;

  /// What `body` refers to is kept by the caller until next() was called first.
  Generator(Heap& heap, bool is_scanned, Body body)
      : heap_(heap),
        stack_(std::make_unique<char[]>(kStackBytes)),
        fiber_(is_scanned ? Fiber(heap, stack_.get(), kStackBytes) : Fiber(heap)),
        body_(std::move(body)) {
    if (!fiber_) stop(heap.error());
    getcontext(&here_);
    here_.uc_stack.ss_sp = stack_.get();
    here_.uc_stack.ss_size = kStackBytes;
    here_.uc_link = nullptr;
    // It passes integers alone.
    const auto self = reinterpret_cast<std::uintptr_t>(this);
    makecontext(&here_, reinterpret_cast<void (*)()>(enter), 2, static_cast<unsigned>(self >> 32),
                static_cast<unsigned>(self));
  }
  Generator(const Generator&) = delete;
  Generator& operator=(const Generator&) = delete;

  /// The next node, or nullptr when there is none any more. Like a new object it is safe until the
  /// next allocation.
  Node* next() {
    if (has_ended_) return nullptr;
    caller_ = std::exchange(running_, this);
    switch_to(&fiber_, back_, here_);
    if (error_ != nullptr) std::rethrow_exception(std::exchange(error_, nullptr));
    return std::exchange(yielded_, nullptr);
  }
  /// For the body alone: `node` is what next() returns. Returns at the next call of that.
  void yield(Node* node) {
    yielded_ = node;
    running_ = caller_;
    switch_to(caller_ != nullptr ? &caller_->fiber_ : nullptr, here_, back_);
  }

 private:
  static constexpr std::size_t kStackBytes = std::size_t{256} << 10;

  void switch_to(Fiber* fiber, ucontext_t& from, const ucontext_t& to) {
    if (const besom::Error error = heap_.switch_to(fiber, [&] { swapcontext(&from, &to); })) {
      stop(error);
    }
  }
  static void enter(unsigned high, unsigned low) {
    reinterpret_cast<Generator*>(std::uintptr_t{high} << 32 | low)->run();
  }
  void run() {
    try {
      body_(*this);
    } catch (...) {  // there is nobody above on this stack
      error_ = std::current_exception();
    }
    has_ended_ = true;
    yield(nullptr);
  }

  static inline Generator* running_ = nullptr;  ///< nullptr: none, but the program itself.

  Heap& heap_;
  std::unique_ptr<char[]> stack_;
  Fiber fiber_;
  Body body_;
  Generator* caller_ = nullptr;
  ucontext_t here_, back_;
  Node* yielded_ = nullptr;
  std::exception_ptr error_;
  bool has_ended_ = false;
};

/// A tree of some shape with the leaves [first, end). Safe as a new object is.
Node* make_tree(Heap& heap, Type<Node> type, std::uint64_t first, std::uint64_t end,
                example::Random& random) {
  if (end - first == 1) {
    Node* leaf = require(heap.allocate(type), heap);
    leaf->number = first;
    return leaf;
  }
  HandleScope scope(heap);
  const std::uint64_t middle =
      first + 1 + random.below(static_cast<std::uint32_t>(end - first - 1));
  const Local<Node> left = scope.root(make_tree(heap, type, first, middle, random));
  const Local<Node> right = scope.root(make_tree(heap, type, middle, end, random));
  Node* node = require(heap.allocate(type), heap);
  node->left = left.get();
  node->right = right.get();
  return node;
}

std::uint64_t length_of(const Node* list) {
  std::uint64_t length = 0;
  for (; list != nullptr; list = list->left.get()) ++length;
  return length;
}

/// Hands out a copy of each leaf; `seen` is the list of all so far.
void walk(Generator& generator, Heap& heap, Type<Node> type, const Local<Node>& tree,
          Local<Node>& seen) {
  if (!tree->left) {
    Node* copy = require(heap.allocate(type), heap);
    copy->number = tree->number;
    copy->left = seen.get();
    seen.set(copy);
    generator.yield(copy);
    return;
  }
  HandleScope scope(heap);
  walk(generator, heap, type, scope.root(tree->left.get()), seen);
  walk(generator, heap, type, scope.root(tree->right.get()), seen);
}

/// The same, trusting that the stack is searched.
void walk(Generator& generator, Heap& heap, Type<Node> type, Node* tree, Node*& seen) {
  if (!tree->left) {
    Node* copy = require(heap.allocate(type), heap);
    copy->number = tree->number;
    copy->left = seen;
    seen = copy;
    generator.yield(copy);
    return;
  }
  walk(generator, heap, type, tree->left.get(), seen);
  walk(generator, heap, type, tree->right.get(), seen);
}

std::unique_ptr<Generator> leaves_of(Heap& heap, Type<Node> type, const Handle<Node>& tree,
                                     std::uint64_t expected, bool is_scanned) {
  return std::make_unique<Generator>(heap, is_scanned, [=, &heap, &tree](Generator& generator) {
    if (is_scanned) {
      Node* seen = nullptr;
      walk(generator, heap, type, tree.get(), seen);
      expect(length_of(seen) == expected, "the list on the stack is whole");
    } else {
      HandleScope scope(heap);
      Local<Node> seen = scope.root(static_cast<Node*>(nullptr));
      walk(generator, heap, type, scope.root(tree.get()), seen);
      expect(length_of(seen.get()) == expected, "the list in the scope is whole");
    }
  });
}

/// Asks all generators in turn, of which every fifth is dropped at some time.
void compare(example::Program& program, Heap& heap, Type<Node> type,
             const std::vector<Handle<Node>>& trees, std::uint64_t leaves, bool is_scanned) {
  std::vector<std::unique_ptr<Generator>> generators;
  for (const Handle<Node>& tree : trees) {
    generators.push_back(leaves_of(heap, type, tree, leaves, is_scanned));
  }
  for (std::uint64_t number = 0; number < leaves; ++number) {
    for (std::size_t i = 0; i < generators.size(); ++i) {
      if (generators[i] == nullptr) continue;
      const Node* leaf = generators[i]->next();
      expect(leaf != nullptr && leaf->number == number, "every tree has the same leaves");
      if (i % 5 == 4 && number == leaves / 2) generators[i] = nullptr;
    }
  }
  program.snapshot(heap);
  std::uint64_t ended = 0;
  for (const auto& generator : generators) {
    if (generator == nullptr) continue;
    expect(generator->next() == nullptr, "no tree has more");
    ++ended;
  }
  std::cout << trees.size() << " trees of " << leaves << " leaves, "
            << (is_scanned ? "pointers on native stacks: " : "locals in scopes of fibers: ")
            << ended << " walked to the end, " << trees.size() - ended << " half-way\n";
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t leaves = 2000;
  std::uint64_t trees = 40;
  example::Program program("fibers", "Generators, each on a stack of its own.",
                           {.heap_max = std::uint64_t{32} << 20});
  program.option("leaves", "Leaves of each tree", leaves, 1, 1'000'000);
  program.option("trees", "Trees that are walked in turn", trees, 1, 1000);

  return program.run(argc, argv, [&](Heap& heap) {
    example::Random random(program.seed());
    const Type<Node> type = require(heap.define<Node>());
    std::vector<Handle<Node>> made;
    for (std::uint64_t i = 0; i < trees; ++i) {
      made.emplace_back(heap, make_tree(heap, type, 0, leaves, random));
    }
    compare(program, heap, type, made, leaves, false);
    {
      const besom::RootRegistration stack = heap.scan_native_stack();
      if (!stack) stop(heap.error());
      compare(program, heap, type, made, leaves, true);
    }
    program.did(2 * trees * leaves, "leaves");
  });
}
