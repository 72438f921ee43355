/// Weak things where a collection is given up, and where paths to roots lead through new kinds of
/// slots.

#include <besom/guardian.hpp>
#include <csetjmp>
#include <cstring>

#include "tests/gc/weak_kit.hpp"

namespace besom::test {
namespace {

/// A root callback that gives up after all else is marked but what it names itself.
struct GivesUp {
  bool by_jump = false;
  bool active = false;
  Ref<Node> key;
  std::jmp_buf landing;

  static void visit(void* user, Tracer& tracer) {
    auto& self = *static_cast<GivesUp*>(user);
    if (!self.active) tracer.visit(self.key);
  }
  /// Traced in the midst of marking, with ephemerons waiting for the key.
  static inline GivesUp* current = nullptr;
  static void trace(const void*, std::uint32_t, Tracer& tracer) {
    if (current == nullptr || !current->active) return;
    if (current->by_jump) std::longjmp(current->landing, 1);
    tracer.abandon();
  }
};

/// Two entries and a registration wait for one key, which nothing else roots while `scene.active`.
struct WaitingScene : WeakKit {
  WaitingScene() : WeakKit(exact_options()) {
    const Result<TypeId> quitter =
        heap.define({.name = "Quitter", .size = 16, .trace = GivesUp::trace});
    REQUIRE(quitter);
    GivesUp::current = &gives_up;
    // Roots are visited last in, first out: the quitter after the holder.
    quit = Handle<Header>(heap, static_cast<Header*>(heap.allocate(*quitter)));
    key = make_node();
    holder = heap.make(ephemerons, 2);
    REQUIRE(holder);
    for (std::uint32_t i = 0; i < 2; ++i) {
      Handle<Node> value = make_node();
      (*holder)[i].key = Value(key.ref());
      (*holder)[i].value = Value(value.ref());
      values[i] = value.ref();
    }
    REQUIRE_FALSE(guardian.guard(key.get()));
    gives_up.key = key.ref();
    key.reset();
    registration = heap.add_roots(GivesUp::visit, &gives_up, "gives up");
    REQUIRE(registration);
  }
  ~WaitingScene() { GivesUp::current = nullptr; }

  void check_untouched() {
    CHECK(verify(heap).ok());
    REQUIRE(heap.check(gives_up.key, node));
    for (std::uint32_t i = 0; i < 2; ++i) {
      CHECK((*holder)[i].key.get() == Value(gives_up.key));
      CHECK((*holder)[i].value.get() == Value(values[i]));
      CHECK(lives(values[i]));
    }
    CHECK(guardian.ready() == 0);
    CHECK(guardian.pending() == 1);
  }

