/// The C interface: handles, locals, registered roots, tracers and mark hooks.

#include <bit>
#include <type_traits>
#include <utility>

#include "capi/capi.hpp"
#include "heap/type_table.hpp"

using besom::Errc;
using besom::Error;
using besom::Header;
using besom::Local;
using besom::LocalMark;
using besom::detail::CRegistration;
using besom::detail::find;
using besom::detail::free_token;
using besom::detail::give;
using besom::detail::give_heap_error;
using besom::detail::give_object;
using besom::detail::heap_of_token;
using besom::detail::null_for_null;
using besom::detail::refuse_null;
using besom::detail::root_refusal;
using besom::detail::RootTable;
using besom::detail::tracer_of;

namespace {

static_assert(sizeof(besom_local) == sizeof(Local<Header>));
static_assert(sizeof(besom_mark) == sizeof(LocalMark));

constexpr Error kNoMemory{.code = besom::Errc::out_of_host_memory, .detail = "roots"};

Local<Header> to_cpp(const besom_local& local) noexcept {
  return std::bit_cast<Local<Header>>(local);
}

/// Why `local` cannot be used in the heap, or ok: its members may be anything.
Error local_refusal(const besom_heap* heap, const besom_local& local) noexcept {
  const RootTable& table = besom::detail::roots_of(*heap->heap);
  if (local.table == nullptr) return {};
  if (local.table != &table) return {.code = Errc::wrong_heap, .detail = "local"};
  const auto* slot = table.find_local(local.place);
  if (slot == nullptr || local.serial == 0 || slot->serial != local.serial) {
    return {.code = Errc::stale_handle, .detail = "local"};
  }
  return {};
}

void visit_roots(void* user, besom::Tracer& tracer) {
  const auto* registration = static_cast<const CRegistration*>(user);
  registration->roots(registration->user, besom::detail::to_c(tracer));
}

void run_hook(void* user, const besom::MarkView& marks) {
  const auto* registration = static_cast<const CRegistration*>(user);
  registration->hook(registration->user, reinterpret_cast<const besom_mark_view*>(&marks));
}

const besom::MarkView& view_of(const besom_mark_view* marks) noexcept {
  return *reinterpret_cast<const besom::MarkView*>(marks);
}

/// The token of a registration with what `add(registration)` registers, or nullptr.
template <class Add>
besom_registration* add(besom_heap* heap, const CRegistration& parts, Add add) noexcept {
  CRegistration* const made = heap->registrations.make();
  if (made == nullptr) {
    give(heap, kNoMemory);
    return nullptr;
  }
  made->roots = parts.roots;
  made->hook = parts.hook;
  made->user = parts.user;
  made->registration = add(made);
  if (made->registration) return heap->registrations.token_of(heap->token_bits, made);
  give_heap_error(heap);
  heap->registrations.drop(made);
  return nullptr;
}

}  // namespace

besom_handle* besom_handle_new(besom_heap* heap, void* object, const char* label) {
  if (heap == nullptr) return nullptr;
  if (const Error error = root_refusal(heap, object)) {
    give(heap, error);
    return nullptr;
  }
  auto* header = static_cast<Header*>(object);
  besom::Handle<Header> handle(*heap->heap, header, label);
  // An empty one is no sign of failure where the object is null.
  const bool has_root = object == nullptr || handle;
  auto* const made = has_root ? heap->handles.make(std::move(handle)) : nullptr;
  if (made != nullptr) return heap->handles.token_of(heap->token_bits, made);
  give(heap, kNoMemory);
  return nullptr;
}

void besom_handle_free(besom_handle* handle) { free_token(handle); }

void* besom_handle_get(const besom_handle* handle) {
  if (handle == nullptr) return nullptr;
  const auto* const found = find(handle);
  BESOM_CHECK(found != nullptr, "stale handle: it, 0", reinterpret_cast<std::uintptr_t>(handle), 0);
  return found->handle.get();
}

besom_status besom_handle_check(const besom_handle* handle, besom_heap* heap, void** object) {
  if (heap == nullptr || handle == nullptr) return refuse_null(heap, "handle");
  const auto* const found = find(handle);
  if (found == nullptr) return give(heap, {.code = Errc::stale_handle});
  return give_object(heap, found->handle.check(*heap->heap), object);
}

besom_status besom_handle_set(besom_handle* handle, void* object) {
  if (handle == nullptr) return BESOM_BAD_ARGUMENT;
  auto* const found = find(handle);
  if (found == nullptr || found->handle.is_stale()) return BESOM_STALE_HANDLE;
  besom_heap* const heap = heap_of_token(handle);
  if (const Error error = root_refusal(heap, object)) return give(heap, error);
  found->handle.set(static_cast<Header*>(object));
  return BESOM_OK;
}

besom_status besom_local_push(besom_heap* heap, void* object, besom_local* local) {
  if (heap == nullptr || local == nullptr) return refuse_null(heap, "local");
  *local = {};
  if (const Error error = root_refusal(heap, object)) return give(heap, error);
  const Local<Header> made = heap->heap->local(static_cast<Header*>(object));
  *local = std::bit_cast<besom_local>(made);
  if (local->table != nullptr) return BESOM_OK;
  return give(heap, heap->heap->error());
}

void* besom_local_get(const besom_local* local) {
  if (local == nullptr || local->table == nullptr) return nullptr;
  const auto* table = static_cast<const RootTable*>(local->table);
  BESOM_CHECK(table->find_local(local->place) != nullptr, "stale local: its serial, its place",
              local->serial, local->place);
  return to_cpp(*local).get();
}

