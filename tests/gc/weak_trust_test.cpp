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

}  // namespace besom::test
