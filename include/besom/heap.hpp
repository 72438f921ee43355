#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "besom/contract.hpp"
#include "besom/detail/export.h"
#include "besom/detail/heap_parts.hpp"
#include "besom/error.hpp"
#include "besom/fiber.hpp"
#include "besom/finalizer.hpp"
#include "besom/handle.hpp"
#include "besom/mark_hook.hpp"
#include "besom/options.hpp"
#include "besom/ref.hpp"
#include "besom/site.hpp"
#include "besom/stats.hpp"
#include "besom/type.hpp"
#include "besom/weak.hpp"

namespace besom {

class Heap;

namespace detail {
struct TypeInfo;

/// For interfaces on top of this one, whose calls return to `caller`.
void* allocate_for(Heap& heap, TypeId type, std::uint64_t length, const void* caller) noexcept;
}  // namespace detail

class BESOM_API RootRegistration;
/// Of a mark hook.
using MarkHookRegistration = RootRegistration;

/// Owns a heap, and destroys it when it goes. Turns into a std::unique_ptr<Heap> where one is
/// wanted: the header of that would take as long to compile as all of this library's.
class HeapPtr {
 public:
  HeapPtr() noexcept = default;
  /// Owns `heap`, or nothing with nullptr.
  explicit HeapPtr(Heap* heap) noexcept : heap_(heap) {}
  /// `other` owns nothing then.
  HeapPtr(HeapPtr&& other) noexcept : heap_(other.release()) {}
  /// The heap that it had is destroyed now.
  HeapPtr& operator=(HeapPtr&& other) noexcept {
    reset(other.release());
    return *this;
  }
  ~HeapPtr() { reset(); }

  /// nullptr where it owns nothing.
  [[nodiscard]] Heap* get() const noexcept { return heap_; }
  /// @{
  /// Precondition: it owns a heap.
  [[nodiscard]] Heap* operator->() const noexcept { return heap_; }
  [[nodiscard]] Heap& operator*() const noexcept { return *heap_; }
  /// @}
  /// Whether it owns a heap.
  explicit operator bool() const noexcept { return heap_ != nullptr; }
  /// Owns `heap` from now on.
  inline void reset(Heap* heap = nullptr) noexcept;
  /// Owns nothing any more.
  [[nodiscard]] Heap* release() noexcept { return std::exchange(heap_, nullptr); }

  /// Hands the heap over to a std::unique_ptr<Heap>.
  template <class Owner>
  requires std::is_same_v<typename Owner::pointer, Heap*>
  operator Owner() && noexcept { return Owner(release()); }

 private:
  Heap* heap_ = nullptr;
};

/// A garbage-collected heap: one arena of up to 4 GiB with all objects, and beside it the tables
/// that say where objects start, what is free and what is marked. Any number of heaps live in a
/// process; nothing is shared between them. One thread at a time: see attach_thread().
///
/// Objects never move: a raw pointer is good while its object is reachable from a root. A
/// collection happens inside allocate() and what allocates, collect() and safepoint() only, and in
/// run_finalizers() where a finalizer called collect(). The object that allocate()
/// returned last is safe without a root until the next allocation or collect(), or until it is
/// given to a handle, local or set().
///
/// Nothing here throws. What can run out returns nullptr or an Error and leaves the heap as it was.
/// Memory is refused, with heap_limit or commit_failed, only after a full collection that found no
/// room, where one is allowed. As long as nothing was allocated and nothing dropped since, whatever
/// does not fit is refused without another. A store that write_ref(), a member type or note_store()
/// did not make may have dropped something unseen: call collect() then; in any case the 32nd
/// refusal in a row collects, then the 64th after that, and so on.
class BESOM_API Heap {
 public:
  /// Fails with bad_option, reserve_failed, commit_failed or out_of_host_memory, and with
  /// write_failed where a file of the options cannot be made.
  [[nodiscard]] static Result<HeapPtr> create(const HeapOptions& options = {});
  /// Frees everything in one munmap, after the release hooks of the objects that have one. Handles
  /// and guardians become stale; finalizers are not run; a log line at `info` names the handles
  /// that are still held. Aborts during a collection or inside a finalizer, and on another thread
  /// while handles are held.
  ~Heap();
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;

