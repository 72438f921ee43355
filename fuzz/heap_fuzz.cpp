/// Bytes as a program on a heap, and on the model beside it: tests/gc/heap_model.hpp.

#include <array>

#include "fuzz/driver.hpp"
#include "tests/gc/heap_model.hpp"

namespace besom::fuzz {

const std::size_t kMostInputBytes = 1 << 14;

namespace {

using test::Choices;
using test::ModelPlan;

std::array<Counter, 5> events{{{"operations"},
                               {"objects allocated", 0, 300'000},
                               {"collections", 0, 5'000},
                               {"objects compared", 0, 20'000},
                               {"heap exhausted"}}};

ModelPlan plan_of(Choices& choices) {
  ModelPlan plan;
  plan.options.read_environment = false;
  plan.options.log = LogLevel::off;
  plan.options.heap_max = (std::uint64_t{64} << 10) << choices.below(5);
  plan.options.heap_initial = choices.chance(50) ? std::uint64_t{4} << 10 : 0;
  plan.options.growth =
      choices.chance(30) ? Growth::fixed() : Growth::of_live(1.1 + choices.below(30) / 10.0);
  if (choices.chance(30)) plan.options.reserve = plan.options.heap_max;
  if (choices.chance(30)) plan.options.mark_stack = 1 + choices.below(100);
  plan.options.generational = choices.chance(30);
  plan.options.incremental = choices.chance(40);
  plan.options.slice = 1 + choices.below(100);
  plan.options.zeal = {0, false, false};
  if (choices.chance(20)) plan.options.zeal.collect_every = 1 + choices.below(100);
  plan.options.zeal.verify = choices.chance(10);
  plan.options.zeal.poison = choices.chance(20);
  plan.collect_every = 20 + choices.below(200);
  plan.large_percent = choices.below(20);
  plan.large_length = 25 + choices.below(20'000);
  plan.handles = 1 + choices.below(100);
  if (choices.chance(20)) plan.options.zeal.quarantine = std::uint64_t{16} << choices.below(14);
  return plan;
}

}  // namespace

std::span<const Counter> counters() { return events; }

}  // namespace besom::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  besom::test::Choices choices(data, size);
  besom::test::HeapModel model(besom::fuzz::plan_of(choices), choices);
  while (!choices.is_done()) model.step();
  model.drain();
  const besom::test::ModelCounts& counts = model.counts();
  besom::fuzz::events[0].count += counts.operations;
  besom::fuzz::events[1].count += counts.allocations;
  besom::fuzz::events[2].count += counts.collections;
  besom::fuzz::events[3].count += counts.objects_compared;
  besom::fuzz::events[4].count += counts.exhaustions;
  return 0;
}
