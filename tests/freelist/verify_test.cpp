/// verify() must find damage to any part of a list; each check runs in a child process.

#include "freelist/free_list.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/death.hpp"
#include "tests/support/free_list_peer.hpp"
#include "tests/support/picture.hpp"

namespace besom::test {
namespace {

using Peer = FreeListTestPeer;

constexpr std::uint32_t number(std::uint32_t place) { return place + 1; }

/// A list with a small hole and two large ones.
FreeList mixed_list() {
  FreeList list(1 << 16);
  const std::uint32_t small = list.alloc_fast(32);
  REQUIRE(list.alloc_fast(16) != 0);
  const std::uint32_t large = list.alloc_fast(4096);
  REQUIRE(list.alloc_fast(16) != 0);
  list.dealloc_fast(small, 32);
  list.dealloc_fast(large, 4096);
  list.verify();
  return list;
}

}  // namespace

TEST_CASE("verify finds a count that is off", "[freelist][verify]") {
  FreeList list = mixed_list();
  ++Peer::free_granules(list);
  CHECK_ABORTS(list.verify(), "free granules: walked, counted");
  --Peer::free_granules(list);
  ++Peer::hole_count(list);
  CHECK_ABORTS(list.verify(), "holes: walked, counted (0x3, 0x4)");
}

TEST_CASE("verify finds a hole without a start", "[freelist][verify]") {
  FreeList list = from_picture("##..##");
  Peer::map(list).clear(number(2));
  CHECK_ABORTS(list.verify(), "line, class (0x0, 0x2)");
}

TEST_CASE("verify finds a hole that no class names", "[freelist][verify]") {
  FreeList list = from_picture("##..##");
  Peer::small_holes(list).erase(Peer::map(list), number(2), 2);
  CHECK_ABORTS(list.verify(), "line, class (0x0, 0x2)");
}

TEST_CASE("verify finds a class that names no hole", "[freelist][verify]") {
  FreeList list = from_picture("##..##");
  Peer::small_holes(list).insert(number(2), 5);
  CHECK_ABORTS(list.verify(), "line, class (0x0, 0x5)");
}

TEST_CASE("verify finds two holes side by side", "[freelist][verify]") {
  FreeList list = from_picture("#..==#");
  Peer::map(list).set_hole(number(3));
  Peer::small_holes(list).insert(number(3), 2);
  CHECK_ABORTS(list.verify(), "holes left unmerged: second, end (0x40, 0x60)");
}

TEST_CASE("verify finds a large hole that the tree has not got", "[freelist][verify]") {
  FreeList list = mixed_list();
  const std::uint32_t large = 1 + 2 + 1;
  Peer::large_holes(list).erase(large, 256);
  CHECK_ABORTS(list.verify(), "large hole not in the tree");
  Peer::large_holes(list).insert(large, 255);
  CHECK_ABORTS(list.verify(), "large hole not in the tree");
}

TEST_CASE("verify finds a tree with a hole too many", "[freelist][verify]") {
  FreeList list = mixed_list();
  Peer::large_holes(list).insert(64 * 40, 64);
  CHECK_ABORTS(list.verify(), "large holes: walked, counted (0x2, 0x3)");
}

}  // namespace besom::test
