#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <utility>

#include "besom/detail/check.hpp"

namespace besom::detail {

/// Objects of one kind that stay where they are, 64 to a block of host memory.
///
/// A block goes back to the host with its last object. Allocated one by one, small objects would
/// not: a host's allocator keeps what small blocks took, for more of them.
///
/// Objects that were not dropped go with the pool. Not thread-safe.
template <class T>
class HostPool {
 public:
  HostPool() = default;
  HostPool(const HostPool&) = delete;
  HostPool& operator=(const HostPool&) = delete;
  ~HostPool() {
    while (first_ != nullptr) {
      Block* const block = std::exchange(first_, first_->next);
      for (; block->taken != 0; block->taken &= block->taken - 1) {
        void* const bytes = block->slots[std::countr_zero(block->taken)].bytes;
        static_cast<T*>(bytes)->~T();
      }
      std::free(block);
    }
  }

  /// nullptr when the host has no memory. O(1).
  template <class... Arguments>
  [[nodiscard]] T* make(Arguments&&... arguments) noexcept {
    static_assert(alignof(Slot) <= alignof(std::max_align_t), "as malloc aligns");
    Block* const block = with_room_ != nullptr ? with_room_ : add_block();
    if (block == nullptr) return nullptr;
    const auto number = static_cast<std::uint32_t>(std::countr_one(block->taken));
    block->taken |= std::uint64_t{1} << number;
    if (block->taken == kAll) unlink_room(block);
    Slot& slot = block->slots[number];
    slot.block = block;
    return new (static_cast<void*>(slot.bytes)) T{std::forward<Arguments>(arguments)...};
  }
  /// O(1). nullptr is fine.
  static void drop(T* object) noexcept {
    if (object == nullptr) return;
    void* const bytes = object;
    auto* const slot = static_cast<Slot*>(bytes);
    Block* const block = slot->block;
    const std::uint64_t bit = std::uint64_t{1} << (slot - block->slots);
    BESOM_CHECK((block->taken & bit) != 0, "dropped twice: in a block of which are taken, number",
                block->taken, static_cast<std::uint64_t>(slot - block->slots));
    object->~T();
    HostPool* const pool = block->pool;
    if (block->taken == kAll) pool->link_room(block);
    block->taken &= ~bit;
    if (block->taken != 0) return;
    pool->remove(block);
    std::free(block);
  }

 private:
  static constexpr std::uint64_t kAll = ~std::uint64_t{0};

  struct Block;
  struct Slot {
    alignas(T) std::byte bytes[sizeof(T)];
    Block* block;
  };
  struct Block {
    HostPool* pool;
    Block* previous;
    Block* next;
    Block* previous_with_room;
    Block* next_with_room;
    std::uint64_t taken;  ///< A bit for each slot.
    Slot slots[64];
  };
  [[nodiscard]] Block* add_block() noexcept {
    auto* const block = static_cast<Block*>(std::malloc(sizeof(Block)));
    if (block == nullptr) return nullptr;
    block->taken = 0;
    block->pool = this;
    block->previous = nullptr;
    block->next = first_;
    if (first_ != nullptr) first_->previous = block;
    first_ = block;
    link_room(block);
    return block;
  }
  /// One that has room.
  void remove(Block* block) noexcept {
    unlink_room(block);
    (block->previous != nullptr ? block->previous->next : first_) = block->next;
    if (block->next != nullptr) block->next->previous = block->previous;
  }
  void link_room(Block* block) noexcept {
    block->previous_with_room = nullptr;
    block->next_with_room = with_room_;
    if (with_room_ != nullptr) with_room_->previous_with_room = block;
    with_room_ = block;
  }
  void unlink_room(Block* block) noexcept {
    Block* const before = block->previous_with_room;
    Block* const after = block->next_with_room;
    (before != nullptr ? before->next_with_room : with_room_) = after;
    if (after != nullptr) after->previous_with_room = before;
  }

  Block* first_ = nullptr;
  Block* with_room_ = nullptr;
};

}  // namespace besom::detail
