/// Objects that hold raw 64-bit pointers: as fields, in arrays, and visited by a trace callback.

#include <cstring>
#include <limits>
#include <vector>

#include "tests/gc/kit.hpp"

namespace besom::test {
namespace {

/// As a host that knows nothing of refs lays its objects out.
struct Cell {
  Header header;
  void* first;
  std::uint64_t number;
  void* second;
  static TypeDescriptor type() {
    return {.name = "Cell",
            .size = sizeof(Cell),
            .fields = {{"first", offsetof(Cell, first), SlotKind::pointer},
                       {"second", offsetof(Cell, second), SlotKind::pointer}}};
  }
};

struct Table {
  Header header;
  [[nodiscard]] void*& operator[](std::uint32_t i) { return trailing_of<void*>(this)[i]; }
  static TypeDescriptor type() {
    return {.name = "Table", .size = sizeof(Table), .trailing = Trailing::pointers};
  }
};

/// One word, visited in the way that a test asks for.
struct Odd {
  Header header;
  std::uint64_t word;
};
enum class Way { pointer, interior, word };
template <Way way>
void trace_odd(const void* object, std::uint32_t, Tracer& tracer) {
  const std::uint64_t word = static_cast<const Odd*>(object)->word;
  if (way == Way::pointer) tracer.visit_pointer(reinterpret_cast<const void*>(word));
  if (way == Way::interior) tracer.visit_interior(reinterpret_cast<const void*>(word));
  if (way == Way::word) tracer.visit_word(word);
}

struct PointerKit : Kit {
  explicit PointerKit(const HeapOptions& options = any_options())
      : Kit(options), cell(defined<Cell>()), table(defined<Table>()) {}

  Type<Cell> cell;
  Type<Table> table;
};

void* tagged(void* address, std::uint64_t tag) {
  return reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(address) | tag);
}

std::uint64_t address(const void* object) { return reinterpret_cast<std::uintptr_t>(object); }

}  // namespace

TEST_CASE("Pointers: an object behind a pointer field lives, whatever the tag", "[gc][pointers]") {
  PointerKit kit;
  const Handle<Cell> cell = kit.heap.make(kit.cell);
  for (std::uint64_t tag = 0; tag < 16; ++tag) {
    INFO("tag " << tag);
    Node* node = kit.heap.allocate(kit.node);
    cell->first = tagged(node, tag);
    note_store(&cell->first);
    Node* deeper = kit.heap.allocate(kit.node);
    static_cast<Node*>(tagged(node, 0))->left = deeper;
    CHECK(kit.survivors() == 3);
    CHECK(kit.lives(Kit::ref_of(node)));
    CHECK(kit.lives(Kit::ref_of(deeper)));
    cell->second = cell->first;
    cell->first = nullptr;
    note_store(&cell->second);
    CHECK(kit.survivors() == 3);
    cell->second = tagged(nullptr, tag);
    CHECK(kit.survivors() == 1);
    CHECK_FALSE(kit.lives(Kit::ref_of(node)));
  }
  CHECK(verify(kit.heap).ok());
}

TEST_CASE("Pointers: what lies outside the arena is the host's own and passed over",
          "[gc][pointers]") {
  PointerKit kit;
  PointerKit other;
  const Handle<Cell> cell = kit.heap.make(kit.cell);
  const Handle<Node> foreign = other.make_node();
  int local = 0;
  static int global = 0;
  char* base = detail::base_of(kit.heap);
  char* strangers[] = {reinterpret_cast<char*>(&local),
                       reinterpret_cast<char*>(&global),
                       reinterpret_cast<char*>(foreign.get()),
                       base - 16,
                       base + kit.heap.stats().capacity,
                       base + (std::uint64_t{1} << 32),
                       reinterpret_cast<char*>(1),
                       reinterpret_cast<char*>(std::numeric_limits<std::uint64_t>::max())};
  for (char* stranger : strangers) {
    cell->first = stranger;
    cell->second = stranger;
    INFO(static_cast<void*>(stranger));
    CHECK(kit.survivors() == 1);
    CHECK(verify(kit.heap).ok());
  }
}

