/// Weak handles, guardians and finalizers used wrongly, in every build.

#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "tests/gc/weak_kit.hpp"

namespace besom::test {
namespace {

std::function<void()>* in_listener = nullptr;

/// Runs `call` inside a collection of the heap.
void inside_collection(Kit& kit, std::function<void()> call) {
  in_listener = &call;
  kit.heap.set_listener([](void*, const CollectionStats&) { (*in_listener)(); }, nullptr);
  REQUIRE_FALSE(kit.heap.collect());
  kit.heap.set_listener(nullptr, nullptr);
}

/// Runs `call` on another thread than the heap's.
void elsewhere(const std::function<void()>& call) {
  std::thread thread(call);
  thread.join();
}

}  // namespace

TEST_CASE("Weak handles that are stale or of another heap say so, or abort",
          "[gc][weak][stale][misuse]") {
  MisuseTable table("weak handles");
  Kit other;
  for (const bool destroyed : {false, true}) {
    INFO((destroyed ? "heap destroyed" : "heap reset"));
    Kit kit;
    const Handle<Node> node = kit.make_node();
    Weak<Node> weak(kit.heap, node.get());
    CHECK(weak.check(kit.heap));
    CHECK(weak.check(other.heap).error().code == Errc::wrong_heap);
    table.row();
    if (destroyed) {
      kit.owned.reset();
    } else {
      REQUIRE_FALSE(kit.heap.reset());
    }
    CHECK(weak.is_stale());
    CHECK_FALSE(weak);
    CHECK(weak.check(other.heap).error().code == Errc::stale_handle);
    table.row();
    CHECK_ABORTS(weak.get(), "stale handle");
    table.row();
    CHECK_ABORTS(weak.ref(), "stale handle");
    table.row();
    CHECK_ABORTS(weak.set(nullptr), "stale or empty handle");
    table.row();
    weak.reset();
    weak.reset();
    CHECK_FALSE(weak.is_stale());
    table.row();
  }
  Weak<Node> empty;
  CHECK(empty.get() == nullptr);
  CHECK(empty.check(other.heap));
  CHECK_ABORTS(empty.set(nullptr), "stale or empty handle");
  table.row();
}

TEST_CASE("A weak handle whose place was given back and taken again is not confused with it",
          "[gc][weak][stale]") {
  Kit kit;
  const Handle<Node> a = kit.make_node();
  const Handle<Node> b = kit.make_node();
  for (int i = 0; i < 100; ++i) {
    Weak<Node> first(kit.heap, a.get());
    first.reset();
    const Weak<Node> second(kit.heap, b.get());
    REQUIRE(first.get() == nullptr);
    REQUIRE(second.get() == b.get());
  }
}

TEST_CASE("Weak handles inside a collection: new ones are refused, changes abort",
          "[gc][weak][reentrant][misuse]") {
  MisuseTable table("weak handles inside a collection");
  Kit kit(exact_options());
  const Handle<Node> node = kit.make_node();
  Weak<Node> weak(kit.heap, node.get());
  inside_collection(kit, [&] {
    const Weak<Node> refused(kit.heap, node.get());
    CHECK_FALSE(refused);
    CHECK(kit.heap.error().code == Errc::reentrant);
    CHECK(weak.get() == node.get());
  });
  table.row();
  CHECK_ABORTS(inside_collection(kit, [&] { weak.reset(); }), "removed during a collection");
  table.row();
  CHECK_ABORTS(inside_collection(kit, [&] { weak.set(nullptr); }), "set during a collection");
  table.row();
}

TEST_CASE("Guardian: what it refuses", "[gc][finalizers][misuse]") {
  MisuseTable table("guardian");
  Kit kit(exact_options());
  Kit other(exact_options());
  Guardian guardian(kit.heap);
  const Handle<Block> block = kit.heap.make(kit.block);
  const Handle<Node> foreign = other.make_node();
  Node local{};
  const char* const base = reinterpret_cast<const char*>(block.get());
  struct Row {
    const char* name;
    const void* object;
    const void* agent;
    Errc code;
  };
  const Row rows[] = {
      {"null", nullptr, nullptr, Errc::bad_ref},
      {"null with an agent", nullptr, block.get(), Errc::bad_ref},
      {"another heap's object", foreign.get(), nullptr, Errc::wrong_heap},
      {"another heap's agent", block.get(), foreign.get(), Errc::wrong_heap},
      {"no heap's object", &local, nullptr, Errc::wrong_heap},
      {"interior", base + 16, nullptr, Errc::bad_ref},
      {"misaligned", base + 4, nullptr, Errc::bad_ref},
      {"interior agent", block.get(), base + 32, Errc::bad_ref},
      {"a hole", base + 32 * kKiB, nullptr, Errc::bad_ref},
      {"beyond the heap", base + 1024 * kMiB, nullptr, Errc::bad_ref},
      {"the arena's first granule", detail::base_of(kit.heap), nullptr, Errc::bad_ref},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    CHECK(guardian.guard(row.object, row.agent).code == row.code);
    CHECK(guardian.pending() == 0);
    table.row();
  }
  Guardian empty;
  CHECK(empty.guard(block.get()).code == Errc::stale_handle);
  CHECK(empty.next().error().code == Errc::stale_handle);
  CHECK(empty.make_all_ready().code == Errc::stale_handle);
  table.row();
  Guardian orphan(other.heap);
  other.owned.reset();
  CHECK(orphan.guard(block.get()).code == Errc::stale_handle);
  table.row();
  CHECK(orphan.next().error().code == Errc::stale_handle);
  table.row();
  CHECK(orphan.make_all_ready().code == Errc::stale_handle);
  table.row();
  CHECK(orphan.ready() + orphan.pending() == 0);
  orphan.reset();
  orphan.reset();
  table.row();
}

TEST_CASE("Guardian: calls from inside a collection are refused, and dropping it aborts",
          "[gc][finalizers][reentrant][misuse]") {
  MisuseTable table("guardians inside a collection");
  Kit kit(exact_options());
  Guardian guardian(kit.heap);
  const Handle<Node> node = kit.make_node();
  REQUIRE_FALSE(guardian.guard(node.get()));
  inside_collection(kit, [&] {
    CHECK(guardian.guard(node.get()).code == Errc::reentrant);
    table.row();
    CHECK(guardian.next().error().code == Errc::reentrant);
    table.row();
    CHECK(guardian.make_all_ready().code == Errc::reentrant);
    table.row();
    CHECK(kit.heap.run_finalizers().error().code == Errc::reentrant);
    table.row();
    const Guardian refused(kit.heap);
    CHECK_FALSE(refused);
    CHECK(kit.heap.error().code == Errc::reentrant);
    table.row();
  });
  CHECK(guardian.pending() == 1);
  CHECK_ABORTS(inside_collection(kit, [&] { guardian.reset(); }),
               "guardian dropped during a collection");
  table.row();
  CHECK_ABORTS(inside_collection(kit, [&] { guardian = Guardian(); }),
               "guardian dropped during a collection");
  table.row();
}

TEST_CASE("Weak handles and guardians on another thread",
          "[gc][weak][finalizers][threads][misuse]") {
  MisuseTable table("weak handles and guardians on another thread");
  Kit kit(exact_options());
  Guardian guardian(kit.heap);
  const Handle<Node> node = kit.make_node();
  elsewhere([&] {
    CHECK(guardian.guard(node.get()).code == Errc::wrong_thread);
    table.row();
    CHECK(guardian.next().error().code == Errc::wrong_thread);
    table.row();
    CHECK(guardian.make_all_ready().code == Errc::wrong_thread);
    table.row();
    CHECK(kit.heap.run_finalizers().error().code == Errc::wrong_thread);
    table.row();
    const Weak<Node> weak(kit.heap, node.get());
    CHECK_FALSE(weak);
    CHECK(kit.heap.error().code == Errc::wrong_thread);
    table.row();
    const Guardian refused(kit.heap);
    CHECK_FALSE(refused);
    table.row();
  });
  CHECK_ABORTS(elsewhere([&] { guardian.reset(); }), "guardian dropped by another thread");
  table.row();
  Weak<Node> weak(kit.heap, node.get());
  CHECK_ABORTS(elsewhere([&] { weak.reset(); }), "root removed by another thread");
  table.row();
  elsewhere([&] {
    kit.heap.attach_thread();
    CHECK_FALSE(guardian.guard(node.get()));
    weak.reset();
  });
  kit.heap.attach_thread();
  CHECK(guardian.pending() == 1);
}

TEST_CASE("Calls from inside a finalizer", "[gc][finalizers][reentrant][misuse]") {
  MisuseTable table("calls from inside a finalizer");
  Kit kit(exact_options());
  static std::function<void(Heap&)> body;
  Guardian guardian(kit.heap, [](void*, Heap& heap, void*) { body(heap); });
  const auto run = [&](std::function<void(Heap&)> inside) {
    body = std::move(inside);
    REQUIRE_FALSE(guardian.guard(kit.make_node().get()));
    REQUIRE_FALSE(kit.heap.collect());
    REQUIRE(*kit.heap.run_finalizers() == 1);
  };
  run([&](Heap& heap) { CHECK(heap.run_finalizers().error().code == Errc::reentrant); });
  table.row();
  run([&](Heap& heap) { CHECK(heap.reset().code == Errc::reentrant); });
  table.row();
  run([&](Heap& heap) { CHECK(heap.allocate(kit.node) != nullptr); });
  run([&](Heap& heap) { CHECK(Handle<Node>(heap, heap.allocate(kit.node))); });
  run([&](Heap& heap) { CHECK(verify(heap).ok()); });
  run([&](Heap&) { CHECK_FALSE(guardian.guard(kit.make_node().get())); });
  CHECK_ABORTS(run([&](Heap&) { kit.owned.reset(); }), "heap destroyed inside a finalizer");
  table.row();
}

TEST_CASE("Types that contradict themselves about weak slots", "[gc][weak][misuse]") {
  MisuseTable table("weak types");
  Kit kit(exact_options());
  const auto code = [&](TypeDescriptor descriptor) {
    return kit.heap.define(std::move(descriptor)).error().code;
  };
  const TraceCallback callback = [](const void*, std::uint32_t, Tracer&) {};
  for (const std::uint32_t size : {9u, 12u, 20u}) {
    CHECK(code({.name = "E", .size = size, .trailing = Trailing::ephemerons}) == Errc::bad_type);
    CHECK(code({.name = "V", .size = size, .trailing = Trailing::weak_values}) == Errc::bad_type);
    table.row();
  }
  CHECK(code({.name = "W", .size = 10, .trailing = Trailing::weak}) == Errc::bad_type);
  table.row();
  for (const Trailing kind : {Trailing::weak, Trailing::ephemerons, Trailing::weak_values}) {
    CHECK(code({.name = "T", .size = 16, .trailing = kind, .trace = callback}) == Errc::bad_type);
    table.row();
  }
  CHECK(code({.name = "D",
              .size = 16,
              .fields = {{"a", 8, SlotKind::weak}, {"b", 8, SlotKind::ref}}}) == Errc::bad_type);
  table.row();
  CHECK(code({.name = "O", .size = 16, .fields = {{"a", 16, SlotKind::weak}}}) == Errc::bad_type);
  table.row();
}

}  // namespace besom::test
