/// Types as data, and descriptors that contradict themselves.

#include "heap/type_table.hpp"

#include <string>
#include <utility>
#include <vector>

#include "tests/heap/show.hpp"

namespace besom::test {
namespace {

using detail::checked_type;
using detail::TypeInfo;
using detail::TypeTable;

TypeDescriptor with_fields(std::uint32_t size, FieldList fields) {
  return {.name = "T", .size = size, .fields = std::move(fields)};
}

void trace_nothing(const void*, std::uint32_t, Tracer&) {}

}  // namespace

TEST_CASE("FieldList: it keeps its fields in order, as copies", "[heap][types]") {
  std::vector<FieldDescriptor> given;
  FieldList pushed;
  for (std::uint32_t i = 0; i < 100; ++i) {
    given.push_back({.name = "field " + std::to_string(i), .offset = 8 + 4 * i});
    pushed.push_back(given.back());
  }
  const FieldList taken = given;
  FieldList copied = taken;
  copied[0].name = "another";
  FieldList moved = std::move(pushed);
  CHECK(pushed.empty());
  CHECK(copied[0].name == "another");
  for (const FieldList* list : {&taken, static_cast<const FieldList*>(&moved)}) {
    REQUIRE(list->size() == given.size());
    std::size_t i = 0;
    for (const FieldDescriptor& field : *list) {
      CHECK(field.name == given[i].name);
      CHECK(field.offset == given[i++].offset);
    }
  }
  CHECK(FieldList().begin() == FieldList().end());
}

TEST_CASE("TypeTable: ids count from 1, and 0 is no type", "[heap][types]") {
  TypeTable types;
  CHECK_FALSE(types.contains(0));
  CHECK_FALSE(types.contains(1));
  for (TypeId id = 1; id <= 100; ++id) {
    const Result<TypeId> defined = types.define({.name = std::to_string(id)});
    REQUIRE(defined);
    CHECK(*defined == id);
  }
  CHECK(types.count() == 100);
  CHECK(types.contains(100));
  CHECK_FALSE(types.contains(0));
  CHECK_FALSE(types.contains(101));
  CHECK_FALSE(types.contains(~TypeId{0}));
  CHECK(types[42].descriptor->name == "42");
}

TEST_CASE("TypeTable: the descriptor is copied", "[heap][types]") {
  TypeTable types;
  {
    TypeDescriptor descriptor = with_fields(16, {{"a long name that needs memory of its own", 8}});
    REQUIRE(types.define(TypeDescriptor(descriptor)));
    descriptor.fields[0].name = "other";
  }
  CHECK(types[1].descriptor->fields[0].name == "a long name that needs memory of its own");
}

TEST_CASE("TypeTable: neighbouring slots of one kind are traced as one run", "[heap][types]") {
  TypeTable types;
  REQUIRE(types.define(with_fields(64, {{"d", 40, SlotKind::ref},
                                        {"a", 8, SlotKind::ref},
                                        {"c", 16, SlotKind::value},
                                        {"b", 12, SlotKind::ref}})));
  const TypeInfo& type = types[1];
  REQUIRE(type.run_count == 3);
  CHECK((type.runs[0].offset == 8 && type.runs[0].count == 2));
  CHECK((type.runs[1].offset == 16 && type.runs[1].count == 1));
  CHECK(type.runs[1].kind == SlotKind::value);
  CHECK((type.runs[2].offset == 40 && type.runs[2].count == 1));
}

TEST_CASE("TypeTable: pointers are eight bytes wide, aligned, and overlap nothing",
          "[heap][types]") {
  TypeTable types;
  REQUIRE(types.define(with_fields(48, {{"c", 24, SlotKind::pointer},
                                        {"a", 8, SlotKind::pointer},
                                        {"d", 32, SlotKind::ref},
                                        {"b", 16, SlotKind::pointer},
                                        {"e", 40, SlotKind::pointer}})));
  const TypeInfo& type = types[1];
  REQUIRE(type.run_count == 3);
  CHECK((type.runs[0].offset == 8 && type.runs[0].count == 3));
  CHECK(type.runs[0].kind == SlotKind::pointer);
  CHECK((type.runs[1].offset == 32 && type.runs[1].count == 1));
  CHECK((type.runs[2].offset == 40 && type.runs[2].count == 1));

  const auto refused = [&](std::uint32_t size, FieldList fields) {
    const Result<TypeId> result = types.define(with_fields(size, std::move(fields)));
    return !result && result.error().code == Errc::bad_type;
  };
  CHECK(refused(24, {{"misaligned", 12, SlotKind::pointer}}));
  CHECK(refused(24, {{"in the header", 0, SlotKind::pointer}}));
  CHECK(refused(20, {{"sticks out", 16, SlotKind::pointer}}));
  CHECK(refused(24, {{"pointer", 8, SlotKind::pointer}, {"in its second half", 12}}));
  CHECK(refused(24, {{"in its second half", 12}, {"pointer", 8, SlotKind::pointer}}));
  CHECK_FALSE(refused(24, {{"pointer", 8, SlotKind::pointer}, {"behind it", 16}}));

  CHECK_FALSE(types.define({.name = "T", .size = 12, .trailing = Trailing::pointers}));
  REQUIRE(types.define({.name = "T", .size = 24, .trailing = Trailing::pointers}));
  const TypeInfo& array = types[types.count()];
  CHECK(array.has_tail);
  CHECK(array.size_bytes(~0u) == 24 + std::uint64_t{8} * ~0u);
}

TEST_CASE("TypeTable: a format of boxes that contradicts itself is bad_type",
          "[heap][types][misuse]") {
  constexpr std::uint64_t kTop = std::uint64_t{0xffff} << 48;
  struct Row {
    const char* why;
    BoxFormat box;
    const char* detail;  ///< A part of it; nullptr: the format is good.
  };
  constexpr BoxPayload kAddress = BoxPayload::address;
  const Row rows[] = {
      {"none", {}, "no mask"},
      {"tag alone", {.tag = 1}, "no mask"},
      {"tag outside", {.mask = kTop, .tag = kTop | 1}, "outside the mask"},
      {"tag outside", {.mask = kTop, .tag = std::uint64_t{1} << 47}, "outside the mask"},
      {"shift", {.mask = kTop, .tag = kTop, .shift = -5}, "shift"},
      {"shift", {.mask = 1, .tag = 1, .shift = 33}, "shift"},
      {"shift", {.mask = 1, .tag = 1, .shift = 64}, "shift"},
      {"shift", {.mask = 1, .tag = 1, .shift = -2147483647 - 1}, "shift"},
      {"shift of an address", {.mask = 1, .tag = 1, .shift = 17, .payload = kAddress}, "shift"},
      {"mask on an index", {.mask = std::uint64_t{1} << 31}, "takes bits"},
      {"mask on an index", {.mask = 16}, "takes bits"},
      {"mask on a shifted index", {.mask = std::uint64_t{1} << 43, .shift = 12}, "takes bits"},
      {"mask on a granule", {.mask = std::uint64_t{1} << 27, .shift = -4}, "takes bits"},
      {"mask on an address", {.mask = std::uint64_t{1} << 46, .payload = kAddress}, "takes bits"},
      {"no payload", {.mask = 1, .payload = static_cast<BoxPayload>(2)}, "payload"},
      {"no payload", {.mask = 1, .payload = static_cast<BoxPayload>(255)}, "payload"},
      {"index", {.mask = kTop, .tag = kTop}, nullptr},
      {"index, one bit", {.mask = std::uint64_t{1} << 32}, nullptr},
      {"index, tag below", {.mask = 15, .tag = 15}, nullptr},
      {"granule", {.mask = std::uint64_t{1} << 28, .shift = -4}, nullptr},
      {"upper half", {.mask = ~std::uint64_t{0} >> 28, .tag = 0, .shift = 32}, nullptr},
      {"address", {.mask = std::uint64_t{1} << 47, .payload = kAddress}, nullptr},
      {"address above", {.mask = 0xffff, .tag = 7, .shift = 16, .payload = kAddress}, nullptr},
  };
  for (const Row& row : rows) {
    INFO(row.why);
    for (const bool is_array : {false, true}) {
      TypeTable types;
      TypeDescriptor type =
          with_fields(16, is_array ? FieldList() : FieldList{{"a", 8, SlotKind::box}});
      if (is_array) type.trailing = Trailing::boxes;
      type.box = row.box;
      const Result<TypeId> id = types.define(TypeDescriptor(type));
      CHECK(static_cast<bool>(id) == (row.detail == nullptr));
      if (row.detail == nullptr) continue;
      CHECK(id.error().code == Errc::bad_type);
      CHECK(std::string(id.error().detail).find(row.detail) != std::string::npos);
      CHECK(types.count() == 0);
    }
  }
  // Also where no slot is a box yet.
  TypeTable types;
  TypeDescriptor unused = with_fields(16, {{"a", 8}});
  unused.box = {.mask = 1, .tag = 2};
  CHECK_FALSE(types.define(std::move(unused)));
}

TEST_CASE("TypeTable: boxes are eight bytes wide, aligned, in the object and overlap nothing",
          "[heap][types][misuse]") {
  TypeTable types;
  const auto defined = [&](std::uint32_t size, FieldList fields) {
    TypeDescriptor type = with_fields(size, std::move(fields));
    type.box = {.mask = 1, .tag = 1};
    return static_cast<bool>(types.define(std::move(type)));
  };
  CHECK_FALSE(defined(24, {{"misaligned", 12, SlotKind::box}}));
  CHECK_FALSE(defined(24, {{"in the header", 0, SlotKind::box}}));
  CHECK_FALSE(defined(20, {{"sticks out", 16, SlotKind::box}}));
  CHECK_FALSE(defined(24, {{"outside", 24, SlotKind::box}}));
  CHECK_FALSE(defined(24, {{"box", 8, SlotKind::box}, {"in its second half", 12}}));
  CHECK(defined(24, {{"box", 8, SlotKind::box}, {"behind it", 16}}));
  CHECK(types[types.count()].plain_granules == 2);
  TypeDescriptor array{.name = "T", .size = 12, .trailing = Trailing::boxes};
  array.box = {.mask = 1, .tag = 1};
  CHECK_FALSE(types.define(std::move(array)));
}

TEST_CASE("TypeTable: sizes are computed where no length wraps", "[heap][types]") {
  TypeTable types;
  REQUIRE(types.define({.name = "refs", .size = 8, .trailing = Trailing::refs}));
  REQUIRE(types.define({.name = "bytes", .size = 9, .trailing = Trailing::bytes}));
  REQUIRE(types.define({.name = "none", .size = 24}));
  CHECK(types[1].size_bytes(0) == 8);
  CHECK(types[1].size_bytes(0x40000001) == 8 + std::uint64_t{4} * 0x40000001);
  CHECK(types[1].size_bytes(~0u) == 8 + std::uint64_t{4} * ~0u);
  CHECK(types[2].size_bytes(~0u) == 9 + std::uint64_t{~0u});
  CHECK(types[3].size_bytes(~0u) == 24);
}

TEST_CASE("A header is believed only within the extent that the tables give", "[heap][types]") {
  TypeTable types;
  REQUIRE(types.define({.name = "refs", .size = 8, .trailing = Trailing::refs}));
  REQUIRE(types.define({.name = "plain", .size = 40}));
  CHECK(checked_type(types, {1, 2}, 16) == &types[1]);
  CHECK(checked_type(types, {1, 3}, 16) == nullptr);
  CHECK(checked_type(types, {1, ~0u}, 16) == nullptr);
  CHECK(checked_type(types, {1, 0x3ffffffe}, 0xfffffff0) == nullptr);
  CHECK(checked_type(types, {1, 0x3ffffffa}, 0xfffffff0) == &types[1]);
  CHECK(checked_type(types, {2, ~0u}, 48) == &types[2]);  // without array the length is free
  CHECK(checked_type(types, {2, 0}, 32) == nullptr);
  CHECK(checked_type(types, {0, 0}, 48) == nullptr);
  CHECK(checked_type(types, {3, 0}, 48) == nullptr);
  CHECK(checked_type(types, {~0u, ~0u}, 48) == nullptr);
}

TEST_CASE("TypeTable: a descriptor that contradicts itself is bad_type, and defines nothing",
          "[heap][types][misuse]") {
  struct Row {
    const char* why;
    TypeDescriptor descriptor;
  };
  const auto trailing = [](std::uint64_t size, Trailing kind) {
    return TypeDescriptor{.name = "T", .size = size, .trailing = kind};
  };
  TypeDescriptor traced_fields = with_fields(16, {{"a", 8}});
  traced_fields.trace = trace_nothing;
  const Row rows[] = {
      {"smaller than a header", with_fields(0, {})},
      {"smaller than a header", with_fields(1, {})},
      {"smaller than a header", with_fields(4, {})},
      {"smaller than a header", with_fields(7, {})},
      {"too large", with_fields((1u << 30) + 1, {})},
      {"too large", with_fields(~0u, {})},
      {"field in the header", with_fields(16, {{"a", 0}})},
      {"field in the header", with_fields(16, {{"a", 4}})},
      {"field outside", with_fields(16, {{"a", 16}})},
      {"field outside", with_fields(8, {{"a", 8}})},
      {"field outside in part", with_fields(14, {{"a", 12}})},
      {"field outside in part", with_fields(11, {{"a", 8}})},
      {"field far outside", with_fields(16, {{"a", 0xfffffff0}})},
      {"field that wraps", with_fields(16, {{"a", 0xfffffffc}})},
      {"misaligned field", with_fields(16, {{"a", 9}})},
      {"misaligned field", with_fields(16, {{"a", 10}})},
      {"misaligned field", with_fields(16, {{"a", 11}})},
      {"misaligned far field", with_fields(16, {{"a", 0xffffffff}})},
      {"second field bad", with_fields(16, {{"a", 8}, {"b", 16}})},
      {"value field outside", with_fields(16, {{"a", 16, SlotKind::value}})},
      {"misaligned trailing refs", trailing(9, Trailing::refs)},
      {"misaligned trailing refs", trailing(10, Trailing::refs)},
      {"misaligned trailing values", trailing(11, Trailing::values)},
      {"misaligned trailing values", trailing(13, Trailing::values)},
      {"callback and fields", traced_fields},
      {"no kind of elements", trailing(16, static_cast<Trailing>(9))},
      {"no kind of elements", trailing(16, static_cast<Trailing>(99))},
      {"no kind of elements", trailing(16, static_cast<Trailing>(255))},
      {"no kind of slot", with_fields(16, {{"a", 8, static_cast<SlotKind>(5)}})},
      {"no kind of slot", with_fields(16, {{"a", 8, static_cast<SlotKind>(99)}})},
      {"64 bits of size", trailing((std::uint64_t{1} << 32) + 16, Trailing::none)},
      {"64 bits of offset", with_fields(16, {{"a", (std::uint64_t{1} << 32) + 8}})},
      {"64 bits of offset", with_fields(16, {{"a", ~std::uint64_t{0} - 3}})},
      {"more fields than room", with_fields(8, {{"a", 8}, {"b", 8}, {"c", 8}})},
  };
  TypeTable types;
  MisuseTable table("descriptors");
  for (const Row& row : rows) {
    INFO(row.why << ", size " << row.descriptor.size);
    const Result<TypeId> id = types.define(TypeDescriptor(row.descriptor));
    CHECK_FALSE(id);
    CHECK(id.error().code == Errc::bad_type);
    CHECK(id.error().detail != nullptr);
    CHECK(types.count() == 0);
    table.row();
  }
  const Result<TypeId> good = types.define(with_fields(16, {{"a", 8}, {"b", 12}}));
  REQUIRE(good);
  CHECK(*good == 1);
}

TEST_CASE("TypeTable: descriptors at their bounds pass", "[heap][types]") {
  TypeTable types;
  CHECK(types.define(with_fields(8, {})));
  CHECK(types.define(with_fields(1u << 30, {{"last", (1u << 30) - 4}})));
  CHECK(types.define(with_fields(12, {{"a", 8}})));
  CHECK(types.define(with_fields(15, {{"a", 8}})));
  CHECK(types.define({.name = "", .size = 9, .trailing = Trailing::bytes}));
  CHECK(types.define({.name = "", .size = 8, .trailing = Trailing::bytes, .trace = trace_nothing}));
  CHECK(types.count() == 6);
}

TEST_CASE("TypeTable: two fields in one place are refused", "[heap][types][misuse]") {
  TypeTable types;
  const Result<TypeId> id =
      types.define(with_fields(16, {{"a", 8, SlotKind::ref}, {"b", 8, SlotKind::value}}));
  CHECK_FALSE(id);
}

}  // namespace besom::test
