/// Ephemerons: a value lives as long as its key does by something else.

#include <algorithm>
#include <bit>
#include <chrono>
#include <set>
#include <utility>
#include <vector>

#include "tests/gc/weak_kit.hpp"

namespace besom::test {
namespace {

/// `count` nodes that a keeper holds, and one array of entries.
struct Chain {
  explicit Chain(WeakKit& used, std::uint32_t count)
      : kit(used),
        keys(kit.heap.make(kit.refs, count + 1)),
        entries(kit.heap.make(kit.ephemerons, count)) {
    REQUIRE(keys);
    REQUIRE(entries);
    for (std::uint32_t i = 0; i <= count; ++i) {
      (*keys)[i] = kit.heap.allocate(kit.node);
      (*keys)[i]->header.length = i;
    }
  }
  /// Entry `at`: the value of key `from` is key `to`.
  void set(std::uint32_t at, std::uint32_t from, std::uint32_t to) {
    (*entries)[at].key = Value((*keys)[from].ref());
    (*entries)[at].value = Value((*keys)[to].ref());
  }

  WeakKit& kit;
  Handle<RefArray<Node>> keys;
  Handle<EphemeronArray> entries;
};

/// Seconds that the collection takes for a chain of `count` in which every entry is met before its
/// key is known to live.
double chain_seconds(std::uint32_t count) {
  HeapOptions options = exact_options(1024 * kMiB);
  WeakKit kit(options);
  Chain chain(kit, count);
  for (std::uint32_t i = 0; i < count; ++i) chain.set(i, count - 1 - i, count - i);
  const Handle<Node> first(kit.heap, (*chain.keys)[0].get());
  chain.keys.reset();
  double best = 1e9;
  for (int round = 0; round < 3; ++round) {
    REQUIRE(kit.survivors() == count + 2);
    best = std::min(best, static_cast<double>(kit.heap.last_collection().mark_ns) * 1e-9);
  }
  return best;
}

/// A trace callback that writes into the arena, once: as another thread might, in the midst of
/// marking, but at the same point each time. Then it visits the object `later`.
struct Vandal {
  std::vector<std::pair<char*, std::uint32_t>> writes;
  std::uint32_t later = 0;

