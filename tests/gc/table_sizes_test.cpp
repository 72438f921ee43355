/// How much memory and time tables take: after their entries have gone, under chosen keys, over a
/// long life.

#include <algorithm>
#include <chrono>
#include <map>
#include <vector>

#include "tests/gc/generational_kit.hpp"
#include "tests/gc/weak_kit.hpp"

namespace besom::test {
namespace {

constexpr std::uint32_t kMany = kUnderSanitizer || Zeal::kBuiltIn ? 5'000 : 100'000;

HeapOptions seeded_options(std::uint64_t hash_seed) {
  HeapOptions options = exact_options();
  options.hash_seed = hash_seed;
  return options;
}

/// Fills the table with `count` keys that live as long as the result does.
std::vector<Handle<Node>> fill(WeakKit& kit, WeakKeyTable& table, std::uint32_t count) {
  std::vector<Handle<Node>> keys;
  for (std::uint32_t i = 0; i < count; ++i) {
    keys.push_back(kit.make_node());
    REQUIRE_FALSE(table.put(kit.heap, WeakKit::value_of(keys.back().get()),
                            Value::integer(static_cast<std::int32_t>(i))));
  }
  return keys;
}

std::vector<std::int32_t> order_of(WeakKit& kit, const WeakKeyTable& table) {
  std::vector<std::int32_t> keys;
  table.each(kit.heap, [&](Value key, Value) { keys.push_back(key.as_integer()); });
  return keys;
}

double seconds_of(auto work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

TEST_CASE("Table sizes: one whose keys have died is small after the next collection",
          "[gc][weak][tables]") {
  WeakKit kit(exact_options());
  const Handle<WeakKeyTable> table = kit.make_key_table();
  REQUIRE_FALSE(kit.heap.collect());
  const std::uint64_t before = kit.heap.last_collection().live_bytes;
  {
    const std::vector<Handle<Node>> keys = fill(kit, *table, kMany);
    CHECK(table->capacity(kit.heap) > kMany);
    CHECK(kit.survivors() == kMany + 2);
  }
  REQUIRE_FALSE(kit.heap.collect());
  CHECK(table->capacity(kit.heap) == 8);
  const CollectionStats& last = kit.heap.last_collection();
  CHECK(last.freed_objects == kMany);
  CHECK(last.live_bytes < before + 256);
  CHECK(last.live_objects == 2);
  CHECK(last.entries_broken == kMany);
  CHECK(verify(kit.heap).ok());
  CHECK(kit.survivors() == 2);
  // It grows again as it did.
  const std::vector<Handle<Node>> keys = fill(kit, *table, kMany);
  CHECK(table->size(kit.heap) == kMany);
  CHECK(kit.survivors() == kMany + 2);
}

TEST_CASE("Table sizes: what is left in one that was large is found again", "[gc][weak][tables]") {
  for (const bool generational : {false, true}) {
    HeapOptions options = exact_options();
    options.generational = generational;
    WeakKit kit(options);
    const Handle<WeakKeyTable> table = kit.make_key_table();
    std::vector<Handle<Node>> keys = fill(kit, *table, 4000);
    const std::uint32_t capacity = table->capacity(kit.heap);
    std::uint32_t left = 4000;
    for (const std::uint32_t part : {2u, 3u, 7u, 61u}) {
      left = 0;
      for (std::uint32_t i = 0; i < 4000; ++i) {
        if (i % part != 0) keys[i].reset();
        if (keys[i]) ++left;
      }
      REQUIRE_FALSE(kit.heap.collect());
      CHECK(table->size(kit.heap) == left);
      for (std::uint32_t i = 0; i < 4000; ++i) {
        if (!keys[i]) continue;
        REQUIRE(table->get(kit.heap, WeakKit::value_of(keys[i].get())) ==
                Value::integer(static_cast<std::int32_t>(i)));
      }
      CHECK(verify(kit.heap).ok());
    }
    CHECK(table->capacity(kit.heap) >= 2 * (left + 1));
    CHECK(table->capacity(kit.heap) < capacity / 8);
    CHECK(kit.heap.last_collection().live_objects == left + 2);
  }
}

TEST_CASE("Table sizes: weak values and removed keys make a table small, too",
          "[gc][weak][tables]") {
  WeakKit kit(exact_options());
  const Handle<WeakValueTable> values = kit.make_value_table();
  const Handle<WeakKeyTable> keys = kit.make_key_table();
  for (int i = 0; i < 2000; ++i) {
    REQUIRE_FALSE(
        values->put(kit.heap, Value::integer(i), WeakKit::value_of(kit.heap.allocate(kit.node))));
    REQUIRE_FALSE(keys->put(kit.heap, Value::integer(i), Value::integer(i)));
  }
  for (int i = 5; i < 2000; ++i) REQUIRE(keys->remove(kit.heap, Value::integer(i)));
  REQUIRE_FALSE(kit.heap.collect());
  CHECK(values->capacity(kit.heap) == 8);
  CHECK(keys->capacity(kit.heap) == 16);
  for (int i = 0; i < 5; ++i) CHECK(keys->get(kit.heap, Value::integer(i)) == Value::integer(i));
}

TEST_CASE("Table sizes: a walk goes on over all entries while collections run",
          "[gc][weak][tables]") {
  WeakKit kit(exact_options());
  const Handle<WeakKeyTable> table = kit.make_key_table();
  for (int i = 0; i < 2000; ++i) {
    REQUIRE_FALSE(table->put(kit.heap, Value::integer(i), Value::integer(i)));
  }
  std::map<int, int> seen;
  table->each(kit.heap, [&](Value key, Value) {
    ++seen[key.as_integer()];
    REQUIRE(table->remove(kit.heap, key));
    if (seen.size() % 50 == 0) REQUIRE_FALSE(kit.heap.collect());
  });
  CHECK(seen.size() == 2000);
  for (const auto& [key, times] : seen) REQUIRE(times == 1);
  CHECK(table->capacity(kit.heap) > 2000);
  REQUIRE_FALSE(kit.heap.collect());
  CHECK(table->capacity(kit.heap) == 8);
}

TEST_CASE("Table sizes: keys that come and go need no new array", "[gc][weak][tables]") {
  WeakKit kit(exact_options());
  const Handle<WeakKeyTable> table = kit.make_key_table();
  const std::vector<Handle<Node>> kept = fill(kit, *table, 100);
  const std::uint32_t array = table->entries.ref().index();
  for (int i = 0; i < 20'000; ++i) {
    REQUIRE_FALSE(table->put(kit.heap, Value::integer(i), Value::integer(i)));
    REQUIRE(table->remove(kit.heap, Value::integer(i)));
  }
  CHECK(table->entries.ref().index() == array);
  CHECK(table->size(kit.heap) == 100);
  for (int i = 0; i < 100; ++i) {
    REQUIRE(table->get(kit.heap, WeakKit::value_of(kept[i].get())) == Value::integer(i));
  }
}

TEST_CASE("Hash seed: the order of a walk follows it, what is allocated does not",
          "[gc][weak][tables]") {
  const auto run = [](std::uint64_t seed, std::vector<std::int32_t>& order) {
    Random random(7);
    WeakKit kit(seeded_options(seed));
    const Handle<WeakKeyTable> table = kit.make_key_table();
    std::vector<std::uint32_t> trace;
    for (int i = 0; i < 20'000; ++i) {
      const Value key = Value::integer(static_cast<std::int32_t>(random.below(2000)));
      if (random.chance(50)) {
        REQUIRE_FALSE(table->put(kit.heap, key, Value::integer(i)));
      } else {
        static_cast<void>(table->remove(kit.heap, key));
      }
      if (i % 5000 == 4999) REQUIRE_FALSE(kit.heap.collect());
      const std::uint32_t array = table->entries.ref().index();
      if (trace.empty() || trace.back() != array) trace.push_back(array);
    }
    order = order_of(kit, *table);
    trace.push_back(table->capacity(kit.heap));
    trace.push_back(Ref<Node>(kit.heap.allocate(kit.node)).index());
    return trace;
  };
  std::vector<std::int32_t> first, again, other;
  const std::vector<std::uint32_t> trace = run(1, first);
  CHECK(run(1, again) == trace);
  CHECK(again == first);
  for (const std::uint64_t seed : {2u, 3u, 0u}) {
    CHECK(run(seed, other) == trace);
    CHECK(other != first);
  }
}

TEST_CASE("Hash seed: where none is given each heap has its own, and says which",
          "[gc][weak][tables]") {
  WeakKit first(seeded_options(0));
  WeakKit second(seeded_options(0));
  CHECK(first.heap.options().hash_seed != 0);
  CHECK(first.heap.options().hash_seed != second.heap.options().hash_seed);
  CHECK(WeakKit(seeded_options(42)).heap.options().hash_seed == 42);
  const Result<HeapOptions> parsed = parse_options("hash_seed=18446744073709551615");
  REQUIRE(parsed);
  CHECK(parsed->hash_seed == ~std::uint64_t{0});
  CHECK(parse_options("hash_seed=x").error().code == Errc::bad_option);
}

TEST_CASE("Hash seed: keys chosen to meet under another seed do not meet", "[gc][weak][tables]") {
  constexpr int kCount = kUnderSanitizer || Zeal::kBuiltIn ? 2'000 : 20'000;
  const auto seconds_for = [&](const std::vector<Value>& keys) {
    double best = 1e9;
    for (int i = 0; i < 3; ++i) {
      WeakKit kit(seeded_options(0));
      const Handle<WeakKeyTable> table = kit.make_key_table();
      best = std::min(best, seconds_of([&] {
                        for (const Value key : keys) {
                          REQUIRE_FALSE(table->put(kit.heap, key, Value::integer(1)));
                        }
                      }));
    }
    return best;
  };
  std::vector<Value> plain;
  for (int i = 0; i < kCount; ++i) plain.push_back(Value::integer(i));
  const double usual = seconds_for(plain);
  // The multiples of what undoes a factor that is often used, and those of powers of two.
  std::uint32_t inverse = 1;
  for (int i = 0; i < 6; ++i) inverse *= 2 - 0x9e3779b1u * inverse;
  for (const std::uint32_t step : {2 * inverse, 1u << 12, 1u << 16}) {
    std::vector<Value> chosen;
    for (std::uint32_t i = 0; i < kCount; ++i) chosen.push_back(Value::from_bits(i * step | 1));
    CHECK(seconds_for(chosen) < 20 * usual + 0.01);
  }
  // What an adversary learns from the walk over a table of his own: neighbours.
  std::vector<Value> neighbours;
  WeakKit kit(seeded_options(1));
  const Handle<WeakKeyTable> table = kit.make_key_table();
  for (int i = 0; i < 16 * kCount; ++i) {
    REQUIRE_FALSE(table->put(kit.heap, Value::integer(i), Value::integer(1)));
  }
  table->each(kit.heap, [&](Value key, Value) {
    if (neighbours.size() < kCount) neighbours.push_back(key);
  });
  CHECK(seconds_for(neighbours) < 20 * usual + 0.01);
}

}  // namespace besom::test
