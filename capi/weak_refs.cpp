/// The C interface: weak handles, boxes, ephemerons and tables, guardians.

#include <utility>

#include "besom/weak_tables.hpp"
#include "capi/capi.hpp"

using besom::Error;
using besom::Header;
using besom::Result;
using besom::Trailing;
using besom::TypeDescriptor;
using besom::Value;
using besom::detail::CGuardian;
using besom::detail::EntryTable;
using besom::detail::find;
using besom::detail::free_token;
using besom::detail::give;
using besom::detail::give_heap_error;
using besom::detail::give_object;
using besom::detail::heap_of_token;
using besom::detail::refuse_null;
using besom::detail::root_refusal;

namespace {

static_assert(sizeof(besom_entry) == sizeof(besom::Entry));
static_assert(offsetof(besom_entry, value) == offsetof(besom::Entry, value));
static_assert(offsetof(besom::WeakBox, target) == 2 * sizeof(besom_value));
static_assert(sizeof(besom::Ephemeron) == sizeof(besom_entry));

constexpr Error kNoMemory{.code = besom::Errc::out_of_host_memory, .detail = "weak handle"};

[[nodiscard]] bool is_table(const TypeDescriptor* type) noexcept {
  return type != nullptr && type->is_table;
}
[[nodiscard]] bool is_entry_array(const TypeDescriptor* type) noexcept {
  return type != nullptr && type->size == sizeof(Header) &&
         (type->trailing == Trailing::ephemerons || type->trailing == Trailing::weak_values);
}
[[nodiscard]] bool is_weak_box(const TypeDescriptor* type) noexcept {
  return type != nullptr && type->size == sizeof(besom::WeakBox) && type->fields.size() == 1 &&
         type->fields[0].kind == besom::SlotKind::weak;
}

void* refuse_type(besom_heap* heap, besom_type type) noexcept {
  give(heap, {.code = besom::Errc::bad_type, .bytes = type, .detail = "not the standard type"});
  return nullptr;
}

/// The table at `address`, or nullptr: then what lies there is none, or no more.
[[nodiscard]] EntryTable* table_of(const besom_heap* heap, const void* address) noexcept {
  if (address == nullptr) return nullptr;
  const auto* last = static_cast<const char*>(address) + sizeof(EntryTable) - 1;
  const bool is_inside = heap->heap->contains(address) && heap->heap->contains(last);
  if (!is_inside || besom::detail::index_of(address) % besom::kGranuleBytes != 0) return nullptr;
  auto* table = static_cast<EntryTable*>(const_cast<void*>(address));
  return is_table(heap->heap->descriptor(table->header.type)) ? table : nullptr;
}

void finalize(void* user, besom::Heap&, void* agent) {
  const auto* guardian = static_cast<const CGuardian*>(user);
  guardian->callback(guardian->user, guardian->owner, agent);
}

}  // namespace

besom_weak* besom_weak_new(besom_heap* heap, void* object, const char* label) {
  if (heap == nullptr) return nullptr;
  if (const Error error = root_refusal(heap, object)) {
    give(heap, error);
    return nullptr;
  }
  besom::Weak<Header> handle(*heap->heap, static_cast<Header*>(object), label);
  // An empty one is no sign of failure where the object is null.
  const bool is_made = object == nullptr || handle;
  auto* const made = is_made ? heap->weak_handles.make(std::move(handle)) : nullptr;
  if (made != nullptr) return heap->weak_handles.token_of(heap->token_bits, made);
  give(heap, kNoMemory);
  return nullptr;
}

void besom_weak_free(besom_weak* weak) { free_token(weak); }

void* besom_weak_get(const besom_weak* weak) {
  if (weak == nullptr) return nullptr;
  const auto* const found = find(weak);
  BESOM_CHECK(found != nullptr, "stale handle: it, 0", reinterpret_cast<std::uintptr_t>(weak), 0);
  return found->handle.get();
}

