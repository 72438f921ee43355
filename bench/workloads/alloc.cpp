/// What does one small object cost that nobody keeps? 32 bytes, dropped, or freed, at once.

#include <array>

#include BENCH_PEER
#include "bench/workloads/program.hpp"

namespace {

struct Pair {
  static constexpr const char* name() { return "Pair"; }
  static constexpr std::size_t kPayload = 32 - bench::kHeaderBytes - 2 * sizeof(bench::Field<Pair>);
  [[no_unique_address]] bench::Header header;
  bench::Field<Pair> first;
  bench::Field<Pair> second;
  std::uint32_t payload[kPayload / sizeof(std::uint32_t)];

  static constexpr std::array<std::size_t, 2> refs() {
    return {offsetof(Pair, first), offsetof(Pair, second)};
  }
};
static_assert(sizeof(Pair) == 32);

}  // namespace

int main(int argc, char** argv) {
  constexpr const char* kUsage = "OBJECTS HEAP_BYTES";
  const std::uint64_t objects = bench::argument(argc, argv, 1, kUsage);
  bench::Heap heap(bench::argument(argc, argv, 2, kUsage));
  const bench::Type<Pair> type = heap.define<Pair>();
  bench::Outcome outcome{.check = objects, .objects = objects};

  const double start = bench::cpu_ns();
  for (std::uint64_t i = 0; i < objects; ++i) {
    Pair* pair = heap.allocate(type);
    bench::keep(pair);
    heap.release(pair);
  }
  outcome.ns_each = (bench::cpu_ns() - start) / static_cast<double>(objects);
  bench::report(heap, outcome);
}
