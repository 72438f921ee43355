/// Generational heaps whose full collections are cycles in slices.

#include <cstring>
#include <vector>

#include "tests/gc/generational_kit.hpp"
#include "tests/gc/kit.hpp"

namespace besom::test {
namespace {

HeapOptions both_options(std::uint64_t heap_max = 64 * kMiB) {
  HeapOptions options = generational_options(heap_max);
  options.incremental = true;
  options.slice = 100;
  return options;
}

/// Makes a whole cycle, but for the sweep.
void run_cycle(Kit& kit) {
  REQUIRE(kit.heap.allocate(kit.node));
  const std::uint64_t number = kit.heap.last_collection().number;
  for (int i = 0; kit.heap.last_collection().number == number; ++i) {
    REQUIRE(i < 1'000'000);
    REQUIRE(kit.heap.step(1000));
  }
  REQUIRE_FALSE(kit.heap.last_collection().minor);
}

/// A store that no barrier sees, as into what was just allocated.
void store_first(Member<Node>& slot, const Node* target) {
  const std::uint32_t bits = Ref<Node>(target).index();
  std::memcpy(static_cast<void*>(&slot), &bits, sizeof bits);
}

}  // namespace

TEST_CASE("Incremental generations: minor collections come between cycles, and no whole one",
          "[gc][incremental][generational]") {
  Kit kit(both_options(16 * kMiB));
  const Handle<Node> ballast = make_ballast(kit);
  const std::uint64_t whole = kit.heap.stops(StopKind::full).count;
  Handle<Node> kept = kit.make_node();
  for (int i = 0; i < 20'000'000 && kit.heap.stops(StopKind::end).count < 2; ++i) {
    Node* node = kit.heap.allocate(kit.node);
    if (node == nullptr) FAIL(kit.heap.error().message());
    if (i % 4 != 0) continue;
    // What lives long enough to get old, and dies then.
    node->left = i % 800'000 == 0 ? nullptr : kept.get();
    kept.set(node);
  }
  CHECK(kit.heap.stops(StopKind::end).count >= 2);
  CHECK(kit.heap.stops(StopKind::minor).count >= 2);
  CHECK(kit.heap.stops(StopKind::full).count == whole);
  CHECK(verify(kit.heap).ok());
}

TEST_CASE(
    "Incremental generations: what is stored first into a new object lives, where the sweep "
    "is still to come",
    "[gc][incremental][generational]") {
  Kit kit(both_options());
  const Handle<Node> ballast = make_ballast(kit);
  constexpr std::uint32_t kLength = 2000;
  std::vector<Handle<RefArray<Node>>> arrays;
  for (int i = 0; i < 200; ++i) arrays.push_back(kit.heap.make(kit.refs, kLength));
  for (std::size_t i = 0; i < arrays.size(); i += 2) arrays[i] = {};
  REQUIRE_FALSE(kit.heap.collect());
  run_cycle(kit);
  // Into the holes between the others, which the sweep did not come to.
  std::vector<Handle<RefArray<Node>>> made;
  std::vector<std::uint32_t> targets;
  for (std::uint32_t i = 0; i < 100; ++i) {
    made.push_back(kit.heap.make(kit.refs, kLength));
    Node* target = kit.heap.allocate(kit.node);
    store_first((*made.back().get())[17 * i], target);
    target->left = ballast.get();
    targets.push_back(Ref<Node>(target).index());
  }
  force_minor(kit);
  for (std::uint32_t i = 0; i < made.size(); ++i) {
    const Member<Node>& slot = (*made[i].get())[17 * i];
    CHECK(slot.ref().index() == targets[i]);
    REQUIRE(kit.heap.check(Ref<Node>(targets[i]), kit.node));
    CHECK(slot->left.get() == ballast.get());
  }
  CHECK(verify(kit.heap).ok());
}

TEST_CASE(
    "Incremental generations: what became garbage while the sweep was on goes with the next "
    "cycle",
    "[gc][incremental][generational]") {
  Kit kit(both_options());
  const Handle<Node> ballast = make_ballast(kit);
  run_cycle(kit);
  for (int i = 0; i < 1000; ++i) REQUIRE(kit.heap.make(kit.refs, 1000).get() != nullptr);
  run_cycle(kit);
  run_cycle(kit);
  CHECK(kit.heap.last_collection().live_objects <= 100'001 + 2);
  CHECK(kit.survivors() == 100'001);
}

TEST_CASE("Incremental generations: a minor collection counts what lives as a whole one does",
          "[gc][incremental][generational]") {
  Kit kit(both_options());
  const Handle<Node> ballast = make_ballast(kit);
  std::vector<Handle<RefArray<Node>>> kept;
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 40; ++i) kept.push_back(kit.heap.make(kit.refs, 3000));
    for (std::size_t i = 0; i < kept.size(); i += 3) kept[i] = {};
    run_cycle(kit);
    for (int i = 0; i < 10; ++i) kept.push_back(kit.heap.make(kit.refs, 2000));
    force_minor(kit);
    force_minor(kit);
    const std::uint64_t minor = kit.heap.last_collection().live_objects;
    std::uint64_t objects = 0;
    const auto count = [](void* sum, const ObjectView&) { ++*static_cast<std::uint64_t*>(sum); };
    REQUIRE_FALSE(each_object(kit.heap, count, &objects));
    // Since the collection at most the allocation that made it happen was added.
    CHECK(minor + 1 == objects);
  }
}

TEST_CASE("Incremental generations: what is old and changes during a cycle keeps what it got",
          "[gc][incremental][generational]") {
  Kit kit(both_options());
  const Handle<Node> ballast = make_ballast(kit);
  REQUIRE(kit.heap.allocate(kit.node));
  while (kit.heap.stops(StopKind::begin).count == 0) REQUIRE(kit.heap.step(1));
  REQUIRE(kit.heap.stops(StopKind::end).count == 0);
  Node* late = kit.heap.allocate(kit.node);
  late->right = kit.heap.allocate(kit.node);
  ballast->right = late;
  const std::uint32_t index = Ref<Node>(late->right.get()).index();
  while (kit.heap.stops(StopKind::end).count == 0) REQUIRE(kit.heap.step(1000));
  CHECK(kit.heap.check(Ref<Node>(index), kit.node));
  // And from one minor collection to the next, as of any old object.
  ballast->right->right = kit.heap.allocate(kit.node);
  const std::uint32_t young = Ref<Node>(ballast->right->right.get()).index();
  force_minor(kit);
  CHECK(kit.heap.check(Ref<Node>(young), kit.node));
  CHECK(ballast->right->right.ref().index() == young);
  CHECK(verify(kit.heap).ok());
}

TEST_CASE("Incremental generations: a cycle that is given up leaves no old marks behind",
          "[gc][incremental][generational]") {
  Kit kit(both_options());
  const Handle<Node> ballast = make_ballast(kit);
  REQUIRE(kit.heap.allocate(kit.node));
  while (kit.heap.stops(StopKind::slice).count < 3) REQUIRE(kit.heap.step(1));
  const Handle<Node> kept = kit.make_node();
  REQUIRE_FALSE(kit.heap.collect());
  CHECK(kit.heap.last_collection().live_objects == 100'002);
  force_minor(kit);
  CHECK(kit.survivors() == 100'002);
}

}  // namespace besom::test