besom_status besom_weak_check(const besom_weak* weak, besom_heap* heap, void** object) {
  if (heap == nullptr || weak == nullptr) return refuse_null(heap, "weak");
  const auto* const found = find(weak);
  if (found == nullptr) return give(heap, {.code = besom::Errc::stale_handle});
  return give_object(heap, found->handle.check(*heap->heap), object);
}

besom_status besom_weak_set(besom_weak* weak, void* object) {
  if (weak == nullptr) return BESOM_BAD_ARGUMENT;
  auto* const found = find(weak);
  if (found == nullptr || found->handle.is_stale()) return BESOM_STALE_HANDLE;
  besom_heap* const heap = heap_of_token(weak);
  if (const Error error = root_refusal(heap, object)) return give(heap, error);
  found->handle.set(static_cast<Header*>(object));
  return BESOM_OK;
}

void* besom_weak_box_new(besom_heap* heap, besom_type type, besom_value target) {
  if (heap == nullptr) return nullptr;
  if (!is_weak_box(heap->heap->descriptor(type))) return refuse_type(heap, type);
  void* box = besom::WeakBox::make(*heap->heap, {type}, Value::from_bits(target));
  if (box == nullptr) give_heap_error(heap);
  return box;
}

void* besom_ephemeron_new(besom_heap* heap, besom_type type, besom_value key, besom_value value) {
  if (heap == nullptr) return nullptr;
  if (!is_entry_array(heap->heap->descriptor(type))) return refuse_type(heap, type);
  void* ephemeron =
      besom::Ephemeron::make(*heap->heap, {type}, Value::from_bits(key), Value::from_bits(value));
  if (ephemeron == nullptr) give_heap_error(heap);
  return ephemeron;
}

void* besom_table_new(besom_heap* heap, besom_type table, besom_type entries) {
  if (heap == nullptr) return nullptr;
  if (!is_table(heap->heap->descriptor(table))) return refuse_type(heap, table);
  if (!is_entry_array(heap->heap->descriptor(entries))) return refuse_type(heap, entries);
  auto* made = static_cast<EntryTable*>(heap->heap->allocate(table));
  if (made == nullptr) {
    give_heap_error(heap);
  } else {
    made->entries_type = entries;
  }
  return made;
}

besom_status besom_table_put(besom_heap* heap, void* table, besom_value key, besom_value value) {
  if (heap == nullptr) return BESOM_BAD_ARGUMENT;
  EntryTable* found = table_of(heap, table);
  if (found == nullptr) return give(heap, {.code = besom::Errc::bad_ref, .detail = "no table"});
  return give(heap, found->put(*heap->heap, Value::from_bits(key), Value::from_bits(value)));
}

besom_value besom_table_get(const besom_heap* heap, const void* table, besom_value key) {
  if (heap == nullptr) return 0;
  const EntryTable* found = table_of(heap, table);
  return found != nullptr ? found->get(*heap->heap, Value::from_bits(key)).bits() : 0;
}

bool besom_table_contains(const besom_heap* heap, const void* table, besom_value key) {
  if (heap == nullptr) return false;
  const EntryTable* found = table_of(heap, table);
  return found != nullptr && found->contains(*heap->heap, Value::from_bits(key));
}

bool besom_table_remove(besom_heap* heap, void* table, besom_value key) {
  if (heap == nullptr) return false;
  EntryTable* found = table_of(heap, table);
  return found != nullptr && found->remove(*heap->heap, Value::from_bits(key));
}

uint32_t besom_table_size(const besom_heap* heap, const void* table) {
  if (heap == nullptr) return 0;
  const EntryTable* found = table_of(heap, table);
  return found != nullptr ? found->size(*heap->heap) : 0;
}

uint32_t besom_table_capacity(const besom_heap* heap, const void* table) {
  if (heap == nullptr) return 0;
  const EntryTable* found = table_of(heap, table);
  return found != nullptr ? found->capacity(*heap->heap) : 0;
}

