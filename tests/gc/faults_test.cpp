/// Every system call refused, at every place, once and from then on, through the whole life of a
/// heap: a typed error, the heap as it was before the call, and service again once memory is there.

#include <sys/resource.h>

#include <cerrno>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "heap/arena.hpp"
#include "tests/gc/kit.hpp"
#include "tests/heap/fault_system.hpp"

namespace besom::test {
namespace {

/// Fewer where each change of the free list pays for a part of its verification, and where
/// sanitizers check each access.
constexpr std::uint32_t kNodes = kUnderSanitizer || Zeal::kBuiltIn ? 5000 : 12'000;

struct Variant {
  const char* name;
  HeapOptions options;
};

std::vector<Variant> variants() {
  const auto make = [](const char* name, auto change) {
    Variant variant{name, exact_options(16 * kMiB)};
    variant.options.system = &FaultSystem::table();
    variant.options.heap_initial = 64 * kKiB;
    change(variant.options);
    return variant;
  };
  return {
      make("growing", [](HeapOptions&) {}),
      make("fixed", [](HeapOptions& options) { options.growth = Growth::fixed(); }),
      make("tight", [](HeapOptions& options) { options.growth = Growth::of_live(1.1); }),
      make("small reservation", [](HeapOptions& options) { options.reserve = 16 * kMiB; }),
      make("no mark stack", [](HeapOptions& options) { options.mark_stack = 64; }),
      make("zeal",
           [](HeapOptions& options) {
             options.zeal = {4000, true, true};
           }),
  };
}

/// One program's life with a heap, which goes on through every refusal.
class Life {
 public:
  explicit Life(const HeapOptions& options) : options_(options) {}

