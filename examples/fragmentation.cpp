// The adversary of a collector that does not move objects: it fills the heap with small objects,
// drops every second one, and asks for something larger. Half of the heap is free then, and no hole
// is large enough. The program draws the arena as it goes.
//
// To learn from: what the holes look like to the library, and what "heap_limit" can mean.
#include <algorithm>
#include <besom/besom.hpp>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <string>
#include <vector>

#include "common/program.hpp"
#include "common/random.hpp"

using besom::HandleScope;
using besom::Heap;
using besom::Local;
using besom::Ref;
using besom::Run;
using besom::Type;
using example::bytes_text;
using example::expect;
using example::require;

namespace {

template <std::size_t kBytes>
struct Block {
  besom::Header header;
  char contents[kBytes - sizeof(besom::Header)];

  static besom::TypeDescriptor type() {
    return {.name = "Block" + std::to_string(kBytes), .size = kBytes, .fields = {}};
  }
};
constexpr std::uint32_t kSmall = 64;
constexpr std::uint32_t kLarge = 256;

/// Objects held by the host, in memory that the heap knows as roots.
class Holdings {
 public:
  Holdings(Heap& heap, std::uint64_t most)
      : slots_(most),
        registration_(require(heap.add_root_range(slots_.data(), most, "blocks"), heap)) {}

  void add(Ref<void> ref) {
    expect(count_ < slots_.size(), "no more objects than the heap has room for");
    slots_[count_++] = ref.index();
  }
  /// Keeps those for which `keep(position)` holds, in the order of their addresses.
  template <class Keep>
  void filter(Keep keep) {
    std::sort(slots_.begin(), end());
    std::size_t kept = 0;
    for (std::size_t i = 0; i < count_; ++i) {
      if (keep(i)) slots_[kept++] = slots_[i];
    }
    std::fill(slots_.begin() + static_cast<std::ptrdiff_t>(kept), end(), 0);
    count_ = kept;
  }
  [[nodiscard]] std::size_t count() const { return count_; }

 private:
  [[nodiscard]] std::vector<std::uint32_t>::iterator end() {
    return slots_.begin() + static_cast<std::ptrdiff_t>(count_);
  }

  std::vector<std::uint32_t> slots_;
  std::size_t count_ = 0;
  besom::RootRegistration registration_;
};

/// Allocates until the heap refuses; returns how many there were.
template <class T>
std::uint64_t fill(Heap& heap, Type<T> type, Holdings& holdings) {
  for (std::uint64_t count = 0;; ++count) {
    HandleScope scope(heap);
    const Local<T> block = scope.root(heap.allocate(type));
    if (!block) {
      // Full is what we want here; anything else is not.
      if (heap.error().code != besom::Errc::heap_limit) example::stop(heap.error());
      return count;
    }
    holdings.add(block.ref());
  }
}

/// Every stretch without objects, in address order.
std::vector<Run> holes_of(Heap& heap) {
  std::vector<Run> holes;
  const besom::Error error = besom::each_hole(
      heap, [](void* to, Run hole) { static_cast<std::vector<Run>*>(to)->push_back(hole); },
      &holes);
  expect(!error, "a heap can be looked at");
  return holes;
}

/// The arena in lines of 64 cells, each shaded by how much of it is in use.
void draw(Heap& heap) {
  constexpr std::uint64_t kColumns = 64;
  constexpr std::uint64_t kRows = 8;
  constexpr const char* kShades[] = {" ", "░", "▒", "▓", "█"};
  const std::uint64_t capacity = heap.stats().capacity;
  const std::uint64_t cell_bytes = std::max<std::uint64_t>(16, capacity / (kColumns * kRows));
  std::vector<std::uint64_t> free_in(capacity / cell_bytes + 1);
  free_in[0] =
      besom::kGranuleBytes;  // Index 0 is null: never handed out, and drawn as if it could be.
  std::uint64_t largest = 0;
  std::uint64_t free_bytes = 0;
  const std::vector<Run> holes = holes_of(heap);
  for (const Run hole : holes) {
    free_bytes += hole.size_bytes;
    largest = std::max<std::uint64_t>(largest, hole.size_bytes);
    for (std::uint64_t at = hole.index; at < hole.end();) {
      const std::uint64_t cell_end = (at / cell_bytes + 1) * cell_bytes;
      const std::uint64_t next = std::min<std::uint64_t>(cell_end, hole.end());
      free_in[at / cell_bytes] += next - at;
      at = next;
    }
  }
  for (std::uint64_t row = 0; row < kRows; ++row) {
    std::cout << "  |";
    for (std::uint64_t column = 0; column < kColumns; ++column) {
      const std::uint64_t used = cell_bytes - free_in[row * kColumns + column];
      // Entirely free and entirely used have a shade of their own; between are three.
      const std::uint64_t shade = used == 0 ? 0
                                  : used == cell_bytes
                                      ? 4
                                      : 1 + std::min<std::uint64_t>(2, 3 * used / cell_bytes);
      std::cout << kShades[shade];
    }
    std::cout << "|\n";
  }
  std::cout << "  " << bytes_text(free_bytes) << " free in "
            << example::count_text(holes.size(), "hole") << ", the largest of "
            << bytes_text(largest) << "\n\n";
}

void collect_and_draw(Heap& heap, const std::string& what) {
  expect(!heap.collect(), "a collection cannot fail");
  std::cout << what << ":\n";
  draw(heap);
}

/// How many blocks of `bytes` the holes have room for.
std::uint64_t room_for(Heap& heap, std::uint32_t bytes) {
  std::uint64_t count = 0;
  for (const Run hole : holes_of(heap)) count += hole.size_bytes / bytes;
  return count;
}

}  // namespace

