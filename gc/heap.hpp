#pragma once

#include <cstdint>
#include <cstring>
#include <memory>

#include "freelist/export.hpp"
#include "gc/allocation_contract.hpp"
#include "gc/finalizer_table.hpp"
#include "gc/handle.hpp"
#include "gc/root_table.hpp"
#include "gc/stats.hpp"
#include "gc/verifier.hpp"
#include "gc/weak.hpp"
#include "heap/error.hpp"
#include "heap/options.hpp"
#include "heap/ref.hpp"
#include "heap/space.hpp"
#include "heap/type.hpp"

namespace besom {

namespace detail {

class Collector;

/// Calls a finalizer; false when it threw.
using FinalizerRunner = bool (*)(FinalizerCallback callback, void* user, Heap& heap, void* agent);

/// Whether objects of `T` have a release hook.
template <class T>
inline constexpr bool kReleased = [] {
  if constexpr (requires { T::kReleased; }) return static_cast<bool>(T::kReleased);
  return false;
}();

[[nodiscard]] FinalizerTable& finalizers_of(Heap& heap) noexcept;
/// The object at `agent`, which is kept as a new one is.
[[nodiscard]] void* hand_out(Heap& heap, std::uint32_t agent) noexcept;
/// Takes what waiting for an object needs.
[[nodiscard]] BESOM_API Error prepare_agents(Heap& heap) noexcept;

}  // namespace detail

/// Unregisters a root callback or range when it goes. Movable; outliving its heap is harmless.
class BESOM_API RootRegistration;

/// A garbage-collected heap: one arena of up to 4 GiB with all objects, and beside it the tables
/// that say where objects start, what is free and what is marked. Any number of heaps live in a
/// process; nothing is shared between them. One thread at a time: see attach_thread().
///
/// Objects never move: a raw pointer is good while its object is reachable from a root. A
/// collection happens inside allocate() and collect() only. The object that allocate() returned
/// last is safe without a root until the next allocation or until it is given to a handle, local or
/// set().
///
/// Nothing here throws. What can run out returns nullptr or an Error and leaves the heap as it was.
class BESOM_API Heap {
 public:
  /// Fails with bad_option, reserve_failed, commit_failed or out_of_host_memory.
  [[nodiscard]] static Result<std::unique_ptr<Heap>> create(const HeapOptions& options = {});
  /// Frees everything in one munmap, after the release hooks of the objects that have one. Handles
  /// and guardians become stale; finalizers are not run. Aborts inside one.
  ~Heap();
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;

  /// Defines the type of `T` by `T::type()`. The descriptor's size has to be sizeof(T), and it has
  /// a release hook exactly if T::kReleased says so. A T with a trailing array may say the size of
  /// its elements as `kElementBytes`, as the array types here do: its allocation is then inlined.
  /// Fails with bad_type or out_of_host_memory.
  template <class T>
  [[nodiscard]] Result<Type<T>> define() {
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
    if ((descriptor.release != nullptr) != detail::kReleased<T>) {
      return Error{.code = Errc::bad_type, .detail = "release: contradicts kReleased"};
    }
    const Result<TypeId> id = define(std::move(descriptor));
    if (!id) return id.error();
    return Type<T>{*id};
  }
  [[nodiscard]] Result<TypeId> define(TypeDescriptor descriptor);
  /// The descriptor of a type of this heap, or nullptr.
  [[nodiscard]] const TypeDescriptor* descriptor(TypeId type) const noexcept;

  /// A new object of `T`, all its fields zero; nullptr when the heap is exhausted, and error() says
  /// why. Inline: some ten instructions. O(1), a collection or growth now and then apart.
  template <class T>
  [[nodiscard]] T* allocate(Type<T> type) noexcept {
    constexpr std::uint32_t kGranules = (sizeof(T) + kGranuleBytes - 1) / kGranuleBytes;
    if constexpr (detail::kReleased<T>) {
      return static_cast<T*>(allocate(type.id, 0));
    } else if constexpr (kGranules <= detail::Space::kWindowClasses) {
      constexpr std::size_t kBytes = std::size_t{kGranules} * kGranuleBytes;
      detail::Window& window = space_.window(kGranules);
      if (window.room() >= kBytes) [[likely]] {
        char* object = window.cursor;
        window.cursor += kBytes;
        std::memset(object, 0, kBytes);
        return static_cast<T*>(begin_object(object, type.id, 0));
      }
      if (char* spare = space_.take_spare(kGranules)) [[likely]] {
        return static_cast<T*>(begin_object(spare, type.id, 0));
      }
    }
    return static_cast<T*>(allocate_slow(type.id, 0));
  }
  /// The same for a type with a trailing array of `length` elements.
  template <class T>
  [[nodiscard]] T* allocate(Type<T> type, std::uint32_t length) noexcept {
    if constexpr (requires { T::kElementBytes; }) {
      const std::uint64_t granules =
          (sizeof(T) + std::uint64_t{T::kElementBytes} * length + kGranuleBytes - 1) >>
          kGranuleShift;
      if (granules <= detail::Space::kWindowClasses) [[likely]] {
        if (char* object = space_.take_spare(static_cast<std::uint32_t>(granules))) {
          return static_cast<T*>(begin_object(object, type.id, length));
        }
      }
    }
    return static_cast<T*>(allocate(type.id, length));
  }
  /// The same for a type known only at run time.
  [[nodiscard]] void* allocate(TypeId type, std::uint32_t length = 0) noexcept;
  /// How generated code allocates objects of `size_bytes`, header included, in this heap.
  [[nodiscard]] AllocationContract allocation_contract(std::uint32_t size_bytes) noexcept;