  /// Defines the type of `T` by `T::type()`. The descriptor's size has to be sizeof(T), and it has
  /// a release hook exactly if T::kReleased says so. A T with a trailing array may say the size of
  /// its elements as `kElementBytes`, as the array types here do: its allocation is then inlined;
  /// without any slots, for which marking has no need of the objects' memory, also `kLeaf = true`.
  ///
  /// Objects begin as zeros, and neither a constructor nor a destructor of `T` ever runs. So it
  /// does not compile for a T with virtual functions, with a header elsewhere than at its
  /// beginning, with an alignment above 16 bytes, or, but with kReleased, with a destructor; a T
  /// whose default member initializers are not zero is a bad_type. T may derive from a type with
  /// the header. Fails with bad_type, out_of_host_memory, reentrant and
  /// wrong_thread.
  template <class T>
  [[nodiscard]] Result<Type<T>> define() {
    detail::require_object_type<T>();
    TypeDescriptor descriptor = T::type();
    if (descriptor.size != sizeof(T)) {
      return Error{.code = Errc::bad_type,
                   .bytes = descriptor.size,
                   .limit = sizeof(T),
                   .detail = "size differs from the C++ type's"};
    }
    if constexpr (requires { T::kElementBytes; }) {
      const std::uint32_t element = TypeDescriptor::element_bytes(descriptor.trailing);
      if (element != T::kElementBytes) {
        return Error{.code = Errc::bad_type,
                     .bytes = element,
                     .limit = T::kElementBytes,
                     .detail = "element size differs from the C++ type's"};
      }
    }
    if (detail::kLeaf<T> && !descriptor.is_leaf()) {
      return Error{.code = Errc::bad_type, .detail = "kLeaf: the type has slots"};
    }
    if ((descriptor.release != nullptr) != detail::kReleased<T>) {
      return Error{.code = Errc::bad_type, .detail = "release: contradicts kReleased"};
    }
    const std::optional<bool> is_zero = detail::begins_as_zeros<T>();
    if (!is_zero) return Error{.code = Errc::out_of_host_memory, .detail = "type"};
    if (!*is_zero) {
      return Error{.code = Errc::bad_type,
                   .detail = "initializers: objects begin as zeros, and the type's are not"};
    }
    const Result<TypeId> id = define(std::move(descriptor));
    if (!id) return id.error();
    return Type<T>{*id};
  }
  /// Defines a type that stands for no C++ type: its objects are allocated by the TypeId. Fails
  /// likewise.
  [[nodiscard]] Result<TypeId> define(TypeDescriptor descriptor);
  /// The descriptor of a type of this heap, or nullptr.
  [[nodiscard]] const TypeDescriptor* descriptor(TypeId type) const noexcept;