  /// False when something was not as promised.
  void run() {
    Result<HeapPtr> created = Heap::create(options_);
    if (!created) {
      note_refusal(created.error());
      REQUIRE(FaultSystem::mappings() == leaked_by_unmap());
      FaultSystem::lift();
      created = Heap::create(options_);
      INFO(created.error().message());
      REQUIRE(created);
    }
    heap_ = std::move(*created);
    node_ = *heap_->define<Node>();
    bytes_ = *heap_->define<ByteArray>();
    for (int round = 0; round < 2; ++round) {
      grow(kNodes);
      check();
      drop();
      REQUIRE_FALSE(heap_->collect());
      check();
    }
    large();
    grow(10'000);
    check();
    REQUIRE_FALSE(heap_->reset());
    lists_.clear();
    lengths_.clear();
    grow(1000);
    check();
    lists_.clear();
    heap_.reset();
    FaultSystem::lift();
  }

  [[nodiscard]] std::uint64_t refusals() const { return refusals_; }

 private:
  static std::size_t leaked_by_unmap() {
    return FaultSystem::calls(SystemCall::unmap) == 0 ? 0 : FaultSystem::mappings();
  }

  void note_refusal(const Error& error) {
    ++refusals_;
    INFO(error.message());
    REQUIRE((error.code == Errc::commit_failed || error.code == Errc::reserve_failed ||
             error.code == Errc::out_of_host_memory));
    REQUIRE(error.system_errno == ENOMEM);
    REQUIRE(error.bytes != 0);
  }

  Node* allocate() {
    if (Node* node = heap_->allocate(node_)) return node;
    note_refusal(heap_->error());
    check();
    FaultSystem::lift();
    Node* node = heap_->allocate(node_);
    REQUIRE(node != nullptr);
    return node;
  }

  void grow(std::uint32_t count) {
    Handle<Node> list(*heap_, nullptr);
    for (std::uint32_t i = 0; i < count; ++i) {
      Node* node = allocate();
      node->left = list.get();
      node->header.length = i;
      list.set(node);
      if (i % 3 == 0) static_cast<void>(allocate());
    }
    lists_.push_back(std::move(list));
    lengths_.push_back(count);
  }

  void drop() {
    lists_.erase(lists_.begin());
    lengths_.erase(lengths_.begin());
  }

  /// Objects of a size that takes growing of its own.
  void large() {
    for (int i = 0; i < 3; ++i) {
      Handle<ByteArray> array = heap_->make(bytes_, 3 * kMiB);
      if (!array) {
        note_refusal(heap_->error());
        check();
        FaultSystem::lift();
        array = heap_->make(bytes_, 3 * kMiB);
        REQUIRE(array);
      }
      REQUIRE(array->data()[3 * kMiB - 1] == 0);
      array->data()[3 * kMiB - 1] = 1;
    }
  }

  void check() {
    REQUIRE(verify(*heap_).ok());
    for (std::size_t i = 0; i < lists_.size(); ++i) {
      std::uint32_t expected = lengths_[i];
      const Node* node = lists_[i].get();
      for (; node != nullptr; node = node->left.get()) {
        if (node->header.length != --expected) break;
      }
      REQUIRE(node == nullptr);
      REQUIRE(expected == 0);
    }
  }

  HeapOptions options_;
  std::unique_ptr<Heap> heap_;
  Type<Node> node_;
  Type<ByteArray> bytes_;
  std::vector<Handle<Node>> lists_;
  std::vector<std::uint32_t> lengths_;
  std::uint64_t refusals_ = 0;
};

}  // namespace

TEST_CASE("Faults: each system call refused at each place, once and for good", "[gc][faults]") {
  const std::uint64_t before = FaultSystem::injected_in_all();
  std::uint64_t lives = 0;
  for (const Variant& variant : variants()) {
    FaultSystem::reset();
    Life(variant.options).run();
    REQUIRE(FaultSystem::mappings() == 0);
    for (int number = 0; number < kSystemCalls; ++number) {
      const auto call = static_cast<SystemCall>(number);
      FaultSystem::reset();
      Life(variant.options).run();
      const std::uint64_t calls = FaultSystem::calls(call);
      for (std::uint64_t k = 1; k <= calls; ++k) {
        for (const bool persistent : {false, true}) {
          INFO(variant.name << ": " << name_of(call) << ' ' << k << " of " << calls
                            << (persistent ? ", and on" : ""));
          FaultSystem::reset();
          FaultSystem::fail(call, k, persistent);
          Life life(variant.options);
          life.run();
          ++lives;
          if (call != SystemCall::unmap) REQUIRE(FaultSystem::mappings() == 0);
          FaultSystem::release_all();
        }
      }
    }
  }
  FaultSystem::reset();
  std::fprintf(stderr, "injected system faults: %llu in %llu lives of a heap\n",
               static_cast<unsigned long long>(FaultSystem::injected_in_all() - before),
               static_cast<unsigned long long>(lives));
}

TEST_CASE("Faults: growth refused again and again, lifted in between", "[gc][faults]") {
  // Thousands of refusals of one heap: none of them may wear it out.
  HeapOptions options = exact_options(16 * kMiB);
  options.system = &FaultSystem::table();
  options.heap_initial = 64 * kKiB;
  options.growth = Growth::fixed();
  FaultSystem::reset();
  Random random = random_for("Faults: again and again");
  const std::uint64_t before = FaultSystem::injected_in_all();
  for (int heap = 0; heap < (kUnderSanitizer ? 2 : 10); ++heap) {
    Kit kit(options);
    Handle<RefArray<Node>> live = kit.heap.make(kit.refs, 2000);
    Handle<ByteArray> ballast;
    for (int round = 0; round < 200; ++round) {
      const auto capacity = static_cast<std::uint32_t>(kit.heap.stats().capacity);
      FaultSystem::fail(SystemCall::commit, 1, true);
      CHECK_FALSE(kit.heap.make(kit.bytes, capacity + random.below(100'000)));
      REQUIRE(kit.heap.error().code == Errc::commit_failed);
      REQUIRE(kit.heap.stats().capacity == capacity);
      FaultSystem::lift();
      Node* node = kit.heap.allocate(kit.node);
      REQUIRE(node != nullptr);
      (*live)[random.below(2000)] = node;
      if (round % 20 == 0) {
        ballast = kit.heap.make(kit.bytes, capacity / 2 + 100'000);
        REQUIRE(ballast);
        ballast->data()[ballast->length() - 1] = 1;
      }
      if (round == 100) {
        REQUIRE_FALSE(kit.heap.reset());
        live = kit.heap.make(kit.refs, 2000);
        REQUIRE(live);
      }
    }
    CHECK(verify(kit.heap).ok());
  }
  std::fprintf(stderr, "injected commit faults: %llu\n",
               static_cast<unsigned long long>(FaultSystem::injected_in_all() - before));
}

TEST_CASE("Faults: under `ulimit -v 2097152` the full reservation is refused, a smaller one works",
          "[gc][faults]") {
  if (kUnderSanitizer) return;
  const Death death = death_of([] {
    limit_address_space(std::size_t{2} << 30);
    const Result<HeapPtr> refused = Heap::create(exact_options());
    BESOM_CHECK(!refused, "an 8 GiB reservation in 2 GiB", 0, 0);
    BESOM_CHECK(refused.error().code == Errc::reserve_failed, "code", refused.error().code, 0);
    BESOM_CHECK(refused.error().system_errno == ENOMEM, "errno", refused.error().system_errno, 0);
    BESOM_CHECK(refused.error().bytes == Arena::kFullReservation, "bytes", refused.error().bytes,
                0);
    HeapOptions options = exact_options(512 * kMiB);
    options.reserve = 512 * kMiB;
    // Again and again: had a refusal leaked, the later ones would fail.
    for (int i = 0; i < 50; ++i) {
      BESOM_CHECK(!Heap::create(exact_options()), "second refusal", i, 0);
      const Result<HeapPtr> heap = Heap::create(options);
      BESOM_CHECK(heap, "smaller reservation: code, errno", heap.error().code,
                  heap.error().system_errno);
      const Result<Type<Node>> node = (*heap)->define<Node>();
      for (int k = 0; k < 10'000; ++k) {
        BESOM_CHECK((*heap)->allocate(*node) != nullptr, "allocation", k, 0);
      }
    }
  });
  INFO(death.describe());
  CHECK(death.wait_status == 0);
}

TEST_CASE("Faults: with data memory limited the heap says so and goes on", "[gc][faults]") {
  if (kUnderSanitizer) return;
  const Death death = death_of([] {
    HeapOptions options = exact_options(1024 * kMiB);
    options.reserve = 1024 * kMiB;
    options.growth = Growth::fixed();
    const Result<HeapPtr> heap = Heap::create(options);
    BESOM_CHECK(heap, "heap", heap.error().code, 0);
    const Result<Type<Node>> type = (*heap)->define<Node>();
    Handle<Node> list(**heap, nullptr);
    // Whatever is mapped now, plus some: mprotect counts against the address space's writable part.
    const rlimit limit{std::size_t{1} << 20, std::size_t{1} << 20};
    BESOM_CHECK(setrlimit(RLIMIT_DATA, &limit) == 0, "setrlimit", errno, 0);
    std::uint64_t count = 0;
    while (Node* node = (*heap)->allocate(*type)) {
      node->left = list.get();
      list.set(node);
      if (++count > 40'000'000) break;
    }
    BESOM_CHECK((*heap)->error().code == Errc::commit_failed, "code", (*heap)->error().code, count);
    list.reset();
    for (std::uint64_t i = 0; i < 2 * count; ++i) {
      BESOM_CHECK((*heap)->allocate(*type) != nullptr, "allocation after it", i, count);
    }
  });
  INFO(death.describe());
  CHECK(death.wait_status == 0);
}

}  // namespace besom::test
