#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

namespace example {

/// Counts collection pauses by length, so that a median needs no list of them all: a listener that
/// runs inside a collection had better not allocate.
///
/// Below 16 ns a bucket for each length; from there 16 buckets for each power of two, so that what
/// median_ns() gives is at most 6 % above the true one, and never above the longest pause.
class Pauses {
 public:
  void add(std::uint64_t ns) noexcept {
    ++counts_[bucket(ns)];
    ++total_;
    longest_ = std::max(longest_, ns);
  }

  /// The upper end of the bucket that the median lies in, or the longest pause where that is less;
  /// 0 without pauses.
  [[nodiscard]] std::uint64_t median_ns() const noexcept {
    std::uint64_t below = 0;
    for (std::uint32_t i = 0; i < kBuckets; ++i) {
      below += counts_[i];
      if (2 * below >= total_) return std::min(upper_end(i), longest_);
    }
    return 0;
  }

 private:
  static constexpr std::uint32_t kBuckets = 61 * 16;

  /// With e = floor(log2 ns) >= 4: the 16 buckets of e begin at 16 (e - 3), and the four bits below
  /// the leading one choose among them.
  [[nodiscard]] static std::uint32_t bucket(std::uint64_t ns) noexcept {
    if (ns < 16) return static_cast<std::uint32_t>(ns);
    const auto shift = static_cast<std::uint32_t>(std::bit_width(ns)) - 5;
    return 16 * shift + static_cast<std::uint32_t>(ns >> shift);
  }
  [[nodiscard]] static std::uint64_t upper_end(std::uint32_t i) noexcept {
    if (i < 32) return i;
    const std::uint32_t shift = i / 16 - 1;
    return ((std::uint64_t{i % 16 + 16} + 1) << shift) - 1;
  }

  std::array<std::uint64_t, kBuckets> counts_{};
  std::uint64_t total_ = 0;
  std::uint64_t longest_ = 0;
};

}  // namespace example