  /// A new object of `T`, all its fields zero; nullptr when the heap is exhausted, and error() says
  /// why. Inline: some ten instructions. O(1), a collection or growth now and then apart.
  template <class T>
  [[nodiscard]] T* allocate(Type<T> type) noexcept {
    detail::require_object_type<T>();
    constexpr std::uint32_t kGranules = (sizeof(T) + kGranuleBytes - 1) / kGranuleBytes;
    if constexpr (detail::kReleased<T>) {
      return static_cast<T*>(allocate(type.id, 0));
    } else if constexpr (kGranules <= detail::Front::kWindowClasses) {
      constexpr std::size_t kBytes = std::size_t{kGranules} * kGranuleBytes;
      detail::Window& window = parts_.front.windows[kGranules];
      if (window.room() >= kBytes) [[likely]] {
        char* object = window.cursor;
        window.cursor += kBytes;
        std::memset(object, 0, kBytes);
        return static_cast<T*>(begin_object(object, type.id, 0));
      }
      if (char* object = bump(kGranules)) [[likely]]
        return static_cast<T*>(begin_object(object, type.id, 0));
      return static_cast<T*>(take(type.id, kGranules));
    }
    return static_cast<T*>(allocate_slow(type.id, 0));
  }
  /// The same for a type with a trailing array of `length` elements. object_too_large, before
  /// anything is collected, where heap_max or a header's 32 bits do not hold as many.
  template <class T>
  [[nodiscard]] T* allocate(Type<T> type, std::uint64_t length) noexcept {
    detail::require_object_type<T>();
    constexpr std::uint64_t kMostBytes = detail::Front::kWindowClasses * kGranuleBytes;
    if constexpr (requires { T::kElementBytes; } && !detail::kReleased<T> &&
                  sizeof(T) <= kMostBytes) {
      constexpr std::uint64_t kElementBytes = T::kElementBytes;
      constexpr std::uint64_t kMost =
          (kMostBytes - sizeof(T)) / (kElementBytes != 0 ? kElementBytes : 1);
      if (length <= kMost) [[likely]] {
        const auto count = static_cast<std::uint32_t>(length);
        const auto granules = static_cast<std::uint32_t>(
            (sizeof(T) + kElementBytes * count + kGranuleBytes - 1) >> kGranuleShift);
        if (char* object = bump(granules)) {
          return static_cast<T*>(detail::kLeaf<T> ? begin_leaf(object, type.id, count)
                                                  : begin_object(object, type.id, count));
        }
      }
    }
    return static_cast<T*>(allocate(type.id, length));
  }
  /// The same for a type known only at run time.
  [[nodiscard]] void* allocate(TypeId type, std::uint64_t length = 0) noexcept;
  /// How generated code allocates objects of `size_bytes`, header included, in this heap. From then
  /// on such objects have memory of their own to be allocated inline in: ask for sizes that code is
  /// generated for, and for no others.
  [[nodiscard]] AllocationContract allocation_contract(std::uint64_t size_bytes) noexcept;

  /// A new object in a handle; an empty handle when the heap is exhausted.
  template <class T>
  [[nodiscard]] Handle<T> make(Type<T> type, std::uint64_t length = 0,
                               const char* label = "handle") noexcept {
    T* object = length == 0 ? allocate(type) : allocate(type, length);
    return object != nullptr ? Handle<T>(*this, object, label) : Handle<T>();
  }

  /// Why the last allocation or rooting that failed did so.
  [[nodiscard]] const Error& error() const noexcept { return parts_.error; }

  /// The object of a ref that is known to be good, or nullptr. Unchecked: with the full reservation
  /// a wrong ref reads wrong bytes of this heap or faults in the guard, nothing else.
  template <class T>
  [[nodiscard]] T* get(Ref<T> ref) const noexcept {
    return ref ? reinterpret_cast<T*>(parts_.front.base + ref.index()) : nullptr;
  }
  /// The object of a ref that may be anything: bad_ref unless an object starts there whose type is
  /// `type` (0: any) and whose header agrees with the tables; wrong_thread. O(1).
  [[nodiscard]] Result<Header*> check(Ref<void> ref, TypeId type = 0) noexcept;
  /// The same, as a `T`.
  template <class T>
  [[nodiscard]] Result<T*> check(Ref<T> ref, Type<T> type) noexcept {
    const Result<Header*> header = check(Ref<void>(ref), type.id);
    if (!header) return header.error();
    return reinterpret_cast<T*>(*header);
  }
  /// Whether `address` lies in this heap's arena.
  [[nodiscard]] bool contains(const void* address) const noexcept;
  /// The object that the address points to or into, or nullptr; also on another thread. O(1).
  [[nodiscard]] Header* object_start(const void* address) noexcept;

