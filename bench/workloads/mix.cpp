/// What do large blobs among many small ones cost? Half a million small blobs in a table, of which
/// random ones are replaced; once in so many times, a random one of 300 large blobs as well.

#include BENCH_PEER
#include "bench/workloads/blobs.hpp"
#include "bench/workloads/program.hpp"
#include "tests/support/random.hpp"

namespace {

constexpr std::uint32_t kSmall = 500'000;
constexpr std::uint32_t kLarge = 300;

}  // namespace

int main(int argc, char** argv) {
  constexpr const char* kUsage = "REPLACEMENTS EVERY HEAP_BYTES";
  const auto replacements = static_cast<std::uint32_t>(bench::argument(argc, argv, 1, kUsage));
  const auto every = static_cast<std::uint32_t>(bench::argument(argc, argv, 2, kUsage));
  bench::Heap heap(bench::argument(argc, argv, 3, kUsage));
  besom::test::Random random(42);
  bench::Outcome outcome{.objects = replacements};

  bench::Blobs small(heap, kSmall);
  bench::Blobs large(heap, kLarge);
  const auto replace = [&](bench::Blobs& blobs, std::uint32_t slot, std::uint32_t number,
                           std::uint32_t bytes) {
    outcome.check += blobs.number_at(slot);
    blobs.put(slot, number, bytes);
  };
  const double start = bench::cpu_ns();
  for (std::uint32_t i = 0; i < replacements; ++i) {
    replace(small, random.below(kSmall), i, 16 * random.between(1, 16));
    if (i % every != 0) continue;
    ++outcome.objects;
    replace(large, random.below(kLarge), i, random.between(64 << 10, 256 << 10));
  }
  outcome.ns_each = (bench::cpu_ns() - start) / replacements;
  outcome.refused = small.refused() + large.refused();
  if (outcome.refused != 0) {
    outcome.least_refused = std::min(small.least_refused(), large.least_refused());
  }
  bench::report(heap, outcome);
}
