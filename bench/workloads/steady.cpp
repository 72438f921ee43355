/// How does a heap do in the long run? Blobs of mixed sizes with random lifetimes, at a constant
/// number of live bytes, in a heap that may grow up to a limit. Before each allocation random blobs
/// are dropped until it fits into the live bytes.

#include BENCH_PEER
#include <cstring>

#include "bench/workloads/blobs.hpp"
#include "bench/workloads/program.hpp"
#include "tests/support/random.hpp"

namespace {

constexpr const char* kUsage = "LIVE_BYTES ALLOCATIONS HEAP_BYTES tiny|small|mixed";

constexpr std::uint32_t kLeastBytes = 16;
constexpr std::uint32_t kSmallBytes = 264;

std::uint32_t tiny_bytes(besom::test::Random& random) {
  return random.between(kLeastBytes, kSmallBytes);
}

/// One in a thousand of 16 KiB, the rest up to kSmallBytes.
std::uint32_t small_bytes(besom::test::Random& random) {
  if (random.below(1000) == 0) return 16 << 10;
  return tiny_bytes(random);
}

std::uint32_t mixed_bytes(besom::test::Random& random) {
  const std::uint32_t per_mille = random.below(1000);
  if (per_mille < 900) return tiny_bytes(random);
  if (per_mille < 990) return random.between(kSmallBytes, 4 << 10);
  if (per_mille < 999) return random.between(4 << 10, 64 << 10);
  return random.between(64 << 10, 1 << 20);
}

using NextBytes = std::uint32_t(besom::test::Random&);
NextBytes* sizes_named(const char* name) {
  if (std::strcmp(name, "tiny") == 0) return tiny_bytes;
  return std::strcmp(name, "mixed") == 0 ? mixed_bytes : small_bytes;
}

std::uint64_t rounded(std::uint32_t bytes) { return (bytes + 15u) & ~15u; }

}  // namespace

int main(int argc, char** argv) {
  const std::uint64_t live_bytes = bench::argument(argc, argv, 1, kUsage);
  const auto allocations = static_cast<std::uint32_t>(bench::argument(argc, argv, 2, kUsage));
  bench::Heap heap(bench::GrowsTo{bench::argument(argc, argv, 3, kUsage)});
  NextBytes* const next_bytes = sizes_named(bench::word(argc, argv, 4, kUsage));
  besom::test::Random random(42);
  bench::Outcome outcome{.objects = allocations};

  // The mean size of small ones is 156 bytes.
  const auto slots = static_cast<std::uint32_t>(live_bytes / 128);
  bench::Blobs blobs(heap, slots);
  std::uint32_t count = 0;
  std::uint64_t held_bytes = 0;
  const double start = bench::cpu_ns();
  for (std::uint32_t i = 0; i < allocations; ++i) {
    const std::uint32_t bytes = next_bytes(random);
    while (count > 0 && (held_bytes + rounded(bytes) > live_bytes || count == slots)) {
      const std::uint32_t victim = random.below(count);
      outcome.check += blobs.number_at(victim);
      held_bytes -= rounded(blobs.bytes_at(victim));
      blobs.move(--count, victim);
    }
    blobs.put(count++, i, bytes);
    held_bytes += rounded(bytes);
  }
  outcome.ns_each = (bench::cpu_ns() - start) / allocations;

  outcome.refused = blobs.refused();
  if (outcome.refused != 0) outcome.least_refused = blobs.least_refused();
  outcome.live_bytes = held_bytes + bench::Table<bench::Blob>::bytes(slots);
  for (std::uint32_t i = 0; i < count; ++i) {
    outcome.check = outcome.check * 31 + blobs.number_at(i);
  }
  bench::report(heap, outcome);
}
