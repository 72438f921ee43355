/// What does it cost to take back dead objects and to hand their memory out again?
///
/// A million objects of 16 to 128 bytes, of which the argument, a percentage, dies: at random, or
/// in one run. The time is the CPU time of the collection that finds them dead; the counters give,
/// per dead object, the part of it that swept (`sweep_ns_each`) and the CPU time of allocating as
/// many objects anew (`refill_ns_each`), where a collector that sweeps lazily has its cost.

#include <benchmark/benchmark.h>

#include <besom/besom.hpp>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <utility>

#include "bench/workloads/program.hpp"
#include "tests/support/random.hpp"

namespace {

using besom::ByteArray;
using besom::RefArray;

constexpr std::uint32_t kObjects = 1'000'000;
constexpr std::uint32_t kLeastBytes = 16;
constexpr std::uint32_t kMostBytes = 128;
constexpr std::uint32_t kHeaderBytes = sizeof(besom::Header);

enum class Dying { random, run };

class Field {
 public:
  Field() {
    besom::HeapOptions options;
    options.heap_initial = options.heap_max = std::uint64_t{256} << 20;
    options.growth = besom::Growth::fixed();
    heap_ = std::move(*besom::Heap::create(options));
    bytes_ = *heap_->define<ByteArray>();
    auto* table = heap_->allocate(*heap_->define<RefArray<ByteArray>>(), kObjects);
    if (table == nullptr) std::abort();
    table_ = besom::Handle<RefArray<ByteArray>>(*heap_, table);
  }

  /// Fills the empty slots; returns how many there were.
  std::uint32_t refill() {
    std::uint32_t count = 0;
    for (std::uint32_t i = 0; i < kObjects; ++i) {
      if ((*table_)[i]) continue;
      const std::uint32_t length = random_.between(kLeastBytes, kMostBytes) - kHeaderBytes;
      ByteArray* object = heap_->allocate(bytes_, length);
      if (object == nullptr) std::abort();
      (*table_)[i] = object;
      ++count;
    }
    return count;
  }
  void kill(Dying dying, std::uint32_t percent) {
    const std::uint32_t run = kObjects / 100 * percent;
    for (std::uint32_t i = 0; i < kObjects; ++i) {
      if (dying == Dying::random ? random_.chance(percent) : i < run) (*table_)[i] = nullptr;
    }
  }
  besom::Heap& heap() { return *heap_; }

 private:
  std::unique_ptr<besom::Heap> heap_;
  besom::Type<ByteArray> bytes_;
  besom::Handle<RefArray<ByteArray>> table_;
  besom::test::Random random_{42};
};

void measure(benchmark::State& state, Dying dying) {
  const auto percent = static_cast<std::uint32_t>(state.range(0));
  Field field;
  static_cast<void>(field.refill());
  double sweep_ns = 0;
  double refill_ns = 0;
  double dead = 0;
  for (auto _ : state) {
    field.kill(dying, percent);
    double start = bench::cpu_ns();
    static_cast<void>(field.heap().collect());
    const double collect_ns = bench::cpu_ns() - start;
    state.SetIterationTime(collect_ns * 1e-9);
    const besom::CollectionStats& collection = field.heap().last_collection();
    // The collection's own clock runs on while another process has the CPU.
    sweep_ns += collect_ns * static_cast<double>(collection.sweep_ns) /
                static_cast<double>(collection.pause_ns);
    start = bench::cpu_ns();
    dead += field.refill();
    refill_ns += bench::cpu_ns() - start;
  }
  state.counters["sweep_ns_each"] = sweep_ns / dead;
  state.counters["refill_ns_each"] = refill_ns / dead;
}

void shares(benchmark::internal::Benchmark* benchmark) {
  benchmark->Arg(10)->Arg(50)->Arg(90)->UseManualTime()->Unit(benchmark::kMillisecond);
}
BENCHMARK_CAPTURE(measure, random, Dying::random)->Apply(shares);
BENCHMARK_CAPTURE(measure, run, Dying::run)->Apply(shares);

}  // namespace

BENCHMARK_MAIN();
