/// Which hole serves a request: docs/design.md#fit.

#include "freelist/free_list.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/free_list_peer.hpp"
#include "tests/support/picture.hpp"

namespace besom::test {

TEST_CASE("Requests are cut from the bump run in address order", "[freelist][fit]") {
  FreeList list(1 << 20);
  CHECK(list.alloc_fast(16) == 16);
  CHECK(list.alloc_fast(48) == 32);
  CHECK(list.alloc_fast(16) == 80);
  CHECK(list.bump_run().index == 96);
}

TEST_CASE("Without room in the bump run an exact hole is preferred to a larger one",
          "[freelist][fit]") {
  FreeList list = from_picture("...#.=..#_");
  CHECK(list.alloc_fast(granules(2)) == granule(6));
  CHECK(list.alloc_fast(granules(3)) == granule(0));
  CHECK(picture_with_bump(list) == "###=.#==#_");
}

TEST_CASE("Of equal holes the lowest is taken", "[freelist][fit]") {
  FreeList list = from_picture("#..#..=..#");
  CHECK(list.alloc_fast(granules(2)) == granule(1));
  CHECK(list.alloc_fast(granules(2)) == granule(4));
  CHECK(list.alloc_fast(granules(2)) == granule(7));
}

TEST_CASE("The smallest hole that fits is split when none is exact", "[freelist][fit]") {
  FreeList list = from_picture(".....#...=....");
  CHECK(list.alloc_fast(granules(2)) == granule(6));
  CHECK(picture_with_bump(list) == ".....#==_#....");
}

TEST_CASE("A bump run that fits better than any hole is cut though its limit is reached",
          "[freelist][fit]") {
  FreeList list(1 << 20);
  // Up to the limit by pieces that the inline path serves.
  while (list.bump_run().index < FreeListTestPeer::bump_limit(list)) {
    REQUIRE(list.alloc_fast(1 << 12) != 0);
  }
  const std::uint32_t begin = list.bump_run().index;
  CHECK(list.alloc_fast(16) == begin);
}

TEST_CASE("After 64 KiB of bumping an exact hole is looked for again", "[freelist][fit]") {
  FreeList list(1 << 20);
  const std::uint32_t hole = list.alloc_fast(32);
  REQUIRE(list.alloc_fast(16) != 0);
  list.dealloc_fast(hole, 32);
  std::uint32_t bumped = 0;
  while (list.alloc_fast(32) != hole) bumped += 32;
  CHECK(bumped <= FreeList::kBumpBytes);
  CHECK(bumped > FreeList::kBumpBytes - 1024);
}

TEST_CASE("A large request beside a small bump run leaves it open", "[freelist][fit]") {
  FreeList list(1 << 20);
  const std::uint32_t large = list.alloc_fast(1 << 16);
  REQUIRE(list.alloc_fast(16) != 0);
  const std::uint32_t rest = list.alloc_fast(list.bump_run().size_bytes - 160);
  REQUIRE(rest != 0);
  list.dealloc_fast(large, 1 << 16);
  const Run bump = list.bump_run();
  REQUIRE(bump.size_bytes == 160);
  CHECK(list.alloc_fast(2048) == large);
  CHECK(list.bump_run() == bump);
  CHECK(list.alloc_fast(4096) == large + 2048);
  list.verify();
}

TEST_CASE("Of large holes the smallest that fits is taken, and the lowest of equals",
          "[freelist][fit]") {
  FreeList list(1 << 24);
  std::uint32_t index[5];
  const std::uint32_t sizes[] = {8192, 2048, 4096, 2048, 16384};
  for (int i = 0; i < 5; ++i) {
    index[i] = list.alloc_fast(sizes[i]);
    REQUIRE(list.alloc_fast(16) != 0);
  }
  REQUIRE(list.alloc_fast(list.bump_run().size_bytes) != 0);
  for (int i = 0; i < 5; ++i) list.dealloc_fast(index[i], sizes[i]);
  CHECK(list.alloc_fast(2048) == index[1]);
  CHECK(list.alloc_fast(1040) == index[3]);
  CHECK(list.alloc_fast(4096) == index[2]);
  CHECK(list.alloc_fast(8208) == index[4]);
  CHECK(list.alloc_fast(1008) == index[3] + 1040);
  CHECK(list.alloc_fast(1024) == index[4] + 8208);
  list.verify();
}

TEST_CASE("A request is met by the last hole that can, wherever it is", "[freelist][fit]") {
  for (const char* drawing : {"...#.#..", "_#...#.", "#.=..."}) {
    FreeList list = from_picture(drawing);
    INFO(drawing);
    CHECK(list.alloc_fast(granules(3)) != 0);
    CHECK(list.alloc_fast(granules(3)) == 0);
    list.verify();
  }
}

TEST_CASE("A refused request leaves the holes as they are", "[freelist][fit]") {
  FreeList list = from_picture("..#.=..#__");
  CHECK(list.alloc_fast(granules(3)) == 0);
  CHECK(list.alloc_fast(granules(300)) == 0);
  CHECK(list.alloc_fast(0xfffffff0) == 0);
  CHECK(picture(list) == "..#.#..#..");
  list.verify();
}

}  // namespace besom::test
