/// Host memory: how much the tables take, and when.

#include <malloc.h>

#include <algorithm>
#include <vector>

#include "freelist/free_list.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/death.hpp"
#include "tests/support/process.hpp"
#include "tests/support/seed.hpp"

namespace besom::test {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

/// What malloc has given out, large blocks from the system included. Sanitizers replace malloc and
/// report nothing here.
std::size_t host_bytes() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

/// docs/promises.md: 4 % of the arena and 1 MiB.
std::size_t bound(std::uint64_t capacity) { return static_cast<std::size_t>(capacity / 25 + kMiB); }

void free_every_second_granule(FreeList& list, std::uint64_t capacity) {
  const std::uint32_t block = list.alloc_fast(list.max_size());
  REQUIRE(block == 16);
  list.cut_block(block, 16, list.max_size());
  for (std::uint64_t index = 16; index + 16 <= capacity; index += 32) {
    list.dealloc_fast(static_cast<std::uint32_t>(index), 16);
  }
}

}  // namespace

TEST_CASE("Every second granule of 64 MiB free: the tables keep to 4 % and 1 MiB",
          "[freelist][tables]") {
  constexpr std::uint64_t kCapacity = 64 * kMiB;
  const std::size_t host_before = host_bytes();
  const std::size_t resident_before = process_bytes();
  FreeList list(kCapacity);
  free_every_second_granule(list, kCapacity);
  REQUIRE(list.num_free_blocks() == kCapacity / 32);
  const std::size_t host_used = host_bytes() - host_before;
  const std::size_t resident_used = process_bytes() - std::min(process_bytes(), resident_before);
  INFO("tables " << list.table_bytes() << ", malloc " << host_used << ", resident "
                 << resident_used);
  CHECK(list.table_bytes() <= bound(kCapacity));
  if (!kUnderSanitizer) {
    CHECK(host_used <= bound(kCapacity));
    CHECK(host_used >= list.table_bytes());
    CHECK(resident_used <= bound(kCapacity));
  }
  CHECK(list.alloc_fast(32) == 0);
  CHECK(list.alloc_fast(16) == 16);
}

TEST_CASE("Tables keep to 4 % and 1 MiB at every capacity", "[freelist][tables]") {
  for (std::uint64_t capacity = 0; capacity <= (std::uint64_t{1} << 32) + 4096;
       capacity += 4096 + capacity / 3) {
    const FreeList list(capacity);
    INFO("capacity " << capacity);
    CHECK(list.table_bytes() <= bound(capacity));
  }
  CHECK(FreeList(~std::uint64_t{0}).table_bytes() <= bound(std::uint64_t{1} << 32));
}

TEST_CASE("Tables of an unused list of 4 GiB take no memory yet", "[freelist][tables]") {
  if (kUnderSanitizer) return;
  const std::size_t before = process_bytes();
  FreeList list(std::uint64_t{1} << 32);
  for (int i = 0; i < 1000; ++i) REQUIRE(list.alloc_fast(64) != 0);
  CHECK(process_bytes() < before + kMiB);
}

TEST_CASE("A list that grew in small steps has tables at most an eighth too large",
          "[freelist][tables]") {
  FreeList list(0);
  while (list.current_capacity() < 32 * kMiB) list.add_capacity(64 << 10);
  CHECK(list.table_bytes() <= bound(list.current_capacity() * 9 / 8));
}

TEST_CASE("Freeing allocates nothing, neither does allocating", "[freelist][tables]") {
  if (kUnderSanitizer) return;
  Random random = random_for("tables: no allocation");
  FreeList list(8 * kMiB);
  std::vector<Run> live;
  live.reserve(1 << 20);
  const std::size_t before = host_bytes();
  std::size_t most = before;
  for (int op = 0; op < 200000; ++op) {
    if (live.empty() || random.chance(52)) {
      const std::uint32_t size = 16 * (1 + (random.below(512) >> random.below(9)));
      const std::uint32_t index = list.alloc_fast(size);
      if (index != 0) live.push_back({index, size});
    } else {
      std::swap(live[random.below(static_cast<std::uint32_t>(live.size()))], live.back());
      list.dealloc_fast(live.back().index, live.back().size_bytes);
      live.pop_back();
    }
    if (op % 64 == 0) most = std::max(most, host_bytes());
  }
  while (!live.empty()) {
    list.dealloc_fast(live.back().index, live.back().size_bytes);
    live.pop_back();
  }
  // Not even between: what is taken and given back again would be seen by the arena's top.
  CHECK(most == before);
  CHECK(host_bytes() == before);
  CHECK(list.num_free_blocks() == 1);
}

TEST_CASE("Freeing works when the host has no memory left", "[freelist][tables]") {
  if (kUnderSanitizer) return;
  const Death death = death_of([] {
    FreeList list(kMiB);
    const std::uint32_t block = list.alloc_fast(list.max_size());
    list.cut_block(block, 16, list.max_size());
    limit_address_space(0);
    // The rest of what malloc already holds. Volatile, or a compiler may leave the calls out.
    for (std::size_t size = kMiB; size >= 16; size /= 2) {
      void* volatile kept = nullptr;
      do {
        kept = std::malloc(size);
      } while (kept != nullptr);
    }
    for (std::uint32_t index = 16; index < kMiB; index += 32) list.dealloc_fast(index, 16);
    for (std::uint32_t index = 32; index < kMiB; index += 32) list.dealloc_fast(index, 16);
    if (list.num_free_blocks() == 1) std::abort();
  });
  INFO(death.describe());
  CHECK(death.aborted);
  CHECK(death.message.empty());
}

}  // namespace besom::test
