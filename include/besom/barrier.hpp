#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "besom/detail/export.h"

/// For each 4 GiB of the address space how many cards record stores there: 0 where no arena does.
/// One load tells a store's place from all others, whatever memory it lies in; besom.h declares the
/// same. Only its pages in use take memory. Written by detail::Cards alone.
extern "C" BESOM_API std::uint32_t besom_recorded_cards[1 << 16];

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
/// `recording` says whether stores mark cards: in a generational heap always, in all others from
/// the time that an allocation is refused until the next one, to learn whether anything may have
/// been dropped. Else a store costs them a load and a branch that is not taken, and their cards
/// take no memory. note_store() looks into besom_recorded_cards instead, which says the same of
/// memory outside any arena, too. Card marking: Hoelzle 1993, "A fast write barrier for
/// generational garbage collectors".
class Cards {
 public:
  static constexpr std::uint32_t kShift = 9;
  static constexpr std::uint32_t kBytes = 1u << kShift;
  static constexpr std::uint64_t kGap = 4 << 10;

  explicit Cards(char* base) noexcept : base_(base) {}

  /// Bytes below the base for a heap of up to `heap_max` bytes, to be rounded up to the page.
  [[nodiscard]] static constexpr std::uint64_t prefix_bytes(std::uint64_t heap_max) noexcept {
    const std::uint64_t cards = (heap_max + kBytes - 1) >> kShift;
    return kGap + (cards + kGap - 1) / kGap * kGap;
  }
  [[nodiscard]] bool recording() const noexcept { return base_[-1] != 0; }
  /// Precondition: the arena has cards for `heap_max` bytes.
  void start_recording(std::uint64_t heap_max) noexcept {
    base_[-1] = 1;
    besom_recorded_cards[stretch_of(base_)] =
        static_cast<std::uint32_t>((heap_max + kBytes - 1) >> kShift);
  }
  /// Also before the arena's address space is given back, of which nothing may be accessible then.
  void stop_recording() noexcept {
    if (recorded_at(base_) == 0) return;
    base_[-1] = 0;
    besom_recorded_cards[stretch_of(base_)] = 0;
  }
  /// How many cards at `address` record stores, of all that lie in the same 4 GiB.
  [[nodiscard]] static std::uint32_t recorded_at(const void* address) noexcept {
    return besom_recorded_cards[stretch_of(address)];
  }

  void mark(std::uint32_t index) noexcept { *card(index >> kShift) = 1; }
  [[nodiscard]] bool is_marked(std::uint32_t number) const noexcept { return *card(number) != 0; }

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
  /// Forgets the stores in cards [0, end) without writing to the memory of those that are clean.
  void unmark(std::uint32_t end) noexcept {
    for (std::uint32_t number = 0; (number = next_marked(number, end)) != end;) *card(number) = 0;
  }
  /// Forgets the stores in cards [0, end).
  void clear(std::uint32_t end) noexcept {
    if (end != 0) std::memset(card(end - 1), 0, end);
  }

 private:
  /// Processes have addresses of up to 48 bits, unless they ask for more.
  [[nodiscard]] static std::uint16_t stretch_of(const void* address) noexcept {
    return static_cast<std::uint16_t>(reinterpret_cast<std::uintptr_t>(address) >> 32);
  }
  [[nodiscard]] char* card(std::uint32_t number) const noexcept {
    return base_ - kGap - 1 - number;
  }

  char* base_;
};

}  // namespace detail

/// Tells the heap that a ref was stored at `slot`, which lies in one of its objects. Member and
/// ValueMember do it; whoever writes refs into objects of a generational heap in another way, by
/// memcpy or as addresses of their own, calls this after the store and before the next allocation,
/// for each 512 bytes written. In other heaps it does nothing, but for the time after a refused
/// allocation: see Heap::allocate(). Nor does it where `slot` lies in no heap: a host may store
/// through a pointer that leads to its own memory as well. A load and a branch.
inline void note_store(const void* slot) noexcept {
  const std::uint32_t index = detail::index_of(slot);
  if ((index >> detail::Cards::kShift) < detail::Cards::recorded_at(slot)) [[unlikely]] {
    detail::Cards(detail::arena_of(slot)).mark(index);
  }
}

}  // namespace besom
