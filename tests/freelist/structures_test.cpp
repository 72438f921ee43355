/// The parts that a FreeList is made of, each against a std::set.

#include <algorithm>
#include <besom/run.hpp>
#include <iterator>
#include <map>
#include <set>

#include "besom/detail/zeroed_array.hpp"
#include "freelist/bit_tree.hpp"
#include "freelist/boundary_map.hpp"
#include "freelist/class_index.hpp"
#include "freelist/hole_tree.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/death.hpp"
#include "tests/support/seed.hpp"

namespace besom::test {

using namespace detail;

namespace {

using Numbers = std::set<std::uint32_t>;

std::uint32_t first_from(const Numbers& numbers, std::uint32_t from) {
  const auto it = numbers.lower_bound(from);
  return it == numbers.end() ? BitTree::kNone : *it;
}
std::uint32_t last_before(const Numbers& numbers, std::uint32_t before) {
  const auto it = numbers.lower_bound(before);
  return it == numbers.begin() ? BitTree::kNone : *std::prev(it);
}

}  // namespace

TEST_CASE("to_granules takes what is no multiple of 16 out of every range", "[freelist][run]") {
  CHECK(to_granules(0) == 0);
  CHECK(to_granules(16) == 1);
  CHECK(to_granules(0xfffffff0) == 0x0fffffff);
  for (std::uint32_t off = 1; off < 16; ++off) {
    CHECK(to_granules(off) >= 1u << 28);
    CHECK(to_granules(0xfffffff0 + off) >= 1u << 28);
  }
}

TEST_CASE("A zeroed array keeps its elements as it grows and new ones are zero",
          "[freelist][zeroed]") {
  ZeroedArray<std::uint32_t> array;
  CHECK(array.size() == 0);
  std::uint32_t written = 0;
  for (const std::size_t size : {1u, 2u, 100u, 50u, 100000u}) {
    REQUIRE(array.grow(size));
    for (std::size_t i = 0; i < array.size(); ++i) REQUIRE(array[i] == (i < written ? i + 1 : 0));
    for (; written < array.size(); ++written) array[written] = written + 1;
  }
  CHECK(array.size() == 100000);
  CHECK(array.size_bytes() == 400000);
  ZeroedArray<std::uint32_t> moved(std::move(array));
  CHECK(moved[99999] == 100000);
  ZeroedArray<std::uint32_t> assigned;
  assigned = std::move(moved);
  CHECK(assigned.data()[0] == 1);
  if (!kUnderSanitizer) {
    CHECK_FALSE(assigned.grow(std::size_t{1} << 60));
    CHECK(assigned.size() == 100000);
  }
}

TEST_CASE("An empty bit tree has no members on either side", "[freelist][bit_tree]") {
  BitTree tree;
  for (const std::uint32_t count : {1u, 63u, 64u, 65u, 4096u, 4097u, 1u << 24}) {
    REQUIRE(tree.grow(count));
    CHECK(tree.first_from(0) == BitTree::kNone);
    CHECK(tree.first_from(count - 1) == BitTree::kNone);
    CHECK(tree.last_before(count) == BitTree::kNone);
    CHECK_FALSE(tree.contains(count - 1));
  }
}

TEST_CASE("A bit tree finds members across empty words of every level", "[freelist][bit_tree]") {
  BitTree tree;
  REQUIRE(tree.grow(1u << 24));
  Numbers numbers;
  // At each power of two the search has to climb one level further.
  for (std::uint32_t member = 1; member < 1u << 24; member *= 2) {
    for (const std::uint32_t near : {member - 1, member}) {
      tree.insert(near);
      numbers.insert(near);
    }
  }
  tree.insert((1u << 24) - 1);
  numbers.insert((1u << 24) - 1);
  for (const std::uint32_t member : numbers) {
    for (const std::uint32_t at : {member - 1, member, member + 1}) {
      if (at >= 1u << 24) continue;
      CHECK(tree.contains(at) == numbers.contains(at));
      CHECK(tree.first_from(at) == first_from(numbers, at));
      CHECK(tree.last_before(at) == last_before(numbers, at));
    }
  }
  CHECK(tree.first_from(1u << 24) == BitTree::kNone);
  CHECK(tree.last_before(1u << 24) == (1u << 24) - 1);
  tree.erase((1u << 24) - 1);
  CHECK(tree.last_before(1u << 24) == 1u << 23);
}

TEST_CASE("A bit tree takes and gives up ranges and lets all go at once",
          "[freelist][bit_tree][property]") {
  Random random = random_for("structures: bit tree ranges");
  INFO("seed " << test_seed());
  BitTree tree;
  REQUIRE(tree.grow(1u << 20));
  for (int round = 0; round < 200; ++round) {
    Numbers numbers;
    for (int range = 0; range < 10; ++range) {
      const std::uint32_t first = random.below(1u << 20) >> random.below(20);
      const std::uint32_t last =
          std::min((1u << 20) - 1, first + (random.below(1000) >> random.below(10)));
      if (random.chance(70)) {
        tree.insert_range(first, last);
        for (std::uint32_t member = first; member <= last; ++member) numbers.insert(member);
      } else {
        tree.erase_range(first, last);
        numbers.erase(numbers.lower_bound(first), numbers.upper_bound(last));
      }
    }
    std::uint32_t found = tree.first_from(0);
    for (const std::uint32_t member : numbers) {
      REQUIRE(found == member);
      found = tree.first_from(found + 1);
    }
    REQUIRE(found == BitTree::kNone);
    tree.clear();
    REQUIRE(tree.first_from(0) == BitTree::kNone);
  }
}

TEST_CASE("A bit tree agrees with a set", "[freelist][bit_tree][property]") {
  Random random = random_for("structures: bit tree");
  INFO("seed " << test_seed());
  for (int round = 0; round < 30; ++round) {
    const std::uint32_t count = 1 + (random.below(1u << 24) >> random.below(24));
    BitTree tree;
    Numbers numbers;
    std::uint32_t room = 1 + random.below(count);
    REQUIRE(tree.grow(room));
    for (int op = 0; op < 2000; ++op) {
      if (room < count && random.chance(1)) {
        room = random.between(room, count);
        REQUIRE(tree.grow(room));
      }
      const std::uint32_t member = random.below(room);
      const std::uint32_t known = first_from(numbers, member);
      if (random.chance(45)) {
        tree.insert(member);
        numbers.insert(member);
      } else if (known != BitTree::kNone) {
        tree.erase(known);
        numbers.erase(known);
      }
      const std::uint32_t at = random.below(room);
      REQUIRE(tree.contains(at) == numbers.contains(at));
      REQUIRE(tree.first_from(at) == first_from(numbers, at));
      REQUIRE(tree.last_before(at) == last_before(numbers, at));
    }
  }
}

namespace {

/// Starts by position, true where a hole starts.
struct StartsModel {
  std::map<std::uint32_t, bool> starts;

