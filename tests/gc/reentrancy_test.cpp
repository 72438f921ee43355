/// Calls into the heap from inside its own collection.

#include <functional>
#include <vector>

#include "tests/gc/call_outs.hpp"

namespace besom::test {
TEST_CASE("Calls from inside a collection are refused, and nothing is changed",
          "[gc][reentrant][misuse]") {
  MisuseTable table("calls from inside a collection");
  for (const Place& place : places()) {
    for (const Op& op : refused_ops()) {
      INFO(op.name << " from " << place.name);
      Kit kit(calling_options());
      const Handle<Node> kept = kit.make_node();
      kept->left = kit.heap.allocate(kit.node);
      std::function<void()> call;
      place.arrange(kit, call);
      REQUIRE_FALSE(kit.heap.collect());
      const Snapshot before(kit);
      int calls = 0;
      Errc worst = Errc::reentrant;
      call = [&] {
        ++calls;
        const Errc code = op.run(kit);
        if (code != Errc::reentrant) worst = code;
      };
      current_call = &call;
      const Error error = kit.heap.collect();
      current_call = nullptr;
      CHECK_FALSE(error);
      CHECK(calls > 0);
      CHECK(worst == Errc::reentrant);
      Snapshot after(kit);
      CHECK(after.collections == before.collections + 1);
      after.collections = before.collections;
      CHECK(after == before);
      CHECK(verify(kit.heap).ok());
      CHECK(kit.lives(kept->left.ref()));
      // And outside it works again.
      CHECK(kit.make_node());
      table.row();
    }
  }
}

TEST_CASE("Roots dropped or set inside a collection abort", "[gc][reentrant][misuse]") {
  struct Row {
    const char* name;
    const char* says;
    std::function<void(Kit&, Handle<Node>&, Local<Node>&, RootRegistration&)> run;
  };
  const Row rows[] = {
      {"handle dropped", "root removed during a collection",
       [](Kit&, Handle<Node>& handle, Local<Node>&, RootRegistration&) { handle.reset(); }},
      {"handle set", "handle set during a collection",
       [](Kit&, Handle<Node>& handle, Local<Node>&, RootRegistration&) { handle.set(nullptr); }},
      {"local set", "local set during a collection",
       [](Kit&, Handle<Node>&, Local<Node>& local, RootRegistration&) { local.set(nullptr); }},
      {"registration destroyed", "root source removed during a collection",
       [](Kit&, Handle<Node>&, Local<Node>&, RootRegistration& range) {
         const RootRegistration gone(std::move(range));
       }},
      {"heap destroyed", "during a collection",
       [](Kit& kit, Handle<Node>&, Local<Node>&, RootRegistration&) { kit.owned.reset(); }},
  };
  MisuseTable table("roots changed inside a collection");
  for (const Row& row : rows) {
    for (const Place& place : places()) {
      INFO(row.name << " from " << place.name);
      Kit kit(calling_options());
      Handle<Node> handle = kit.make_node();
      std::uint32_t slot = handle.ref().index();
      RootRegistration range = kit.heap.add_root_range(&slot, 1, "slot");
      HandleScope scope(kit.heap);
      Local<Node> local = scope.root(handle.get());
      std::function<void()> call;
      place.arrange(kit, call);
      call = [&] { row.run(kit, handle, local, range); };
      CHECK_ABORTS(
          [&] {
            current_call = &call;
            static_cast<void>(kit.heap.collect());
          }(),
          row.says);
      table.row();
    }
  }
}

TEST_CASE("A registration removed inside a collection is refused and can be removed later",
          "[gc][reentrant][misuse]") {
  MisuseTable table("registrations removed inside a collection");
  for (const Place& place : places()) {
    INFO(place.name);
    Kit kit(calling_options());
    std::uint32_t slot = Kit::ref_of(kit.heap.allocate(kit.node)).index();
    RootRegistration range = kit.heap.add_root_range(&slot, 1, "slot");
    std::function<void()> call;
    place.arrange(kit, call);
    Errc code = Errc::ok;
    call = [&] { code = range.remove().code; };
    current_call = &call;
    REQUIRE_FALSE(kit.heap.collect());
    current_call = nullptr;
    CHECK(code == Errc::reentrant);
    CHECK(range);
    CHECK(kit.lives(Ref<Node>(slot)));
    CHECK_FALSE(range.remove());
    table.row();
  }
}

TEST_CASE("What only reads is allowed inside a collection", "[gc][reentrant]") {
  Kit kit(calling_options());
  const Handle<Node> handle = kit.make_node();
  bool good = false;
  std::function<void()> call = [&] {
    good = kit.lives(handle.ref()) && kit.heap.contains(handle.get()) &&
           kit.heap.object_start(handle.get()) == &handle->header &&
           kit.heap.stats().capacity != 0 && handle.check(kit.heap) &&
           kit.heap.get(handle.ref()) == handle.get();
  };
  for (const Place& place : places()) {
    good = false;
    place.arrange(kit, call);
    current_call = &call;
    REQUIRE_FALSE(kit.heap.collect());
    current_call = nullptr;
    CHECK(good);
  }
}

TEST_CASE("A listener hears of each collection, in order and with its cause", "[gc][reentrant]") {
  Kit kit(exact_options());
  std::vector<CollectionStats> heard;
  kit.heap.set_listener(
      [](void* user, const CollectionStats& stats) {
        static_cast<std::vector<CollectionStats>*>(user)->push_back(stats);
      },
      &heard);
  for (int i = 0; i < 3; ++i) REQUIRE_FALSE(kit.heap.collect());
  while (heard.size() < 6) REQUIRE(kit.heap.allocate(kit.block) != nullptr);
  for (std::size_t i = 0; i < heard.size(); ++i) {
    CHECK(heard[i].number == i + 1);
    CHECK((heard[i].cause == Cause::requested) == (i < 3));
    CHECK(heard[i].pause_ns >= heard[i].mark_ns + heard[i].sweep_ns);
  }
  kit.heap.set_listener(nullptr, nullptr);
  REQUIRE_FALSE(kit.heap.collect());
  CHECK(heard.size() == 6);
}

}  // namespace besom::test
