#pragma once

#include <cstdint>

#include "besom/detail/export.h"
#include "besom/detail/root_gate.hpp"
#include "besom/detail/zeroed_array.hpp"

namespace besom::detail {

class ShadowStack;

/// One root of a handle scope.
struct LocalSlot {
  std::uint64_t serial;  ///< Of the push; 0: free.
  std::uint32_t ref;
};

/// A piece of a shadow stack. Its slots are named by places: the chunk's number, and the slot's
/// offset in it.
///
///   bit 63 ........ 11 10 ........ 0
///       | number      | byte offset |
struct LocalChunk {
  static constexpr std::uint32_t kBytes = 2048;
  static constexpr std::uint32_t kShift = 11;
  static constexpr std::uint32_t kSlots = 126;

  ShadowStack* owner;
  LocalChunk* below;  ///< The one that was full before.
  std::uint64_t first_place;
  std::uint64_t padding;
  LocalSlot slots[kSlots];

  [[nodiscard]] LocalSlot* end() noexcept { return slots + kSlots; }
};
static_assert(sizeof(LocalChunk) == LocalChunk::kBytes &&
              LocalChunk::kBytes == 1 << LocalChunk::kShift);

/// The chunks of all shadow stacks of one heap.
///
/// A local may be asked long after its scope has ended whether it is stale, when its chunk has gone
/// back to the host. So a local has no address but a place: in the table of chunks one that has
/// gone is replaced by a chunk without any roots. The table has twelve bytes for each chunk that
/// there ever was at one time; it has no container of Boost's, as reading a local is inline.
class BESOM_API LocalChunks {
 public:
  LocalChunks() = default;
  LocalChunks(const LocalChunks&) = delete;
  LocalChunks& operator=(const LocalChunks&) = delete;
  ~LocalChunks();

  /// A chunk without roots, or nullptr when the host has no memory. `serial` is raised above all
  /// that its places had.
  [[nodiscard]] LocalChunk* take(ShadowStack* owner, LocalChunk* below,
                                 std::uint64_t& serial) noexcept;
  /// All slots of the chunk have to be free; `serial`: the last that its owner gave. Some are kept
  /// for the next take().
  void give(LocalChunk* chunk, std::uint64_t serial) noexcept;

  /// The slot at a place that there was some time.
  [[nodiscard]] LocalSlot& at(std::uint64_t place) const noexcept {
    auto* const chunk = reinterpret_cast<char*>(table_[place >> LocalChunk::kShift]);
    void* const slot = chunk + (place & (LocalChunk::kBytes - 1));
    return *static_cast<LocalSlot*>(slot);
  }
  /// The slot at a place that may be anything, or nullptr where there is none now.
  [[nodiscard]] LocalSlot* find(std::uint64_t place) const noexcept;
  [[nodiscard]] LocalChunk* chunk_at(std::uint64_t place) const noexcept {
    return table_[place >> LocalChunk::kShift];
  }

 private:
  static constexpr std::uint32_t kMostSpare = 4;

  LocalChunk** table_ = nullptr;  ///< Of `storage_`.
  std::uint64_t serial_ = 0;      ///< The highest that any chunk given back had.
  LocalChunk* spare_[kMostSpare] = {};
  std::uint32_t spare_count_ = 0;
  std::uint32_t numbers_ = 0;  ///< Given out; number 0 is none.
  std::uint32_t free_count_ = 0;
  ZeroedArray<LocalChunk*> storage_;
  ZeroedArray<std::uint32_t> free_numbers_;  ///< As large as `storage_`.
};

/// Local roots and the scopes that they are in: those of a thread, or of a fiber. A stack over
/// chunks, which it gives back as it shrinks. Not thread-safe.
class BESOM_API ShadowStack {
 public:
  struct Mark {
    LocalSlot* top;
    LocalChunk* chunk;
  };

