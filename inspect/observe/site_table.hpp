#pragma once

#include <cstdint>
#include <span>

#include "besom/detail/zeroed_array.hpp"
#include "besom/site.hpp"
#include "besom/type.hpp"

namespace besom::detail {

/// Where objects of one type are allocated, with what the samples of it stand for.
struct Site {
  char function[64];
  char file[128];
  std::uint32_t line;
  std::uint32_t column;
  TypeId type;
  const void* caller;  ///< nullptr where the host named it.
  std::uint64_t samples;
  std::uint64_t allocated_bytes;
  std::uint64_t live_samples;
  std::uint64_t live_bytes;
  std::uint64_t peak_bytes;  ///< Of these at the fullest collection.
};

/// The samples of a heap, by site: sums of all, and one by one those whose objects live. Takes host
/// memory once, and of that only what is used.
class SiteTable {
 public:
  static constexpr std::uint32_t kSites = 1024;
  static constexpr std::uint32_t kLive = 64 << 10;

  /// `sample_bytes` is what one sample stands for on the average.
  explicit SiteTable(std::uint64_t sample_bytes) noexcept : sample_bytes_(sample_bytes) {}

  /// False when the host has no memory.
  [[nodiscard]] bool create() noexcept;
  /// An object of `type` at `index`, which stands for `bytes`. Allocated where `named` says, or
  /// where the call that returns to `caller` is. Where there are too many live samples, every
  /// second is forgotten, and the others stand for twice as much, as those to come do.
  void add(const AllocationSite* named, const void* caller, TypeId type, std::uint32_t index,
           std::uint64_t bytes) noexcept;
  /// Forgets samples whose objects are gone: `lives(index)` says which are not.
  template <class Lives>
  void drop_dead(Lives lives) noexcept {
    std::uint32_t kept = 0;
    for (std::uint32_t i = 0; i < live_count_; ++i) {
      if (lives(live_[i].index)) {
        live_[kept++] = live_[i];
      } else {
        forget(live_[i]);
      }
    }
    live_count_ = kept;
  }

  /// A collection is over: if none left as much before, this is what peak_bytes are of. The fullest
  /// may have left a twentieth more: all sites are written each time.
  void note_collection() noexcept;
  /// Whether peak_bytes are of any.
  [[nodiscard]] bool has_peak() const noexcept { return peak_bytes_ != 0; }

  [[nodiscard]] std::span<const Site> sites() const noexcept { return {sites_.data(), count_}; }
  [[nodiscard]] std::uint64_t sample_bytes() const noexcept { return sample_bytes_; }
  [[nodiscard]] std::uint64_t samples() const noexcept { return samples_; }
  /// Samples that found no room among the sites.
  [[nodiscard]] std::uint64_t lost() const noexcept { return lost_; }

 private:
  struct Live {
    std::uint32_t index;
    std::uint32_t site;
    std::uint64_t bytes;
  };
  [[nodiscard]] Site* find(const AllocationSite* named, const void* caller, TypeId type) noexcept;
  void forget(const Live& live) noexcept;
  void thin() noexcept;

  ZeroedArray<Site> sites_;
  ZeroedArray<std::uint16_t> buckets_;  ///< Of a hash table: site's number from 1; 0: none.
  ZeroedArray<Live> live_;
  std::uint32_t count_ = 0;
  std::uint32_t live_count_ = 0;
  std::uint64_t sample_bytes_;
  std::uint64_t samples_ = 0;
  std::uint64_t lost_ = 0;
  std::uint64_t live_bytes_ = 0;
  std::uint64_t peak_bytes_ = 0;
};

}  // namespace besom::detail
