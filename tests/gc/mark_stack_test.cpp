/// Marking with a stack too small for the graph: the same survivors, in bounded time.

#include <algorithm>
#include <cstring>
#include <ctime>
#include <functional>
#include <limits>
#include <vector>

#include "tests/gc/kit.hpp"
#include "tests/heap/fault_system.hpp"
#include "tests/support/random.hpp"

namespace besom::test {
namespace {

constexpr std::uint32_t kScale = Zeal::kBuiltIn ? 20 : kUnderSanitizer ? 5 : 1;

struct Outcome {
  std::uint64_t live_objects = 0;
  std::uint64_t live_bytes = 0;
  std::uint64_t rescans = 0;
  std::clock_t collecting = std::numeric_limits<std::clock_t>::max();  ///< Of the processor.
};

std::uint64_t live_after_collection(Kit& kit) {
  REQUIRE_FALSE(kit.heap.collect());
  return kit.heap.last_collection().live_objects;
}

using Build = std::function<Handle<Header>(Kit&)>;

Outcome mark(const Build& build, std::uint32_t stack_entries) {
  HeapOptions options = exact_options(512 * kMiB);
  options.growth = Growth::fixed();
  options.mark_stack = stack_entries;
  Kit kit(options);
  const Handle<Header> root = build(kit);
  REQUIRE(root);
  Outcome outcome;
  for (int i = 0; i < 5; ++i) {
    const std::clock_t begun = std::clock();
    REQUIRE_FALSE(kit.heap.collect());
    outcome.collecting = std::min(outcome.collecting, std::clock() - begun);
    const CollectionStats& stats = kit.heap.last_collection();
    outcome.live_objects = stats.live_objects;
    outcome.live_bytes = stats.live_bytes;
    outcome.rescans = stats.mark_rescans;
  }
  CHECK(verify(kit.heap).ok());
  return outcome;
}

enum class Overflow { never, always, maybe };

/// The survivors must not depend on the stack's size, nor the time by more than 20 times.
void check_small_stacks(const Build& build, Overflow overflow) {
  const Outcome full = mark(build, 0);
  CHECK(full.rescans == 0);
  for (const std::uint32_t entries : {64u, 65u, 7u, 1u}) {
    const Outcome limited = mark(build, entries);
    INFO(entries << " entries: " << limited.rescans << " rescans, " << limited.collecting
                 << " ticks against " << full.collecting);
    CHECK(limited.live_objects == full.live_objects);
    CHECK(limited.live_bytes == full.live_bytes);
    if (entries == 64) {
      if (overflow == Overflow::never || (overflow == Overflow::always && kScale == 1)) {
        CHECK((limited.rescans > 0) == (overflow == Overflow::always));
      }
      // A floor under the time, so that the clock's noise does not count.
      CHECK(limited.collecting <=
            20 * std::max<std::clock_t>(full.collecting, CLOCKS_PER_SEC / 5000));
    }
  }
}

/// An array of all nodes, which `link` connects; the root is the array's first node unless the
/// array stays.
template <class Link>
Handle<Header> linked(Kit& kit, std::uint32_t count, bool keep_array, Link link) {
  Handle<RefArray<Node>> all = kit.heap.make(kit.refs, count);
  for (std::uint32_t i = 0; i < count; ++i) (*all)[i] = kit.heap.allocate(kit.node);
  link(*all);
  auto* root = keep_array ? &all->header : &(*all)[0]->header;
  return Handle<Header>(kit.heap, root);
}

/// A heap's memory for the stack, and what it keeps of it each time that it gives some back.
struct StackMemory {
  static constexpr std::size_t kPages = (64 * kMiB / 80 * sizeof(std::uint32_t)) / 4096 + 1;
  static constexpr std::size_t kBytes = kPages * 4096;
  static inline char* begin = nullptr;
  static inline std::vector<std::size_t> kept;

