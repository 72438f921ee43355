#include "capi/tokens.hpp"

namespace besom::detail {
namespace {

constexpr unsigned kArenaShift = 48;  // of the arena's number, which is its address without 32 bits

/// The heap whose arena lies there. A token is used on any thread, also where another thread makes
/// a heap at the place of one that has gone: then its serial is seen with it.
struct Place {
  std::atomic<std::uint64_t> heap_bits = 0;  ///< Of the last heap that lay there.
  std::atomic<besom_heap*> heap = nullptr;
};
constinit Place places[1 << 16];

}  // namespace

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

besom_heap* heap_of_token(const void* token) noexcept {
  const auto bits = reinterpret_cast<std::uintptr_t>(token);
  const Place& place = places[bits >> kArenaShift];
  besom_heap* const heap = place.heap.load(std::memory_order_acquire);
  const std::uint64_t heap_bits = place.heap_bits.load(std::memory_order_relaxed);
  return heap_bits == bits - bits % kMostTokens ? heap : nullptr;
}

}  // namespace besom::detail
