#pragma once

#include <atomic>
#include <cstdint>

#include "freelist/export.hpp"
#include "freelist/zeroed_array.hpp"
#include "gc/callback_visitor.hpp"
#include "gc/held_roots.hpp"
#include "gc/mark_hook.hpp"
#include "gc/native_stack.hpp"
#include "heap/error.hpp"
#include "heap/type.hpp"

namespace besom {

class Heap;

/// Enumerates the embedder's own roots by visiting each. May not allocate or change roots.
using RootCallback = void (*)(void* user, Tracer& tracer);

namespace detail {

/// One persistent root. The serial changes at each use of the slot and never repeats, so that a
/// handle that outlived its root is told from one that owns the slot now.
struct HandleSlot {
  std::uint64_t serial;
  const char* label;
  std::uint32_t ref;
  std::uint32_t next_free;  ///< Slot number + 1.
};

/// One root of a handle scope.
struct LocalSlot {
  std::uint64_t serial;  ///< Of the scope's push; 0 when the scope has ended.
  std::uint32_t ref;
};

/// Where roots that are no handles come from; or, with a hook, what else is called in a collection.
struct RootSource {
  RootCallback callback;  ///< nullptr: a range of slots or of words, a stack, or a hook.
  void* user;
  std::uint32_t* slots;
  std::uint64_t count;
  const char* label;
  std::uint64_t serial;         ///< 0: free.
  const void* words = nullptr;  ///< Ambiguous words, not slots, up to `words_end`.
  const void* words_end = nullptr;
  NativeStack stack = {};  ///< Without an end where the source is no stack.
  MarkHook hook = nullptr;

  [[nodiscard]] HeldRoot::Kind kind() const noexcept {
    if (hook != nullptr) return HeldRoot::Kind::mark_hook;
    return callback != nullptr ? HeldRoot::Kind::callback : HeldRoot::Kind::range;
  }
};

/// The label of the new object that is a root by itself, in reports.
inline constexpr const char* kNewestLabel = "newest object";

/// An address that no other living thread has: cheaper to compare than a thread id.
[[nodiscard]] BESOM_API const void* this_thread() noexcept;

/// All roots of one heap. It outlives the heap while handles to it remain, so that a handle can
/// learn that its heap is gone.
///
/// Handle slots lie in chunks that never move; so do local slots, which form a stack over chunks.
/// Not thread-safe.
class BESOM_API RootTable {
 public:
  static constexpr std::uint32_t kChunkSlots = 1024;

  /// nullptr when the host has no memory.
  [[nodiscard]] static RootTable* create(Heap* heap) noexcept;
  void retain() noexcept { ++owners_; }
  /// The last owner's release destroys the table.
  void release() noexcept {
    if (--owners_ == 0) [[unlikely]]
      delete this;
  }

  [[nodiscard]] Heap* heap() const noexcept { return heap_; }
  /// The heap is gone, and all roots with it.
  void detach() noexcept;
  /// Drops every root; handles and locals become stale.
  void clear() noexcept;

  /// The thread that may change roots.
  void set_thread(const void* thread) noexcept { thread_ = thread; }
  /// Why roots cannot be changed now: reentrant, wrong_thread, or ok.
  [[nodiscard]] Errc refusal() const noexcept;

  /// A new root, or nullptr when the host has no memory or there is a refusal().
  [[nodiscard]] HandleSlot* add(std::uint32_t ref, const char* label) noexcept;
  /// Aborts when there is a refusal(): a root that nobody owns would stay for good.
  void remove(HandleSlot* slot) noexcept;
  [[nodiscard]] std::uint64_t handle_count() const noexcept { return handle_count_; }

  /// A new local root, or nullptr when the host has no memory or roots are being enumerated.
  [[nodiscard]] LocalSlot* push(std::uint32_t ref) noexcept {
    if (top_ == chunk_end_) [[unlikely]] {
      if (!next_local_chunk()) return nullptr;
    }
    *top_ = {++serial_, ref};
    return top_++;
  }

  struct ScopeMark {
    LocalSlot* top;
    std::uint32_t chunk;
  };
  [[nodiscard]] ScopeMark open_scope() noexcept {
    ++open_scopes_;
    return {top_, local_chunk_};
  }
  /// `depth`: open_scopes() right after this scope was opened.
  void close_scope(ScopeMark mark, std::uint32_t depth) noexcept {
    // Where there is room in the chunk the table is neither locked nor detached.
    if (depth != open_scopes_ || mark.chunk != local_chunk_ || mark.top == nullptr ||
        top_ == chunk_end_) [[unlikely]] {
      close_scope_slow(mark, depth);
      return;
    }
    --open_scopes_;
    while (top_ != mark.top) *--top_ = {};
  }
  /// Pops the local root `serial` at `position`, which was pushed where `open_scopes` were open,
  /// and all after it, and closes the scopes opened since, whose destructors do not run any more.
  /// False when that root is not there any more.
  [[nodiscard]] bool unwind(std::uint64_t position, std::uint64_t serial,
                            std::uint32_t open_scopes) noexcept;
  /// Of the last local root: chunk times kChunkSlots and place in it.
  [[nodiscard]] std::uint64_t last_position() const noexcept {
    return std::uint64_t{local_chunk_} * kChunkSlots +
           static_cast<std::uint64_t>(top_ - local_chunks_[local_chunk_]) - 1;
  }
  [[nodiscard]] std::uint32_t open_scopes() const noexcept { return open_scopes_; }

