/// Objects whose slots are boxes: NaN boxes with an index, addresses with tags in the high bits.

#include <string>
#include <vector>

#include "tests/gc/generational_kit.hpp"

namespace besom::test {
namespace {

constexpr std::uint64_t kTop = std::uint64_t{0xffff} << 48;

/// A way to box refs, and how the program that has it makes one.
struct Layout {
  const char* name;
  BoxFormat format;

  [[nodiscard]] std::uint64_t box(const void* object) const {
    const auto address = reinterpret_cast<std::uintptr_t>(object);
    const bool is_index = format.payload == BoxPayload::index;
    const std::uint64_t payload = is_index ? static_cast<std::uint32_t>(address) : address;
    return (format.shift >= 0 ? payload << format.shift : payload >> -format.shift) | format.tag;
  }
};

constexpr Layout kNan{"NaN, index", {.mask = kTop, .tag = std::uint64_t{0xfff9} << 48}};
constexpr Layout kTagged{
    "high tag, address",
    {.mask = kTop, .tag = std::uint64_t{7} << 48, .payload = BoxPayload::address}};
constexpr Layout kLayouts[] = {
    kNan,
    kTagged,
    {"NaN, granule", {.mask = kTop, .tag = std::uint64_t{0xfff9} << 48, .shift = -4}},
    {"NaN, index 12 up", {.mask = kTop, .tag = std::uint64_t{0xfff9} << 48, .shift = 12}},
    {"low tag, index in the upper half", {.mask = 7, .tag = 5, .shift = 32}},
    {"no bits set, address",
     {.mask = kTop >> 1 | kTop | 2, .tag = 0, .payload = BoxPayload::address}},
    {"low tag, address 16 up",
     {.mask = 0xffff, .tag = 0x1234, .shift = 16, .payload = BoxPayload::address}},
};

struct Boxed {
  Header header;
  BoxMember first;
  double number;
  BoxMember second;
};

struct BoxKit : Kit {
  explicit BoxKit(const Layout& a_layout, const HeapOptions& options = any_options())
      : Kit(options), layout(a_layout) {
    const Result<TypeId> fixed =
        heap.define({.name = "Boxed",
                     .size = sizeof(Boxed),
                     .fields = {{"first", 8, SlotKind::box}, {"second", 24, SlotKind::box}},
                     .box = layout.format});
    const Result<TypeId> array = heap.define({.name = "Boxes",
                                              .size = sizeof(Header),
                                              .trailing = Trailing::boxes,
                                              .box = layout.format});
    REQUIRE(fixed);
    REQUIRE(array);
    boxed.id = *fixed;
    boxes.id = *array;
  }
  Handle<Boxed> make_boxed() { return heap.make(boxed); }
  [[nodiscard]] static BoxMember& element(const Handle<Header>& array, std::uint32_t i) {
    return trailing_of<BoxMember>(array.get())[i];
  }

