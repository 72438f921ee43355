/// When the heap collects, grows and gives up. Counts exactly, so the environment is not read.

#include <cstdlib>
#include <string>

#include "tests/gc/kit.hpp"
#include "tests/heap/fault_system.hpp"

namespace besom::test {
namespace {

/// A list of nodes until the heap is exhausted; how many there are.
std::uint64_t fill(Kit& kit, Handle<Node>& list) {
  std::uint64_t count = 0;
  while (Node* node = kit.heap.allocate(kit.node)) {
    node->left = list.get();
    list.set(node);
    ++count;
  }
  return count;
}

std::uint64_t length_of(const Handle<Node>& list) {
  std::uint64_t count = 0;
  for (const Node* node = list.get(); node != nullptr; node = node->left.get()) ++count;
  return count;
}

}  // namespace

TEST_CASE(
    "Limit: with everything live one collection, then heap_limit with the bytes needed, and no "
    "more collections",
    "[gc][policy]") {
  for (const bool fixed : {false, true}) {
    HeapOptions options = exact_options(kMiB);
    if (fixed) options.growth = Growth::fixed();
    Kit kit(options);
    Handle<Node> list(kit.heap, nullptr);
    const std::uint64_t count = fill(kit, list);
    // Not a granule is left unused.
    CHECK(count == kMiB / 16 - 1);
    CHECK(kit.heap.error().code == Errc::heap_limit);
    CHECK(kit.heap.error().bytes == 16);
    CHECK(kit.heap.error().limit == kMiB);
    CHECK(kit.heap.error().message().find("heap_max") != std::string::npos);
    for (int i = 0; i < 5; ++i) {
      const std::uint64_t collections = kit.heap.stats().collections;
      CHECK(kit.heap.allocate(kit.block) == nullptr);
      CHECK(kit.heap.stats().collections == collections);
      CHECK(kit.heap.error().code == Errc::heap_limit);
      CHECK(kit.heap.error().bytes == 64);
    }
    CHECK(length_of(list) == count);
    CHECK(verify(kit.heap).ok());
  }
}

TEST_CASE("Limit: dropping one root makes allocation work again", "[gc][policy]") {
  Kit kit(exact_options(kMiB));
  Handle<Node> one = kit.make_node();
  Handle<Node> list(kit.heap, nullptr);
  const std::uint64_t count = fill(kit, list);
  CHECK(kit.heap.allocate(kit.node) == nullptr);
  one.reset();
  CHECK(kit.heap.allocate(kit.node) != nullptr);
  CHECK(length_of(list) == count);
}

TEST_CASE("Limit: a refused large object leaves room for small ones", "[gc][policy]") {
  Kit kit(exact_options(kMiB));
  const Handle<ByteArray> half = kit.heap.make(kit.bytes, kMiB / 2);
  CHECK_FALSE(kit.heap.make(kit.bytes, kMiB / 2));
  CHECK(kit.heap.error().code == Errc::heap_limit);
  CHECK(kit.heap.error().bytes == kMiB / 2 + 16);
  Handle<Node> list(kit.heap, nullptr);
  CHECK(fill(kit, list) > 30'000);
}

TEST_CASE("Limit: garbage in what little is free causes no storm of collections", "[gc][policy]") {
  Kit kit(exact_options(4 * kMiB));
  Handle<ByteArray> live = kit.heap.make(kit.bytes, 7 * kMiB / 2);
  REQUIRE(live);
  const std::uint64_t before = kit.heap.stats().collections;
  constexpr std::uint64_t kGarbage = 64 * kMiB;
  for (std::uint64_t i = 0; i < kGarbage / 64; ++i) {
    REQUIRE(kit.heap.allocate(kit.block) != nullptr);
  }
  // Half a MiB is free, so 128 collections are needed.
  CHECK(kit.heap.stats().collections - before <= 128 + 20);
}

TEST_CASE("Growth: the heap starts with what was asked for", "[gc][policy]") {
  for (const std::uint64_t initial : {64 * kKiB, kMiB, 5 * kMiB, 64 * kMiB}) {
    HeapOptions options = exact_options();
    options.heap_initial = initial;
    CHECK(Kit(options).heap.stats().capacity == initial);
  }
  CHECK(Kit(exact_options()).heap.stats().capacity == kMiB);
  CHECK(Kit(exact_options(64 * kKiB)).heap.stats().capacity == 64 * kKiB);
}

TEST_CASE("Growth: fixed takes all of heap_max before it collects", "[gc][policy]") {
  HeapOptions options = exact_options(8 * kMiB);
  options.growth = Growth::fixed();
  Kit kit(options);
  Handle<ByteArray> live = kit.heap.make(kit.bytes, 100);
  // The pace would come first: let much be live.
  Handle<Node> list(kit.heap, nullptr);
  for (std::uint64_t i = 0; i < kMiB / 16; ++i) {
    Node* node = kit.heap.allocate(kit.node);
    node->left = list.get();
    list.set(node);
  }
  REQUIRE_FALSE(kit.heap.collect());
  const std::uint64_t collections = kit.heap.stats().collections;
  while (kit.heap.stats().collections == collections) {
    REQUIRE(kit.heap.allocate(kit.block) != nullptr);
  }
  CHECK(kit.heap.last_collection().cause == Cause::full);
  CHECK(kit.heap.stats().capacity == 8 * kMiB);
  CHECK(live);
}

TEST_CASE("Growth: a factor of the live size bounds the capacity", "[gc][policy]") {
  for (const double factor : {1.25, 1.5, 2.0, 4.0}) {
    HeapOptions options = exact_options(256 * kMiB);
    options.growth = Growth::of_live(factor);
    Kit kit(options);
    Handle<Node> list(kit.heap, nullptr);
    constexpr std::uint64_t kLive = 8 * kMiB;
    for (std::uint64_t i = 0; i < kLive / 16; ++i) {
      Node* node = kit.heap.allocate(kit.node);
      REQUIRE(node != nullptr);
      node->left = list.get();
      list.set(node);
    }
    for (std::uint64_t i = 0; i < 64 * kMiB / 64; ++i) {
      REQUIRE(kit.heap.allocate(kit.block) != nullptr);
    }
    const std::uint64_t capacity = kit.heap.stats().capacity;
    INFO(factor << ": " << capacity);
    CHECK(static_cast<double>(capacity) <= factor * 1.13 * static_cast<double>(kLive) + 2e6);
    CHECK(capacity >= kLive);
    CHECK(kit.heap.stats().collections > 0);
  }
}

TEST_CASE("Growth: where no hole fits the heap grows rather than collect again and again",
          "[gc][policy]") {
  Kit kit(exact_options(64 * kMiB));
  Handle<Node> list(kit.heap, nullptr);
  constexpr int kNodes = 300'000;
  for (int i = 0; i < kNodes; ++i) {
    Node* node = kit.heap.allocate(kit.node);
    REQUIRE(node != nullptr);
    if (i % 3 != 0) continue;
    node->left = list.get();
    list.set(node);
    // Two thirds of the nodes are dead, and leave holes of two nodes at most.
    if (i % 300 == 0) REQUIRE(kit.heap.allocate(kit.bytes, 5000) != nullptr);
  }
  // One collection for each quarter of what is live, from 2 MiB on, would be some thirty.
  CHECK(kit.heap.stats().collections < 40);
  CHECK(kit.heap.stats().capacity < 3 * kit.heap.last_collection().live_bytes + 2 * kMiB);
}

TEST_CASE("Growth: in steps of about an eighth, so that system calls stay rare", "[gc][policy]") {
  HeapOptions options = exact_options(256 * kMiB);
  options.growth = Growth::fixed();
  options.system = &FaultSystem::table();
  FaultSystem::reset();
  Kit kit(options);
  Handle<Node> list(kit.heap, nullptr);
  for (std::uint64_t i = 0; i < 128 * kMiB / 16; ++i) {
    Node* node = kit.heap.allocate(kit.node);
    REQUIRE(node != nullptr);
    node->left = list.get();
    list.set(node);
  }
  CHECK(FaultSystem::calls(SystemCall::commit) <= 60);
  CHECK(kit.heap.stats().capacity <= 128 * kMiB * 9 / 8 + 2 * kMiB);
}

TEST_CASE("Pace: with little live the heap collects every 2 MiB, however large it may be",
          "[gc][policy]") {
  HeapOptions options = exact_options();
  options.heap_initial = options.heap_max;
  options.growth = Growth::fixed();
  Kit kit(options);
  for (std::uint64_t i = 0; i < 100 * kMiB / 64; ++i) {
    REQUIRE(kit.heap.allocate(kit.block) != nullptr);
  }
  CHECK(kit.heap.stats().collections >= 40);
  CHECK(kit.heap.stats().collections <= 60);
  CHECK(kit.heap.last_collection().cause == Cause::pace);
}

TEST_CASE("Pace: a program that builds is left alone four times as long as one that is done",
          "[gc][policy]") {
  HeapOptions options = exact_options();
  options.heap_initial = options.heap_max;
  options.growth = Growth::fixed();
  Kit kit(options);
  const Handle<RefArray<Node>> built = kit.heap.make(kit.refs, kMiB / 64);
  for (std::uint32_t i = 0; i < built->length(); ++i) (*built)[i] = kit.heap.allocate(kit.node);
  const auto bytes_to_next = [&] {
    const std::uint64_t before = kit.heap.stats().collections;
    std::uint64_t bytes = 0;
    for (; kit.heap.stats().collections == before; bytes += 64) {
      REQUIRE(kit.heap.allocate(kit.block) != nullptr);
    }
    return bytes;
  };
  REQUIRE_FALSE(kit.heap.collect());
  const std::uint64_t building = bytes_to_next();
  const std::uint64_t done = bytes_to_next();
  CHECK(building > 3 * done);
  CHECK(building < 5 * done);
}

TEST_CASE("Steady state: 20 million allocations leave the capacity as it is", "[gc][policy]") {
  Kit kit(exact_options());
  const std::uint32_t scale = kUnderSanitizer ? 10 : 1;
  constexpr std::uint32_t kLive = 1000;
  Handle<RefArray<Node>> live = kit.heap.make(kit.refs, kLive);
  const auto run = [&](std::uint32_t count) {
    for (std::uint32_t i = 0; i < count; ++i) {
      Node* node = kit.heap.allocate(kit.node);
      if (node == nullptr) return false;
      (*live)[i % kLive] = node;
    }
    return true;
  };
  REQUIRE(run(1'000'000 / scale));
  const std::uint64_t capacity = kit.heap.stats().capacity;
  REQUIRE(run(20'000'000 / scale));
  CHECK(kit.heap.stats().capacity == capacity);
  CHECK(kit.survivors() == kLive + 1);
}

TEST_CASE(
    "Refused memory: collect, a smaller step, then commit_failed; nothing changed; "
    "growth works once the limit is lifted",
    "[gc][policy][faults]") {
  HeapOptions options = exact_options(16 * kMiB);
  options.system = &FaultSystem::table();
  Kit kit(options);
  Handle<Node> list(kit.heap, nullptr);
  FaultSystem::fail(SystemCall::commit, 1, true);
  const std::uint64_t count = fill(kit, list);
  CHECK(count == kMiB / 16 - 1);
  CHECK(kit.heap.error().code == Errc::commit_failed);
  CHECK(kit.heap.error().system_errno == ENOMEM);
  CHECK(kit.heap.error().bytes >= 16);
  for (int i = 0; i < 3; ++i) {
    const std::uint64_t collections = kit.heap.stats().collections;
    CHECK(kit.heap.allocate(kit.node) == nullptr);
    CHECK(kit.heap.error().code == Errc::commit_failed);
    CHECK(kit.heap.stats().collections <= collections + 1);
    CHECK(kit.heap.stats().capacity == kMiB);
    CHECK(length_of(list) == count);
  }
  CHECK(verify(kit.heap).ok());
  // One refusal only: the smaller step is tried and succeeds.
  FaultSystem::fail(SystemCall::commit, 1, false);
  CHECK(kit.heap.allocate(kit.node) != nullptr);
  CHECK(kit.heap.stats().capacity == kMiB + 4096);
  FaultSystem::lift();
  CHECK(fill(kit, list) + count >= 16 * kMiB / 16 - 3);
  CHECK(kit.heap.error().code == Errc::heap_limit);
}

TEST_CASE("Refused memory: garbage is used up before the refusal counts", "[gc][policy][faults]") {
  HeapOptions options = exact_options(16 * kMiB);
  options.system = &FaultSystem::table();
  Kit kit(options);
  FaultSystem::fail(SystemCall::commit, 1, true);
  for (int i = 0; i < 1'000'000; ++i) REQUIRE(kit.heap.allocate(kit.node) != nullptr);
  CHECK(kit.heap.stats().capacity == kMiB);
  FaultSystem::lift();
}

namespace {

/// What a program sees of its heap: every index and every collection, as one number.
std::uint64_t trace_of_run(const HeapOptions& options, std::uint64_t seed) {
  Kit kit(options);
  Random random(seed);
  Handle<RefArray<Node>> live = kit.heap.make(kit.refs, 500);
  std::uint64_t hash = 14695981039346656037u;
  const auto mix = [&](std::uint64_t number) { hash = (hash ^ number) * 1099511628211u; };
  for (int i = 0; i < 200'000 / (kUnderSanitizer ? 4 : 1); ++i) {
    if (random.chance(5)) {
      const auto* bytes = kit.heap.allocate(kit.bytes, random.below(3000));
      REQUIRE(bytes != nullptr);
      mix(Ref<ByteArray>(bytes).index());
      continue;
    }
    Node* node = kit.heap.allocate(kit.node);
    REQUIRE(node != nullptr);
    const std::uint32_t at = random.below(500);
    if (random.chance(50)) node->left = (*live)[at];
    if (random.chance(30)) (*live)[at] = node;
    if (random.chance(20)) (*live)[random.below(500)] = nullptr;
    mix(Ref<Node>(node).index());
    mix(kit.heap.stats().collections);
  }
  REQUIRE_FALSE(kit.heap.collect());
  mix(kit.heap.last_collection().live_bytes);
  mix(kit.heap.last_collection().holes);
  return hash;
}

}  // namespace

TEST_CASE("P8: the same program and seed give the same indices and collections", "[gc][policy]") {
  const std::uint64_t seed = random_for("P8").next();
  HeapOptions zeal = exact_options(4 * kMiB);
  zeal.zeal = {64, false, false};
  HeapOptions fixed = exact_options(4 * kMiB);
  fixed.growth = Growth::fixed();
  for (const HeapOptions& options : {exact_options(), exact_options(2 * kMiB), fixed, zeal}) {
    const std::uint64_t first = trace_of_run(options, seed);
    // What else the process holds must not matter.
    const Kit other(any_options());
    CHECK(trace_of_run(options, seed) == first);
    CHECK(trace_of_run(options, seed + 1) != first);
  }
}

TEST_CASE("Environment: BESOM_OPTIONS overrides what the program sets", "[gc][policy]") {
  const char* old = std::getenv("BESOM_OPTIONS");
  const std::string saved = old != nullptr ? old : "";
  HeapOptions options = exact_options();
  setenv("BESOM_OPTIONS", "heap_max=2M,growth=fixed", 1);
  CHECK(make_heap(options)->options().heap_max == options.heap_max);
  options.read_environment = true;
  CHECK(make_heap(options)->options().heap_max == 2 * kMiB);
  CHECK(make_heap(options)->options().growth.factor == 0);
  setenv("BESOM_OPTIONS", "", 1);
  CHECK(make_heap(options)->options().heap_max == options.heap_max);
  for (const char* wrong : {"heap_max=1K", "heap_max=x", "nonsense", "growth=0.5"}) {
    setenv("BESOM_OPTIONS", wrong, 1);
    const Result<HeapPtr> heap = Heap::create(options);
    CHECK_FALSE(heap);
    CHECK(heap.error().code == Errc::bad_option);
  }
  setenv("BESOM_OPTIONS", "heap_limit=1M", 1);
  CHECK(Heap::create(options).error().message().find("`heap_limit`") != std::string::npos);
  if (old != nullptr) {
    setenv("BESOM_OPTIONS", saved.c_str(), 1);
  } else {
    unsetenv("BESOM_OPTIONS");
  }
}

TEST_CASE("Options: senseless ones create no heap", "[gc][policy][misuse]") {
  MisuseTable table("heaps of senseless options");
  for (const std::uint64_t heap_max : {std::uint64_t{0}, std::uint64_t{1}, 64 * kKiB - 1,
                                       HeapOptions::kMaxHeap + 1, ~std::uint64_t{0}}) {
    const Result<HeapPtr> heap = Heap::create(exact_options(heap_max));
    CHECK_FALSE(heap);
    CHECK(heap.error().code == Errc::bad_option);
    table.row();
  }
}

}  // namespace besom::test
