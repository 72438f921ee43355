/// Stacks beside the thread's own: scopes and locals of fibers. What native stacks hold is in
/// native_stack_test.cpp.

#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "tests/gc/coroutine.hpp"
#include "tests/gc/kit.hpp"

namespace besom::test {
namespace {

using Scan = Coroutine::Scan;

}  // namespace

TEST_CASE("Fibers: two with a scope each that take turns end in any order",
          "[gc][fibers][zealous]") {
  for (const bool first_ends_first : {true, false}) {
    Kit kit;
    std::vector<std::unique_ptr<Coroutine>> fibers;
    int good = 0;
    for (int i = 0; i < 2; ++i) {
      fibers.push_back(std::make_unique<Coroutine>(kit.heap, Scan::no, [&](Coroutine& self) {
        HandleScope scope(kit.heap);
        const Local<Node> a = scope.root(kit.heap.allocate(kit.node));
        const Local<Node> b = scope.root(kit.heap.allocate(kit.node));
        a->left = b.get();
        REQUIRE_FALSE(self.leave());
        if (!a.is_stale() && !b.is_stale() && a->left.get() == b.get()) ++good;
      }));
    }
    for (auto& fiber : fibers) REQUIRE_FALSE(fiber->resume());
    CHECK(kit.survivors() == 4);
    REQUIRE_FALSE(fibers[first_ends_first ? 0 : 1]->resume());
    CHECK(kit.survivors() == 2);
    REQUIRE_FALSE(fibers[first_ends_first ? 1 : 0]->resume());
    CHECK(good == 2);
    CHECK(fibers[0]->has_ended);
    CHECK(fibers[1]->has_ended);
    CHECK(kit.survivors() == 0);
  }
}

TEST_CASE("Fibers: those that take turns behind the heap's back hear of switch_to()",
          "[gc][fibers][misuse]") {
  MisuseTable table("fibers that nobody announced");
  const auto take_turns = [](auto body) {
    Kit kit(exact_options());
    std::vector<std::unique_ptr<Coroutine>> fibers;
    for (int i = 0; i < 2; ++i) {
      fibers.push_back(std::make_unique<Coroutine>(kit.heap, Scan::no,
                                                   [&](Coroutine& self) { body(kit.heap, self); }));
    }
    for (auto& fiber : fibers) fiber->enter_unannounced();
    fibers[0]->enter_unannounced();
    fibers[1]->enter_unannounced();
  };
  CHECK_ABORTS(take_turns([](Heap& heap, Coroutine& self) {
                 const HandleScope scope(heap);
                 self.leave_unannounced();
               }),
               "(fibers take turns by Heap::switch_to() or besom_switch_to())");
  table.row();
  int refused = 0;
  take_turns([&](Heap& heap, Coroutine& self) {
    const LocalMark mark = heap.mark_locals();
    self.leave_unannounced();
    const Error error = heap.restore_locals(mark);
    if (error.message().find("Heap::switch_to() or besom_switch_to()") != std::string::npos) {
      ++refused;
    }
    self.leave_unannounced();
  });
  CHECK(refused == 1);
  table.row();
}

TEST_CASE("Fibers: a hundred generators fill chunks of locals in turn", "[gc][fibers]") {
  Kit kit(exact_options());
  constexpr int kFibers = 100;
  constexpr int kSteps = 300;
  std::vector<std::unique_ptr<Coroutine>> fibers;
  int failed = 0;
  for (int i = 0; i < kFibers; ++i) {
    fibers.push_back(std::make_unique<Coroutine>(kit.heap, Scan::no, [&](Coroutine& self) {
      HandleScope scope(kit.heap);
      Local<Node> mine[kSteps];  // no vector: a third of the stacks go with all that is on them
      for (int step = 0; step < kSteps; ++step) {
        mine[step] = scope.root(kit.heap.allocate(kit.node));
        {
          HandleScope inner(kit.heap);
          for (int k = 0; k < step % 7; ++k) {
            static_cast<void>(inner.root(kit.heap.allocate(kit.node)));
          }
          if (self.leave()) ++failed;
        }
        for (int k = 0; k <= step; ++k) failed += mine[k].is_stale() ? 1 : 0;
      }
    }));
  }
  const HandleScope outer(kit.heap);
  const Local<Node> own = kit.heap.local(kit.heap.allocate(kit.node));
  for (int step = 0; step < kSteps; ++step) {
    for (auto& fiber : fibers) REQUIRE_FALSE(fiber->resume());
    if (step % 50 == 0) CHECK(kit.survivors() == 1u + kFibers * (step + 1u + step % 7));
  }
  CHECK(failed == 0);
  CHECK_FALSE(own.is_stale());
  for (int i = 0; i < kFibers; i += 3) fibers[static_cast<std::size_t>(i)].reset();
  for (auto& fiber : fibers) {
    if (fiber != nullptr) REQUIRE_FALSE(fiber->resume());
  }
  CHECK(failed == 0);
  CHECK(kit.survivors() == 1);
}

TEST_CASE("Fibers: dropped half-way, its locals are stale and its objects go", "[gc][fibers]") {
  Kit kit;
  Local<Node> kept;
  for (int round = 0; round < 20; ++round) {
    auto fiber = std::make_unique<Coroutine>(kit.heap, Scan::no, [&](Coroutine& self) {
      // Never closed: the stack goes with all that is on it.
      alignas(HandleScope) char scope[sizeof(HandleScope)];
      new (scope) HandleScope(kit.heap);
      for (int i = 0; i < 500; ++i) kept = kit.heap.local(kit.heap.allocate(kit.node));
      static_cast<void>(self.leave());
    });
    REQUIRE_FALSE(fiber->resume());
    CHECK_FALSE(kept.is_stale());
    CHECK(kit.survivors() == 500);
    fiber.reset();
    CHECK(kept.is_stale());
    CHECK(kit.survivors() == 0);
  }
}

TEST_CASE("Fibers: a local of one that has gone is not confused with one in its place",
          "[gc][fibers]") {
  Kit kit;
  std::vector<Local<Node>> gone;
  for (int round = 0; round < 50; ++round) {
    auto fiber = std::make_unique<Coroutine>(kit.heap, Scan::no, [&](Coroutine& self) {
      for (int i = 0; i < round % 3 + 1; ++i) {
        gone.push_back(kit.heap.local(kit.heap.allocate(kit.node)));
      }
      static_cast<void>(self.leave());
    });
    const std::size_t before = gone.size();
    REQUIRE_FALSE(fiber->resume());
    for (std::size_t i = 0; i < before; ++i) REQUIRE(gone[i].is_stale());
    REQUIRE_FALSE(gone.back().is_stale());
  }
  for (const Local<Node>& local : gone) CHECK(local.is_stale());
}

TEST_CASE("Fibers: marks are their own, and a longjmp inside one is restored there",
          "[gc][fibers][locals]") {
  Kit kit;
  const LocalMark outside = kit.heap.mark_locals();
  const Local<Node> of_thread = kit.heap.local(kit.heap.allocate(kit.node));
  LocalMark inside;
  Coroutine fiber(kit.heap, Scan::no, [&](Coroutine& self) {
    inside = kit.heap.mark_locals();
    const Local<Node> mine = kit.heap.local(kit.heap.allocate(kit.node));
    CHECK(kit.heap.restore_locals(outside).code == Errc::stale_handle);
    static_cast<void>(self.leave());
    CHECK_FALSE(mine.is_stale());
    CHECK_FALSE(kit.heap.restore_locals(inside));
    CHECK(mine.is_stale());
  });
  REQUIRE_FALSE(fiber.resume());
  CHECK(kit.heap.restore_locals(inside).code == Errc::stale_handle);
  CHECK(kit.survivors() == 2);
  REQUIRE_FALSE(fiber.resume());
  CHECK(kit.survivors() == 1);
  CHECK_FALSE(of_thread.is_stale());
  CHECK_FALSE(kit.heap.restore_locals(outside));
  CHECK(of_thread.is_stale());
}

TEST_CASE("Fibers: one resumes another", "[gc][fibers]") {
  Kit kit;
  int steps = 0;
  Coroutine inner(kit.heap, Scan::no, [&](Coroutine& self) {
    HandleScope scope(kit.heap);
    const Local<Node> mine = scope.root(kit.heap.allocate(kit.node));
    for (; steps < 3; ++steps) REQUIRE_FALSE(self.leave());
    CHECK_FALSE(mine.is_stale());
  });
  // By way of the thread, which knows who called.
  Coroutine outer(kit.heap, Scan::no, [&](Coroutine& self) {
    HandleScope scope(kit.heap);
    const Local<Node> mine = scope.root(kit.heap.allocate(kit.node));
    while (!inner.has_ended) REQUIRE_FALSE(self.leave());
    CHECK_FALSE(mine.is_stale());
  });
  while (!outer.has_ended) {
    REQUIRE_FALSE(outer.resume());
    if (!inner.has_ended) REQUIRE_FALSE(inner.resume());
  }
  CHECK(steps == 3);
  CHECK(kit.survivors() == 0);
}

TEST_CASE("Fibers: what switching refuses", "[gc][fibers][misuse]") {
  MisuseTable table("switches to fibers");
  Kit kit;
  Kit other;
  bool went = false;
  const auto swap = [&] { went = true; };
  const auto refuses = [&](Fiber* fiber, Errc code) {
    CHECK(kit.heap.switch_to(fiber, swap).code == code);
    CHECK_FALSE(went);
    table.row();
  };
  Fiber foreign(other.heap);
  Fiber empty;
  refuses(&foreign, Errc::wrong_heap);
  refuses(&empty, Errc::stale_handle);
  refuses(nullptr, Errc::bad_option);  // it runs
  Fiber own(kit.heap);
  CHECK(kit.heap.switch_to(&own, nullptr, nullptr).code == Errc::bad_argument);
  table.row();
  CHECK_FALSE(own.is_running());
  std::thread([&] { refuses(&own, Errc::wrong_thread); }).join();
  Coroutine fiber(kit.heap, Scan::no, [&](Coroutine& self) {
    CHECK(self.fiber.is_running());
    refuses(&self.fiber, Errc::bad_option);
    std::thread([&] { CHECK(kit.heap.attach_thread().code == Errc::reentrant); }).join();
    table.row();
  });
  REQUIRE_FALSE(fiber.resume());
  CHECK(fiber.has_ended);
  CHECK_FALSE(Fiber(kit.heap, nullptr, 4096));
  CHECK(kit.heap.error().code == Errc::bad_option);
  table.row();
  CHECK_FALSE(Fiber(kit.heap, &went, std::size_t{1} << 62));
  CHECK(kit.heap.error().code == Errc::bad_option);
  table.row();
  CHECK_FALSE(Fiber(kit.heap, &went, 0));
  table.row();
}

TEST_CASE("Fibers: scopes used on another fiber than their own", "[gc][fibers][misuse]") {
  MisuseTable table("scopes of another fiber");
  Kit kit;
  HandleScope scope(kit.heap);
  Coroutine fiber(kit.heap, Scan::no, [&](Coroutine&) {
    CHECK_FALSE(scope.root(kit.heap.allocate(kit.node)));
    CHECK(kit.heap.error().code == Errc::stale_handle);
    table.row();
  });
  REQUIRE_FALSE(fiber.resume());
  CHECK(scope.root(kit.heap.allocate(kit.node)));

  CHECK_ABORTS(([&] {
                 std::optional<HandleScope> early(std::in_place, kit.heap);
                 Coroutine ends_it(kit.heap, Scan::no, [&](Coroutine&) { early.reset(); });
                 static_cast<void>(ends_it.resume());
               }()),
               "while another fiber runs");
  table.row();
  CHECK_ABORTS(([&] {
                 std::optional<HandleScope> left;
                 {
                   Coroutine opens_it(kit.heap, Scan::no, [&](Coroutine& self) {
                     left.emplace(kit.heap);
                     static_cast<void>(self.leave());
                   });
                   static_cast<void>(opens_it.resume());
                 }
                 const Fiber next(kit.heap);  // in the place of the one that has gone
                 left.reset();
               }()),
               "with its fiber");
  table.row();
}

TEST_CASE("Fibers: dropped while it runs, or control that comes back unannounced, aborts",
          "[gc][fibers][misuse]") {
  MisuseTable table("fibers dropped and left");
  Kit kit;
  CHECK_ABORTS(([&] {
                 Coroutine fiber(kit.heap, Scan::no, [](Coroutine& self) { self.fiber.reset(); });
                 static_cast<void>(fiber.resume());
               }()),
               "dropped while it runs");
  table.row();
  CHECK_ABORTS(([&] {
                 Coroutine fiber(kit.heap, Scan::no,
                                 [](Coroutine& self) { self.leave_unannounced(); });
                 static_cast<void>(fiber.resume());
               }()),
               "control came back without switch_to()");
  table.row();
  CHECK_ABORTS(([&] {
                 Fiber fiber(kit.heap);
                 const MarkHookRegistration hook = kit.heap.add_mark_hook(
                     [](void* user, const MarkView&) { static_cast<Fiber*>(user)->reset(); },
                     &fiber, "drops a fiber");
                 static_cast<void>(kit.heap.collect());
               }()),
               "dropped during a collection");
  table.row();
}

TEST_CASE("Fibers: moved, reset, and after their heap", "[gc][fibers]") {
  Kit kit;
  Fiber first(kit.heap);
  Fiber second(std::move(first));
  CHECK_FALSE(first);
  CHECK(second);
  first = std::move(second);
  CHECK(first);
  first.reset();
  first.reset();
  CHECK_FALSE(first);
  first = Fiber(kit.heap);
  Coroutine left(kit.heap, Scan::no, [&](Coroutine& self) {
    static_cast<void>(kit.heap.local(kit.heap.allocate(kit.node)));
    static_cast<void>(self.leave());
  });
  REQUIRE_FALSE(left.resume());
  REQUIRE_FALSE(kit.heap.reset());
  CHECK(kit.survivors() == 0);
  kit.owned.reset();
  first.reset();
}

}  // namespace besom::test
