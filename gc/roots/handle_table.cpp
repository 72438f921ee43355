#include "besom/detail/handle_table.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <functional>
#include <utility>

#include "besom/detail/check.hpp"

namespace besom::detail {

HandleTable::~HandleTable() { clear(); }

HandleChunk* HandleTable::chunk_of(HandleSlot* slot) noexcept {
  void* const first = slot - slot->number;
  void* const chunk = static_cast<char*>(first) - offsetof(HandleChunk, slots);
  return static_cast<HandleChunk*>(chunk);
}

void HandleTable::free_slot(HandleChunk* chunk, HandleSlot* slot) noexcept {
  BESOM_ASSERT(slot->number < HandleChunk::kSlots);
  BESOM_ASSERT((chunk->taken[slot->number / 64] >> slot->number % 64 & 1) != 0);
  BESOM_ASSERT(chunk->taken_count != 0);
  *slot = {0, nullptr, 0, slot->number};
  chunk->taken[slot->number / 64] &= ~(std::uint64_t{1} << slot->number % 64);
  --chunk->taken_count;
}

HandleSlot* HandleTable::add(std::uint32_t ref, const char* label) noexcept {
  HandleChunk* chunk = with_room_ != nullptr ? with_room_ : add_chunk();
  if (chunk == nullptr) return nullptr;
  std::uint32_t word = 0;
  while (chunk->taken[word] == ~std::uint64_t{0}) ++word;
  const auto bit = static_cast<std::uint32_t>(std::countr_one(chunk->taken[word]));
  chunk->taken[word] |= std::uint64_t{1} << bit;
  if (chunk == empty_) empty_ = nullptr;
  if (++chunk->taken_count == HandleChunk::kSlots) unlink_room(chunk);
  ++count_;
  HandleSlot& slot = chunk->slots[word * 64 + bit];
  slot = {++serial_, label, ref, word * 64 + bit};
  return &slot;
}

void HandleTable::remove(HandleSlot* slot) noexcept {
  HandleChunk* const chunk = chunk_of(slot);
  HandleTable& table = *chunk->table;
  BESOM_ASSERT(slot->serial != 0);
  BESOM_ASSERT(table.count_ != 0);
  if (chunk->taken_count == HandleChunk::kSlots) table.link_room(chunk);
  free_slot(chunk, slot);
  --table.count_;
  if (chunk->taken_count != 0) return;
  // One is kept: the lower one, as the host can give the end of its heap back once that is free.
  HandleChunk* const empty = table.empty_;
  table.empty_ = empty == nullptr ? chunk : std::min(chunk, empty, std::less<>());
  if (empty != nullptr) table.remove_chunk(std::max(chunk, empty, std::less<>()));
}

void HandleTable::drop_stale(HandleSlot* slot) noexcept {
  HandleChunk* const chunk = chunk_of(slot);
  BESOM_ASSERT(chunk->table == nullptr && slot->serial == 0);
  free_slot(chunk, slot);
  if (chunk->taken_count == 0) std::free(chunk);
}

void HandleTable::clear() noexcept {
  each([](HandleSlot& slot) { slot = {0, nullptr, 0, slot.number}; });
  for (HandleChunk* chunk = std::exchange(first_, nullptr); chunk != nullptr;) {
    HandleChunk* const next = chunk->next;
    chunk->table = nullptr;
    if (chunk->taken_count == 0) std::free(chunk);
    chunk = next;
  }
  last_ = with_room_ = empty_ = walked_ = nullptr;
  count_ = 0;
}

HandleChunk* HandleTable::add_chunk() noexcept {
  auto* chunk = static_cast<HandleChunk*>(std::calloc(1, sizeof(HandleChunk)));
  if (chunk == nullptr) return nullptr;
  chunk->table = this;
  chunk->previous = last_;
  (last_ != nullptr ? last_->next : first_) = chunk;
  last_ = chunk;
  link_room(chunk);
  return chunk;
}

void HandleTable::link_room(HandleChunk* chunk) noexcept {
  chunk->previous_with_room = nullptr;
  chunk->next_with_room = with_room_;
  if (with_room_ != nullptr) with_room_->previous_with_room = chunk;
  with_room_ = chunk;
}

void HandleTable::unlink_room(HandleChunk* chunk) noexcept {
  HandleChunk* const before = chunk->previous_with_room;
  HandleChunk* const after = chunk->next_with_room;
  (before != nullptr ? before->next_with_room : with_room_) = after;
  if (after != nullptr) after->previous_with_room = before;
}

void HandleTable::remove_chunk(HandleChunk* chunk) noexcept {
  BESOM_ASSERT(chunk->taken_count == 0);
  if (walked_ == chunk) walked_ = chunk->next;
  unlink_room(chunk);
  (chunk->previous != nullptr ? chunk->previous->next : first_) = chunk->next;
  (chunk->next != nullptr ? chunk->next->previous : last_) = chunk->previous;
  std::free(chunk);
}

}  // namespace besom::detail
