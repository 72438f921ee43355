/// For how long the program stood still, and what was left to it.

#include "gc/stops.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "tests/gc/kit.hpp"
#include "tests/support/random.hpp"

namespace besom::test {
namespace {

using detail::Stops;

constexpr std::uint64_t kMs = 1'000'000;

struct Stop {
  std::uint64_t begin;
  std::uint64_t end;
};

/// All spans that end where a stop ends, stop by stop.
double utilisation_of(const std::vector<Stop>& stops, std::uint64_t span) {
  std::uint64_t worst = 0;
  for (const Stop& last : stops) {
    const std::uint64_t from = last.end - std::min(last.end, span);
    std::uint64_t stopped = 0;
    for (const Stop& stop : stops) {
      if (stop.end > last.end || stop.end <= from) continue;
      stopped += stop.end - std::max(stop.begin, from);
    }
    worst = std::max(worst, stopped);
  }
  return 1 - static_cast<double>(worst) / static_cast<double>(span);
}

}  // namespace

TEST_CASE("Stops: no stop leaves all of the time to the program", "[gc][stops]") {
  Stops stops;
  CHECK(stops.utilisation().in_1_ms == 1);
  CHECK(stops.utilisation().in_50_ms == 1);
  CHECK(stops.of(StopKind::full).count == 0);
}

TEST_CASE("Stops: a stop is counted by its kind and its length", "[gc][stops]") {
  Stops stops;
  stops.add(StopKind::slice, 0, 999);
  stops.add(StopKind::slice, 2000, 2000 + 1000);
  stops.add(StopKind::slice, 10'000, 10'000 + 5'500);
  stops.add(StopKind::full, kMs, kMs + 5'000'000'000'000);
  const StopStats& slices = stops.of(StopKind::slice);
  CHECK(slices.count == 3);
  CHECK(slices.total_ns == 7499);
  CHECK(slices.longest_ns == 5500);
  CHECK(slices.lengths[0] == 1);
  CHECK(slices.lengths[1] == 1);
  CHECK(slices.lengths[3] == 1);
  CHECK(stops.of(StopKind::full).lengths[StopStats::kLengths - 1] == 1);
  CHECK(stops.of(StopKind::minor).count == 0);
  CHECK(stops.longest_ns() == 5'000'000'000'000);
}

TEST_CASE("Stops: a stop as long as the span leaves nothing of it", "[gc][stops]") {
  Stops stops;
  stops.add(StopKind::full, 100 * kMs, 105 * kMs);
  const Utilisation found = stops.utilisation();
  CHECK(found.in_1_ms == 0);
  CHECK(found.in_5_ms == 0);
  CHECK(found.in_10_ms == 0.5);
  CHECK(found.in_50_ms == 0.9);
}

TEST_CASE("Stops: utilisation is that of the worst span, as a count of all spans finds it",
          "[gc][stops][model]") {
  Random random = random_for("Stops");
  for (int round = 0; round < 20; ++round) {
    Stops stops;
    std::vector<Stop> all;
    std::uint64_t now = random.below(1000);
    const std::uint32_t longest = random.chance(50) ? 20'000 : 3'000'000;
    const std::uint32_t gap = random.chance(50) ? 20'000 : 3'000'000;
    for (int i = 0; i < 1500; ++i) {
      const std::uint64_t begin = now + random.below(gap);
      now = begin + random.below(longest);
      stops.add(static_cast<StopKind>(random.below(5)), begin, now);
      all.push_back({begin, now});
    }
    const Utilisation found = stops.utilisation();
    // Stops that share an entry are spread over its 50 us and what the last of them takes.
    const auto near = [&](double value, std::uint64_t span) {
      const double slack =
          static_cast<double>(std::min(longest, 50'000u)) / static_cast<double>(span);
      CHECK(value <= std::max(utilisation_of(all, span), 0.0) + slack);
      CHECK(value >= std::max(utilisation_of(all, span), 0.0) - slack);
    };
    near(found.in_1_ms, kMs);
    near(found.in_5_ms, 5 * kMs);
    near(found.in_10_ms, 10 * kMs);
    near(found.in_50_ms, 50 * kMs);
  }
}

TEST_CASE("Stops: a heap counts its collections, and a cycle's beginning, slices and end",
          "[gc][stops]") {
  HeapOptions options = exact_options(64 * kMiB);
  options.incremental = true;
  options.slice = 1;
  Kit kit(options);
  Handle<Node> list = kit.make_node();
  for (int i = 0; i < 1000; ++i) {
    Node* node = kit.heap.allocate(kit.node);
    node->left = list.get();
    list.set(node);
  }
  REQUIRE(kit.heap.stats().collections == 0);
  REQUIRE(kit.heap.step(1));
  const Handle<ByteArray> born = kit.heap.make(kit.bytes, 1000);
  std::uint64_t slices = 0;
  while (*kit.heap.step(1) != 0) ++slices;
  REQUIRE(slices > 100);
  CHECK(kit.heap.stops(StopKind::begin).count == 1);
  CHECK(kit.heap.stops(StopKind::slice).count == slices + 1);
  CHECK(kit.heap.stops(StopKind::end).count == 1);
  CHECK(kit.heap.stops(StopKind::full).count == 0);
  CHECK(kit.heap.last_collection().born_bytes >= 1008);

  REQUIRE_FALSE(kit.heap.collect());
  CHECK(kit.heap.stops(StopKind::full).count == 1);
  CHECK(kit.heap.last_collection().born_bytes == 0);
  std::uint64_t total = 0;
  std::uint64_t longest = 0;
  for (const StopKind kind :
       {StopKind::full, StopKind::minor, StopKind::begin, StopKind::slice, StopKind::end}) {
    total += kit.heap.stops(kind).total_ns;
    longest = std::max(longest, kit.heap.stops(kind).longest_ns);
  }
  CHECK(total == kit.heap.stats().pause_ns);
  CHECK(longest == kit.heap.stats().pause_max_ns);
  const Utilisation found = kit.heap.utilisation();
  CHECK(found.in_50_ms < 1);
  CHECK(found.in_50_ms >= 1 - static_cast<double>(total) / (50 * kMs));
}

}  // namespace besom::test
