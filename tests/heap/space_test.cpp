/// Where objects start and end, seen from outside the arena; windows; memory given back.

#include "heap/space.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "tests/heap/fault_system.hpp"
#include "tests/heap/show.hpp"
#include "tests/support/seed.hpp"

namespace besom::test {
namespace {

using detail::Front;
using detail::index_of;
using detail::Space;
using detail::Window;

HeapOptions options_of(std::uint64_t heap_max) {
  return {.heap_max = heap_max, .read_environment = false, .system = &FaultSystem::table()};
}

/// With the front that a heap would have.
struct OwnSpace {
  OwnSpace(std::uint64_t heap_max, std::uint64_t capacity)
      : owned(std::move(*Space::create(options_of(heap_max), {}, front))), space(*owned) {
    REQUIRE_FALSE(space.grow(capacity));
  }

  Front front;
  std::unique_ptr<Space> owned;
  Space& space;
};

/// As the heap does: from the window, else from a hole, else the slow way.
char* allocate(Space& space, std::uint32_t granules) {
  const std::size_t bytes = std::size_t{granules} * kGranuleBytes;
  if (granules <= Space::kWindowClasses) {
    Window& window = space.window(granules);
    if (window.room() >= bytes) {
      char* object = window.cursor;
      window.cursor += bytes;
      std::memset(object, 0, bytes);
      return object;
    }
  }
  if (granules <= Space::kCursorGranules) {
    if (char* object = space.take(granules)) return object;
  }
  return space.allocate(granules);
}

/// The first object in the next window of that size: it takes two in a row that need a hole.
char* allocate_in_window(Space& space, std::uint32_t granules) {
  char* object = nullptr;
  do {
    object = allocate(space, granules);
  } while (object != nullptr && space.window(granules).first != object);
  REQUIRE(object != nullptr);
  return object;
}

}  // namespace

TEST_CASE("Space: capacities at every edge give what they can", "[heap][space]") {
  for (const std::uint32_t capacity :
       {0u, 1u, 15u, 16u, 17u, 31u, 32u, 33u, 47u, 48u, 4095u, 4096u, 4097u}) {
    OwnSpace own_space(64 << 10, capacity);
    Space& space = own_space.space;
    CHECK(space.capacity() == capacity);
    space.disable_windows();
    std::uint64_t objects = 0;
    while (allocate(space, 1) != nullptr) ++objects;
    // The first granule is null's.
    CHECK(objects == (capacity < 32 ? 0 : capacity / 16 - 1));
    CHECK(space.used_bytes() == objects * 16);
  }
}

TEST_CASE("Space: objects in an open window are objects, its rest is none", "[heap][space]") {
  OwnSpace own_space(1 << 20, 1 << 20);
  Space& space = own_space.space;
  char* first = allocate_in_window(space, 2);
  char* second = allocate(space, 2);
  REQUIRE(second == first + 32);
  CHECK(space.is_object(index_of(first)));
  CHECK(space.is_object(index_of(second)));
  CHECK_FALSE(space.is_object(index_of(first) + 16));
  CHECK_FALSE(space.is_object(index_of(second) + 32));
  CHECK(space.object_at(index_of(second) + 31) == Run{index_of(second), 32});
  CHECK(space.object_at(index_of(second) + 32).size_bytes == 0);
  char* third = allocate(space, 2);
  CHECK(third == second + 32);
  CHECK(space.is_object(index_of(third)));
}

TEST_CASE("Space: no object is found outside, at null or misaligned", "[heap][space]") {
  OwnSpace own_space(1 << 20, 256 << 10);
  Space& space = own_space.space;
  char* object = allocate(space, 4);
  for (const std::uint32_t index : {0u, 1u, 15u, (256u << 10) - 16, 256u << 10, 1u << 20,
                                    0x7ffffff0u, 0xfffffff0u, 0xffffffffu}) {
    CHECK_FALSE(space.is_object(index));
    CHECK(space.object_at(index).size_bytes == 0);
  }
  for (std::uint32_t off = 1; off < 64; ++off) {
    CHECK_FALSE(space.is_object(index_of(object) + off));
    CHECK(space.object_at(index_of(object) + off) == Run{index_of(object), 64});
  }
}

namespace {

/// All taken by objects of four granules, of which every second then died: no window fits.
void checker(Space& space) {
  std::vector<char*> objects;
  while (char* object = allocate(space, 4)) objects.push_back(object);
  space.retire();
  for (std::size_t i = 0; i < objects.size(); i += 2) {
    std::memset(objects[i], 0xab, 64);
    space.release({index_of(objects[i]), 64});
  }
  space.retire();
}

}  // namespace

TEST_CASE("Space: small objects leave the runs of large ones whole while small holes remain",
          "[heap][space]") {
  OwnSpace own_space(1 << 20, 1 << 20);
  Space& space = own_space.space;
  char* large = space.allocate(512);
  REQUIRE(large != nullptr);
  std::vector<char*> objects;
  while (char* object = allocate(space, 4)) objects.push_back(object);
  space.retire();
  space.release({index_of(large), 8192});
  std::uint32_t small_holes = 0;
  for (std::size_t i = 1; i + 1 < objects.size(); i += 2) {
    space.release({index_of(objects[i]), 64});
    ++small_holes;
  }
  space.retire();
  for (std::uint32_t i = 0; i < small_holes; ++i) REQUIRE(allocate(space, 4) != nullptr);
  space.retire();
  CHECK(space.free_list().largest_free_block() >= 8192);
  CHECK(space.allocate(512) != nullptr);
}

TEST_CASE("Space: the rest of a hole is no object, at the cursor and in a bin", "[heap][space]") {
  OwnSpace own_space(1 << 20, 1 << 20);
  Space& space = own_space.space;
  checker(space);
  const std::uint64_t used = space.used_bytes();
  char* first = allocate(space, 3);
  REQUIRE(first != nullptr);
  const std::uint32_t index = index_of(first);
  const auto check = [&] {
    CHECK(space.is_object(index));
    CHECK(space.object_at(index + 5) == Run{index, 48});
    CHECK_FALSE(space.is_object(index + 48));
    CHECK(space.object_at(index + 50).size_bytes == 0);
  };
  check();
  char* second = allocate(space, 4);  // the cursor leaves the first hole
  REQUIRE(second != nullptr);
  check();
  char* third = allocate(space, 1);  // what was left of it
  CHECK(third == first + 48);
  CHECK(space.is_object(index + 48));
  space.retire();
  CHECK(space.used_bytes() == used + 48 + 64 + 16);
  space.free_list().verify();
}

TEST_CASE("Space: holes are used up to the last granule, zeroed", "[heap][space]") {
  OwnSpace own_space(1 << 20, 1 << 20);
  Space& space = own_space.space;
  checker(space);
  const std::uint64_t holes = (std::uint64_t{1} << 20) - 16 - space.used_bytes();
  std::uint64_t taken = 0;
  for (const std::uint32_t granules : {3u, 1u}) {
    while (true) {
      char* object = allocate(space, granules);
      if (object == nullptr) {
        space.retire();
        object = allocate(space, granules);
      }
      if (object == nullptr) break;
      REQUIRE(std::all_of(object, object + granules * 16, [](char byte) { return byte == 0; }));
      std::memset(object, 0xcd, granules * 16);
      taken += granules * 16;
    }
  }
  CHECK(taken == holes);
  space.retire();
  space.free_list().verify();
  CHECK(space.free_list().free_bytes() == 0);
}

TEST_CASE("Space: a reset forgets windows, the hole at hand and bins", "[heap][space]") {
  OwnSpace own_space(1 << 20, 1 << 20);
  Space& space = own_space.space;
  checker(space);
  for (const std::uint32_t granules : {3u, 2u, 3u}) REQUIRE(allocate(space, granules) != nullptr);
  space.reset();
  allocate_in_window(space, 2);
  space.reset();
  CHECK(space.used_bytes() == 0);
  CHECK(space.free_list().num_free_blocks() == 1);
  space.free_list().verify();
}

TEST_CASE("Space: retiring windows makes one hole of what they did not use", "[heap][space]") {
  OwnSpace own_space(2 << 20, 2 << 20);
  Space& space = own_space.space;
  for (std::uint32_t granules = 1; granules <= Space::kWindowClasses; ++granules) {
    allocate_in_window(space, granules);
  }
  space.retire();
  space.free_list().verify();
  for (std::uint32_t granules = 1; granules <= Space::kWindowClasses; ++granules) {
    CHECK(space.window(granules).room() == 0);
  }
  // One hole behind each window's object, and one behind the last.
  CHECK(space.free_list().num_free_blocks() <= 2 * Space::kWindowClasses);
}

TEST_CASE("Space: the size that needs room twice in a row gets a window, others share a hole",
          "[heap][space]") {
  OwnSpace own_space(1 << 20, 1 << 20);
  Space& space = own_space.space;
  const auto needs_room = [&](std::uint32_t granules) {
    space.interrupt();
    REQUIRE(space.allocate(granules) != nullptr);
    return space.window(granules).first != nullptr;
  };
  CHECK_FALSE(needs_room(2));
  CHECK_FALSE(needs_room(3));
  CHECK_FALSE(needs_room(2));
  CHECK(needs_room(2));
  CHECK(needs_room(2));
  CHECK_FALSE(needs_room(Space::kWindowClasses));
  CHECK(needs_room(Space::kWindowClasses));
  CHECK_FALSE(needs_room(2));
  space.always_open_window(3);
  CHECK(needs_room(3));
  CHECK_FALSE(needs_room(2));
  CHECK(needs_room(3));
}

TEST_CASE("Space: memory is zero when handed out, however it was used before", "[heap][space]") {
  Random random = random_for("Space: zeroed");
  OwnSpace own_space(1 << 20, 1 << 20);
  Space& space = own_space.space;
  struct Object {
    char* address;
    std::uint32_t bytes;
  };
  std::vector<Object> objects;
  for (int round = 0; round < 40; ++round) {
    for (;;) {
      const std::uint32_t granules =
          random.chance(95) ? random.between(1, 40) : random.between(41, 2000);
      char* address = allocate(space, granules);
      if (address == nullptr) break;
      const std::uint32_t bytes = granules * 16;
      std::size_t bad = 0;
      for (std::uint32_t i = 0; i < bytes; ++i) bad += address[i] != 0;
      REQUIRE(bad == 0);
      std::memset(address, 0xee, bytes);
      objects.push_back({address, bytes});
    }
    space.retire();
    std::vector<Object> kept;
    for (const Object& object : objects) {
      if (random.chance(70)) {
        std::memset(object.address, 0xdd, object.bytes);
        space.release({index_of(object.address), object.bytes});
      } else {
        kept.push_back(object);
      }
    }
    objects = kept;
    space.free_list().verify();
    if (round % 5 == 4) CHECK(space.discard_holes(8 << 10, 1 << 20) % 4096 == 0);
    if (round == 20) {
      space.reset();
      objects.clear();
    }
  }
}

TEST_CASE("Space: discard_all keeps objects and leaves what they take", "[heap][space]") {
  OwnSpace own_space(4 << 20, 4 << 20);
  Space& space = own_space.space;
  char* first = allocate(space, 4);
  char* large = allocate(space, 50'000);
  char* last = allocate(space, 20'000);
  REQUIRE(last != nullptr);
  std::memset(first, 1, 64);
  std::memset(large, 2, 800'000);
  std::memset(last, 3, 320'000);
  space.retire();
  const std::uint64_t before = space.resident_bytes();
  space.release({index_of(large), 800'000});
  const std::uint64_t discarded = space.discard_all();
  CHECK(discarded >= 800'000 - 2 * 4096);
  // The page of index 0 counts too.
  CHECK(space.resident_bytes() <= before - 800'000 + 3 * 4096);
  CHECK(space.resident_bytes() >= 320'000);
  CHECK(first[63] == 1);
  CHECK(last[0] == 3);
  CHECK(last[319'999] == 3);
  space.free_list().verify();
  CHECK(space.is_object(index_of(last)));
  // Zero again without being cleared.
  CHECK(large[400'000] == 0);
}

TEST_CASE("Space: a refused growth changes nothing", "[heap][space][faults]") {
  OwnSpace own_space(1 << 20, 64 << 10);
  Space& space = own_space.space;
  char* object = allocate(space, 3);
  FaultSystem::fail(SystemCall::commit, 1, true);
  const Error error = space.grow(128 << 10);
  CHECK(error.code == Errc::commit_failed);
  CHECK(space.capacity() == 64 << 10);
  CHECK(space.is_object(index_of(object)));
  FaultSystem::lift();
  CHECK_FALSE(space.grow(128 << 10));
  CHECK(space.capacity() == 128 << 10);
  CHECK_FALSE(space.grow(1));
  CHECK(space.capacity() == 128 << 10);
}

TEST_CASE("Space: the last object may end with the capacity", "[heap][space]") {
  OwnSpace own_space(1 << 20, 64 << 10);
  Space& space = own_space.space;
  char* object = allocate(space, 4095);
  REQUIRE(object != nullptr);
  CHECK(index_of(object) == 16);
  CHECK(space.object_at((64 << 10) - 1) == Run{16, (64 << 10) - 16});
  CHECK(space.allocate(1) == nullptr);
  space.release({16, (64 << 10) - 16});
  space.free_list().verify();
  CHECK(space.free_list().num_free_blocks() == 1);
}

TEST_CASE("Space: at 4 GiB the last granule below the end can be used", "[heap][space]") {
  // Address space only: memory that was never handed out is not touched to make it zero. What comes
  // back would be, so that each whole is taken from a space of its own.
  OwnSpace own_space(HeapOptions::kMaxHeap, HeapOptions::kMaxHeap);
  Space& space = own_space.space;
  const std::uint32_t granules = 0xffffffe0u / 16;
  char* object = space.allocate(granules);
  REQUIRE(object != nullptr);
  CHECK(index_of(object) == 16);
  CHECK(space.object_at(0xffffffef) == Run{16, 0xffffffe0});
  CHECK(space.object_at(0xfffffff0).size_bytes == 0);
  CHECK(space.object_at(0xffffffff).size_bytes == 0);
  CHECK(space.allocate(1) == nullptr);
  space.release({16, 0xffffffe0});
  CHECK(space.free_list().num_free_blocks() == 1);
  CHECK(space.used_bytes() == 0);

  OwnSpace own_other(HeapOptions::kMaxHeap, HeapOptions::kMaxHeap);
  Space& other = own_other.space;
  REQUIRE(other.allocate(granules - 1) != nullptr);
  char* last = other.allocate(1);
  REQUIRE(last != nullptr);
  last[15] = 1;
  CHECK(index_of(last) == 0xffffffe0);
  CHECK(other.is_object(index_of(last)));
}

TEST_CASE("Space: nothing stays mapped", "[heap][space]") {
  REQUIRE(FaultSystem::mappings() == 0);
  {
    OwnSpace own_space(1 << 20, 64 << 10);
    CHECK(FaultSystem::mappings() == 1);
  }
  CHECK(FaultSystem::mappings() == 0);
}

}  // namespace besom::test
