/// Tables of the heap that the collector takes entries out of.

#include <map>
#include <vector>

#include "tests/gc/weak_kit.hpp"

namespace besom::test {

TEST_CASE("WeakKeyTable: finds, changes and removes what was put", "[gc][weak][tables]") {
  WeakKit kit;
  const Handle<WeakKeyTable> table = kit.make_key_table();
  const Handle<Node> key = kit.make_node();
  const Value name = WeakKit::value_of(key.get());
  CHECK(table->get(kit.heap, name).is_null());
  CHECK_FALSE(table->contains(kit.heap, name));
  CHECK_FALSE(table->remove(kit.heap, name));
  REQUIRE_FALSE(table->put(kit.heap, name, Value::integer(1)));
  REQUIRE_FALSE(table->put(kit.heap, name, Value::integer(2)));
  REQUIRE_FALSE(table->put(kit.heap, Value::integer(2), Value()));
  CHECK(table->get(kit.heap, name) == Value::integer(2));
  CHECK(table->contains(kit.heap, Value::integer(2)));
  CHECK(table->size(kit.heap) == 2);
  CHECK(table->remove(kit.heap, name));
  CHECK_FALSE(table->remove(kit.heap, name));
  CHECK(table->size(kit.heap) == 1);
}

TEST_CASE("WeakKeyTable: entries go with their keys", "[gc][weak][tables]") {
  constexpr std::uint32_t kCount = Zeal::kBuiltIn ? 100 : 500;
  WeakKit kit;
  const Handle<WeakKeyTable> table = kit.make_key_table();
  std::vector<Handle<Node>> keys;
  for (std::uint32_t i = 0; i < kCount; ++i) {
    keys.push_back(kit.make_node());
    Node* value = kit.heap.allocate(kit.node);
    value->left = keys.back().get();
    REQUIRE_FALSE(
        table->put(kit.heap, WeakKit::value_of(keys.back().get()), WeakKit::value_of(value)));
  }
  CHECK(table->size(kit.heap) == kCount);
  CHECK(kit.survivors() == 2 * kCount + 2);
  for (std::uint32_t i = 0; i < kCount; i += 3) keys[i].reset();
  const std::uint32_t left = kCount - (kCount + 2) / 3;
  CHECK(kit.survivors() == 2 * left + 2);
  CHECK(table->size(kit.heap) == left);
  for (std::uint32_t i = 0; i < kCount; ++i) {
    if (i % 3 == 0) continue;
    const Value value = table->get(kit.heap, WeakKit::value_of(keys[i].get()));
    REQUIRE(value.is_ref());
    REQUIRE(kit.heap.get(value.as_ref<Node>())->left.get() == keys[i].get());
  }
}

TEST_CASE("WeakKeyTable: the places of dead keys are used again", "[gc][weak][tables]") {
  WeakKit kit(exact_options());
  const Handle<WeakKeyTable> table = kit.make_key_table();
  for (int round = 0; round < 200; ++round) {
    HandleScope scope(kit.heap);
    for (int i = 0; i < 20; ++i) {
      const Local<Node> key = scope.root(kit.heap.allocate(kit.node));
      REQUIRE_FALSE(table->put(kit.heap, WeakKit::value_of(key.get()), Value::integer(i)));
    }
    if (round % 5 == 0) REQUIRE_FALSE(kit.heap.collect());
  }
  CHECK(table->capacity(kit.heap) <= 512);
}

TEST_CASE("WeakValueTable: hands out one object for a name while it lives", "[gc][weak][tables]") {
  WeakKit kit;
  const Handle<WeakValueTable> table = kit.make_value_table();
  std::vector<Handle<Node>> values;
  for (int i = 0; i < 100; ++i) {
    values.push_back(kit.make_node());
    REQUIRE_FALSE(table->put(kit.heap, Value::integer(i), WeakKit::value_of(values.back().get())));
  }
  CHECK(kit.survivors() == 102);
  for (int i = 0; i < 100; ++i) {
    REQUIRE(table->get(kit.heap, Value::integer(i)) == WeakKit::value_of(values[i].get()));
  }
  values.resize(30);
  CHECK(kit.survivors() == 32);
  CHECK(table->size(kit.heap) == 30);
  CHECK(table->get(kit.heap, Value::integer(30)).is_null());
  CHECK_FALSE(table->contains(kit.heap, Value::integer(99)));
  CHECK(table->contains(kit.heap, Value::integer(29)));
}

TEST_CASE("Weak tables: each entry is visited once", "[gc][weak][tables]") {
  WeakKit kit;
  const Handle<WeakKeyTable> table = kit.make_key_table();
  for (int i = 0; i < 50; ++i) {
    REQUIRE_FALSE(table->put(kit.heap, Value::integer(i), Value::integer(2 * i)));
  }
  for (int i = 0; i < 50; i += 2) REQUIRE(table->remove(kit.heap, Value::integer(i)));
  std::map<int, int> seen;
  table->each(kit.heap, [&](Value key, Value value) {
    ++seen[key.as_integer()];
    CHECK(value.as_integer() == 2 * key.as_integer());
  });
  CHECK(seen.size() == 25);
  for (const auto& [key, times] : seen) CHECK((key % 2 == 1 && times == 1));
}

TEST_CASE("Weak tables: against a map, at random", "[gc][weak][tables][property]") {
  Random random = random_for("Weak tables");
  INFO("seed " << test_seed());
  WeakKit kit(exact_options());
  const Handle<WeakKeyTable> table = kit.make_key_table();
  constexpr std::uint32_t kKeys = 300;
  std::vector<Handle<Node>> keys(kKeys);
  for (auto& key : keys) key = kit.make_node();
  std::map<std::uint32_t, int> model;
  for (int i = 0; i < 20'000; ++i) {
    const std::uint32_t at = random.below(kKeys);
    const Value key = WeakKit::value_of(keys[at].get());
    const std::uint32_t roll = random.below(100);
    if (roll < 50) {
      REQUIRE_FALSE(table->put(kit.heap, key, Value::integer(i)));
      model[at] = i;
    } else if (roll < 75) {
      REQUIRE(table->remove(kit.heap, key) == (model.erase(at) == 1));
    } else if (roll < 98) {
      const auto found = model.find(at);
      REQUIRE(table->get(kit.heap, key) ==
              (found == model.end() ? Value() : Value::integer(found->second)));
    } else {
      keys[at] = kit.make_node();  // another key in its place
      model.erase(at);
      if (random.chance(20)) {
        REQUIRE_FALSE(kit.heap.collect());
        REQUIRE(table->size(kit.heap) == model.size());
      }
    }
  }
  REQUIRE_FALSE(kit.heap.collect());
  CHECK(table->size(kit.heap) == model.size());
  CHECK(verify(kit.heap).ok());
}

TEST_CASE("Weak tables: a full heap leaves the table as it was", "[gc][weak][tables]") {
  WeakKit kit(exact_options(64 * kKiB));
  const Handle<WeakKeyTable> table = kit.make_key_table();
  int count = 0;
  Error error;
  while (!(error = table->put(kit.heap, Value::integer(count), Value::integer(-count)))) ++count;
  CHECK(error.code == Errc::heap_limit);
  CHECK(error.bytes > 16 * kKiB);
  CHECK(count > 1000);
  CHECK(table->size(kit.heap) == static_cast<std::uint32_t>(count));
  for (int i = 0; i < count; ++i) {
    REQUIRE(table->get(kit.heap, Value::integer(i)) == Value::integer(-i));
  }
  // What takes no room still works.
  CHECK_FALSE(table->put(kit.heap, Value::integer(0), Value::integer(7)));
  CHECK(table->remove(kit.heap, Value::integer(1)));
  CHECK(table->get(kit.heap, Value::integer(0)) == Value::integer(7));
  CHECK(verify(kit.heap).ok());
}

TEST_CASE("Weak tables: key and value need no root while the table grows", "[gc][weak][tables]") {
  WeakKit kit(exact_options());
  const Handle<WeakKeyTable> table = kit.make_key_table();
  std::vector<Handle<Node>> keys;
  for (int i = 0; i < 500; ++i) {
    // Two new objects, neither of them rooted but the newest; growing collects in zeal only.
    Handle<Node> key = kit.make_node();
    Node* value = kit.heap.allocate(kit.node);
    REQUIRE_FALSE(table->put(kit.heap, WeakKit::value_of(key.get()), WeakKit::value_of(value)));
    keys.push_back(std::move(key));
  }
  CHECK(kit.survivors() == 1002);
}

TEST_CASE("Weak tables: misuse is an error and changes nothing", "[gc][weak][tables][misuse]") {
  MisuseTable rows("weak tables");
  WeakKit kit(exact_options());
  const Handle<WeakKeyTable> table = kit.make_key_table();
  REQUIRE_FALSE(table->put(kit.heap, Value::integer(1), Value::integer(2)));
  CHECK(table->put(kit.heap, Value(), Value::integer(1)).code == Errc::bad_ref);
  rows.row();
  CHECK(table->get(kit.heap, Value()).is_null());
  CHECK_FALSE(table->contains(kit.heap, Value()));
  rows.row();
  CHECK_FALSE(table->remove(kit.heap, Value()));
  CHECK(table->size(kit.heap) == 1);
  rows.row();
  {  // made for an array of another kind
    Handle<WeakKeyTable> wrong(
        kit.heap, make_table(kit.heap, kit.key_table, Type<EphemeronArray>{kit.node.id}));
    CHECK(wrong->put(kit.heap, Value::integer(1), Value()).code == Errc::bad_type);
    CHECK(wrong->size(kit.heap) == 0);
    rows.row();
    forge(&wrong->entries_type, 12345);
    CHECK(wrong->put(kit.heap, Value::integer(1), Value()).code == Errc::bad_type);
    rows.row();
  }
  {  // overwritten: an array outside the heap, or of a senseless length
    const std::uint32_t good = table->entries.ref().index();
    for (const std::uint32_t bad : {0xfffffff0u, 0x10000000u, 0xfffffffcu}) {
      forge(&table->entries, bad);
      CHECK(table->put(kit.heap, Value::integer(1), Value()).code == Errc::bad_ref);
      CHECK(table->get(kit.heap, Value::integer(1)).is_null());
      CHECK(table->size(kit.heap) == 0);
      rows.row();
    }
    forge(&table->entries, good);
    for (const std::uint32_t length : {3u, 0xffffffffu, 1u << 31, 1u << 28}) {
      forge(&table->entries->header.length, length);
      CHECK(table->put(kit.heap, Value::integer(1), Value()).code == Errc::bad_ref);
      CHECK(table->get(kit.heap, Value::integer(1)).is_null());
      rows.row();
    }
    forge(&table->entries->header.length, 8);
  }
  CHECK(table->get(kit.heap, Value::integer(1)) == Value::integer(2));
  // A wrong count of used entries costs time, not entries.
  for (const std::uint32_t filled : {0u, ~0u}) {
    forge(&table->filled, filled);
    for (int i = 0; i < 30; ++i) {
      REQUIRE_FALSE(table->put(kit.heap, Value::integer(i), Value::integer(i)));
    }
    CHECK(table->size(kit.heap) == 30);
    rows.row();
  }
}

}  // namespace besom::test