  /// The serial that names the source, or 0 when the host has no memory.
  [[nodiscard]] std::uint64_t add_source(const RootSource& source) noexcept;
  /// False when there is no such source: removed already, or another heap's. Aborts when there is a
  /// refusal().
  [[nodiscard]] bool remove_source(std::uint64_t serial) noexcept;

  /// Adding and removing roots is refused while they are enumerated.
  void set_locked(bool locked) noexcept;
  [[nodiscard]] bool is_locked() const noexcept { return locked_.load(std::memory_order_relaxed); }

  /// Visits the slots of all handles that hold a ref: `visit(ref)` may change it.
  template <class Visit>
  void each_handle(Visit visit) {
    for (std::uint32_t i = 0; i < handle_limit_; ++i) {
      HandleSlot& slot = handle_chunks_[i / kChunkSlots][i % kChunkSlots];
      if (slot.ref != 0) visit(slot.ref);
    }
  }

  /// Visits every root; `visit(bits, label)` for handles, locals and ranges of slots. Callbacks get
  /// `tracer`, and so do ambiguous words. `enter(kind, label)` comes before each registration and,
  /// without a label, before handles and locals.
  template <class Visit, class Enter>
  void each(Tracer& tracer, Visit visit, Enter enter) const {
    enter(HeldRoot::Kind::handle, nullptr);
    for (std::uint32_t i = 0; i < handle_limit_; ++i) {
      const HandleSlot& slot = handle_chunks_[i / kChunkSlots][i % kChunkSlots];
      if (slot.ref != 0) visit(slot.ref, slot.label);
    }
    enter(HeldRoot::Kind::local, nullptr);
    each_local([&](const LocalSlot& slot) {
      if (slot.ref != 0) visit(slot.ref, "local");
    });
    for (std::size_t i = 0; i < source_count_; ++i) {
      const RootSource& source = sources_[i];
      if (source.serial == 0) continue;
      enter(source.kind(), source.label);
      if (source.callback != nullptr) {
        source.callback(source.user, tracer);
        continue;
      }
      if (source.words != nullptr) visit_words(source.words, source.words_end, tracer);
      if (source.stack.end != nullptr) visit_stack(source.stack, tracer);
      // A hook has no slots.
      for (std::uint64_t k = 0; k < source.count; ++k) visit(source.slots[k], source.label);
    }
  }
  /// `visit(kind, label)` for every handle, local and registration.
  template <class Visit>
  void each_held(Visit visit) const {
    for (std::uint32_t i = 0; i < handle_limit_; ++i) {
      const HandleSlot& slot = handle_chunks_[i / kChunkSlots][i % kChunkSlots];
      if (slot.serial != 0) visit(HeldRoot::Kind::handle, slot.label);
    }
    each_local([&](const LocalSlot& slot) {
      if (slot.ref != 0) visit(HeldRoot::Kind::local, "local");
    });
    for (std::size_t i = 0; i < source_count_; ++i) {
      const RootSource& source = sources_[i];
      if (source.serial == 0) continue;
      visit(source.kind(), source.label);
    }
  }
  /// Calls the mark hooks in the order of their places.
  void run_hooks(const MarkView& marks) const;
  /// `visit(bits, label, kind, held)` for those as well that callbacks and ambiguous words name.
  template <class Visit>
  void each_labelled(const Addresses& addresses, Visit visit) const {
    HeldRoot::Kind held = HeldRoot::Kind::handle;
    const char* label = nullptr;
    CallbackVisitor visitor(addresses, [&](std::uint32_t bits, SlotKind kind, bool) {
      visit(bits, label, kind, held);
    });
    each(
        visitor,
        [&](std::uint32_t bits, const char* own_label) {
          visit(bits, own_label, SlotKind::value, held);
        },
        [&](HeldRoot::Kind entered, const char* entered_label) {
          held = entered;
          label = entered_label;
        });
  }

 private:
  template <class Visit>
  void each_local(Visit visit) const {
    for (std::uint32_t chunk = 0; chunk <= local_chunk_ && local_count_ != 0; ++chunk) {
      const LocalSlot* slot = local_chunks_[chunk];
      const LocalSlot* end = chunk == local_chunk_ ? top_ : slot + kChunkSlots;
      for (; slot != end; ++slot) visit(*slot);
    }
  }

  RootTable() = default;
  ~RootTable();
  [[nodiscard]] bool next_local_chunk() noexcept;
  void close_scope_slow(ScopeMark mark, std::uint32_t depth) noexcept;
  void pop_to(LocalSlot* top, std::uint32_t chunk) noexcept;

  Heap* heap_ = nullptr;
  std::uint32_t owners_ = 1;
  std::atomic<bool> locked_ = false;  ///< A signal handler may ask.
  const void* thread_ = nullptr;
  std::uint64_t serial_ = 0;

  LocalSlot* top_ = nullptr;
  LocalSlot* chunk_end_ = nullptr;  ///< While locked, top_: push() then takes its slow path.
  std::uint32_t local_chunk_ = 0;   ///< The chunk that `top_` lies in.
  std::uint32_t local_count_ = 0;   ///< Chunks there are.
  std::uint32_t open_scopes_ = 0;
  ZeroedArray<LocalSlot*> local_chunks_;

  std::uint32_t handle_limit_ = 0;  ///< Slots ever used.
  std::uint32_t first_free_ = 0;    ///< Slot number + 1.
  std::uint64_t handle_count_ = 0;
  ZeroedArray<HandleSlot*> handle_chunks_;

  ZeroedArray<RootSource> sources_;
  std::size_t source_count_ = 0;
};

}  // namespace detail
}  // namespace besom
