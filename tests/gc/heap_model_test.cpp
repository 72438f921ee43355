/// Random programs on a heap and on its model: TRUST's 3 million operations and 10,000 collections.

#include "tests/gc/heap_model.hpp"

#include <chrono>
#include <cstdio>
#include <vector>

#include "tests/gc/kit.hpp"

namespace besom::test {
namespace {

constexpr std::uint64_t kScale = Zeal::kBuiltIn ? 20 : kUnderSanitizer ? 8 : 1;

struct Variant {
  const char* name;
  std::uint64_t operations;
  ModelPlan plan;
};

std::vector<Variant> variants() {
  const auto make = [](const char* name, std::uint64_t operations, std::uint64_t heap_max,
                       auto change) {
    Variant variant{name, operations / kScale, {}};
    variant.plan.options = exact_options(heap_max);
    variant.plan.options.heap_initial = 64 * kKiB;
    change(variant.plan);
    return variant;
  };
  return {
      make("windows", 900'000, 16 * kMiB, [](ModelPlan& plan) { plan.collect_every = 180; }),
      make("much alive", 200'000, 16 * kMiB,
           [](ModelPlan& plan) {
             plan.handles = 3000;
             plan.collect_every = 2000;
           }),
      make("tight", 300'000, 128 * kKiB,
           [](ModelPlan& plan) {
             plan.large_percent = 5;
             plan.large_length = 20'000;
             plan.collect_every = 1000;
           }),
      make("fixed", 300'000, 512 * kKiB,
           [](ModelPlan& plan) {
             plan.options.growth = Growth::fixed();
             plan.options.heap_initial = 512 * kKiB;
             plan.collect_every = 500;
           }),
      make("small mark stack", 400'000, 4 * kMiB,
           [](ModelPlan& plan) {
             plan.options.mark_stack = 2;
             plan.handles = 200;
           }),
      make("large objects", 300'000, 32 * kMiB,
           [](ModelPlan& plan) {
             plan.large_percent = 10;
             plan.large_length = 60'000;
             plan.handles = 30;
           }),
      make("small reservation", 200'000, kMiB,
           [](ModelPlan& plan) { plan.options.reserve = kMiB; }),
      make("zeal without windows", 300'000, 4 * kMiB,
           [](ModelPlan& plan) {
             plan.options.zeal = {97, false, false};
             plan.collect_every = 5000;
           }),
      make("generational", 300'000, 64 * kMiB,
           [](ModelPlan& plan) {
             plan.options.generational = true;
             plan.options.growth = Growth::fixed();
             plan.handles = 20'000;
             plan.large_percent = 20;
             plan.collect_every = 100'000;
           }),
      make("generational under zeal", 600'000, 4 * kMiB,
           [](ModelPlan& plan) {
             plan.options.generational = true;
             plan.options.zeal = {50, false, false};
             plan.handles = 100;
             plan.collect_every = 20'000;
           }),
      make("incremental", 400'000, 16 * kMiB,
           [](ModelPlan& plan) {
             plan.options.incremental = true;
             plan.options.slice = 50;
             plan.handles = 1000;
             plan.collect_every = 20'000;
           }),
      make("incremental, a small mark stack", 200'000, 4 * kMiB,
           [](ModelPlan& plan) {
             plan.options.incremental = true;
             plan.options.slice = 20;
             plan.options.mark_stack = 2;
             plan.large_percent = 10;
             plan.large_length = 20'000;
             plan.collect_every = 20'000;
           }),
      make("incremental, tight", 200'000, 256 * kKiB,
           [](ModelPlan& plan) {
             plan.options.incremental = true;
             plan.options.slice = 10;
             plan.collect_every = 5000;
           }),
      make("incremental under zeal", 300'000, 4 * kMiB,
           [](ModelPlan& plan) {
             plan.options.incremental = true;
             plan.options.slice = 1;
             plan.options.zeal = {1, false, false};
             plan.handles = 60;
             plan.collect_every = 20'000;
           }),
      make("incremental generations", 300'000, 32 * kMiB,
           [](ModelPlan& plan) {
             plan.options.incremental = plan.options.generational = true;
             plan.options.slice = 100;
             plan.options.growth = Growth::fixed();
             plan.handles = 2000;
             plan.large_percent = 20;
             plan.large_length = 20'000;
             plan.collect_every = 100'000;
           }),
      make("incremental generations, tight", 300'000, kMiB,
           [](ModelPlan& plan) {
             plan.options.incremental = plan.options.generational = true;
             plan.options.slice = 10;
             plan.large_percent = 5;
             plan.large_length = 20'000;
             plan.collect_every = 10'000;
           }),
      make("incremental generations under zeal", 400'000, 4 * kMiB,
           [](ModelPlan& plan) {
             plan.options.incremental = plan.options.generational = true;
             plan.options.slice = 30;
             plan.options.zeal = {7, false, false};
             plan.handles = 60;
             plan.collect_every = 20'000;
           }),
      make("zeal with everything", 150'000, kMiB,
           [](ModelPlan& plan) {
             plan.options.zeal = Zeal::every(64);
             plan.handles = 20;
             plan.collect_every = 5000;
           }),
  };
}

/// Runs one, says what it did, and adds that to `sum`.
void run(const Variant& variant, ModelCounts& sum) {
  const auto begun = std::chrono::steady_clock::now();
  Choices choices(random_for(variant.name).next());
  HeapModel model(variant.plan, choices);
  for (std::uint64_t i = 0; i < variant.operations; ++i) model.step();
  model.drain();
  const ModelCounts& counts = model.counts();
  sum.operations += counts.operations;
  sum.collections += counts.collections;
  sum.minor_collections += counts.minor_collections;
  sum.allocations += counts.allocations;
  sum.exhaustions += counts.exhaustions;
  sum.objects_compared += counts.objects_compared;
  sum.entries_broken += counts.entries_broken;
  sum.finalizers_ready += counts.finalizers_ready;
  sum.handed_out += counts.handed_out;
  sum.floating += counts.floating;
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  std::fprintf(stderr,
               "model %-23s %8llu operations %6llu collections (%llu minor) %9llu objects "
               "compared %6llu times exhausted %5.1f s\n",
               variant.name, static_cast<unsigned long long>(counts.operations),
               static_cast<unsigned long long>(counts.collections),
               static_cast<unsigned long long>(counts.minor_collections),
               static_cast<unsigned long long>(counts.objects_compared),
               static_cast<unsigned long long>(counts.exhaustions), seconds);
}

}  // namespace

TEST_CASE("Model: random programs leave the heap and its shadow equal, in both directions",
          "[gc][model]") {
  ModelCounts sum;
  for (const Variant& variant : variants()) run(variant, sum);
  std::fprintf(stderr,
               "model: %llu operations, %llu collections, %llu entries broken, %llu finalizers "
               "ready, %llu handed out\n",
               static_cast<unsigned long long>(sum.operations),
               static_cast<unsigned long long>(sum.collections),
               static_cast<unsigned long long>(sum.entries_broken),
               static_cast<unsigned long long>(sum.finalizers_ready),
               static_cast<unsigned long long>(sum.handed_out));
  CHECK(sum.operations >= 3'000'000 / kScale);
  CHECK(sum.collections >= 10'000 / kScale);
  CHECK(sum.minor_collections >= 2000 / kScale);
  CHECK(sum.exhaustions > 0);
  CHECK(sum.floating > 0);
  CHECK(sum.entries_broken >= 10'000 / kScale);
  CHECK(sum.finalizers_ready >= 10'000 / kScale);
  CHECK(sum.handed_out >= 10'000 / kScale);
}

/// Minutes: `heap_model_tests '[long]'`.
TEST_CASE("Model: twenty million operations with a slice after each allocation", "[.long]") {
  ModelCounts sum;
  for (const bool generational : {false, true}) {
    Variant variant{generational ? "generations in slices" : "slices", 10'000'000, {}};
    HeapOptions& options = variant.plan.options;
    options = exact_options(4 * kMiB);
    options.heap_initial = 64 * kKiB;
    options.incremental = true;
    options.generational = generational;
    options.slice = generational ? 30 : 1;
    options.zeal = {1, false, false};
    variant.plan.handles = 60;
    variant.plan.collect_every = 20'000;
    run(variant, sum);
  }
  CHECK(sum.operations >= 20'000'000);
  CHECK(sum.collections >= 10'000);
}

}  // namespace besom::test