  [[nodiscard]] bool is_hole(std::uint32_t granule) const {
    const auto it = starts.find(granule);
    return it != starts.end() && it->second;
  }
  [[nodiscard]] std::uint32_t next(std::uint32_t granule) const {
    return starts.upper_bound(granule)->first;
  }
  [[nodiscard]] std::uint32_t prev(std::uint32_t granule) const {
    const auto it = starts.lower_bound(granule);
    return it == starts.begin() ? BoundaryMap::kNone : std::prev(it)->first;
  }
  /// Whether clear_blocks() may be asked to clear [first, end).
  [[nodiscard]] bool has_hole(std::uint32_t first, std::uint32_t end) const {
    for (auto it = starts.lower_bound(first); it != starts.end() && it->first < end; ++it) {
      if (it->second) return true;
    }
    return false;
  }
  void erase(std::uint32_t first, std::uint32_t end) {
    starts.erase(starts.lower_bound(first), starts.lower_bound(end));
  }
};

void change_one(BoundaryMap& map, StartsModel& model, Random& random, std::uint32_t end) {
  const std::uint32_t granule = 1 + random.below(end - 1);
  switch (random.below(6)) {
    case 0:
      if (!model.is_hole(granule)) {
        map.set_start(granule);
        model.starts[granule] = false;
      }
      break;
    case 1:
      map.set_hole(granule);
      model.starts[granule] = true;
      break;
    case 2:
      if (model.is_hole(granule)) {
        map.hole_to_block(granule);
        model.starts[granule] = false;
      }
      break;
    case 3:
      map.clear(granule);
      model.starts.erase(granule);
      break;
    case 4: {
      const std::uint32_t stop = std::min(end, granule + 1 + random.below(300));
      const std::uint32_t step = 1 + (random.below(200) >> random.below(8));
      if (model.has_hole(granule, stop)) break;
      map.clear_blocks(granule + 1, stop);
      model.erase(granule + 1, stop);
      map.set_starts(granule, stop, step);
      for (std::uint32_t at = granule; at < stop; at += step) model.starts[at] = false;
      break;
    }
    default: {
      const std::uint32_t stop = std::min(end, granule + random.below(300));
      if (model.has_hole(granule, stop)) break;
      map.clear_blocks(granule, stop);
      model.erase(granule, stop);
      break;
    }
  }
}

}  // namespace

TEST_CASE("A boundary map agrees with a map of starts", "[freelist][boundary_map][property]") {
  Random random = random_for("structures: boundary map");
  INFO("seed " << test_seed());
  for (int round = 0; round < 40; ++round) {
    const std::uint32_t end = 2 + (random.below(1u << 20) >> random.below(19));
    BoundaryMap map;
    StartsModel model;
    REQUIRE(map.grow(end));
    map.set_start(end);
    model.starts[end] = false;
    for (int op = 0; op < 1000; ++op) {
      change_one(map, model, random, end);
      const std::uint32_t at = random.below(end);
      REQUIRE(map.is_start(at) == model.starts.contains(at));
      REQUIRE(map.is_hole(at) == model.is_hole(at));
      REQUIRE(map.is_block(at) == (model.starts.contains(at) && !model.is_hole(at)));
      REQUIRE(map.next_start(at) == model.next(at));
      REQUIRE(map.prev_start(at) == model.prev(at));
    }
    map.verify(end);
  }
}

TEST_CASE("A boundary map refuses to clear a hole as if it were a block",
          "[freelist][boundary_map][misuse]") {
  BoundaryMap map;
  REQUIRE(map.grow(1000));
  map.set_start(1000);
  for (const std::uint32_t hole : {1u, 63u, 64u, 500u, 999u}) {
    map.set_hole(hole);
    CHECK_ABORTS(map.clear_blocks(1, 1000), "contains a hole");
    CHECK_ABORTS(map.clear_blocks(hole, hole + 1), "contains a hole");
    map.clear_blocks(hole, hole);
    map.clear(hole);
  }
  map.clear_blocks(1, 1000);
}

namespace {

/// Holes and blocks in the map as both indices need them: each hole ends where a block starts.
struct Holes {
  BoundaryMap map;
  std::map<std::uint32_t, std::uint32_t> size_at;
  std::uint32_t end;

