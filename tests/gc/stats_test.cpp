/// The figures of a collection and of the heap.

#include <algorithm>
#include <chrono>
#include <csetjmp>
#include <string>
#include <thread>
#include <vector>

#include "freelist/free_list.hpp"
#include "heap/arena.hpp"
#include "inspect/free_list_of.hpp"
#include "tests/gc/kit.hpp"

namespace besom::test {

TEST_CASE("Stats: live and freed count objects and their bytes", "[gc][stats]") {
  Kit kit(exact_options());
  std::vector<Handle<Header>> kept;
  std::uint64_t kept_bytes = 0;
  std::uint64_t dropped = 0;
  std::uint64_t dropped_bytes = 0;
  Random random = random_for("Stats");
  for (int i = 0; i < 5000; ++i) {
    const std::uint32_t length = random.chance(90) ? random.below(300) : random.below(5000);
    Handle<ByteArray> bytes = kit.heap.make(kit.bytes, length);
    const std::uint64_t rounded = (length + 8 + 15) / 16 * 16;
    if (random.chance(40)) {
      kept.emplace_back(kit.heap, &bytes->header);
      kept_bytes += rounded;
    } else {
      ++dropped;
      dropped_bytes += rounded;
    }
  }
  REQUIRE_FALSE(kit.heap.collect());
  const CollectionStats& last = kit.heap.last_collection();
  const HeapStats heap = kit.heap.stats();
  CHECK(last.live_objects == kept.size());
  CHECK(last.live_bytes == kept_bytes);
  CHECK(heap.freed_objects == dropped);
  CHECK(heap.freed_bytes == dropped_bytes);
  CHECK(heap.allocated == kept_bytes + dropped_bytes);
  CHECK(heap.used == kept_bytes);
  CHECK(last.bad_refs == 0);
  CHECK(last.bad_headers == 0);
  CHECK(last.mark_rescans == 0);
  CHECK(last.cause == Cause::requested);
  CHECK(last.number == heap.collections);
}

TEST_CASE("Stats: live bytes are the tables', whatever a header claims", "[gc][stats]") {
  Kit kit(exact_options());
  const Handle<ByteArray> bytes = kit.heap.make(kit.bytes, 5000);
  const Handle<ByteArray> other = kit.heap.make(kit.bytes, 5000);
  REQUIRE_FALSE(kit.heap.collect());
  const std::uint64_t live = kit.heap.last_collection().live_bytes;
  CHECK(live == 2 * 5008);
  bytes->header.length = 10;
  REQUIRE_FALSE(kit.heap.collect());
  CHECK(kit.heap.last_collection().live_bytes == live);
  CHECK(kit.heap.last_collection().freed_bytes == 0);
  CHECK(kit.heap.stats().used == live);
}

TEST_CASE("Stats: holes are those of the free list", "[gc][stats]") {
  Kit kit(exact_options());
  Handle<RefArray<Node>> all = kit.heap.make(kit.refs, 1000);
  for (std::uint32_t i = 0; i < 1000; ++i) (*all)[i] = kit.heap.allocate(kit.node);
  for (std::uint32_t i = 0; i < 1000; i += 2) (*all)[i] = nullptr;
  CHECK(kit.survivors() == 501);
  const CollectionStats& last = kit.heap.last_collection();
  std::uint64_t holes = 0;
  std::uint64_t largest = 0;
  std::uint64_t free_bytes = 0;
  for (const Run hole : detail::free_list_of(kit.heap).free_blocks()) {
    ++holes;
    largest = std::max<std::uint64_t>(largest, hole.size_bytes);
    free_bytes += hole.size_bytes;
  }
  CHECK(last.holes == holes);
  CHECK(last.holes >= 499);
  CHECK(last.largest_hole == largest);
  CHECK(free_bytes + last.live_bytes + 16 == kit.heap.stats().capacity);
}

TEST_CASE("Stats: committed, reserved and tables", "[gc][stats]") {
  HeapOptions options = exact_options(16 * kMiB);
  options.reserve = 16 * kMiB;
  Kit kit(options);
  static_cast<void>(kit.make_node());
  REQUIRE_FALSE(kit.heap.collect());
  CHECK(kit.heap.last_collection().committed == kMiB);
  CHECK(kit.heap.last_collection().reserved == 16 * kMiB + Arena::kSmallGuard);
  CHECK(kit.heap.stats().committed == kMiB);
  CHECK(kit.heap.stats().capacity == kMiB);
  CHECK(kit.heap.stats().reserved == kit.heap.last_collection().reserved);
  CHECK(kit.heap.stats().table_reserved <= 16 * kMiB / 8 + kMiB);
}

TEST_CASE("Stats: side tables take at most an eighth of the arena and a MiB", "[gc][stats]") {
  for (const std::uint64_t heap_max : {64 * kKiB, kMiB, 64 * kMiB, kKiB * kMiB, 4 * kKiB * kMiB}) {
    INFO(heap_max);
    CHECK(Kit(exact_options(heap_max)).heap.stats().table_reserved <= heap_max / 8 + kMiB);
  }
}

TEST_CASE("Stats: what side tables take is told from the address space that they reserve",
          "[gc][stats]") {
  Kit kit(exact_options(HeapOptions::kMaxHeap));
  const std::uint64_t reserved = kit.heap.stats().table_reserved;
  CHECK(reserved > 256 * kMiB);
  CHECK(kit.heap.stats().table_bytes < kMiB);
  Handle<Node> list(kit.heap, nullptr);
  std::uint64_t before = kit.heap.stats().table_bytes;
  for (const std::uint64_t bytes : {kMiB, 8 * kMiB, 32 * kMiB}) {
    for (std::uint64_t i = 0; i < bytes / 16; ++i) {
      Node* node = kit.heap.allocate(kit.node);
      REQUIRE(node != nullptr);
      node->left = list.get();
      list.set(node);
    }
    const HeapStats stats = kit.heap.stats();
    CHECK(stats.table_bytes > before);
    CHECK(stats.table_bytes <= stats.committed / 8 + kMiB);
    CHECK(stats.table_reserved == reserved);
    before = stats.table_bytes;
  }
  // Of a small heap all may be in use.
  const Kit small(exact_options(64 * kKiB));
  CHECK(small.heap.stats().table_bytes <= small.heap.stats().table_reserved);
}

TEST_CASE("Stats: memory is touched when it is new, and again after it was given back",
          "[gc][stats]") {
  HeapOptions options = exact_options(16 * kMiB);
  options.growth = Growth::fixed();
  Kit kit(options);
  std::vector<Handle<ByteArray>> kept;
  const auto fill = [&] {
    for (int i = 0; i < 128; ++i) kept.push_back(kit.heap.make(kit.bytes, 64 * kKiB - 16));
  };
  CHECK(kit.heap.stats().touched < 64 * kKiB);
  fill();
  CHECK(kit.heap.stats().touched >= 8 * kMiB);
  CHECK(kit.heap.stats().touched < 9 * kMiB);
  for (int i = 0; i < 1000; ++i) {
    REQUIRE(kit.heap.allocate(kit.bytes, 64 * kKiB - 16) != nullptr);
  }
  CHECK(kit.heap.stats().touched <= 16 * kMiB);
  kept.clear();
  REQUIRE_FALSE(kit.heap.collect());
  const std::uint64_t before = kit.heap.stats().touched;
  fill();
  CHECK(kit.heap.stats().touched >= before + 6 * kMiB);
  CHECK(kit.heap.stats().touched <= before + 9 * kMiB);
}

TEST_CASE("Stats: an abandoned collection counts all objects and holes there are", "[gc][stats]") {
  for (const bool generational : {false, true}) {
    HeapOptions options = exact_options();
    options.generational = generational;
    Kit kit(options);
    Handle<RefArray<Node>> all = kit.heap.make(kit.refs, 1000);
    for (std::uint32_t i = 0; i < 1000; ++i) (*all)[i] = kit.heap.allocate(kit.node);
    for (std::uint32_t i = 0; i < 1000; i += 2) (*all)[i] = nullptr;
    CHECK(kit.survivors() == 501);
    const std::uint64_t live = kit.heap.last_collection().live_bytes;
    for (int i = 0; i < 3000; ++i) REQUIRE(kit.heap.allocate(kit.block) != nullptr);
    RootRegistration roots =
        kit.heap.add_roots([](void*, Tracer& tracer) { tracer.abandon(); }, nullptr, "gives up");
    CHECK(kit.heap.collect().code == Errc::abandoned);
    const CollectionStats abandoned = kit.heap.last_collection();
    CHECK(abandoned.live_objects == 501 + 3000);
    CHECK(abandoned.live_bytes == live + 3000 * sizeof(Block));
    std::uint64_t holes = 0;
    std::uint64_t largest = 0;
    for (const Run hole : detail::free_list_of(kit.heap).free_blocks()) {
      ++holes;
      largest = std::max<std::uint64_t>(largest, hole.size_bytes);
    }
    CHECK(abandoned.holes == holes);
    CHECK(abandoned.largest_hole == largest);
    CHECK(abandoned.committed == kit.heap.stats().committed);
    CHECK(abandoned.reserved == kit.heap.stats().reserved);
    REQUIRE_FALSE(roots.remove());
    CHECK(kit.survivors() == 501);
  }
}

TEST_CASE("Stats: a collection that a callback jumped out of has a pause, too", "[gc][stats]") {
  static std::jmp_buf landing;
  Kit kit(exact_options());
  RootRegistration roots = kit.heap.add_roots(
      [](void*, Tracer&) {
        std::this_thread::sleep_for(std::chrono::milliseconds(3));
        std::longjmp(landing, 1);
      },
      nullptr, "jumps");
  if (setjmp(landing) == 0) static_cast<void>(kit.heap.collect());
  REQUIRE_FALSE(kit.heap.recover());
  CHECK(kit.heap.last_collection().pause_ns >= 3'000'000);
  CHECK(kit.heap.stats().pause_ns == kit.heap.last_collection().pause_ns);
}

TEST_CASE("Stats: pauses add up", "[gc][stats]") {
  Kit kit(exact_options());
  std::uint64_t sum = 0;
  std::uint64_t worst = 0;
  for (int i = 0; i < 20; ++i) {
    for (int k = 0; k < 1000; ++k) static_cast<void>(kit.heap.allocate(kit.node));
    REQUIRE_FALSE(kit.heap.collect());
    const CollectionStats& last = kit.heap.last_collection();
    sum += last.pause_ns;
    worst = std::max(worst, last.pause_ns);
    CHECK(last.pause_ns >= last.roots_ns + last.mark_ns + last.weak_ns + last.sweep_ns);
  }
  CHECK(kit.heap.stats().pause_ns == sum);
  CHECK(kit.heap.stats().pause_max_ns == worst);
  CHECK(kit.heap.stats().collections == 20);
}

TEST_CASE("Stats: what comes between mark and sweep has a time of its own", "[gc][stats]") {
  Kit kit(exact_options());
  static constexpr std::chrono::milliseconds kLong(3);
  const MarkHookRegistration hook = kit.heap.add_mark_hook(
      [](void*, const MarkView&) { std::this_thread::sleep_for(kLong); }, nullptr, "hook");
  REQUIRE_FALSE(kit.heap.collect());
  const CollectionStats& last = kit.heap.last_collection();
  CHECK(last.weak_ns >= 3'000'000);
  CHECK(last.pause_ns >= last.roots_ns + last.mark_ns + last.weak_ns + last.sweep_ns);
}

TEST_CASE("Stats: each cause has a name", "[gc][stats]") {
  CHECK(std::string(name_of(Cause::requested)) == "requested");
  CHECK(std::string(name_of(Cause::full)) == "full");
  CHECK(std::string(name_of(Cause::pace)) == "pace");
  CHECK(std::string(name_of(Cause::zeal)) == "zeal");
  CHECK(std::string(name_of(static_cast<Cause>(99))) == "unknown");
}

TEST_CASE("Log: collections at info, phases at debug, nothing when off", "[gc][stats]") {
  struct Lines {
    std::vector<std::string> text;
    std::vector<LogLevel> level;
  } lines;
  const auto run = [&](LogLevel level) {
    lines = {};
    HeapOptions options = exact_options();
    options.log = level;
    options.sink.user = &lines;
    options.sink.write = [](void* user, LogLevel line_level, const char* line) noexcept {
      static_cast<Lines*>(user)->text.emplace_back(line);
      static_cast<Lines*>(user)->level.push_back(line_level);
    };
    Kit kit(options);
    Handle<Node> node = kit.make_node();
    REQUIRE_FALSE(kit.heap.collect());
    forge(&node->left, 0xfff0);
    REQUIRE_FALSE(kit.heap.collect());
    for (const LogLevel line_level : lines.level) CHECK(line_level >= level);
    return lines.text.size();
  };
  CHECK(run(LogLevel::off) == 0);
  CHECK(run(LogLevel::error) == 1);
  CHECK(lines.text[0].find("1 bad ref and 0 bad headers") != std::string::npos);
  CHECK(run(LogLevel::info) == 3);
  CHECK(lines.text[0].find("collection 1 (requested)") != std::string::npos);
  CHECK(run(LogLevel::debug) >= 7);
  const auto mentions = [&](const char* word) {
    return std::any_of(lines.text.begin(), lines.text.end(), [&](const std::string& line) {
      return line.find(word) != std::string::npos;
    });
  };
  CHECK(mentions("marked"));
  CHECK(mentions("swept"));
}

}  // namespace besom::test
