/// To look at a heap changes nothing: a program that is looked at allocates at the same places and
/// collects at the same times as one that is not (P8).

#include <string>
#include <tuple>
#include <vector>

#include "freelist/free_list.hpp"
#include "inspect/free_list_of.hpp"
#include "tests/gc/weak_kit.hpp"

namespace besom::test {
namespace {

/// What a program did, as far as it can be told from outside.
struct Trace {
  /// Number, cause, whether minor, live and freed bytes, live and freed objects, holes, largest.
  using Collection = std::tuple<std::uint64_t, Cause, bool, std::uint64_t, std::uint64_t,
                                std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t>;

  std::vector<std::uint32_t> indices;  ///< 0: refused.
  std::vector<Collection> collections;
};

/// A program of random operations; observers, if any, take their random numbers from elsewhere.
class Program {
 public:
  Program(const HeapOptions& options, std::uint64_t seed) : kit_(options), random_(seed) {
    for (Handle<ValueArray>& slot : slots_) slot = kit_.heap.make(kit_.values, kElements);
    table_ = kit_.make_key_table();
    guardian_ = Guardian(kit_.heap);
    REQUIRE(guardian_);
    REQUIRE_FALSE(kit_.heap.set_listener(
        [](void* user, const CollectionStats& c) {
          static_cast<Trace*>(user)->collections.emplace_back(
              c.number, c.cause, c.minor, c.live_bytes, c.freed_bytes, c.live_objects,
              c.freed_objects, c.holes, c.largest_hole);
        },
        &trace_));
  }

