/// Where stores are noted: below the arena, a byte for each 512 bytes of it.

#include <set>
#include <vector>

#include "heap/arena.hpp"
#include "heap/barrier.hpp"
#include "heap/ref.hpp"
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
