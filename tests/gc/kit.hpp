#pragma once

#include <besom/besom.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "tests/heap/show.hpp"
#include "tests/support/death.hpp"
#include "tests/support/seed.hpp"

namespace besom::test {

inline constexpr std::uint64_t kKiB = std::uint64_t{1} << 10;
inline constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

/// Two refs: one granule.
struct Node {
  Header header;
  Member<Node> left, right;
  static TypeDescriptor type() {
    return {.name = "Node",
            .size = sizeof(Node),
            .fields = {{"left", offsetof(Node, left)}, {"right", offsetof(Node, right)}}};
  }
};

/// Two tagged values: one granule.
struct Pair {
  Header header;
  ValueMember head, tail;
  static TypeDescriptor type() {
    return {.name = "Pair",
            .size = sizeof(Pair),
            .fields = {{"head", offsetof(Pair, head), SlotKind::value},
                       {"tail", offsetof(Pair, tail), SlotKind::value}}};
  }
};

/// Four granules with a ref at its very end: its interior is no object start.
struct Block {
  Header header;
  unsigned char bytes[52];
  Member<Node> last;
  static TypeDescriptor type() {
    return {.name = "Block", .size = sizeof(Block), .fields = {{"last", offsetof(Block, last)}}};
  }
};
static_assert(sizeof(Block) == 64);

/// Fields in front of trailing refs.
struct Record {
  Header header;
  Member<Node> owner;
  std::uint32_t number;
  [[nodiscard]] Member<Node>& element(std::uint32_t i) {
    return trailing_of<Member<Node>>(this)[i];
  }
  static TypeDescriptor type() {
    return {.name = "Record",
            .size = sizeof(Record),
            .fields = {{"owner", offsetof(Record, owner)}},
            .trailing = Trailing::refs};
  }
};

/// Options for tests that count collections or bytes: what the environment says must not matter.
/// But with BESOM_TEST_SLICES set, all collections go in the smallest slices: for suites that only
/// ask whether the heap stays whole.
inline HeapOptions exact_options(std::uint64_t heap_max = 64 * kMiB) {
  HeapOptions options;
  if (std::getenv("BESOM_TEST_SLICES") != nullptr) {
    options.incremental = true;
    options.slice = 1;
  }
  options.heap_max = heap_max;
  options.zeal = {0, false, false};
  options.log = LogLevel::off;
  options.read_environment = false;
  return options;
}

/// Options for tests that hold whatever the environment adds, zeal above all.
inline HeapOptions any_options(std::uint64_t heap_max = 64 * kMiB) {
  HeapOptions options;
  options.heap_max = heap_max;
  options.log = LogLevel::off;
  return options;
}

inline std::unique_ptr<Heap> make_heap(const HeapOptions& options) {
  Result<HeapPtr> heap = Heap::create(options);
  INFO(heap.error().message());
  REQUIRE(heap);
  return std::move(*heap);
}

/// A heap with the types above.
struct Kit {
  explicit Kit(const HeapOptions& options = any_options())
      : owned(make_heap(options)),
        heap(*owned),
        node(defined<Node>()),
        pair(defined<Pair>()),
        block(defined<Block>()),
        record(defined<Record>()),
        refs(defined<RefArray<Node>>()),
        values(defined<ValueArray>()),
        bytes(defined<ByteArray>()) {}

  template <class T>
  Type<T> defined() {
    const Result<Type<T>> type = heap.define<T>();
    INFO(type.error().message());
    REQUIRE(type);
    return *type;
  }
  Handle<Node> make_node() { return heap.make(node); }

  /// Collects: how many objects are left.
  std::uint64_t survivors() {
    REQUIRE_FALSE(heap.collect());
    REQUIRE(heap.last_collection().bad_refs == 0);
    REQUIRE(heap.last_collection().bad_headers == 0);
    return heap.last_collection().live_objects;
  }
  template <class T>
  bool lives(Ref<T> ref) {
    return static_cast<bool>(heap.check(Ref<void>(ref)));
  }
  template <class T>
  [[nodiscard]] static Ref<T> ref_of(const T* object) {
    return Ref<T>(object);
  }

  std::unique_ptr<Heap> owned;
  Heap& heap;
  Type<Node> node;
  Type<Pair> pair;
  Type<Block> block;
  Type<Record> record;
  Type<RefArray<Node>> refs;
  Type<ValueArray> values;
  Type<ByteArray> bytes;
};

/// Writes what no program of good will would write into a slot.
/// Not inlined, for the compiler would see that it leaves the slot's type.
[[gnu::noinline]] inline void forge(void* slot, std::uint32_t bits) {
  std::memcpy(slot, &bits, sizeof bits);
}

}  // namespace besom::test
