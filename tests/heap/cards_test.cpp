/// Where stores are noted: below the arena, a byte for each 512 bytes of it.

#include <besom/barrier.hpp>
#include <besom/ref.hpp>
#include <set>
#include <vector>

#include "heap/arena.hpp"
#include "tests/heap/fault_system.hpp"
#include "tests/heap/show.hpp"
#include "tests/support/seed.hpp"

namespace besom::test {
namespace {

using detail::Cards;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

Arena reserved(std::uint64_t max_bytes, bool record_stores) {
  Result<Arena> arena = Arena::reserve(max_bytes, 0, FaultSystem::table(), record_stores);
  REQUIRE(arena);
  return std::move(*arena);
}

}  // namespace

TEST_CASE("Cards: a store is noted where stores are recorded, and nowhere else", "[heap][cards]") {
  for (const bool recording : {false, true}) {
    Arena arena = reserved(kMiB, recording);
    REQUIRE_FALSE(arena.commit(kMiB));
    const Cards cards(arena.base());
    CHECK(cards.recording() == recording);
    auto* slot = reinterpret_cast<std::uint32_t*>(arena.base() + 5 * Cards::kBytes + 508);
    write_ref(*slot, 0x40);
    CHECK(*slot == 0x40);
    if (recording) {
      CHECK(cards.next_marked(0, 100) == 5);
      CHECK(cards.next_marked(6, 100) == 100);
    }
  }
}

TEST_CASE("Cards: member types note their stores", "[heap][cards]") {
  Arena arena = reserved(kMiB, true);
  REQUIRE_FALSE(arena.commit(kMiB));
  struct Object {
    Header header;
    Member<Object> ref;
    ValueMember value;
  };
  auto* objects = reinterpret_cast<Object*>(arena.base());
  Cards cards(arena.base());
  objects[32].ref = &objects[1];
  CHECK(cards.next_marked(0, 100) == 1);
  objects[64].value = Value::integer(3);
  CHECK(cards.next_marked(2, 100) == 2);
  objects[96].ref = objects[32].ref;
  CHECK(cards.next_marked(3, 100) == 3);
  objects[128].value = objects[64].value;
  CHECK(cards.next_marked(4, 100) == 4);
  objects[160].ref = nullptr;
  CHECK(cards.next_marked(5, 100) == 5);
}

TEST_CASE("Cards: a store that lies in no arena is a store and nothing else", "[heap][cards]") {
  Arena arena = reserved(kMiB, true);
  REQUIRE_FALSE(arena.commit(kMiB));
  static std::uint32_t in_static_memory = 0;
  std::uint32_t on_stack = 0;
  const std::vector<std::uint32_t> on_host_heap(1);
  for (const void* slot :
       {static_cast<const void*>(&in_static_memory), static_cast<const void*>(&on_stack),
        static_cast<const void*>(on_host_heap.data()), static_cast<const void*>(nullptr),
        reinterpret_cast<const void*>(~std::uintptr_t{0}),
        // In the 4 GiB that the arena begins, but behind its cards.
        static_cast<const void*>(arena.base() + kMiB),
        static_cast<const void*>(arena.base() + 0xfffffffc),
        static_cast<const void*>(arena.base() - 4)}) {
    INFO(slot);
    note_store(slot);
  }
  struct Object {
    Header header;
    Member<Object> ref;
    ValueMember value;
  } object{};
  object.ref = Ref<Object>(std::uint32_t{0x40});
  object.value = Value::integer(3);
  CHECK(object.ref.ref().index() == 0x40);
  CHECK(object.value.get() == Value::integer(3));
  constexpr std::uint32_t kEnd = kMiB >> Cards::kShift;
  CHECK(Cards(arena.base()).next_marked(0, kEnd) == kEnd);
  note_store(arena.base() + kMiB - 4);
  CHECK(Cards(arena.base()).next_marked(0, kEnd) == kEnd - 1);
}

TEST_CASE("Cards: an arena that has gone records no stores", "[heap][cards]") {
  char* base = nullptr;
  {
    Arena first = reserved(kMiB, true);
    Arena arena = std::move(first);
    base = arena.base();
    CHECK(Cards::recorded_at(base) == kMiB >> Cards::kShift);
  }
  CHECK(Cards::recorded_at(base) == 0);
  note_store(base + 16);
}

TEST_CASE("Cards: every card of an arena can be marked, found and cleared", "[heap][cards]") {
  Arena arena = reserved(std::uint64_t{4} << 30, true);
  Cards cards(arena.base());
  constexpr std::uint32_t kEnd = 1u << (32 - Cards::kShift);
  for (const std::uint32_t index : {0u, 511u, 512u, 0x7fffffffu, 0xfffffe00u, 0xffffffffu}) {
    cards.mark(index);
    CHECK(cards.next_marked(0, kEnd) == index >> Cards::kShift);
    CHECK(cards.next_marked((index >> Cards::kShift) + 1, kEnd) == kEnd);
    cards.clear((index >> Cards::kShift) + 1);
    CHECK(cards.next_marked(0, kEnd) == kEnd);
  }
}

TEST_CASE("Cards: marked ones are found as in a set", "[heap][cards][property]") {
  Random random = random_for("Cards");
  INFO("seed " << test_seed());
  Arena arena = reserved(64 * kMiB, true);
  Cards cards(arena.base());
  constexpr std::uint32_t kEnd = (64 * kMiB) >> Cards::kShift;
  for (int round = 0; round < 100; ++round) {
    std::set<std::uint32_t> marked;
    const std::uint32_t room = 1 + (random.below(kEnd) >> random.below(17));
    for (std::uint32_t i = random.below(200); i != 0; --i) {
      const std::uint32_t card = random.below(room);
      cards.mark(card * Cards::kBytes + random.below(Cards::kBytes));
      marked.insert(card);
    }
    std::vector<std::uint32_t> found;
    for (std::uint32_t card = cards.next_marked(0, room); card != room;
         card = cards.next_marked(card + 1, room)) {
      found.push_back(card);
    }
    REQUIRE(found == std::vector<std::uint32_t>(marked.begin(), marked.end()));
    const std::uint32_t cleared = random.below(room + 1);
    cards.clear(cleared);
    const auto rest = marked.lower_bound(cleared);
    REQUIRE(cards.next_marked(0, room) == (rest == marked.end() ? room : *rest));
    cards.clear(room);
    REQUIRE(cards.next_marked(0, kEnd) == kEnd);
  }
}

}  // namespace besom::test
