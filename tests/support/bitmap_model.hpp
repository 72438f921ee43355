#pragma once

#include <besom/run.hpp>
#include <cstdint>
#include <stdexcept>
#include <vector>

namespace besom::test {

/// What a list under test did that its model says it must not.
struct Mismatch : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Throws a Mismatch that names both operands, in hex.
[[noreturn]] void mismatch(const char* what, std::uint64_t left, std::uint64_t right);

inline void require(bool condition, const char* what, std::uint64_t left, std::uint64_t right) {
  if (!condition) mismatch(what, left, right);
}

/// The simplest thing that a free list can be compared with: a bit per granule, set while it is
/// free, and no policy at all. Granule 0 is never free. Searches go by 64-bit words, because the
/// fuzzer asks some million times a second.
class BitmapModel {
 public:
  /// Granules [1, end) are free.
  explicit BitmapModel(std::uint32_t end);

  /// Adds free granules up to `end`.
  void grow(std::uint32_t end);
  /// Throws when a granule of `run` is not free, or lies outside.
  void take(const Run& run);
  /// Throws when a granule of `run` is free already, or lies outside.
  void give(const Run& run);

  [[nodiscard]] bool is_free(std::uint32_t granule) const {
    return ((words_[granule >> 6] >> (granule & 63u)) & 1u) != 0;
  }
  /// The run of free granules around `granule`, or the empty run.
  [[nodiscard]] Run hole_at(std::uint32_t granule) const;
  /// All holes in address order.
  [[nodiscard]] std::vector<Run> holes() const;
  /// O(granules / 64).
  [[nodiscard]] std::uint32_t longest_hole_bytes() const;
  /// Whether any hole has at least `bytes`; stops at the first.
  [[nodiscard]] bool has_hole(std::uint32_t bytes) const;

  [[nodiscard]] std::uint32_t hole_count() const { return hole_count_; }
  [[nodiscard]] std::uint64_t free_bytes() const {
    return std::uint64_t{free_granules_} << kGranuleShift;
  }
  /// One past the last granule.
  [[nodiscard]] std::uint32_t end() const { return end_; }

 private:
  /// Throws unless all granules of `run` lie inside and are free, or all are taken; flips them.
  void flip(const Run& run, bool from_free);
  /// The first granule >= `granule` that is free, or taken; end_ when there is none.
  [[nodiscard]] std::uint32_t next(std::uint32_t granule, bool free) const;
  template <class Visit>
  void visit_holes(Visit visit) const;

  std::vector<std::uint64_t> words_;
  std::uint32_t end_ = 1;
  std::uint32_t hole_count_ = 0;
  std::uint32_t free_granules_ = 0;
};

}  // namespace besom::test
