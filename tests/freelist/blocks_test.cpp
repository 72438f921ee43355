/// Blocks as such: where they start, cutting and joining them, and taking whole runs.

#include <initializer_list>
#include <string>
#include <vector>

#include "freelist/free_list.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/free_list_peer.hpp"
#include "tests/support/picture.hpp"

namespace besom::test {

TEST_CASE("A drawing comes back as it was drawn", "[freelist][support]") {
  for (const char* drawing : {"", ".", "#", "..##==.###..", "#=#=#="}) {
    const FreeList list = from_picture(drawing);
    CHECK(picture(list) == drawing);
    list.verify();
  }
}

TEST_CASE("A run given back joins the holes on both sides", "[freelist][merge]") {
  FreeList list = from_picture("..##..");
  list.dealloc_fast(granule(2), granules(2));
  CHECK(picture(list) == "......");
  CHECK(list.num_free_blocks() == 1);
}

TEST_CASE("A block given back joins whatever is free beside it", "[freelist][merge]") {
  struct Case {
    const char* before;
    std::uint32_t place;
    const char* after;
  };
  const Case cases[] = {{"=#=", 1, "#.#"},     {".#=", 1, "..#"},       {"=#.", 1, "#.."},
                        {".#.", 1, "..."},     {"#=", 0, ".#"},         {"=#", 1, "#."},
                        {".=#=.", 2, ".#.#."}, {"..=.#.", 4, "..#..."}, {".#.=.", 1, "...#."},
                        {".#=.", 1, "..#."}};
  for (const Case& c : cases) {
    FreeList list = from_picture(c.before);
    list.dealloc_fast(granule(c.place), granules(1));
    INFO(c.before);
    CHECK(picture(list) == c.after);
    list.verify();
  }
}

TEST_CASE("is_block is true exactly where a live block starts", "[freelist][blocks]") {
  const FreeList list = from_picture("##==..#..=");
  const bool starts[] = {true, false, true, false, false, false, true, false, false, true};
  for (std::uint32_t place = 0; place < 10; ++place) {
    CHECK(list.is_block(granule(place)) == starts[place]);
    for (const std::uint32_t off : {1u, 8u, 15u}) CHECK_FALSE(list.is_block(granule(place) + off));
  }
}

TEST_CASE("run_at finds the run around any byte", "[freelist][blocks]") {
  const FreeList list = from_picture("##==..#..=");
  const std::uint32_t first[] = {0, 0, 2, 2, 4, 4, 6, 7, 7, 9};
  const std::uint32_t count[] = {2, 2, 2, 2, 2, 2, 1, 2, 2, 1};
  for (std::uint32_t place = 0; place < 10; ++place) {
    const Run wanted{granule(first[place]), granules(count[place])};
    CHECK(list.run_at(granule(place)) == wanted);
    CHECK(list.run_at(granule(place) + 15) == wanted);
  }
}

TEST_CASE("run_at finds the ends of a run that spans many lines", "[freelist][blocks]") {
  constexpr std::uint32_t kBlock = 3 << 20;
  FreeList list(16 + kBlock + 64);
  const std::uint32_t block = list.alloc_fast(kBlock);
  const std::uint32_t after = list.alloc_fast(16);
  for (const std::uint32_t off : {0u, 15u, 16u, 1023u, 1024u, kBlock / 2, kBlock - 1}) {
    CHECK(list.run_at(block + off) == Run{block, kBlock});
  }
  CHECK(list.run_at(after) == Run{after, 16});
}

TEST_CASE("Cutting a block makes blocks of the pieces and of the rest", "[freelist][cut]") {
  struct Case {
    std::uint32_t piece;
    std::uint32_t covered;
    const char* after;
  };
  const Case cases[] = {{1, 0, ".######."}, {1, 1, ".#=====."}, {1, 2, ".#=####."},
                        {1, 6, ".#=#=#=."}, {2, 2, ".##====."}, {2, 4, ".##==##."},
                        {2, 6, ".##==##."}, {3, 6, ".###===."}, {5, 5, ".#####=."},
                        {6, 6, ".######."}, {6, 0, ".######."}};
  for (const Case& c : cases) {
    FreeList list = from_picture(".######.");
    list.cut_block(granule(1), granules(c.piece), granules(c.covered));
    INFO("piece " << c.piece << ", covered " << c.covered);
    CHECK(picture(list) == c.after);
    list.verify();
  }
}

TEST_CASE("A block below a hole is cut up to it and no further", "[freelist][cut]") {
  FreeList list = from_picture("####....");
  list.cut_block(granule(0), granules(2), granules(4));
  CHECK(picture(list) == "##==....");
  list.dealloc_fast(granule(2), granules(2));
  CHECK(picture(list) == "##......");
}

TEST_CASE("Pieces of every size start where they should, across lines", "[freelist][cut]") {
  constexpr std::uint32_t kCount = 1000;
  for (std::uint32_t piece = 1; piece <= 200; ++piece) {
    for (const std::uint32_t before : {0u, 1u, 37u, 62u, 63u}) {
      FreeList list(granules(kCount + before + 1));
      if (before != 0) REQUIRE(list.alloc_fast(granules(before)) == granule(0));
      const std::uint32_t block = list.alloc_fast(granules(kCount));
      REQUIRE(block == granule(before));
      const std::uint32_t pieces = kCount / piece;
      list.cut_block(block, granules(piece), granules(pieces * piece));
      bool right = true;
      for (std::uint32_t place = 0; place < kCount; ++place) {
        const bool starts = place <= pieces * piece && place % piece == 0;
        right = right && list.is_block(block + granules(place)) == starts;
      }
      INFO("piece " << piece << ", before " << before);
      REQUIRE(right);
    }
  }
}

TEST_CASE("Joined blocks are one block", "[freelist][join]") {
  struct Case {
    std::uint32_t place;
    std::uint32_t count;
    const char* after;
  };
  const Case cases[] = {{0, 1, "#==##=..#.."}, {0, 3, "###==#..#.."}, {0, 5, "#####=..#.."},
                        {0, 6, "######..#.."}, {1, 2, "#==##=..#.."}, {1, 5, "#=====..#.."},
                        {5, 1, "#==##=..#.."}, {8, 1, "#==##=..#.."}};
  for (const Case& c : cases) {
    FreeList list = from_picture("#==##=..#..");
    list.join_blocks(granule(c.place), granules(c.count));
    INFO("place " << c.place << ", count " << c.count);
    CHECK(picture(list) == c.after);
    list.verify();
    list.dealloc_fast(granule(c.place), granules(c.count));
    list.verify();
  }
}

TEST_CASE("A sweep gives a run of dead blocks back at once, across many lines",
          "[freelist][join]") {
  constexpr std::uint32_t kCount = 5000;
  FreeList list(granules(kCount + 1));
  const std::uint32_t block = list.alloc_fast(granules(kCount));
  list.cut_block(block, 16, granules(kCount));
  for (const std::uint32_t first : {1u, 60u, 127u, 200u, 500u, 2000u}) {
    const std::uint32_t count = first / 2 + 1;
    list.join_blocks(block + granules(first), granules(count));
    list.dealloc_fast(block + granules(first), granules(count));
    CHECK(list.run_at(block + granules(first)) == Run{block + granules(first), granules(count)});
    list.verify();
  }
}

TEST_CASE("take_run takes the smallest hole that has the most wanted", "[freelist][take]") {
  FreeList list = from_picture("....#..=...#.");
  CHECK(list.take_run(granules(1), granules(2)) == Run{granule(5), granules(2)});
  CHECK(picture(list) == "....#==#...#.");
  CHECK(list.take_run(granules(1), granules(2)) == Run{granule(8), granules(2)});
  CHECK(picture(list) == "....#==#==.#.");
  CHECK(list.take_run(granules(4), granules(4)) == Run{granule(0), granules(4)});
  list.verify();
}

TEST_CASE("take_run takes the largest hole when none has the most wanted", "[freelist][take]") {
  FreeList list = from_picture("....#..=...#.");
  CHECK(list.take_run(granules(1), granules(5)) == Run{granule(0), granules(4)});
  CHECK(list.take_run(granules(3), granules(5)) == Run{granule(8), granules(3)});
  CHECK(list.take_run(granules(3), granules(5)) == Run{});
  CHECK(list.take_run(granules(2), granules(5)) == Run{granule(5), granules(2)});
  CHECK(list.take_run(granules(1), granules(5)) == Run{granule(12), granules(1)});
  CHECK(list.take_run(granules(1), granules(5)) == Run{});
  CHECK(list.free_bytes() == 0);
  list.verify();
}

TEST_CASE("take_run finds large holes by size", "[freelist][take]") {
  FreeList list(16 + (8 << 20));
  const Run a = list.take_run(16, 1 << 20);
  const Run b = list.take_run(16, 2 << 20);
  const Run c = list.take_run(16, 16 << 20);
  CHECK(a == Run{16, 1 << 20});
  CHECK(b == Run{16 + (1 << 20), 2 << 20});
  CHECK(c == Run{16 + (3 << 20), 5 << 20});
  CHECK(list.take_run(16, 16) == Run{});
  list.dealloc_fast(a.index, a.size_bytes);
  list.dealloc_fast(c.index, c.size_bytes);
  CHECK(list.take_run(16, 4096) == Run{16, 4096});
  CHECK(list.take_run(2 << 20, 3 << 20) == Run{c.index, 3 << 20});
  list.verify();
}

TEST_CASE("take_next_small takes the first hole from there on that fits", "[freelist][take]") {
  FreeList list = from_picture("..#...#.....#..#.");
  CHECK(list.take_next_small(granule(0), granules(6)) == Run{});
  CHECK(list.take_next_small(granule(0), granules(3)) == Run{granule(3), granules(3)});
  CHECK(list.take_next_small(granule(0), granules(1)) == Run{granule(0), granules(2)});
  // Not the rest of a hole that begins below.
  CHECK(list.take_next_small(granule(8), granules(2)) == Run{granule(13), granules(2)});
  CHECK(list.take_next_small(granule(17), granules(1)) == Run{});
  CHECK(picture(list) == "##=###=.....#==#.");
  CHECK(list.free_bytes() == granules(6));
  list.verify();
}

TEST_CASE("take_next_small and take_small_hole leave holes of 1 KiB and more alone",
          "[freelist][take]") {
  std::string drawing(64, '.');
  drawing.append("#").append(63, '.').append("#");
  FreeList list = from_picture(drawing);
  CHECK_FALSE(list.take_small_hole(granule(0)));
  CHECK(list.take_next_small(0, granules(1)) == Run{granule(65), granules(63)});
  CHECK(list.largest_free_block() == 1024);
  CHECK(list.take_next_small(0, granules(1)) == Run{});
  list.dealloc_fast(granule(65), granules(63));
  CHECK(list.take_small_hole(granule(65)));
  CHECK(list.take_next_small(0, 1024) == Run{});
  CHECK(list.free_bytes() == 1024);
  list.verify();
}

TEST_CASE("take_next_small goes on from stretch to stretch", "[freelist][take]") {
  constexpr std::uint32_t kStretchBytes = 64 << 10;
  constexpr std::uint32_t kStretches = 130;  // more than one word of the index
  FreeList list(kStretches * std::uint64_t{kStretchBytes});
  while (list.alloc_fast(16) != 0) {
  }
  // A hole at the end of each third stretch, which reaches into the next.
  std::vector<Run> holes;
  for (std::uint32_t i = 1; i + 1 < kStretches; i += 3) {
    const std::uint32_t end = (i + 1) * kStretchBytes;
    list.dealloc_fast(end - 16, 16);
    list.dealloc_fast(end, 16);
    holes.push_back({end - 16, 32});
  }
  std::uint32_t from = 0;
  for (const Run& hole : holes) {
    REQUIRE(list.take_next_small(from, 48) == Run{});
    REQUIRE(list.take_next_small(from, 32) == hole);
    from = hole.end();
  }
  CHECK(list.take_next_small(from, 16) == Run{});
  CHECK(list.take_next_small(0, 16) == Run{});
  CHECK(list.take_next_small(FreeList::kMaxEnd, 16) == Run{});
  CHECK(list.free_bytes() == 0);
  list.verify();
}

TEST_CASE("start_block ends one block and begins another, once", "[freelist][blocks]") {
  FreeList list = from_picture("#====#..");
  list.start_block(granule(3));
  list.start_block(granule(3));
  list.start_block(granule(1));
  CHECK(list.run_at(granule(1)) == Run{granule(1), granules(2)});
  CHECK(list.run_at(granule(3)) == Run{granule(3), granules(2)});
  list.dealloc_fast(granule(1), granules(2));
  list.dealloc_fast(granule(3), granules(2));
  CHECK(picture(list) == "#....#..");
  list.verify();
}

TEST_CASE("split_block makes two blocks of one", "[freelist][blocks]") {
  FreeList list = from_picture("#====#..");
  list.split_block(granule(1), granules(3));
  CHECK(list.run_at(granule(1)) == Run{granule(1), granules(3)});
  CHECK(list.run_at(granule(4)) == Run{granule(4), granules(1)});
  list.dealloc_fast(granule(4), granules(1));
  list.dealloc_fast(granule(1), granules(3));
  CHECK(picture(list) == "#....#..");
  list.verify();
}

TEST_CASE("reset frees every block", "[freelist][blocks]") {
  for (const char* drawing : {"##==.#..", "####", "....", "#.=.#.", "..#=#"}) {
    FreeList list = from_picture(drawing);
    list.reset();
    CHECK(list.num_free_blocks() == 1);
    CHECK(list.free_bytes() == list.max_size());
    list.verify();
  }
}

TEST_CASE("used_end is above the last block", "[freelist][blocks]") {
  CHECK(from_picture("##..#..").used_end() == granule(5));
  CHECK(from_picture("##..#..").used_end() == granule(5));
  CHECK(from_picture("..#.#").used_end() == granule(5));
  CHECK(from_picture("...").used_end() == granule(0));
  CHECK(from_picture("...").used_end() == granule(0));
}

}  // namespace besom::test
