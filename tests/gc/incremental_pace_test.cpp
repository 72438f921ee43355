/// How much of a cycle each allocation does: no stop is long, and no memory waits for long. Work is
/// counted in units, so that it is the same on every machine.

#include <algorithm>
#include <numeric>
#include <vector>

#include "tests/gc/kit.hpp"

namespace besom::test {
namespace {

HeapOptions paced_options(std::uint64_t heap_max = 256 * kMiB) {
  HeapOptions options = exact_options(heap_max);
  options.incremental = true;
  return options;
}

/// An object that counts as holding memory outside.
struct Outside {
  static constexpr bool kReleased = true;
  static constexpr std::uint64_t kBytes = 64 * kKiB;
  static inline Heap* heap = nullptr;
  Header header;
  std::uint64_t unused[2];
  static TypeDescriptor type() {
    return {.name = "Outside", .size = sizeof(Outside), .release = [](void*, void*, std::uint32_t) {
              REQUIRE_FALSE(heap->remove_external(kBytes));
            }};
  }
};

/// The cause of each collection, and whether one stop did all of it.
struct Seen {
  std::uint64_t whole = 0;
  std::uint64_t cycles = 0;
};
Seen seen_by(const Heap& heap) {
  return {heap.stops(StopKind::full).count, heap.stops(StopKind::end).count};
}

}  // namespace

TEST_CASE(
    "Incremental pace: a heap that grows does so by cycles, and stops for no whole collection",
    "[gc][incremental][pace]") {
  Kit kit(paced_options());
  Handle<Node> list = kit.make_node();
  constexpr int kNodes = Zeal::kBuiltIn ? 300'000 : 1'000'000;
  for (int i = 0; i < kNodes; ++i) {
    Node* node = kit.heap.allocate(kit.node);
    if (node == nullptr) FAIL(kit.heap.error().message());
    node->left = list.get();
    list.set(node);
  }
  const Seen seen = seen_by(kit.heap);
  CHECK(seen.whole == 0);
  CHECK(seen.cycles >= (Zeal::kBuiltIn ? 1 : 3));
  // A cycle that one stop ended would have a handful.
  CHECK(kit.heap.stops(StopKind::slice).count >= 100 * seen.cycles);
}

TEST_CASE("Incremental pace: large objects are marked for as fast as they are allocated",
          "[gc][incremental][pace]") {
  const auto most_taken = [](bool incremental) {
    HeapOptions options = paced_options();
    options.incremental = incremental;
    Kit kit(options);
    std::vector<Handle<RefArray<Node>>> kept(60);
    std::uint64_t most = 0;
    for (std::uint32_t i = 0; i < 3000; ++i) {
      kept[i % 60] = kit.heap.make(kit.refs, 250'000 / 4);
      most = std::max(most, kit.heap.stats().capacity);
    }
    const Seen seen = seen_by(kit.heap);
    CHECK((incremental ? seen.cycles : seen.whole) >= 10);
    CHECK((incremental ? seen.whole : seen.cycles) == 0);
    return most;
  };
  CHECK(most_taken(true) <= most_taken(false) * 3 / 2);
}

TEST_CASE("Incremental pace: at heap_max, too, marking ends before the room does",
          "[gc][incremental][pace]") {
  HeapOptions options = paced_options(32 * kMiB);
  options.slice = 100;
  Kit kit(options);
  // Two thirds of it live, and what a cycle keeps though it died takes room from the next.
  const auto count = static_cast<std::uint32_t>(options.heap_max / 20 * 11 / sizeof(Node));
  const Handle<RefArray<Node>> table = kit.heap.make(kit.refs, count);
  for (std::uint32_t i = 0; i < count; ++i) (*table)[i] = kit.heap.allocate(kit.node);
  std::vector<std::uint64_t> slices;
  Seen seen = seen_by(kit.heap);
  std::uint64_t whole = 0;
  for (std::uint32_t i = 0; slices.size() < (Zeal::kBuiltIn ? 6 : 12); ++i) {
    Node* node = kit.heap.allocate(kit.node);
    REQUIRE(node != nullptr);
    if (i % 10 == 0) (*table)[i * 7919 % count] = node;
    if (seen_by(kit.heap).cycles == seen.cycles) continue;
    seen = seen_by(kit.heap);
    slices.push_back(kit.heap.stops(StopKind::slice).count);
    if (slices.size() == 2) whole = seen.whole;
  }
  CHECK(seen.whole == whole);
  std::adjacent_difference(slices.begin(), slices.end(), slices.begin());
  // The first two began while the table was filled.
  const auto [least, most] = std::minmax_element(slices.begin() + 2, slices.end());
  // A cycle that one stop ended would have less than half as many.
  CHECK(*least >= *most * 3 / 5);
}

TEST_CASE("Incremental pace: bytes outside bring a cycle to its end as if they were objects",
          "[gc][incremental][pace][external]") {
  for (const std::uint32_t live : {0u, 200'000u}) {
    Kit kit(paced_options());
    Outside::heap = &kit.heap;
    const Type<Outside> outside = kit.defined<Outside>();
    Handle<Node> list = kit.make_node();
    for (std::uint32_t i = 0; i < live; ++i) {
      Node* node = kit.heap.allocate(kit.node);
      node->left = list.get();
      list.set(node);
    }
    REQUIRE_FALSE(kit.heap.collect());
    std::uint64_t most = 0;
    for (int i = 0; i < 20'000; ++i) {
      REQUIRE(kit.heap.allocate(outside) != nullptr);
      REQUIRE_FALSE(kit.heap.add_external(Outside::kBytes));
      most = std::max(most, kit.heap.stats().external);
    }
    INFO("live: " << live);
    // 20'000 of them have 1.2 GiB.
    CHECK(most <= 4 * kMiB + live * 100);
    CHECK(seen_by(kit.heap).cycles >= 10);
    CHECK(kit.heap.last_collection().cause == Cause::external);
  }
}

TEST_CASE("Incremental pace: step() knows what is left after a collection at once, too",
          "[gc][incremental][pace]") {
  Kit kit(paced_options());
  Handle<Node> list = kit.make_node();
  constexpr std::uint64_t kNodes = 100'000;
  for (std::uint64_t i = 1; i < kNodes; ++i) {
    Node* node = kit.heap.allocate(kit.node);
    node->left = list.get();
    list.set(node);
  }
  REQUIRE_FALSE(kit.heap.collect());
  REQUIRE(kit.heap.allocate(kit.node));
  Result<std::uint64_t> left = kit.heap.step(1);
  // A unit for each node and each of its two slots.
  constexpr std::uint64_t kAll = 3 * kNodes;
  std::uint64_t done = 0;
  for (; left && *left != 0; left = kit.heap.step(1000), done += 1000) {
    if (done <= kAll * 9 / 10) {
      REQUIRE(*left + done >= kAll * 9 / 10);
      REQUIRE(*left + done <= kAll * 11 / 10);
    }
  }
  REQUIRE(left);
  CHECK(done >= kAll * 9 / 10);
}

}  // namespace besom::test
