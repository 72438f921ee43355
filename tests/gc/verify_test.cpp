/// Forged refs and headers: checked access refuses them, a collection counts and never follows
/// them, verify() names both ends.

#include <functional>
#include <string>
#include <vector>

#include "freelist/free_list.hpp"
#include "inspect/free_list_of.hpp"
#include "tests/gc/kit.hpp"

namespace besom::test {
namespace {

/// A heap with objects that a forged ref can miss.
struct Scene : Kit {
  Scene() : Kit(exact_options(kMiB)) {
    target = heap.make(block);
    holder = heap.make(node);
    pair_holder = heap.make(pair);
    array = heap.make(refs, 8);
    value_array = heap.make(values, 8);
    wide = heap.make(refs, 1000);
    settle();
  }

  /// After more was allocated: what is live now, and where the largest hole is.
  void settle() {
    REQUIRE_FALSE(heap.collect());
    live = heap.last_collection().live_objects;
    hole = {};
    for (const Run run : detail::free_list_of(heap).free_blocks()) {
      if (run.size_bytes > hole.size_bytes) hole = run;
    }
    capacity = static_cast<std::uint32_t>(heap.stats().capacity);
  }

  Handle<Block> target;
  Handle<Node> holder;
  Handle<Pair> pair_holder;
  Handle<RefArray<Node>> array;
  Handle<ValueArray> value_array;
  Handle<RefArray<Node>> wide;
  std::uint64_t live = 0;
  Run hole;
  std::uint32_t capacity = 0;
};

struct Forged {
  const char* what;
  std::uint32_t bits;
};

std::vector<Forged> forged_refs(const Scene& scene) {
  const std::uint32_t good = scene.target.ref().index();
  std::vector<Forged> forged = {
      {"interior", good + 16},
      {"interior", good + 32},
      {"interior, last granule", good + 48},
      {"a free block", scene.hole.index},
      {"inside a free block", scene.hole.index + 16},
      {"last granule of a free block", scene.hole.end() - 16},
      {"at the capacity", scene.capacity},
      {"not committed", scene.capacity + 16},
      {"not committed", scene.capacity + 0x10000},
      {"at the limit", static_cast<std::uint32_t>(kMiB)},
      {"beyond the limit", static_cast<std::uint32_t>(kMiB) + 16},
      {"far away", 0x7ffffff0},
      {"far away", 0x80000000},
      {"the last index", 0xfffffff0},
      {"misaligned at the end", 0xfffffffe},
  };
  for (std::uint32_t off = 2; off < 16; off += 2) {
    forged.push_back({"misaligned", good + off});
    forged.push_back({"misaligned null", off});
  }
  return forged;
}

/// Where a ref may stand, and what a report should call the place.
struct Place {
  const char* name;
  std::function<void*(Scene&)> slot;
  bool takes_integers;
  std::string holder_name;
  std::string slot_name;
};

std::vector<Place> places() {
  return {
      {"ref field", [](Scene& s) -> void* { return &s.holder->right; }, false, "Node", "right"},
      {"value field", [](Scene& s) -> void* { return &s.pair_holder->tail; }, true, "Pair", "tail"},
      {"field at an object's end", [](Scene& s) -> void* { return &s.target->last; }, false,
       "Block", "last"},
      {"first element", [](Scene& s) -> void* { return &(*s.array)[0]; }, false, "RefArray", "0"},
      {"last element", [](Scene& s) -> void* { return &(*s.array)[7]; }, false, "RefArray", "7"},
      {"value element", [](Scene& s) -> void* { return &(*s.value_array)[3]; }, true, "ValueArray",
       "3"},
      {"element of a sliced array", [](Scene& s) -> void* { return &(*s.wide)[999]; }, false,
       "RefArray", "999"},
  };
}

}  // namespace

TEST_CASE("Forged refs are refused by checked access", "[gc][verify][misuse]") {
  MisuseTable table("checked access to forged refs");
  Scene scene;
  std::vector<Forged> forged = forged_refs(scene);
  for (std::uint32_t off = 1; off < 16; off += 2) {
    forged.push_back({"odd", scene.target.ref().index() + off});
    forged.push_back({"odd null", off});
  }
  forged.push_back({"null", 0});
  forged.push_back({"all ones", 0xffffffff});
  for (const Forged& ref : forged) {
    INFO(ref.what << ' ' << ref.bits);
    const Result<Header*> any = scene.heap.check(Ref<void>(ref.bits));
    CHECK_FALSE(any);
    CHECK(any.error().code == Errc::bad_ref);
    CHECK(any.error().bytes == ref.bits);
    CHECK(scene.heap.check(Ref<Block>(ref.bits), scene.block).error().code == Errc::bad_ref);
    table.row();
  }
  REQUIRE(scene.heap.check(scene.target.ref(), scene.block));
  CHECK(*scene.heap.check(scene.target.ref(), scene.block) == scene.target.get());
}

TEST_CASE("Checked access refuses a ref of another type", "[gc][verify][misuse]") {
  MisuseTable table("checked access by the wrong type");
  Scene scene;
  const std::uint32_t objects[] = {scene.target.ref().index(), scene.holder.ref().index(),
                                   scene.pair_holder.ref().index(), scene.array.ref().index(),
                                   scene.value_array.ref().index()};
  for (const std::uint32_t index : objects) {
    int accepted = 0;
    for (TypeId type = 1; type <= 9; ++type) {
      const Result<Header*> header = scene.heap.check(Ref<void>(index), type);
      accepted += header ? 1 : 0;
      if (!header) {
        CHECK(header.error().code == Errc::bad_ref);
        table.row();
      }
    }
    CHECK(accepted == 1);
    CHECK(scene.heap.check(Ref<void>(index)));
  }
}

TEST_CASE("Checked access refuses refs to what was collected, and to memory in windows",
          "[gc][verify][misuse]") {
  Kit kit(exact_options(kMiB));
  std::vector<Ref<Node>> refs;
  for (int i = 0; i < 1000; ++i) refs.push_back(Kit::ref_of(kit.heap.allocate(kit.node)));
  for (const Ref<Node> ref : refs) CHECK(kit.lives(ref));
  // What the window has not handed out is no object yet.
  for (std::uint32_t i = 1; i < 50; ++i) {
    CHECK_FALSE(kit.lives(Ref<Node>(refs.back().index() + i * 16)));
  }
  CHECK(kit.survivors() == 0);
  for (const Ref<Node> ref : refs) CHECK_FALSE(kit.lives(ref));
}

TEST_CASE("Forged refs in objects are counted, not followed, and reported with both ends",
          "[gc][verify][misuse]") {
  MisuseTable table("forged refs in objects");
  for (const Place& place : places()) {
    Scene scene;
    for (const Forged& ref : forged_refs(scene)) {
      INFO(ref.what << ' ' << ref.bits << " in a " << place.name);
      void* slot = place.slot(scene);
      forge(slot, ref.bits);
      const auto* bytes = static_cast<const char*>(slot);
      const Header* holder = scene.heap.object_start(bytes);
      const VerifyReport report = verify(scene.heap);
      REQUIRE(report.defects.size() == 1);
      const Defect& defect = report.defects[0];
      CHECK(defect.kind == Defect::Kind::bad_ref);
      CHECK(defect.holder == detail::index_of(holder));
      CHECK(defect.offset ==
            static_cast<std::uint32_t>(bytes - reinterpret_cast<const char*>(holder)));
      CHECK(defect.target == ref.bits);
      CHECK(defect.holder_name == place.holder_name);
      CHECK(defect.message().find(" " + place.slot_name + " (at ") != std::string::npos);
      CHECK(defect.message().find(place.holder_name) != std::string::npos);
      REQUIRE_FALSE(scene.heap.collect());
      CHECK(scene.heap.last_collection().bad_refs == 1);
      CHECK(scene.heap.last_collection().bad_headers == 0);
      CHECK(scene.heap.last_collection().live_objects == scene.live);
      std::uint32_t bits;
      std::memcpy(&bits, slot, sizeof bits);
      CHECK(bits == ref.bits);  // left as it is
      forge(slot, 0);
      table.row();
    }
    CHECK(verify(scene.heap).ok());
    REQUIRE_FALSE(scene.heap.collect());
    CHECK(scene.heap.last_collection().bad_refs == 0);
  }
}

TEST_CASE("An integer is damage in a ref slot, and fine in a value slot", "[gc][verify]") {
  for (const Place& place : places()) {
    Scene scene;
    for (const std::uint32_t bits : {1u, 0x7fffffffu, 0xffffffffu, scene.target.ref().index() + 1,
                                     scene.target.ref().index() + 15}) {
      INFO(bits << " in a " << place.name);
      forge(place.slot(scene), bits);
      CHECK(verify(scene.heap).ok() == place.takes_integers);
      REQUIRE_FALSE(scene.heap.collect());
      CHECK(scene.heap.last_collection().bad_refs == (place.takes_integers ? 0 : 1));
      CHECK(scene.heap.last_collection().live_objects == scene.live);
      forge(place.slot(scene), 0);
    }
  }
}

TEST_CASE("Forged roots are counted, not followed, and reported with their label",
          "[gc][verify][misuse]") {
  MisuseTable table("forged roots");
  Scene scene;
  std::uint32_t slots[3] = {};
  const RootRegistration range = scene.heap.add_root_range(slots, 3, "registers");
  std::uint32_t called = 0;
  const RootRegistration callback = scene.heap.add_roots(
      [](void* user, Tracer& tracer) { tracer.visit(*static_cast<std::uint32_t*>(user)); }, &called,
      "interpreter");
  for (const Forged& ref : forged_refs(scene)) {
    for (std::uint32_t* slot : {&slots[1], &called}) {
      INFO(ref.what << ' ' << ref.bits);
      *slot = ref.bits;
      const VerifyReport report = verify(scene.heap);
      REQUIRE(report.defects.size() == 1);
      CHECK(report.defects[0].kind == Defect::Kind::bad_root);
      CHECK(report.defects[0].target == ref.bits);
      CHECK(report.defects[0].holder == 0);
      CHECK(std::string(report.defects[0].holder_name) ==
            (slot == &called ? "interpreter" : "registers"));
      CHECK(report.defects[0].message().find("bad_root") == 0);
      REQUIRE_FALSE(scene.heap.collect());
      CHECK(scene.heap.last_collection().bad_refs == 1);
      CHECK(scene.heap.last_collection().live_objects == scene.live);
      *slot = 0;
      table.row();
    }
  }
}

TEST_CASE("Forged refs that a trace callback visits are counted and reported", "[gc][verify]") {
  struct Traced {
    Header header;
    std::uint32_t slot;
    std::uint32_t unused;
  };
  Scene scene;
  const Result<TypeId> type =
      scene.heap.define({.name = "Traced",
                         .size = sizeof(Traced),
                         .trace = [](const void* object, std::uint32_t, Tracer& tracer) {
                           tracer.visit(static_cast<const Traced*>(object)->slot);
                         }});
  REQUIRE(type);
  const Handle<Traced> traced(scene.heap, static_cast<Traced*>(scene.heap.allocate(*type)));
  scene.settle();
  for (const Forged& ref : forged_refs(scene)) {
    INFO(ref.what << ' ' << ref.bits);
    traced->slot = ref.bits;
    const VerifyReport report = verify(scene.heap);
    REQUIRE(report.defects.size() == 1);
    CHECK(report.defects[0].holder == traced.ref().index());
    CHECK(std::string(report.defects[0].holder_name) == "Traced");
    CHECK(report.defects[0].target == ref.bits);
    REQUIRE_FALSE(scene.heap.collect());
    CHECK(scene.heap.last_collection().bad_refs == 1);
    CHECK(scene.heap.last_collection().live_objects == scene.live);
  }
}

TEST_CASE("Headers that contradict the tables: the object stays, what it claims is not believed",
          "[gc][verify][misuse]") {
  struct Row {
    const char* what;
    bool is_array;
    Header header;
  };
  const Row rows[] = {
      {"no type", false, {0, 0}},
      {"an unknown type", false, {9, 0}},
      {"an unknown type", false, {0x80000000, 0}},
      {"the greatest type", false, {0xffffffff, 0xffffffff}},
      {"poison", false, {0x5b5b5b5b, 0x5b5b5b5b}},
      {"a larger type", false, {3, 0}},
      {"an array's type, longer than the object", false, {5, 3}},
      {"an array's type, length 2^32 - 1", false, {5, 0xffffffff}},
      {"one element more", true, {5, 11}},
      {"length that wraps in 32 bits", true, {5, 0x40000000}},
      {"length 2^32 - 1", true, {5, 0xffffffff}},
      {"length 2^31", true, {5, 0x80000000}},
      {"bytes, one too many", true, {7, 41}},
      {"bytes, length 2^32 - 1", true, {7, 0xffffffff}},
      {"values, length 2^32 - 1", true, {6, 0xffffffff}},
      {"no type, long", true, {0, 0xffffffff}},
  };
  MisuseTable table("headers that lie");
  for (const Row& row : rows) {
    INFO(row.what);
    Scene scene;
    REQUIRE(scene.block.id == 3);
    REQUIRE(scene.refs.id == 5);
    // Of 10 elements: 48 bytes, none to spare.
    Handle<RefArray<Node>> array = scene.heap.make(scene.refs, 10);
    Handle<Node> node = scene.heap.make(scene.node);
    (*array)[0] = scene.heap.allocate(scene.node);
    node->left = scene.heap.allocate(scene.node);
    REQUIRE_FALSE(scene.heap.collect());
    const std::uint64_t live = scene.heap.last_collection().live_objects;
    Header& header = row.is_array ? array->header : node->header;
    const std::uint32_t index = detail::index_of(&header);
    header = row.header;
    CHECK(scene.heap.check(Ref<void>(index)).error().code == Errc::bad_ref);
    const VerifyReport report = verify(scene.heap);
    REQUIRE(report.defects.size() == 1);
    CHECK(report.defects[0].kind == Defect::Kind::bad_header);
    CHECK(report.defects[0].holder == index);
    CHECK(report.defects[0].target == row.header.type);
    CHECK(report.defects[0].message().find("bad_header") == 0);
    REQUIRE_FALSE(scene.heap.collect());
    CHECK(scene.heap.last_collection().bad_headers == 1);
    CHECK(scene.heap.last_collection().bad_refs == 0);
    // The object is kept, its child is not.
    CHECK(scene.heap.last_collection().live_objects == live - 1);
    CHECK(scene.heap.object_start(&header) == &header);
    CHECK(scene.make_node());
    table.row();
  }
}

TEST_CASE("A shorter length than the object's is believed: it only narrows", "[gc][verify]") {
  Scene scene;
  for (std::uint32_t i = 0; i < 8; ++i) (*scene.array)[i] = scene.heap.allocate(scene.node);
  CHECK(scene.survivors() == scene.live + 8);
  scene.array->header.length = 3;
  CHECK(verify(scene.heap).ok());
  CHECK(scene.survivors() == scene.live + 3);
}

TEST_CASE("verify: reports everything it finds, not only the first", "[gc][verify]") {
  Kit kit(exact_options());
  Handle<RefArray<Node>> array = kit.heap.make(kit.refs, 2000);
  for (std::uint32_t i = 0; i < 2000; ++i) (*array)[i] = kit.heap.allocate(kit.node);
  const Ref<Node> unreachable = Kit::ref_of(kit.heap.allocate(kit.node));
  std::uint64_t wanted = 0;
  for (std::uint32_t i = 0; i < 2000; i += 20) {
    forge(&(*array)[i].get()->left, 0xdead0);
    forge(&(*array)[i].get()->right, 0xdead8);
    wanted += 2;
  }
  // Also in objects that nothing reaches.
  forge(&kit.heap.get(unreachable)->left, 0xdead0);
  ++wanted;
  (*array)[1].get()->header.type = 77;
  ++wanted;
  const VerifyReport report = verify(kit.heap);
  CHECK(report.defects.size() == wanted);
  CHECK_FALSE(report.ok());
  CHECK(report.objects == 2002);
  std::uint64_t bad_headers = 0;
  for (const Defect& defect : report.defects) {
    bad_headers += defect.kind == Defect::Kind::bad_header ? 1 : 0;
  }
  CHECK(bad_headers == 1);
}

TEST_CASE("verify: keeps as many defects as it is told to, and counts the others",
          "[gc][verify][bounds]") {
  Kit kit(exact_options());
  constexpr std::uint32_t kBad = 300'000;
  const Handle<RefArray<Node>> array = kit.heap.make(kit.refs, kBad);
  for (std::uint32_t i = 0; i < kBad; ++i) forge(&(*array)[i], 0xdead8);
  for (const std::uint64_t most : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{16},
                                   std::uint64_t{17}, VerifyReport::kMaxDefects}) {
    const VerifyReport report = verify(kit.heap, most);
    CHECK_FALSE(report.error);
    CHECK_FALSE(report.ok());
    CHECK(report.defects.size() == most);
    CHECK(report.more == kBad - most);
    CHECK(report.found() == kBad);
    CHECK(report.slots == kBad + 1);
    for (std::uint32_t i = 0; i < report.defects.size(); ++i) {
      REQUIRE(report.defects[i].element == i);
    }
  }
  CHECK(verify(kit.heap).defects.size() == VerifyReport::kMaxDefects);
  const VerifyReport all = verify(kit.heap, kBad);
  CHECK(all.defects.size() == kBad);
  CHECK(all.more == 0);
  CHECK_FALSE(all.ok());
}

