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
///   | card n ... card 1  card 0 |  ...    barrier | null  objects ...
///   |        one byte each      | kGap bytes      ^ base, a multiple of 4 GiB
///
/// kGap is in compiled code, and so the same on every machine, whatever its page.
///
/// `barrier` says what a store has to do:
///   - kRecording: mark its card. In a generational heap always, in all others from the time that
///     an allocation is refused until the next one, to learn whether anything may have been
///     dropped;
///   - kMarking: hand the old value over, as an incremental cycle is marking.
/// Where it is neither, a store costs a load and a branch that is not taken, and the cards take no
/// memory. A store looks into besom_recorded_cards first, which says the same of memory outside any
/// arena, too. Card marking: Hoelzle 1993, "A fast write barrier for generational garbage
/// collectors".
class Cards {
 public:
  static constexpr std::uint32_t kShift = 9;
  static constexpr std::uint32_t kBytes = 1u << kShift;
  static constexpr std::uint64_t kGap = 4 << 10;
  /// @{
  /// Bits of the byte below the base.
  static constexpr char kRecording = 1;
  static constexpr char kMarking = 2;
  /// @}

  explicit Cards(char* base) noexcept : base_(base) {}

  /// Bytes below the base for a heap of up to `heap_max` bytes, to be rounded up to the page.
  [[nodiscard]] static constexpr std::uint64_t prefix_bytes(std::uint64_t heap_max) noexcept {
    const std::uint64_t cards = (heap_max + kBytes - 1) >> kShift;
    return kGap + (cards + kGap - 1) / kGap * kGap;
  }
  [[nodiscard]] bool recording() const noexcept { return (base_[-1] & kRecording) != 0; }
  [[nodiscard]] bool only_records() const noexcept { return base_[-1] == kRecording; }
  [[nodiscard]] bool marking() const noexcept { return (base_[-1] & kMarking) != 0; }
  /// What stores have to do from now on: a sum of bits; 0 for nothing, also before the arena's
  /// address space is given back, of which nothing may be accessible then. Precondition: the arena
  /// has cards for `heap_max` bytes.
  void set_barrier(int bits, std::uint64_t heap_max) noexcept {
    if (bits == 0 && recorded_at(base_) == 0) return;
    base_[-1] = static_cast<char>(bits);
    besom_recorded_cards[region_of(base_)] =
        bits == 0 ? 0 : static_cast<std::uint32_t>((heap_max + kBytes - 1) >> kShift);
  }
  void start_recording(std::uint64_t heap_max) noexcept {
    set_barrier(bits() | kRecording, heap_max);
  }
  void stop_recording(std::uint64_t heap_max) noexcept {
    set_barrier(bits() & ~kRecording, heap_max);
  }
  void start_marking(std::uint64_t heap_max) noexcept { set_barrier(bits() | kMarking, heap_max); }
  void stop_marking(std::uint64_t heap_max) noexcept { set_barrier(bits() & ~kMarking, heap_max); }
  /// How many cards at `address` there are for stores to note, of all that lie in the same 4 GiB.
  [[nodiscard]] static std::uint32_t recorded_at(const void* address) noexcept {
    return besom_recorded_cards[region_of(address)];
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
  [[nodiscard]] int bits() const noexcept { return base_[-1]; }
  /// Processes have addresses of up to 48 bits, unless they ask for more.
  [[nodiscard]] static std::uint16_t region_of(const void* address) noexcept {
    return static_cast<std::uint16_t>(reinterpret_cast<std::uintptr_t>(address) >> 32);
  }
  [[nodiscard]] char* card(std::uint32_t number) const noexcept {
    return base_ - kGap - 1 - number;
  }

  char* base_;
};

/// Hands the refs over that stand in [first, first + bytes) of an arena which marks, whatever they
/// are. Defined in gc/: the one place that old values come through.
BESOM_API void note_old_slots(const void* first, std::size_t bytes) noexcept;
/// The same for one ref or value; marks its card where stores are recorded as well.
BESOM_API void note_old_slot(const void* slot) noexcept;
/// The same for all that the object refers to.
BESOM_API void note_old_object(const void* object) noexcept;
/// A ref or value that was read from a weak slot of the arena at `base`, or that a handle gives up.
BESOM_API void note_weak_read(const char* base, std::uint32_t bits) noexcept;
/// The weak slot, or either slot of an entry, will be read at once. Where a cycle that is about to
/// end has found dead what it leads to, the slot is null when this returns, and an entry broken.
/// Otherwise that lives on if the read `keeps` it.
BESOM_API void prepare_weak_slot(const void* slot, bool keeps) noexcept;
/// The same for the ref of a weak handle to the arena at `base`.
BESOM_API void prepare_weak_handle(const char* base, std::uint32_t& ref, bool keeps) noexcept;

/// Whether `address` lies in the used part of an arena whose stores do anything.
[[nodiscard]] inline bool is_noted_at(const void* address) noexcept {
  return (index_of(address) >> Cards::kShift) < Cards::recorded_at(address);
}

}  // namespace detail

