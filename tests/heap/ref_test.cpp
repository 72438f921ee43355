/// Refs, tagged values, and both as fields of an object.

#include <besom/ref.hpp>
#include <besom/type.hpp>
#include <utility>

#include "heap/arena.hpp"
#include "tests/heap/show.hpp"
#include "tests/support/death.hpp"

namespace besom::test {
namespace {

struct Thing {
  Header header;
  Member<Thing> next;
  ValueMember value;
};

Arena arena_of_one_page() {
  Result<Arena> arena = Arena::reserve(Arena::kStep, 0, operating_system());
  REQUIRE(arena);
  REQUIRE_FALSE(arena->commit(Arena::kStep));
  return std::move(*arena);
}

/// Objects as they lie in an arena: storing a ref looks at what is below its base.
class Things {
 public:
  [[nodiscard]] Thing& operator[](std::uint32_t i) const {
    return reinterpret_cast<Thing*>(arena_.base())[i];
  }

 private:
  Arena arena_ = arena_of_one_page();
};

constexpr Ref<Thing> at(std::uint32_t index) { return Ref<Thing>(index); }

}  // namespace

TEST_CASE("Ref: null is index 0 and false", "[heap][ref]") {
  CHECK_FALSE(Ref<Thing>());
  CHECK_FALSE(Ref<Thing>(nullptr));
  CHECK(Ref<Thing>() == Ref<Thing>(nullptr));
  CHECK(Ref<Thing>().index() == 0);
  CHECK(Ref<Thing>(static_cast<const Thing*>(nullptr)).index() == 0);
}

TEST_CASE("Ref: equal by index, and any ref is a ref to void", "[heap][ref]") {
  CHECK(at(0x40) == at(0x40));
  CHECK_FALSE(at(0x40) == at(0x50));
  CHECK(at(0x40));
  CHECK(Ref<void>(at(0x40)).index() == 0x40);
  CHECK(sizeof(Ref<Thing>) == 4);
}

TEST_CASE("Value: every 31-bit integer at the edges comes back", "[heap][ref]") {
  for (const std::int32_t i : {0, 1, -1, 2, -2, 1000, -1000, Value::kMaxInt, Value::kMaxInt - 1,
                               Value::kMinInt, Value::kMinInt + 1, 0x2aaaaaaa, -0x2aaaaaaa}) {
    const Value value = Value::integer(i);
    CHECK(value.is_integer());
    CHECK_FALSE(value.is_ref());
    CHECK_FALSE(value.is_null());
    CHECK(value.as_integer() == i);
    CHECK((value.bits() & 1) == 1);
  }
}

TEST_CASE("Value: integers of 32 bits abort instead of wrapping", "[heap][ref][misuse]") {
  MisuseTable table("integers of more than 31 bits");
  for (const std::int32_t i : {Value::kMaxInt + 1, Value::kMinInt - 1, INT32_MAX, INT32_MIN}) {
    CHECK_ABORTS(Value::integer(i), "no 31-bit integer");
    table.row();
  }
}

TEST_CASE("Value: a ref is no integer and null is neither", "[heap][ref]") {
  const Value ref = at(0xfffffff0);
  CHECK(ref.is_ref());
  CHECK_FALSE(ref.is_integer());
  CHECK(ref.as_ref<Thing>() == at(0xfffffff0));
  const Value null = Ref<Thing>();
  CHECK(null.is_null());
  CHECK_FALSE(null.is_ref());
  CHECK_FALSE(null.is_integer());
  CHECK(Value() == null);
  CHECK_FALSE(Value::integer(0) == null);
}

TEST_CASE("Value: bits make the round trip", "[heap][ref]") {
  for (const std::uint32_t bits : {0u, 1u, 2u, 0x10u, 0x12u, 0x80000001u, 0xffffffffu}) {
    CHECK(Value::from_bits(bits).bits() == bits);
  }
}

TEST_CASE("Member: holds a ref as a field", "[heap][ref]") {
  const Things things;
  Thing& thing = things[0];
  CHECK_FALSE(thing.next);
  CHECK(thing.next.get() == nullptr);
  thing.next = at(0x1230);
  CHECK(thing.next);
  CHECK(thing.next.ref() == at(0x1230));
  thing.next = nullptr;
  CHECK_FALSE(thing.next);
}

TEST_CASE("Member: is followed from its own address", "[heap][ref]") {
  const Things things;
  things[0].next = &things[1];
  CHECK(things[0].next.get() == &things[1]);
  things[0].next->value = Value::integer(5);
  CHECK(things[1].value.get().as_integer() == 5);
  Thing* const none = nullptr;
  things[0].next = none;
  CHECK_FALSE(things[0].next);
}

TEST_CASE("Member: copies the ref of another member", "[heap][ref]") {
  const Things things;
  Thing& a = things[0];
  Thing& b = things[1];
  a.next = at(0x50);
  b.next = a.next;
  CHECK(b.next.ref() == at(0x50));
}

TEST_CASE("ValueMember: holds integers and refs", "[heap][ref]") {
  const Things things;
  Thing& a = things[0];
  Thing& b = things[1];
  CHECK(a.value.get().is_null());
  a.value = Value::integer(-7);
  CHECK(a.value.get().as_integer() == -7);
  b.value = a.value;
  CHECK(b.value.get().as_integer() == -7);
  a.value = at(0x60);
  CHECK(a.value.get().as_ref<Thing>() == at(0x60));
}

TEST_CASE("Object layout: a header is 8 bytes, and with a pair of refs fills one granule",
          "[heap][ref]") {
  CHECK(sizeof(Header) == 8);
  CHECK(sizeof(Thing) == kGranuleBytes);
}

TEST_CASE("Array access outside the length aborts", "[heap][ref][misuse]") {
  const Things things;
  auto* array = reinterpret_cast<ValueArray*>(&things[0]);
  array->header = {.type = 1, .length = 3};
  (*array)[2] = Value::integer(1);
  CHECK(array->length() == 3);
  CHECK((*array)[2].get().as_integer() == 1);
  MisuseTable table("array access outside the length");
  for (const std::uint32_t i : {3u, 4u, 0x7fffffffu, 0x80000000u, 0xffffffffu}) {
    CHECK_ABORTS((*array)[i], "array index");
    table.row();
  }
}

}  // namespace besom::test
