#pragma once

#include <bit>
#include <cstdint>

#include "besom/detail/export.h"

namespace besom::detail {

class HandleTable;

/// One persistent root, which its handle owns. The serial is the handle's as long as the slot is.
struct HandleSlot {
  std::uint64_t serial;  ///< 0: free, or stale.
  const char* label;
  std::uint32_t ref;
  std::uint32_t number;  ///< Its place in the chunk.
};

/// 128 slots that never move, and which of them are taken.
struct HandleChunk {
  static constexpr std::uint32_t kSlots = 128;

  HandleTable* table;  ///< nullptr: the heap forgot its roots; stale handles own the chunk.
  HandleChunk* previous;
  HandleChunk* next;
  HandleChunk* previous_with_room;
  HandleChunk* next_with_room;
  std::uint32_t taken_count;
  std::uint64_t taken[kSlots / 64];
  HandleSlot slots[kSlots];
};

/// The slots of all handles, or weak handles, of one heap.
///
/// Handles hold addresses of slots, so that slots lie in chunks that stay in place. A chunk is
/// freed when its last handle goes, one apart that is kept for the next; a walk passes over what is
/// free a word of bits at a time. So neither a walk nor the host's memory remembers how many
/// handles there once were. No container of Boost's: its nodes would lie apart, and marking reads
/// all of them.
///
/// Not thread-safe.
class BESOM_API HandleTable {
 public:
  HandleTable() = default;
  HandleTable(const HandleTable&) = delete;
  HandleTable& operator=(const HandleTable&) = delete;
  ~HandleTable();

  /// nullptr when the host has no memory. O(1).
  [[nodiscard]] HandleSlot* add(std::uint32_t ref, const char* label) noexcept;
  /// Frees a slot that is not stale. O(1).
  static void remove(HandleSlot* slot) noexcept;
  /// The owner of a stale slot goes. The last one in a chunk frees it.
  static void drop_stale(HandleSlot* slot) noexcept;
  /// All handles become stale. O(chunks).
  void clear() noexcept;
  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  /// Whether the slot, which is not stale, is this table's and not another's.
  [[nodiscard]] bool owns(HandleSlot* slot) const noexcept { return chunk_of(slot)->table == this; }

  /// `visit(slot)` for each slot that is taken; it may change the ref. The oldest chunk first.
  template <class Visit>
  void each(Visit visit) const {
    for (HandleChunk* chunk = first_; chunk != nullptr; chunk = chunk->next) {
      each_in(*chunk, visit);
    }
  }
  /// A walk in parts, between which slots may be added and removed: walk_chunk() goes on where it
  /// ended. Slots that are added meanwhile may be visited or not.
  void begin_walk() noexcept { walked_ = first_; }
  [[nodiscard]] bool is_walked() const noexcept { return walked_ == nullptr; }
  /// Visits a chunk's slots as each() does. How many, and one. Precondition: the walk is not over.
  template <class Visit>
  std::uint32_t walk_chunk(Visit visit) noexcept {
    const std::uint32_t visited = walked_->taken_count + 1;
    each_in(*walked_, visit);
    walked_ = walked_->next;
    return visited;
  }

 private:
  template <class Visit>
  static void each_in(HandleChunk& chunk, Visit& visit) {
    for (std::uint32_t word = 0; word < HandleChunk::kSlots / 64; ++word) {
      HandleSlot* const slots = chunk.slots + word * 64;
      for (std::uint64_t bits = chunk.taken[word]; bits != 0; bits &= bits - 1) {
        visit(slots[std::countr_zero(bits)]);
      }
    }
  }
  [[nodiscard]] static HandleChunk* chunk_of(HandleSlot* slot) noexcept;
  static void free_slot(HandleChunk* chunk, HandleSlot* slot) noexcept;
  [[nodiscard]] HandleChunk* add_chunk() noexcept;
  void link_room(HandleChunk* chunk) noexcept;
  void unlink_room(HandleChunk* chunk) noexcept;
  void remove_chunk(HandleChunk* chunk) noexcept;

  HandleChunk* first_ = nullptr;
  HandleChunk* last_ = nullptr;
  HandleChunk* with_room_ = nullptr;
  HandleChunk* empty_ = nullptr;   ///< The one without handles that is kept.
  HandleChunk* walked_ = nullptr;  ///< The next of the walk in parts.
  std::uint64_t count_ = 0;
  std::uint64_t serial_ = 0;
};

}  // namespace besom::detail
