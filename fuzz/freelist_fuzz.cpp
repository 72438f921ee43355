/// Bytes as operations on a FreeList, and on the reference list beside it. What each operation
/// returns is compared with a bitmap model of its own (the two lists place blocks differently), and
/// now and then, at distances that the input says, everything; the two must also agree on all that
/// does not depend on placement. In half of the inputs nothing reads the list in between, so that a
/// list which mends itself when it is read does not pass; in the others the places of each change
/// are compared at once.

#include <algorithm>
#include <array>

#include "freelist/free_list.hpp"
#include "fuzz/driver.hpp"
#include "tests/support/checked_list.hpp"
#include "tests/support/reference_free_list.hpp"

namespace besom::fuzz {

const std::size_t kMostInputBytes = 1 << 14;

namespace {

using test::CheckedList;
using test::granules;
using test::ReferenceFreeList;
using test::require;
using test::Watch;

enum Event : std::size_t {
  kOperations,
  kAllocs,
  kRefusals,
  kFrees,
  kRunsTaken,
  kHolesTaken,
  kSplits,
  kCuts,
  kJoins,
  kGrowths,
  kResets,
  kLayoutsAsked,
  kDrained,
  kCompared,
  kEventCount
};

std::array<Counter, kEventCount> events{{{"operations"},
                                         {"blocks allocated", 0, 200'000},
                                         {"allocations refused", 0, 5'000},
                                         {"blocks freed", 0, 150'000},
                                         {"runs taken", 0, 5'000},
                                         {"holes taken by stretch", 0, 3'000},
                                         {"blocks split", 0, 2'500},
                                         {"blocks cut", 0, 10'000},
                                         {"blocks joined", 0, 10'000},
                                         {"growths", 0, 1'000},
                                         {"lists reset", 0, 100},
                                         {"layouts compared", 0, 10'000},
                                         {"drained to one hole", 0, 100},
                                         {"compared completely", 0, 200}}};

void count(Event event, std::uint64_t times = 1) { events[event].count += times; }

/// Reads numbers; zeros after the end.
class Bytes {
 public:
  Bytes(const std::uint8_t* data, std::size_t size) : data_(data), left_(size) {}
  [[nodiscard]] bool empty() const { return left_ == 0; }
  std::uint32_t byte() {
    if (left_ == 0) return 0;
    --left_;
    return *data_++;
  }
  std::uint32_t word() {
    const std::uint32_t low = byte();
    return low | (byte() << 8);
  }

 private:
  const std::uint8_t* data_;
  std::size_t left_;
};

/// The operations of one input.
class Machine {
 public:
  explicit Machine(Bytes bytes)
      : bytes_(bytes),
        capacity_(read_capacity()),
        watch_(bytes_.byte() % 2 == 0 ? Watch::results : Watch::each_change),
        crowd_(bytes_.byte() % 8),
        real_(capacity_, watch_),
        reference_(capacity_, watch_) {
    const std::uint32_t room = std::min(real_.model().end(), 1u << 14);
    size_limit_ = 1 + (room >> (bytes_.byte() & 15u));
    alloc_bias_ = bytes_.byte() % 80;
  }

  void run() {
    const std::uint32_t furthest = 1 + bytes_.byte() * 8;
    while (!bytes_.empty()) {
      for (std::uint32_t ops = bytes_.word() % furthest + 1; ops != 0 && !bytes_.empty(); --ops) {
        step();
      }
      compare_completely();
    }
    compare_completely();
    real_.drain();
    reference_.drain();
    compare_completely();
    count(kDrained);
  }

 private:
  /// Mostly small arenas, where layouts repeat and edges are near; up to 1 MiB.
  std::uint64_t read_capacity() {
    const std::uint32_t shift = bytes_.byte() & 15u;
    return (bytes_.word() >> shift) * std::uint64_t{16} + bytes_.byte();
  }
  /// Small sizes are as common as large ones; or all lie where the classes of sizes end.
  std::uint32_t read_size() {
    const std::uint32_t word = bytes_.word();
    if (crowd_ == 0) return granules(1 + word % 5);
    if (crowd_ == 1) return granules(16 + word % 65);
    if (crowd_ == 2) return granules((word & 256u) != 0 ? 60 + word % 9 : 1 + word % 5);
    return granules(1 + (word >> 4) % (((size_limit_ - 1) >> (word & 15u)) + 1));
  }

  void step() {
    count(kOperations);
    const std::uint32_t kind = bytes_.byte();
    if (kind == 0 && bytes_.byte() < 16) {
      reset();
    } else if (kind < 4) {
      grow();
    } else if (kind < 10) {
      compare_layout();
    } else if (kind < 24) {
      cut();
    } else if (kind < 40) {
      join();
    } else if (kind < 46) {
      take_run();
    } else if (kind < 52) {
      take_small();
    } else if (kind < 58) {
      split();
    } else if (kind < 140 + alloc_bias_) {
      alloc();
    } else {
      free();
    }
  }

  void alloc() {
    const std::uint32_t size = read_size();
    count(real_.alloc(size) ? kAllocs : kRefusals);
    static_cast<void>(reference_.alloc(size));
  }

  void free() {
    const std::uint32_t which = bytes_.word();
    if (!real_.live().empty()) {
      real_.free(which % real_.live().size());
      count(kFrees);
    }
    if (!reference_.live().empty()) reference_.free(which % reference_.live().size());
  }

  void take_run() {
    const std::uint32_t least = read_size();
    if (real_.take_run(least, least + read_size())) count(kRunsTaken);
  }

  void take_small() {
    const std::uint32_t which = bytes_.word();
    const std::size_t holes = real_.model().holes().size();
    const bool any = holes != 0 && which % 2 != 0;
    const bool taken = any ? real_.take_small_hole(which / 2 % holes)
                           : real_.take_next_small(which & 0xfffff0, read_size());
    if (taken) count(kHolesTaken);
  }

  void split() {
    if (real_.live().empty()) return;
    const std::size_t position = bytes_.word() % real_.live().size();
    const std::uint32_t block = real_.live()[position].size_bytes / FreeList::kAlign;
    if (block < 2) return;
    const std::uint32_t word = bytes_.word();
    real_.split(position, granules(1 + (word >> 1) % (block - 1)), (word & 1) != 0);
    count(kSplits);
  }

  void cut() {
    if (real_.live().empty()) return;
    const std::size_t position = bytes_.word() % real_.live().size();
    const std::uint32_t block = real_.live()[position].size_bytes / FreeList::kAlign;
    const std::uint32_t piece = 1 + bytes_.byte() % block;
    // Few pieces: a sweep of small ones would leave no room for other operations.
    const std::uint32_t pieces = bytes_.byte() % std::min(block / piece + 1, 16u);
    real_.cut(position, granules(piece), granules(piece * pieces));
    count(kCuts);
  }

  void join() {
    if (real_.live().empty()) return;
    const std::uint32_t which = bytes_.word();
    real_.join(which % real_.live().size(), which >> 13);
    count(kJoins);
  }

  void reset() {
    real_.reset();
    reference_.drain();
    count(kResets);
  }

  void grow() {
    if (real_.model().end() > 1u << 17) return;
    const std::uint32_t additional = bytes_.byte() * 5;
    real_.add_capacity(additional);
    reference_.add_capacity(additional);
    count(kGrowths);
  }

  void compare_layout() {
    const std::uint32_t size = (bytes_.word() << 16) | bytes_.word();
    const Layout layout{bytes_.byte() < 128 ? size : size * std::size_t{17},
                        std::size_t{1} << (bytes_.byte() & 7u)};
    require(FreeList::aligned_size(size) == ReferenceFreeList::aligned_size(size),
            "aligned sizes differ: asked", size, 0);
    require(FreeList::check_layout(layout) == ReferenceFreeList::check_layout(layout),
            "layouts' errors differ: size, align", layout.size, layout.align);
    count(kLayoutsAsked);
  }

  void compare_completely() {
    real_.check_all();
    reference_.check_all();
    require(real_.list().max_size() == reference_.list().max_size(), "max_size: real, reference",
            real_.list().max_size(), reference_.list().max_size());
    require(real_.list().current_capacity() == reference_.list().current_capacity(),
            "capacity: real, reference", real_.list().current_capacity(),
            reference_.list().current_capacity());
    count(kCompared);
  }

  Bytes bytes_;
  std::uint64_t capacity_;
  Watch watch_;
  std::uint32_t crowd_;  ///< Which sizes are asked for.
  CheckedList<FreeList> real_;
  CheckedList<ReferenceFreeList> reference_;
  std::uint32_t size_limit_ = 1;
  std::uint32_t alloc_bias_ = 0;
};

}  // namespace

std::span<const Counter> counters() { return events; }

}  // namespace besom::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  besom::fuzz::Machine(besom::fuzz::Bytes(data, size)).run();
  return 0;
}
