/// Minor collections: what they free, what they keep, when they run, and what a store that went
/// past the barrier looks like.

#include <algorithm>
#include <cstring>
#include <vector>

#include "gc/when/nursery.hpp"
#include "tests/gc/generational_kit.hpp"

namespace besom::test {
using detail::Nursery;

TEST_CASE("Generational: what an old object refers to lives on, what nothing refers to goes",
          "[gc][generational]") {
  Kit kit(generational_options());
  const Handle<Node> ballast = make_ballast(kit);
  const Handle<Node> holder = kit.heap.make(kit.node);
  force_minor(kit);
  Node* kept = kit.heap.allocate(kit.node);
  holder->left = kept;
  Node* deeper = kit.heap.allocate(kit.node);
  kept->right = deeper;
  force_minor(kit);
  CHECK(kit.heap.check(Ref<Node>(kept), kit.node));
  CHECK(kit.heap.check(Ref<Node>(deeper), kit.node));
  CHECK(holder->left.get() == kept);
  CHECK(verify(kit.heap).ok());
  // All the garbage that the two minor collections were forced with is gone.
  CHECK(kit.heap.last_collection().live_objects < 100'000 + 200);
}

TEST_CASE("Generational: what was reached once waits for a full collection", "[gc][generational]") {
  Kit kit(generational_options());
  const Handle<Node> ballast = make_ballast(kit);
  Handle<Node> root = kit.heap.make(kit.node);
  const Ref<Node> old(root.get());
  force_minor(kit);
  root.reset();
  force_minor(kit);
  CHECK(kit.heap.check(old, kit.node));
  REQUIRE_FALSE(kit.heap.collect());
  CHECK_FALSE(kit.heap.last_collection().minor);
  CHECK_FALSE(kit.heap.check(old, kit.node));
}

TEST_CASE("Generational: stores anywhere in a large old array are seen", "[gc][generational]") {
  constexpr std::uint32_t kLength = 200'000;
  Kit kit(generational_options());
  const Handle<Node> ballast = make_ballast(kit);
  const Handle<RefArray<Node>> array = kit.heap.make(kit.refs, kLength);
  force_minor(kit);
  Random random = random_for("Generational: large array");
  INFO("seed " << test_seed());
  std::vector<std::uint32_t> places = {0, 1, kLength - 1};
  for (int i = 0; i < 50; ++i) places.push_back(random.below(kLength));
  for (const std::uint32_t place : places) (*array)[place] = kit.heap.allocate(kit.node);
  force_minor(kit);
  for (const std::uint32_t place : places) {
    REQUIRE((*array)[place]);
    CHECK(kit.heap.check((*array)[place].ref(), kit.node));
  }
  CHECK(verify(kit.heap).ok());
}

TEST_CASE("Generational: an object with a trace callback tells of its stores by note_store",
          "[gc][generational]") {
  struct Foreign {
    Header header;
    Header* target;
  };
  Kit kit(generational_options());
  const Handle<Node> ballast = make_ballast(kit);
  const Result<TypeId> type =
      kit.heap.define({.name = "Foreign",
                       .size = sizeof(Foreign),
                       .trace = [](const void* object, std::uint32_t, Tracer& tracer) {
                         tracer.visit(Ref<Header>(static_cast<const Foreign*>(object)->target));
                       }});
  REQUIRE(type);
  auto* foreign = static_cast<Foreign*>(kit.heap.allocate(*type));
  const Handle<Header> root(kit.heap, &foreign->header);
  force_minor(kit);
  Node* target = kit.heap.allocate(kit.node);
  foreign->target = &target->header;
  note_store(&foreign->target);
  force_minor(kit);
  CHECK(kit.heap.check(Ref<Node>(target), kit.node));
}

TEST_CASE("Generational: zeal finds a store that was not noted and names both ends",
          "[gc][generational][zeal]") {
  HeapOptions options = generational_options(4 * kMiB);
  options.zeal = {2, false, false};
  CHECK_ABORTS(([&] {
                 Kit kit(options);
                 const Handle<Node> holder = kit.heap.make(kit.node);
                 for (int i = 0; i < 20; ++i) {
                   Node* young = kit.heap.allocate(kit.node);
                   const std::uint32_t bits = Ref<Node>(young).index();
                   std::memcpy(static_cast<void*>(&holder->right), &bits, sizeof bits);
                   static_cast<void>(kit.heap.allocate(kit.node));  // the newest is itself a root
                 }
               }()),
               "missed_store: Node 0x");
  CHECK_ABORTS(([&] {
                 Kit kit(options);
                 const Handle<RefArray<Node>> holder = kit.heap.make(kit.refs, 300);
                 for (int i = 0; i < 20; ++i) {
                   Node* young = kit.heap.allocate(kit.node);
                   const std::uint32_t bits = Ref<Node>(young).index();
                   std::memcpy(static_cast<void*>(&(*holder)[250]), &bits, sizeof bits);
                   static_cast<void>(kit.heap.allocate(kit.node));  // the newest is itself a root
                 }
               }()),
               " 250 (at +1008) holds young Node 0x");
}

TEST_CASE("Generational: a heap that is not never collects the young alone", "[gc][generational]") {
  Kit kit(exact_options(16 * kMiB));
  const Handle<Node> ballast = make_ballast(kit);
  const std::uint64_t before = kit.heap.stats().collections;
  while (kit.heap.stats().collections < before + 3) {
    if (kit.heap.allocate(kit.node) == nullptr || kit.heap.last_collection().minor) {
      FAIL("exhausted, or collected the young alone");
    }
  }
}

TEST_CASE("Generational: garbage in small holes goes with the next minor collection",
          "[gc][generational]") {
  Kit kit(generational_options());
  const Handle<Node> ballast = make_ballast(kit);
  // Every second one goes: from then on nodes come out of holes of one granule.
  const Handle<RefArray<Node>> all = kit.heap.make(kit.refs, 400'000);
  for (std::uint32_t i = 0; i < 400'000; ++i) (*all)[i] = kit.heap.allocate(kit.node);
  for (std::uint32_t i = 0; i < 400'000; i += 2) (*all)[i] = nullptr;
  REQUIRE_FALSE(kit.heap.collect());
  const HeapStats before = kit.heap.stats();
  force_minor(kit);
  const CollectionStats& last = kit.heap.last_collection();
  // Nothing of what was allocated since is reachable.
  CHECK(last.freed_objects > 200'000);
  CHECK(last.freed_bytes > (kit.heap.stats().allocated - before.allocated) * 9 / 10);
  CHECK(verify(kit.heap).ok());
}

namespace {

/// Allocations between two looks at the statistics, which cost more than they do.
constexpr int kBetweenLooks = 256;

}  // namespace

TEST_CASE("Generational: a full collection comes in time though minor ones free enough",
          "[gc][generational]") {
  for (const Growth growth : {Growth::fixed(), Growth::of_live(1.5), Growth::of_live(2)}) {
    INFO(growth.factor);
    HeapOptions options = generational_options(64 * kMiB);
    options.growth = growth;
    Kit kit(options);
    const Handle<Node> ballast = make_ballast(kit);
    Guardian guardian(kit.heap);
    Handle<Node> victim = kit.make_node();
    REQUIRE_FALSE(guardian.guard(victim.get()));
    REQUIRE_FALSE(kit.heap.collect());
    const std::uint64_t live = kit.heap.last_collection().live_bytes;
    const double factor = growth.factor == 0 ? 2 : growth.factor;
    const Weak<Node> weak(kit.heap, victim.get());
    victim.reset();
    const std::uint64_t allocated = kit.heap.stats().allocated;
    while (guardian.ready() == 0) {
      for (int i = 0; i < kBetweenLooks; ++i) REQUIRE(kit.heap.allocate(kit.node) != nullptr);
      REQUIRE(kit.heap.stats().allocated - allocated <
              std::max(static_cast<std::uint64_t>(17 * factor * static_cast<double>(live)),
                       growth.factor == 0 ? 136 * kMiB : 36 * kMiB));
    }
    CHECK(weak.get() == nullptr);
    CHECK_FALSE(kit.heap.last_collection().minor);
  }
}

TEST_CASE("Generational: old garbage of half the heap goes in time", "[gc][generational]") {
  HeapOptions options = generational_options(16 * kMiB);
  options.growth = Growth::of_live(2);
  Kit kit(options);
  const Handle<Node> ballast = make_ballast(kit);
  Handle<ByteArray> old = kit.heap.make(kit.bytes, 8 * kMiB);
  REQUIRE(old);
  REQUIRE_FALSE(kit.heap.collect());
  old.reset();
  const std::uint64_t allocated = kit.heap.stats().allocated;
  while (kit.heap.last_collection().live_bytes > 8 * kMiB) {
    for (int i = 0; i < kBetweenLooks; ++i) REQUIRE(kit.heap.allocate(kit.node) != nullptr);
    REQUIRE(kit.heap.stats().allocated - allocated < 16 * 2 * 10 * kMiB + 8 * kMiB);
  }
}

TEST_CASE("Generational: after a reset nothing passes for old", "[gc][generational]") {
  Kit kit(generational_options());
  {
    const Handle<Node> ballast = make_ballast(kit);
    force_minor(kit);
  }
  REQUIRE_FALSE(kit.heap.reset());
  const Handle<Node> ballast = make_ballast(kit);
  force_minor(kit);
  CHECK(kit.heap.last_collection().live_objects < 100'000 + 200);
  CHECK(verify(kit.heap).ok());
}

TEST_CASE("Generational: stores into objects at random keep a shadow's graph alive",
          "[gc][generational][property]") {
  constexpr std::uint32_t kSlots = 50'000;
  Kit kit(generational_options());
  const Handle<Node> ballast = make_ballast(kit);
  const Handle<RefArray<Node>> table = kit.heap.make(kit.refs, kSlots);
  Random random = random_for("Generational: random stores");
  INFO("seed " << test_seed());
  std::vector<std::uint32_t> numbers(kSlots, 0);
  const std::uint64_t before = kit.heap.stats().collections;
  std::uint64_t minor = 0;
  std::uint64_t seen = before;
  for (std::uint32_t i = 1; kit.heap.stats().collections < before + 12; ++i) {
    const std::uint32_t slot = random.below(kSlots) >> random.below(8);
    Node* node = kit.heap.allocate(kit.node);
    if (node == nullptr) FAIL("exhausted");
    node->header.length = i;
    node->left = (*table)[slot / 2];
    (*table)[slot] = node;
    numbers[slot] = i;
    node->left = nullptr;
    if (kit.heap.stats().collections == seen) continue;
    seen = kit.heap.stats().collections;
    minor += kit.heap.last_collection().minor ? 1 : 0;
    std::uint32_t lost = 0;
    for (std::uint32_t at = 0; at < kSlots; ++at) {
      if (numbers[at] == 0) continue;
      const Result<Node*> node_at = kit.heap.check((*table)[at].ref(), kit.node);
      if (!node_at || (*node_at)->header.length != numbers[at]) ++lost;
    }
    REQUIRE(lost == 0);
  }
  CHECK(minor >= 3);
}

TEST_CASE("Generational: minor collections count damage and follow none of it",
          "[gc][generational][trust]") {
  Random random = random_for("Generational: damage");
  INFO("seed " << test_seed());
  Kit kit(generational_options());
  const Handle<Node> ballast = make_ballast(kit);
  const Handle<RefArray<Node>> array = kit.heap.make(kit.refs, 10'000);
  char* const base = detail::base_of(kit.heap);
  std::uint64_t findings = 0;
  std::uint64_t minor = 0;
  for (int round = 0; round < 60; ++round) {
    for (int i = 0; i < 500; ++i) {
      const auto committed = static_cast<std::uint32_t>(kit.heap.stats().committed);
      const std::uint32_t index = 16 + random.below(committed - 20);
      const auto bits = static_cast<std::uint32_t>(random.next());
      std::memcpy(base + index, &bits, random.between(1, 4));
      if (random.chance(50)) note_store(base + index);
    }
    const std::uint64_t before = kit.heap.stats().collections;
    bool allocated = true;
    while (allocated && kit.heap.stats().collections == before) {
      allocated = kit.heap.allocate(kit.node) != nullptr;
    }
    REQUIRE(allocated);
    minor += kit.heap.last_collection().minor ? 1 : 0;
    findings += kit.heap.last_collection().bad_refs + kit.heap.last_collection().bad_headers;
  }
  CHECK(minor >= 10);
  CHECK(findings > 0);
  REQUIRE_FALSE(kit.heap.reset());
  CHECK(kit.survivors() == 0);
  CHECK(verify(kit.heap).ok());
}

TEST_CASE("Nursery: doubles while minor collections yield less than full ones, then rests",
          "[gc][generational]") {
  Nursery nursery(true);
  REQUIRE(nursery.is_on());
  CHECK(nursery.bytes() == Nursery::kInitialBytes);
  // A full one would free 64 MiB for a million visits: 64 bytes each.
  nursery.note_full(64 * kMiB, kMiB);
  nursery.note_minor(4 * kMiB, 1000);
  CHECK(nursery.bytes() == 4 * kMiB);
  for (const std::uint64_t wanted : {8 * kMiB, 16 * kMiB, 32 * kMiB}) {
    nursery.note_minor(kMiB, kMiB);
    CHECK(nursery.bytes() == wanted);
    CHECK(nursery.is_on());
  }
  // More than half of the room. The rests: one full collection, then two, then four.
  for (const int rest : {1, 2, 4}) {
    while (nursery.is_on()) nursery.note_minor(kMiB, kMiB);
    for (int i = 0; i < rest; ++i) {
      CHECK_FALSE(nursery.is_on());
      nursery.note_full(64 * kMiB, kMiB);
    }
    CHECK(nursery.is_on());
    CHECK(nursery.bytes() == Nursery::kInitialBytes);
  }
  // One that paid, and the next rest is short again.
  nursery.note_minor(4 * kMiB, 1000);
  while (nursery.is_on()) nursery.note_minor(kMiB, kMiB);
  nursery.note_full(64 * kMiB, kMiB);
  CHECK(nursery.is_on());
}

TEST_CASE("Nursery: without generations there is none", "[gc][generational]") {
  Nursery nursery(false);
  nursery.note_full(64 * kMiB, kMiB);
  CHECK_FALSE(nursery.is_on());
}

}  // namespace besom::test