TEST_CASE("Pointers: a table of them keeps what is in it, at any length",
          "[gc][pointers][arrays]") {
  PointerKit kit(exact_options());
  for (const std::uint32_t length : {0u, 1u, 2u, 255u, 256u, 257u, 1000u, 100'000u}) {
    INFO("length " << length);
    const Handle<Table> table = kit.heap.make(kit.table, length);
    for (std::uint32_t i = 0; i < length; ++i) {
      (*table)[i] = tagged(kit.heap.allocate(kit.node), i % 16);
      note_store(&(*table)[i]);
    }
    CHECK(kit.survivors() == length + 1);
    for (std::uint32_t i = 0; i < length; i += 2) (*table)[i] = &kit;
    CHECK(kit.survivors() == length / 2 + 1);
  }
  CHECK(kit.survivors() == 0);
}

TEST_CASE("Pointers: a full mark stack loses none of them", "[gc][pointers]") {
  HeapOptions options = exact_options();
  options.mark_stack = 2;
  PointerKit kit(options);
  const Handle<Table> table = kit.heap.make(kit.table, 3000);
  for (std::uint32_t i = 0; i < 3000; ++i) {
    Cell* cell = kit.heap.allocate(kit.cell);
    (*table)[i] = cell;
    Cell* inner = kit.heap.allocate(kit.cell);
    cell->first = inner;
    inner->second = cell;
  }
  CHECK(kit.survivors() == 6001);
}

TEST_CASE("Pointers: one into the arena at no object's start is counted, reported, not followed",
          "[gc][pointers][verify]") {
  PointerKit kit(exact_options());
  const Handle<Cell> cell = kit.heap.make(kit.cell);
  const Handle<Table> table = kit.heap.make(kit.table, 3);
  const Handle<Block> block = kit.heap.make(kit.block);
  Node* dead = kit.heap.allocate(kit.node);
  REQUIRE_FALSE(kit.heap.collect());
  char* base = detail::base_of(kit.heap);
  char* inside = reinterpret_cast<char*>(block.get()) + 16;
  char* unused = base + kit.heap.stats().capacity - 16;
  for (char* wrong : {inside, reinterpret_cast<char*>(dead), unused, base, base + 3}) {
    INFO(static_cast<void*>(wrong));
    cell->second = wrong;
    (*table)[2] = wrong;
    const VerifyReport report = verify(kit.heap);
    REQUIRE(report.defects.size() == 2);
    const auto index = static_cast<std::uint32_t>(wrong - base) & ~15u;
    for (const Defect& defect : report.defects) {
      CHECK(defect.kind == Defect::Kind::bad_ref);
      CHECK(defect.target == index);
    }
    CHECK(std::string(report.defects[0].holder_name) == "Cell");
    REQUIRE(report.defects[0].field != nullptr);
    CHECK(report.defects[0].field->name == "second");
    CHECK(report.defects[0].offset == offsetof(Cell, second));
    CHECK(std::string(report.defects[1].holder_name) == "Table");
    CHECK(report.defects[1].field == nullptr);
    CHECK(report.defects[1].element == 2);
    REQUIRE_FALSE(kit.heap.collect());
    // The second is not looked at if the first has not been found out yet.
    CHECK(kit.heap.last_collection().bad_refs >= 1);
    CHECK(kit.heap.last_collection().bad_refs <= 2);
    CHECK(kit.heap.last_collection().live_objects == 3);
  }
}

TEST_CASE("Pointers: a callback may visit exact, interior and ambiguous words", "[gc][pointers]") {
  PointerKit kit(exact_options());
  const auto define = [&](const char* name, TraceCallback trace) {
    const Result<TypeId> type =
        kit.heap.define({.name = name, .size = sizeof(Odd), .trace = trace});
    REQUIRE(type);
    return *type;
  };
  const TypeId types[] = {define("exact", trace_odd<Way::pointer>),
                          define("interior", trace_odd<Way::interior>),
                          define("ambiguous", trace_odd<Way::word>)};
  const Handle<Block> neighbour = kit.heap.make(kit.block);
  struct Case {
    const char* what;
    std::uint64_t (*word)(const Block* block);
    bool keeps[3];
    std::uint64_t bad[3];
  };
  const Case cases[] = {
      {"the start", [](const Block* b) { return address(b); }, {true, true, true}, {}},
      {"a tag", [](const Block* b) { return address(b) | 15; }, {true, true, true}, {}},
      {"inside", [](const Block* b) { return address(b) + 16; }, {false, true, true}, {1, 0, 0}},
      {"last byte", [](const Block* b) { return address(b) + 63; }, {false, true, true}, {1, 0, 0}},
      {"index", [](const Block* b) { return address(b) & 0xffffffff; }, {false, false, true}, {}},
      {"upper half", [](const Block* b) { return address(b) << 32 | 7; }, {false, false, true}, {}},
      {"an index inside",
       [](const Block* b) { return (address(b) & 0xffffffff) + 16; },
       {false, false, false},
       {}},
      {"nothing", [](const Block*) { return std::uint64_t{0}; }, {false, false, false}, {}},
  };
  for (const Case& c : cases) {
    for (int way = 0; way < 3; ++way) {
      INFO(c.what << ", way " << way);
      REQUIRE_FALSE(kit.heap.collect());  // the dead of the last round would be reported, too
      auto* odd = static_cast<Odd*>(kit.heap.allocate(types[way]));
      const Handle<Header> root(kit.heap, &odd->header);
      const Block* block = kit.heap.allocate(kit.block);
      odd->word = c.word(block);
      // Dead, the object is no object, and the word leads nowhere.
      const bool bad = c.bad[way] != 0;
      CHECK(verify(kit.heap).ok() == !bad);
      REQUIRE_FALSE(kit.heap.collect());
      CHECK(kit.heap.last_collection().bad_refs == c.bad[way]);
      CHECK(kit.heap.last_collection().live_objects == (c.keeps[way] ? 3 : 2));
    }
  }
}

TEST_CASE("Pointers: a root callback may visit them, too", "[gc][pointers][roots]") {
  Kit kit;
  struct Host {
    void* exact = nullptr;
    char* inner = nullptr;
    std::uint64_t word = 0;
  } host;
  const RootRegistration roots = kit.heap.add_roots(
      [](void* user, Tracer& tracer) {
        const auto* seen = static_cast<const Host*>(user);
        tracer.visit_pointer(seen->exact);
        tracer.visit_interior(seen->inner);
        tracer.visit_word(seen->word);
      },
      &host, "host");
  host.exact = tagged(kit.heap.allocate(kit.node), 5);
  host.inner = reinterpret_cast<char*>(kit.heap.allocate(kit.block)) + 40;
  host.word = Kit::ref_of(kit.heap.allocate(kit.node)).index();
  CHECK(kit.survivors() == 3);
  CHECK(verify(kit.heap).ok());
  host = {};
  CHECK(kit.survivors() == 0);
  host.exact = detail::base_of(kit.heap) + 32;
  const VerifyReport report = verify(kit.heap);
  REQUIRE(report.defects.size() == 1);
  CHECK(report.defects[0].kind == Defect::Kind::bad_root);
}

TEST_CASE("Pointers: stores into old objects are seen through note_store, in large tables too",
          "[gc][pointers][generational]") {
  constexpr std::uint32_t kLength = 50'000;
  HeapOptions options = exact_options();
  options.growth = Growth::fixed();
  options.generational = true;
  options.zeal = {3000, false, false};  // three collections in four are minor
  PointerKit kit(options);
  Random random = random_for("Pointers: generational");
  INFO("seed " << test_seed());
  const Handle<Table> table = kit.heap.make(kit.table, kLength);
  const Handle<Cell> cell = kit.heap.make(kit.cell);
  std::vector<std::pair<std::uint32_t, Ref<Node>>> stored;
  std::uint64_t minor = 0;
  for (int round = 0; round < 40; ++round) {
    for (int i = 0; i < 20; ++i) {
      const std::uint32_t place = i == 0 ? 0 : i == 1 ? kLength - 1 : random.below(kLength);
      Node* node = kit.heap.allocate(kit.node);
      (*table)[place] = tagged(node, place % 16);
      note_store(&(*table)[place]);
      std::erase_if(stored, [&](const auto& entry) { return entry.first == place; });
      stored.emplace_back(place, Kit::ref_of(node));
    }
    Node* in_cell = kit.heap.allocate(kit.node);
    cell->second = in_cell;
    note_store(&cell->second);
    const std::uint64_t before = kit.heap.stats().collections;
    while (kit.heap.stats().collections == before) {
      REQUIRE(kit.heap.allocate(kit.node) != nullptr);
    }
    minor += kit.heap.last_collection().minor;
    REQUIRE(kit.lives(Kit::ref_of(in_cell)));
    for (const auto& [place, ref] : stored) REQUIRE(kit.lives(ref));
  }
  CHECK(minor >= 20);
}

TEST_CASE("Pointers: zeal finds a pointer whose store was not noted",
          "[gc][pointers][generational][zeal]") {
  HeapOptions options = exact_options(4 * kMiB);
  options.generational = true;
  options.zeal = {2, false, false};
  CHECK_ABORTS(([&] {
                 PointerKit kit(options);
                 const Handle<Cell> cell = kit.heap.make(kit.cell);
                 for (int i = 0; i < 20; ++i) {
                   cell->first = kit.heap.allocate(kit.node);
                   // Until then it is the newest object, and safe.
                   static_cast<void>(kit.heap.allocate(kit.node));
                 }
               }()),
               "missed_store: Cell");
}

}  // namespace besom::test