  /// Collects now, all of the heap; inside a finalizer, when that has returned. Fails with
  /// reentrant from inside a collection, with wrong_thread, with no_collect where collections are
  /// forbidden, with abandoned when a callback called Tracer::abandon(), and with nothing else: a
  /// collection cannot run out of anything.
  Error collect() noexcept;
  /// Each minor collection looks at all that `object` refers to, as if note_store() had been called
  /// for it; with false, no longer. For objects whose trace callback leads to memory of the host,
  /// such as a fiber's stack, in which refs are stored without a word to the heap. The object is
  /// not kept by that, and when it dies it is forgotten. Costs each collection of a generational
  /// heap O(number of such objects), and each minor one what it takes to visit them all, those too
  /// that are old and dead until a full collection finds out; each call O(their number); 4 bytes of
  /// host memory. Nothing in a heap that is not generational: an incremental one has to be told
  /// before that memory changes, by note_overwrite_object(). Fails with bad_ref, wrong_heap,
  /// reentrant, wrong_thread and out_of_host_memory.
  Error set_always_remembered(const void* object, bool remembered = true) noexcept;
  /// Calls the callbacks of guardians that have one for their ready agents, by priority and age
  /// over all of them: at most `limit`, and not for those that become ready meanwhile. Returns how
  /// many it called. What they throw is counted in HeapStats. Fails with reentrant from inside a
  /// collection or a finalizer, with wrong_thread, and with out_of_host_memory, as an agent takes a
  /// local root's place; then nothing is lost. O(log n) each. Compiled into the caller, since this
  /// library knows no exceptions.
  [[gnu::always_inline]] Result<std::uint64_t> run_finalizers(std::uint64_t limit = ~std::uint64_t{
                                                                  0});
  /// To be called where the embedder's `longjmp` lands that may have left a callback of this heap:
  /// a collection, or a walk such as verify(), is over then. One whose marking was left is
  /// abandoned and nothing of it is freed; one that only had to be reported counts as done. A
  /// finalizer that was left counts as run, and its agent is no root any more; a collect() that it
  /// asked for happens at the next allocation. Where the jump landed inside the finalizer it goes
  /// on. Else does nothing. Local roots are not touched: see restore_locals(), which ends a
  /// finalizer, too, that began after the mark. Fails with wrong_thread.
  /// Aborts the collection, with a message, when a callback calls it and returns to its caller.
  ///
  /// A C++ exception must not leave a callback: the library is compiled without unwinding, and
  /// std::terminate is what comes of it. ExceptionCarrier keeps one until the call has returned.
  Error recover() noexcept;
  /// Drops all roots, registrations and objects, after the release hooks of those that have one: as
  /// after create(), but with the types and guardians kept, and with the external bytes, which are
  /// the embedder's to take away. Handles become stale. Restores service after the arena's contents
  /// were damaged. Fails with reentrant, also from inside a finalizer, and wrong_thread.
  Error reset() noexcept;

  /// The collection that ended last; all zero before the first. O(1), but for the first call after
  /// a collection that left the sweep to allocation, which counts the dead: O(capacity / 1 KiB).
  [[nodiscard]] const CollectionStats& last_collection() const noexcept;
  /// The heap now. Costs the same.
  [[nodiscard]] HeapStats stats() const noexcept;
  /// The stops of one kind since creation.
  [[nodiscard]] StopStats stops(StopKind kind) const noexcept;
  /// The least that the stops left to the program, since creation.
  [[nodiscard]] Utilisation utilisation() const noexcept;
  /// nullptr: nobody listens any more. Fails with reentrant and wrong_thread.
  Error set_listener(CollectionListener listener, void* user) noexcept;

  /// `namer` is asked where the program is, at each allocation that is a sample: see
  /// HeapOptions::sample_bytes. nullptr: the addresses that calls of the heap return to are taken.
  /// Fails with reentrant and wrong_thread.
  Error set_site_namer(SiteNamer namer, void* user) noexcept;

