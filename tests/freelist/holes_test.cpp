/// What a list tells about its holes, and what it logs.

#include <string>
#include <vector>

#include "freelist/free_list.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/picture.hpp"

namespace besom::test {
namespace {

std::vector<Run> iterated(const FreeList& list) {
  std::vector<Run> runs;
  for (const Run& run : list.free_blocks()) runs.push_back(run);
  return runs;
}

}  // namespace

TEST_CASE("A full list has no holes to iterate over", "[freelist][holes]") {
  const FreeList list = from_picture("####");
  CHECK(iterated(list).empty());
  CHECK(list.num_free_blocks() == 0);
  CHECK(list.largest_free_block() == 0);
}

TEST_CASE("A new list is one hole", "[freelist][holes]") {
  const FreeList list(96);
  CHECK(iterated(list) == std::vector<Run>{{16, 80}});
  CHECK(list.largest_free_block() == 80);
}

TEST_CASE("Holes come in address order", "[freelist][holes]") {
  const FreeList list = from_picture("..#..#.#...");
  CHECK(iterated(list) == std::vector<Run>{{granule(0), granules(2)},
                                           {granule(3), granules(2)},
                                           {granule(6), granules(1)},
                                           {granule(8), granules(3)}});
  CHECK(list.num_free_blocks() == 4);
  CHECK(list.free_bytes() == granules(8));
  CHECK(list.largest_free_block() == granules(3));
}

TEST_CASE("Holes far apart are all found", "[freelist][holes]") {
  FreeList list(1 << 24);
  std::vector<Run> wanted;
  for (std::uint32_t size = 16; size <= (1 << 20); size *= 4) {
    const std::uint32_t index = list.alloc_fast(size);
    REQUIRE(list.alloc_fast(48) != 0);
    wanted.push_back({index, size});
  }
  wanted.push_back(iterated(list).back());
  for (const Run& run : wanted) {
    if (list.is_block(run.index)) list.dealloc_fast(run.index, run.size_bytes);
  }
  CHECK(iterated(list) == wanted);
}

TEST_CASE("A hole iterator is a forward iterator", "[freelist][holes]") {
  const FreeList list = from_picture("..#.");
  STATIC_REQUIRE(std::forward_iterator<FreeList::HoleIterator>);
  FreeList::HoleIterator it = list.free_blocks().begin();
  const FreeList::HoleIterator same = it;
  CHECK(it == same);
  CHECK(*it++ == Run{granule(0), granules(2)});
  CHECK(it != same);
  CHECK(*it == Run{granule(3), granules(1)});
  CHECK(++it == list.free_blocks().end());
}

TEST_CASE("The largest hole is found among small ones and large ones", "[freelist][holes]") {
  FreeList list(1 << 20);
  const std::uint32_t small = list.alloc_fast(160);
  REQUIRE(list.alloc_fast(16) != 0);
  const std::uint32_t large = list.alloc_fast(4096);
  const std::uint32_t rest = list.alloc_fast(list.largest_free_block());
  REQUIRE(rest != 0);
  CHECK(list.largest_free_block() == 0);
  list.dealloc_fast(small, 160);
  CHECK(list.largest_free_block() == 160);
  list.dealloc_fast(large, 4096);
  CHECK(list.largest_free_block() == 4096);
}

namespace {

struct Lines {
  std::vector<std::string> text;
  static void write(void* user, LogLevel, const char* line) noexcept {
    static_cast<Lines*>(user)->text.emplace_back(line);
  }
};

}  // namespace

TEST_CASE("Creation and growth are logged at debug", "[freelist][log]") {
  Lines lines;
  FreeList list(0x1000, {Lines::write, &lines, LogLevel::debug});
  list.add_capacity(0x234);
  CHECK(lines.text ==
        std::vector<std::string>{"FreeList::FreeList(0x1000)",
                                 "FreeList::add_capacity(0x234): growing from 0x1000 to 0x1234"});
}

TEST_CASE("Operations are logged at trace in debug builds only", "[freelist][log]") {
  Lines lines;
  FreeList list(0x1000, {Lines::write, &lines, LogLevel::trace});
  lines.text.clear();
  const std::uint32_t index = list.alloc_fast(32);
  list.dealloc_fast(index, 32);
#ifdef NDEBUG
  CHECK(lines.text.empty());
#else
  CHECK(lines.text ==
        std::vector<std::string>{"FreeList::alloc -> 0x10", "FreeList::dealloc(0x10, 0x20)"});
#endif
}

TEST_CASE("A sink above debug hears nothing, and neither does none at all", "[freelist][log]") {
  Lines lines;
  FreeList list(0x1000, {Lines::write, &lines, LogLevel::info});
  list.add_capacity(0x1000);
  list.dealloc_fast(list.alloc_fast(16), 16);
  CHECK(lines.text.empty());
  FreeList silent(0x1000);
  silent.add_capacity(0x1000);
  CHECK(silent.free_bytes() == 0x2000 - 16);
}

TEST_CASE("A line too long for the buffer is cut, not lost", "[freelist][log]") {
  Lines lines;
  const LogSink sink{Lines::write, &lines, LogLevel::info};
  sink.log(LogLevel::warn, "%s", std::string(2000, 'x').c_str());
  sink.log(LogLevel::debug, "dropped");
  REQUIRE(lines.text.size() == 1);
  CHECK(lines.text[0] == std::string(511, 'x'));
}

}  // namespace besom::test
