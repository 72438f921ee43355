#include "capi/tokens.hpp"

namespace besom::detail {

constinit Place places[1 << 16];

std::uint64_t enter_heap(besom_heap* heap, const void* arena) noexcept {
  const std::uint64_t number = reinterpret_cast<std::uintptr_t>(arena) >> 32 & 0xffff;
  constexpr std::uint64_t kOne = std::uint64_t{1} << kTokenNumberBits;
  constexpr std::uint64_t kSerials = (std::uint64_t{1} << kArenaShift) - kOne;
  Place& place = places[number];
  std::uint64_t serial = (place.heap_bits.load(std::memory_order_relaxed) + kOne) & kSerials;
  if (serial == 0) serial = kOne;
  const std::uint64_t bits = number << kArenaShift | serial;
  place.heap_bits.store(bits, std::memory_order_relaxed);
  place.heap.store(heap, std::memory_order_release);
  return bits;
}

void leave_heap(std::uint64_t heap_bits) noexcept {
  places[heap_bits >> kArenaShift].heap.store(nullptr, std::memory_order_release);
}

}  // namespace besom::detail