void besom_table_each(const besom_heap* heap, const void* table, besom_entry_visitor visitor,
                      void* user) {
  if (heap == nullptr || visitor == nullptr) return;
  const EntryTable* found = table_of(heap, table);
  if (found == nullptr) return;
  found->each(*heap->heap,
              [&](Value key, Value value) { visitor(user, key.bits(), value.bits()); });
}

besom_guardian* besom_guardian_new(besom_heap* heap, besom_finalizer callback, void* user) {
  if (heap == nullptr) return nullptr;
  CGuardian* const made = heap->guardians.make(besom::Guardian(), callback, user, heap);
  if (made == nullptr) {
    give(heap, {.code = besom::Errc::out_of_host_memory, .detail = "guardian"});
    return nullptr;
  }
  made->guardian = besom::Guardian(*heap->heap, callback != nullptr ? finalize : nullptr, made);
  if (made->guardian) return heap->guardians.token_of(heap->token_bits, made);
  give_heap_error(heap);
  heap->guardians.drop(made);
  return nullptr;
}

void besom_guardian_free(besom_guardian* guardian) { free_token(guardian); }

besom_status besom_guard(besom_guardian* guardian, const void* object, const void* agent,
                         int32_t priority) {
  if (guardian == nullptr) return BESOM_BAD_ARGUMENT;
  auto* const found = find(guardian);
  if (found == nullptr) return BESOM_STALE_HANDLE;
  return give(found->owner, found->guardian.guard(object, agent, priority));
}

besom_status besom_guard_both(besom_guardian* guardian, const void* object, const void* agent,
                              int32_t priority) {
  if (guardian == nullptr) return BESOM_BAD_ARGUMENT;
  auto* const found = find(guardian);
  if (found == nullptr) return BESOM_STALE_HANDLE;
  return give(found->owner, found->guardian.guard_both(object, agent, priority));
}

besom_status besom_guardian_next(besom_guardian* guardian, void** agent) {
  if (guardian == nullptr) return BESOM_BAD_ARGUMENT;
  if (agent != nullptr) *agent = nullptr;
  auto* const found = find(guardian);
  if (found == nullptr) return BESOM_STALE_HANDLE;
  if (agent == nullptr) return refuse_null(found->owner, "agent");
  const Result<void*> next = found->guardian.next();
  if (!next) return give(found->owner, next.error());
  *agent = *next;
  return BESOM_OK;
}

besom_status besom_guardian_next_both(besom_guardian* guardian, void** object, void** agent) {
  if (guardian == nullptr) return BESOM_BAD_ARGUMENT;
  if (object != nullptr) *object = nullptr;
  if (agent != nullptr) *agent = nullptr;
  auto* const found = find(guardian);
  if (found == nullptr) return BESOM_STALE_HANDLE;
  if (object == nullptr || agent == nullptr) {
    return refuse_null(found->owner, object == nullptr ? "object" : "agent");
  }
  const Result<besom::Guarded> next = found->guardian.next_both();
  if (!next) return give(found->owner, next.error());
  *object = next->object;
  *agent = next->agent;
  return BESOM_OK;
}

besom_status besom_guardian_make_all_ready(besom_guardian* guardian) {
  if (guardian == nullptr) return BESOM_BAD_ARGUMENT;
  auto* const found = find(guardian);
  if (found == nullptr) return BESOM_STALE_HANDLE;
  return give(found->owner, found->guardian.make_all_ready());
}

uint64_t besom_guardian_pending(const besom_guardian* guardian) {
  const auto* const found = find(guardian);
  return found != nullptr ? found->guardian.pending() : 0;
}

uint64_t besom_guardian_ready(const besom_guardian* guardian) {
  const auto* const found = find(guardian);
  return found != nullptr ? found->guardian.ready() : 0;
}

besom_status besom_run_finalizers(besom_heap* heap, uint64_t limit, uint64_t* called) {
  if (heap == nullptr) return BESOM_BAD_ARGUMENT;
  const Result<std::uint64_t> count = heap->heap->run_finalizers(limit);
  if (called != nullptr) *called = count ? *count : 0;
  return give(heap, count.error());
}