int main(int argc, char** argv) {
  example::Program program("fragmentation", "Fills a heap, makes it a checkerboard, asks for more.",
                           {.heap_max = 16 << 20});

  return program.run(argc, argv, [&](Heap& heap) {
    const Type<Block<kSmall>> small = require(heap.define<Block<kSmall>>());
    const Type<Block<kLarge>> large = require(heap.define<Block<kLarge>>());
    example::Random random(program.seed());
    const std::uint64_t most = heap.options().heap_max / kSmall;
    Holdings holdings(heap, most);

    const std::uint64_t filled = fill(heap, small, holdings);
    std::cout << example::count_text(filled, "object") << " of " << kSmall << " bytes, then\n  "
              << heap.error().message() << '\n';
    draw(heap);
    expect(filled >= most - 1, "the whole heap can be used");
    program.snapshot(heap);

    holdings.filter([](std::size_t i) { return i % 2 == 0; });
    collect_and_draw(heap, "every second one dropped");
    expect(holes_of(heap).size() >= filled / 2, "no two holes are neighbours");

    expect(heap.allocate(large) == nullptr, "half of the heap is free, but in small holes");
    std::cout << "asking for " << kLarge << " bytes:\n  " << heap.error().message() << "\n\n";
    const std::uint64_t refilled = fill(heap, small, holdings);
    std::cout << "asking for " << kSmall
              << " bytes again: " << example::count_text(refilled, "more object") << "\n\n";
    expect(refilled == filled / 2, "every hole is used again");

    holdings.filter([&](std::size_t) { return random.chance(40); });
    collect_and_draw(heap, "60 % dropped at random");
    const std::uint64_t room = room_for(heap, kLarge);
    const std::uint64_t fitted = fill(heap, large, holdings);
    std::cout << "holes have room for " << example::count_text(room, "object") << " of " << kLarge
              << " bytes; made: " << fitted << "\n\n";
    expect(fitted == room, "no hole that is large enough is overlooked");

    const std::size_t half = holdings.count() / 2;
    holdings.filter([half](std::size_t i) { return i < half; });
    collect_and_draw(heap, "the upper half dropped");

    holdings.filter([](std::size_t) { return false; });
    collect_and_draw(heap, "all dropped");
    expect(holes_of(heap).size() == 1, "all holes have become one");
    program.did(filled + refilled + fitted, "objects");
  });
}
