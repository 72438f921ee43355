/// Calls into the heap from inside its own collection, and from other threads.

#include <functional>
#include <thread>
#include <vector>

#include "tests/gc/kit.hpp"

namespace besom::test {
namespace {

struct Op {
  const char* name;
  /// Runs it and gives the error it came to.
  std::function<Errc(Kit&)> run;
};

std::uint32_t spare_slot = 0;

/// What has to be refused with a typed error.
std::vector<Op> refused_ops() {
  const auto from_heap = [](Kit& kit, bool failed) {
    return failed ? kit.heap.error().code : Errc::ok;
  };
  return {
      {"allocate",
       [=](Kit& kit) { return from_heap(kit, kit.heap.allocate(kit.node) == nullptr); }},
      {"allocate by id",
       [=](Kit& kit) { return from_heap(kit, kit.heap.allocate(kit.pair.id) == nullptr); }},
      {"allocate an array",
       [=](Kit& kit) { return from_heap(kit, kit.heap.allocate(kit.refs, 5) == nullptr); }},
      {"allocate a large object",
       [=](Kit& kit) { return from_heap(kit, kit.heap.allocate(kit.bytes, 100'000) == nullptr); }},
      {"make", [=](Kit& kit) { return from_heap(kit, !kit.heap.make(kit.node)); }},
      {"collect", [](Kit& kit) { return kit.heap.collect().code; }},
      {"reset", [](Kit& kit) { return kit.heap.reset().code; }},
      {"define", [](Kit& kit) { return kit.heap.define<Node>().error().code; }},
      {"new handle",
       [=](Kit& kit) {
         Node* const null = nullptr;
         const Handle<Node> handle(kit.heap, null);
         return from_heap(kit, true);
       }},
      {"new local",
       [=](Kit& kit) {
         HandleScope scope(kit.heap);
         Node* const null = nullptr;
         static_cast<void>(scope.root(null));
         return from_heap(kit, true);
       }},
      {"add roots",
       [=](Kit& kit) {
         const RootRegistration added = kit.heap.add_roots([](void*, Tracer&) {}, nullptr, "added");
         return from_heap(kit, !added);
       }},
      {"add a root range",
       [=](Kit& kit) {
         const RootRegistration added = kit.heap.add_root_range(&spare_slot, 1, "added");
         return from_heap(kit, !added);
       }},
      {"add an ambiguous range",
       [=](Kit& kit) {
         const RootRegistration added =
             kit.heap.add_ambiguous_range(&spare_slot, &spare_slot + 1, "added");
         return from_heap(kit, !added);
       }},
      {"scan the native stack",
       [=](Kit& kit) { return from_heap(kit, !kit.heap.scan_native_stack()); }},
  };
}

/// Where a collection calls out.
struct Place {
  const char* name;
  /// Arranges for `call` to be called from there.
  std::function<void(Kit&, std::function<void()>& call)> arrange;
};

std::function<void()>* current_call = nullptr;
bool log_calls = false;

void call_out() {
  if (current_call != nullptr && *current_call) (*current_call)();
}

std::vector<Place> places() {
  return {
      {"listener",
       [](Kit& kit, std::function<void()>&) {
         kit.heap.set_listener([](void*, const CollectionStats&) { call_out(); }, nullptr);
       }},
      {"root callback",
       [](Kit& kit, std::function<void()>&) {
         static RootRegistration registration;
         registration = kit.heap.add_roots([](void*, Tracer&) { call_out(); }, nullptr, "callback");
       }},
      {"trace callback",
       [](Kit& kit, std::function<void()>&) {
         const Result<TypeId> type = kit.heap.define(
             {.name = "Calling", .size = 16, .trace = [](const void*, std::uint32_t, Tracer&) {
                call_out();
              }});
         REQUIRE(type);
         static Handle<Header> handle;
         handle = Handle<Header>(kit.heap, static_cast<Header*>(kit.heap.allocate(*type)));
       }},
      {"log sink", [](Kit&, std::function<void()>&) { log_calls = true; }},
  };
}

HeapOptions calling_options() {
  log_calls = false;
  HeapOptions options = exact_options();
  options.log = LogLevel::debug;
  options.sink.write = [](void*, LogLevel, const char* line) noexcept {
    if (!log_calls) return;
    if (std::strstr(line, "marked") != nullptr || std::strstr(line, "swept") != nullptr) {
      call_out();
    }
  };
  return options;
}

struct Snapshot {
  std::uint64_t used, live, capacity, collections;
  explicit Snapshot(Kit& kit)
      : used(kit.heap.stats().used),
        live(kit.heap.last_collection().live_objects),
        capacity(kit.heap.stats().capacity),
        collections(kit.heap.stats().collections) {}
  friend bool operator==(const Snapshot&, const Snapshot&) = default;
};

}  // namespace

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
      CHECK(kit.heap.verify().ok());
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

TEST_CASE("Another thread is refused on every slow path, and nothing is changed",
          "[gc][threads][misuse]") {
  MisuseTable table("calls from another thread");
  for (const Op& op : refused_ops()) {
    INFO(op.name);
    Kit kit(exact_options());
    const Handle<Node> kept = kit.make_node();
    // Without windows, as after any collection, each allocation takes the slow path.
    REQUIRE_FALSE(kit.heap.collect());
    const Snapshot before(kit);
    Errc code = Errc::ok;
    std::thread([&] { code = op.run(kit); }).join();
    CHECK(code == Errc::wrong_thread);
    CHECK(Snapshot(kit) == before);
    CHECK(kit.heap.verify().ok());
    table.row();
  }
}

TEST_CASE("Another thread that only allocates is caught before long", "[gc][threads]") {
  Kit kit(exact_options());
  REQUIRE(kit.heap.allocate(kit.node) != nullptr);
  std::uint64_t allocated = 0;
  std::thread([&] {
    while (kit.heap.allocate(kit.node) != nullptr && allocated < 1'000'000) ++allocated;
  }).join();
  // A window's worth at most.
  CHECK(allocated <= detail::Space::kMaxWindowBytes / 16);
  CHECK(kit.heap.error().code == Errc::wrong_thread);
}

TEST_CASE("Roots dropped by another thread abort", "[gc][threads][misuse]") {
  MisuseTable table("roots dropped by another thread");
  Kit kit(exact_options());
  Handle<Node> handle = kit.make_node();
  std::uint32_t slot = 0;
  RootRegistration range = kit.heap.add_root_range(&slot, 1, "slot");
  CHECK_ABORTS(std::thread([&] { handle.reset(); }).join(), "root removed by another thread");
  table.row();
  CHECK_ABORTS(std::thread([&] { const RootRegistration gone(std::move(range)); }).join(),
               "root source removed by another thread");
  table.row();
  Errc code = Errc::ok;
  std::thread([&] { code = range.remove().code; }).join();
  CHECK(code == Errc::wrong_thread);
  CHECK_FALSE(range.remove());
  table.row();
}

TEST_CASE("A heap can be handed from thread to thread", "[gc][threads]") {
  Kit kit(any_options());
  Handle<Node> list;
  for (int turn = 0; turn < 20; ++turn) {
    std::thread([&] {
      kit.heap.attach_thread();
      for (int i = 0; i < 100; ++i) {
        Handle<Node> node = kit.make_node();
        node->left = list.get();
        list = std::move(node);
      }
      static_cast<void>(kit.heap.collect());
    }).join();
  }
  CHECK(kit.heap.collect().code == Errc::wrong_thread);
  kit.heap.attach_thread();
  CHECK(kit.survivors() == 2000);
  list.reset();
  CHECK(kit.survivors() == 0);
}

TEST_CASE("Two heaps on two threads", "[gc][threads]") {
  const auto work = [](std::uint64_t* live) {
    Result<std::unique_ptr<Heap>> heap = Heap::create(any_options(4 * kMiB));
    if (!heap) return;
    const Result<Type<Node>> type = (*heap)->define<Node>();
    if (!type) return;
    Handle<Node> list;
    for (int i = 0; i < 5000; ++i) {
      Handle<Node> node = (*heap)->make(*type);
      if (i % 10 == 0) {
        node->left = list.get();
        list = std::move(node);
      }
    }
    if ((*heap)->collect()) return;
    *live = (*heap)->last_collection().live_objects;
  };
  std::uint64_t live[4] = {};
  std::vector<std::thread> threads;
  for (std::uint64_t& count : live) threads.emplace_back(work, &count);
  for (std::thread& thread : threads) thread.join();
  for (const std::uint64_t count : live) CHECK(count == 500);
}

}  // namespace besom::test