  static void trace(const void*, std::uint32_t, Tracer& tracer) {
    auto* vandal = static_cast<Vandal*>(tracer.user());
    for (const auto& [place, word] : vandal->writes) forge(place, word);
    vandal->writes.clear();
    tracer.visit(vandal->later);
  }
  [[nodiscard]] TypeDescriptor type() {
    return {.name = "Vandal", .trace = trace, .trace_user = this};
  }
};

}  // namespace

TEST_CASE("Ephemerons: a value lives with its key and goes with it", "[gc][ephemerons]") {
  WeakKit kit;
  Handle<Node> key = kit.make_node();
  Handle<Node> value = kit.make_node();
  const Handle<Ephemeron> ephemeron(
      kit.heap, Ephemeron::make(kit.heap, kit.ephemeron, WeakKit::value_of(key.get()),
                                WeakKit::value_of(value.get())));
  REQUIRE(ephemeron);
  const Value value_ref = WeakKit::value_of(value.get());
  value.reset();
  CHECK(kit.survivors() == 3);
  CHECK(ephemeron->key() == WeakKit::value_of(key.get()));
  CHECK(ephemeron->value() == value_ref);
  CHECK_FALSE(ephemeron->is_broken());
  key.reset();
  CHECK(kit.survivors() == 1);
  CHECK(ephemeron->is_broken());
  CHECK(ephemeron->key().is_null());
  CHECK(ephemeron->value() == Value::integer(0));
  CHECK(kit.heap.last_collection().entries_broken == 1);
}

TEST_CASE("Ephemerons: a value that refers to its key does not keep it", "[gc][ephemerons]") {
  WeakKit kit;
  Handle<Node> key = kit.make_node();
  Handle<Node> value = kit.make_node();
  value->left = key.get();
  const Handle<Ephemeron> ephemeron(
      kit.heap, Ephemeron::make(kit.heap, kit.ephemeron, WeakKit::value_of(key.get()),
                                WeakKit::value_of(value.get())));
  value.reset();
  CHECK(kit.survivors() == 3);
  key.reset();
  CHECK(kit.survivors() == 1);
  CHECK(ephemeron->is_broken());
}

TEST_CASE("Ephemerons: key and value are one object", "[gc][ephemerons]") {
  WeakKit kit;
  Handle<Node> key = kit.make_node();
  const Handle<Ephemeron> ephemeron(
      kit.heap, Ephemeron::make(kit.heap, kit.ephemeron, WeakKit::value_of(key.get()),
                                WeakKit::value_of(key.get())));
  CHECK(kit.survivors() == 2);
  key.reset();
  CHECK(kit.survivors() == 1);
  CHECK(ephemeron->is_broken());
}

TEST_CASE("Ephemerons: two that are each other's keys and values", "[gc][ephemerons]") {
  WeakKit kit;
  const Handle<EphemeronArray> entries = kit.heap.make(kit.ephemerons, 2);
  Handle<Node> a = kit.make_node();
  Handle<Node> b = kit.make_node();
  (*entries)[0].key = (*entries)[1].value = WeakKit::value_of(a.get());
  (*entries)[0].value = (*entries)[1].key = WeakKit::value_of(b.get());
  CHECK(kit.survivors() == 3);
  b.reset();
  CHECK(kit.survivors() == 3);  // a keeps b by the first entry
  CHECK((*entries)[1].key.get().is_ref());
  a.reset();
  CHECK(kit.survivors() == 1);
  CHECK((*entries)[0].is_broken());
  CHECK((*entries)[1].is_broken());
}

TEST_CASE("Ephemerons: the holder itself is the key", "[gc][ephemerons]") {
  WeakKit kit;
  Handle<EphemeronArray> entries = kit.heap.make(kit.ephemerons, 2);
  (*entries)[0].key = WeakKit::value_of(entries.get());
  (*entries)[0].value = WeakKit::value_of(kit.heap.allocate(kit.node));
  CHECK(kit.survivors() == 2);
  CHECK((*entries)[0].key.get() == WeakKit::value_of(entries.get()));
  entries.reset();
  CHECK(kit.survivors() == 0);
}

TEST_CASE("Ephemerons: a key that is an ephemeron is visited once it is reached",
          "[gc][ephemerons]") {
  WeakKit kit;
  const Handle<EphemeronArray> outer = kit.heap.make(kit.ephemerons, 1);
  Handle<Pair> late = kit.heap.make(kit.pair);
  Handle<Node> key = kit.make_node();
  {
    Handle<Ephemeron> inner(
        kit.heap,
        Ephemeron::make(kit.heap, kit.ephemeron, WeakKit::value_of(key.get()), Value::integer(3)));
    (*inner)[0].value = WeakKit::value_of(kit.heap.allocate(kit.node));
    late->head = WeakKit::value_of(inner.get());
    (*outer)[0].key = WeakKit::value_of(inner.get());
    (*outer)[0].value = WeakKit::value_of(kit.heap.allocate(kit.node));
  }
  CHECK(kit.survivors() == 6);
  key.reset();
  CHECK(kit.survivors() == 4);
  CHECK(kit.heap.get(late->head.get().as_ref<Ephemeron>())->is_broken());
  CHECK((*outer)[0].key.get() == late->head.get());
  late.reset();
  CHECK(kit.survivors() == 1);
  CHECK((*outer)[0].is_broken());
}

TEST_CASE("Ephemerons: an integer is a key that never dies, null one that keeps nothing",
          "[gc][ephemerons]") {
  WeakKit kit;
  const Handle<EphemeronArray> entries = kit.heap.make(kit.ephemerons, 3);
  (*entries)[0].key = Value::integer(0);
  (*entries)[0].value = WeakKit::value_of(kit.heap.allocate(kit.node));
  (*entries)[1].value = WeakKit::value_of(kit.heap.allocate(kit.node));
  CHECK(kit.survivors() == 2);
  CHECK((*entries)[0].value.get().is_ref());
  CHECK((*entries)[1].is_broken());
  CHECK((*entries)[2].is_empty());
}

TEST_CASE("Ephemerons: many entries with one key", "[gc][ephemerons]") {
  constexpr std::uint32_t kCount = 100'000;
  for (const std::uint32_t stack : {0u, 64u}) {
    HeapOptions options = exact_options();
    options.mark_stack = stack;
    WeakKit kit(options);
    const Handle<EphemeronArray> entries = kit.heap.make(kit.ephemerons, kCount);
    // The key last, so that the entries are met before it.
    Handle<Node> key = kit.make_node();
    for (std::uint32_t i = 0; i < kCount; ++i) {
      Node* value = kit.heap.allocate(kit.node);
      value->header.length = i;
      (*entries)[i].key = WeakKit::value_of(key.get());
      (*entries)[i].value = WeakKit::value_of(value);
    }
    CHECK(kit.survivors() == kCount + 2);
    std::uint32_t wrong = 0;
    for (std::uint32_t i = 0; i < kCount; ++i) {
      const Node* value = kit.heap.get((*entries)[i].value.get().as_ref<Node>());
      if ((*entries)[i].key.get() != WeakKit::value_of(key.get()) || value->header.length != i) {
        ++wrong;
      }
    }
    CHECK(wrong == 0);
    key.reset();
    CHECK(kit.survivors() == 1);
    CHECK(kit.heap.last_collection().entries_broken == kCount);
  }
}

TEST_CASE("Ephemerons: chains in all orders, with stacks of all sizes, are followed to the end",
          "[gc][ephemerons][property]") {
  Random random = random_for("Ephemerons: chains");
  INFO("seed " << test_seed());
  for (const std::uint32_t stack : {0u, 1u, 2u, 64u}) {
    for (const std::uint32_t count : {1u, 2u, 3u, 17u, 500u, 3000u}) {
      HeapOptions options = exact_options();
      options.mark_stack = stack;
      WeakKit kit(options);
      Chain chain(kit, count);
      std::vector<std::uint32_t> order(count);
      for (std::uint32_t i = 0; i < count; ++i) order[i] = i;
      for (std::uint32_t i = count; i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
      for (std::uint32_t i = 0; i < count; ++i) chain.set(order[i], i, i + 1);
      const std::uint32_t from = random.below(count);
      const Handle<Node> root(kit.heap, (*chain.keys)[from].get());
      chain.keys.reset();
      INFO(count << " entries from " << from << ", stack " << stack);
      CHECK(kit.survivors() == 1 + count - from + 1);
      CHECK(kit.heap.last_collection().entries_broken == from);
      CHECK(verify(kit.heap).ok());
      std::uint32_t wrong = 0;
      for (std::uint32_t i = 0; i < count; ++i) {
        const Entry& entry = (*chain.entries)[order[i]];
        if (entry.is_broken() != (i < from)) ++wrong;
      }
      CHECK(wrong == 0);
    }
  }
}

TEST_CASE("Ephemerons: a chain in the worst order takes time linear in its length",
          "[gc][ephemerons]") {
  constexpr std::uint32_t kCount = kUnderSanitizer || Zeal::kBuiltIn ? 20'000 : 400'000;
  const double once = chain_seconds(kCount);
  const double twice = chain_seconds(2 * kCount);
  INFO(once << " s and " << twice << " s");
  CHECK(twice < 6 * once + 0.01);
}

TEST_CASE("Ephemerons: a key whose header is damaged keeps its value this time",
          "[gc][ephemerons][trust]") {
  WeakKit kit(exact_options());
  const Handle<EphemeronArray> entries = kit.heap.make(kit.ephemerons, 2);
  Handle<Node> key = kit.make_node();
  (*entries)[0].key = (*entries)[1].key = WeakKit::value_of(key.get());
  (*entries)[0].value = WeakKit::value_of(kit.heap.allocate(kit.node));
  // As a chain's first link stands there, and as anything else.
  for (const std::uint32_t word : {Ref<void>((*entries)[0].key.get().as_ref<void>()).index(),
                                   0x40000000u | entries.ref().index() >> 3, 0xffffffffu}) {
    forge(&key->header.type, word);
    REQUIRE_FALSE(kit.heap.collect());
    CHECK(kit.heap.last_collection().live_objects == 3);
    CHECK(kit.heap.last_collection().bad_headers == 1);
    CHECK(key->header.type == word);
    CHECK((*entries)[0].key.get() == WeakKit::value_of(key.get()));
  }
  key.reset();
  REQUIRE_FALSE(kit.heap.collect());
  CHECK(kit.heap.last_collection().live_objects == 2);
  CHECK((*entries)[0].is_broken());
  CHECK((*entries)[1].is_broken());
  CHECK(kit.survivors() == 1);
}

TEST_CASE("Ephemerons: what a program writes is never taken for a chain",
          "[gc][ephemerons][trust][property]") {
  Random random = random_for("Ephemerons: forged chains");
  INFO("seed " << test_seed());
  HeapOptions options = exact_options(kMiB);
  options.mark_stack = 64;
  for (int round = 0; round < 200; ++round) {
    options.generational = round % 2 == 0;
    WeakKit kit(options);
    const Handle<RefArray<Header>> all = kit.heap.make(kit.defined<RefArray<Header>>(), 64);
    for (std::uint32_t i = 0; i < 64; ++i) {
      Header* object = nullptr;
      if (i % 2 == 0) object = &kit.heap.allocate(kit.ephemerons, 4)->header;
      if (i % 2 == 1) object = &kit.heap.allocate(kit.node)->header;
      (*all)[i] = object;
    }
    const std::uint32_t low = all.ref().index();
    for (std::uint32_t i = 0; i < 64; i += 2) {
      auto* entries = reinterpret_cast<EphemeronArray*>((*all)[i].get());
      for (std::uint32_t k = 0; k < 4; ++k) {
        const std::uint32_t ref = (*all)[random.below(64)].ref().index();
        forge(&(*entries)[k].key, random.chance(50) ? ref : ref | random.below(16));
        forge(&(*entries)[k].value, random.chance(50) ? ref : low + random.below(4096));
      }
    }
    for (int i = 0; i < 6; ++i) {
      const std::uint32_t at = random.below(64);
      const std::uint32_t entry = (*all)[random.below(64)].ref().index() + 8;
      forge((*all)[at].get(),
            random.chance(50) ? 0x40000000u | entry >> 3 : 0x80000000u | random.below(4));
    }
    for (std::uint32_t i = 0; i < 64; i += 1 + random.below(3)) (*all)[i] = nullptr;
    REQUIRE_FALSE(kit.heap.collect());
    REQUIRE_FALSE(kit.heap.collect());
    REQUIRE_FALSE(kit.heap.reset());
    CHECK(kit.survivors() == 0);
  }
}

TEST_CASE("Waiting: chains that are overwritten while marking goes on are given up, agents are not",
          "[gc][ephemerons][finalizers][trust]") {
  for (const bool generational : {false, true}) {
    for (int what = 0; what < 10; ++what) {
      INFO("overwritten with kind " << what << ", generational " << generational);
      HeapOptions options = exact_options(kMiB);
      options.generational = generational;
      Vandal vandal;
      WeakKit kit(options);
      const Result<TypeId> type = kit.heap.define(vandal.type());
      REQUIRE(type);
      Guardian guardian(kit.heap);
      // What is rooted last is visited first: the vandal comes after the array.
      const Handle<Header> root(kit.heap, static_cast<Header*>(kit.heap.allocate(*type)));
      const Handle<EphemeronArray> entries = kit.heap.make(kit.ephemerons, 4);
      const Handle<EphemeronArray> others = kit.heap.make(kit.ephemerons, 6);
      Handle<Node> key = kit.make_node();
      Handle<Node> other_key = kit.make_node();
      Handle<Node> agent = kit.make_node();
      Handle<Node> second = kit.make_node();
      for (std::uint32_t i = 0; i < 4; ++i) {
        (*entries)[i].key = WeakKit::value_of(key.get());
        (*entries)[i].value = Value::integer(static_cast<int>(i));
      }
      (*others)[0].key = WeakKit::value_of(other_key.get());
      // The second agent comes to life by the first alone.
      REQUIRE_FALSE(guardian.guard(agent.get(), second.get()));
      REQUIRE_FALSE(guardian.guard(key.get(), agent.get()));
      vandal.later = key.ref().index();
      auto* header = reinterpret_cast<char*>(key.get());
      auto* slot = reinterpret_cast<char*>(&(*entries)[1].key);
      const std::uint32_t entry = entries.ref().index() + 8;
      const std::uint32_t node = key->header.type;
      const std::uint32_t words[] = {node,                           // no link at all
                                     0,                              // none either
                                     std::rotr(0xfffffff8u | 2, 3),  // an entry outside
                                     std::rotr(0xfffffff8u | 4, 3),  // no registration
                                     std::rotr(0xfffffff8u | 6, 3),  // an end of no type
                                     std::rotr(entry | 2, 3)};       // an entry of the chain
      if (what < 6) vandal.writes.emplace_back(header, words[what]);
      if (what == 6) vandal.writes.emplace_back(slot, entry | 8 | 2);  // to itself
      if (what == 7) vandal.writes.emplace_back(slot, 0);
      if (what == 8) vandal.writes.emplace_back(slot, 0xfffffff8u | 2);
      if (what == 9) {
        // Five links are cut, and five put into another chain: as many as there were.
        const std::uint32_t first = others.ref().index() + 8;
        const auto slot_of = [&](std::uint32_t i) {
          return reinterpret_cast<char*>(&(*others)[i].key);
        };
        vandal.writes.emplace_back(header, node);
        vandal.writes.emplace_back(reinterpret_cast<char*>(other_key.get()),
                                   std::rotr((first + 8) | 2, 3));
        for (std::uint32_t i = 1; i < 6; ++i) {
          vandal.writes.emplace_back(slot_of(i), (first + (i + 1) % 6 * 8) | 2);
        }
        vandal.writes.emplace_back(slot_of(0), node << 3 | 6);
      }
      const std::uint32_t agents[] = {agent.ref().index(), second.ref().index()};
      key = {};
      other_key = {};
      agent = {};
      second = {};
      REQUIRE_FALSE(kit.heap.collect());
      CHECK(guardian.pending() == 2);
      for (const std::uint32_t index : agents) CHECK(kit.heap.check(Ref<void>(index), node));
      CHECK(kit.heap.object_start(header) != nullptr);
      vandal.later = 0;
      REQUIRE_FALSE(kit.heap.collect());
      std::set<std::uint32_t> handed_out;
      for (int i = 0; i < 2; ++i) {
        while (guardian.ready() == 0) REQUIRE_FALSE(kit.heap.collect());
        const Result<void*> next = guardian.next();
        REQUIRE(next);
        handed_out.insert(detail::index_of(*next));
      }
      CHECK(handed_out == std::set<std::uint32_t>(std::begin(agents), std::end(agents)));
    }
  }
}

}  // namespace besom::test
