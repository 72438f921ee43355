/// Allocation in a space that is swept as it goes, beside a map of what is alive.

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "heap/space.hpp"
#include "tests/heap/fault_system.hpp"
#include "tests/support/seed.hpp"

namespace besom::test {
namespace {

using detail::bit;
using detail::index_of;
using detail::Space;
using detail::to_granules;
using detail::Window;

constexpr std::uint32_t kGranule = kGranuleBytes;

/// A space, what lives in it, and what its marks would be.
class SweptSpace {
 public:
  SweptSpace(std::uint64_t bytes, bool generational)
      : owned_(std::move(*Space::create({.heap_max = bytes,
                                         .generational = generational,
                                         .read_environment = false,
                                         .system = &FaultSystem::table()},
                                        {}, front_))),
        space_(*owned_),
        taken_(bytes / kGranule),
        marks_(bytes / 1024 + 2),
        keeps_marks_(generational) {
    REQUIRE_FALSE(space_.grow(bytes));
    taken_[0] = true;
  }

  /// An object of `granules`; false when there is no room, which is then found to be true.
  bool allocate(std::uint32_t granules) {
    char* object = from_fast_paths(granules);
    if (object == nullptr) object = space_.allocate(granules);
    if (object == nullptr) {
      space_.retire();
      object = space_.allocate(granules);
    }
    if (object == nullptr) {
      if (granules <= longest_free_run()) FAIL("refused " << granules << " granules");
      return false;
    }
    const std::uint32_t index = index_of(object);
    const std::uint32_t bytes = granules * kGranule;
    unsigned char any = 0;
    for (std::uint32_t i = 0; i < bytes; ++i) any |= static_cast<unsigned char>(object[i]);
    if (any != 0) FAIL("not zero: " << index);
    for (std::uint32_t granule = index / kGranule; granule < (index + bytes) / kGranule;
         ++granule) {
      if (taken_[granule]) FAIL("handed out twice: granule " << granule);
      taken_[granule] = true;
    }
    std::memset(object, 0xab, bytes);
    live_[index] = bytes;
    return true;
  }

  /// All but a part of the objects die. Nothing is swept.
  void mark(Random& random, std::uint32_t percent_kept) {
    space_.retire();
    check_all();
    std::fill(marks_.begin(), marks_.end(), 0);
    const std::uint32_t end = to_granules(space_.free_list().used_end());
    dead_ = 0;
    for (auto object = live_.begin(); object != live_.end();) {
      const std::uint32_t granule = object->first / kGranule;
      if (random.chance(percent_kept)) {
        marks_[granule / 64] |= bit(granule);
        ++object;
        continue;
      }
      for (std::uint32_t i = 0; i < object->second / kGranule; ++i) taken_[granule + i] = false;
      std::memset(space_.base() + object->first, 0xdd, object->second);
      object = live_.erase(object);
      ++dead_;
    }
    space_.young_lines().clear();
    space_.begin_sweep(marks_.data(), end, keeps_marks_);
  }

  /// What the space says of one place, whatever is swept by now.
  void check_at(std::uint32_t index) const {
    Run expected{};
    auto object = live_.upper_bound(index);
    if (object != live_.begin()) {
      --object;
      if (index < object->first + object->second) expected = {object->first, object->second};
    }
    if (!(space_.object_at(index) == expected) ||
        space_.is_object(index) != (expected.index == index && index != 0)) {
      const Run found = space_.object_at(index);
      FAIL("at " << index << ": " << found.index << "+" << found.size_bytes << ", not "
                 << expected.index << "+" << expected.size_bytes);
    }
  }
  /// What a walk meets, however far the sweep has come. Changes nothing.
  void check_walk() {
    space_.conceal_unused();
    const auto& map = space_.free_list().map();
    std::size_t objects = 0;
    for (std::uint32_t granule = 1; granule < granules(); granule = map.next_start(granule)) {
      if (!map.is_block(granule)) continue;
      ++objects;
      const auto object = live_.find(granule * kGranule);
      if (object == live_.end()) FAIL("a walk meets no object: granule " << granule);
      const std::uint32_t bytes = (map.next_start(granule) - granule) * kGranule;
      if (bytes != object->second) FAIL("a walk meets half an object: granule " << granule);
    }
    space_.reveal_unused();
    REQUIRE(objects == live_.size());
  }
  void check_dead() const { REQUIRE(space_.dead_objects() == dead_); }

  /// After retire() the free list knows it all.
  void check_all() const {
    space_.free_list().verify();
    std::uint64_t used = 0;
    for (const auto& [index, bytes] : live_) {
      used += bytes;
      if (!(space_.free_list().run_at(index) == Run{index, bytes})) FAIL("run at " << index);
    }
    REQUIRE(space_.used_bytes() == used);
    if (keeps_marks_) return;
    REQUIRE(
        std::all_of(marks_.begin(), marks_.end(), [](std::uint64_t word) { return word == 0; }));
  }

