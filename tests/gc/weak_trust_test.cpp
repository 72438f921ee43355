/// What weak things and their tables do when the arena does not hold what they put there.

#include "tests/gc/generational_kit.hpp"
#include "tests/gc/weak_kit.hpp"

namespace besom::test {
namespace {

/// All calls on a table, none of which may leave the arena. Whether put() took the table for sound.
template <class Table>
bool use_all(Heap& heap, Table& table) {
  const Value key = Value::integer(77);
  std::uint32_t visited = 0;
  table.each(heap, [&](Value, Value) { ++visited; });
  CHECK(table.size(heap) == visited);
  CHECK(table.capacity(heap) >= visited);
  const bool was_there = table.contains(heap, key);
  CHECK((was_there || table.get(heap, key).is_null()));
  const Error error = table.put(heap, key, Value::integer(1));
  CHECK((!error || error.code == Errc::bad_ref || error.code == Errc::heap_limit));
  CHECK(table.contains(heap, key) == (!error || was_there));
  CHECK(table.remove(heap, key) == (!error || was_there));
  return !error;
}

}  // namespace

TEST_CASE(
    "Weak tables: an array anywhere around the heap's end is used only if all of it is inside",
    "[gc][weak][tables][trust]") {
  MisuseTable rows("tables whose array was overwritten");
  HeapOptions options = exact_options(kMiB);
  options.heap_initial = kMiB;
  options.growth = Growth::fixed();
  WeakKit kit(options);
  const Handle<WeakKeyTable> table = kit.make_key_table();
  REQUIRE_FALSE(table->put(kit.heap, Value::integer(1), Value::integer(2)));
  const auto capacity = static_cast<std::uint32_t>(kit.heap.stats().capacity);
  const std::uint32_t good = table->entries.ref().index();
  char* const base = reinterpret_cast<char*>(table.get()) - table.ref().index();
  for (std::uint32_t from_end = 160; from_end > 0; --from_end) {
    const std::uint32_t index = capacity - from_end;
    for (const std::uint32_t length : {0u, 1u, 2u, 8u, 16u, 1u << 20, 1u << 29, 1u << 31}) {
      std::memset(base + capacity - 160, 0x11, 160);
      for (std::uint32_t k = 0; k < 4; ++k) {
        const std::uint32_t at = index + 4 + k;
        if (at < capacity) base[at] = static_cast<char>(length >> (8 * k));
      }
      forge(&table->entries, index);
      const bool fits = index % 16 == 0 && length != 0 && 8 + std::uint64_t{length} * 8 <= from_end;
      CHECK((table->capacity(kit.heap) != 0) == fits);
      const bool is_sound = use_all(kit.heap, *table);
      if (!fits) CHECK_FALSE(is_sound);
    }
    rows.row();
  }
  for (const std::uint32_t index : {capacity, capacity + 8, capacity + 16, ~0u, ~15u}) {
    forge(&table->entries, index);
    CHECK_FALSE(use_all(kit.heap, *table));
    rows.row();
  }
  forge(&table->entries, good);
  CHECK(table->get(kit.heap, Value::integer(1)) == Value::integer(2));
}

TEST_CASE("Weak tables: an array of a type that has no entries is refused, not filled",
          "[gc][weak][tables][trust]") {
  WeakKit kit(exact_options());
  const Handle<WeakKeyTable> table = kit.make_key_table();
  struct Pointers : detail::Array<std::uint64_t> {
    static TypeDescriptor type() { return {.name = "Pointers", .trailing = Trailing::pointers}; }
  };
  forge(&table->entries_type, kit.defined<Pointers>().id);
  CHECK(table->put(kit.heap, Value::integer(1), Value()).code == Errc::bad_type);
  CHECK(table->size(kit.heap) == 0);
}

TEST_CASE("Weak tables: types that say they are tables have to look like one",
          "[gc][weak][misuse]") {
  WeakKit kit(exact_options());
  TypeDescriptor table = WeakKeyTable::type();
  table.size = 16;
  CHECK(kit.heap.define(table).error().code == Errc::bad_type);
  table = WeakKeyTable::type();
  table.fields[0].offset = 12;
  CHECK(kit.heap.define(table).error().code == Errc::bad_type);
  table = WeakKeyTable::type();
  table.fields = {};
  CHECK(kit.heap.define(table).error().code == Errc::bad_type);
}

TEST_CASE("Collecting tables that were overwritten harms no other object",
          "[gc][weak][tables][trust][property]") {
  Random random = random_for("Overwritten tables");
  INFO("seed " << test_seed());
  for (int round = 0; round < 300; ++round) {
    HeapOptions options = exact_options(kMiB);
    options.generational = round % 2 == 0;
    WeakKit kit(options);
    const Handle<WeakKeyTable> table = kit.make_key_table();
    const Handle<WeakKeyTable> other = kit.make_key_table();
    const Handle<ByteArray> bytes = kit.heap.make(kit.bytes, 1000);
    const Handle<EphemeronArray> array = kit.heap.make(kit.ephemerons, 64);
    for (int i = 0; i < 200; ++i) {
      REQUIRE_FALSE(table->put(kit.heap, Value::integer(i), Value::integer(i)));
      REQUIRE_FALSE(other->put(kit.heap, Value::integer(i), Value::integer(i)));
    }
    for (int i = 3; i < 200; ++i) REQUIRE(table->remove(kit.heap, Value::integer(i)));
    const std::uint32_t targets[] = {
        bytes.ref().index(),  array.ref().index(), array.ref().index() + 16,
        table.ref().index(),  0x0ffffff0,          table->entries.ref().index() + 64,
        random.below(1 << 20)};
    switch (random.below(4)) {
      case 0:
        forge(&table->entries, targets[random.below(std::size(targets))]);
        break;
      case 1:
        forge(&table->entries->header.length, 1u << random.below(32));
        break;
      case 2:
        forge(&table->entries->header.type, random.below(20));
        break;
      default:
        forge(&table->header.type, random.below(20));
        break;
    }
    REQUIRE_FALSE(kit.heap.collect());
    REQUIRE_FALSE(kit.heap.collect());
    CHECK(other->size(kit.heap) == 200);
    CHECK(bytes->length() == 1000);
    static_cast<void>(use_all(kit.heap, *other));
    REQUIRE_FALSE(kit.heap.reset());
    CHECK(kit.survivors() == 0);
  }
}

}  // namespace besom::test
