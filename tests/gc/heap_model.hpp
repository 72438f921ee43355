#pragma once

#include <besom/options.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "tests/support/random.hpp"

namespace besom::test {

/// Where a model takes its decisions from: a seed, or a fuzzer's bytes.
class Choices {
 public:
  explicit Choices(std::uint64_t seed) noexcept : random_(seed) {}
  Choices(const std::uint8_t* bytes, std::size_t count) noexcept
      : random_(0), bytes_(bytes), count_(count) {}

  /// Uniform in [0, bound). When the bytes are used up, always 0.
  [[nodiscard]] std::uint32_t below(std::uint32_t bound) noexcept;
  [[nodiscard]] bool chance(std::uint32_t percent) noexcept { return below(100) < percent; }
  /// Whether bytes have run out; never for a seed.
  [[nodiscard]] bool is_done() const noexcept { return bytes_ != nullptr && used_ >= count_; }

 private:
  Random random_;
  const std::uint8_t* bytes_ = nullptr;
  std::size_t count_ = 0;
  std::size_t used_ = 0;
};

/// How a model's program behaves.
struct ModelPlan {
  HeapOptions options;
  std::uint32_t collect_every = 300;  ///< Requested collections: one in so many operations.
  std::uint32_t large_percent = 2;    ///< Of arrays: those of up to `large_length` elements.
  std::uint32_t large_length = 3000;
  std::uint32_t handles = 60;  ///< About as many are held.
};

struct ModelCounts {
  std::uint64_t operations = 0;
  std::uint64_t collections = 0;
  std::uint64_t minor_collections = 0;
  std::uint64_t allocations = 0;
  std::uint64_t exhaustions = 0;
  std::uint64_t objects_compared = 0;
  std::uint64_t entries_broken = 0;
  std::uint64_t finalizers_ready = 0;
  std::uint64_t handed_out = 0;
  std::uint64_t floating = 0;  ///< Kept by an incremental cycle, and not reachable as it ended.
};

/// A heap beside a shadow of it: an object graph in the host's own containers, with which every
/// operation is done a second time. After each collection the two are compared in both directions:
/// everything that the shadow reaches is there with its payload and its slots, and there is nothing
/// else. What differs is thrown, so that tests and fuzzers can share it.
class HeapModel {
 public:
  HeapModel(const ModelPlan& plan, Choices& choices);
  ~HeapModel();
  HeapModel(const HeapModel&) = delete;
  HeapModel& operator=(const HeapModel&) = delete;

  /// One operation, chosen at random.
  void step();
  /// Collects and compares.
  void compare();
  /// Drops all roots, and checks that nothing is left.
  void drain();
  [[nodiscard]] const ModelCounts& counts() const noexcept;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace besom::test
