/// contains() and object_start(): any address at all, against what is known about the heap.

#include <map>

#include "tests/gc/kit.hpp"

namespace besom::test {
namespace {

const char* bytes_of(const void* address) { return static_cast<const char*>(address); }

}  // namespace

TEST_CASE("Addresses: every byte of an object leads to its start, the one behind it does not",
          "[gc][addresses]") {
  Kit kit;
  const Handle<Block> block = kit.heap.make(kit.block);
  const Handle<RefArray<Node>> array = kit.heap.make(kit.refs, 20'000);
  const Handle<Node> node = kit.make_node();
  const struct {
    Header* object;
    std::uint64_t bytes;
  } objects[] = {{&block->header, 64}, {&array->header, 80'016}, {&node->header, 16}};
  for (const auto& [object, bytes] : objects) {
    for (std::uint64_t i = 0; i<bytes; i += bytes> 1000 ? 37 : 1) {
      REQUIRE(kit.heap.object_start(bytes_of(object) + i) == object);
    }
    CHECK(kit.heap.object_start(bytes_of(object) + bytes - 1) == object);
    CHECK(kit.heap.object_start(bytes_of(object) + bytes) != object);
    CHECK(kit.heap.object_start(bytes_of(object) - 1) != object);
    CHECK(kit.heap.contains(object));
  }
}

TEST_CASE("Addresses: holes and the unused part of a window hold no object", "[gc][addresses]") {
  Kit kit(exact_options());
  // The window's next place lies right behind the first object in it.
  Node* first = kit.heap.allocate(kit.node);
  CHECK(kit.heap.object_start(first) == &first->header);
  CHECK(kit.heap.object_start(first + 1) == nullptr);
  CHECK(kit.heap.contains(first + 1));
  Node* second = kit.heap.allocate(kit.node);
  CHECK(second == first + 1);
  CHECK(kit.heap.object_start(bytes_of(second) + 15) == &second->header);

  const Handle<Node> kept(kit.heap, second);
  REQUIRE_FALSE(kit.heap.collect());
  CHECK(kit.heap.object_start(first) == nullptr);
  CHECK(kit.heap.object_start(second) == &second->header);
  const char* base = detail::base_of(kit.heap);
  const char* end = base + kit.heap.stats().capacity;
  CHECK(kit.heap.object_start(end - 1) == nullptr);
  CHECK(kit.heap.contains(end - 1));
}

TEST_CASE("Addresses: spares that wait between live objects are no objects", "[gc][addresses]") {
  Kit kit(exact_options(kMiB));
  // Every second block is kept, so that holes are too small for windows.
  const std::uint32_t kCount = 10'000;
  const Handle<RefArray<Node>> kept = kit.heap.make(kit.refs, kCount / 2);
  for (std::uint32_t i = 0; i < kCount; ++i) {
    Node* node = kit.heap.allocate(kit.node);
    if (i % 2 == 0) (*kept)[i / 2] = node;
  }
  REQUIRE_FALSE(kit.heap.collect());
  std::map<std::uint32_t, Header*> objects;
  for (std::uint32_t i = 0; i < kCount / 2; ++i) {
    objects[(*kept)[i].ref().index()] = &(*kept)[i].get()->header;
  }
  objects[kept.ref().index()] = &kept->header;
  for (int i = 0; i < 20; ++i) {
    Node* node = kit.heap.allocate(kit.node);
    objects[Kit::ref_of(node).index()] = &node->header;
    std::uint64_t found = 0;
    const char* base = detail::base_of(kit.heap);
    for (std::uint64_t at = 0; at < kit.heap.stats().capacity; at += 16) {
      const Header* start = kit.heap.object_start(base + at + 7);
      if (start == nullptr) continue;
      const auto entry = objects.find(Ref<Header>(start).index());
      REQUIRE(entry != objects.end());
      REQUIRE(entry->second == start);
      found += bytes_of(start) == base + at ? 1 : 0;
    }
    REQUIRE(found == objects.size());
    if (kUnderSanitizer && i == 4) break;
  }
}

TEST_CASE("Addresses: outside is outside, however far", "[gc][addresses]") {
  Kit kit;
  Kit other;
  const Handle<Node> foreign = other.make_node();
  const Handle<Node> node = kit.make_node();
  char* base = detail::base_of(kit.heap);
  const std::uint64_t capacity = kit.heap.stats().capacity;
  int local = 0;
  const auto far = [&](std::uint64_t offset) {
    return reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(base) + offset);
  };
  const void* outside[] = {
      nullptr,
      &local,
      foreign.get(),
      far(-1),
      far(-16),
      far(capacity),
      far(capacity + 16),
      far((std::uint64_t{1} << 32) - 16),
      far(std::uint64_t{1} << 32),
      far((std::uint64_t{1} << 32) + node.ref().index()),
      far(std::uint64_t{1} << 63),
      far((std::uint64_t{1} << 63) + node.ref().index()),
      reinterpret_cast<const void*>(~std::uintptr_t{0}),
      // The index alone is no address.
      reinterpret_cast<const void*>(std::uintptr_t{node.ref().index()}),
  };
  for (const void* address : outside) {
    INFO(address);
    CHECK_FALSE(kit.heap.contains(address));
    CHECK(kit.heap.object_start(address) == nullptr);
  }
  // Inside, but before the first object there can be.
  for (std::uint64_t i = 0; i < 16; ++i) {
    CHECK(kit.heap.contains(far(i)));
    CHECK(kit.heap.object_start(far(i)) == nullptr);
  }
  CHECK(verify(kit.heap).ok());
}

TEST_CASE("Addresses: an object that fills the arena, to its last byte", "[gc][addresses]") {
  Kit kit(exact_options(64 * kKiB));
  const Handle<ByteArray> all = kit.heap.make(kit.bytes, 64 * 1024 - 16 - 8);
  REQUIRE(all);
  const char* end = detail::base_of(kit.heap) + 64 * kKiB;
  CHECK(kit.heap.object_start(end - 1) == &all->header);
  CHECK(kit.heap.object_start(end) == nullptr);
  CHECK_FALSE(kit.heap.contains(end));
}

}  // namespace besom::test