  /// Collects if that is due: where HeapOptions::safepoints is on, nothing else does but collect().
  /// After a refused allocation a full one is. All that is to stay has to be rooted here. Inside a
  /// NoCollectScope it does nothing. Fails with reentrant, wrong_thread and abandoned. Some twenty
  /// instructions where nothing is due.
  Error safepoint() noexcept;
  /// In an incremental heap, works on the cycle that is under way, some `units` of it, and begins
  /// one where none is: for hosts that have idle time, or count fuel. All that is to stay has to be
  /// rooted here. A unit is an object or slot visited, some ten nanoseconds. Returns about how many
  /// are left; 0 when the cycle has ended, or nothing was allocated since the last. Fails with
  /// bad_option where the heap is not incremental, with no_collect where collections are forbidden,
  /// reentrant, wrong_thread and abandoned.
  [[nodiscard]] Result<std::uint64_t> step(std::uint64_t units) noexcept;
  /// No collection happens until allow_collections() was called as often: see NoCollectScope. Fails
  /// with reentrant and wrong_thread.
  Error forbid_collections() noexcept;
  /// Fails with unbalanced where collections are not forbidden, and as forbid_collections() does.
  Error allow_collections() noexcept;

  /// Counts `bytes` that the embedder holds outside of the heap on behalf of objects, such as a
  /// buffer that goes when its object does. They bring the next collection closer as if they were
  /// objects: see detail::Pacer. Never collects by itself; may be called in callbacks. Fails with
  /// wrong_thread, and with heap_limit when the sum would pass 2^64. O(1).
  Error add_external(std::uint64_t bytes) noexcept;
  /// `bytes` of those have gone. Fails with wrong_thread, and with unbalanced when there are not as
  /// many. O(1).
  Error remove_external(std::uint64_t bytes) noexcept;

  /// Roots `object`, or nullptr, until the innermost HandleScope around ends, or locals are
  /// restored to an earlier mark. Without either it stays. Empty as HandleScope::root().
  template <class T>
  [[nodiscard]] Local<T> local(T* object) noexcept {
    return Local<T>(*this, *parts_.roots, parts_.roots->locals(), object);
  }
  /// Where local roots and scopes of the fiber that runs stand now: the shadow stack's height. To
  /// be restored once, also after a longjmp past HandleScopes and NoCollectScopes. Takes one local
  /// root's place. Empty when the host has no memory, in a collection and on another thread;
  /// error() says which. O(1).
  [[nodiscard]] LocalMark mark_locals() noexcept;
  /// Drops all local roots made since the mark and ends the scopes opened since, which must have
  /// been jumped out of: the destructor of one that has not aborts. The mark is used up. Fails with
  /// stale_handle when it was restored before, or an earlier one was, or the scope around it has
  /// ended, or it was made on another fiber; with wrong_heap, reentrant (call recover() first) and
  /// wrong_thread. O(locals dropped).
  Error restore_locals(const LocalMark& mark) noexcept;

  /// `fiber` runs from now on, nullptr: the thread itself, as `swap(user)` takes control there, by
  /// swapcontext() or its like. Returns when control has come back, which takes another switch_to()
  /// with the fiber that calls here; control that comes back without one aborts. Locals and scopes
  /// are the running fiber's, all else is the heap's: NoCollectScope, too. Where native stacks are
  /// searched, the registers that the caller uses are kept with its stack. Fails with bad_option
  /// for what runs already, bad_argument without `swap`, wrong_heap, stale_handle for an empty
  /// fiber, reentrant and wrong_thread; then nothing is called. O(1). The heap has to live until
  /// control has come back.
  Error switch_to(Fiber* fiber, StackSwap swap, void* user);
  /// The same with anything that can be called.
  template <class Swap>
  Error switch_to(Fiber* fiber, Swap&& swap) {
    auto* called = std::addressof(swap);
    return switch_to(
        fiber, [](void* user) { (**static_cast<decltype(called)*>(user))(); }, &called);
  }