  /// A new object in a handle; an empty handle when the heap is exhausted.
  template <class T>
  [[nodiscard]] Handle<T> make(Type<T> type, std::uint32_t length = 0,
                               const char* label = "handle") noexcept {
    T* object = length == 0 ? allocate(type) : allocate(type, length);
    return object != nullptr ? Handle<T>(*this, object, label) : Handle<T>();
  }

  /// Why the last allocation or rooting that failed did so.
  [[nodiscard]] const Error& error() const noexcept { return error_; }

  /// The object of a ref that is known to be good, or nullptr. Unchecked: with the full reservation
  /// a wrong ref reads wrong bytes of this heap or faults in the guard, nothing else.
  template <class T>
  [[nodiscard]] T* get(Ref<T> ref) const noexcept {
    return ref ? reinterpret_cast<T*>(space_.base() + ref.index()) : nullptr;
  }
  /// The object of a ref that may be anything: bad_ref unless an object starts there whose type is
  /// `type` (0: any) and whose header agrees with the tables. O(1).
  [[nodiscard]] Result<Header*> check(Ref<void> ref, TypeId type = 0) noexcept;
  template <class T>
  [[nodiscard]] Result<T*> check(Ref<T> ref, Type<T> type) noexcept {
    const Result<Header*> header = check(Ref<void>(ref), type.id);
    if (!header) return header.error();
    return reinterpret_cast<T*>(*header);
  }
  /// Whether `address` lies in this heap's arena.
  [[nodiscard]] bool contains(const void* address) const noexcept;
  /// The object that the address points to or into, or nullptr. O(1).
  [[nodiscard]] Header* object_start(const void* address) noexcept;

  /// Collects now. Fails with reentrant from inside a collection, with wrong_thread, and with
  /// nothing else: a collection cannot run out of anything.
  Error collect() noexcept;
  /// Calls the callbacks of guardians that have one for their ready agents, by priority and age
  /// over all of them: at most `limit`, and not for those that become ready meanwhile. Returns how
  /// many it called. What they throw is counted in HeapStats. Fails with reentrant from inside a
  /// collection or a finalizer, and with wrong_thread. Compiled into the caller, since this library
  /// knows no exceptions.
  [[gnu::always_inline]] Result<std::uint64_t> run_finalizers(std::uint64_t limit = ~std::uint64_t{
                                                                  0});
  /// Walks the whole heap and reports all that is wrong.
  [[nodiscard]] VerifyReport verify();
  /// Drops all roots, registrations and objects, after the release hooks of those that have one: as
  /// after create(), but with the types and guardians kept. Handles become stale. Restores service
  /// after the arena's contents were damaged. Fails with reentrant, also from inside a finalizer,
  /// and wrong_thread.
  Error reset() noexcept;

  [[nodiscard]] const CollectionStats& last_collection() const noexcept;
  [[nodiscard]] HeapStats stats() const noexcept;
  void set_listener(CollectionListener listener, void* user) noexcept;

  /// `callback` names roots of the embedder's own at each collection. Empty when the host has no
  /// memory. `label` is static text.
  [[nodiscard]] RootRegistration add_roots(RootCallback callback, void* user, const char* label);
  /// `count` slots at `slots`, refs or values, are roots until the registration goes. The embedder
  /// keeps them in place.
  [[nodiscard]] RootRegistration add_root_range(std::uint32_t* slots, std::uint64_t count,
                                                const char* label);

  /// Each aligned word in [begin, end) is a root if it happens to be one: see Tracer::visit_word().
  /// For memory that the embedder does not know slot by slot, such as the saved stack of a
  /// coroutine. The words are read at each collection, also where ASan has poisoned them. Empty
  /// with bad_option when `end` lies below `begin`. `label` is static text.
  [[nodiscard]] RootRegistration add_ambiguous_range(const void* begin, const void* end,
                                                     const char* label);
  /// From now on every collection looks for roots in the calling thread's registers and its stack,
  /// in the same way: objects whose raw pointers, interior ones too, or refs stand in local
  /// variables live on. `base` limits the search to what lies below it: an address in the frame of
  /// a function that holds none itself, by __builtin_frame_address(0) or as a variable's; nullptr
  /// searches all of the stack. While registered, the heap collects on this thread alone, and only
  /// while that frame is there: on another thread, or where no frame of the collector's lies below
  /// `base`, it aborts. Empty with bad_option when `base` is no address in a
  /// caller's frame, which a variable's is not where ASan moves variables off the stack
  /// (detect_stack_use_after_return).
  [[nodiscard]] RootRegistration scan_native_stack(const void* base = nullptr);

