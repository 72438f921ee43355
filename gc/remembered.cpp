#include "gc/remembered.hpp"

#include <algorithm>

#include "besom/run.hpp"

namespace besom::detail {

bool Remembered::add(std::uint32_t index) noexcept {
  auto& rows = indices_.rows();
  if (!indices_.make_room(rows.size() + 1)) return false;
  const auto place = std::lower_bound(rows.begin(), rows.end(), index);
  if (place == rows.end() || *place != index) rows.insert(place, index);
  return true;
}

void Remembered::remove(std::uint32_t index) noexcept {
  auto& rows = indices_.rows();
  const auto place = std::lower_bound(rows.begin(), rows.end(), index);
  if (place == rows.end() || *place != index) return;
  rows.erase(place);
  indices_.give_back(0);
}

void Remembered::clear() noexcept {
  indices_.rows().clear();
  indices_.free_if_empty();
}

void Remembered::mark(Cards& cards, const FreeList& list) const noexcept {
  for (const std::uint32_t index : indices_.rows()) {
    const std::uint64_t end = std::uint64_t{index} + list.run_at(index).size_bytes;
    for (std::uint64_t at = index; at < end; at = (at / Cards::kBytes + 1) * Cards::kBytes) {
      cards.mark(static_cast<std::uint32_t>(at));
    }
  }
}

void Remembered::forget_dead(const GranuleBits& marks) noexcept {
  auto& rows = indices_.rows();
  if (rows.empty()) return;
  rows.erase(std::remove_if(rows.begin(), rows.end(),
                            [&](std::uint32_t index) { return !marks.test(to_granules(index)); }),
             rows.end());
  indices_.give_back(0);
}

}  // namespace besom::detail