  static void* map(std::size_t bytes) {
    void* found = FaultSystem::table().map(bytes);
    if (bytes == kBytes) begin = static_cast<char*>(found);
    return found;
  }
  static int discard(void* address, std::size_t bytes) {
    char* const first = static_cast<char*>(address);
    if (begin != nullptr && first >= begin && first < begin + kBytes) {
      kept.push_back(static_cast<std::size_t>(first - begin));
    }
    return FaultSystem::table().discard(address, bytes);
  }
};

void run_cycle(Kit& kit) {
  REQUIRE(kit.heap.allocate(kit.bytes, 64 * kKiB) != nullptr);
  while (true) {
    const Result<std::uint64_t> left = kit.heap.step(100'000'000);
    REQUIRE(left);
    if (*left == 0) break;
  }
}

Handle<Header> random_graph(Kit& kit, std::uint32_t count, bool keep_array) {
  return linked(kit, count, keep_array, [](RefArray<Node>& all) {
    Random random(4711);
    for (std::uint32_t i = 0; i < all.length(); ++i) {
      all[i].get()->left = all[random.below(all.length())];
      all[i].get()->right = all[random.below(all.length())];
    }
  });
}

}  // namespace

TEST_CASE("Mark stack: a cycle gives an eighth of its memory back at most, collect() all but some",
          "[gc][mark_stack][incremental]") {
  System system = FaultSystem::table();
  system.map = StackMemory::map;
  system.discard = StackMemory::discard;
  StackMemory::begin = nullptr;
  StackMemory::kept.clear();
  HeapOptions options = exact_options(64 * kMiB);
  options.system = &system;
  options.incremental = true;
  Kit kit(options);
  Handle<Header> root = random_graph(kit, 1'000'000, false);
  for (int i = 0; i < 3; ++i) run_cycle(kit);
  REQUIRE(StackMemory::begin != nullptr);
  CHECK(StackMemory::kept.empty());  // the next cycle needs as much
  root.reset();
  for (int i = 0; i < 5; ++i) run_cycle(kit);
  REQUIRE(StackMemory::kept.size() >= 3);
  for (std::size_t i = 1; i < StackMemory::kept.size(); ++i) {
    const std::size_t before = StackMemory::kept[i - 1];
    CHECK(StackMemory::kept[i] < before);
    CHECK(StackMemory::kept[i] + 4 * kKiB >= before - before / 8);
  }
  REQUIRE_FALSE(kit.heap.collect());
  CHECK(StackMemory::kept.back() <= 260 * kKiB);
}

TEST_CASE("Mark stack of 64: a list needs no more", "[gc][mark_stack]") {
  check_small_stacks(
      [](Kit& kit) {
        return linked(kit, 200'000 / kScale, false, [](RefArray<Node>& all) {
          for (std::uint32_t i = 0; i + 1 < all.length(); ++i) all[i].get()->right = all[i + 1];
        });
      },
      Overflow::never);
}

TEST_CASE("Mark stack of 64: a wide array", "[gc][mark_stack]") {
  check_small_stacks(
      [](Kit& kit) { return linked(kit, 1'000'000 / kScale, true, [](RefArray<Node>&) {}); },
      Overflow::never);
}

TEST_CASE("Mark stack of 64: a full tree", "[gc][mark_stack]") {
  check_small_stacks(
      [](Kit& kit) {
        return linked(kit, (1 << 18) - 1, false, [](RefArray<Node>& all) {
          for (std::uint32_t i = 0; 2 * i + 2 < all.length(); ++i) {
            all[i].get()->left = all[2 * i + 1];
            all[i].get()->right = all[2 * i + 2];
          }
        });
      },
      Overflow::maybe);
}

TEST_CASE("Mark stack of 64: a left comb, its spine marked before its teeth", "[gc][mark_stack]") {
  check_small_stacks(
      [](Kit& kit) {
        return linked(kit, 400'000 / kScale, false, [](RefArray<Node>& all) {
          for (std::uint32_t i = 0; i + 2 < all.length(); i += 2) {
            all[i].get()->left = all[i + 2];
            all[i].get()->right = all[i + 1];
          }
        });
      },
      Overflow::maybe);
}