  /// The calling thread takes the heap over from the one that used it. The embedder makes sure that
  /// the other has stopped. Slow paths refuse any other thread.
  void attach_thread() noexcept;

  [[nodiscard]] const HeapOptions& options() const noexcept { return options_; }
  /// For tools that draw the heap: which parts of it are free.
  [[nodiscard]] const FreeList& free_list() noexcept;

 private:
  friend class detail::Collector;
  friend char* detail::base_of(const Heap& heap) noexcept;
  friend detail::RootTable& detail::roots_of(Heap& heap) noexcept;
  friend void detail::note_rooted(Heap& heap, std::uint32_t ref) noexcept;
  friend void detail::note_root_failure(Heap& heap) noexcept;
  friend detail::RootTable& detail::weak_handles_of(Heap& heap) noexcept;
  friend detail::FinalizerTable& detail::finalizers_of(Heap& heap) noexcept;
  friend void* detail::hand_out(Heap& heap, std::uint32_t agent) noexcept;
  friend Error detail::prepare_agents(Heap& heap) noexcept;

  Heap(detail::Space space, const HeapOptions& options) noexcept;

  void* begin_object(char* object, TypeId type, std::uint32_t length) noexcept {
    const Header header{type, length};
    std::memcpy(object, &header, sizeof header);
    newest_ = detail::index_of(object);
    return object;
  }
  void* begin_zeroed(char* object, std::size_t bytes, TypeId type, std::uint32_t length) noexcept {
    std::memset(object, 0, bytes);
    return begin_object(object, type, length);
  }
  [[nodiscard]] void* allocate_slow(TypeId type, std::uint32_t length) noexcept;
  [[nodiscard]] RootRegistration add_source(const detail::RootSource& source);
  [[nodiscard]] bool may_enter() noexcept;
  void* fail(const Error& error) noexcept;
  void set_locked(bool locked) noexcept;
  Result<std::uint64_t> run_finalizers_by(detail::FinalizerRunner runner,
                                          std::uint64_t limit) noexcept;

  detail::Space space_;
  std::uint32_t newest_ = 0;  ///< The last new object, until it gets a root; itself a root.
  detail::RootTable* roots_ = nullptr;
  detail::RootTable* weak_handles_ = nullptr;
  detail::FinalizerTable* finalizers_ = nullptr;
  Error error_;
  HeapOptions options_;
  std::unique_ptr<detail::Collector> collector_;
};

class BESOM_API RootRegistration {
 public:
  RootRegistration() noexcept = default;
  RootRegistration(RootRegistration&& other) noexcept
      : table_(std::exchange(other.table_, nullptr)), serial_(std::exchange(other.serial_, 0)) {}
  RootRegistration& operator=(RootRegistration&& other) noexcept {
    RootRegistration taken(std::move(other));
    std::swap(table_, taken.table_);
    std::swap(serial_, taken.serial_);
    return *this;
  }
  /// Aborts during a collection and on another thread: the roots would stay registered for good.
  ~RootRegistration() {
    if (table_ == nullptr) return;
    static_cast<void>(table_->remove_source(serial_));
    table_->release();
  }
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

inline RootTable& roots_of(Heap& heap) noexcept { return *heap.roots_; }
inline char* base_of(const Heap& heap) noexcept { return heap.space_.base(); }
inline void note_rooted(Heap& heap, std::uint32_t ref) noexcept {
  if (heap.newest_ == ref) heap.newest_ = 0;
}
inline RootTable& weak_handles_of(Heap& heap) noexcept { return *heap.weak_handles_; }
inline FinalizerTable& finalizers_of(Heap& heap) noexcept { return *heap.finalizers_; }
inline void* hand_out(Heap& heap, std::uint32_t agent) noexcept {
  heap.newest_ = agent;
  return heap.space_.base() + agent;
}

// Not one function for programs with exceptions and without: they may meet in one executable.
#ifdef __cpp_exceptions
inline bool run_catching(FinalizerCallback callback, void* user, Heap& heap, void* agent) {
  try {
    callback(user, heap, agent);
    return true;
  } catch (...) {
    return false;
  }
}
#endif
inline bool run_plainly(FinalizerCallback callback, void* user, Heap& heap, void* agent) {
  callback(user, heap, agent);
  return true;
}

}  // namespace detail

inline Result<std::uint64_t> Heap::run_finalizers(std::uint64_t limit) {
#ifdef __cpp_exceptions
  return run_finalizers_by(detail::run_catching, limit);
#else
  return run_finalizers_by(detail::run_plainly, limit);
#endif
}

}  // namespace besom
