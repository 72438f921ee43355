#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace besom {

namespace detail {

/// The arena that holds `address`: arenas start at multiples of 4 GiB.
[[nodiscard]] inline char* arena_of(const void* address) noexcept {
  return reinterpret_cast<char*>(reinterpret_cast<std::uintptr_t>(address) &
                                 ~std::uintptr_t{0xffffffff});
}
[[nodiscard]] inline std::uint32_t index_of(const void* address) noexcept {
  return static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(address));
}

/// Where refs were stored since the last collection of a generational heap: a byte for each card of
/// 512 bytes. The bytes lie below the arena's base, growing down, so that a slot's own address
/// leads to its card:
///
///   | card n ... card 1  card 0 |  ...  recording | null  objects ...
///   |        one byte each      | kGap bytes      ^ base, a multiple of 4 GiB
///
/// kGap is in compiled code, and so the same on every machine, whatever its page.
///
/// `recording` says whether the heap is generational. In all others that byte is all there is: a
/// store costs them a load and a branch that is never taken. Card marking: Hoelzle 1993, "A fast
/// write barrier for generational garbage collectors".
class Cards {
 public:
  static constexpr std::uint32_t kShift = 9;
  static constexpr std::uint32_t kBytes = 1u << kShift;
  static constexpr std::uint64_t kGap = 4 << 10;

  explicit Cards(char* base) noexcept : base_(base) {}

  /// Bytes below the base for a heap of up to `heap_max` bytes, to be rounded up to the page.
  [[nodiscard]] static constexpr std::uint64_t prefix_bytes(std::uint64_t heap_max,
                                                            bool recording) noexcept {
    const std::uint64_t cards = recording ? (heap_max + kBytes - 1) >> kShift : 0;
    return kGap + (cards + kGap - 1) / kGap * kGap;
  }
  [[nodiscard]] bool recording() const noexcept { return base_[-1] != 0; }
  void start_recording() noexcept { base_[-1] = 1; }

  void mark(std::uint32_t index) noexcept { *card(index >> kShift) = 1; }

  /// The first marked card from `from` on, or `end`.
  [[nodiscard]] std::uint32_t next_marked(std::uint32_t from, std::uint32_t end) const noexcept {
    while (from < end) {
      // Eight at a time, where eight are clean: cards from + 7 down to from.
      std::uint64_t eight = 1;
      if (from % 8 == 0) std::memcpy(&eight, card(from + 7), sizeof eight);
      if (eight == 0) {
        from += 8;
      } else if (*card(from) != 0) {
        return from;
      } else {
        ++from;
      }
    }
    return end;
  }
  /// The cards [0, end), the last first.
  [[nodiscard]] const char* first_of(std::uint32_t end) const noexcept { return card(end) + 1; }
  /// Forgets the stores in cards [0, end).
  void clear(std::uint32_t end) noexcept {
    if (end != 0) std::memset(card(end - 1), 0, end);
  }

 private:
  [[nodiscard]] char* card(std::uint32_t number) const noexcept {
    return base_ - kGap - 1 - number;
  }

  char* base_;
};

}  // namespace detail

/// Tells the heap that a ref was stored at `slot`, which lies in one of its objects. Member and
/// ValueMember do it; whoever writes refs into objects of a generational heap in another way, by
/// memcpy or as addresses of their own, calls this after the store and before the next allocation,
/// for each 512 bytes written. In other heaps it does nothing. Some four instructions.
inline void note_store(const void* slot) noexcept {
  detail::Cards cards(detail::arena_of(slot));
  if (cards.recording()) [[unlikely]] {
    cards.mark(detail::index_of(slot));
  }
}

}  // namespace besom
