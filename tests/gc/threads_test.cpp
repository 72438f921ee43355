/// A heap and other threads, other processes, and signal handlers.

#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "freelist/free_list.hpp"
#include "heap/space.hpp"
#include "inspect/free_list_of.hpp"
#include "tests/gc/call_outs.hpp"

namespace besom::test {

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
    CHECK(verify(kit.heap).ok());
    table.row();
  }
}

TEST_CASE("Another thread is refused what a callback may do", "[gc][threads][misuse]") {
  MisuseTable table("calls from another thread that callbacks may make");
  Kit kit(exact_options());
  const Handle<Node> kept = kit.make_node();
  REQUIRE_FALSE(kit.heap.add_external(100));
  const auto on_another_thread = [](auto body) {
    Errc code = Errc::ok;
    std::thread([&] { code = body(); }).join();
    return code;
  };
  const auto refused = [&](auto body) {
    CHECK(on_another_thread(body) == Errc::wrong_thread);
    table.row();
  };
  refused([&] { return kit.heap.check(Ref<void>(kept.ref())).error().code; });
  refused([&] { return kit.heap.check(kept.ref(), kit.node).error().code; });
  refused([&] { return kit.heap.add_external(1).code; });
  refused([&] { return kit.heap.remove_external(1).code; });
  refused([&] { return kit.heap.recover().code; });
  const Header* start = kept.get() != nullptr ? &kept->header : nullptr;
  std::thread([&] { start = kit.heap.object_start(kept.get()); }).join();
  CHECK(start == nullptr);
  table.row();
  CHECK(kit.heap.stats().external == 100);
  CHECK_ABORTS(std::thread([&] { static_cast<void>(detail::free_list_of(kit.heap)); }).join(),
               "free_list() on another thread");
  table.row();
}

TEST_CASE("A handle set by another thread aborts", "[gc][threads][misuse]") {
  MisuseTable table("handles set by another thread");
  Kit kit(exact_options());
  Handle<Node> handle = kit.make_node();
  CHECK_ABORTS(std::thread([&] { handle.set(nullptr); }).join(), "handle set by another thread");
  table.row();
}

TEST_CASE("A heap is not handed over during a collection", "[gc][threads][misuse]") {
  MisuseTable table("handed over during a collection");
  for (const Place& place : places()) {
    INFO(place.name);
    Kit kit(calling_options());
    std::function<void()> call;
    place.arrange(kit, call);
    Errc code = Errc::ok;
    call = [&] { std::thread([&] { code = kit.heap.attach_thread().code; }).join(); };
    current_call = &call;
    REQUIRE_FALSE(kit.heap.collect());
    current_call = nullptr;
    CHECK(code == Errc::reentrant);
    CHECK(kit.make_node());
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
      REQUIRE_FALSE(kit.heap.attach_thread());
      for (int i = 0; i < 100; ++i) {
        Handle<Node> node = kit.make_node();
        node->left = list.get();
        list = std::move(node);
      }
      static_cast<void>(kit.heap.collect());
    }).join();
  }
  CHECK(kit.heap.collect().code == Errc::wrong_thread);
  REQUIRE_FALSE(kit.heap.attach_thread());
  CHECK(kit.survivors() == 2000);
  list.reset();
  CHECK(kit.survivors() == 0);
}

