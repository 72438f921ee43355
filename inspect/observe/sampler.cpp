#include "inspect/observe/sampler.hpp"

#include <algorithm>

namespace besom::detail {

std::uint64_t Sampler::sample_bytes_of(const HeapOptions& options) noexcept {
  if (options.sample_bytes != 0) return options.sample_bytes;
  return options.allocation_profile.empty() ? 0 : HeapOptions::kSampleBytes;
}

bool Sampler::create() noexcept {
  if (!sites_.create()) return false;
  choose_next();
  return true;
}

/// Distances are exponential: whatever was allocated before, the next byte is as likely as any.
/// Drawn by comparisons of integers alone, so that they are the same on every machine.
/// Sources: Marsaglia, "Xorshift RNGs", 2003; von Neumann, "Various techniques used in connection
/// with random digits", 1951.
void Sampler::choose_next() noexcept {
  const auto draw = [this] {
    random_ ^= random_ << 13;
    random_ ^= random_ >> 7;
    random_ ^= random_ << 17;
    return static_cast<std::uint32_t>(random_ >> 32);
  };
  std::uint64_t whole = 0;
  for (;; ++whole) {
    const std::uint32_t first = draw();
    std::uint32_t length = 1;
    std::uint32_t last = first;
    std::uint32_t next = draw();
    for (; next < last; next = draw()) {
      last = next;
      ++length;
    }
    if (length % 2 == 0) continue;
    const std::uint64_t apart = sites_.sample_bytes();
    const std::uint64_t part = (first >> 8) * (apart >> 12) >> 12;
    heap_.space->sample_at(heap_.space->handed_out() + whole * apart + part);
    return;
  }
}

/// An object of `bytes` is met with the probability 1 - exp(-bytes / apart), so it stands for its
/// size divided by that: on the average all samples together do for all that was allocated.
std::uint64_t Sampler::bytes_for(std::uint64_t bytes) const noexcept {
  const double ratio = static_cast<double>(bytes) / static_cast<double>(sites_.sample_bytes());
  // exp(ratio) from its series at a small part of it; the library does without libm.
  constexpr int kHalvings = 10;
  const double part = std::min(ratio, 30.0) / (1 << kHalvings);
  double grown = part + part * part / 2 + part * part * part / 6;  // exp(part) - 1
  for (int i = 0; i < kHalvings; ++i) grown = grown * (2 + grown);
  const Space& space = *heap_.space;
  const auto handed_out = static_cast<double>(space.handed_out());
  const auto marked =
      static_cast<double>(space.handed_out() - std::min(space.handed_out() / 2, space.unmarked()));
  const double is_met = grown / (1 + grown) * marked / handed_out;
  return static_cast<std::uint64_t>(static_cast<double>(bytes) / is_met);
}

void Sampler::add(const AllocationSample& sample) noexcept {
  const std::uint64_t bytes = bytes_for(sample.size_bytes);
  AllocationSite site;
  const bool is_named = heap_.name_site != nullptr && heap_.name_site(heap_.name_site_user, site);
  sites_.add(is_named ? &site : nullptr, sample.caller, sample.type, sample.index, bytes);
  choose_next();
}

}  // namespace besom::detail
