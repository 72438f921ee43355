/// Objects without refs are marked without a look at them: what that may not change.

#include <cstring>
#include <vector>

#include "tests/gc/weak_kit.hpp"

namespace besom::test {
namespace {

/// Says that it has no slots, and has one.
struct FalseLeaf {
  static constexpr bool kLeaf = true;
  Header header;
  Member<Node> child;
  std::uint32_t rest;

  static TypeDescriptor type() {
    return {.name = "FalseLeaf",
            .size = sizeof(FalseLeaf),
            .fields = {{.name = "child", .offset = offsetof(FalseLeaf, child)}}};
  }
};

}  // namespace

TEST_CASE("Leaves: what takes the place of a dead one keeps what it refers to",
          "[gc][leaves][reachability]") {
  Kit kit;
  constexpr std::uint32_t kCount = 500;
  for (int round = 0; round < 4; ++round) {
    {
      const Handle<RefArray<ByteArray>> leaves =
          kit.heap.make(kit.defined<RefArray<ByteArray>>(), kCount);
      for (std::uint32_t i = 0; i < kCount; ++i) {
        (*leaves)[i] = kit.heap.allocate(kit.bytes, sizeof(Node) - sizeof(Header));
        REQUIRE((*leaves)[i].get() != nullptr);
      }
      CHECK(kit.survivors() == kCount + 1);
    }
    CHECK(kit.survivors() == 0);
    const Handle<RefArray<Node>> nodes = kit.heap.make(kit.refs, kCount);
    for (std::uint32_t i = 0; i < kCount; ++i) {
      (*nodes)[i] = kit.heap.allocate(kit.node);
      (*nodes)[i]->left = kit.heap.allocate(kit.node);
    }
    CHECK(kit.survivors() == 2 * kCount + 1);
    CHECK(kit.survivors() == 2 * kCount + 1);
  }
}

TEST_CASE("Leaves: as keys of ephemerons they keep the values, whoever is met first",
          "[gc][leaves][ephemerons]") {
  WeakKit kit;
  constexpr std::uint32_t kCount = 100;
  // Before the entries and after them.
  for (const bool keys_first : {true, false}) {
    Handle<RefArray<ByteArray>> keys;
    const auto make_keys = [&] {
      keys = kit.heap.make(kit.defined<RefArray<ByteArray>>(), kCount);
    };
    if (keys_first) make_keys();
    const Handle<EphemeronArray> entries = kit.heap.make(kit.ephemerons, kCount);
    if (!keys_first) make_keys();
    for (std::uint32_t i = 0; i < kCount; ++i) {
      (*keys)[i] = kit.heap.allocate(kit.bytes, 8);
      (*entries)[i].key = Value((*keys)[i].ref());
      (*entries)[i].value = Value(Kit::ref_of(kit.heap.allocate(kit.node)));
    }
    for (int round = 0; round < 3; ++round) CHECK(kit.survivors() == 2 * kCount + 2);
    for (std::uint32_t i = 0; i < kCount; i += 2) (*keys)[i] = nullptr;
    for (int round = 0; round < 3; ++round) CHECK(kit.survivors() == kCount + 2);
    for (std::uint32_t i = 0; i < kCount; ++i) CHECK((*entries)[i].is_broken() == (i % 2 == 0));
  }
}

TEST_CASE("Leaves: one whose header names a type with refs is a defect, and is not followed",
          "[gc][leaves][trust]") {
  Kit kit(exact_options());
  const Handle<ByteArray> leaf = kit.heap.make(kit.bytes, sizeof(Node) - sizeof(Header));
  const Ref<Node> lost = Kit::ref_of(kit.heap.allocate(kit.node));
  leaf->header.type = kit.node.id;
  std::memcpy(leaf->data(), &lost, sizeof lost);
  const VerifyReport report = verify(kit.heap);
  REQUIRE(report.defects.size() == 1);
  CHECK(report.defects[0].kind == Defect::Kind::bad_header);
  CHECK(report.defects[0].holder == leaf.ref().index());
  CHECK(kit.survivors() == 1);
  leaf->header.type = kit.bytes.id;
  std::memset(leaf->data(), 0, sizeof lost);
}

TEST_CASE("Leaves: a heap that was reset has none left", "[gc][leaves]") {
  Kit kit(exact_options());
  for (int i = 0; i < 1000; ++i) REQUIRE(kit.heap.allocate(kit.bytes, 8) != nullptr);
  REQUIRE_FALSE(kit.heap.reset());
  std::vector<Handle<Node>> held;
  for (int i = 0; i < 1000; ++i) {
    held.push_back(kit.make_node());
    held.back()->left = kit.heap.allocate(kit.node);
  }
  CHECK(kit.survivors() == 2000);
}

TEST_CASE("Leaves: a type with slots that says it has none is refused", "[gc][leaves]") {
  Kit kit;
  CHECK(kit.heap.define<FalseLeaf>().error().code == Errc::bad_type);
}

}  // namespace besom::test