  GivesUp gives_up;
  Guardian guardian{heap};
  Handle<Node> key;
  Handle<EphemeronArray> holder;
  Handle<Header> quit;
  Ref<Node> values[2];
  RootRegistration registration;
};

}  // namespace

TEST_CASE("Abandon: what waits for a key is put back, and nothing is broken",
          "[gc][recovery][ephemerons]") {
  WaitingScene scene;
  for (int round = 0; round < 3; ++round) {
    scene.gives_up.active = true;
    CHECK(scene.heap.collect().code == Errc::abandoned);
    scene.gives_up.active = false;
    scene.check_untouched();
  }
  // With the key rooted all stays, without it all goes.
  REQUIRE_FALSE(scene.heap.collect());
  scene.check_untouched();
  scene.gives_up.key = {};
  REQUIRE_FALSE(scene.heap.collect());
  CHECK((*scene.holder)[0].is_broken());
  CHECK(scene.guardian.ready() == 1);
}

TEST_CASE("Abandon: given up while what a finalizer is for is marked, it frees nothing",
          "[gc][recovery][finalizers]") {
  static bool gives_up = false;
  static bool by_jump = false;
  static std::jmp_buf landing;
  by_jump = GENERATE(false, true);
  WeakKit kit(exact_options());
  const Result<TypeId> type = kit.heap.define(
      {.name = "Quitter", .size = 16, .trace = [](const void*, std::uint32_t, Tracer& tracer) {
         if (gives_up && by_jump) std::longjmp(landing, 1);
         if (gives_up) tracer.abandon();
       }});
  REQUIRE(type);
  Guardian guardian(kit.heap);
  const Handle<WeakArray> kept = kit.heap.make(kit.weak_array, 1);
  const Handle<Node> target = kit.make_node();
  (*kept)[0] = WeakKit::value_of(target.get());
  Handle<WeakKeyTable> table = kit.make_key_table();
  for (int i = 0; i < 100; ++i) REQUIRE_FALSE(table->put(kit.heap, Value::integer(i), {}));
  for (int i = 0; i < 100; ++i) REQUIRE(table->remove(kit.heap, Value::integer(i)));
  {
    const Handle<Header> dying(kit.heap, static_cast<Header*>(kit.heap.allocate(*type)));
    REQUIRE_FALSE(guardian.guard(dying.get()));
  }
  const Ref<Node> garbage(kit.heap.allocate(kit.node));
  gives_up = true;
  if (setjmp(landing) == 0) CHECK(kit.heap.collect().code == Errc::abandoned);
  gives_up = false;
  REQUIRE_FALSE(kit.heap.recover());
  CHECK(kit.heap.last_collection().abandoned);
  CHECK(kit.heap.check(garbage, kit.node));
  CHECK((*kept)[0].get() == WeakKit::value_of(target.get()));
  CHECK(verify(kit.heap).ok());
  REQUIRE_FALSE(kit.heap.collect());
  CHECK_FALSE(kit.heap.check(garbage, kit.node));
  CHECK(guardian.ready() == 1);
  CHECK(verify(kit.heap).ok());
}

TEST_CASE("Recover: longjmp out of marking leaves no link in a header or a slot",
          "[gc][recovery][ephemerons]") {
  WaitingScene scene;
  scene.gives_up.by_jump = true;
  scene.gives_up.active = true;
  if (setjmp(scene.gives_up.landing) == 0) {
    static_cast<void>(scene.heap.collect());
    FAIL("the collection returned");
  }
  scene.gives_up.active = false;
  REQUIRE_FALSE(scene.heap.recover());
  scene.check_untouched();
  REQUIRE_FALSE(scene.heap.collect());
  scene.check_untouched();
}

TEST_CASE("path_to_root: an ephemeron's value has a path only while its key has one",
          "[gc][inspect][ephemerons]") {
  WeakKit kit(exact_options());
  Handle<EphemeronArray> holder = kit.heap.make(kit.ephemerons, 1);
  Handle<Node> key = kit.make_node();
  Handle<Node> value = kit.make_node();
  const Ref<Node> target = value.ref();
  (*holder)[0].key = Value(key.ref());
  (*holder)[0].value = Value(value.ref());
  value.reset();
  const Result<RootPath> path = path_to_root(kit.heap, target);
  REQUIRE(path);
  CHECK(path->message().find("EphemeronArray") != std::string::npos);
  key.reset();
  const Result<RootPath> none = path_to_root(kit.heap, target);
  REQUIRE(none);
  CHECK(none->steps().empty());
}

TEST_CASE("path_to_root: pointers and ambiguous words are edges, weak slots are none",
          "[gc][inspect][pointers]") {
  WeakKit kit(exact_options());
  struct Pointing {
    Header header;
    void* target;
  };
  const Result<TypeId> type = kit.heap.define(
      {.name = "Pointing", .size = sizeof(Pointing), .fields = {{"target", 8, SlotKind::pointer}}});
  REQUIRE(type);
  Handle<Node> node = kit.make_node();
  const Ref<Node> target = node.ref();
  Handle<Header> holder(kit.heap, static_cast<Header*>(kit.heap.allocate(*type)), "holder");
  reinterpret_cast<Pointing*>(holder.get())->target =
      reinterpret_cast<char*>(node.get()) + 5;  // tagged
  Handle<WeakArray> weak = kit.heap.make(kit.weak_array, 1);
  (*weak)[0] = Value(target);
  std::uint64_t word = reinterpret_cast<std::uintptr_t>(node.get());
  node.reset();
  Result<RootPath> path = path_to_root(kit.heap, target);
  REQUIRE(path);
  CHECK(path->message().find("holder") != std::string::npos);
  CHECK(path->message().find("target") != std::string::npos);
  holder.reset();
  path = path_to_root(kit.heap, target);
  REQUIRE(path);
  CHECK(path->steps().empty());
  RootRegistration range = kit.heap.add_ambiguous_range(&word, &word + 1, "saved stack");
  REQUIRE(range);
  path = path_to_root(kit.heap, target);
  REQUIRE(path);
  CHECK(path->message().find("saved stack") != std::string::npos);
}

}  // namespace besom::test