  Space& space() { return space_; }
  std::uint32_t granules() const { return static_cast<std::uint32_t>(taken_.size()); }

 private:
  char* from_fast_paths(std::uint32_t granules) {
    const std::size_t bytes = std::size_t{granules} * kGranule;
    if (granules <= Space::kWindowClasses) {
      Window& window = space_.window(granules);
      if (window.room() >= bytes) {
        char* object = window.cursor;
        window.cursor += bytes;
        std::memset(object, 0, bytes);
        return object;
      }
    }
    return granules <= Space::kCursorGranules ? space_.take(granules) : nullptr;
  }
  std::uint32_t longest_free_run() const {
    std::uint32_t longest = 0;
    std::uint32_t length = 0;
    for (const bool is_taken : taken_) {
      length = is_taken ? 0 : length + 1;
      longest = std::max(longest, length);
    }
    return longest;
  }

  detail::Front front_;
  std::unique_ptr<Space> owned_;
  Space& space_;
  std::map<std::uint32_t, std::uint32_t> live_;  ///< Index to bytes.
  std::vector<bool> taken_;                      ///< By granule.
  std::vector<std::uint64_t> marks_;
  bool keeps_marks_;
  std::uint64_t dead_ = 0;
};

std::uint32_t any_size(Random& random) {
  if (random.chance(60)) return random.between(1, 8);
  if (random.chance(60)) return random.between(28, 70);
  return random.chance(90) ? random.between(200, 300) : random.between(1000, 5000);
}

}  // namespace

TEST_CASE("Sweep: allocation between live objects and into what died, against a map of granules",
          "[heap][sweep]") {
  const std::uint64_t bytes = GENERATE(std::uint64_t{8} << 10, std::uint64_t{200} << 10,
                                       std::uint64_t{1} << 20, std::uint64_t{5} << 20);
  const bool generational = GENERATE(false, true);
  Random random = random_for("Sweep: against a map of " + std::to_string(bytes * 2 + generational));
  INFO("seed " << test_seed() << ", " << bytes << " bytes, generational " << generational);
  SweptSpace swept(bytes, generational);
  const int rounds = static_cast<int>((std::uint64_t{16} << 20) / bytes) + 10;
  for (int round = 0; round < std::min(rounds, 400); ++round) {
    // Few distinct sizes in some rounds, so that rests come back to exact fits.
    const std::uint32_t usual = any_size(random);
    const bool looks = random.chance(50);
    std::uint32_t until_look = random.between(1, 200);
    std::uint32_t refused = 0;
    const std::uint32_t enough = random.between(1, swept.granules());
    for (std::uint32_t i = 0; i < enough && refused < 3; ++i) {
      if (!swept.allocate(random.chance(50) ? usual : any_size(random))) ++refused;
      if (!looks || --until_look != 0) continue;
      until_look = random.between(1, 200);
      for (int look = 0; look < 20; ++look) swept.check_at(random.below(swept.granules()) * 16);
      swept.check_dead();
      if (random.chance(20)) swept.check_walk();
    }
    swept.mark(random, random.between(0, 100));
    if (random.chance(10)) swept.space().retire();
  }
  swept.space().retire();
  swept.check_all();
}

TEST_CASE("Sweep: small objects leave the runs of dead large ones whole while small holes remain",
          "[heap][sweep]") {
  Random random = random_for("Sweep: runs stay whole");
  SweptSpace swept(1 << 20, false);
  // One large object to eight small ones, all over the space.
  while (swept.allocate(512)) {
    for (int i = 0; i < 8; ++i) static_cast<void>(swept.allocate(4));
  }
  swept.mark(random, 50);
  const std::uint32_t longest = swept.space().free_list().largest_free_block();
  CHECK(longest < 8192);
  for (int i = 0; i < 100; ++i) REQUIRE(swept.allocate(4));
  for (int i = 0; i < 20; ++i) REQUIRE(swept.allocate(512));
}

TEST_CASE("Sweep: a stretch at a time, so that no allocation looks at all of the space",
          "[heap][sweep]") {
  Random random = random_for("Sweep: in steps");
  SweptSpace swept(4 << 20, false);
  while (swept.allocate(4)) {
  }
  swept.mark(random, 50);
  REQUIRE(swept.allocate(4));
  // Nothing above the first stretch was given back or looked at.
  const FreeList& list = swept.space().free_list();
  CHECK(list.num_free_blocks() <= 4096);
  CHECK_FALSE(swept.space().is_swept());
  for (const Run hole : list.free_blocks()) {
    if (hole.end() != 4u << 20) CHECK(hole.index < (64u << 10) + 1024);
  }
}

}  // namespace besom::test