  explicit Holes(std::uint32_t end_granule) : end(end_granule) {
    REQUIRE(map.grow(end));
    map.set_start(end);
    map.set_start(1);
  }
  /// Whether [granule, granule + size) and its two neighbours meet no hole.
  [[nodiscard]] bool has_room(std::uint32_t granule, std::uint32_t size) const {
    if (granule < 2 || granule + size >= end) return false;
    const auto next = size_at.lower_bound(granule);
    if (next != size_at.end() && next->first <= granule + size) return false;
    return next == size_at.begin() || std::prev(next)->first + std::prev(next)->second < granule;
  }
  void add(std::uint32_t granule, std::uint32_t size) {
    map.clear_blocks(granule, granule + size);
    map.set_hole(granule);
    map.set_start(granule + size);
    size_at[granule] = size;
  }
  void remove(std::uint32_t granule) {
    map.hole_to_block(granule);
    size_at.erase(granule);
  }
  /// The lowest hole of the least size >= `size`; {0, 0} when there is none.
  [[nodiscard]] std::pair<std::uint32_t, std::uint32_t> best(std::uint32_t size) const {
    std::pair<std::uint32_t, std::uint32_t> best{0, 0};
    for (const auto& [granule, hole_size] : size_at) {
      if (hole_size >= size && (best.second == 0 || hole_size < best.second)) {
        best = {granule, hole_size};
      }
    }
    return best;
  }
  [[nodiscard]] std::uint32_t greatest() const {
    std::uint32_t greatest = 0;
    for (const auto& [granule, size] : size_at) greatest = std::max(greatest, size);
    return greatest;
  }
};

}  // namespace

TEST_CASE("A class index agrees with a map of holes", "[freelist][class_index][property]") {
  Random random = random_for("structures: class index");
  INFO("seed " << test_seed());
  for (int round = 0; round < 30; ++round) {
    Holes holes(70 + (random.below(1u << 19) >> random.below(16)));
    ClassIndex index;
    REQUIRE(index.grow(holes.end));
    const std::uint32_t most = 1 + (random.below(63) >> random.below(6));
    // Close together, so that many share a line, or anywhere.
    const std::uint32_t spread = random.chance(50) ? std::min(holes.end, 600u) : holes.end;
    for (int op = 0; op < 600; ++op) {
      const std::uint32_t granule = random.below(spread);
      const std::uint32_t size = random.between(1, most);
      if (random.chance(60)) {
        if (!holes.has_room(granule, size)) continue;
        holes.add(granule, size);
        index.insert(granule, size);
      } else if (random.chance(50)) {
        const auto hole = holes.size_at.lower_bound(granule);
        if (hole == holes.size_at.end()) continue;
        index.erase(holes.map, hole->first, hole->second);
        holes.remove(hole->first);
      } else if (index.class_from(size) == size) {
        const std::uint32_t lowest = index.pop_lowest(holes.map, size);
        REQUIRE(lowest == holes.best(size).first);
        holes.remove(lowest);
      }
      const std::uint32_t asked = random.between(1, 64);
      const auto [best_granule, best_size] = holes.best(asked);
      REQUIRE(index.class_from(asked) == best_size);
      if (best_size != 0 && random.chance(10)) {
        REQUIRE(index.pop_lowest(holes.map, best_size) == best_granule);
        index.insert(best_granule, best_size);
      }
      REQUIRE(index.greatest() == holes.greatest());
    }
    index.verify(holes.map, holes.end);
  }
}

TEST_CASE("A class index finds the one hole of each size at each end of each level",
          "[freelist][class_index]") {
  constexpr std::uint32_t kEnd = 1u << 25;
  ClassIndex index;
  Holes holes(kEnd);
  REQUIRE(index.grow(kEnd));
  for (std::uint32_t size = 1; size < 64; ++size) {
    for (const std::uint32_t line :
         {0u, 1u, 63u, 64u, 4095u, 4096u, (1u << 18) - 1, 1u << 18, (kEnd >> 6) - 2}) {
      const std::uint32_t granule = line * 64 + 2 + size % 60;
      holes.add(granule, size);
      index.insert(granule, size);
      REQUIRE(index.class_from(1) == size);
      REQUIRE(index.pop_lowest(holes.map, size) == granule);
      REQUIRE(index.class_from(1) == 0);
      holes.remove(granule);
      holes.map.clear(granule);
      holes.map.clear(granule + size);
    }
  }
}

TEST_CASE("A hole tree reuses its nodes", "[freelist][hole_tree]") {
  HoleTree tree;
  REQUIRE(tree.grow(65 * 20));
  // As many holes as the arena can have, many times over.
  for (std::uint32_t round = 0; round < 50; ++round) {
    for (std::uint32_t i = 0; i < 20; ++i) tree.insert(1 + i * 65, 64);
    CHECK(tree.count() == 20);
    CHECK(tree.best_fit(64).granule == 1);
    for (std::uint32_t i = 0; i < 20; ++i) tree.erase(1 + (i * 7 + round) % 20 * 65, 64);
    CHECK(tree.count() == 0);
    CHECK(tree.best_fit(1).size == 0);
    CHECK(tree.largest().size == 0);
  }
}

TEST_CASE("A hole tree tells sizes on both sides of every power of two apart",
          "[freelist][hole_tree]") {
  HoleTree tree;
  REQUIRE(tree.grow((1u << 28) - 1));
  std::uint32_t granule = 1;
  for (std::uint32_t size = 64; size < 1u << 28; size *= 2) {
    for (const std::uint32_t near : {size - 1, size, size + 1}) {
      if (near < 64) continue;
      tree.insert(granule, near);
      CHECK(tree.best_fit(near).size == near);
      CHECK(tree.largest().size == near);
      CHECK(tree.contains(granule, near));
      CHECK(tree.best_fit(near + 1).size == 0);
      granule += 2;
    }
  }
}

TEST_CASE("A hole tree agrees with a set of holes", "[freelist][hole_tree][property]") {
  Random random = random_for("structures: hole tree");
  INFO("seed " << test_seed());
  for (int round = 0; round < 30; ++round) {
    Holes holes((1u << 12) + (random.below(1u << 22) >> random.below(10)));
    HoleTree tree;
    REQUIRE(tree.grow(holes.end));
    // Few sizes make many equal ones.
    const std::uint32_t sizes = random.chance(50) ? 3 : 5000;
    for (int op = 0; op < 800; ++op) {
      const std::uint32_t granule = random.below(holes.end);
      const std::uint32_t size = HoleTree::kMinGranules + random.below(sizes);
      const auto known = holes.size_at.lower_bound(granule);
      if (random.chance(60)) {
        if (!holes.has_room(granule, size)) continue;
        holes.add(granule, size);
        tree.insert(granule, size);
      } else if (known != holes.size_at.end()) {
        tree.erase(known->first, known->second);
        holes.remove(known->first);
      }
      REQUIRE(tree.count() == holes.size_at.size());
      const std::uint32_t asked = HoleTree::kMinGranules + random.below(sizes + 2);
      const auto found = tree.best_fit(asked);
      REQUIRE(std::pair(found.granule, found.size) == holes.best(asked));
      const auto largest = tree.largest();
      REQUIRE(largest.size == holes.greatest());
      if (largest.size != 0) {
        REQUIRE(holes.size_at.at(largest.granule) == largest.size);
        REQUIRE(tree.contains(largest.granule, largest.size));
        REQUIRE_FALSE(tree.contains(largest.granule, largest.size + 1));
      }
    }
  }
}

TEST_CASE("A hole tree refuses to take out a hole that it has not got",
          "[freelist][hole_tree][misuse]") {
  HoleTree tree;
  REQUIRE(tree.grow(10000));
  CHECK_ABORTS(tree.erase(64, 64), "hole is not in the tree");
  tree.insert(64, 100);
  tree.insert(640, 200);
  CHECK_ABORTS(tree.erase(128, 100), "hole is not in the tree: index, bytes (0x800, 0x640)");
  CHECK_ABORTS(tree.erase(1280, 200), "hole is not in the tree");
  tree.erase(64, 100);
  CHECK_ABORTS(tree.erase(64, 100), "hole is not in the tree");
  tree.erase(640, 200);
  CHECK(tree.count() == 0);
}

}  // namespace besom::test
