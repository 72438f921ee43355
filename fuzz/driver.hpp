#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

/// What every fuzz target defines. driver.cpp runs targets without libFuzzer, on random inputs that
/// a seed replays; with libFuzzer its own main takes the driver's place.

namespace besom::fuzz {

/// One thing that a target counts. A run in which it happened less than `least_per_million` times
/// for each million operations has not tested what it is meant to, and fails.
struct Counter {
  const char* name;
  std::uint64_t count = 0;
  std::uint64_t least_per_million = 0;
};

/// All that has happened so far; the first counter counts the operations.
[[nodiscard]] std::span<const Counter> counters();

/// The longest input that is of use.
extern const std::size_t kMostInputBytes;

}  // namespace besom::fuzz

/// Interprets the bytes as operations, and throws when a result is wrong.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
