/// Raw pointers in nothing but local variables, at the optimization levels that embedders use: the
/// build compiles this file at each of them.

#include <sys/resource.h>

#include <array>
#include <csetjmp>
#include <memory>
#include <thread>

#include "tests/gc/coroutine.hpp"
#include "tests/gc/kit.hpp"

// Frames have to be where the compiler would put them in an embedder's own code.
#define OWN_FRAME __attribute__((noinline))

namespace besom::test {
namespace {

HeapOptions zealous_options() {
  HeapOptions options = exact_options();
  options.zeal = Zeal::every(1);
  return options;
}

/// Overwrites the dead frames below the caller's, in which a pointer may still stand.
OWN_FRAME void wipe_dead_frames() {
  volatile char frames[16 << 10];
  for (volatile char& byte : frames) byte = 0;
}

/// A list that lives in one local variable, built with a collection at each allocation.
OWN_FRAME std::uint64_t build_and_count(Kit& kit, int length) {
  Node* list = nullptr;
  for (int i = 0; i < length; ++i) {
    Node* node = kit.heap.allocate(kit.node);
    node->left = list;
    // The node's right side is allocated while only `node` and `list` are known.
    Node* right = kit.heap.allocate(kit.node);
    node->right = right;
    list = node;
  }
  std::uint64_t count = 0;
  for (Node* node = list; node != nullptr; node = node->left.get()) {
    count += node->right && kit.lives(node->right.ref()) && kit.lives(Kit::ref_of(node)) ? 1 : 0;
  }
  return count;
}

/// More pointers than there are registers, in use at once over each allocation.
OWN_FRAME std::uint64_t many_at_once(Kit& kit) {
  Node *a = kit.heap.allocate(kit.node), *b = kit.heap.allocate(kit.node),
       *c = kit.heap.allocate(kit.node), *d = kit.heap.allocate(kit.node),
       *e = kit.heap.allocate(kit.node), *f = kit.heap.allocate(kit.node),
       *g = kit.heap.allocate(kit.node), *h = kit.heap.allocate(kit.node),
       *i = kit.heap.allocate(kit.node), *j = kit.heap.allocate(kit.node);
  std::uint64_t alive = 0;
  for (Node* node : {a, b, c, d, e, f, g, h, i, j}) {
    alive += kit.lives(Kit::ref_of(node)) ? 1 : 0;
  }
  return alive;
}

/// As a tree-walking interpreter would: each frame holds two pointers over the calls below it.
OWN_FRAME Node* build_tree(Kit& kit, int depth) {
  if (depth == 0) return kit.heap.allocate(kit.node);
  Node* left = build_tree(kit, depth - 1);
  Node* right = build_tree(kit, depth - 1);
  Node* node = kit.heap.allocate(kit.node);
  node->left = left;
  node->right = right;
  return node;
}
OWN_FRAME int depth_of(const Kit& kit, const Node* node) {
  int depth = 0;
  for (; node->left; node = node->left.get()) {
    if (depth_of(kit, node->right.get()) < 0) return -1;
    ++depth;
  }
  return depth;
}

/// Sums an array through a pointer that moves along in it, while the loop allocates.
OWN_FRAME std::uint64_t sum_by_moving_pointer(Kit& kit, std::uint32_t length) {
  ByteArray* array = kit.heap.allocate(kit.bytes, length);
  unsigned char* at = array->data();
  const unsigned char* const last = at + length - 1;
  for (std::uint32_t i = 0; i < length; ++i) at[i] = 3;
  std::uint64_t sum = 0;
  for (; at != last; ++at) {
    if (kit.heap.allocate(kit.bytes, length) == nullptr) return 0;
    sum += *at;
  }
  return sum + *last;
}

/// The heap's own handles for objects, and nothing else, in local variables.
OWN_FRAME bool refs_survive(Kit& kit) {
  const Ref<Node> first = Kit::ref_of(kit.heap.allocate(kit.node));
  const Ref<Node> second = Kit::ref_of(kit.heap.allocate(kit.node));
  const Ref<Node> third = Kit::ref_of(kit.heap.allocate(kit.node));
  if (kit.heap.allocate(kit.node) == nullptr || kit.heap.collect()) return false;
  return kit.lives(first) && kit.lives(second) && kit.lives(third);
}

OWN_FRAME std::uint64_t make_garbage(Kit& kit, int count) {
  std::uint64_t made = 0;
  for (int i = 0; i < count; ++i) made += kit.heap.allocate(kit.node) != nullptr ? 1 : 0;
  return made;
}

std::jmp_buf jump;
volatile bool jump_wanted = true;

OWN_FRAME void dive_and_jump(Kit& kit, int depth, Node* held) {
  Node* node = kit.heap.allocate(kit.node);
  node->left = held;
  if (depth == 0 && jump_wanted) std::longjmp(jump, 1);
  if (depth == 0) return;
  dive_and_jump(kit, depth - 1, node);
  // What is used after the call has to be kept over it.
  node->right = held;
}

/// Of a frame that has returned; stored where the compiler cannot see it again.
const void* volatile escaped_base = nullptr;
OWN_FRAME void let_base_escape(int depth) {
  volatile char frame[256] = {};
  escaped_base = __builtin_frame_address(0);
  if (depth > frame[0]) let_base_escape(depth - 1);
  frame[1] = frame[0];
}

}  // namespace

TEST_CASE("Native stack: pointers in local variables keep their objects", "[gc][stack]") {
  Kit kit(zealous_options());
  const RootRegistration stack = kit.heap.scan_native_stack(__builtin_frame_address(0));
  REQUIRE(stack);
  CHECK(build_and_count(kit, 60) == 60);
  CHECK(many_at_once(kit) == 10);
  CHECK(depth_of(kit, build_tree(kit, 6)) == 6);
  CHECK(sum_by_moving_pointer(kit, 150) == 450);
  CHECK(refs_survive(kit));
  CHECK(verify(kit.heap).ok());
  CHECK(kit.heap.last_collection().bad_refs == 0);
}

TEST_CASE("Native stack: without a base all of it is searched", "[gc][stack]") {
  Kit kit(zealous_options());
  const RootRegistration stack = kit.heap.scan_native_stack();
  REQUIRE(stack);
  Node* here = kit.heap.allocate(kit.node);
  CHECK(build_and_count(kit, 20) == 20);
  CHECK(kit.lives(Kit::ref_of(here)));
}

TEST_CASE("Native stack: in a generational heap too", "[gc][stack][generational]") {
  HeapOptions options = exact_options();
  options.zeal = Zeal::every(1);
  options.generational = true;
  Kit kit(options);
  const RootRegistration stack = kit.heap.scan_native_stack(__builtin_frame_address(0));
  CHECK(build_and_count(kit, 60) == 60);
  CHECK(depth_of(kit, build_tree(kit, 5)) == 5);
}

TEST_CASE("Native stack: unregistered, a local variable keeps nothing", "[gc][stack]") {
  Kit kit(exact_options());
  RootRegistration stack = kit.heap.scan_native_stack();
  Node* node = kit.heap.allocate(kit.node);
  const Ref<Node> ref = Kit::ref_of(node);
  CHECK(kit.survivors() == 1);
  CHECK_FALSE(stack.remove());
  CHECK(kit.survivors() == 0);
  CHECK_FALSE(kit.lives(ref));
}

TEST_CASE("Native stack: what no variable holds any more goes in the end", "[gc][stack]") {
  Kit kit(exact_options());
  const RootRegistration stack = kit.heap.scan_native_stack(__builtin_frame_address(0));
  CHECK(make_garbage(kit, 50'000) == 50'000);
  CHECK(depth_of(kit, build_tree(kit, 10)) == 10);
  wipe_dead_frames();
  REQUIRE_FALSE(kit.heap.collect());
  // Some of 52,047 are held by words that were left behind, most where ASan makes frames large.
  CHECK(kit.heap.last_collection().live_objects <= 200);
}

TEST_CASE("Native stack: longjmp out of frames that hold objects lets them go", "[gc][stack]") {
  Kit kit(zealous_options());
  const RootRegistration stack = kit.heap.scan_native_stack(__builtin_frame_address(0));
  static int round;  // a local one would be lost in the jump
  for (round = 0; round < 5; ++round) {
    if (setjmp(jump) == 0) dive_and_jump(kit, 40, nullptr);
    CHECK(build_and_count(kit, 10) == 10);
  }
  wipe_dead_frames();
  REQUIRE_FALSE(kit.heap.collect());
  // Of 305: one word left behind in a frame keeps the list of its round.
  CHECK(kit.heap.last_collection().live_objects <= 41 + 100);
  CHECK(verify(kit.heap).ok());
}

TEST_CASE("Native stack: registered twice, as by an embedder that is entered again",
          "[gc][stack]") {
  Kit kit(zealous_options());
  const RootRegistration outer = kit.heap.scan_native_stack(__builtin_frame_address(0));
  Node* held = kit.heap.allocate(kit.node);
  const auto entered_again = [&] {
    const RootRegistration inner = kit.heap.scan_native_stack(__builtin_frame_address(0));
    CHECK(inner);
    CHECK(build_and_count(kit, 10) == 10);
  };
  entered_again();
  CHECK(build_and_count(kit, 10) == 10);
  CHECK(kit.lives(Kit::ref_of(held)));
}

TEST_CASE("Native stack: a base that is in no caller's frame is refused", "[gc][stack]") {
  Kit kit(exact_options());
  static int global = 0;
  const auto on_heap = std::make_unique<int>(0);
  let_base_escape(2);
  char* frame = static_cast<char*>(__builtin_frame_address(0));
  const void* wrong[] = {&global,
                         on_heap.get(),
                         escaped_base,
                         frame - (1 << 20),
                         frame + (std::uint64_t{1} << 40),
                         reinterpret_cast<const void*>(~std::uintptr_t{0}),
                         reinterpret_cast<const void*>(8)};
  for (const void* base : wrong) {
    INFO(base);
    CHECK_FALSE(kit.heap.scan_native_stack(base));
    CHECK(kit.heap.error().code == Errc::bad_option);
  }
  const void* of_other_thread = nullptr;
  std::thread([&] {
    of_other_thread = __builtin_frame_address(0);
    CHECK_FALSE(kit.heap.scan_native_stack(__builtin_frame_address(0)));
    CHECK(kit.heap.error().code == Errc::wrong_thread);
  }).join();
  CHECK_FALSE(kit.heap.scan_native_stack(of_other_thread));
  CHECK(kit.survivors() == 0);
}

/// Registers the stack from a frame that is `depth` times 4 KiB below the caller's, so that a
/// collection from the caller's is above it.
__attribute__((noinline)) void scan_from_below(Heap& heap, RootRegistration& stack, int depth) {
  std::array<char, 4096> room;
  asm volatile("" : : "r"(room.data()) : "memory");
  if (depth > 0) {
    scan_from_below(heap, stack, depth - 1);
  } else {
    stack = heap.scan_native_stack(__builtin_frame_address(0));
  }
  asm volatile("" : : "r"(room.data()) : "memory");
}

TEST_CASE("Native stack: collecting after the base's frame has returned aborts", "[gc][stack]") {
  CHECK_ABORTS(([&] {
                 Kit kit(exact_options());
                 RootRegistration stack;
                 scan_from_below(kit.heap, stack, 20);
                 static_cast<void>(kit.heap.collect());
               }()),
               "outside the frames that are scanned");
}

TEST_CASE("Native stack: a heap that is handed over while it scans one aborts",
          "[gc][stack][threads]") {
  CHECK_ABORTS(([&] {
                 Kit kit(exact_options());
                 const RootRegistration stack = kit.heap.scan_native_stack();
                 std::thread([&] {
                   kit.heap.attach_thread();
                   static_cast<void>(kit.heap.collect());
                 }).join();
               }()),
               "native stack of another thread");
}

TEST_CASE("Native stack: each thread that owns the heap may register its own",
          "[gc][stack][threads]") {
  Kit kit(zealous_options());
  std::uint64_t counted = 0;
  std::thread([&] {
    kit.heap.attach_thread();
    {
      const RootRegistration stack = kit.heap.scan_native_stack();
      counted = build_and_count(kit, 20);
    }
  }).join();
  kit.heap.attach_thread();
  CHECK(counted == 20);
  const RootRegistration stack = kit.heap.scan_native_stack();
  CHECK(build_and_count(kit, 20) == 20);
}

namespace {

/// Collects from a frame that lies `kib` below the caller's.
OWN_FRAME bool collect_below(Heap& heap, int kib) {
  volatile char frame[1024] = {};
  const bool good = kib == 0 ? !heap.collect() : collect_below(heap, kib - 1);
  return good && frame[0] == 0;
}

/// Walks a list of its own while others run: all it has is in local variables.
OWN_FRAME std::uint64_t list_over_switches(Kit& kit, Coroutine& self, int length) {
  Node* list = nullptr;
  std::uint64_t failed = 0;
  for (int i = 0; i < length; ++i) {
    Node* node = kit.heap.allocate(kit.node);
    node->left = list;
    list = node;
    if (self.leave()) ++failed;
  }
  std::uint64_t count = 0;
  for (Node* node = list; node != nullptr; node = node->left.get()) ++count;
  return failed == 0 ? count : 0;
}

}  // namespace

TEST_CASE("Native stack: a limit that was raised after registration is looked up anew",
          "[gc][stack]") {
  rlimit limit;
  REQUIRE(getrlimit(RLIMIT_STACK, &limit) == 0);
  const rlim_t before = limit.rlim_cur;
  const rlim_t wanted = rlim_t{64} << 20;
  if (before >= wanted || (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < wanted)) return;
  Kit kit(exact_options());
  const RootRegistration stack = kit.heap.scan_native_stack(__builtin_frame_address(0));
  REQUIRE(stack);
  limit.rlim_cur = wanted;
  REQUIRE(setrlimit(RLIMIT_STACK, &limit) == 0);
  CHECK(collect_below(kit.heap, static_cast<int>(before >> 10) + 1024));
  limit.rlim_cur = before;
  CHECK(setrlimit(RLIMIT_STACK, &limit) == 0);
}

TEST_CASE("Native stack: registering while on another stack is refused", "[gc][stack][fibers]") {
  Kit kit(exact_options());
  Coroutine fiber(kit.heap, Coroutine::Scan::no, [&](Coroutine&) {
    for (const void* base : {static_cast<const void*>(__builtin_frame_address(0)),
                             static_cast<const void*>(nullptr)}) {
      CHECK_FALSE(kit.heap.scan_native_stack(base));
      CHECK(kit.heap.error().code == Errc::bad_option);
    }
  });
  REQUIRE_FALSE(fiber.resume());
  CHECK(fiber.has_ended);
  CHECK(kit.survivors() == 0);
}

TEST_CASE("Native stack: pointers on the stacks of fibers keep their objects, and the thread's",
          "[gc][stack][fibers]") {
  Kit kit(zealous_options());
  const RootRegistration stack = kit.heap.scan_native_stack(__builtin_frame_address(0));
  REQUIRE(stack);
  constexpr int kFibers = 5;
  constexpr int kLength = 20;
  std::vector<std::unique_ptr<Coroutine>> fibers;
  std::uint64_t whole = 0;
  for (int i = 0; i < kFibers; ++i) {
    fibers.push_back(
        std::make_unique<Coroutine>(kit.heap, Coroutine::Scan::yes, [&](Coroutine& self) {
          whole += list_over_switches(kit, self, kLength) == kLength ? 1 : 0;
          whole += build_and_count(kit, 10) == 10 ? 1 : 0;
          whole += many_at_once(kit) == 10 ? 1 : 0;
        }));
  }
  Node* mine = nullptr;
  for (int step = 0; step <= kLength; ++step) {
    Node* node = kit.heap.allocate(kit.node);
    node->left = mine;
    mine = node;
    for (auto& fiber : fibers) REQUIRE_FALSE(fiber->resume());
  }
  CHECK(whole == 3 * kFibers);
  int length = 0;
  for (Node* node = mine; node != nullptr; node = node->left.get()) {
    CHECK(kit.lives(Kit::ref_of(node)));
    ++length;
  }
  CHECK(length == kLength + 1);
  CHECK(verify(kit.heap).ok());
  CHECK(held_roots(kit.heap)->count(HeldRoot::Kind::range) == 1 + kFibers);
}

TEST_CASE("Native stack: what a fiber's stack held goes with the fiber", "[gc][stack][fibers]") {
  Kit kit(exact_options());
  auto fiber = std::make_unique<Coroutine>(kit.heap, Coroutine::Scan::yes, [&](Coroutine& self) {
    static_cast<void>(list_over_switches(kit, self, 100));
  });
  for (int i = 0; i < 50; ++i) REQUIRE_FALSE(fiber->resume());
  CHECK(kit.survivors() == 50);
  fiber.reset();
  CHECK(kit.survivors() == 0);
}

TEST_CASE("Native stack: a fiber that was entered unannounced aborts when it collects",
          "[gc][stack][fibers]") {
  CHECK_ABORTS(([&] {
                 Kit kit(exact_options());
                 const RootRegistration stack = kit.heap.scan_native_stack();
                 Coroutine fiber(kit.heap, Coroutine::Scan::yes,
                                 [&](Coroutine&) { static_cast<void>(kit.heap.collect()); });
                 fiber.enter_unannounced();
               }()),
               "outside the frames that are scanned; a fiber is entered by Heap::switch_to() or "
               "besom_switch_to()");
}

}  // namespace besom::test