besom_status besom_local_check(const besom_local* local, besom_heap* heap, void** object) {
  if (heap == nullptr || local == nullptr) return refuse_null(heap, "local");
  if (const Error error = local_refusal(heap, *local)) return give(heap, error);
  return give_object(heap, to_cpp(*local).check(*heap->heap), object);
}

besom_status besom_local_set(const besom_local* local, besom_heap* heap, void* object) {
  if (heap == nullptr || local == nullptr) return refuse_null(heap, "local");
  if (const Error error = local_refusal(heap, *local)) return give(heap, error);
  if (local->table == nullptr) {
    return give(heap, {.code = Errc::stale_handle, .detail = "empty local"});
  }
  if (const Error error = root_refusal(heap, object)) return give(heap, error);
  to_cpp(*local).set(static_cast<Header*>(object));
  return BESOM_OK;
}

besom_status besom_locals_mark(besom_heap* heap, besom_mark* mark) {
  if (heap == nullptr || mark == nullptr) return refuse_null(heap, "mark");
  *mark = std::bit_cast<besom_mark>(heap->heap->mark_locals());
  return mark->table != nullptr ? BESOM_OK : give(heap, heap->heap->error());
}

besom_status besom_locals_restore(besom_heap* heap, const besom_mark* mark) {
  if (heap == nullptr || mark == nullptr) return refuse_null(heap, "mark");
  return give(heap, heap->heap->restore_locals(std::bit_cast<LocalMark>(*mark)));
}

besom_registration* besom_add_roots(besom_heap* heap, besom_roots callback, void* user,
                                    const char* label) {
  if (heap == nullptr || callback == nullptr) return null_for_null(heap, "callback");
  return add(heap, {.registration = {}, .roots = callback, .hook = nullptr, .user = user},
             [&](CRegistration* made) { return heap->heap->add_roots(visit_roots, made, label); });
}

besom_registration* besom_add_root_range(besom_heap* heap, uint32_t* slots, uint64_t count,
                                         const char* label) {
  if (heap == nullptr || (slots == nullptr && count != 0)) return null_for_null(heap, "slots");
  return add(heap, {},
             [&](CRegistration*) { return heap->heap->add_root_range(slots, count, label); });
}

besom_registration* besom_add_ambiguous_range(besom_heap* heap, const void* begin, const void* end,
                                              const char* label) {
  if (heap == nullptr || (begin == nullptr) != (end == nullptr)) {
    return null_for_null(heap, begin == nullptr ? "begin" : "end");
  }
  return add(heap, {},
             [&](CRegistration*) { return heap->heap->add_ambiguous_range(begin, end, label); });
}

besom_registration* besom_scan_native_stack(besom_heap* heap, const void* base) {
  if (heap == nullptr) return nullptr;
  return add(heap, {}, [&](CRegistration*) { return heap->heap->scan_native_stack(base); });
}

besom_registration* besom_add_mark_hook(besom_heap* heap, besom_mark_hook hook, void* user,
                                        const char* label) {
  if (heap == nullptr || hook == nullptr) return null_for_null(heap, "hook");
  return add(heap, {.registration = {}, .roots = nullptr, .hook = hook, .user = user},
             [&](CRegistration* made) { return heap->heap->add_mark_hook(run_hook, made, label); });
}

bool besom_is_marked(const besom_mark_view* marks, const void* object) {
  if (marks == nullptr) return false;
  return view_of(marks).is_marked(object);
}

bool besom_is_marked_ref(const besom_mark_view* marks, besom_ref ref) {
  if (marks == nullptr) return false;
  return view_of(marks).is_marked(besom::Ref<void>(ref));
}

bool besom_is_minor(const besom_mark_view* marks) {
  if (marks == nullptr) return false;
  return view_of(marks).is_minor();
}

besom_status besom_registration_remove(besom_registration* registration) {
  if (registration == nullptr) return BESOM_BAD_ARGUMENT;
  auto* const found = find(registration);
  if (found == nullptr) return BESOM_STALE_HANDLE;
  return static_cast<besom_status>(found->registration.remove().code);
}

void besom_registration_free(besom_registration* registration) { free_token(registration); }

void besom_visit(besom_tracer* tracer, besom_value value) {
  if (tracer == nullptr) return;
  tracer_of(tracer).visit(value);
}

void besom_visit_pointer(besom_tracer* tracer, const void* pointer) {
  if (tracer == nullptr) return;
  tracer_of(tracer).visit_pointer(pointer);
}

void besom_visit_interior(besom_tracer* tracer, const void* address) {
  if (tracer == nullptr) return;
  tracer_of(tracer).visit_interior(address);
}

void besom_visit_word(besom_tracer* tracer, uint64_t word) {
  if (tracer == nullptr) return;
  tracer_of(tracer).visit_word(word);
}

void besom_visit_box(besom_tracer* tracer, uint64_t word, const besom_box_format* format) {
  if (tracer == nullptr || format == nullptr) return;
  const besom::BoxFormat box = besom::detail::to_cpp(*format);
  if (!besom::detail::check_box(box)) tracer_of(tracer).visit_box(word, box);
}

void besom_abandon(besom_tracer* tracer) {
  if (tracer == nullptr) return;
  tracer_of(tracer).abandon();
}

bool besom_is_abandoned(const besom_tracer* tracer) {
  if (tracer == nullptr) return false;
  return reinterpret_cast<const besom::Tracer*>(tracer)->is_abandoned();
}