/// Tells the heap, before it happens, that the ref or value at `slot` will be overwritten. `slot`
/// has 4 bytes and lies in an object. Member and ValueMember do it. Whoever writes refs in another
/// way, by memcpy or in generated code, calls this before the store:
///   - in a generational heap, which learns from it which old objects refer to new ones. For more
///     than 512 bytes call it for each 512;
///   - in an incremental heap, where what is marked is what was reachable as the cycle began: what
///     a store takes away has to be marked first.
/// In other heaps it does nothing, but for the time after a refused allocation: see
/// Heap::allocate(). Nor does it where `slot` lies in no heap: a host may store through a pointer
/// that leads to its own memory as well. A load and a branch. Source: Yuasa 1990, "Real-time
/// garbage collection on general-purpose machines".
inline void note_overwrite(const void* slot) noexcept {
  if (!detail::is_noted_at(slot)) [[likely]]
    return;
  detail::Cards cards(detail::arena_of(slot));
  if (cards.only_records()) [[likely]] {
    cards.mark(detail::index_of(slot));
  } else {
    detail::note_old_slot(slot);
  }
}

/// The same for the `bytes` from `first` on, which lie in one object and hold slots of any kind:
/// those of 8 bytes, too. O(bytes) while a cycle is on, else one step for each 512 bytes.
inline void note_overwrite(const void* first, std::size_t bytes) noexcept {
  if (!detail::is_noted_at(first)) [[likely]]
    return;
  detail::Cards cards(detail::arena_of(first));
  const std::uint32_t begin = detail::index_of(first);
  if (cards.recording() && bytes != 0) {
    const std::uint64_t end = std::uint64_t{begin} + bytes;
    for (std::uint64_t at = begin; at < end; at += detail::Cards::kBytes) {
      cards.mark(static_cast<std::uint32_t>(at));
    }
    cards.mark(static_cast<std::uint32_t>(end - 1));
  }
  if (cards.marking()) detail::note_old_slots(first, bytes);
}

/// The same for all that `object` refers to: before its header changes, and before something
/// changes outside the heap to which its trace callback leads. O(what it refers to) while a cycle
/// is on.
inline void note_overwrite_object(const void* object) noexcept {
  if (!detail::is_noted_at(object)) [[likely]]
    return;
  detail::Cards cards(detail::arena_of(object));
  if (cards.recording()) cards.mark(detail::index_of(object));
  if (cards.marking()) detail::note_old_object(object);
}

/// Tells an incremental heap that the ref or value that was read from the weak slot at `slot` is
/// about to be used: what a weak slot alone led to may be dead by the end of the cycle that is
/// under way, and this keeps it until the next. Call it before the next allocation. WeakMember and
/// WeakValueMember need it not, nor do Weak, WeakBox and the tables. To copy a weak slot is to use
/// what it holds. Towards the end of a cycle other weak slots that led to the same object may have
/// been cleared already: prepare_read() knows. A load and a branch; nothing in other heaps.
inline void note_read(const void* slot) noexcept {
  if (!detail::is_noted_at(slot)) [[likely]]
    return;
  char* const base = detail::arena_of(slot);
  if (!detail::Cards(base).marking()) return;
  std::uint32_t bits;
  std::memcpy(&bits, slot, sizeof bits);
  detail::note_weak_read(base, bits);
}

/// To be called before a weak slot is read, or either slot of an entry, in place of note_read():
/// then of all weak slots that lead to the same object either all give it or none. Where the cycle
/// that is about to end has found the object dead, the slot is null when this returns, and an entry
/// broken. Otherwise what it leads to lives until the next cycle, if the read `keeps` it. A load
/// and a branch; nothing in other heaps.
inline void prepare_read(const void* slot, bool keeps = true) noexcept {
  if (!detail::is_noted_at(slot)) [[likely]]
    return;
  if (detail::Cards(detail::arena_of(slot)).marking()) detail::prepare_weak_slot(slot, keeps);
}

/// Tells an incremental heap that an object is about to be used of which the host knows by a weak
/// structure of its own, such as a cache that a mark hook clears, or the release hooks of what is
/// in it: call it when the object is taken out, before it is stored or rooted.
inline void note_kept(const void* object) noexcept {
  if (!detail::is_noted_at(object)) [[likely]]
    return;
  char* const base = detail::arena_of(object);
  if (detail::Cards(base).marking()) detail::note_weak_read(base, detail::index_of(object));
}

/// Tells a generational heap that a ref was stored at `slot`, which lies in one of its objects: as
/// note_overwrite(), but after the store and before the next allocation. It does nothing for an
/// incremental heap.
inline void note_store(const void* slot) noexcept {
  if (!detail::is_noted_at(slot)) [[likely]]
    return;
  detail::Cards cards(detail::arena_of(slot));
  if (cards.recording()) cards.mark(detail::index_of(slot));
}

}  // namespace besom
