/// Misuse must abort, in release builds too, with a message that names the operands. Each check
/// here runs in a child process of its own.

#include <cinttypes>
#include <cstdio>
#include <string>

#include "freelist/free_list.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/death.hpp"
#include "tests/support/free_list_peer.hpp"
#include "tests/support/picture.hpp"

namespace besom::test {
namespace {

std::string operands(std::uint64_t left, std::uint64_t right) {
  char text[64];
  std::snprintf(text, sizeof text, "(0x%" PRIx64 ", 0x%" PRIx64 ")", left, right);
  return text;
}

/// What a free of `[index, index + size)` must say in a list drawn so; empty when it is right.
std::string complaint(const std::string& drawing, std::uint32_t index, std::uint32_t size) {
  const std::uint64_t end = granules(static_cast<std::uint32_t>(drawing.size()) + 1);
  if (index < 16 || index % 16 != 0 || size == 0 || size % 16 != 0 ||
      std::uint64_t{index} + size > end) {
    return "free outside the capacity or misaligned: index, size " + operands(index, size);
  }
  for (const Run& block : blocks_of(drawing)) {
    if (block.index != index) continue;
    if (block.size_bytes == size) return {};
    return "free with the wrong size: given, block's " + operands(size, block.size_bytes);
  }
  return "free where no live block starts: index, size " + operands(index, size);
}

/// Frees every span of the drawing, and some beyond, each in a list of its own.
void check_every_wrong_free(const std::string& drawing) {
  const auto count = static_cast<std::uint32_t>(drawing.size());
  for (std::uint32_t index = 0; index <= granules(count + 2); index += 16) {
    for (std::uint32_t size = 0; size <= granules(count + 2); size += 16) {
      const std::string wanted = complaint(drawing, index, size);
      FreeList list = from_picture(drawing);
      INFO(drawing << ": index " << index << ", size " << size);
      if (wanted.empty()) {
        list.dealloc_fast(index, size);
        list.verify();
      } else {
        CHECK_ABORTS(list.dealloc_fast(index, size), wanted);
      }
    }
  }
}

}  // namespace

TEST_CASE("Every free of anything but one live block aborts", "[freelist][misuse]") {
  check_every_wrong_free("##==#..#.==..");
}

TEST_CASE("Every free of anything but one live block aborts where no hole is left",
          "[freelist][misuse]") {
  check_every_wrong_free("#==##=");
}

TEST_CASE("Every free aborts in a list without blocks", "[freelist][misuse]") {
  check_every_wrong_free("....");
  check_every_wrong_free("....");
  check_every_wrong_free("");
}

TEST_CASE("A misaligned free aborts", "[freelist][misuse]") {
  FreeList list = from_picture("##==#..#");
  for (const std::uint32_t off : {1u, 2u, 4u, 8u, 15u}) {
    CHECK_ABORTS(list.dealloc_fast(granule(0) + off, 32), operands(granule(0) + off, 32));
    CHECK_ABORTS(list.dealloc_fast(granule(0) - off, 32), operands(granule(0) - off, 32));
    CHECK_ABORTS(list.dealloc_fast(granule(0), 32 + off), operands(granule(0), 32 + off));
    CHECK_ABORTS(list.dealloc_fast(granule(0), 32 - off), operands(granule(0), 32 - off));
    CHECK_ABORTS(list.dealloc_fast(granule(0) + off, 32 - off),
                 operands(granule(0) + off, 32 - off));
  }
}

TEST_CASE("A free far outside aborts", "[freelist][misuse]") {
  FreeList list = from_picture("##==#..#");
  for (const std::uint32_t index : {0x100u, 0x1000u, 0x7ffffff0u, 0x80000000u, 0xfffffff0u}) {
    for (const std::uint32_t size : {16u, 32u, 0x1000u, 0x80000000u, 0xffffffe0u, 0xfffffff0u}) {
      CHECK_ABORTS(list.dealloc_fast(index, size), operands(index, size));
    }
  }
  for (const std::uint32_t size : {0x7ffffff0u, 0x80000000u, 0xffffffe0u, 0xfffffff0u}) {
    CHECK_ABORTS(list.dealloc_fast(granule(0), size), operands(granule(0), size));
  }
}

TEST_CASE("dealloc checks like dealloc_fast", "[freelist][misuse]") {
  FreeList list = from_picture("##==#..#");
  CHECK_ABORTS(list.dealloc(granule(0), {16, 16}), "wrong size: given, block's (0x10, 0x20)");
  CHECK_ABORTS(list.dealloc(granule(0), {33, 16}), "wrong size: given, block's (0x30, 0x20)");
  CHECK_ABORTS(list.dealloc(granule(0), {16, 1}), "(0x10, 0x20)");
  CHECK_ABORTS(list.dealloc(granule(1), {16, 16}), "no live block starts");
  CHECK_ABORTS(list.dealloc(granule(5), {16, 16}), "no live block starts");
  CHECK_ABORTS(list.dealloc(0, {16, 16}), "outside the capacity");
  CHECK_ABORTS(list.dealloc(granule(8), {16, 16}), "outside the capacity");
  CHECK_ABORTS(list.dealloc(granule(0), {0, 16}),
               "size that no block has: index, size (0x10, 0x0)");
  CHECK_ABORTS(list.dealloc(granule(0), {32, 32}), "size that no block has");
  CHECK_ABORTS(list.dealloc(granule(0), {0x100000020, 16}), "(0x10, 0x100000020)");
  CHECK_ABORTS(list.dealloc(granule(0), {~std::size_t{0}, 16}), "(0x10, 0xffffffffffffffff)");
  list.dealloc(granule(0), {17, 1});
  CHECK(picture(list) == "..##=..#");
}

TEST_CASE("A second free aborts wherever the first one left the span", "[freelist][misuse]") {
  struct Case {
    const char* before;
    std::uint32_t place;
    std::uint32_t count;
    const char* after;
  };
  // The first free makes a hole of its own, or joins holes below, above and on both sides.
  const Case cases[] = {
      {"=##=", 1, 2, "=..="},       {".##=", 1, 2, "...="},     {"=##.", 1, 2, "=..."},
      {".##.", 1, 2, "...."},       {"##", 0, 2, ".."},         {"##==", 0, 2, "..=="},
      {"==##", 2, 2, "==.."},       {".=##=.", 2, 2, ".=..=."}, {"..=##.", 3, 2, "..=..."},
      {"..##=..", 2, 2, "....=.."},
  };
  for (const Case& c : cases) {
    FreeList list = from_picture(c.before);
    const std::uint32_t index = granule(c.place);
    const std::uint32_t size = granules(c.count);
    list.dealloc_fast(index, size);
    INFO(c.before << " to " << c.after);
    const FreeList wanted = from_picture(c.after);
    CHECK(picture(list) == picture(wanted));
    const std::string text = "no live block starts: index, size ";
    CHECK_ABORTS(list.dealloc_fast(index, size), text + operands(index, size));
    CHECK_ABORTS(list.dealloc_fast(index, 16), text + operands(index, 16));
    CHECK_ABORTS(list.dealloc_fast(index + 16, size - 16), text + operands(index + 16, size - 16));
    CHECK_ABORTS(list.dealloc(index, {size, 16}), text + operands(index, size));
  }
}

TEST_CASE("A free by the old size aborts once the block has been reused", "[freelist][misuse]") {
  FreeList list = from_picture("=####=");
  list.dealloc_fast(granule(1), granules(4));
  REQUIRE(list.alloc_fast(granules(3)) == granule(1));
  CHECK_ABORTS(list.dealloc_fast(granule(1), granules(4)), "wrong size");
  REQUIRE(list.alloc_fast(granules(1)) == granule(4));
  CHECK_ABORTS(list.dealloc_fast(granule(1), granules(4)), "wrong size");
  CHECK_ABORTS(list.dealloc_fast(granule(3), granules(2)), "no live block starts");
  CHECK(picture(list) == "#===#=");
}

TEST_CASE("A free across the old end aborts after growth", "[freelist][misuse]") {
  FreeList list = from_picture("##==");
  CHECK_ABORTS(list.dealloc_fast(granule(4), 16), "outside the capacity");
  list.add_capacity(64);
  CHECK_ABORTS(list.dealloc_fast(granule(4), 16), "no live block starts");
  CHECK_ABORTS(list.dealloc_fast(granule(2), 48), "wrong size: given, block's (0x30, 0x20)");
  REQUIRE(list.alloc_fast(64) == granule(4));
  CHECK_ABORTS(list.dealloc_fast(granule(2), 96), "wrong size: given, block's (0x60, 0x20)");
  CHECK_ABORTS(list.dealloc_fast(granule(8), 16), "outside the capacity");
}

TEST_CASE("A wrong free of a large block aborts", "[freelist][misuse]") {
  constexpr std::uint32_t kBlock = 1 << 20;
  FreeList list(16 + 3 * kBlock);
  const std::uint32_t a = list.alloc_fast(kBlock);
  const std::uint32_t b = list.alloc_fast(kBlock);
  const std::uint32_t c = list.alloc_fast(kBlock);
  for (const std::uint32_t size : {16u, 1024u, kBlock - 16, kBlock + 16, 2 * kBlock}) {
    CHECK_ABORTS(list.dealloc_fast(a, size), operands(size, kBlock));
    CHECK_ABORTS(list.dealloc_fast(b, size), "wrong size");
  }
  for (const std::uint32_t off : {16u, 1008u, 1024u, kBlock - 16}) {
    CHECK_ABORTS(list.dealloc_fast(b + off, 16), "no live block starts");
    CHECK_ABORTS(list.dealloc_fast(b + off, kBlock - off), "no live block starts");
  }
  list.dealloc_fast(b, kBlock);
  CHECK_ABORTS(list.dealloc_fast(b, kBlock), "no live block starts");
  list.dealloc_fast(a, kBlock);
  CHECK_ABORTS(list.dealloc_fast(a, 2 * kBlock), "no live block starts");
  list.dealloc_fast(c, kBlock);
  CHECK(list.num_free_blocks() == 1);
}

TEST_CASE("Allocating by a size that aligned_size never gives aborts", "[freelist][misuse]") {
  FreeList list(1 << 20);
  for (const std::uint32_t size :
       {0u, 1u, 2u, 8u, 15u, 17u, 24u, 31u, 1023u, 1025u, 65535u, 0xfffffff1u, 0xffffffffu}) {
    CHECK_ABORTS(list.alloc_fast(size), "allocation of no multiple of 16");
  }
}

TEST_CASE("split_block of anything but a larger block aborts", "[freelist][misuse]") {
  FreeList list = from_picture("..####==.#..");
  const std::uint32_t block = granule(2);
  for (const std::uint32_t index : {0u, 1u, granule(0), granule(3), granule(8), granule(10),
                                    granule(12), block + 8, 0xfffffff0u}) {
    CHECK_ABORTS(list.split_block(index, 16), "split of no block: index, first");
  }
  for (const std::uint32_t first : {0u, 8u, 64u, 80u, 0xfffffff0u}) {
    CHECK_ABORTS(list.split_block(block, first), "split outside the block: first, block's");
  }
  CHECK_ABORTS(list.split_block(granule(9), 16), "split outside the block");  // into the bump run
  list.verify();
}

TEST_CASE("take_run with bounds in disorder aborts", "[freelist][misuse]") {
  FreeList list(1 << 20);
  CHECK_ABORTS(list.take_run(0, 16), "take_run: least, most (0x0, 0x10)");
  CHECK_ABORTS(list.take_run(0, 0), "take_run: least, most (0x0, 0x0)");
  CHECK_ABORTS(list.take_run(32, 16), "take_run: least, most (0x20, 0x10)");
  CHECK_ABORTS(list.take_run(8, 16), "take_run: least, most (0x8, 0x10)");
  CHECK_ABORTS(list.take_run(16, 24), "take_run: least, most (0x10, 0x18)");
  CHECK_ABORTS(list.take_run(17, 33), "take_run: least, most (0x11, 0x21)");
}

TEST_CASE("Cutting anything but a block, or past it, aborts", "[freelist][misuse]") {
  FreeList list = from_picture("####..==..");
  const std::uint32_t block = granule(0);
  for (const std::uint32_t index : {0u, 8u, granule(1), granule(4), granule(5), granule(8),
                                    granule(9), granule(10), granule(11), 0xfffffff0u}) {
    CHECK_ABORTS(list.cut_block(index, 16, 16), "cut of no block: index, piece");
  }
  CHECK_ABORTS(list.cut_block(block, 0, 0), "cut outside the block: piece, covered (0x0, 0x0)");
  CHECK_ABORTS(list.cut_block(block, 0, 16), "cut outside the block");
  CHECK_ABORTS(list.cut_block(block, 8, 16), "cut outside the block");
  CHECK_ABORTS(list.cut_block(block, 80, 80), "cut outside the block");
  CHECK_ABORTS(list.cut_block(block, 16, 80), "cut outside the block: piece, covered (0x10, 0x50)");
  CHECK_ABORTS(list.cut_block(block, 32, 48), "cut outside the block: piece, covered (0x20, 0x30)");
  CHECK_ABORTS(list.cut_block(block, 16, 24), "cut outside the block");
  CHECK_ABORTS(list.cut_block(block, 16, 0xfffffff0), "cut outside the block");
  CHECK_ABORTS(list.cut_block(block, 0xfffffff0, 0xfffffff0), "cut outside the block");
  CHECK_ABORTS(list.cut_block(granule(6), 16, 48), "cut outside the block");  // into the bump run
}

TEST_CASE("Joining free space or parts of blocks aborts", "[freelist][misuse]") {
  FreeList list = from_picture("##==#..#=..##");
  struct Case {
    std::uint32_t place;
    std::uint32_t count;
    const char* text;
  };
  const Case cases[] = {
      {0, 3, "parts of blocks"},
      {1, 3, "parts of blocks"},
      {1, 1, "parts of blocks"},
      {3, 2, "parts of blocks"},
      {0, 6, "parts of blocks"},
      {0, 7, "contains a hole"},
      {2, 6, "contains a hole"},
      {4, 4, "contains a hole"},
      {5, 2, "parts of blocks"},
      {5, 3, "parts of blocks"},
      {7, 3, "parts of blocks"},
      {7, 4, "contains a hole"},
      {7, 6, "contains a hole"},
      {0, 13, "contains a hole"},
      {9, 2, "parts of blocks"},
      {10, 3, "parts of blocks"},
      {11, 3, "outside the capacity"},
      {13, 1, "outside the capacity"},
      {0, 0, "outside the capacity"},
      {11, 1, "parts of blocks"},
      {4, 0x0fffffff, "outside the capacity"},
  };
  for (const Case& c : cases) {
    INFO("place " << c.place << ", count " << c.count);
    CHECK_ABORTS(list.join_blocks(granule(c.place), granules(c.count)), c.text);
  }
  CHECK_ABORTS(list.join_blocks(0, 16), "join outside the capacity: index, size (0x0, 0x10)");
  CHECK_ABORTS(list.join_blocks(0, 48), "outside the capacity");
  CHECK_ABORTS(list.join_blocks(granule(0) + 8, 32), "outside the capacity");
  CHECK_ABORTS(list.join_blocks(granule(0), 40), "outside the capacity");
}

TEST_CASE("Pieces and joined blocks are freed only as what they are now", "[freelist][misuse]") {
  FreeList list = from_picture("####");
  list.cut_block(granule(0), 16, 32);
  CHECK(picture(list) == "#=##");
  CHECK_ABORTS(list.dealloc_fast(granule(0), granules(4)), "wrong size");
  CHECK_ABORTS(list.dealloc_fast(granule(0), granules(2)), "wrong size");
  CHECK_ABORTS(list.dealloc_fast(granule(3), granules(1)), "no live block starts");
  list.join_blocks(granule(1), granules(3));
  CHECK(picture(list) == "#===");
  CHECK_ABORTS(list.dealloc_fast(granule(1), granules(1)), "wrong size");
  CHECK_ABORTS(list.dealloc_fast(granule(2), granules(2)), "no live block starts");
  list.dealloc_fast(granule(1), granules(3));
  list.dealloc_fast(granule(0), granules(1));
  CHECK(picture(list) == "....");
}

TEST_CASE("A question about an index outside the capacity aborts", "[freelist][misuse]") {
  FreeList list = from_picture("##..");
  for (const std::uint32_t index : {0u, 15u, granule(4), granule(5), 0x80000000u, 0xffffffffu}) {
    CHECK_ABORTS(list.run_at(index),
                 "index outside the capacity: index, end " + operands(index, granule(4)));
    CHECK_FALSE(list.is_block(index));
  }
}

TEST_CASE("A list for which the host has no memory aborts", "[freelist][misuse]") {
  if (kUnderSanitizer) return;
  CHECK_ABORTS(([] {
                 limit_address_space(64 << 20);
                 FreeList list(~std::uint64_t{0});
               }()),
               "out of host memory");
  CHECK_ABORTS(([] {
                 limit_address_space(64 << 20);
                 FreeList list(64);
                 list.add_capacity(~std::uint64_t{0});
               }()),
               "out of host memory");
}

TEST_CASE("Growth that the host has no memory for is refused and changes nothing",
          "[freelist][misuse]") {
  if (kUnderSanitizer) return;
  const Death death = death_of([] {
    limit_address_space(64 << 20);
    FreeList list = from_picture("#..##");
    if (list.try_add_capacity(~std::uint64_t{0})) std::fputs("grown ", stderr);
    if (list.reserve(~std::uint64_t{0})) std::fputs("reserved ", stderr);
    list.verify();
    std::fputs((picture(list) + " " + std::to_string(list.current_capacity())).c_str(), stderr);
    if (!list.try_add_capacity(16)) std::fputs("stuck", stderr);
    list.verify();
    std::abort();
  });
  INFO(death.describe());
  CHECK(death.aborted);
  CHECK(death.message == "#..## 96");
}

}  // namespace besom::test
