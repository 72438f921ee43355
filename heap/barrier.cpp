#include "besom/barrier.hpp"

#include "heap/load_once.hpp"
#include "heap/old_values.hpp"

std::uint32_t besom_recorded_cards[1 << 16];

namespace besom::detail {
namespace {

/// By 4 GiB of the address space, as besom_recorded_cards: outside of all arenas, where no stray
/// store of a program's leads.
OldValues* takers[1 << 16];

OldValues*& taker_at(const void* address) noexcept {
  return takers[static_cast<std::uint16_t>(reinterpret_cast<std::uintptr_t>(address) >> 32)];
}

}  // namespace

void set_old_values(const char* base, OldValues* taker) noexcept { taker_at(base) = taker; }

void note_old_slot(const void* slot) noexcept {
  Cards cards(arena_of(slot));
  if (cards.recording()) cards.mark(index_of(slot));
  if (OldValues* taker = taker_at(slot)) {
    taker->take_slot(static_cast<char*>(const_cast<void*>(slot)));
  }
}

void note_old_slots(const void* first, std::size_t bytes) noexcept {
  if (OldValues* taker = taker_at(first)) {
    taker->take_slots(static_cast<const char*>(first), bytes);
  }
}

void note_old_object(const void* object) noexcept {
  if (OldValues* taker = taker_at(object)) taker->take_object(index_of(object));
}

void prepare_weak_slot(const void* slot, bool keeps) noexcept {
  if (OldValues* taker = taker_at(slot)) {
    taker->prepare_read(static_cast<char*>(const_cast<void*>(slot)), keeps);
  }
}

void prepare_weak_handle(const char* base, std::uint32_t& ref, bool keeps) noexcept {
  if (OldValues* taker = taker_at(base)) taker->prepare_handle(ref, keeps);
}

void note_weak_read(const char* base, std::uint32_t bits) noexcept {
  if (OldValues* taker = taker_at(base)) taker->take(bits);
}

}  // namespace besom::detail