  /// `callback` names roots of the embedder's own at each collection. Empty with bad_argument
  /// without one, when the host has no memory, in a collection and on another thread; error() says
  /// which. So for the next three. O(1) amortised; removing takes O(log n). `label` is static text.
  [[nodiscard]] RootRegistration add_roots(RootCallback callback, void* user, const char* label);
  /// `count` slots at `slots`, refs or values, are roots until the registration goes. The embedder
  /// keeps them in place. Empty with bad_option where they are not aligned or larger than memory.
  [[nodiscard]] RootRegistration add_root_range(std::uint32_t* slots, std::uint64_t count,
                                                const char* label);
  /// `hook` is called in each collection between mark and sweep, until the registration goes.
  /// Several are called in the order in which they were added.
  [[nodiscard]] MarkHookRegistration add_mark_hook(MarkHook hook, void* user, const char* label);

  /// Each aligned word in [begin, end) is a root if it happens to be one: see Tracer::visit_word().
  /// For memory that the embedder does not know slot by slot, such as a saved register set. The
  /// words are read at each collection, also where ASan has poisoned them. Empty with bad_option
  /// when `end` lies below `begin` or the range is no memory.
  [[nodiscard]] RootRegistration add_ambiguous_range(const void* begin, const void* end,
                                                     const char* label);
  /// From now on every collection looks for roots in the calling thread's registers and its stack,
  /// in the same way: objects whose raw pointers, interior ones too, or refs stand in local
  /// variables live on. `base` limits the search to what lies below it: an address in the frame of
  /// a function that holds none itself, by __builtin_frame_address(0) or as a variable's; nullptr
  /// searches all of the stack. While registered, the heap collects on this thread alone, and only
  /// while that frame is there: on another thread, or where no frame of the collector's lies below
  /// `base`, it aborts. While a fiber runs, what the thread's stack held at switch_to() is
  /// searched; the fiber's stack is where the Fiber says so. Empty with bad_option when the caller
  /// is not on the thread's stack, and when `base` is no address in a caller's frame, which a
  /// variable's is not where ASan moves variables off the stack (detect_stack_use_after_return).
  [[nodiscard]] RootRegistration scan_native_stack(const void* base = nullptr);

  /// The calling thread takes the heap over from the one that used it. The embedder makes sure that
  /// the other has stopped. Slow paths refuse any other thread. Fails with reentrant during a
  /// collection, also one that a callback jumped out of and that was not recovered from, and while
  /// a fiber of the other thread runs.
  Error attach_thread() noexcept;

  /// The options in force, what the environment said and a random hash_seed included.
  [[nodiscard]] const HeapOptions& options() const noexcept { return parts_.options; }

 private:
  friend detail::HeapParts& detail::parts_of(Heap& heap) noexcept;
  friend const detail::HeapParts& detail::parts_of(const Heap& heap) noexcept;
  friend void* detail::allocate_for(Heap& heap, TypeId type, std::uint64_t length,
                                    const void* caller) noexcept;

  explicit Heap(const HeapOptions& options) noexcept;
  /// A heap that nobody observes. The options are checked, and the last word.
  [[nodiscard]] static Result<HeapPtr> make_parts(const HeapOptions& options, const LogSink& log);

  /// Memory for an object of `granules`, zeroed, from the hole at hand; nullptr when its rest is
  /// too small.
  [[nodiscard]] char* bump(std::uint32_t granules) noexcept {
    if (!parts_.front.has_room(granules)) return nullptr;
    if (parts_.front.is_in_used_line()) [[likely]]
      return parts_.front.bump(granules);
    return bump_in_new_line(granules);
  }
  [[nodiscard]] char* bump_in_new_line(std::uint32_t granules) noexcept;
  /// A new object without a trailing array or a release hook. See Space::take().
  [[nodiscard]] void* take(TypeId type, std::uint32_t granules) noexcept;

