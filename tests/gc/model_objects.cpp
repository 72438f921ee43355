#include "tests/gc/model_objects.hpp"

#include <cstddef>
#include <cstring>

namespace besom::test::model {
namespace {

void trace_foreign(const void* object, std::uint32_t, Tracer& tracer) {
  const auto* foreign = static_cast<const Foreign*>(object);
  for (std::uint32_t i = 0; i < foreign->count && i < 2; ++i) {
    tracer.visit_pointer(foreign->target[i]);
  }
}

std::uint32_t pattern(std::uint32_t number, std::uint32_t i) {
  return (number * 2654435761u) ^ (i * 40503u);
}

/// Neither half of a box has the index, so that every place that reads one has to know how.
constexpr BoxFormat kBoxFormat{.mask = 0xfff00, .tag = 0x12300, .shift = 20};

bool has_entries(Kind kind) { return kind == kEphemerons || kind == kWeakValues; }

}  // namespace

TypeDescriptor descriptor_of(Kind kind) {
  const SlotKind value = SlotKind::value;
  const TypeDescriptor descriptors[kKinds] = {
      {.name = "Plain",
       .size = sizeof(Plain),
       .fields = {{"a", offsetof(Plain, slot), value}, {"b", offsetof(Plain, slot) + 4, value}}},
      {.name = "Mixed",
       .size = sizeof(Mixed),
       .fields = {{"a", offsetof(Mixed, ref)},
                  {"b", offsetof(Mixed, ref) + 4},
                  {"value", offsetof(Mixed, value), value}}},
      {.name = "Big",
       .size = sizeof(Big),
       .fields = {{"first", offsetof(Big, first)}, {"last", offsetof(Big, last)}}},
      {.name = "Refs", .size = sizeof(Trailer), .trailing = Trailing::refs},
      {.name = "Values", .size = sizeof(Trailer), .trailing = Trailing::values},
      {.name = "Bytes", .size = sizeof(Trailer), .trailing = Trailing::bytes},
      {.name = "Foreign", .size = sizeof(Foreign), .trace = trace_foreign},
      {.name = "Boxed",
       .size = sizeof(Pointed),
       .fields = {{"a", offsetof(Pointed, fixed), SlotKind::box},
                  {"b", offsetof(Pointed, fixed) + 8, SlotKind::box}},
       .trailing = Trailing::boxes,
       .box = kBoxFormat},
      {.name = "Pointed",
       .size = sizeof(Pointed),
       .fields = {{"a", offsetof(Pointed, fixed), SlotKind::pointer},
                  {"b", offsetof(Pointed, fixed) + 8, SlotKind::pointer}},
       .trailing = Trailing::pointers},
      {.name = "Weak", .size = sizeof(Trailer), .trailing = Trailing::weak},
      {.name = "Ephemerons", .size = sizeof(Trailer), .trailing = Trailing::ephemerons},
      {.name = "WeakValues", .size = sizeof(Trailer), .trailing = Trailing::weak_values},
  };
  return descriptors[kind];
}

std::uint32_t bytes_of(Kind kind, std::uint32_t length) {
  constexpr std::uint32_t kFixed[kKinds] = {sizeof(Plain),   sizeof(Mixed),   sizeof(Big),
                                            sizeof(Trailer), sizeof(Trailer), sizeof(Trailer),
                                            sizeof(Foreign), sizeof(Pointed), sizeof(Pointed),
                                            sizeof(Trailer), sizeof(Trailer), sizeof(Trailer)};
  const bool is_wide = kind == kPointed || kind == kBoxed || has_entries(kind);
  const std::uint32_t element = kind == kBytes ? 1 : is_wide ? 8 : 4;
  return (kFixed[kind] + length * element + 15) / 16 * 16;
}

std::uint32_t slots_of(Kind kind, std::uint32_t length) {
  constexpr std::uint32_t kSlots[kKinds] = {2, 3, 2, 0, 0, 0, 2, 2, 2};
  if (kind == kPointed || kind == kBoxed) return 2 + length;
  if (has_entries(kind)) return 2 * length;
  return kind == kRefs || kind == kValues || kind == kWeak ? length : kSlots[kind];
}

bool is_value_slot(const Shadow& shadow, std::uint32_t slot) {
  return shadow.kind == kPlain || shadow.kind == kValues || shadow.kind >= kWeak ||
         (shadow.kind == kMixed && slot == 2);
}

void fill(const Shadow& shadow, char* at) {
  switch (shadow.kind) {
    case kPlain:
      reinterpret_cast<Plain*>(at)->header.length = shadow.number;
      break;
    case kMixed: {
      auto* mixed = reinterpret_cast<Mixed*>(at);
      mixed->number = shadow.number;
      for (std::uint32_t i = 0; i < 2; ++i) mixed->payload[i] = pattern(shadow.number, i);
      break;
    }
    case kBig: {
      auto* big = reinterpret_cast<Big*>(at);
      big->number = shadow.number;
      for (std::uint32_t i = 0; i < 80; ++i) big->payload[i] = pattern(shadow.number, i);
      break;
    }
    case kBytes: {
      auto* trailer = reinterpret_cast<Trailer*>(at);
      trailer->number = shadow.number;
      auto* bytes = trailing_of<unsigned char>(trailer);
      for (std::uint32_t i = 0; i < shadow.length; ++i) {
        bytes[i] = static_cast<unsigned char>(pattern(shadow.number, i));
      }
      break;
    }
    case kForeign:
      reinterpret_cast<Foreign*>(at)->number = shadow.number;
      reinterpret_cast<Foreign*>(at)->count = 2;
      break;
    default:
      reinterpret_cast<Trailer*>(at)->number = shadow.number;
      break;
  }
}

bool has_payload(const Shadow& shadow, const char* at) {
  bool good = true;
  if (shadow.kind == kMixed) {
    for (std::uint32_t i = 0; i < 2; ++i) {
      good &= reinterpret_cast<const Mixed*>(at)->payload[i] == pattern(shadow.number, i);
    }
  } else if (shadow.kind == kBig) {
    for (std::uint32_t i = 0; i < 80; ++i) {
      good &= reinterpret_cast<const Big*>(at)->payload[i] == pattern(shadow.number, i);
    }
  } else if (shadow.kind == kBytes) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(at) + sizeof(Trailer);
    for (std::uint32_t i = 0; i < shadow.length; ++i) {
      good &= bytes[i] == static_cast<unsigned char>(pattern(shadow.number, i));
    }
  }
  return good;
}

std::uint32_t* slot_address(const Shadow& shadow, char* at, std::uint32_t slot) {
  switch (shadow.kind) {
    case kPlain:
      at += offsetof(Plain, slot) + slot * 4;
      break;
    case kMixed:
      at += slot < 2 ? offsetof(Mixed, ref) + slot * 4 : offsetof(Mixed, value);
      break;
    case kBig:
      at += slot == 0 ? offsetof(Big, first) : offsetof(Big, last);
      break;
    default:
      at += sizeof(Trailer) + slot * 4;
      break;
  }
  return reinterpret_cast<std::uint32_t*>(at);
}

std::uint64_t* pointed_slot(char* at, std::uint32_t slot) {
  // The trailing ones follow the fixed ones, beyond the end of their array.
  return reinterpret_cast<std::uint64_t*>(at + offsetof(Pointed, fixed)) + slot;
}

std::uint64_t box_of(const ShadowSlot& slot) {
  if (slot.is_integer) return std::uint64_t{static_cast<std::uint32_t>(slot.integer)} << 20;
  const std::uint64_t index = slot.target != nullptr ? slot.target->index : 0;
  return index << kBoxFormat.shift | kBoxFormat.tag;
}

}  // namespace besom::test::model