TEST_CASE("verify: a message is cut to its buffer, and its whole length is returned",
          "[gc][verify][bounds]") {
  Kit kit(exact_options());
  const std::string long_name(3000, 'n');
  const Result<TypeId> type =
      kit.heap.define({.name = long_name, .size = 16, .fields = {{long_name, 8}, {"ref", 12}}});
  REQUIRE(type);
  const Handle<Header> object(kit.heap, static_cast<Header*>(kit.heap.allocate(*type)));
  forge(reinterpret_cast<char*>(object.get()) + 8, 0xdead0);
  const VerifyReport report = verify(kit.heap);
  REQUIRE(report.defects.size() == 1);
  const std::string message = report.defects[0].message();
  CHECK(message.size() > 6000);
  CHECK(message.find(long_name + " (at +8) holds 0xdead0") != std::string::npos);
  for (const std::size_t size : {0, 1, 2, 17, 1024, 10'000}) {
    std::vector<char> buffer(size + 1, '#');
    CHECK(report.defects[0].write_message(buffer.data(), size) == message.size());
    CHECK(buffer[size] == '#');
    if (size != 0) CHECK(message.substr(0, size - 1) == buffer.data());
  }
}

TEST_CASE("verify: counts objects and slots, reachable or not, also in open windows",
          "[gc][verify]") {
  Kit kit(exact_options());
  for (int i = 0; i < 100; ++i) static_cast<void>(kit.heap.allocate(kit.node));
  static_cast<void>(kit.heap.allocate(kit.values, 10));
  VerifyReport report = verify(kit.heap);
  CHECK(report.objects == 101);
  CHECK(report.slots == 210);
  for (int i = 0; i < 100; ++i) static_cast<void>(kit.heap.allocate(kit.node));
  report = verify(kit.heap);
  CHECK(report.objects == 201);
  CHECK(kit.survivors() == 0);
  CHECK(verify(kit.heap).objects == 0);
}

TEST_CASE("verify: finds nothing in a heap of small objects with a large one now and then",
          "[gc][verify]") {
  // Rests of large holes, and small ones of the same sizes, many to a KiB.
  for (const std::uint64_t seed : {395u, 400u, 1u, 2u, 3u}) {
    Kit kit(exact_options(2 * kMiB));
    std::uint64_t state = seed;
    const auto below = [&state](std::uint32_t limit) {
      state = state * 6364136223846793005 + 1442695040888963407;
      return static_cast<std::uint32_t>((state >> 33) % limit);
    };
    INFO("seed " << seed);
    for (int step = 0; step < 3000; ++step) {
      if (below(6) != 0) {
        REQUIRE(kit.heap.allocate(kit.bytes, below(12) * 16 + 1) != nullptr);
        continue;
      }
      REQUIRE(kit.heap.allocate(kit.bytes, 1000 + below(1200)) != nullptr);
      if (below(2) == 0) REQUIRE(verify(kit.heap).ok());
    }
  }
}

TEST_CASE("reset: restores service after damage", "[gc][verify]") {
  Scene scene;
  forge(&scene.holder->left, 0xfffffff0);
  scene.array->header = {0xffffffff, 0xffffffff};
  REQUIRE_FALSE(verify(scene.heap).ok());
  REQUIRE_FALSE(scene.heap.reset());
  CHECK(verify(scene.heap).ok());
  CHECK(scene.survivors() == 0);
  const Handle<RefArray<Node>> array = scene.heap.make(scene.refs, 8);
  for (std::uint32_t i = 0; i < 8; ++i) CHECK((*array)[i].get() == nullptr);
  CHECK(scene.survivors() == 1);
}

}  // namespace besom::test
