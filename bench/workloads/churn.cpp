/// What does one replacement cost in a large live set of mixed sizes? Blobs of 16 to 256 bytes,
/// headers included, in a table of which a random slot is given a new blob each time.

#include BENCH_PEER
#include <algorithm>
#include <cstring>

#include "bench/workloads/program.hpp"
#include "tests/support/random.hpp"

namespace {

constexpr std::uint32_t kLeastBytes = 16;
constexpr std::uint32_t kMostBytes = 256;

/// The blob's number and its size, in its last bytes but for the header.
struct Label {
  std::uint32_t number;
  std::uint32_t size_bytes;
};

bench::Blob* make(bench::Heap& heap, std::uint32_t number, std::uint32_t size_bytes) {
  bench::Blob* blob = heap.allocate_blob(size_bytes);
  const Label label{number, size_bytes};
  std::memcpy(bench::bytes_of(blob), &label, sizeof label);
  return blob;
}

Label label_of(bench::Blob* blob) {
  Label label;
  std::memcpy(&label, bench::bytes_of(blob), sizeof label);
  return label;
}

std::uint64_t rounded(std::uint32_t size_bytes) { return (size_bytes + 15u) & ~15u; }

}  // namespace

int main(int argc, char** argv) {
  constexpr const char* kUsage = "LIVE_BLOBS REPLACEMENTS HEAP_BYTES";
  const auto live = static_cast<std::uint32_t>(bench::argument(argc, argv, 1, kUsage));
  const auto replacements = static_cast<std::uint32_t>(bench::argument(argc, argv, 2, kUsage));
  bench::Heap heap(bench::argument(argc, argv, 3, kUsage));
  besom::test::Random random(42);
  bench::Outcome outcome{.objects = std::uint64_t{live} + replacements};

  bench::Table<bench::Blob> table(heap, live);
  for (std::uint32_t i = 0; i < live; ++i) {
    table.set(i, make(heap, i, random.between(kLeastBytes, kMostBytes)));
  }
  const double start = bench::cpu_ns();
  for (std::uint32_t i = 0; i < replacements; ++i) {
    const std::uint32_t slot = random.below(live);
    bench::Blob* old = table.get(slot);
    outcome.check += label_of(old).number;
    table.set(slot, make(heap, live + i, random.between(kLeastBytes, kMostBytes)));
    heap.release(old);
  }
  outcome.ns_each = (bench::cpu_ns() - start) / replacements;

  outcome.live_bytes = bench::Table<bench::Blob>::bytes(live);
  for (std::uint32_t i = 0; i < live; ++i) {
    outcome.live_bytes += rounded(label_of(table.get(i)).size_bytes);
    outcome.check = outcome.check * 31 + label_of(table.get(i)).number;
  }
  bench::report(heap, outcome);
}
