/// The C interface: types. A descriptor is made of strings and vectors, which throw when the host
/// has no memory; so this file is compiled with exceptions, and stops them here.

#include <algorithm>
#include <cstring>
#include <exception>
#include <memory>
#include <new>

#include "besom/weak_tables.hpp"
#include "capi/capi.hpp"
#include "gc/collector.hpp"

using besom::Errc;
using besom::Error;
using besom::SlotKind;
using besom::Trailing;
using besom::TypeDescriptor;
using besom::detail::give;
using besom::detail::number_of;
using besom::detail::refuse_null;

namespace {

static_assert(BESOM_SLOT_REF == static_cast<int>(SlotKind::ref));
static_assert(BESOM_SLOT_VALUE == static_cast<int>(SlotKind::value));
static_assert(BESOM_SLOT_WEAK == static_cast<int>(SlotKind::weak));
static_assert(BESOM_SLOT_POINTER == static_cast<int>(SlotKind::pointer));
static_assert(BESOM_SLOT_BOX == static_cast<int>(SlotKind::box));
static_assert(BESOM_BOX_INDEX == static_cast<int>(besom::BoxPayload::index));
static_assert(BESOM_BOX_ADDRESS == static_cast<int>(besom::BoxPayload::address));
static_assert(BESOM_TRAILING_NONE == static_cast<int>(Trailing::none));
static_assert(BESOM_TRAILING_REFS == static_cast<int>(Trailing::refs));
static_assert(BESOM_TRAILING_VALUES == static_cast<int>(Trailing::values));
static_assert(BESOM_TRAILING_BYTES == static_cast<int>(Trailing::bytes));
static_assert(BESOM_TRAILING_POINTERS == static_cast<int>(Trailing::pointers));
static_assert(BESOM_TRAILING_BOXES == static_cast<int>(Trailing::boxes));
static_assert(BESOM_TRAILING_WEAK == static_cast<int>(Trailing::weak));
static_assert(BESOM_TRAILING_EPHEMERONS == static_cast<int>(Trailing::ephemerons));
static_assert(BESOM_TRAILING_WEAK_VALUES == static_cast<int>(Trailing::weak_values));

Error bad_type(const char* detail) noexcept { return {.code = Errc::bad_type, .detail = detail}; }

void trace(const void* object, std::uint32_t size_bytes, besom::Tracer& tracer) {
  const auto* type = static_cast<const besom::detail::CTrace*>(tracer.user());
  type->callback(type->user, object, size_bytes, besom::detail::to_c(tracer));
}

/// Null, or what no descriptor in C++ could say.
const char* fault_of(const besom_descriptor& descriptor) noexcept {
  if (descriptor.name == nullptr) return "name: missing";
  // Before a field is looked at: a count that lies would lead behind them.
  if (descriptor.field_count > descriptor.size / sizeof(besom_ref)) {
    return "field_count: more than have room";
  }
  if (descriptor.fields == nullptr && descriptor.field_count != 0) return "fields: missing";
  if (number_of(descriptor.trailing) > BESOM_TRAILING_WEAK_VALUES) {
    return "trailing: no kind of elements";
  }
  for (std::uint64_t i = 0; i < descriptor.field_count; ++i) {
    const besom_field& field = descriptor.fields[i];
    if (field.name == nullptr) return "field: without a name";
    if (number_of(field.kind) > BESOM_SLOT_BOX) return "field: no kind of slot";
  }
  return nullptr;
}

TypeDescriptor to_cpp(const besom_descriptor& descriptor) {
  TypeDescriptor result{.name = descriptor.name,
                        .size = descriptor.size,
                        .trailing = static_cast<Trailing>(descriptor.trailing),
                        .release = descriptor.release,
                        .release_user = descriptor.release_user,
                        .box = besom::detail::to_cpp(descriptor.box)};
  result.fields.reserve(descriptor.field_count);
  for (std::uint64_t i = 0; i < descriptor.field_count; ++i) {
    const besom_field& field = descriptor.fields[i];
    result.fields.push_back({field.name, field.offset, static_cast<SlotKind>(field.kind)});
  }
  return result;
}

TypeDescriptor standard_type(std::uint32_t standard) {
  switch (standard) {
    case BESOM_REF_ARRAY:
      return besom::RefArray<besom::Header>::type();
    case BESOM_VALUE_ARRAY:
      return besom::ValueArray::type();
    case BESOM_BYTE_ARRAY:
      return besom::ByteArray::type();
    case BESOM_WEAK_ARRAY:
      return besom::WeakArray::type();
    case BESOM_EPHEMERON_ARRAY:
      return besom::EphemeronArray::type();
    case BESOM_WEAK_VALUE_ARRAY:
      return besom::WeakValueArray::type();
    case BESOM_WEAK_BOX:
      return besom::WeakBox::type();
    case BESOM_EPHEMERON:
      return besom::Ephemeron::type();
    case BESOM_WEAK_KEY_TABLE:
      return besom::WeakKeyTable::type();
    case BESOM_WEAK_VALUE_TABLE:
      return besom::WeakValueTable::type();
  }
  __builtin_unreachable();
}

/// Defines the type that `make()` describes.
template <class Make>
besom_status define(besom_heap* heap, besom_type* type, Make make) noexcept {
  try {
    const besom::Result<besom::TypeId> id = heap->heap->define(make());
    if (!id) return give(heap, id.error());
    *type = *id;
    return BESOM_OK;
  } catch (const std::exception&) {
    return give(heap, {.code = Errc::out_of_host_memory, .detail = "descriptor"});
  }
}

}  // namespace

