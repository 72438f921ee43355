#include "gc/when/pacer.hpp"

#include <algorithm>

#include "heap/arena.hpp"

namespace besom::detail {

Pacer::Pacer(const HeapOptions& options) noexcept
    : growth_(options.growth),
      generational_(options.generational),
      initial_(options.heap_initial != 0 ? options.heap_initial
                                         : std::min(kDefaultInitial, options.heap_max)),
      max_(options.heap_max),
      budget_(growth_.factor == 0 ? max_ : initial_),
      longest_wait_(std::max(kLongestWait * kPaceBytes, 2 * budget_)) {}

void Pacer::note_collection(std::uint64_t live_bytes, std::uint64_t born_bytes,
                            std::uint64_t used_bytes) noexcept {
  recent_peak_ -= recent_peak_ / 8;
  note_minor(live_bytes, used_bytes);
  const std::uint64_t patience = live_bytes > used_bytes / 2 ? kBuildingPatience : 1;
  pace_ = kPaceBytes + kPaceFactor * patience * live_bytes;
  note_external();
  const auto live = static_cast<double>(live_bytes);
  const double factor = growth_.factor == 0 ? 2 : growth_.factor;
  full_live_ = live_bytes;
  external_room_ = room_for_external();
  if (growth_.factor != 0) {
    worth_ = static_cast<std::uint64_t>(live * (factor - 1) / 4);
    const double most = std::min(live * factor, static_cast<double>(max_));
    budget_ = std::clamp(static_cast<std::uint64_t>(most), initial_, max_);
  }
  if (!generational_) {
    const std::uint64_t wanted = budget_ - std::min(budget_, live_bytes);
    const std::uint64_t there = max_ - std::min(max_, live_bytes + born_bytes);
    pace_ = std::min(pace_, std::max(std::min(wanted, there), kPaceBytes));
  }
  const std::uint64_t wanted = std::max(kPaceBytes, static_cast<std::uint64_t>(live * factor));
  longest_wait_ = std::max(kLongestWait * wanted, 2 * budget_);
}

void Pacer::note_minor(std::uint64_t live_bytes, std::uint64_t used_bytes) noexcept {
  live_ = live_bytes;
  recent_peak_ = std::max(used_bytes, recent_peak_);
}

std::uint64_t Pacer::room_for_external() const noexcept {
  constexpr double kMost = 1e18;
  const double kept = static_cast<double>(full_live_) + static_cast<double>(external_after_);
  const double room = kept * (growth_.factor == 0 ? 1 : growth_.factor - 1);
  return kPaceBytes + static_cast<std::uint64_t>(std::min(room, kMost));
}

bool Pacer::add_external(std::uint64_t bytes) noexcept {
  if (bytes > ~external_) return false;
  external_ += bytes;
  return true;
}

bool Pacer::remove_external(std::uint64_t bytes) noexcept {
  if (bytes > external_) return false;
  external_ -= bytes;
  if (external_ < external_after_) {
    external_after_ = external_;
    external_room_ = std::min(external_room_, room_for_external());
  }
  return true;
}

std::uint64_t Pacer::kept_bytes(bool requested) const noexcept {
  constexpr std::uint64_t kSlack = 1 << 20;
  return requested ? live_ + live_ / 8 + kSlack : std::max(budget_, recent_peak_);
}

std::uint64_t Pacer::next_capacity(std::uint64_t capacity, std::uint64_t needed,
                                   std::uint64_t limit) noexcept {
  constexpr std::uint64_t kLeastStep = 256 << 10;
  const std::uint64_t step = std::max({needed, capacity / 8, kLeastStep});
  const std::uint64_t rounding = capacity < 8 * Arena::kHugePage ? kLeastStep : Arena::kHugePage;
  const std::uint64_t wanted = (capacity + step + rounding - 1) / rounding * rounding;
  return std::max(capacity, std::min(wanted, limit));
}

}  // namespace besom::detail
