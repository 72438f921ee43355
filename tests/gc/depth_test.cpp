/// Deep and wide graphs, collected and verified on a native stack of 64 KiB.

#include <pthread.h>

#include <algorithm>
#include <functional>

#include "tests/gc/kit.hpp"

namespace besom::test {
namespace {

constexpr std::uint32_t kScale = Zeal::kBuiltIn ? 100 : kUnderSanitizer ? 10 : 1;

/// Runs `body` on a thread of its own with a small stack.
void on_small_stack(std::function<void()> body) {
  pthread_attr_t attributes;
  REQUIRE(pthread_attr_init(&attributes) == 0);
  REQUIRE(pthread_attr_setstacksize(&attributes, 64 << 10) == 0);
  pthread_t thread;
  const auto run = [](void* argument) -> void* {
    (*static_cast<std::function<void()>*>(argument))();
    return nullptr;
  };
  REQUIRE(pthread_create(&thread, &attributes, run, &body) == 0);
  REQUIRE(pthread_join(thread, nullptr) == 0);
  pthread_attr_destroy(&attributes);
}

HeapOptions large_options() {
  HeapOptions options = exact_options(1024 * kMiB);
  options.growth = Growth::fixed();
  return options;
}

/// Collects twice on the small stack, with the root and without: how many objects were left.
template <class T>
void check_on_small_stack(Kit& kit, Handle<T>& root, std::uint64_t count) {
  Error error;
  std::uint64_t live = 0;
  std::uint64_t live_after = 1;
  bool sound = false;
  on_small_stack([&] {
    kit.heap.attach_thread();
    error = kit.heap.collect();
    live = kit.heap.last_collection().live_objects;
    sound = verify(kit.heap).ok();
    root.reset();
    error = kit.heap.collect();
    live_after = kit.heap.last_collection().live_objects;
  });
  kit.heap.attach_thread();
  CHECK_FALSE(error);
  CHECK(sound);
  CHECK(live == count);
  CHECK(live_after == 0);
}

}  // namespace

TEST_CASE("Depth: a list of 10 million is collected on a 64 KiB stack", "[gc][depth]") {
  constexpr std::uint32_t kLength = 10'000'000 / kScale;
  Kit kit(large_options());
  Handle<Node> list = kit.make_node();
  for (std::uint32_t i = 1; i < kLength; ++i) {
    Node* node = kit.heap.allocate(kit.node);
    node->right = list.get();
    list.set(node);
  }
  check_on_small_stack(kit, list, kLength);
}

TEST_CASE("Depth: a list linked forwards is collected on a 64 KiB stack", "[gc][depth]") {
  constexpr std::uint32_t kLength = 2'000'000 / kScale;
  Kit kit(large_options());
  Handle<Node> list = kit.make_node();
  Handle<Node> last(kit.heap, list.get());
  for (std::uint32_t i = 1; i < kLength; ++i) {
    Node* node = kit.heap.allocate(kit.node);
    last->left = node;
    last.set(node);
  }
  last.reset();
  check_on_small_stack(kit, list, kLength);
}

TEST_CASE("Depth: left and right combs are collected on a 64 KiB stack", "[gc][depth]") {
  constexpr std::uint32_t kLength = 1'000'000 / kScale;
  for (const bool is_left : {true, false}) {
    Kit kit(large_options());
    Handle<Node> comb = kit.make_node();
    for (std::uint32_t i = 1; i < kLength; ++i) {
      Handle<Node> tooth = kit.make_node();
      Node* spine = kit.heap.allocate(kit.node);
      (is_left ? spine->left : spine->right) = comb.get();
      (is_left ? spine->right : spine->left) = tooth.get();
      comb.set(spine);
    }
    check_on_small_stack(kit, comb, 2 * kLength - 1);
  }
}

TEST_CASE("Depth: an array of a million refs is collected on a 64 KiB stack", "[gc][depth]") {
  constexpr std::uint32_t kLength = 1'000'000 / kScale;
  Kit kit(large_options());
  Handle<RefArray<Node>> array = kit.heap.make(kit.refs, kLength);
  for (std::uint32_t i = 0; i < kLength; ++i) (*array)[i] = kit.heap.allocate(kit.node);
  check_on_small_stack(kit, array, kLength + 1);
}

TEST_CASE("Depth: a graph of 2000 x 2000 is collected on a 64 KiB stack", "[gc][depth]") {
  constexpr std::uint32_t kSide = kScale == 1 ? 2000 : 500;
  Kit kit(large_options());
  Handle<RefArray<Node>> row = kit.heap.make(kit.refs, kSide);
  // From the last row up: each node has its right and its lower neighbour.
  for (std::uint32_t y = 0; y < kSide; ++y) {
    Node* right = nullptr;
    for (std::uint32_t x = kSide; x-- > 0;) {
      Node* node = kit.heap.allocate(kit.node);
      node->left = (*row)[x].get();
      node->right = right;
      (*row)[x] = node;
      right = node;
    }
  }
  Handle<Node> corner(kit.heap, (*row)[0].get());
  row.reset();
  check_on_small_stack(kit, corner, std::uint64_t{kSide} * kSide);
}

TEST_CASE("Depth: arrays nested a million deep are collected on a 64 KiB stack", "[gc][depth]") {
  constexpr std::uint32_t kLength = 1'000'000 / kScale;
  Kit kit(large_options());
  Handle<ValueArray> nest = kit.heap.make(kit.values, 2);
  for (std::uint32_t i = 1; i < kLength; ++i) {
    ValueArray* outer = kit.heap.allocate(kit.values, 2);
    (*outer)[0] = nest.ref();
    (*outer)[1] = nest.ref();
    nest.set(outer);
  }
  check_on_small_stack(kit, nest, kLength);
}

TEST_CASE("Depth: large arrays nested deeper than the marker's slices", "[gc][depth]") {
  constexpr std::uint32_t kLength = 2000;
  Kit kit(large_options());
  Handle<ValueArray> nest = kit.heap.make(kit.values, 300);
  for (std::uint32_t i = 1; i < kLength; ++i) {
    ValueArray* outer = kit.heap.allocate(kit.values, 300);
    (*outer)[i % 300] = nest.ref();
    (*outer)[299] = nest.ref();
    nest.set(outer);
  }
  check_on_small_stack(kit, nest, kLength);
}

TEST_CASE("Depth: twice the list takes about twice the time", "[gc][depth]") {
  const auto time_of = [](std::uint32_t length) {
    Kit kit(large_options());
    Handle<Node> list = kit.make_node();
    for (std::uint32_t i = 1; i < length; ++i) {
      Node* node = kit.heap.allocate(kit.node);
      node->left = list.get();
      list.set(node);
    }
    std::uint64_t best = ~std::uint64_t{0};
    for (int i = 0; i < 5; ++i) {
      REQUIRE_FALSE(kit.heap.collect());
      best = std::min(best, kit.heap.last_collection().pause_ns);
    }
    return best;
  };
  const std::uint64_t once = time_of(1'000'000 / kScale);
  const std::uint64_t twice = time_of(2'000'000 / kScale);
  INFO(once << " ns, " << twice << " ns");
  // Generous, as the machine may be busy: quadratic time would be 4.
  CHECK(static_cast<double>(twice) < 3.5 * static_cast<double>(once));
}

}  // namespace besom::test