besom_status besom_define(besom_heap* heap, const besom_descriptor* descriptor, besom_type* type) {
  if (heap == nullptr || descriptor == nullptr || type == nullptr) {
    return refuse_null(heap, descriptor == nullptr ? "descriptor" : "type");
  }
  if (const char* fault = fault_of(*descriptor)) return give(heap, bad_type(fault));
  std::unique_ptr<besom::detail::CTrace> hook;
  if (descriptor->trace != nullptr) {
    hook.reset(new (std::nothrow) besom::detail::CTrace{
        .callback = descriptor->trace, .user = descriptor->trace_user, .next = nullptr});
    if (hook == nullptr) {
      return give(heap, {.code = Errc::out_of_host_memory, .detail = "descriptor"});
    }
  }
  const besom_status status = define(heap, type, [&] {
    TypeDescriptor result = to_cpp(*descriptor);
    if (hook != nullptr) {
      result.trace = trace;
      result.trace_user = hook.get();
    }
    return result;
  });
  if (status == BESOM_OK && hook != nullptr) {
    hook->next = std::move(heap->traces);
    heap->traces = std::move(hook);
  }
  return status;
}

besom_status besom_define_standard(besom_heap* heap, besom_standard standard, besom_type* type) {
  if (heap == nullptr || type == nullptr) return refuse_null(heap, "type");
  const std::uint32_t number = number_of(standard);
  if (number > BESOM_WEAK_VALUE_TABLE) {
    return give(heap, {.code = Errc::bad_type,
                       .bytes = number,
                       .limit = BESOM_WEAK_VALUE_TABLE,
                       .detail = "standard: no ready-made type"});
  }
  return define(heap, type, [&] { return standard_type(number); });
}

besom_status besom_describe(besom_heap* heap, besom_type type, besom_descriptor* descriptor,
                            besom_field* fields, uint64_t capacity) {
  if (heap == nullptr || descriptor == nullptr) return refuse_null(heap, "descriptor");
  if (fields == nullptr && capacity != 0) return refuse_null(heap, "fields");
  const TypeDescriptor* found = heap->heap->descriptor(type);
  if (found == nullptr) {
    const besom::detail::HeapParts& parts = besom::detail::parts_of(*heap->heap);
    return give(heap, parts.collector->types().unknown(type));
  }
  *descriptor = {.name = found->name.c_str(),
                 .size = found->size,
                 .fields = fields,
                 .field_count = found->fields.size(),
                 .trailing = static_cast<besom_trailing>(found->trailing),
                 .trace = nullptr,
                 .trace_user = nullptr,
                 .release = found->release,
                 .release_user = found->release_user,
                 .box = {.mask = found->box.mask,
                         .tag = found->box.tag,
                         .shift = found->box.shift,
                         .payload = static_cast<besom_box_payload>(found->box.payload)}};
  if (const auto* hook = static_cast<const besom::detail::CTrace*>(found->trace_user)) {
    descriptor->trace = hook->callback;
    descriptor->trace_user = hook->user;
  }
  for (std::uint64_t i = 0; i < std::min(capacity, descriptor->field_count); ++i) {
    const besom::FieldDescriptor& field = found->fields[i];
    fields[i] = {field.name.c_str(), field.offset, static_cast<besom_slot_kind>(field.kind)};
  }
  return BESOM_OK;
}