  /// An object without refs.
  void* begin_leaf(char* object, TypeId type, std::uint32_t length) noexcept {
    parts_.front.leaves.set(detail::index_of(object) >> kGranuleShift);
    return begin_object(object, type, length);
  }
  void* begin_object(char* object, TypeId type, std::uint32_t length) noexcept {
    const Header header{type, length};
    std::memcpy(object, &header, sizeof header);
    parts_.newest = detail::index_of(object);
    return object;
  }
  void* begin_noted(char* object, const detail::TypeInfo& info, TypeId type,
                    std::uint32_t length) noexcept;
  /// A new object, whose memory was not at hand, may be a sample.
  void note_taken(const void* object, std::uint64_t size_bytes, TypeId type,
                  const void* caller) noexcept;
  void* begin_released(char* object, TypeId type, std::uint32_t length) noexcept;
  [[nodiscard]] void* allocate_slow(TypeId type, std::uint64_t length) noexcept;
  /// allocate(), whose call returns to `caller`.
  [[nodiscard]] void* allocate_for(TypeId type, std::uint64_t length, const void* caller) noexcept;
  [[nodiscard]] void* allocate_slow_for(TypeId type, std::uint64_t length,
                                        const void* caller) noexcept;
  [[nodiscard]] RootRegistration add_source(const detail::RootSource& source);
  Result<std::uint64_t> run_finalizers_by(detail::FinalizerRunner runner,
                                          std::uint64_t limit) noexcept;

  detail::HeapParts parts_;
};

/// Unregisters a root callback, a range or a mark hook when it goes. Movable; outliving its heap is
/// harmless.
class BESOM_API RootRegistration {
 public:
  RootRegistration() noexcept = default;
  /// @{
  /// `other` is empty then. What this one had is unregistered now, as by the destructor.
  RootRegistration(RootRegistration&& other) noexcept
      : table_(std::exchange(other.table_, nullptr)), serial_(std::exchange(other.serial_, 0)) {}
  RootRegistration& operator=(RootRegistration&& other) noexcept {
    RootRegistration taken(std::move(other));
    std::swap(table_, taken.table_);
    std::swap(serial_, taken.serial_);
    return *this;
  }
  /// @}
  /// Aborts during a collection and on another thread: the roots would stay registered for good.
  ~RootRegistration() {
    if (table_ == nullptr) return;
    static_cast<void>(table_->remove_source(serial_));
    table_->release();
  }
  /// False where it is empty: registering failed, or it was moved from.
  explicit operator bool() const noexcept { return serial_ != 0; }
  /// Unregisters now; stale_handle when that was done before, or the heap is gone. Fails with
  /// reentrant and wrong_thread, and may then be called again.
  Error remove() noexcept;

 private:
  friend class Heap;
  RootRegistration(detail::RootTable* table, std::uint64_t serial) noexcept
      : table_(table), serial_(serial) {
    table_->retain();
  }

  detail::RootTable* table_ = nullptr;
  std::uint64_t serial_ = 0;
};

namespace detail {

inline HeapParts& parts_of(Heap& heap) noexcept { return heap.parts_; }
inline const HeapParts& parts_of(const Heap& heap) noexcept { return heap.parts_; }
inline RootTable& roots_of(Heap& heap) noexcept { return *parts_of(heap).roots; }
inline char* base_of(const Heap& heap) noexcept { return parts_of(heap).front.base; }
inline void note_rooted(Heap& heap, std::uint32_t ref) noexcept {
  if (parts_of(heap).newest == ref) parts_of(heap).newest = 0;
}

}  // namespace detail

inline void HeapPtr::reset(Heap* heap) noexcept { delete std::exchange(heap_, heap); }

inline Result<std::uint64_t> Heap::run_finalizers(std::uint64_t limit) {
#ifdef __cpp_exceptions
  return run_finalizers_by(detail::run_catching, limit);
#else
  return run_finalizers_by(detail::run_plainly, limit);
#endif
}

}  // namespace besom