  void step() {
    switch (random_.below(20)) {
      case 0:
        slots_[random_.below(kSlots)].get()->data()[random_.below(kElements)] = Value();
        break;
      case 1:
        for (std::uint32_t i = 0; i < kElements; ++i) {
          slots_[random_.below(kSlots)].get()->data()[i] = Value();
        }
        break;
      case 2:
        if (random_.chance(20)) static_cast<void>(kit_.heap.collect());
        break;
      case 3:
        // An object that a table knows.
        if (Node* key = made(kit_.heap.allocate(kit_.node))) {
          keep(key);
          static_cast<void>(
              table_->put(kit_.heap, WeakKit::value_of(key), Value::integer(random_.below(99))));
        }
        break;
      case 4:
        if (Node* guarded = made(kit_.heap.allocate(kit_.node))) {
          static_cast<void>(guardian_.guard(guarded));
        }
        break;
      case 5:
        if (const Result<void*> agent = guardian_.next(); agent && *agent != nullptr) {
          trace_.indices.push_back(index_of(*agent));
        }
        break;
      case 6:
        if (WeakBox* box = made(WeakBox::make(
                kit_.heap, kit_.box,
                slots_[random_.below(kSlots)].get()->data()[random_.below(kElements)].get()))) {
          keep(box);
        }
        break;
      case 7:
        static_cast<void>(kit_.heap.add_external(1000));
        break;
      case 8:
        // Crowded around the sizes of windows and of the free list's classes.
        if (ByteArray* bytes =
                made(kit_.heap.allocate(kit_.bytes, 16 * random_.between(16, 80) - 8))) {
          keep(bytes);
        }
        break;
      case 9:
        if (ByteArray* bytes = made(kit_.heap.allocate(
                kit_.bytes, random_.below(random_.chance(10) ? 60'000 : 2000)))) {
          keep(bytes);
        }
        break;
      case 10:
        if (Block* block = made(kit_.heap.allocate(kit_.block))) keep(block);
        break;
      default:
        if (Node* node = made(kit_.heap.allocate(kit_.node))) {
          if (random_.chance(50)) keep(node);
        }
    }
  }

  /// Calls one of all that read a heap.
  void observe(Random& choice) {
    Heap& heap = kit_.heap;
    const Ref<void> some(last_.is_ref() ? last_.bits() : 16 * choice.below(1 << 16));
    switch (choice.below(20)) {
      case 0:
        CHECK(verify(heap).ok());
        break;
      case 1:
        CHECK(census(heap));
        break;
      case 2:
        CHECK_FALSE(each_object(
            heap, [](void*, const ObjectView&) {}, nullptr));
        break;
      case 3: {
        std::uint64_t free_bytes = 0;
        CHECK_FALSE(each_hole(
            heap, [](void* sum, Run hole) { *static_cast<std::uint64_t*>(sum) += hole.size_bytes; },
            &free_bytes));
        CHECK(free_bytes < heap.stats().capacity);
        break;
      }
      case 4:
        if (const Result<RootPath> path = path_to_root(heap, some)) {
          CHECK_FALSE(path->message().empty());
        }
        break;
      case 5:
        CHECK(held_roots(heap));
        break;
      case 6:
        CHECK(
            write_snapshot(heap, {[](void*, const char*, std::size_t) { return true; }, nullptr}));
        break;
      case 7:
        CHECK(heap.stats().used != 0);
        break;
      case 8:
        static_cast<void>(heap.last_collection());
        break;
      case 9:
        static_cast<void>(heap.check(some));
        break;
      case 10:
        static_cast<void>(heap.check(Ref<void>(static_cast<std::uint32_t>(choice.next()))));
        break;
      case 11:
        static_cast<void>(heap.object_start(heap.get(some)));
        break;
      case 12:
        static_cast<void>(heap.object_start(heap.get(Ref<char>(choice.between(16, 1 << 20)))));
        break;
      case 13:
        static_cast<void>(detail::free_list_of(heap).largest_free_block());
        static_cast<void>(detail::free_list_of(heap).num_free_blocks());
        for (const Run hole : detail::free_list_of(heap).free_blocks()) static_cast<void>(hole);
        break;
      case 14:
        static_cast<void>(table_->contains(heap, last_));
        static_cast<void>(table_->size(heap));
        break;
      case 15:
        static_cast<void>(guardian_.ready());
        break;
      case 16:
        static_cast<void>(heap.options().heap_max);
        break;
      case 17:
        static_cast<void>(heap.descriptor(choice.below(20)));
        break;
      case 18:
        // A visitor that asks in turn, and is refused what it may not have.
        CHECK_FALSE(each_object(
            heap,
            [](void* user, const ObjectView& object) {
              WeakKit& kit = *static_cast<WeakKit*>(user);
              CHECK(kit.heap.check(object.ref));
              CHECK(kit.heap.object_start(object.header) == object.header);
              CHECK(kit.heap.allocate(kit.node) == nullptr);
              CHECK(kit.heap.allocate(kit.bytes, 100) == nullptr);
            },
            &kit_));
        break;
      default:
        CHECK(verify(heap, 0).found() == 0);
    }
  }

  [[nodiscard]] const Trace& trace() const noexcept { return trace_; }

 private:
  static constexpr std::uint32_t kSlots = 12;
  static constexpr std::uint32_t kElements = 30;

  [[nodiscard]] static std::uint32_t index_of(const void* object) {
    return detail::index_of(object);
  }
  template <class T>
  T* made(T* object) {
    trace_.indices.push_back(object != nullptr ? index_of(object) : 0);
    return object;
  }
  template <class T>
  void keep(T* object) {
    last_ = WeakKit::value_of(object);
    (*slots_[random_.below(kSlots)])[random_.below(kElements)] = last_;
  }

  WeakKit kit_;
  Random random_;
  Trace trace_;
  Handle<ValueArray> slots_[kSlots];
  Handle<WeakKeyTable> table_;
  Guardian guardian_;
  Value last_;
};

/// `most`: observers come one in 1..most operations; 0: none do.
Trace run(const HeapOptions& options, std::uint64_t seed, std::uint32_t most) {
  Program program(options, seed);
  Random choice(seed ^ most);
  std::uint32_t until = most != 0 ? choice.between(1, most) : 0;
  for (int i = 0; i < 6000; ++i) {
    program.step();
    if (until == 0 || --until != 0) continue;
    program.observe(choice);
    until = choice.between(1, most);
  }
  return program.trace();
}

template <class T>
std::size_t first_difference(const std::vector<T>& a, const std::vector<T>& b) {
  std::size_t at = 0;
  while (at < a.size() && at < b.size() && a[at] == b[at]) ++at;
  return at;
}

void check_same(const HeapOptions& options, std::uint64_t seed) {
  const Trace plain = run(options, seed, 0);
  REQUIRE(plain.indices.size() > 3000);
  REQUIRE(plain.collections.size() > 2);
  for (const std::uint32_t most : {3, 40, 400}) {
    INFO("observers one in up to " << most << " operations");
    const Trace observed = run(options, seed, most);
    INFO("first other index: " << first_difference(observed.indices, plain.indices)
                               << ", collection: "
                               << first_difference(observed.collections, plain.collections));
    CHECK((observed.indices == plain.indices));
    CHECK((observed.collections == plain.collections));
  }
}

}  // namespace

TEST_CASE("Observers: who reads the heap changes nothing of what follows", "[gc][observers]") {
  Random random = random_for("Observers");
  for (const std::uint64_t heap_max : {256 * kKiB, 600 * kKiB, 8 * kMiB}) {
    for (const bool generational : {false, true}) {
      HeapOptions options = exact_options(heap_max);
      options.generational = generational;
      options.growth = random.chance(50) ? Growth::fixed() : Growth{};
      INFO("heap_max " << heap_max << ", generational " << generational);
      check_same(options, random.next());
    }
  }
}

TEST_CASE("Observers: who reads the heap changes nothing under zeal", "[gc][observers][zeal]") {
  Random random = random_for("Observers under zeal");
  constexpr Zeal kZeals[] = {
      {.collect_every = 7, .verify = false, .poison = true, .quarantine = 4096},
      {.collect_every = 100, .verify = false, .poison = false, .quarantine = 64 << 10},
      {.collect_every = 0, .verify = false, .poison = true, .quarantine = 16 << 10},
      {.collect_every = 64, .verify = true, .poison = true, .quarantine = Zeal::kQuarantine},
  };
  for (const Zeal& zeal : kZeals) {
    for (const bool generational : {false, true}) {
      HeapOptions options = exact_options(600 * kKiB);
      options.generational = generational;
      options.zeal = zeal;
      INFO("alloc:" << zeal.collect_every << ", generational " << generational);
      check_same(options, random.next());
    }
  }
}

}  // namespace besom::test
