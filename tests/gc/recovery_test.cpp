/// Callbacks that give a collection up, that jump out of it, or that throw.

#include <csetjmp>
#include <functional>
#include <stdexcept>
#include <vector>

#include "tests/gc/kit.hpp"

namespace besom::test {
namespace {

/// What the next callback of each kind does, once.
struct Act {
  enum class How { nothing, abandon, jump };
  How how = How::nothing;
  int calls = 0;
  std::jmp_buf landing;

  void run(Tracer* tracer) {
    ++calls;
    switch (how) {
      case How::nothing:
        return;
      case How::abandon:
        tracer->abandon();
        return;
      case How::jump:
        how = How::nothing;
        std::longjmp(landing, 1);
    }
  }
};

Act tracing;

struct Traced {
  Header header;
  std::uint32_t next;
  std::uint32_t number;
};

/// A heap whose live objects are a chain of traced ones, a tree, and roots that a callback names.
struct Scene : Kit {
  explicit Scene(const HeapOptions& options = any_options()) : Kit(options) {
    tracing.how = Act::How::nothing;
    tracing.calls = 0;
    const Result<TypeId> type =
        heap.define({.name = "Traced",
                     .size = sizeof(Traced),
                     .trace = [](const void* object, std::uint32_t, Tracer& tracer) {
                       tracer.visit(static_cast<const Traced*>(object)->next);
                       tracing.run(&tracer);
                     }});
    REQUIRE(type);
    for (std::uint32_t i = 0; i < kChain; ++i) {
      auto* object = static_cast<Traced*>(heap.allocate(*type));
      REQUIRE(object != nullptr);
      object->number = i;
      write_ref(object->next, chain.ref().index());
      chain = Handle<Traced>(heap, object);
    }
    wide = heap.make(refs, 1000);
    for (std::uint32_t i = 0; i < 1000; ++i) (*wide)[i] = heap.allocate(node);
    REQUIRE_FALSE(heap.collect());
    for (int i = 0; i < 200; ++i) garbage = Ref<Node>(heap.allocate(node)).index();
  }

  /// Nothing of the scene is lost, and the garbage is still there.
  void check_nothing_freed() {
    CHECK(lives(Ref<Node>(garbage)));
    check_whole();
  }
  void check_whole() {
    std::uint32_t length = 0;
    for (std::uint32_t at = chain.ref().index(); at != 0; ++length) {
      const auto* object = heap.get(Ref<Traced>(at));
      REQUIRE(lives(Ref<Traced>(at)));
      REQUIRE(object->number == kChain - 1 - length);
      at = object->next;
    }
    CHECK(length == kChain);
    for (std::uint32_t i = 0; i < 1000; ++i) REQUIRE(lives((*wide)[i].ref()));
    CHECK(verify(heap).ok());
  }
  /// The heap goes on: it allocates, and the next collection frees what is dead.
  void check_sound() {
    check_whole();
    CHECK(make_node());
    REQUIRE_FALSE(heap.collect());
    CHECK_FALSE(heap.last_collection().minor);
    CHECK(heap.last_collection().live_objects == kLive);
    check_whole();
  }

