// The worst a heap of small objects can come to: filled with objects of one granule, of which every
// second one dies. No two holes are neighbours, so half of the memory is free and nothing larger
// fits. The heap must say so, keep its tables small, and be one piece again when all is dropped.
//
// To learn from: `--heap-max=4G` does it to the largest heap there is; watch the times and the
// memory.
#include <unistd.h>

#include <besom/besom.hpp>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <iostream>

#include "common/program.hpp"

using besom::CollectionStats;
using besom::Handle;
using besom::Heap;
using besom::Member;
using besom::Type;
using example::bytes_text;
using example::expect;
using example::require;

namespace {

/// 16 bytes, the smallest object.
struct Cell {
  besom::Header header;
  Member<Cell> next;
  std::uint32_t number;

  static besom::TypeDescriptor type() {
    return {.name = "Cell", .size = sizeof(Cell), .fields = {{"next", offsetof(Cell, next)}}};
  }
};

static_assert(sizeof(Cell) == 16);

struct Pair {
  besom::Header header;
  std::uint64_t values[3];

  static besom::TypeDescriptor type() {
    return {.name = "Pair", .size = sizeof(Pair), .fields = {}};
  }
};
static_assert(sizeof(Pair) == 32);

/// What the process holds of the system's memory; 0 where that is not known.
std::uint64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t total = 0;
  std::uint64_t resident = 0;
  statm >> total >> resident;
  return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

/// A list of as many cells as the heap takes, in the order of their addresses.
std::uint64_t fill(Heap& heap, Type<Cell> type, Handle<Cell>& first) {
  first = Handle<Cell>(heap, require(heap.allocate(type), heap));
  Cell* last = first.get();
  std::uint64_t count = 1;
  while (Cell* cell = heap.allocate(type)) {
    last->next = cell;
    last = cell;
    ++count;
  }
  if (heap.error().code != besom::Errc::heap_limit) example::stop(heap.error());
  return count;
}

void drop_every_second(const Handle<Cell>& first) {
  for (Cell* cell = first.get(); cell != nullptr && cell->next; cell = cell->next.get()) {
    cell->next = cell->next->next.get();
  }
}

const CollectionStats& collect(Heap& heap, const char* what) {
  expect(!heap.collect(), "a collection cannot fail");
  const CollectionStats& stats = heap.last_collection();
  std::cout << what << ": collected in " << stats.pause_ns / 1'000'000 << " ms, "
            << bytes_text(stats.live_bytes) << " live, " << example::count_text(stats.holes, "hole")
            << ", the largest of " << bytes_text(stats.largest_hole) << "; "
            << bytes_text(resident_bytes()) << " resident\n";
  constexpr std::uint64_t kLimitNs = 30'000'000'000;
  expect(stats.pause_ns <= kLimitNs, "half a minute is enough for any collection");
  return stats;
}

}  // namespace

int main(int argc, char** argv) {
  example::Program program("checkerboard",
                           "Fills a heap with the smallest objects, drops each second one.",
                           {.heap_max = 64 << 20, .growth = besom::Growth::fixed()});

  return program.run(argc, argv, [&](Heap& heap) {
    const Type<Cell> cell = require(heap.define<Cell>());
    const Type<Pair> pair = require(heap.define<Pair>());
    const std::uint64_t heap_max = heap.options().heap_max;

    Handle<Cell> first(heap, nullptr);
    const std::uint64_t filled = fill(heap, cell, first);
    expect(filled + 2 >= heap_max / sizeof(Cell), "the whole heap can be used");
    std::cout << filled << " objects of " << sizeof(Cell)
              << " bytes: " << bytes_text(resident_bytes()) << " resident\n";

    program.snapshot(heap);
    drop_every_second(first);
    const std::uint64_t holes = collect(heap, "every second one dropped").holes;
    // The last one may lie beside what is left over at the end. Zeal holds some back.
    expect(holes == filled / 2 || holes == filled / 2 + 1 || heap.options().zeal.quarantine != 0,
           "each dead object is a hole of its own");
    const std::uint64_t tables = heap.stats().table_bytes;
    std::cout << "side tables: at most " << bytes_text(tables) << '\n';
    expect(tables <= heap_max / 8 + (1 << 20), "side tables are an eighth at most");

    expect(heap.allocate(pair) == nullptr, "half of the heap is free, but in single granules");
    std::cout << "asking for " << sizeof(Pair) << " bytes:\n  " << heap.error().message() << '\n';
    expect(heap.error().code == besom::Errc::heap_limit && heap.error().bytes == sizeof(Pair),
           "the error says what was needed");
    expect(heap.allocate(cell) != nullptr, "what fits a hole is still to be had");

    first.reset();
    expect(collect(heap, "all dropped").holes == 1 || heap.options().zeal.quarantine != 0,
           "all holes have become one");
    program.did(filled, "objects");
  });
}
