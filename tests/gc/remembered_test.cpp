/// Objects that each minor collection looks at, as they keep refs where there is no barrier.

#include <memory>
#include <vector>

#include "tests/gc/generational_kit.hpp"

namespace besom::test {
namespace {

/// Keeps nodes in memory of the host.
struct Fiber {
  Header header;
  std::vector<Node*>* stack;
};

void trace_fiber(const void* object, std::uint32_t, Tracer& tracer) {
  const std::vector<Node*>* stack = static_cast<const Fiber*>(object)->stack;
  if (stack == nullptr) return;
  for (const Node* node : *stack) tracer.visit_pointer(node);
}

struct FiberKit : Kit {
  explicit FiberKit(const HeapOptions& options) : Kit(options) {
    const Result<TypeId> type =
        heap.define({.name = "Fiber", .size = sizeof(Fiber), .trace = trace_fiber});
    REQUIRE(type);
    fiber.id = *type;
  }
  /// A fiber with a stack of its own.
  Handle<Fiber> make_fiber() {
    Handle<Fiber> made = heap.make(fiber);
    stacks.push_back(std::make_unique<std::vector<Node*>>());
    made->stack = stacks.back().get();
    return made;
  }
  Type<Fiber> fiber;
  std::vector<std::unique_ptr<std::vector<Node*>>> stacks;
};

HeapOptions zealous_options() {
  HeapOptions options = generational_options(4 * kMiB);
  options.zeal = {2, false, false};
  return options;
}

}  // namespace

TEST_CASE("Remembered: what an old object gets in memory of the host lives over minor collections",
          "[gc][remembered][generational]") {
  FiberKit kit(generational_options());
  const Handle<Node> ballast = make_ballast(kit);
  const Handle<Fiber> fiber = kit.make_fiber();
  REQUIRE_FALSE(kit.heap.set_always_remembered(fiber.get()));
  REQUIRE_FALSE(kit.heap.set_always_remembered(fiber.get()));
  REQUIRE_FALSE(kit.heap.collect());
  for (int i = 0; i < 5; ++i) {
    Node* node = kit.heap.allocate(kit.node);
    fiber->stack->push_back(node);
    node->left = kit.heap.allocate(kit.node);
    force_minor(kit);
    for (Node* each : *fiber->stack) {
      REQUIRE(kit.lives(Kit::ref_of(each)));
      REQUIRE(kit.lives(each->left.ref()));
    }
  }
  CHECK(verify(kit.heap).ok());
}

TEST_CASE("Remembered: an object that is no longer has to tell of its stores",
          "[gc][remembered][generational]") {
  FiberKit kit(generational_options());
  const Handle<Node> ballast = make_ballast(kit);
  const Handle<Fiber> fiber = kit.make_fiber();
  for (int i = 0; i < 100; ++i) REQUIRE(kit.heap.allocate(kit.node));  // no card of both
  const Handle<Fiber> other = kit.make_fiber();
  REQUIRE_FALSE(kit.heap.set_always_remembered(other.get()));
  REQUIRE_FALSE(kit.heap.set_always_remembered(fiber.get()));
  REQUIRE_FALSE(kit.heap.collect());
  REQUIRE_FALSE(kit.heap.set_always_remembered(fiber.get(), false));
  REQUIRE_FALSE(kit.heap.set_always_remembered(fiber.get(), false));
  const Weak<Node> lost(kit.heap, kit.heap.allocate(kit.node));
  fiber->stack->push_back(lost.get());
  const Ref<Node> kept(kit.heap.allocate(kit.node));
  other->stack->push_back(kit.heap.get(kept));
  force_minor(kit);
  CHECK(lost.get() == nullptr);
  CHECK(kit.lives(kept));
  fiber->stack->clear();
}

TEST_CASE("Remembered: zeal takes no store in host memory for a missed one, but those of others",
          "[gc][remembered][generational][zeal]") {
  {
    FiberKit kit(zealous_options());
    const Handle<Fiber> fiber = kit.make_fiber();
    REQUIRE_FALSE(kit.heap.set_always_remembered(fiber.get()));
    for (int i = 0; i < 200; ++i) {
      fiber->stack->push_back(kit.heap.allocate(kit.node));
      REQUIRE(kit.heap.allocate(kit.node));
    }
    CHECK(kit.survivors() == 201);
  }
  CHECK_ABORTS(([&] {
                 FiberKit kit(zealous_options());
                 const Handle<Fiber> fiber = kit.make_fiber();
                 for (int i = 0; i < 20; ++i) {
                   fiber->stack->push_back(kit.heap.allocate(kit.node));
                   static_cast<void>(kit.heap.allocate(kit.node));
                 }
               }()),
               "missed_store: Fiber");
}

TEST_CASE("Remembered: fields of a large object may be stored into without a word",
          "[gc][remembered][generational]") {
  Kit kit(generational_options());
  const Handle<Node> ballast = make_ballast(kit);
  const Handle<RefArray<Node>> array = kit.heap.make(kit.refs, 3000);
  REQUIRE_FALSE(kit.heap.set_always_remembered(array.get()));
  REQUIRE_FALSE(kit.heap.collect());
  std::vector<Ref<Node>> stored;
  for (const std::uint32_t place : {0u, 1500u, 2999u}) {
    stored.emplace_back(kit.heap.allocate(kit.node));
    forge(&(*array)[place], stored.back().index());
  }
  force_minor(kit);
  for (const Ref<Node> ref : stored) CHECK(kit.lives(ref));
}

TEST_CASE("Remembered: the object itself is not kept, and its place is free for another",
          "[gc][remembered][generational]") {
  FiberKit kit(generational_options());
  const Handle<Node> ballast = make_ballast(kit);
  std::vector<Ref<Fiber>> dead;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 500; ++i) {
      const Handle<Fiber> fiber = kit.make_fiber();
      REQUIRE_FALSE(kit.heap.set_always_remembered(fiber.get()));
      dead.emplace_back(fiber.ref());
    }
    // Young and dead, or old and dead.
    if (round == 0) force_minor(kit);
    REQUIRE_FALSE(kit.heap.collect());
    for (const Ref<Fiber> ref : dead) CHECK_FALSE(kit.lives(ref));
  }
  // Where fibers were, nodes are: no callback is called for them, and nothing is kept.
  for (int i = 0; i < 2000; ++i) REQUIRE(kit.heap.allocate(kit.node));
  force_minor(kit);
  CHECK(verify(kit.heap).ok());
}