  ShadowStack(const RootGate& gate, LocalChunks& chunks) noexcept : gate_(gate), chunks_(chunks) {}
  ShadowStack(const ShadowStack&) = delete;
  ShadowStack& operator=(const ShadowStack&) = delete;

  /// A new root, or nullptr when the host has no memory or the stack is closed.
  [[nodiscard]] LocalSlot* push(std::uint32_t ref) noexcept {
    if (top_ == chunk_end_) [[unlikely]] {
      if (!next_chunk()) return nullptr;
    }
    *top_ = {++serial_, ref};
    return top_++;
  }
  /// Of a slot in the topmost chunk.
  [[nodiscard]] std::uint64_t place_of(const LocalSlot* slot) const noexcept {
    return reinterpret_cast<std::uintptr_t>(slot) + place_bias_;
  }

  [[nodiscard]] Mark open_scope() noexcept {
    ++depth_;
    return {top_, chunk_};
  }
  /// `depth`: depth() right after this scope was opened.
  void close_scope(Mark mark, std::uint64_t depth) noexcept {
    // Where there is room in the chunk the stack is not closed.
    if (depth != depth_ || mark.chunk != chunk_ || mark.top == nullptr || top_ == chunk_end_)
        [[unlikely]] {
      close_scope_slow(mark, depth);
      return;
    }
    --depth_;
    while (top_ != mark.top) *--top_ = {};
  }
  /// Names the innermost scope: no scope of this stack, nor of one that was at this address before,
  /// had the same while this one is open.
  [[nodiscard]] std::uint64_t depth() const noexcept { return depth_; }
  [[nodiscard]] std::uint32_t open_scopes() const noexcept {
    return static_cast<std::uint32_t>(depth_ - base_depth_);
  }
  /// Pops the root `serial` at `place`, which was pushed where `open_scopes` were open, and all
  /// after it, and closes the scopes opened since, whose destructors do not run any more. False
  /// when that root is not on this stack, or not any more. All may be any numbers.
  [[nodiscard]] bool unwind(std::uint64_t place, std::uint64_t serial,
                            std::uint32_t open_scopes) noexcept;

  [[nodiscard]] bool is_last(const LocalSlot& slot) const noexcept { return &slot + 1 == top_; }

  /// A closed stack takes no roots: where roots are enumerated, its fiber does not run, or the heap
  /// is gone.
  void set_open(bool open) noexcept;
  [[nodiscard]] bool is_open() const noexcept { return is_open_; }
  /// All roots are forgotten; scopes stay open.
  void clear() noexcept;
  /// Roots and scopes are forgotten and the memory is given back. Scopes that are still to be
  /// closed abort then.
  void drop() noexcept;

  template <class Visit>
  void each(Visit visit) const {
    const LocalSlot* end = top_;
    for (LocalChunk* chunk = chunk_; chunk != nullptr; chunk = chunk->below) {
      for (const LocalSlot* slot = chunk->slots; slot != end; ++slot) visit(*slot);
      if (chunk->below != nullptr) end = chunk->below->end();
    }
  }

 private:
  [[nodiscard]] bool next_chunk() noexcept;
  void enter(LocalChunk* chunk) noexcept;
  void close_scope_slow(Mark mark, std::uint64_t depth) noexcept;
  void pop_to(LocalSlot* top, LocalChunk* chunk) noexcept;

  const RootGate& gate_;
  LocalChunks& chunks_;
  LocalSlot* top_ = nullptr;
  LocalSlot* chunk_end_ = nullptr;  ///< While closed, top_: push() then takes its slow path.
  LocalChunk* chunk_ = nullptr;     ///< The topmost.
  std::uint64_t place_bias_ = 0;    ///< From a slot's address in the topmost chunk to its place.
  std::uint64_t serial_ = 0;        ///< Of the last push.
  std::uint64_t depth_ = 0;         ///< base_depth_ and the scopes that are open.
  std::uint64_t base_depth_ = 0;
  bool is_open_ = false;
};

}  // namespace besom::detail
