#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

namespace besom::test {

/// Pseudo-random numbers that are the same on every platform for a seed: xoshiro256** (Blackman
/// and Vigna, 2018), seeded through splitmix64. The standard distributions are not used because
/// their results differ between libraries, and a seed must replay anywhere.
class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept {
    for (auto& word : state_) {
      seed += 0x9e3779b97f4a7c15u;
      std::uint64_t mixed = seed;
      mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
      mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
      word = mixed ^ (mixed >> 31);
    }
  }

  std::uint64_t next() noexcept {
    const std::uint64_t result = rotate_left(state_[1] * 5, 7) * 9;
    const std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = rotate_left(state_[3], 45);
    return result;
  }

  /// Uniform in [0, bound), `bound` above 0; biased by less than bound / 2^32.
  std::uint32_t below(std::uint32_t bound) noexcept {
    return static_cast<std::uint32_t>(((next() >> 32) * bound) >> 32);
  }
  /// Uniform in [least, most].
  std::uint32_t between(std::uint32_t least, std::uint32_t most) noexcept {
    return least + below(most - least + 1);
  }
  bool chance(std::uint32_t percent) noexcept { return below(100) < percent; }
  /// Uniform in [0, 1).
  double unit() noexcept { return static_cast<double>(next() >> 11) * 0x1p-53; }
  /// Log-normal: exp(N(ln median, sigma)).
  double log_normal(double median, double sigma) noexcept {
    // Box-Muller; 1 - unit() is never 0.
    const double radius = std::sqrt(-2.0 * std::log(1.0 - unit()));
    return median * std::exp(sigma * radius * std::cos(2.0 * std::numbers::pi * unit()));
  }

 private:
  static std::uint64_t rotate_left(std::uint64_t word, int count) noexcept {
    return (word << count) | (word >> (64 - count));
  }
  std::uint64_t state_[4];
};

}  // namespace besom::test
