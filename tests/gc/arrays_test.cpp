/// Lengths from 0 to what cannot be, objects of every size, and memory that is zero.

#include <vector>

#include "tests/gc/kit.hpp"

namespace besom::test {
namespace {

bool is_zero(const unsigned char* bytes, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) {
    if (bytes[i] != 0) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("Arrays: length 0 is valid, distinct and traced", "[gc][arrays]") {
  Kit kit;
  Handle<RefArray<Node>> a = kit.heap.make(kit.refs, 0);
  Handle<RefArray<Node>> b = kit.heap.make(kit.refs, 0);
  Handle<ByteArray> c(kit.heap, kit.heap.allocate(kit.bytes, 0));
  REQUIRE((a && b && c));
  CHECK(a.ref() != b.ref());
  CHECK(a->length() == 0);
  CHECK(kit.survivors() == 3);
  CHECK(verify(kit.heap).ok());
  CHECK(kit.heap.check(a.ref(), kit.refs));
  a.reset();
  CHECK(kit.survivors() == 2);
}

TEST_CASE("Arrays: length 1", "[gc][arrays]") {
  Kit kit;
  Handle<RefArray<Node>> array = kit.heap.make(kit.refs, 1);
  (*array)[0] = kit.heap.allocate(kit.node);
  CHECK(kit.survivors() == 2);
}

TEST_CASE("Arrays: the longest that fits, and one more", "[gc][arrays]") {
  for (const std::uint64_t heap_max : {64 * kKiB, kMiB, kMiB + 1, kMiB + 15, kMiB + 16, 3 * kMiB}) {
    INFO(heap_max);
    Kit kit(exact_options(heap_max));
    const std::uint64_t room = heap_max / 16 * 16 - 16;  // null's granule is nobody's
    const auto bytes = static_cast<std::uint32_t>(room - sizeof(Header));
    const auto slots = static_cast<std::uint32_t>((room - sizeof(Header)) / 4);
    CHECK(kit.heap.make(kit.bytes, bytes));
    CHECK(kit.heap.make(kit.refs, slots));
    CHECK(kit.heap.make(kit.values, slots));
    const HeapStats before = kit.heap.stats();
    CHECK_FALSE(kit.heap.make(kit.bytes, bytes + 1));
    CHECK(kit.heap.error().code == Errc::object_too_large);
    CHECK(kit.heap.error().bytes == std::uint64_t{bytes} + 1 + sizeof(Header));
    CHECK(kit.heap.error().limit == room);
    CHECK_FALSE(kit.heap.make(kit.refs, slots + 1));
    CHECK(kit.heap.error().code == Errc::object_too_large);
    // Refused before any collection or growth.
    CHECK(kit.heap.stats().collections == before.collections);
    CHECK(kit.heap.stats().capacity == before.capacity);
  }
}

TEST_CASE("Arrays: a length whose bytes wrap is too large", "[gc][arrays][misuse]") {
  Kit kit(exact_options(HeapOptions::kMaxHeap));
  const HeapStats before = kit.heap.stats();
  MisuseTable table("lengths beyond any heap");
  for (const std::uint32_t length :
       {0x3ffffff7u, 0x3ffffffeu, 0x3fffffffu, 0x40000000u, 0x40000001u, 0x40000004u, 0x7fffffffu,
        0x80000000u, 0x80000001u, 0xc0000001u, 0xfffffffeu, 0xffffffffu}) {
    INFO(length);
    CHECK(kit.heap.allocate(kit.refs, length) == nullptr);
    CHECK(kit.heap.error().code == Errc::object_too_large);
    CHECK(kit.heap.error().bytes == std::uint64_t{length} * 4 + 8);
    CHECK(kit.heap.allocate(kit.values, length) == nullptr);
    CHECK(kit.heap.error().code == Errc::object_too_large);
    CHECK(kit.heap.allocate(kit.record, length) == nullptr);
    CHECK(kit.heap.error().code == Errc::object_too_large);
    table.row();
  }
  for (const std::uint32_t length :
       {0xffffffd9u, 0xffffffe8u, 0xfffffff7u, 0xfffffff8u, 0xffffffffu}) {
    INFO(length);
    CHECK(kit.heap.allocate(kit.bytes, length) == nullptr);
    CHECK(kit.heap.error().code == Errc::object_too_large);
    table.row();
  }
  CHECK(kit.heap.stats().collections == before.collections);
  CHECK(kit.heap.stats().capacity == before.capacity);
}

TEST_CASE("Arrays: a length of more than 32 bits is too large and not cut",
          "[gc][arrays][misuse]") {
  Kit kit(exact_options(HeapOptions::kMaxHeap));
  const HeapStats before = kit.heap.stats();
  const Result<TypeId> pointers = kit.heap.define(
      {.name = "Pointers", .size = 8, .trailing = Trailing::pointers, .release = [](auto...) {}});
  REQUIRE(pointers);
  constexpr std::uint64_t k32Bits = std::uint64_t{1} << 32;
  for (const std::uint64_t length :
       {k32Bits, k32Bits + 1, k32Bits + 7, 2 * k32Bits, std::uint64_t{1} << 61,
        (std::uint64_t{1} << 61) + 1, (std::uint64_t{1} << 62) + 1, (std::uint64_t{1} << 63) + 1,
        ~std::uint64_t{0} - 8, ~std::uint64_t{0} - 7, ~std::uint64_t{0}}) {
    INFO(length);
    const auto is_refused = [&](bool made) {
      const Error& error = kit.heap.error();
      return !made && error.code == Errc::object_too_large && error.detail != nullptr;
    };
    CHECK(is_refused(kit.heap.allocate(kit.bytes, length) != nullptr));
    CHECK(kit.heap.error().bytes >= length);
    CHECK(is_refused(kit.heap.allocate(kit.refs, length) != nullptr));
    CHECK(kit.heap.error().bytes >= length);
    CHECK(is_refused(kit.heap.allocate(kit.values.id, length) != nullptr));
    CHECK(is_refused(kit.heap.allocate(kit.record, length) != nullptr));
    CHECK(is_refused(kit.heap.allocate(*pointers, length) != nullptr));
    // Without elements the length is the embedder's own, but no longer than the header's word.
    CHECK(is_refused(kit.heap.allocate(kit.node, length) != nullptr));
    CHECK(is_refused(kit.heap.allocate(kit.node.id, length) != nullptr));
    CHECK(is_refused(static_cast<bool>(kit.heap.make(kit.bytes, length))));
    CHECK(kit.heap.allocation_contract(length).object_bytes == 0);
  }
  CHECK(kit.heap.stats().collections == before.collections);
  CHECK(kit.heap.stats().capacity == before.capacity);
  CHECK(kit.heap.stats().used == before.used);
  ByteArray* array = kit.heap.allocate(kit.bytes, 10);
  CHECK_ABORTS((*array)[k32Bits + 1], "array index");
}

TEST_CASE("Arrays: a length whose bytes wrap finds no small hole", "[gc][arrays][misuse]") {
  Kit kit(exact_options());
  std::vector<Handle<RefArray<Node>>> kept;
  for (int i = 0; i < 2000; ++i) {
    Handle<RefArray<Node>> array = kit.heap.make(kit.refs, 1);
    if (i % 2 == 0) kept.push_back(std::move(array));
  }
  REQUIRE_FALSE(kit.heap.collect());
  for (int i = 0; i < 10; ++i) {
    CHECK(kit.heap.allocate(kit.refs, 1) != nullptr);
    CHECK(kit.heap.allocate(kit.refs, (std::uint64_t{1} << 62) + 1) == nullptr);
    CHECK(kit.heap.error().code == Errc::object_too_large);
  }
}

TEST_CASE("Arrays: the embedder's own length has 32 bits", "[gc][arrays]") {
  Kit kit;
  Node* node = kit.heap.allocate(kit.node, 0xffffffff);
  REQUIRE(node != nullptr);
  CHECK(node->header.length == 0xffffffff);
}

TEST_CASE("Arrays: memory is zero, new or reused", "[gc][arrays]") {
  Kit kit(any_options(2 * kMiB));
  Random random = random_for("Arrays: zero");
  for (int i = 0; i < 3000; ++i) {
    const std::uint32_t length = random.chance(90) ? random.below(600) : random.below(60'000);
    Handle<ByteArray> array = kit.heap.make(kit.bytes, length);
    REQUIRE(array);
    REQUIRE(array->length() == length);
    // To the end of the last granule.
    const std::uint64_t room = (length + 8 + 15) / 16 * 16 - 8;
    REQUIRE(is_zero(array->data(), room));
    std::memset(array->data(), 0xcc, room);
  }
  CHECK(kit.heap.stats().collections > 0);
}

TEST_CASE("Arrays: fixed types of every size up to past the largest window", "[gc][arrays]") {
  Kit kit(any_options(8 * kMiB));
  std::vector<Handle<Header>> handles;
  std::uint64_t bytes = 0;
  for (std::uint32_t size = 8; size <= 800; ++size) {
    const Result<TypeId> type = kit.heap.define({.name = "sized", .size = size});
    REQUIRE(type);
    for (int i = 0; i < 3; ++i) {
      auto* object = static_cast<Header*>(kit.heap.allocate(*type));
      REQUIRE(object != nullptr);
      REQUIRE(is_zero(reinterpret_cast<unsigned char*>(object) + 8, size - 8));
      std::memset(reinterpret_cast<char*>(object) + 8, 0xff, size - 8);
      handles.emplace_back(kit.heap, object);
      bytes += (size + 15) / 16 * 16;
    }
  }
  CHECK(kit.survivors() == handles.size());
  CHECK(kit.heap.last_collection().live_bytes == bytes);
  for (const Handle<Header>& handle : handles) CHECK(kit.heap.check(Ref<void>(handle.ref())));
  CHECK(verify(kit.heap).ok());
}

TEST_CASE("Heap: the smallest heaps work", "[gc][arrays]") {
  for (const std::uint32_t initial :
       {0u, 1u, 15u, 16u, 17u, 31u, 32u, 33u, 4095u, 4096u, 65535u, 65536u}) {
    INFO(initial);
    HeapOptions options = any_options(64 * kKiB);
    options.heap_initial = initial;
    Kit kit(options);
    HandleScope scope(kit.heap);
    // Mostly objects of 256 bytes: where every allocation collects, time goes by the square of
    // them.
    std::uint64_t granules = 0;
    if (initial != 0) {
      while (RefArray<Node>* refs = kit.heap.allocate(kit.refs, 62)) {
        REQUIRE(scope.root(refs));
        granules += 16;
      }
      CHECK(kit.heap.error().code == Errc::heap_limit);
    }
    while (Node* node = kit.heap.allocate(kit.node)) {
      REQUIRE(scope.root(node));
      ++granules;
    }
    CHECK(kit.heap.error().code == Errc::heap_limit);
    CHECK(granules == 64 * kKiB / 16 - 1);
    if (initial > 4096) break;  // zeal makes this slow: once is enough
  }
}

TEST_CASE("Heap: an allocation of no type of this heap is bad_type", "[gc][arrays][misuse]") {
  Kit kit;
  MisuseTable table("allocations of no type");
  for (const TypeId type : {0u, 8u, 9u, 1000u, 0x7fffffffu, 0x80000000u, 0xffffffffu}) {
    for (const std::uint32_t length : {0u, 1u, 0xffffffffu}) {
      CHECK(kit.heap.allocate(type, length) == nullptr);
      CHECK(kit.heap.error().code == Errc::bad_type);
      table.row();
    }
    CHECK(kit.heap.descriptor(type) == nullptr);
  }
  CHECK(kit.survivors() == 0);
}

TEST_CASE("Heap: a descriptor that does not fit its C++ type is bad_type", "[gc][arrays][misuse]") {
  struct Wrong {
    Header header;
    std::uint64_t more;
    static TypeDescriptor type() { return {.name = "Wrong", .size = 8}; }
  };
  Kit kit;
  const Result<Type<Wrong>> type = kit.heap.define<Wrong>();
  CHECK_FALSE(type);
  CHECK(type.error().code == Errc::bad_type);
  CHECK(type.error().bytes == 8);
  CHECK(type.error().limit == 16);
}

TEST_CASE("Heap: huge objects beside small ones", "[gc][arrays]") {
  Kit kit(exact_options(256 * kMiB));
  Handle<Node> small = kit.make_node();
  for (std::uint32_t length = 1 << 10; length <= 200 << 20; length *= 4) {
    Handle<ByteArray> large = kit.heap.make(kit.bytes, length);
    REQUIRE(large);
    large->data()[length - 1] = 1;
    CHECK(kit.heap.object_start(large->data() + length - 1) == &large->header);
    CHECK(kit.lives(large.ref()));
    small->left = kit.heap.allocate(kit.node);
  }
  small->left = nullptr;
  CHECK(kit.survivors() == 1);
}

TEST_CASE("Heap: the largest object of a 4 GiB heap", "[gc][arrays]") {
  Kit kit(exact_options(HeapOptions::kMaxHeap));
  // 0xffffffe0 bytes with its header; untouched, it takes no memory.
  const std::uint32_t length = 0xffffffe0u - 8;
  Handle<ByteArray> all = kit.heap.make(kit.bytes, length);
  INFO(kit.heap.error().message());
  REQUIRE(all);
  CHECK(all.ref().index() == 16);
  all->data()[length - 1] = 7;
  CHECK(kit.heap.object_start(all->data() + length - 1) == &all->header);
  CHECK(kit.heap.allocate(kit.node) == nullptr);
  CHECK(kit.heap.error().code == Errc::heap_limit);
  CHECK(kit.heap.last_collection().live_bytes == 0xffffffe0u);
  all.reset();
  CHECK(kit.survivors() == 0);
  CHECK(verify(kit.heap).ok());
}

}  // namespace besom::test