  static constexpr std::uint32_t kChain = 100;
  static constexpr std::uint64_t kLive = kChain + 1 + 1000;
  Handle<Traced> chain;
  Handle<RefArray<Node>> wide;
  std::uint32_t garbage = 0;
};

/// Whether the callback jumped out of `call`.
bool jumps(Act& act, const std::function<void()>& call) {
  act.how = Act::How::jump;
  if (setjmp(act.landing) != 0) return true;
  call();
  return false;
}

HeapOptions generational_options() {
  HeapOptions options = exact_options();
  options.generational = true;
  options.zeal.collect_every = 100;  // three in four are minor
  return options;
}

}  // namespace

TEST_CASE("Abandon: a trace callback that gives up frees nothing, and the next collection is whole",
          "[gc][recovery]") {
  Scene scene(exact_options());
  const HeapStats before = scene.heap.stats();
  tracing = {.how = Act::How::abandon, .calls = 0, .landing = {}};
  CHECK(scene.heap.collect().code == Errc::abandoned);
  // The rest of the chain is not asked any more.
  CHECK(tracing.calls == 1);
  CHECK(scene.heap.last_collection().abandoned);
  CHECK(scene.heap.last_collection().freed_objects == 0);
  CHECK(scene.heap.last_collection().bad_refs == 0);
  CHECK(scene.heap.stats().abandoned == before.abandoned + 1);
  CHECK(scene.heap.stats().collections == before.collections + 1);
  CHECK(scene.heap.stats().freed_bytes == before.freed_bytes);
  tracing.how = Act::How::nothing;
  scene.check_nothing_freed();
  scene.check_sound();
  CHECK_FALSE(scene.heap.last_collection().abandoned);
  CHECK(scene.heap.stats().abandoned == before.abandoned + 1);
}

TEST_CASE("Abandon: a root callback that gives up frees nothing", "[gc][recovery]") {
  Scene scene(exact_options());
  bool give_up = true;
  const RootRegistration roots = scene.heap.add_roots(
      [](void* user, Tracer& tracer) {
        if (*static_cast<bool*>(user)) tracer.abandon();
      },
      &give_up, "giving up");
  CHECK(scene.heap.collect().code == Errc::abandoned);
  CHECK(tracing.calls > 0);
  scene.check_nothing_freed();
  CHECK(scene.heap.collect().code == Errc::abandoned);
  give_up = false;
  scene.check_nothing_freed();
  scene.check_sound();
}

TEST_CASE("Abandon: mark hooks are not called for a collection that was given up",
          "[gc][recovery]") {
  Scene scene(exact_options());
  int hooks = 0;
  const MarkHookRegistration hook = scene.heap.add_mark_hook(
      [](void* user, const MarkView&) { ++*static_cast<int*>(user); }, &hooks, "hook");
  tracing.how = Act::How::abandon;
  CHECK(scene.heap.collect().code == Errc::abandoned);
  CHECK(hooks == 0);
  tracing.how = Act::How::nothing;
  CHECK_FALSE(scene.heap.collect());
  CHECK(hooks == 1);
}

TEST_CASE("Abandon: a callback that always gives up is not asked at each allocation",
          "[gc][recovery]") {
  Scene scene(exact_options(4 * kMiB));
  tracing.how = Act::How::abandon;
  std::uint64_t allocated = 0;
  while (scene.heap.allocate(scene.block) != nullptr) ++allocated;
  CHECK(scene.heap.error().code == Errc::heap_limit);
  CHECK(allocated > 3 * kMiB / sizeof(Block));
  CHECK(scene.heap.stats().abandoned > 0);
  // One each time the heap grows.
  CHECK(scene.heap.stats().abandoned < 16);
  tracing.how = Act::How::nothing;
  CHECK(scene.heap.allocate(scene.block) != nullptr);
  scene.check_sound();
}

TEST_CASE("Abandon: in a generational heap a full collection follows", "[gc][recovery]") {
  Scene scene(generational_options());
  // Old objects, then a minor collection that is given up.
  while (!scene.heap.last_collection().minor) REQUIRE(scene.heap.allocate(scene.block) != nullptr);
  Node* young = scene.heap.allocate(scene.node);
  (*scene.wide)[0] = young;
  tracing.how = Act::How::abandon;
  const std::uint64_t abandoned = scene.heap.stats().abandoned;
  const RootRegistration roots = scene.heap.add_roots(
      [](void*, Tracer& tracer) { tracing.run(&tracer); }, nullptr, "giving up");
  while (scene.heap.stats().abandoned == abandoned) {
    REQUIRE(scene.heap.allocate(scene.block) != nullptr);
  }
  tracing.how = Act::How::nothing;
  CHECK(scene.heap.last_collection().abandoned);
  const std::uint64_t number = scene.heap.last_collection().number;
  while (scene.heap.last_collection().number == number) {
    REQUIRE(scene.heap.allocate(scene.block) != nullptr);
  }
  CHECK(number % 4 != 0);  // but for what happened, a minor one was due
  CHECK_FALSE(scene.heap.last_collection().minor);
  CHECK(scene.lives(Kit::ref_of(young)));
  scene.check_whole();
}

TEST_CASE("Recover: longjmp out of a trace callback leaves the heap sound", "[gc][recovery]") {
  for (const bool generational : {false, true}) {
    Scene scene(generational ? generational_options() : exact_options());
    const HeapStats before = scene.heap.stats();
    REQUIRE(jumps(tracing, [&] { static_cast<void>(scene.heap.collect()); }));
    // Until recovery the heap is in the midst of a collection, and says so.
    CHECK(scene.heap.collect().code == Errc::reentrant);
    CHECK(scene.heap.allocate(scene.node) == nullptr);
    CHECK_FALSE(scene.heap.recover());
    CHECK(scene.heap.last_collection().abandoned);
    CHECK(scene.heap.stats().abandoned == before.abandoned + 1);
    CHECK(scene.heap.stats().freed_bytes == before.freed_bytes);
    scene.check_nothing_freed();
    scene.check_sound();
  }
}

TEST_CASE("Recover: longjmp out of a root callback, again and again", "[gc][recovery]") {
  Scene scene(exact_options());
  static Act rooting;
  const RootRegistration roots =
      scene.heap.add_roots([](void*, Tracer& tracer) { rooting.run(&tracer); }, nullptr, "jumping");
  for (int round = 0; round < 20; ++round) {
    REQUIRE(jumps(rooting, [&] { static_cast<void>(scene.heap.collect()); }));
    CHECK_FALSE(scene.heap.recover());
    scene.check_nothing_freed();
  }
  scene.check_sound();
}

TEST_CASE("Recover: longjmp out of a mark hook abandons the collection", "[gc][recovery]") {
  Scene scene(exact_options());
  static Act hooked;
  const MarkHookRegistration hook = scene.heap.add_mark_hook(
      [](void*, const MarkView&) { hooked.run(nullptr); }, nullptr, "jumping");
  REQUIRE(jumps(hooked, [&] { static_cast<void>(scene.heap.collect()); }));
  CHECK_FALSE(scene.heap.recover());
  CHECK(scene.heap.last_collection().abandoned);
  scene.check_nothing_freed();
  scene.check_sound();
}

TEST_CASE("Recover: longjmp out of a listener leaves a collection that is complete",
          "[gc][recovery]") {
  Scene scene(exact_options());
  static Act listening;
  REQUIRE_FALSE(scene.heap.set_listener(
      [](void*, const CollectionStats&) { listening.run(nullptr); }, nullptr));
  REQUIRE(jumps(listening, [&] { static_cast<void>(scene.heap.collect()); }));
  CHECK_FALSE(scene.heap.recover());
  CHECK_FALSE(scene.heap.last_collection().abandoned);
  CHECK(scene.heap.last_collection().live_objects == Scene::kLive);
  CHECK_FALSE(scene.lives(Ref<Node>(scene.garbage)));
  CHECK(scene.heap.stats().abandoned == 0);
  scene.check_sound();
}

TEST_CASE("Recover: longjmp out of a collection that an allocation started", "[gc][recovery]") {
  HeapOptions options = exact_options(4 * kMiB);
  Scene scene(options);
  std::uint64_t allocated = 0;
  REQUIRE(jumps(tracing, [&] {
    while (scene.heap.allocate(scene.block) != nullptr) ++allocated;
  }));
  CHECK(allocated > 0);
  CHECK_FALSE(scene.heap.recover());
  scene.check_nothing_freed();
  scene.check_sound();
}

TEST_CASE("Recover: longjmp out of a callback that verify called", "[gc][recovery]") {
  Scene scene(exact_options());
  REQUIRE(jumps(tracing, [&] { static_cast<void>(verify(scene.heap)); }));
  CHECK(scene.heap.collect().code == Errc::reentrant);
  CHECK_FALSE(scene.heap.recover());
  CHECK(scene.heap.stats().abandoned == 0);
  scene.check_nothing_freed();
  scene.check_sound();
}

TEST_CASE("Recover: longjmp out of a callback that a snapshot called", "[gc][recovery][snapshot]") {
  if (kUnderSanitizer) return;  // It leaks, and that would be reported.
  Scene scene(exact_options());
  const SnapshotSink nowhere{[](void*, const char*, std::size_t) { return true; }, nullptr};
  REQUIRE(jumps(tracing, [&] { static_cast<void>(write_snapshot(scene.heap, nowhere)); }));
  CHECK(write_snapshot(scene.heap, nowhere).error().code == Errc::reentrant);
  CHECK_FALSE(scene.heap.recover());
  CHECK(write_snapshot(scene.heap, nowhere));
  scene.check_nothing_freed();
  scene.check_sound();
}

TEST_CASE("Recover: does nothing where there is nothing to recover from", "[gc][recovery]") {
  Scene scene(exact_options());
  const HeapStats before = scene.heap.stats();
  for (int i = 0; i < 3; ++i) CHECK_FALSE(scene.heap.recover());
  CHECK(scene.heap.stats().collections == before.collections);
  CHECK(scene.heap.stats().abandoned == 0);
  scene.check_sound();
}

TEST_CASE("Recover: a callback that calls it and stays aborts the collection",
          "[gc][recovery][misuse]") {
  MisuseTable table("recover() without a jump");
  {
    Scene scene(exact_options());
    const RootRegistration roots = scene.heap.add_roots(
        [](void* user, Tracer&) { static_cast<void>(static_cast<Heap*>(user)->recover()); },
        &scene.heap, "staying");
    CHECK_ABORTS(scene.heap.collect(), "recover() called by a callback that then returned");
    table.row();
    CHECK_ABORTS(verify(scene.heap), "recover() called by a callback that then returned");
    table.row();
  }
  {
    Scene scene(exact_options());
    REQUIRE_FALSE(scene.heap.set_listener(
        [](void* user, const CollectionStats&) {
          static_cast<void>(static_cast<Heap*>(user)->recover());
        },
        &scene.heap));
    CHECK_ABORTS(scene.heap.collect(), "recover() called by a callback that then returned");
    table.row();
  }
  {
    Scene scene(exact_options());
    const MarkHookRegistration hook = scene.heap.add_mark_hook(
        [](void* user, const MarkView&) { static_cast<void>(static_cast<Heap*>(user)->recover()); },
        &scene.heap, "staying");
    CHECK_ABORTS(scene.heap.collect(), "recover() called by a callback that then returned");
    table.row();
  }
}

TEST_CASE("ExceptionCarrier: what a callback throws reaches the embedder, and nothing is freed",
          "[gc][recovery]") {
  static ExceptionCarrier carrier;
  static bool do_throw;
  Scene scene(exact_options());
  const RootRegistration roots = scene.heap.add_roots(
      [](void*, Tracer& tracer) {
        carrier.run(tracer, [] {
          if (do_throw) throw std::runtime_error("from a root callback");
        });
      },
      nullptr, "throwing");
  do_throw = true;
  CHECK(scene.heap.collect().code == Errc::abandoned);
  CHECK(carrier.has_caught());
  CHECK_THROWS_AS(carrier.rethrow(), std::runtime_error);
  CHECK_FALSE(carrier.has_caught());
  do_throw = false;
  scene.check_nothing_freed();
  CHECK_FALSE(scene.heap.collect());
  CHECK_NOTHROW(carrier.rethrow());
  scene.check_sound();
}

TEST_CASE("ExceptionCarrier: the first exception of a collection is the one that is kept",
          "[gc][recovery]") {
  static ExceptionCarrier carrier;
  static int thrown;
  thrown = 0;
  Scene scene(exact_options());
  std::vector<RootRegistration> registrations;
  for (int i = 0; i < 2; ++i) {
    registrations.push_back(scene.heap.add_roots(
        [](void*, Tracer& tracer) { carrier.run(tracer, [] { throw thrown++; }); }, nullptr,
        "throwing"));
  }
  REQUIRE_FALSE(scene.heap.set_listener(
      [](void*, const CollectionStats&) {
        CHECK_FALSE(carrier.run([] { throw std::runtime_error("from a listener"); }));
      },
      nullptr));
  CHECK(scene.heap.collect().code == Errc::abandoned);
  CHECK(thrown == 2);
  int caught = -1;
  try {
    carrier.rethrow();
  } catch (int number) {
    caught = number;
  }
  CHECK(caught == 0);
  registrations.clear();
  REQUIRE_FALSE(scene.heap.set_listener(nullptr, nullptr));
  scene.check_sound();
}

}  // namespace besom::test
