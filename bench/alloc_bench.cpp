/// What does one allocation cost, by size, when nothing survives?
///
/// Per size: the type known when compiling (`Fixed`), where the fast path is inlined; only at run
/// time with a length (`Bytes`), as interpreters allocate. A 64 MiB heap without live objects;
/// collections and sweeping are part of the cost, first touches are not. Unit: time per object.

#include <benchmark/benchmark.h>

#include <besom/besom.hpp>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <utility>

namespace {

constexpr std::uint64_t kHeapBytes = 64 << 20;
constexpr std::uint32_t kHeaderBytes = sizeof(besom::Header);

template <std::size_t kBytes>
struct Object {
  besom::Header header;
  unsigned char payload[kBytes - sizeof(besom::Header)];

  static besom::TypeDescriptor type() {
    return {.name = "Object", .size = sizeof(Object), .fields = {}};
  }
};

std::unique_ptr<besom::Heap> make_heap() {
  besom::HeapOptions options;
  options.heap_initial = kHeapBytes;
  options.heap_max = kHeapBytes;
  options.growth = besom::Growth::fixed();
  return std::move(*besom::Heap::create(options));
}

/// Touches all of the arena once.
void touch(besom::Heap& heap, besom::Type<besom::ByteArray> bytes) {
  for (std::uint64_t taken = 0; taken < kHeapBytes; taken += 1 << 20) {
    benchmark::DoNotOptimize(heap.allocate(bytes, (1 << 20) - 64));
  }
  static_cast<void>(heap.collect());
}

template <std::size_t kBytes>
void BM_Fixed(benchmark::State& state) {
  const auto heap = make_heap();
  touch(*heap, *heap->define<besom::ByteArray>());
  const auto type = *heap->define<Object<kBytes>>();
  for (auto _ : state) {
    auto* object = heap->allocate(type);
    if (object == nullptr) std::abort();
    benchmark::DoNotOptimize(object);
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(kBytes));
  state.counters["collections"] = static_cast<double>(heap->stats().collections);
}
BENCHMARK(BM_Fixed<16>);
BENCHMARK(BM_Fixed<32>);
BENCHMARK(BM_Fixed<48>);
BENCHMARK(BM_Fixed<64>);
BENCHMARK(BM_Fixed<128>);
BENCHMARK(BM_Fixed<256>);
BENCHMARK(BM_Fixed<512>);
BENCHMARK(BM_Fixed<1024>);

void BM_Bytes(benchmark::State& state) {
  const auto heap = make_heap();
  const auto bytes = *heap->define<besom::ByteArray>();
  touch(*heap, bytes);
  const auto length = static_cast<std::uint32_t>(state.range(0)) - kHeaderBytes;
  for (auto _ : state) {
    auto* object = heap->allocate(bytes, length);
    if (object == nullptr) std::abort();
    benchmark::DoNotOptimize(object);
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
  state.counters["collections"] = static_cast<double>(heap->stats().collections);
}
BENCHMARK(BM_Bytes)->RangeMultiplier(4)->Range(16, 1 << 20);

}  // namespace

BENCHMARK_MAIN();