TEST_CASE("Two heaps on two threads", "[gc][threads]") {
  const auto work = [](std::uint64_t* live) {
    Result<HeapPtr> heap = Heap::create(any_options(4 * kMiB));
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

namespace {

/// Works a while on a heap that has `live` nodes in a list; 0 when all is as it should be.
int work_on(Kit& kit, Handle<Node>& list, std::uint32_t live, std::uint32_t more) {
  for (std::uint32_t i = 0; i < more; ++i) {
    Handle<Node> node = kit.heap.make(kit.node);
    if (!node) return 1;
    node->left = list.get();
    list = std::move(node);
    if (kit.heap.allocate(kit.block) == nullptr) return 2;
  }
  if (kit.heap.collect()) return 3;
  if (kit.heap.last_collection().live_objects != live + more) return 4;
  std::uint32_t length = 0;
  for (Node* node = list.get(); node != nullptr; node = node->left.get()) ++length;
  if (length != live + more) return 5;
  return verify(kit.heap).ok() ? 0 : 6;
}

}  // namespace

TEST_CASE("Fork: parent and child both go on, and neither sees the other", "[gc][threads][fork]") {
  Kit kit(any_options());
  Handle<Node> list;
  REQUIRE(work_on(kit, list, 0, 1000) == 0);
  int to_parent[2];
  REQUIRE(pipe(to_parent) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    // Sixteen rounds here, while the parent makes three of its own.
    int failed = 0;
    for (std::uint32_t round = 0; round < 16 && failed == 0; ++round) {
      failed = work_on(kit, list, 1000 + round * 50, 50);
    }
    if (failed == 0) {
      list.reset();
      const bool collected = !kit.heap.collect();
      failed = collected && kit.heap.last_collection().live_objects == 0 ? 0 : 7;
    }
    const char done = static_cast<char>(failed);
    _exit(write(to_parent[1], &done, 1) == 1 ? failed : 8);
  }
  for (std::uint32_t round = 0; round < 3; ++round) {
    REQUIRE(work_on(kit, list, 1000 + round * 500, 500) == 0);
  }
  char child_failed = 99;
  REQUIRE(read(to_parent[0], &child_failed, 1) == 1);
  CHECK(child_failed == 0);
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  // What the child dropped is all here.
  CHECK(work_on(kit, list, 2500, 10) == 0);
  close(to_parent[0]);
  close(to_parent[1]);
}

namespace {

Heap* volatile signalled_heap = nullptr;
volatile std::sig_atomic_t signals_refused = 0;

extern "C" void call_from_signal(int) {
  Heap* heap = signalled_heap;
  if (heap == nullptr) return;
  // Just before or after the collection it is not refused, and has to leave no trace.
  if (heap->forbid_collections().code == Errc::reentrant) {
    signals_refused = signals_refused + 1;
  } else {
    static_cast<void>(heap->allow_collections());
  }
}

}  // namespace

TEST_CASE("Signals: a call from a handler that interrupts a collection is reentrant",
          "[gc][threads][signal]") {
  Kit kit(exact_options());
  Handle<RefArray<Node>> wide = kit.heap.make(kit.refs, 200'000);
  REQUIRE(wide);
  for (std::uint32_t i = 0; i < 200'000; ++i) (*wide)[i] = kit.heap.allocate(kit.node);
  struct sigaction action = {};
  action.sa_handler = call_from_signal;
  action.sa_flags = SA_RESTART;
  struct sigaction before = {};
  REQUIRE(sigaction(SIGALRM, &action, &before) == 0);
  signals_refused = 0;
  const itimerval every{{0, 300}, {0, 300}};
  REQUIRE(setitimer(ITIMER_REAL, &every, nullptr) == 0);
  int failed = 0;
  for (int round = 0; round < 5000 && signals_refused < 20; ++round) {
    signalled_heap = &kit.heap;
    if (kit.heap.collect()) ++failed;
    signalled_heap = nullptr;
    if (kit.heap.last_collection().live_objects != 200'001) ++failed;
  }
  const itimerval never{};
  REQUIRE(setitimer(ITIMER_REAL, &never, nullptr) == 0);
  REQUIRE(sigaction(SIGALRM, &before, nullptr) == 0);
  CHECK(failed == 0);
  CHECK(signals_refused >= 20);
  CHECK(verify(kit.heap).ok());
  CHECK(kit.make_node());
}

namespace {

char* guard_begin = nullptr;

extern "C" void expect_guard_fault(int, siginfo_t* info, void*) {
  const auto* at = static_cast<const char*>(info->si_addr);
  _exit(at >= guard_begin && at < guard_begin + (std::uint64_t{4} << 30) ? 42 : 43);
}

}  // namespace

TEST_CASE("Signals: a heap installs no handler, and a fault in its guard reaches the host's",
          "[gc][threads][signal]") {
  struct sigaction before[2] = {};
  REQUIRE(sigaction(SIGSEGV, nullptr, &before[0]) == 0);
  REQUIRE(sigaction(SIGBUS, nullptr, &before[1]) == 0);
  Kit kit(exact_options());
  REQUIRE_FALSE(kit.heap.collect());
  struct sigaction after[2] = {};
  REQUIRE(sigaction(SIGSEGV, nullptr, &after[0]) == 0);
  REQUIRE(sigaction(SIGBUS, nullptr, &after[1]) == 0);
  for (int i = 0; i < 2; ++i) CHECK(before[i].sa_sigaction == after[i].sa_sigaction);

  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const Handle<Node> node = kit.make_node();
    guard_begin = detail::arena_of(node.get());
    struct sigaction action = {};
    action.sa_sigaction = expect_guard_fault;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGSEGV, &action, nullptr);
    // The last index there is: far above the capacity.
    const auto* stray =
        reinterpret_cast<const volatile char*>(kit.heap.get(Ref<Node>(0xfffffff0u)));
    _exit(*stray == 0 ? 44 : 45);
  }
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 42);
}

}  // namespace besom::test
