#include "besom/heap.hpp"

#include <algorithm>
#include <functional>
#include <memory>
#include <new>

#include "gc/collector.hpp"
#include "gc/observer.hpp"
#include "gc/roots/held_rows.hpp"
#include "gc/weak/finalizer_table.hpp"
#include "heap/load_once.hpp"
#include "heap/zero.hpp"

namespace besom {

using detail::Collector;
using detail::HeapParts;
using detail::Space;
using detail::TypeInfo;

namespace {

/// As many as Header::length holds.
constexpr std::uint64_t kMostElements = ~std::uint32_t{0};

/// What an object of any length takes; the most there is where 64 bits do not hold it.
std::uint64_t size_bytes(const TypeInfo& type, std::uint64_t length) noexcept {
  std::uint64_t bytes = 0;
  const bool fits = !__builtin_mul_overflow(std::uint64_t{type.element_bytes}, length, &bytes) &&
                    !__builtin_add_overflow(bytes, std::uint64_t{type.fixed_bytes}, &bytes);
  return fits ? bytes : ~std::uint64_t{0};
}

constexpr Error kAbandoned{.code = Errc::abandoned, .detail = "by a callback"};

/// Keeps the error for Heap::error().
void* fail(HeapParts& parts, const Error& error) noexcept {
  parts.error = error;
  return nullptr;
}

}  // namespace

Heap::Heap(const HeapOptions& options) noexcept : parts_(options) {}

Result<HeapPtr> Heap::make_parts(const HeapOptions& options, const LogSink& log) {
  const Error refused{.code = Errc::out_of_host_memory, .detail = "heap"};
  HeapPtr heap(new (std::nothrow) Heap(options));
  if (!heap) return refused;
  HeapParts& parts = heap->parts_;
  Result<std::unique_ptr<Space>> space = Space::create(options, log, parts.front);
  if (!space) return space.error();
  parts.space = space->release();
  const System& system = options.system != nullptr ? *options.system : operating_system();
  const TableMemory tables = table_memory(system);
  parts.roots =
      detail::RootTable::create(heap.get(), parts.front.base, tables.named("besom roots"));
  parts.finalizers = detail::FinalizerTable::create(heap.get(), tables.named("besom guardians"));
  if (parts.roots == nullptr || parts.finalizers == nullptr) return refused;
  Result<std::unique_ptr<Collector>> collector = Collector::create(parts, log);
  if (!collector) return collector.error();
  parts.collector = collector->release();
  return heap;
}

Heap::~Heap() {
  if (parts_.collector != nullptr) {
    BESOM_CHECK(!parts_.collector->is_collecting(),
                "heap destroyed during a collection: last, handles",
                parts_.collector->last().number, parts_.roots->handles().count());
    BESOM_CHECK(!parts_.collector->is_asking(),
                "heap destroyed by its near_limit callback: last collection, handles",
                parts_.collector->last().number, parts_.roots->handles().count());
    parts_.collector->check_no_finalizer(static_cast<const char*>(__builtin_frame_address(0)));
    detail::log_held_handles(*parts_.roots, parts_.collector->log());
    if (parts_.observer != nullptr) parts_.observer->at_end();
    parts_.collector->release_all();
  }
  if (parts_.roots != nullptr) {
    parts_.roots->detach();
    parts_.roots->release();
  }
  if (parts_.finalizers != nullptr) {
    parts_.finalizers->detach();
    parts_.finalizers->release();
  }
  delete parts_.collector;
  delete parts_.observer;
  delete parts_.space;
}

char* Heap::bump_in_new_line(std::uint32_t granules) noexcept {
  return parts_.space->bump(granules);
}

Result<TypeId> Heap::define(TypeDescriptor descriptor) {
  if (!parts_.collector->may_enter()) return parts_.error;
  if (Error error = detail::TypeTable::check(descriptor)) return error;
  if (Error error = parts_.collector->prepare(descriptor)) return error;
  return parts_.collector->types().define(std::move(descriptor));
}

const TypeDescriptor* Heap::descriptor(TypeId type) const noexcept {
  const detail::TypeTable& types = parts_.collector->types();
  return types.contains(type) ? types[type].descriptor : nullptr;
}

inline void* Heap::begin_noted(char* object, const detail::TypeInfo& info, TypeId type,
                               std::uint32_t length) noexcept {
  if (info.is_released) [[unlikely]]
    return begin_released(object, type, length);
  return info.is_leaf ? begin_leaf(object, type, length) : begin_object(object, type, length);
}

inline void Heap::note_taken(const void* object, std::uint64_t size_bytes, TypeId type,
                             const void* caller) noexcept {
  if (parts_.space->is_sample_due()) [[unlikely]]
    parts_.collector->take_sample({detail::index_of(object), type, size_bytes, caller});
}

/// Apart from the others, for which the registers that it needs would be saved.
__attribute__((noinline)) void* Heap::begin_released(char* object, TypeId type,
                                                     std::uint32_t length) noexcept {
  parts_.collector->note_released(object);
  return parts_.collector->types()[type].is_leaf ? begin_leaf(object, type, length)
                                                 : begin_object(object, type, length);
}

__attribute__((always_inline)) inline void* Heap::allocate_for(TypeId type, std::uint64_t length,
                                                               const void* caller) noexcept {
  const detail::TypeTable& types = parts_.collector->types();
  if (!types.contains(type) || length > kMostElements) [[unlikely]]
    return allocate_slow_for(type, length, caller);
  const TypeInfo& info = types[type];
  const auto count = static_cast<std::uint32_t>(length);
  const std::uint64_t bytes = info.size_bytes(count) + kGranuleBytes - 1;
  if (bytes < (Space::kWindowClasses + 1) * kGranuleBytes) [[likely]] {
    const auto granules = static_cast<std::uint32_t>(bytes >> kGranuleShift);
    detail::Window& window = parts_.front.windows[granules];
    const std::size_t rounded = std::size_t{granules} << kGranuleShift;
    if (window.room() >= rounded) [[likely]] {
      char* const object = window.cursor;
      window.cursor += rounded;
      detail::zero_granules(object, granules);
      return begin_noted(object, info, type, count);
    }
    if (char* const object = parts_.space->take(granules)) [[likely]] {
      begin_noted(object, info, type, count);
      note_taken(object, rounded, type, caller);
      return object;
    }
  }
  return allocate_slow_for(type, length, caller);
}

void* Heap::take(TypeId type, std::uint32_t granules) noexcept {
  const void* const caller = __builtin_return_address(0);
  char* const object = parts_.space->take(granules);
  if (object == nullptr) [[unlikely]]
    return allocate_slow_for(type, 0, caller);
  begin_object(object, type, 0);
  note_taken(object, std::uint64_t{granules} << kGranuleShift, type, caller);
  return object;
}

void* Heap::allocate(TypeId type, std::uint64_t length) noexcept {
  return allocate_for(type, length, __builtin_return_address(0));
}
void* detail::allocate_for(Heap& heap, TypeId type, std::uint64_t length,
                           const void* caller) noexcept {
  return heap.allocate_for(type, length, caller);
}

__attribute__((noinline)) void* Heap::allocate_slow(TypeId type, std::uint64_t length) noexcept {
  return allocate_slow_for(type, length, __builtin_return_address(0));
}

__attribute__((noinline)) void* Heap::allocate_slow_for(TypeId type, std::uint64_t length,
                                                        const void* caller) noexcept {
  if (!parts_.collector->may_enter()) return nullptr;
  const detail::TypeTable& types = parts_.collector->types();
  if (!types.contains(type)) {
    return fail(parts_, parts_.collector->types().unknown(type));
  }
  const std::uint64_t bytes = size_bytes(types[type], length);
  // Null's granule is no object's.
  const std::uint64_t greatest =
      std::min<std::uint64_t>(parts_.options.heap_max, FreeList::kMaxEnd) / kGranuleBytes *
          kGranuleBytes -
      FreeList::kAlign;
  if (bytes > greatest) {
    return fail(parts_, {.code = Errc::object_too_large,
                         .bytes = bytes,
                         .limit = greatest,
                         .detail = "the largest object of a heap of this heap_max"});
  }
  if (length > kMostElements) {  // of nothing: others would not have fitted
    return fail(parts_,
                {.code = Errc::object_too_large, .detail = "length: a header counts up to 2^32-1"});
  }
  const auto count = static_cast<std::uint32_t>(length);
  const std::uint64_t rounded = (bytes + kGranuleBytes - 1) / kGranuleBytes * kGranuleBytes;
  const auto granules = static_cast<std::uint32_t>(rounded >> kGranuleShift);
  Error error;
  char* object = parts_.collector->allocate(granules, error);
  if (object == nullptr) return fail(parts_, error);
  begin_noted(object, types[type], type, count);
  note_taken(object, rounded, type, caller);
  return object;
}

AllocationContract Heap::allocation_contract(std::uint64_t size_bytes) noexcept {
  const bool has_window = size_bytes <= AllocationContract::kMostBytes;
  const std::uint64_t granules =
      (std::max<std::uint64_t>(has_window ? size_bytes : 0, sizeof(Header)) + kGranuleBytes - 1) >>
      kGranuleShift;
  auto* base = reinterpret_cast<char*>(&parts_.front.windows[0]);
  const auto offset_of = [base](const void* place) {
    return static_cast<std::uint32_t>(static_cast<const char*>(place) - base);
  };
  if (has_window) parts_.space->always_open_window(static_cast<std::uint32_t>(granules));
  // The first window is never opened.
  detail::Window& window =
      parts_.front.windows[has_window ? static_cast<std::uint32_t>(granules) : 0];
  return {.base = base,
          .cursor_offset = offset_of(&window.cursor),
          .limit_offset = offset_of(&window.limit),
          .newest_offset = offset_of(&parts_.newest),
          .object_bytes = has_window ? static_cast<std::uint32_t>(granules << kGranuleShift) : 0};
}

Result<Header*> Heap::check(Ref<void> ref, TypeId type) noexcept {
  if (!parts_.collector->is_own_thread()) [[unlikely]]
    return Collector::kWrongThread;
  const Error bad_ref{
      .code = Errc::bad_ref, .bytes = ref.index(), .detail = "no object of the type starts there"};
  const Run run = parts_.space->object_at(ref.index());
  if (run.size_bytes == 0 || run.index != ref.index()) return bad_ref;
  auto* header = reinterpret_cast<Header*>(parts_.front.base + ref.index());
  const Header found = detail::load_header(header);
  const TypeInfo* info = detail::checked_type(parts_.collector->types(), found, run.size_bytes);
  if (info == nullptr || (type != 0 && found.type != type)) return bad_ref;
  return header;
}

bool Heap::contains(const void* address) const noexcept {
  const auto offset =
      static_cast<std::uint64_t>(static_cast<const char*>(address) - parts_.front.base);
  return offset < parts_.space->capacity();
}

Header* Heap::object_start(const void* address) noexcept {
  if (!contains(address) || !parts_.collector->is_own_thread()) return nullptr;
  const Run run = parts_.space->object_at(detail::index_of(address));
  return run.size_bytes == 0 ? nullptr : reinterpret_cast<Header*>(parts_.front.base + run.index);
}

Error Heap::collect() noexcept {
  if (!parts_.collector->may_enter()) return parts_.error;
  if (parts_.collector->forbidden() != 0) return {.code = Errc::no_collect, .detail = "collect()"};
  return parts_.collector->collect_on_request() ? Error{} : kAbandoned;
}

Error Heap::safepoint() noexcept {
  if (!parts_.collector->may_enter()) return parts_.error;
  return parts_.collector->safepoint() ? Error{} : kAbandoned;
}

Result<std::uint64_t> Heap::step(std::uint64_t units) noexcept {
  Collector& collector = *parts_.collector;
  if (!collector.may_enter()) return parts_.error;
  if (!parts_.options.incremental) {
    return Error{.code = Errc::bad_option, .detail = "step() in a heap that is not incremental"};
  }
  if (collector.forbidden() != 0) return Error{.code = Errc::no_collect, .detail = "step()"};
  const std::optional<std::uint64_t> left = collector.step(units);
  if (!left) return kAbandoned;
  return *left;
}

Error Heap::forbid_collections() noexcept {
  if (!parts_.collector->may_enter()) return parts_.error;
  parts_.collector->forbid_collections();
  return {};
}

Error Heap::allow_collections() noexcept {
  if (!parts_.collector->may_enter()) return parts_.error;
  if (parts_.collector->allow_collections()) return {};
  return {.code = Errc::unbalanced, .detail = "collections were not forbidden"};
}

Error Heap::add_external(std::uint64_t bytes) noexcept {
  return parts_.collector->is_own_thread() ? parts_.collector->add_external(bytes)
                                           : Collector::kWrongThread;
}

Error Heap::remove_external(std::uint64_t bytes) noexcept {
  return parts_.collector->is_own_thread() ? parts_.collector->remove_external(bytes)
                                           : Collector::kWrongThread;
}

LocalMark Heap::mark_locals() noexcept {
  if (!parts_.collector->may_enter()) return {};
  detail::ShadowStack& locals = parts_.roots->locals();
  const detail::LocalSlot* slot = locals.push(0);
  if (slot == nullptr) {
    detail::note_root_failure(*this);
    return {};
  }
  return {.table = parts_.roots,
          .serial = slot->serial,
          .position = locals.place_of(slot),
          .open_scopes = locals.open_scopes(),
          .forbidden = parts_.collector->forbidden()};
}

Error Heap::restore_locals(const LocalMark& mark) noexcept {
  if (!parts_.collector->may_enter()) return parts_.error;
  if (mark.table != nullptr && mark.table != parts_.roots) return {.code = Errc::wrong_heap};
  if (mark.table == nullptr ||
      !parts_.roots->unwind(mark.position, mark.serial, mark.open_scopes)) {
    return {.code = Errc::stale_handle,
            .detail =
                "mark of locals (fibers take turns by Heap::switch_to() or "
                "besom_switch_to())"};
  }
  parts_.collector->note_restored();
  while (parts_.collector->forbidden() > mark.forbidden) {
    static_cast<void>(parts_.collector->allow_collections());
  }
  return {};
}

Error Heap::switch_to(Fiber* fiber, StackSwap swap, void* user) {
  if (!parts_.collector->may_enter()) return parts_.error;
  if (swap == nullptr) return {.code = Errc::bad_argument, .detail = "swap"};
  detail::FiberState* to = &parts_.roots->thread();
  if (fiber != nullptr) {
    if (fiber->table_ == nullptr) return {.code = Errc::stale_handle, .detail = "empty fiber"};
    if (fiber->table_ != parts_.roots) return {.code = Errc::wrong_heap, .detail = "fiber"};
    to = fiber->state_;
  }
  if (to == &parts_.roots->running()) {
    return {.code = Errc::bad_option, .detail = "switch_to(): it runs already"};
  }
  parts_.roots->switch_to(*to, swap, user);
  return {};
}

Error Heap::recover() noexcept {
  if (!parts_.collector->is_own_thread()) return Collector::kWrongThread;
  parts_.collector->recover(static_cast<const char*>(__builtin_frame_address(0)));
  return {};
}

Result<std::uint64_t> Heap::run_finalizers_by(detail::FinalizerRunner runner,
                                              std::uint64_t limit) noexcept {
  if (!parts_.collector->may_enter()) return parts_.error;
  if (parts_.collector->is_in_finalizer()) {
    fail(parts_, {.code = Errc::reentrant, .detail = "called from inside a finalizer"});
    return parts_.error;
  }
  Result<std::uint64_t> count =
      parts_.collector->run_finalizers(runner, std::min(limit, parts_.finalizers->callable()));
  if (!count) fail(parts_, count.error());
  return count;
}

Error Heap::reset() noexcept {
  if (!parts_.collector->may_enter()) return parts_.error;
  if (parts_.collector->is_in_finalizer()) {
    fail(parts_, {.code = Errc::reentrant, .detail = "called from inside a finalizer"});
    return parts_.error;
  }
  parts_.collector->release_all();
  parts_.finalizers->clear();
  parts_.roots->clear();
  parts_.newest = 0;
  parts_.collector->reset();
  if (parts_.observer != nullptr) parts_.observer->after_reset();
  return {};
}

const CollectionStats& Heap::last_collection() const noexcept { return parts_.collector->last(); }
HeapStats Heap::stats() const noexcept { return parts_.collector->stats(); }
StopStats Heap::stops(StopKind kind) const noexcept { return parts_.collector->stops().of(kind); }
Utilisation Heap::utilisation() const noexcept { return parts_.collector->stops().utilisation(); }

Error Heap::set_listener(CollectionListener listener, void* user) noexcept {
  if (!parts_.collector->may_enter()) return parts_.error;
  parts_.collector->set_listener(listener, user);
  return {};
}

Error Heap::set_site_namer(SiteNamer namer, void* user) noexcept {
  if (!parts_.collector->may_enter()) return parts_.error;
  parts_.name_site = namer;
  parts_.name_site_user = user;
  return {};
}

RootRegistration Heap::add_source(const detail::RootSource& source) {
  const std::uint64_t serial = parts_.roots->add_source(source);
  if (serial != 0) return {parts_.roots, serial};
  detail::note_root_failure(*this);
  return {};
}

RootRegistration Heap::add_roots(RootCallback callback, void* user, const char* label) {
  if (callback == nullptr) {
    fail(parts_, {.code = Errc::bad_argument, .detail = "callback"});
    return {};
  }
  return add_source({detail::RootSource::Callback{callback, user}, label});
}

RootRegistration Heap::add_root_range(std::uint32_t* slots, std::uint64_t count,
                                      const char* label) {
  Error error;
  if (slots == nullptr && count != 0) {
    error = {.code = Errc::bad_argument, .detail = "slots"};
  } else if (reinterpret_cast<std::uintptr_t>(slots) % sizeof *slots != 0) {
    error = {.code = Errc::bad_option, .detail = "root range: slots are not aligned to 4 bytes"};
  } else if (count > ~std::uint64_t{0} / sizeof *slots ||
             !detail::is_memory(slots, count * sizeof *slots)) {
    error = {.code = Errc::bad_option, .detail = "root range: larger than memory"};
  }
  if (error) {
    fail(parts_, error);
    return {};
  }
  return add_source({detail::RootSource::Slots{slots, count}, label});
}

RootRegistration Heap::add_ambiguous_range(const void* begin, const void* end, const char* label) {
  if (std::less<>()(end, begin)) {
    fail(parts_, {.code = Errc::bad_option, .detail = "ambiguous range: ends below its beginning"});
    return {};
  }
  const auto bytes =
      reinterpret_cast<std::uintptr_t>(end) - reinterpret_cast<std::uintptr_t>(begin);
  if (!detail::is_memory(begin, bytes)) {
    fail(parts_,
         {.code = Errc::bad_option, .detail = "ambiguous range: null or larger than memory"});
    return {};
  }
  return add_source({detail::RootSource::Words{begin, end}, label});
}

RootRegistration Heap::scan_native_stack(const void* base) {
  const Result<detail::NativeStack> stack = detail::native_stack(base, __builtin_frame_address(0));
  if (!stack) {
    fail(parts_, stack.error());
    return {};
  }
  return add_source({*stack, "native stack"});
}

MarkHookRegistration Heap::add_mark_hook(MarkHook hook, void* user, const char* label) {
  if (hook == nullptr) {
    fail(parts_, {.code = Errc::bad_argument, .detail = "hook"});
    return {};
  }
  return add_source({detail::RootSource::Hook{hook, user}, label});
}

Error RootRegistration::remove() noexcept {
  constexpr Error kStale{.code = Errc::stale_handle, .detail = "root registration"};
  if (table_ == nullptr || table_->heap() == nullptr) return kStale;
  const Errc refusal = table_->refusal();
  if (refusal != Errc::ok) return {.code = refusal, .detail = "root registration"};
  return table_->remove_source(std::exchange(serial_, 0)) ? Error{} : kStale;
}

Error Heap::set_always_remembered(const void* object, bool remembered) noexcept {
  if (!parts_.collector->may_enter()) return parts_.error;
  if (Error error = detail::root_refusal(*this, object)) return error;
  if (object == nullptr) return {.code = Errc::bad_ref, .detail = "remembered null"};
  return parts_.collector->set_always_remembered(detail::index_of(object), remembered);
}

Error Heap::attach_thread() noexcept {
  if (parts_.collector->is_collecting()) {
    return {.code = Errc::reentrant, .detail = "handed over during a collection"};
  }
  const bool fiber_runs = &parts_.roots->running() != &parts_.roots->thread();
  if (fiber_runs && !parts_.collector->is_own_thread()) {
    return {.code = Errc::reentrant, .detail = "handed over while a fiber runs"};
  }
  parts_.collector->attach_thread();
  return {};
}

void detail::note_failure(Heap& heap, const Error& error) noexcept { parts_of(heap).error = error; }

void detail::note_root_failure(Heap& heap) noexcept {
  const Errc refusal = roots_of(heap).refusal();
  if (refusal != Errc::ok) {
    note_failure(
        heap, {.code = refusal,
               .detail = refusal == Errc::reentrant ? "root added during a collection" : "roots"});
  } else {
    note_failure(heap, {.code = Errc::out_of_host_memory, .detail = "roots"});
  }
}

void detail::note_local_failure(Heap& heap, const ShadowStack& stack) noexcept {
  if (roots_of(heap).refusal() == Errc::ok && !stack.is_open()) {
    note_failure(heap,
                 {.code = Errc::stale_handle, .detail = "scope of a fiber that is not running"});
  } else {
    note_root_failure(heap);
  }
}

void detail::note_foreign(Heap& heap, const void* object) noexcept {
  note_failure(heap, {.code = Errc::wrong_heap,
                      .bytes = reinterpret_cast<std::uintptr_t>(object),
                      .limit = reinterpret_cast<std::uintptr_t>(base_of(heap)),
                      .detail = "object of another heap: its address, this heap's base"});
}

Error detail::root_refusal(Heap& heap, const void* object) noexcept {
  const Errc refusal = roots_of(heap).refusal();
  if (refusal != Errc::ok) return {.code = refusal, .detail = "root changed"};
  if (object == nullptr) return {};
  const std::uint32_t index = index_of(object);
  if (arena_of(object) != base_of(heap)) {
    return {.code = Errc::wrong_heap,
            .bytes = reinterpret_cast<std::uintptr_t>(object),
            .limit = reinterpret_cast<std::uintptr_t>(base_of(heap)),
            .detail = "object of another heap: its address, this heap's base"};
  }
  const HeapParts& parts = parts_of(heap);
  // The newest object has no root yet as a rule: the tables need not be asked.
  if (index == parts.newest || parts.space->is_object(index)) return {};
  return {.code = Errc::bad_ref, .bytes = index, .detail = "no object starts there"};
}

detail::HandleSlot* detail::add_handle(Heap& heap, HandleTable& table, const void* object,
                                       const char* label) noexcept {
  if (Error error = root_refusal(heap, object)) {
    note_failure(heap, error);
    return nullptr;
  }
  HandleSlot* slot = table.add(index_of(object), label);
  if (slot == nullptr) note_root_failure(heap);
  return slot;
}

}  // namespace besom
