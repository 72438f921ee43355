#pragma once

#include <cstdint>

#include "besom/barrier.hpp"
#include "besom/detail/export.h"
#include "besom/detail/handle_table.hpp"
#include "besom/detail/host_pool.hpp"
#include "besom/detail/native_stack.hpp"
#include "besom/detail/root_gate.hpp"
#include "besom/detail/root_sources.hpp"
#include "besom/detail/shadow_stack.hpp"
#include "besom/error.hpp"
#include "besom/held_root.hpp"
#include "besom/mark_hook.hpp"
#include "besom/type.hpp"

namespace besom {

class Heap;

namespace detail {

class Addresses;

/// The label of the new object that is a root by itself, in reports.
inline constexpr const char* kNewestLabel = "newest object";

/// What a thread or a fiber has of its own.
struct FiberState {
  FiberState(const RootGate& gate, LocalChunks& chunks) noexcept : locals(gate, chunks) {}

  ShadowStack locals;
  NativeStack native = {};        ///< Without an end where it is not to be searched.
  const char* left_in = nullptr;  ///< While another runs: the frame that it was left in.
  FiberState* next = nullptr;
  FiberState* previous = nullptr;
};

/// All roots of one heap, and its weak handles. It outlives the heap while handles to it remain, so
/// that a handle can learn that its heap is gone. Not thread-safe.
/// What a root holds, as each_labelled() shows it.
struct LabelledRoot {
  std::uint32_t bits;
  const char* label;
  SlotKind kind;
  HeldRoot::Kind held;
  bool is_certain;  ///< No ambiguous word, which may be a number.
};

class BESOM_API RootTable {
 public:
  /// nullptr when the host has no memory. `memory` lasts until detach().
  [[nodiscard]] static RootTable* create(Heap* heap, char* base,
                                         const TableMemory& memory) noexcept;
  void retain() noexcept { ++owners_; }
  /// The last owner's release destroys the table.
  void release() noexcept {
    if (--owners_ == 0) [[unlikely]]
      delete this;
  }

  [[nodiscard]] Heap* heap() const noexcept { return gate_.heap; }
  /// The arena's, also when the heap is gone.
  [[nodiscard]] char* base() const noexcept { return base_; }
  /// The heap is gone, and all roots with it.
  void detach() noexcept;
  /// Drops every root; handles and locals become stale. Weak handles, too.
  void clear() noexcept;

  /// The thread that may change roots.
  void set_thread(const void* thread) noexcept { gate_.thread = thread; }
  /// Why roots cannot be changed now: reentrant, wrong_thread, or ok.
  [[nodiscard]] Errc refusal() const noexcept { return gate_.refusal(); }
  /// Adding and removing roots is refused while they are enumerated.
  void set_locked(bool locked) noexcept;
  [[nodiscard]] bool is_locked() const noexcept { return gate_.is_locked(); }

  [[nodiscard]] HandleTable& handles() noexcept { return handles_; }
  [[nodiscard]] const HandleTable& handles() const noexcept { return handles_; }
  [[nodiscard]] HandleTable& weak_handles() noexcept { return weak_handles_; }
  [[nodiscard]] const HandleTable& weak_handles() const noexcept { return weak_handles_; }
  /// Frees a slot of either table that is not stale. Aborts when there is a refusal(): a root that
  /// nobody owns would stay for good.
  void remove_handle(HandleSlot* slot) noexcept;

  /// The ref of a handle goes: a cycle that has not read it yet has to know.
  void note_given_up(const HandleSlot& slot) const noexcept {
    if (Cards(base_).marking()) note_weak_read(base_, slot.ref);
  }

  /// Of the thread or fiber that runs.
  [[nodiscard]] ShadowStack& locals() noexcept { return running_->locals; }
  /// The slot at a place that a local holds.
  [[nodiscard]] LocalSlot& local(std::uint64_t place) const noexcept { return chunks_.at(place); }
  /// The same for a place that may be anything: nullptr where there is none.
  [[nodiscard]] LocalSlot* find_local(std::uint64_t place) const noexcept {
    return chunks_.find(place);
  }
  /// As ShadowStack::unwind(), on the stack that runs.
  [[nodiscard]] bool unwind(std::uint64_t place, std::uint64_t serial,
                            std::uint32_t open_scopes) noexcept;

  /// A local root, which need not be the last, is null from now on; the last one is popped where
  /// `open_scopes` are open.
  void drop_local(std::uint64_t place, std::uint32_t open_scopes) noexcept;

  /// nullptr when the host has no memory.
  [[nodiscard]] FiberState* add_fiber(const NativeStack& native) noexcept;
  /// Drops its locals and scopes.
  void remove_fiber(FiberState* fiber) noexcept;
  [[nodiscard]] FiberState& thread() noexcept { return thread_; }
  [[nodiscard]] FiberState& running() noexcept { return *running_; }
  /// `to` runs while `swap` is away. Aborts when control comes back and another is said to run.
  void switch_to(FiberState& to, StackSwap swap, void* user);

  /// The serial that names the source, or 0 when the host has no memory or there is a refusal().
  [[nodiscard]] std::uint64_t add_source(const RootSource& source) noexcept;
  /// False when there is no such source: removed already, or another heap's. Aborts when there is a
  /// refusal().
  [[nodiscard]] bool remove_source(std::uint64_t serial) noexcept;

  // The walks are defined in gc/roots/root_walks.hpp.
  /// Visits every root; `visit(bits, label)` for handles, locals and ranges of slots. Callbacks get
  /// `tracer`, and so do ambiguous words. `enter(kind, label)` comes before each registration and,
  /// without a label, before handles and locals.
  template <class Visit, class Enter>
  void each(Tracer& tracer, Visit visit, Enter enter) const;
  /// The same without handles.
  template <class Visit, class Enter>
  void each_but_handles(Tracer& tracer, Visit visit, Enter enter) const;
  /// `visit(kind, label)` for every handle, local and registration.
  template <class Visit>
  void each_held(Visit visit) const;
  /// Calls the mark hooks in the order in which they were registered.
  void run_hooks(const MarkView& marks) const;
  /// `visit(const LabelledRoot&)` for those as well that callbacks and ambiguous words name.
  template <class Visit>
  void each_labelled(const Addresses& addresses, Visit visit) const;

 private:
  static constexpr const char* kFiberLabel = "native stack of a fiber";

  RootTable(Heap* heap, char* base, const TableMemory& memory) noexcept;
  ~RootTable();

  template <class Visit>
  void each_local(Visit visit) const;
  void visit_native(const FiberState& fiber, const NativeStack& stack, Tracer& tracer) const;

  RootGate gate_;
  char* base_;
  std::uint32_t owners_ = 1;
  HandleTable handles_;
  HandleTable weak_handles_;
  LocalChunks chunks_;
  HostPool<FiberState> fibers_;
  FiberState thread_;  ///< The first of the list of all.
  FiberState* running_ = &thread_;
  /// Whose scopes were not closed. They may be yet, and then have to find that their fiber is gone,
  /// so that the memory is used for fibers alone.
  FiberState* dropped_ = nullptr;
  RootSources sources_;
};

}  // namespace detail
}  // namespace besom
