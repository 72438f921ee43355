/// What a collection left to allocation to sweep: to all who look it is gone already.

#include <algorithm>
#include <set>
#include <vector>

#include "tests/gc/kit.hpp"

namespace besom::test {
namespace {

/// Random blobs in a table of roots, up to so many collections that allocation has begun.
class Churn {
 public:
  Churn(Kit& kit, Random& random) : kit_(kit), random_(random), live_(3000) {}

  void replace_until(std::uint64_t collections) {
    while (kit_.heap.stats().collections < collections) replace();
  }
  void replace() {
    const std::uint32_t length = random_.below(random_.chance(2) ? 20'000 : 300);
    Handle<ByteArray>& slot = live_[random_.below(static_cast<std::uint32_t>(live_.size()))];
    if (slot) dead_.push_back(slot.ref());
    slot = kit_.heap.make(kit_.bytes, length);
    REQUIRE(slot);
    for (std::uint32_t i = 0; i < length; ++i) {
      if (slot->data()[i] != 0) FAIL("not zeroed: byte " << i << " of " << length);
    }
    std::memset(slot->data(), 0xab, length);
  }
  [[nodiscard]] std::set<std::uint32_t> live() const {
    std::set<std::uint32_t> indexes;
    for (const Handle<ByteArray>& handle : live_) {
      if (handle) indexes.insert(handle.ref().index());
    }
    return indexes;
  }
  /// What was dropped since it was called last.
  [[nodiscard]] std::vector<Ref<ByteArray>> take_dead() { return std::exchange(dead_, {}); }

 private:
  Kit& kit_;
  Random& random_;
  std::vector<Handle<ByteArray>> live_;
  std::vector<Ref<ByteArray>> dead_;
};

std::set<std::uint32_t> all_objects(Heap& heap) {
  std::set<std::uint32_t> indexes;
  REQUIRE_FALSE(each_object(
      heap,
      [](void* set, const ObjectView& object) {
        static_cast<std::set<std::uint32_t>*>(set)->insert(object.ref.index());
      },
      &indexes));
  return indexes;
}

}  // namespace

TEST_CASE("Lazy sweep: what a collection found dead is no object from then on",
          "[gc][sweep][property]") {
  Random random = random_for("Lazy sweep");
  INFO("seed " << test_seed());
  Kit kit(exact_options());
  Churn churn(kit, random);
  for (std::uint64_t collection = 1; collection <= 40; ++collection) {
    static_cast<void>(churn.take_dead());
    churn.replace_until(collection);
    // The last one had its root still when the collection began.
    std::vector<Ref<ByteArray>> dead = churn.take_dead();
    if (!dead.empty()) dead.pop_back();
    std::set<std::uint32_t> live = churn.live();
    for (const Ref<ByteArray> ref : dead) {
      if (live.count(ref.index()) == 0) REQUIRE_FALSE(kit.lives(ref));
    }
    for (std::uint32_t steps = random.below(1000); steps != 0; --steps) churn.replace();
    live = churn.live();
    const std::set<std::uint32_t> objects = all_objects(kit.heap);
    CHECK(std::includes(objects.begin(), objects.end(), live.begin(), live.end()));
    for (const Ref<ByteArray> ref : dead) {
      const bool is_there = objects.count(ref.index()) != 0;
      REQUIRE(kit.lives(ref) == is_there);
    }
    const VerifyReport report = verify(kit.heap);
    CHECK(report.ok());
    CHECK(report.objects == objects.size());
    CHECK(census(kit.heap)->objects() == objects.size());
  }
}

TEST_CASE("Lazy sweep: live bytes and dead objects are what a walk finds", "[gc][sweep][stats]") {
  Random random = random_for("Lazy sweep: accounts");
  INFO("seed " << test_seed());
  Kit kit(exact_options());
  Churn churn(kit, random);
  std::uint64_t allocated = 0;
  for (std::uint64_t collection = 1; collection <= 20; ++collection) {
    churn.replace_until(collection);
    const CollectionStats at_once = kit.heap.last_collection();
    for (std::uint32_t i = random.below(3000); i != 0; --i) churn.replace();
    if (kit.heap.stats().collections != collection) continue;
    // However far the sweep has come.
    CHECK(kit.heap.last_collection().freed_objects == at_once.freed_objects);
    const std::uint64_t live = kit.heap.last_collection().live_objects;
    const HeapStats stats = kit.heap.stats();
    CHECK(stats.allocated >= allocated);
    allocated = stats.allocated;
    REQUIRE_FALSE(kit.heap.collect());
    CHECK(kit.heap.stats().used == kit.heap.last_collection().live_bytes);
    CHECK(kit.heap.last_collection().live_objects <= live + 3001);
    collection = kit.heap.stats().collections;
  }
}

TEST_CASE("Lazy sweep: who hears of a collection gets nothing of what it left", "[gc][sweep]") {
  Random random = random_for("Lazy sweep: listener");
  INFO("seed " << test_seed());
  Kit kit(exact_options());
  Churn churn(kit, random);
  struct Asked {
    Kit& of;
    int got = 0;
    int refused = 0;
  } asked{kit};
  REQUIRE_FALSE(kit.heap.set_listener(
      [](void* user, const CollectionStats&) {
        auto& [of, got, refused] = *static_cast<Asked*>(user);
        const bool any = of.heap.allocate(of.node) != nullptr ||
                         of.heap.allocate(of.bytes, 100) != nullptr ||
                         of.heap.allocate(of.bytes.id, 40) != nullptr;
        got += any ? 1 : 0;
        refused += of.heap.error().code == Errc::reentrant ? 1 : 0;
      },
      &asked));
  churn.replace_until(10);
  CHECK(asked.got == 0);
  CHECK(asked.refused == 10);
  REQUIRE_FALSE(kit.heap.set_listener(nullptr, nullptr));
}

TEST_CASE("Lazy sweep: a large request sweeps what it needs, wherever that lies", "[gc][sweep]") {
  HeapOptions options = exact_options(16 * kMiB);
  options.growth = Growth::fixed();
  Kit kit(options);
  for (int round = 0; round < 20; ++round) {
    {
      std::vector<Handle<ByteArray>> filling;
      while (Handle<ByteArray> blob = kit.heap.make(kit.bytes, 100'000)) {
        filling.push_back(std::move(blob));
      }
      REQUIRE(filling.size() > 150);
    }
    // All dead, none collected yet: the next collection leaves them to the requests after it.
    for (int i = 0; i < 15; ++i) {
      const Handle<ByteArray> large = kit.heap.make(kit.bytes, kMiB);
      REQUIRE(large);
      REQUIRE(
          std::all_of(large->data(), large->data() + kMiB, [](auto byte) { return byte == 0; }));
    }
    CHECK(verify(kit.heap).ok());
  }
}

TEST_CASE("Lazy sweep: a collection that allocation began counts no holes, one asked for does",
          "[gc][sweep]") {
  for (const bool generational : {false, true}) {
    HeapOptions options = exact_options();
    options.generational = generational;
    Kit kit(options);
    const Handle<RefArray<Node>> kept = kit.heap.make(kit.refs, 3000);
    for (std::uint32_t i = 0; kit.heap.stats().collections == 0; ++i) {
      Node* node = kit.heap.allocate(kit.node);
      REQUIRE(node != nullptr);
      if (i % 40 == 0 && i / 40 < 3000) (*kept)[i / 40] = node;
    }
    REQUIRE(kit.heap.last_collection().cause != Cause::requested);
    CHECK((kit.heap.last_collection().holes > 500) == generational);
    REQUIRE_FALSE(kit.heap.collect());
    CHECK(kit.heap.last_collection().holes > 500);
  }
}

TEST_CASE("Lazy sweep: who reads after external bytes fell due puts no collection off",
          "[gc][sweep][external][observers]") {
  Random seeds = random_for("Lazy sweep: external bytes");
  INFO("seed " << test_seed());
  for (int round = 0; round < (kUnderSanitizer || Zeal::kBuiltIn ? 15 : 60); ++round) {
    const std::uint64_t seed = seeds.next();
    // What each step of a heap gave: where the object lies, and how many collections there were.
    std::vector<std::pair<std::uint32_t, std::uint64_t>> steps[2];
    for (const bool reads : {false, true}) {
      Kit kit(exact_options(kMiB));
      Random random(seed);
      std::vector<Handle<ByteArray>> live;
      for (int step = 0; step < 6000; ++step) {
        Handle<ByteArray> object = kit.heap.make(kit.bytes, random.between(8, 308));
        REQUIRE(object);
        steps[reads].emplace_back(object.ref().index(), kit.heap.stats().collections);
        if (random.chance(5)) live.push_back(std::move(object));
        if (random.chance(3) && !live.empty()) {
          live.erase(live.begin() + random.below(static_cast<std::uint32_t>(live.size())));
        }
        if (random.below(200) == 0) REQUIRE_FALSE(kit.heap.add_external(random.below(2 * kMiB)));
        if (random.chance(3) && reads) static_cast<void>(all_objects(kit.heap));
      }
    }
    CHECK(steps[0] == steps[1]);
  }
}

TEST_CASE("Lazy sweep: an incremental heap finds the hole that is left, wherever it lies",
          "[gc][sweep][incremental]") {
  HeapOptions options = exact_options(16 * kMiB);
  options.growth = Growth::fixed();
  options.heap_initial = options.heap_max;
  options.incremental = true;
  Kit kit(options);
  const std::uint32_t count = 12 * kMiB / sizeof(Node);
  Handle<RefArray<Node>> all = kit.heap.make(kit.refs, count);
  std::uint32_t made = 0;
  // No hole of 4 KiB but one, below the last objects.
  while (made < count && kit.heap.stats().used < options.heap_max - 64 * kKiB) {
    (*all)[made++] = kit.heap.allocate(kit.node);
  }
  for (std::uint32_t i = 0; i < made; ++i) {
    const std::uint32_t from_end = made - i;
    const bool is_in_hole = from_end > 2000 && from_end < 2000 + 64 * kKiB / sizeof(Node);
    if (is_in_hole || i % 50 == 0) (*all)[i] = nullptr;
  }
  const std::uint64_t before = kit.heap.last_collection().number;
  REQUIRE(kit.heap.allocate(kit.bytes, 20 * kKiB) != nullptr);
  while (kit.heap.last_collection().number == before) REQUIRE(kit.heap.step(100'000));
  const auto collections = [&kit] {
    return kit.heap.stops(StopKind::begin).count + kit.heap.stops(StopKind::full).count;
  };
  const std::uint64_t seen = collections();
  // What is at hand at the end goes first.
  Handle<ByteArray> last;
  for (int i = 0; i < 5; ++i) {
    last = kit.heap.make(kit.bytes, 20 * kKiB);
    REQUIRE(last);
    CHECK(collections() == seen);  // no other is needed
  }
  CHECK(verify(kit.heap).ok());
}

}  // namespace besom::test