TEST_CASE("Mark stack of 64: a random graph", "[gc][mark_stack]") {
  check_small_stacks([](Kit& kit) { return random_graph(kit, 400'000 / kScale, true); },
                     Overflow::always);
}

TEST_CASE("Mark stack of 64: a list of hubs at falling addresses, each found last",
          "[gc][mark_stack]") {
  // Each hub marks 200 leaves before the next hub, which lies below it: the stack is full when the
  // next hub is met, and a walk upwards has passed it.
  check_small_stacks(
      [](Kit& kit) {
        const std::uint32_t hubs = 2000 / kScale;
        Handle<RefArray<Node>> next = kit.heap.make(kit.refs, 0);
        for (std::uint32_t i = 0; i < hubs; ++i) {
          Handle<RefArray<Node>> hub = kit.heap.make(kit.refs, 200);
          for (std::uint32_t k = 0; k < 199; ++k) (*hub)[k] = kit.heap.allocate(kit.node);
          forge(&(*hub)[199], next.ref().index());
          next = std::move(hub);
        }
        return Handle<Header>(kit.heap, &next->header);
      },
      Overflow::never);
}

TEST_CASE("Mark stack of 64: a list of hubs and leaves at random addresses", "[gc][mark_stack]") {
  check_small_stacks(
      [](Kit& kit) {
        Random random(4712);
        const std::uint32_t hubs = 300 / kScale;
        const std::uint32_t leaves = hubs * 199;
        Handle<RefArray<Node>> leaf = kit.heap.make(kit.refs, leaves);
        for (std::uint32_t i = 0; i < leaves; ++i) (*leaf)[i] = kit.heap.allocate(kit.node);
        for (std::uint32_t i = leaves; i > 1; --i) {
          const std::uint32_t other = random.below(i);
          const Ref<Node> ref = (*leaf)[i - 1].ref();
          (*leaf)[i - 1] = (*leaf)[other];
          (*leaf)[other] = ref;
        }
        Handle<ValueArray> hub = kit.heap.make(kit.values, hubs);
        for (std::uint32_t i = 0; i < hubs; ++i) {
          (*hub)[i] = Kit::ref_of(kit.heap.allocate(kit.refs, 200));
        }
        Handle<RefArray<Node>> next = kit.heap.make(kit.refs, 0);
        std::vector<Ref<RefArray<Node>>> order;
        for (std::uint32_t i = 0; i < hubs; ++i) {
          order.push_back((*hub)[i].get().as_ref<RefArray<Node>>());
        }
        for (std::uint32_t i = hubs; i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
        for (std::uint32_t i = 0; i < hubs; ++i) {
          RefArray<Node>* array = kit.heap.get(order[i]);
          for (std::uint32_t k = 0; k < 199; ++k) (*array)[k] = (*leaf)[i * 199 + k];
          forge(&(*array)[199], next.ref().index());
          next.set(array);
        }
        return Handle<Header>(kit.heap, &next->header);
      },
      Overflow::never);
}

TEST_CASE("Mark stack of 64: many large arrays, more than the marker's slices",
          "[gc][mark_stack]") {
  check_small_stacks(
      [](Kit& kit) {
        Handle<ValueArray> top = kit.heap.make(kit.values, 300);
        for (std::uint32_t i = 0; i < 300; ++i) {
          (*top)[i] = Kit::ref_of(kit.heap.allocate(kit.values, 1000));
          auto* array = kit.heap.get((*top)[i].get().as_ref<ValueArray>());
          for (std::uint32_t k = 0; k < 1000 / kScale; ++k) {
            Node* node = kit.heap.allocate(kit.node);
            (*array)[k] = Kit::ref_of(node);
          }
        }
        return Handle<Header>(kit.heap, &top->header);
      },
      Overflow::always);
}

TEST_CASE("Mark stack of 64: marking ends where callbacks visit more bad refs than it has room for",
          "[gc][mark_stack][trust]") {
  for (const bool generational : {false, true}) {
    HeapOptions options = exact_options(2 * kMiB);
    options.mark_stack = 64;
    options.generational = generational;
    Kit kit(options);
    const Result<TypeId> traced =
        kit.heap.define({.name = "traced",
                         .size = 8,
                         .trailing = Trailing::bytes,
                         .trace = [](const void* object, std::uint32_t size, Tracer& tracer) {
                           for (std::uint32_t at = 8; at + 4 <= size; at += 4) {
                             std::uint32_t bits = 0;
                             std::memcpy(&bits, static_cast<const char*>(object) + at, sizeof bits);
                             tracer.visit(bits);
                           }
                         }});
    REQUIRE(traced);
    constexpr std::uint32_t kBytes = 16'000;
    std::vector<Handle<Header>> made;
    for (int i = 0; i < 40; ++i) {
      void* object = kit.heap.allocate(*traced, kBytes);
      REQUIRE(object != nullptr);
      made.emplace_back(kit.heap, static_cast<Header*>(object));
    }
    // Into the midst of each other.
    Random random = random_for("Mark stack");
    for (const Handle<Header>& object : made) {
      auto* words = reinterpret_cast<std::uint32_t*>(object.get() + 1);
      for (std::uint32_t i = 0; i < kBytes / 4; ++i) words[i] = random.below(40 * kBytes) & ~15u;
    }
    CHECK(live_after_collection(kit) == 40);
    CHECK(kit.heap.last_collection().mark_rescans > 0);
    CHECK(kit.heap.last_collection().bad_refs > 0);
    CHECK(kit.heap.last_collection().live_bytes == 40 * (kBytes + 16));
    for (Handle<Header>& object : made) object = {};
    CHECK(live_after_collection(kit) == 0);
  }
}

}  // namespace besom::test
