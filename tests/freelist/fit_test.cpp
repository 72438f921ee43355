/// Which hole serves a request: docs/design.md#fit.

#include "freelist/free_list.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/picture.hpp"

namespace besom::test {

TEST_CASE("Requests are cut from one hole in address order", "[freelist][fit]") {
  FreeList list(1 << 20);
  CHECK(list.alloc_fast(16) == 16);
  CHECK(list.alloc_fast(48) == 32);
  CHECK(list.alloc_fast(16) == 80);
}

TEST_CASE("An exact hole is preferred to any other", "[freelist][fit]") {
  FreeList list = from_picture("...#.=..#......");
  CHECK(list.alloc_fast(granules(2)) == granule(6));
  CHECK(list.alloc_fast(granules(3)) == granule(0));
  CHECK(picture(list) == "###=.#==#......");
}

TEST_CASE("Of equal holes the lowest is taken", "[freelist][fit]") {
  FreeList list = from_picture("#..#..=..#");
  CHECK(list.alloc_fast(granules(2)) == granule(1));
  CHECK(list.alloc_fast(granules(2)) == granule(4));
  CHECK(list.alloc_fast(granules(2)) == granule(7));
}

TEST_CASE("When none is exact, the smallest hole of twice the size or more is split",
          "[freelist][fit]") {
  FreeList list = from_picture("......#...=.....#....");
  CHECK(list.alloc_fast(granules(2)) == granule(17));
  CHECK(list.alloc_fast(granules(2)) == granule(19));
  CHECK(list.alloc_fast(granules(2)) == granule(11));
  CHECK(picture(list) == "......#...#==...#==##");
}

TEST_CASE("A hole of 1 KiB counts as twice the size of every smaller request", "[freelist][fit]") {
  FreeList list(1 << 16);
  const std::uint32_t close = list.alloc_fast(granules(61));
  REQUIRE(list.alloc_fast(16) != 0);
  const std::uint32_t large = list.alloc_fast(granules(64));
  REQUIRE(list.alloc_fast(16) != 0);
  list.dealloc_fast(close, granules(61));
  list.dealloc_fast(large, granules(64));
  CHECK(list.alloc_fast(granules(60)) == large);
}

TEST_CASE("When none has twice the size, the smallest hole that fits is split", "[freelist][fit]") {
  FreeList list = from_picture(".....#....=.....");
  CHECK(list.alloc_fast(granules(3)) == granule(6));
  CHECK(list.alloc_fast(granules(3)) == granule(0));
  CHECK(picture(list) == "###..#===.#.....");
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
  REQUIRE(list.alloc_fast(list.largest_free_block()) != 0);
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
  for (const char* drawing : {"...#.#..", ".#...#.", "#.=..."}) {
    FreeList list = from_picture(drawing);
    INFO(drawing);
    CHECK(list.alloc_fast(granules(3)) != 0);
    CHECK(list.alloc_fast(granules(3)) == 0);
    list.verify();
  }
}

TEST_CASE("A refused request leaves the holes as they are", "[freelist][fit]") {
  FreeList list = from_picture("..#.=..#..");
  CHECK(list.alloc_fast(granules(3)) == 0);
  CHECK(list.alloc_fast(granules(300)) == 0);
  CHECK(list.alloc_fast(0xfffffff0) == 0);
  CHECK(picture(list) == "..#.#..#..");
  list.verify();
}

}  // namespace besom::test