TEST_CASE("Remembered: what comes to lie where one died is not remembered",
          "[gc][remembered][generational]") {
  FiberKit kit(generational_options());
  const Handle<Node> ballast = make_ballast(kit);
  Ref<Fiber> place;
  {
    const Handle<Fiber> fiber = kit.make_fiber();
    place = fiber.ref();
    REQUIRE_FALSE(kit.heap.set_always_remembered(fiber.get()));
    REQUIRE_FALSE(kit.heap.collect());
  }
  REQUIRE_FALSE(kit.heap.collect());
  std::vector<Handle<Fiber>> others;
  while (others.empty() || (others.back().ref() != place && others.size() < 10'000)) {
    others.push_back(kit.make_fiber());
  }
  REQUIRE(others.back().ref() == place);
  REQUIRE_FALSE(kit.heap.collect());
  const Weak<Node> lost(kit.heap, kit.heap.allocate(kit.node));
  others.back()->stack->push_back(lost.get());
  force_minor(kit);
  CHECK(lost.get() == nullptr);
  others.back()->stack->clear();
}

TEST_CASE("Remembered: reset() forgets them", "[gc][remembered][generational]") {
  FiberKit kit(generational_options());
  {
    const Handle<Fiber> fiber = kit.make_fiber();
    REQUIRE_FALSE(kit.heap.set_always_remembered(fiber.get()));
    REQUIRE_FALSE(kit.heap.reset());
  }
  const Handle<Node> ballast = make_ballast(kit);
  force_minor(kit);
  CHECK(verify(kit.heap).ok());
}

TEST_CASE("Remembered: what is no object of the heap is refused", "[gc][remembered][misuse]") {
  Kit kit(generational_options());
  Kit other;
  const Handle<Block> block = kit.heap.make(kit.block);
  const Handle<Node> foreign = other.make_node();
  int host = 0;
  CHECK(kit.heap.set_always_remembered(nullptr).code == Errc::bad_ref);
  CHECK(kit.heap.set_always_remembered(reinterpret_cast<char*>(block.get()) + 16).code ==
        Errc::bad_ref);
  CHECK(kit.heap.set_always_remembered(foreign.get()).code == Errc::wrong_heap);
  CHECK(kit.heap.set_always_remembered(&host, false).code == Errc::wrong_heap);
  struct Inside {
    Kit& kit;
    const Handle<Block>& block;
    Errc code;
  } inside{kit, block, Errc::ok};
  const MarkHookRegistration hook = kit.heap.add_mark_hook(
      [](void* user, const MarkView&) {
        auto* at = static_cast<Inside*>(user);
        at->code = at->kit.heap.set_always_remembered(at->block.get()).code;
      },
      &inside, "inside");
  REQUIRE_FALSE(kit.heap.collect());
  CHECK(inside.code == Errc::reentrant);
}

TEST_CASE("Remembered: in a cycle host memory is told of as all other, remembered or not",
          "[gc][remembered][incremental]") {
  HeapOptions options = exact_options();
  options.incremental = true;
  options.slice = 1;
  for (const bool tells : {false, true}) {
    INFO(tells);
    FiberKit kit(options);
    const Handle<Node> taker = kit.make_node();
    const Handle<Node> list = kit.make_node();
    Node* last = list.get();
    for (int i = 0; i < 100; ++i) last = (last->left = kit.heap.allocate(kit.node)).get();
    Fiber* const fiber = kit.heap.allocate(kit.fiber);
    last->right = reinterpret_cast<Node*>(fiber);
    kit.stacks.push_back(std::make_unique<std::vector<Node*>>());
    fiber->stack = kit.stacks.back().get();
    REQUIRE_FALSE(kit.heap.set_always_remembered(fiber));
    Node* const moved = kit.heap.allocate(kit.node);
    fiber->stack->push_back(moved);
    REQUIRE(kit.heap.allocate(kit.node));  // the newest is a root
    REQUIRE(kit.heap.step(1));
    REQUIRE(kit.heap.step(1));  // handles
    REQUIRE(kit.heap.step(2));
    // From where nobody has been yet to where nobody comes again.
    if (tells) note_overwrite_object(fiber);
    fiber->stack->clear();
    taker->right = moved;
    while (kit.heap.last_collection().number == 0) REQUIRE(kit.heap.step(10));
    CHECK(kit.lives(Kit::ref_of(moved)) == tells);
    taker->right = nullptr;
  }
}

}  // namespace besom::test