  const Layout& layout;
  Type<Boxed> boxed;
  Type<Header> boxes;
};

}  // namespace

TEST_CASE("Boxes: an object behind a boxed ref lives, and goes with the box",
          "[gc][boxes][reachability]") {
  for (const Layout& layout : kLayouts) {
    INFO(layout.name);
    BoxKit kit(layout);
    const Handle<Boxed> boxed = kit.make_boxed();
    Node* node = kit.heap.allocate(kit.node);
    boxed->first = layout.box(node);
    node->left = kit.heap.allocate(kit.node);
    boxed->second = boxed->first;
    CHECK(kit.survivors() == 3);
    boxed->first = 0;
    CHECK(kit.survivors() == 3);
    boxed->second = layout.box(nullptr);
    CHECK(kit.survivors() == 1);
    CHECK(verify(kit.heap).ok());
  }
}

TEST_CASE("Boxes: what is no ref is passed over, whatever its other bits", "[gc][boxes]") {
  for (const Layout& layout : kLayouts) {
    INFO(layout.name);
    BoxKit kit(layout);
    const Handle<Boxed> boxed = kit.make_boxed();
    const std::uint64_t box = layout.box(kit.heap.allocate(kit.node));
    for (std::uint64_t bit = 1; bit != 0; bit <<= 1) {
      if ((layout.format.mask & bit) == 0) continue;
      boxed->first = box ^ bit;
      CHECK(kit.survivors() == 1);
      CHECK(verify(kit.heap).ok());
    }
  }
}

TEST_CASE("Boxes: bits that are neither tag nor ref may be anything", "[gc][boxes]") {
  for (const Layout& layout : kLayouts) {
    INFO(layout.name);
    BoxKit kit(layout);
    const Handle<Boxed> boxed = kit.make_boxed();
    Node* node = kit.heap.allocate(kit.node);
    boxed->first = layout.box(node) | ~(layout.format.mask | layout.format.payload_bits());
    CHECK(kit.survivors() == 2);
    CHECK(kit.lives(Kit::ref_of(node)));
    CHECK(verify(kit.heap).ok());
  }
}

TEST_CASE("Boxes: addresses outside the arena are the host's own", "[gc][boxes]") {
  BoxKit kit(kTagged);
  BoxKit other(kTagged);
  const Handle<Boxed> boxed = kit.make_boxed();
  const Handle<Node> foreign = other.make_node();
  static int global = 0;
  char* const base = detail::base_of(kit.heap);
  for (const void* stranger :
       {static_cast<const void*>(&global), static_cast<const void*>(foreign.get()),
        static_cast<const void*>(base - 16),
        static_cast<const void*>(base + kit.heap.stats().capacity),
        static_cast<const void*>(base + (std::uint64_t{1} << 32))}) {
    boxed->first = kTagged.box(stranger);
    CHECK(kit.survivors() == 1);
    CHECK(verify(kit.heap).ok());
  }
}

TEST_CASE("Boxes: an array of them keeps what is in it, at any length, with a stack of any size",
          "[gc][boxes][arrays]") {
  for (const Layout& layout : {kLayouts[0], kLayouts[3], kLayouts[6]}) {
    for (const std::uint32_t stack : {0u, 2u}) {
      HeapOptions options = exact_options();
      options.mark_stack = stack;
      BoxKit kit(layout, options);
      for (const std::uint32_t length : {0u, 1u, 255u, 257u, 20'000u}) {
        INFO(layout.name << ", length " << length << ", stack " << stack);
        const Handle<Header> array = kit.heap.make(kit.boxes, length);
        for (std::uint32_t i = 0; i < length; ++i) {
          BoxKit::element(array, i) = layout.box(kit.heap.allocate(kit.node));
        }
        CHECK(kit.survivors() == length + 1);
        for (std::uint32_t i = 0; i < length; i += 2) BoxKit::element(array, i) = 0;
        CHECK(kit.survivors() == length / 2 + 1);
      }
    }
  }
}

TEST_CASE("Boxes: beside refs, values and weak slots each slot is what it is", "[gc][boxes]") {
  Kit kit(exact_options());
  const Result<TypeId> type = kit.heap.define({.name = "Mixed",
                                               .size = 40,
                                               .fields = {{"box", 16, SlotKind::box},
                                                          {"ref", 8},
                                                          {"value", 12, SlotKind::value},
                                                          {"pointer", 24, SlotKind::pointer},
                                                          {"weak", 32, SlotKind::weak}},
                                               .box = kNan.format});
  REQUIRE(type);
  const Handle<Header> mixed(kit.heap, static_cast<Header*>(kit.heap.allocate(*type)));
  char* const at = reinterpret_cast<char*>(mixed.get());
  forge(at + 8, Kit::ref_of(kit.heap.allocate(kit.node)).index());
  forge(at + 12, Value::integer(77).bits());
  const std::uint64_t box = kNan.box(kit.heap.allocate(kit.node));
  std::memcpy(at + 16, &box, sizeof box);
  Node* const pointed = kit.heap.allocate(kit.node);
  std::memcpy(at + 24, &pointed, sizeof pointed);
  forge(at + 32, Kit::ref_of(kit.heap.allocate(kit.node)).index());
  CHECK(kit.survivors() == 4);
  CHECK(kit.heap.last_collection().weak_cleared == 1);
}

TEST_CASE("Boxes: a ref to no object's start is counted, reported and not followed",
          "[gc][boxes][verify]") {
  for (const Layout& layout : kLayouts) {
    BoxKit kit(layout, exact_options());
    const Handle<Boxed> boxed = kit.make_boxed();
    const Handle<Header> array = kit.heap.make(kit.boxes, 3);
    const Handle<Block> block = kit.heap.make(kit.block);
    REQUIRE_FALSE(kit.heap.collect());
    char* const base = detail::base_of(kit.heap);
    for (char* wrong :
         {reinterpret_cast<char*>(block.get()) + 16, base + kit.heap.stats().capacity - 16}) {
      INFO(layout.name << ", " << wrong - base);
      boxed->second = layout.box(wrong);
      BoxKit::element(array, 2) = layout.box(wrong);
      const VerifyReport report = verify(kit.heap);
      REQUIRE(report.defects.size() == 2);
      for (const Defect& defect : report.defects) {
        CHECK(defect.kind == Defect::Kind::bad_ref);
        CHECK(defect.target == static_cast<std::uint32_t>(wrong - base));
      }
      REQUIRE(report.defects[0].field != nullptr);
      CHECK(report.defects[0].field->name == "second");
      CHECK(report.defects[0].offset == 24);
      CHECK(report.defects[1].element == 2);
      REQUIRE_FALSE(kit.heap.collect());
      CHECK(kit.heap.last_collection().bad_refs >= 1);
      CHECK(kit.heap.last_collection().live_objects == 3);
    }
    if (layout.format.payload != BoxPayload::address) continue;
    // Of an index it is null.
    boxed->second = layout.box(base);
    BoxKit::element(array, 2) = 0;
    CHECK(verify(kit.heap).defects.size() == 1);
    REQUIRE_FALSE(kit.heap.collect());
    CHECK(kit.heap.last_collection().bad_refs == 1);
  }
}

TEST_CASE("Boxes: whatever stands in them, nothing outside is touched", "[gc][boxes]") {
  Random random = random_for("Boxes: damage");
  INFO("seed " << test_seed());
  for (const Layout& layout : kLayouts) {
    INFO(layout.name);
    BoxKit kit(layout, exact_options());
    const Handle<Header> array = kit.heap.make(kit.boxes, 300);
    std::vector<Handle<Boxed>> fixed;
    for (int i = 0; i < 50; ++i) fixed.push_back(kit.make_boxed());
    for (int round = 0; round < 40; ++round) {
      const auto damage = [&] {
        return random.chance(50) ? random.next()
                                 : (random.next() & ~layout.format.mask) | layout.format.tag;
      };
      for (std::uint32_t i = 0; i < 300; ++i) BoxKit::element(array, i) = damage();
      for (const Handle<Boxed>& boxed : fixed) boxed->first = damage();
      REQUIRE_FALSE(kit.heap.collect());
      static_cast<void>(verify(kit.heap));
    }
    for (std::uint32_t i = 0; i < 300; ++i) BoxKit::element(array, i) = 0;
    for (const Handle<Boxed>& boxed : fixed) boxed->first = 0;
    CHECK(kit.survivors() == 51);
  }
}

TEST_CASE("Boxes: minor collections see what is stored into old objects",
          "[gc][boxes][generational]") {
  for (const Layout& layout : kLayouts) {
    INFO(layout.name);
    BoxKit kit(layout, generational_options());
    const Handle<Node> ballast = make_ballast(kit);
    const Handle<Boxed> boxed = kit.make_boxed();
    const Handle<Header> array = kit.heap.make(kit.boxes, 1000);
    REQUIRE_FALSE(kit.heap.collect());
    Node* in_field = kit.heap.allocate(kit.node);
    boxed->second = layout.box(in_field);
    Node* in_array = kit.heap.allocate(kit.node);
    BoxKit::element(array, 999) = layout.box(in_array);
    force_minor(kit);
    CHECK(kit.lives(Kit::ref_of(in_field)));
    CHECK(kit.lives(Kit::ref_of(in_array)));
  }
}

TEST_CASE("Boxes: zeal finds one that was stored past the barrier",
          "[gc][boxes][generational][zeal]") {
  HeapOptions options = exact_options(4 * kMiB);
  options.generational = true;
  options.zeal = {2, false, false};
  CHECK_ABORTS(([&] {
                 BoxKit kit(kLayouts[3], options);
                 const Handle<Boxed> boxed = kit.make_boxed();
                 for (int i = 0; i < 20; ++i) {
                   const std::uint64_t box = kLayouts[3].box(kit.heap.allocate(kit.node));
                   forge(&boxed->first, static_cast<std::uint32_t>(box));
                   forge(reinterpret_cast<char*>(&boxed->first) + 4,
                         static_cast<std::uint32_t>(box >> 32));
                   // Until then it is the newest object, and safe.
                   static_cast<void>(kit.heap.allocate(kit.node));
                 }
               }()),
               "missed_store: Boxed");
}

TEST_CASE("Boxes: in a cycle, what a store takes away is kept, wherever the ref is in the word",
          "[gc][boxes][incremental]") {
  for (const Layout& layout : kLayouts) {
    INFO(layout.name);
    HeapOptions options = exact_options();
    options.incremental = true;
    options.slice = 1;
    BoxKit kit(layout, options);
    const Handle<Boxed> taker = kit.make_boxed();
    const Handle<Node> list = kit.make_node();
    Node* last = list.get();
    for (int i = 0; i < 100; ++i) last = (last->left = kit.heap.allocate(kit.node)).get();
    Boxed* const holder = kit.heap.allocate(kit.boxed);
    last->right = reinterpret_cast<Node*>(holder);
    Node* moved = kit.heap.allocate(kit.node);
    holder->second = layout.box(moved);
    static_cast<void>(kit.heap.allocate(kit.node));  // the newest is a root
    REQUIRE(kit.heap.step(1));
    REQUIRE(kit.heap.step(2));
    // From where nobody has been yet to where nobody comes again.
    taker->second = holder->second.get();
    holder->second = 0;
    while (kit.heap.last_collection().number == 0) REQUIRE(kit.heap.step(10));
    CHECK(kit.lives(Kit::ref_of(moved)));
    CHECK(kit.survivors() == 104);
  }
}

TEST_CASE("Boxes: a root callback visits them by their format", "[gc][boxes][roots]") {
  for (const Layout& layout : kLayouts) {
    INFO(layout.name);
    Kit kit;
    struct Host {
      const Layout& layout;
      std::uint64_t words[2];
    } host{layout, {}};
    const RootRegistration roots = kit.heap.add_roots(
        [](void* user, Tracer& tracer) {
          const auto* seen = static_cast<const Host*>(user);
          for (const std::uint64_t word : seen->words) tracer.visit_box(word, seen->layout.format);
        },
        &host, "words");
    host.words[0] = layout.box(kit.heap.allocate(kit.node));
    host.words[1] = ~layout.format.tag;
    CHECK(kit.survivors() == 1);
    host.words[0] = layout.box(nullptr);
    CHECK(kit.survivors() == 0);
    CHECK(verify(kit.heap).ok());
  }
}

TEST_CASE("Boxes: paths and snapshots go through them", "[gc][boxes][inspection]") {
  for (const Layout& layout : kLayouts) {
    INFO(layout.name);
    BoxKit kit(layout);
    const Handle<Boxed> boxed = kit.make_boxed();
    Handle<Header> array = kit.heap.make(kit.boxes, 10);
    boxed->second = layout.box(array.get());
    Node* node = kit.heap.allocate(kit.node);
    BoxKit::element(array, 7) = layout.box(node);
    BoxKit::element(array, 8) = 12345678;
    array.reset();
    const Result<RootPath> path = path_to_root(kit.heap, Ref<void>(Kit::ref_of(node)));
    REQUIRE(path);
    REQUIRE(path->steps().size() == 3);
    REQUIRE(path->steps()[1].field != nullptr);
    CHECK(path->steps()[1].field->name == "second");
    CHECK(path->steps()[2].via == PathStep::Via::element);
    CHECK(path->steps()[2].element == 7);
    std::string text;
    const SnapshotSink sink{[](void* user, const char* bytes, std::size_t count) {
                              static_cast<std::string*>(user)->append(bytes, count);
                              return true;
                            },
                            &text};
    const Result<SnapshotStats> stats = write_snapshot(kit.heap, sink);
    REQUIRE(stats);
    CHECK(stats->bad_refs == 0);
  }
}

TEST_CASE("Boxes: a full collection in a heap with both kinds of words loses neither",
          "[gc][boxes][pointers]") {
  BoxKit kit(kNan, exact_options());
  Random random = random_for("Boxes: both");
  INFO("seed " << test_seed());
  const Handle<Header> array = kit.heap.make(kit.boxes, 2000);
  for (std::uint32_t i = 0; i < 2000; ++i) {
    Node* node = kit.heap.allocate(kit.node);
    BoxKit::element(array, i) = kNan.box(node);
    Boxed* boxed = kit.heap.allocate(kit.boxed);
    node->right = reinterpret_cast<Node*>(boxed);
    if (random.chance(50)) boxed->first = BoxKit::element(array, random.below(i + 1)).get();
    boxed->second = random.next() >> 16;
  }
  CHECK(kit.survivors() == 4001);
}

}  // namespace besom::test
