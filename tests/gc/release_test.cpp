/// Release hooks: the host's share of an object goes with it.

#include <set>
#include <vector>

#include "tests/gc/weak_kit.hpp"

namespace besom::test {
namespace {

/// What hooks were called for.
struct Released {
  std::vector<std::uint32_t> numbers;
  std::uint32_t size_bytes = 0;
  Heap* heap = nullptr;
  std::vector<Errc> refusals;
};
Released released;

struct Resource {
  static constexpr bool kReleased = true;
  Header header;
  Member<Node> node;
  std::uint32_t number;
  static TypeDescriptor type() {
    TypeDescriptor descriptor{.name = "Resource",
                              .size = sizeof(Resource),
                              .fields = {{"node", offsetof(Resource, node)}}};
    descriptor.release = [](void* user, void* object, std::uint32_t size_bytes) {
      auto& log = *static_cast<Released*>(user);
      log.numbers.push_back(static_cast<Resource*>(object)->number);
      log.size_bytes = size_bytes;
    };
    descriptor.release_user = &released;
    return descriptor;
  }
};

/// With a trailing array whose allocation would be inlined but for the hook.
struct Buffer : detail::Array<unsigned char> {
  static constexpr bool kReleased = true;
  static TypeDescriptor type() {
    TypeDescriptor descriptor{.name = "Buffer", .trailing = Trailing::bytes};
    descriptor.release = [](void* user, void* object, std::uint32_t) {
      static_cast<Released*>(user)->numbers.push_back(static_cast<Header*>(object)->length);
    };
    descriptor.release_user = &released;
    return descriptor;
  }
};

struct Contradiction : Resource {
  static constexpr bool kReleased = false;
};
struct Promise : Node {
  static constexpr bool kReleased = true;
};

Handle<Resource> make_resource(Kit& kit, Type<Resource> type, std::uint32_t number) {
  Handle<Resource> resource = kit.heap.make(type);
  REQUIRE(resource);
  resource->number = number;
  return resource;
}

}  // namespace

TEST_CASE("Release: the hook runs once, when the object is swept", "[gc][release]") {
  released = {};
  Kit kit;
  const Type<Resource> type = kit.defined<Resource>();
  Handle<Resource> a = make_resource(kit, type, 1);
  const Handle<Resource> b = make_resource(kit, type, 2);
  CHECK(kit.survivors() == 2);
  CHECK(released.numbers.empty());
  a.reset();
  CHECK(kit.survivors() == 1);
  CHECK(released.numbers == std::vector<std::uint32_t>{1});
  CHECK(released.size_bytes == 16);
  CHECK(kit.heap.last_collection().released == 1);
  CHECK(kit.survivors() == 1);
  CHECK(released.numbers.size() == 1);
}

TEST_CASE("Release: what is left is released with the heap, and at a reset", "[gc][release]") {
  released = {};
  {
    Kit kit;
    const Type<Resource> type = kit.defined<Resource>();
    const Handle<Resource> kept = make_resource(kit, type, 1);
    static_cast<void>(kit.heap.allocate(type));
    REQUIRE_FALSE(kit.heap.reset());
    CHECK(std::multiset<std::uint32_t>(released.numbers.begin(), released.numbers.end()) ==
          std::multiset<std::uint32_t>{0, 1});
    CHECK(kit.heap.stats().released == 2);
    CHECK(kit.survivors() == 0);
    CHECK(released.numbers.size() == 2);
    for (std::uint32_t i = 10; i < 20; ++i) static_cast<void>(make_resource(kit, type, i));
  }
  CHECK(released.numbers.size() == 12);
}

TEST_CASE("Release: by every way of allocating, and for every size", "[gc][release]") {
  static std::uint64_t count = 0;
  count = 0;
  Kit kit(exact_options());
  TypeDescriptor descriptor{.name = "Buffer", .size = 16, .trailing = Trailing::bytes};
  descriptor.release = [](void*, void* object, std::uint32_t size_bytes) {
    if (size_bytes >= 16 + static_cast<Header*>(object)->length) ++count;
  };
  const Result<TypeId> type = kit.heap.define(descriptor);
  REQUIRE(type);
  std::uint64_t made = 0;
  const std::uint32_t lengths[] = {0, 1, 16, 100, 496, 497, 5000, 70'000};
  for (int round = 0; round < 400; ++round) {
    for (const std::uint32_t length : lengths) {
      REQUIRE(kit.heap.allocate(*type, length) != nullptr);
      ++made;
      REQUIRE(kit.heap.allocate(kit.node) != nullptr);
    }
  }
  CHECK(kit.survivors() == 0);
  CHECK(kit.heap.stats().collections > 3);
  CHECK(count == made);
  CHECK(kit.heap.stats().released == made);
}

TEST_CASE("Release: arrays of a C++ type are released too, from windows and from spares",
          "[gc][release]") {
  released = {};
  Kit kit(exact_options(256 * kKiB));
  const Type<Buffer> type = kit.defined<Buffer>();
  std::vector<Handle<Node>> checkerboard;
  std::uint64_t made = 0;
  for (int i = 0; i < 2000; ++i) {
    if (i % 4 == 0) checkerboard.push_back(kit.make_node());
    REQUIRE(kit.heap.allocate(type, 1 + static_cast<std::uint32_t>(i) % 60) != nullptr);
    ++made;
  }
  REQUIRE_FALSE(kit.heap.collect());
  for (int i = 0; i < 500; ++i) {
    REQUIRE(kit.heap.allocate(type, 8) != nullptr);
    ++made;
  }
  REQUIRE_FALSE(kit.heap.collect());
  CHECK(released.numbers.size() == made);
}

TEST_CASE("Release: an object that is handed out is not released before it is dead again",
          "[gc][release][finalizers]") {
  released = {};
  Kit kit;
  const Type<Resource> type = kit.defined<Resource>();
  Guardian guardian(kit.heap);
  REQUIRE_FALSE(guardian.guard(make_resource(kit, type, 5).get()));
  CHECK(kit.survivors() == 1);
  CHECK(released.numbers.empty());
  const Result<void*> agent = guardian.next();
  REQUIRE((agent && *agent != nullptr));
  CHECK(kit.survivors() == 0);
  CHECK(released.numbers == std::vector<std::uint32_t>{5});
}

TEST_CASE("Release: a hook that calls the heap is refused", "[gc][release][reentrant][misuse]") {
  MisuseTable table("calls from release hooks");
  released = {};
  Kit kit(exact_options());
  released.heap = &kit.heap;
  TypeDescriptor descriptor{.name = "Calling", .size = 16};
  descriptor.release_user = &released;
  descriptor.release = [](void* user, void* object, std::uint32_t) {
    auto& log = *static_cast<Released*>(user);
    log.refusals.push_back(log.heap->collect().code);
    log.refusals.push_back(log.heap->allocate(1) == nullptr ? log.heap->error().code : Errc::ok);
    log.refusals.push_back(log.heap->reset().code);
    log.refusals.push_back(log.heap->run_finalizers().error().code);
    log.refusals.push_back(log.heap->define<Node>().error().code);
    const Handle<Header> handle(*log.heap, static_cast<Header*>(object));
    log.refusals.push_back(handle ? Errc::ok : log.heap->error().code);
    const Weak<Header> weak(*log.heap, static_cast<Header*>(object));
    log.refusals.push_back(weak ? Errc::ok : log.heap->error().code);
    const Guardian guardian(*log.heap);
    log.refusals.push_back(guardian ? Errc::ok : log.heap->error().code);
  };
  const Result<TypeId> type = kit.heap.define(descriptor);
  REQUIRE(type);
  REQUIRE(kit.heap.allocate(*type) != nullptr);
  CHECK(kit.survivors() == 0);
  REQUIRE(kit.heap.allocate(*type) != nullptr);
  REQUIRE_FALSE(kit.heap.reset());
  REQUIRE(released.refusals.size() == 16);
  for (const Errc code : released.refusals) {
    CHECK(code == Errc::reentrant);
    table.row();
  }
  CHECK(kit.make_node());
}

TEST_CASE("Release: a trait that contradicts the descriptor is a bad type",
          "[gc][release][misuse]") {
  MisuseTable table("release traits");
  Kit kit;
  CHECK(kit.heap.define<Contradiction>().error().code == Errc::bad_type);
  table.row();
  CHECK(kit.heap.define<Promise>().error().code == Errc::bad_type);
  table.row();
}

TEST_CASE("Release: an overwritten header is counted and its hook not called",
          "[gc][release][trust]") {
  released = {};
  Kit kit(exact_options());
  const Type<Resource> type = kit.defined<Resource>();
  const Handle<Node> node = kit.make_node();
  // No type, a type that is not released, and a length beyond the extent: all dead.
  for (const std::uint32_t word : {0u, kit.node.id, 0xffffffffu}) {
    Resource* resource = kit.heap.allocate(type);
    forge(&resource->header.type, word);
    REQUIRE_FALSE(kit.heap.collect());
    CHECK(kit.heap.last_collection().bad_headers == 1);
  }
  CHECK(released.numbers.empty());
  CHECK(kit.survivors() == 1);
}

TEST_CASE("Release: only types with a hook take a table", "[gc][release]") {
  Kit kit(exact_options());
  const std::uint64_t before = kit.heap.stats().table_reserved;
  const Type<Resource> type = kit.defined<Resource>();
  const std::uint64_t with = kit.heap.stats().table_reserved;
  CHECK(with > before);
  CHECK(with - before < kit.heap.options().heap_max / 100);
  static_cast<void>(kit.heap.allocate(type));
}

}  // namespace besom::test
