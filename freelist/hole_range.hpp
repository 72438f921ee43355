#pragma once

#include <cstddef>
#include <iterator>

#include "besom/run.hpp"
#include "freelist/boundary_map.hpp"

namespace besom::detail {

/// The holes of a map as a range of runs, in address order. Valid until the map changes.
class HoleRange {
 public:
  class Iterator {
   public:
    using value_type = Run;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::forward_iterator_tag;

    Iterator() = default;
    explicit Iterator(const BoundaryMap& map) noexcept : map_(&map) { seek(1); }
    [[nodiscard]] Run operator*() const noexcept {
      BESOM_ASSERT(run_.size_bytes != 0);
      return run_;
    }
    Iterator& operator++() noexcept {
      BESOM_ASSERT(run_.size_bytes != 0);
      seek(to_granules(run_.end()));
      return *this;
    }
    Iterator operator++(int) noexcept {
      Iterator before = *this;
      ++*this;
      return before;
    }
    friend bool operator==(const Iterator& a, const Iterator& b) noexcept {
      return a.run_ == b.run_;
    }

   private:
    /// To the first hole from `granule` on.
    void seek(std::uint32_t granule) noexcept {
      const std::uint32_t start = map_->next_hole(granule);
      run_ = {};
      if (start != BoundaryMap::kNone) {
        run_ = {to_bytes(start), to_bytes(map_->next_start(start) - start)};
      }
    }

    const BoundaryMap* map_ = nullptr;
    Run run_;  ///< Size 0 at the end.
  };

  explicit HoleRange(const BoundaryMap& map) noexcept : map_(&map) {}
  [[nodiscard]] Iterator begin() const noexcept { return Iterator(*map_); }
  [[nodiscard]] Iterator end() const noexcept { return {}; }

 private:
  const BoundaryMap* map_;
};

}  // namespace besom::detail
