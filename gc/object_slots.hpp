#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "gc/callback_visitor.hpp"
#include "heap/space.hpp"
#include "heap/type_table.hpp"

namespace besom::detail {

/// What one slot of an object holds, and what the place is called.
struct ObjectSlot {
  std::uint32_t bits;
  SlotKind kind;
  std::uint32_t offset;          ///< From the object's start, in bytes; 0 where a callback visited.
  const FieldDescriptor* field;  ///< nullptr: an element, or visited by a callback.
  std::uint32_t element;
  bool by_callback;

  [[nodiscard]] std::string name() const {
    if (field != nullptr) return field->name;
    return by_callback ? "callback" : std::to_string(element);
  }
  /// Whether the slot leads to an object and keeps it alive.
  [[nodiscard]] bool is_strong_edge() const noexcept {
    return bits != 0 && (kind == SlotKind::ref || (kind == SlotKind::value && (bits & 1) == 0));
  }
};

/// Calls `visit(const ObjectSlot&)` for every slot of `object`, weak ones included, in the order of
/// the descriptor. `type` is what checked_type() gave for it. For everything that reports; marking,
/// which needs no names, has its own way.
template <class Visit>
void each_slot(const char* base, Run object, const TypeInfo& type, Visit visit) {
  const char* const address = base + object.index;
  const auto read = [&](std::uint32_t offset) {
    std::uint32_t bits;
    std::memcpy(&bits, address + offset, sizeof bits);
    return bits;
  };
  for (const FieldDescriptor& field : type.descriptor->fields) {
    visit(ObjectSlot{read(field.offset), field.kind, field.offset, &field, 0, false});
  }
  if (type.trace != nullptr) {
    CallbackVisitor visitor([&](std::uint32_t bits) {
      visit(ObjectSlot{bits, SlotKind::value, 0, nullptr, 0, true});
    });
    type.trace(address, object.size_bytes, visitor);
  } else if (type.element_bytes == sizeof(std::uint32_t)) {
    const SlotKind kind = type.trailing == Trailing::refs ? SlotKind::ref : SlotKind::value;
    const std::uint32_t length = read(offsetof(Header, length));
    for (std::uint32_t i = 0; i < length; ++i) {
      const std::uint32_t offset = type.fixed_bytes + i * std::uint32_t{sizeof(std::uint32_t)};
      visit(ObjectSlot{read(offset), kind, offset, nullptr, i, false});
    }
  }
}

/// Calls `visit(Run)` for every object, reachable or not, in address order. Windows have to be
/// retired.
template <class Visit>
void each_object(const Space& space, Visit visit) {
  const BoundaryMap& map = space.free_list().map();
  const std::uint32_t end = to_granules(space.free_list().used_end());
  for (std::uint32_t granule = 1; granule < end;) {
    const std::uint32_t next = map.next_start(granule);
    if (map.is_block(granule)) visit(Run{to_bytes(granule), to_bytes(next - granule)});
    granule = next;
  }
}

}  // namespace besom::detail
