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

/// A list with a small hole, a large one and a bump run.
FreeList mixed_list() {
  FreeList list(1 << 16);
  const std::uint32_t small = list.alloc_fast(32);
  REQUIRE(list.alloc_fast(16) != 0);
  const std::uint32_t large = list.alloc_fast(4096);
  REQUIRE(list.alloc_fast(16) != 0);
  list.dealloc_fast(small, 32);
  list.dealloc_fast(large, 4096);
  Peer::file_fresh(list);
  list.verify();
  return list;
}

}  // namespace

TEST_CASE("verify finds a count that is off", "[freelist][verify]") {
  FreeList list = mixed_list();
  ++Peer::indexed_granules(list);
  CHECK_ABORTS(list.verify(), "free granules: walked, counted");
  --Peer::indexed_granules(list);
  ++Peer::indexed_holes(list);
  CHECK_ABORTS(list.verify(), "holes: walked, counted (0x2, 0x3)");
}

TEST_CASE("verify finds a bump run out of order", "[freelist][verify]") {
  FreeList list = mixed_list();
  Peer::bump_begin(list) += 0x10000;
  CHECK_ABORTS(list.verify(), "bump run out of order: begin, end");
}

TEST_CASE("verify finds that no run starts where the bump run ends", "[freelist][verify]") {
  FreeList list = from_picture("##__#=");
  Peer::map(list).clear(number(4));
  CHECK_ABORTS(list.verify(), "no run starts where one ends: index");
}

TEST_CASE("verify finds a hole without a start", "[freelist][verify]") {
  FreeList list = from_picture("##..##");
  Peer::file_fresh(list);
  Peer::map(list).clear(number(2));
  CHECK_ABORTS(list.verify(), "line, class (0x0, 0x2)");
}

TEST_CASE("verify finds a hole that no class names", "[freelist][verify]") {
  FreeList list = from_picture("##..##");
  Peer::file_fresh(list);
  Peer::small_holes(list).erase(Peer::map(list), number(2), 2, 0);
  CHECK_ABORTS(list.verify(), "line, class (0x0, 0x2)");
}

TEST_CASE("verify finds a class that names no hole", "[freelist][verify]") {
  FreeList list = from_picture("##..##");
  Peer::small_holes(list).insert(number(2), 5);
  CHECK_ABORTS(list.verify(), "line, class (0x0, 0x5)");
}

TEST_CASE("verify finds two holes side by side", "[freelist][verify]") {
  FreeList list = from_picture("#..==#");
  Peer::file_fresh(list);
  Peer::map(list).set_hole(number(3));
  Peer::small_holes(list).insert(number(3), 2);
  CHECK_ABORTS(list.verify(), "holes left unmerged: second, end (0x40, 0x60)");
}

TEST_CASE("verify finds a hole beside the bump run", "[freelist][verify]") {
  FreeList list = from_picture("#==__#");
  Peer::map(list).set_hole(number(1));
  CHECK_ABORTS(list.verify(), "");
}

TEST_CASE("verify finds that the fresh hole is not as it was noted", "[freelist][verify]") {
  FreeList list = from_picture("#..==#");
  list.verify();
  Peer::map(list).clear(number(3));
  CHECK_ABORTS(list.verify(), "fresh hole's size: map, noted (0x40, 0x20)");
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
  CHECK_ABORTS(list.verify(), "large holes: walked, counted (0x1, 0x2)");
}

}  // namespace besom::test
