/// Finalizers that are left by longjmp, and those inside of which one lands.

#include <csetjmp>
#include <functional>
#include <optional>
#include <vector>

#include "tests/gc/kit.hpp"

namespace besom::test {
namespace {

std::jmp_buf landing;

/// Whether `body` left by leave().
[[gnu::noinline]] bool is_left_by(const std::function<void()>& body) {
  if (setjmp(landing) != 0) return true;
  body();
  return false;
}
[[noreturn]] void leave() { std::longjmp(landing, 1); }

/// What each finalizer is to do, in the order in which they are called.
struct Script {
  std::function<void(Heap&, Node*)> act;
  int calls = 0;
  static void run(void* user, Heap& heap, void* agent) {
    auto& script = *static_cast<Script*>(user);
    ++script.calls;
    if (script.act) script.act(heap, static_cast<Node*>(agent));
  }
};

/// A heap with objects that are found dead, each of which refers to another.
struct Dead {
  explicit Dead(int count) : guardian(kit.heap, Script::run, &script) {
    for (int i = 0; i < count; ++i) {
      const Handle<Node> node = kit.make_node();
      node->left = kit.heap.allocate(kit.node);
      REQUIRE_FALSE(guardian.guard(node.get()));
    }
    REQUIRE_FALSE(kit.heap.collect());
    REQUIRE(guardian.ready() == static_cast<std::uint64_t>(count));
  }
  Kit kit{exact_options()};
  Script script;
  Guardian guardian;
};

/// As an interpreter does that reports an error in a function of its own.
[[gnu::noinline]] Errc recover_further_down(Heap& heap, int depth) {
  volatile char frame[512] = {};
  const Errc code = depth == 0 ? heap.recover().code : recover_further_down(heap, depth - 1);
  return frame[0] == 0 ? code : Errc::ok;
}

}  // namespace

TEST_CASE("Recover: a finalizer that was left counts as run, and the rest go on",
          "[gc][recovery]") {
  Dead dead(4);
  dead.script.act = [](Heap&, Node*) { leave(); };
  for (int i = 1; i <= 2; ++i) {
    REQUIRE(is_left_by([&] { static_cast<void>(dead.kit.heap.run_finalizers()); }));
    CHECK_FALSE(dead.kit.heap.recover());
    CHECK(dead.script.calls == i);
    CHECK(dead.guardian.ready() == static_cast<std::uint64_t>(4 - i));
    CHECK(dead.kit.survivors() == static_cast<std::uint64_t>(2 * (4 - i)));
  }
  dead.script.act = {};
  CHECK(*dead.kit.heap.run_finalizers() == 2);
  CHECK(dead.kit.survivors() == 0);
  CHECK(dead.kit.heap.stats().finalizers_run == 4);
  CHECK(held_roots(dead.kit.heap)->rows().empty());
  CHECK_FALSE(dead.kit.heap.reset());
}

TEST_CASE("Recover: a heap whose finalizer was left can be reset or destroyed", "[gc][recovery]") {
  for (const bool resets : {false, true}) {
    Dead dead(2);
    dead.script.act = [](Heap&, Node*) { leave(); };
    REQUIRE(is_left_by([&] { static_cast<void>(dead.kit.heap.run_finalizers()); }));
    CHECK(dead.kit.heap.reset().code == Errc::reentrant);
    CHECK(dead.kit.heap.run_finalizers().error().code == Errc::reentrant);
    CHECK_FALSE(dead.kit.heap.recover());
    if (resets) CHECK_FALSE(dead.kit.heap.reset());
  }
}

TEST_CASE("Recover: restoring locals ends a finalizer that began after the mark",
          "[gc][recovery][locals]") {
  Dead dead(2);
  dead.script.act = [](Heap& heap, Node* agent) {
    HandleScope scope(heap);
    NoCollectScope quiet(heap);
    static_cast<void>(scope.root(agent));
    leave();
  };
  for (int i = 0; i < 2; ++i) {
    const HandleScope around(dead.kit.heap);
    const Local<Node> before = dead.kit.heap.local(dead.kit.heap.allocate(dead.kit.node));
    const LocalMark mark = dead.kit.heap.mark_locals();
    REQUIRE(is_left_by([&] { static_cast<void>(dead.kit.heap.run_finalizers()); }));
    if (i == 1) CHECK_FALSE(dead.kit.heap.recover());
    CHECK_FALSE(dead.kit.heap.restore_locals(mark));
    CHECK_FALSE(before.is_stale());
    CHECK(dead.kit.survivors() == 1 + 2 * dead.guardian.ready());
  }
  CHECK(*dead.kit.heap.run_finalizers() == 0);
  CHECK_FALSE(dead.kit.heap.reset());
}

TEST_CASE("Recover: a jump that lands inside a finalizer leaves it running", "[gc][recovery]") {
  Dead dead(3);
  Kit& kit = dead.kit;
  bool jumps = true;
  const RootRegistration roots = kit.heap.add_roots(
      [](void* user, Tracer&) {
        if (std::exchange(*static_cast<bool*>(user), false)) leave();
      },
      &jumps, "jumps");
  Weak<Node> watched;
  int whole = 0;
  dead.script.act = [&](Heap& heap, Node* agent) {
    watched = Weak<Node>(heap, agent);
    jumps = true;
    CHECK(is_left_by([&] {
      while (heap.allocate(kit.node) != nullptr) {
      }
    }));
    CHECK_FALSE(heap.recover());
    // Its agent is still a root, and all that it refers to.
    for (int i = 0; i < 100'000; ++i) static_cast<void>(heap.allocate(kit.node));
    whole += watched.get() == agent && kit.lives(agent->left.ref()) ? 1 : 0;
  };
  CHECK(*kit.heap.run_finalizers() == 3);
  CHECK(whole == 3);
  watched.reset();
  CHECK(kit.survivors() == 0);
  CHECK_FALSE(kit.heap.reset());
}

TEST_CASE("Recover: also where it is called further down than the finalizers were",
          "[gc][recovery]") {
  Dead dead(5);
  dead.script.act = [](Heap&, Node*) { leave(); };
  for (int i = 0; i < 4; ++i) {
    const LocalMark mark = dead.kit.heap.mark_locals();
    REQUIRE(is_left_by([&] { static_cast<void>(dead.kit.heap.run_finalizers()); }));
    CHECK(recover_further_down(dead.kit.heap, 10) == Errc::ok);
    CHECK_FALSE(dead.kit.heap.collect());
    if (i % 2 == 0) CHECK_FALSE(dead.kit.heap.restore_locals(mark));
  }
  dead.script.act = {};
  CHECK(*dead.kit.heap.run_finalizers() == 1);
  CHECK_FALSE(dead.kit.heap.reset());
}

TEST_CASE("Recover: a collection that a finalizer asked for before it was left takes place",
          "[gc][recovery]") {
  Dead dead(1);
  dead.script.act = [](Heap& heap, Node*) {
    static_cast<void>(heap.collect());
    leave();
  };
  const std::uint64_t before = dead.kit.heap.stats().collections;
  REQUIRE(is_left_by([&] { static_cast<void>(dead.kit.heap.run_finalizers()); }));
  CHECK_FALSE(dead.kit.heap.recover());
  CHECK(dead.kit.heap.stats().collections == before);
  for (int i = 0; i < 10'000; ++i) static_cast<void>(dead.kit.heap.allocate(dead.kit.node));
  CHECK(dead.kit.heap.stats().collections == before + 1);
}

TEST_CASE("Finalizers: locals and scopes that one leaves behind end with it", "[gc][finalizers]") {
  Dead dead(2);
  Local<Node> kept;
  dead.script.act = [&](Heap& heap, Node* agent) { kept = heap.local(agent); };
  CHECK(*dead.kit.heap.run_finalizers() == 2);
  CHECK(kept.is_stale());
  CHECK(dead.kit.survivors() == 0);
}

TEST_CASE("Finalizers: one that goes on after its end aborts", "[gc][finalizers][misuse]") {
  MisuseTable table("finalizers that go on after their end");
  CHECK_ABORTS(([&] {
                 Dead dead(1);
                 const LocalMark mark = dead.kit.heap.mark_locals();
                 dead.script.act = [&](Heap& heap, Node*) {
                   static_cast<void>(heap.restore_locals(mark));
                 };
                 static_cast<void>(dead.kit.heap.run_finalizers());
               }()),
               "finalizer returned after restore_locals()");
  table.row();
  CHECK_ABORTS(([&] {
                 Dead dead(1);
                 dead.script.act = [&](Heap&, Node*) { dead.kit.owned.reset(); };
                 static_cast<void>(dead.kit.heap.run_finalizers());
               }()),
               "heap destroyed inside a finalizer");
  table.row();
  CHECK_ABORTS(([&] {
                 Dead dead(1);
                 dead.script.act = [&](Heap& heap, Node*) {
                   static_cast<void>(heap.recover());  // it has not been left
                   dead.kit.owned.reset();
                 };
                 static_cast<void>(dead.kit.heap.run_finalizers());
               }()),
               "heap destroyed inside a finalizer");
  table.row();
}

}  // namespace besom::test
