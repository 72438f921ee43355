#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "gc/roots/callback_visitor.hpp"
#include "heap/load_once.hpp"
#include "heap/space.hpp"
#include "heap/type_table.hpp"

namespace besom::detail {

/// Whether what a slot or root holds should be the index of an object, being neither null nor an
/// integer. To a pointer or box the base is no null.
[[nodiscard]] constexpr bool names_object(std::uint32_t bits, SlotKind kind) noexcept {
  if (bits == 0) return kind == SlotKind::pointer || kind == SlotKind::box;
  return (kind != SlotKind::value && kind != SlotKind::weak) || (bits & 1) == 0;
}

/// What one slot of an object holds, and what the place is called.
struct ObjectSlot {
  std::uint32_t bits;  ///< Of a pointer or box: the index of its target.
  SlotKind kind;
  std::uint32_t offset;  ///< From the object's start, in bytes; 0 where a callback visited.
  const FieldDescriptor* field = nullptr;  ///< nullptr: an element, or visited by a callback.
  std::uint32_t element = 0;
  const char* part = "";  ///< Of an entry: its key or its value.
  std::uint32_t key = 0;  ///< Of an ephemeron's value: what it depends on.
  bool by_callback = false;
  bool is_certain = true;  ///< No ambiguous word.

  /// Whether the slot leads to an object and keeps it alive; an ephemeron's value, while its key
  /// is.
  [[nodiscard]] bool is_strong_edge() const noexcept {
    return kind != SlotKind::weak && names_object(bits, kind);
  }
};

/// Calls `visit(const ObjectSlot&)` for every slot of `object`, weak ones included, in the order of
/// the descriptor; pointers out of the arena and boxes that are no refs are passed over. `type` is
/// what checked_type() gave for it; the length is read again and may claim the object's extent at
/// most. For everything that reports; marking, which needs no names, has its own way.
template <class Visit>
void each_slot(const Addresses& addresses, Run object, const TypeInfo& type, Visit visit) {
  const char* const address = addresses.base() + object.index;
  const auto read = [&](std::uint32_t offset) {
    return load_once<std::uint32_t>(address + offset);
  };
  const auto visit_slot = [&](ObjectSlot slot) {
    if (slot.kind == SlotKind::pointer || slot.kind == SlotKind::box) {
      const auto word = load_once<std::uint64_t>(address + slot.offset);
      slot.bits = slot.kind == SlotKind::box ? addresses.index_of_box(type.box, word)
                                             : addresses.index_of_pointer(word);
      if (slot.bits == Addresses::kOutside) return;
    } else {
      slot.bits = read(slot.offset);
    }
    visit(slot);
  };
  for (const FieldDescriptor& field : type.descriptor->fields) {
    visit_slot({.bits = 0,
                .kind = field.kind,
                .offset = static_cast<std::uint32_t>(field.offset),
                .field = &field});
  }
  if (type.trace != nullptr) {
    CallbackVisitor visitor(
        addresses,
        [&](std::uint32_t bits, SlotKind kind, bool is_certain) {
          visit(ObjectSlot{.bits = bits,
                           .kind = kind,
                           .offset = 0,
                           .by_callback = true,
                           .is_certain = is_certain});
        },
        type.descriptor->trace_user);
    type.trace(address, object.size_bytes, visitor);
    return;
  }
  if (type.element_bytes < sizeof(std::uint32_t)) return;
  const std::uint32_t length = std::min(
      read(offsetof(Header, length)), (object.size_bytes - type.fixed_bytes) / type.element_bytes);
  for (std::uint32_t i = 0; i < length; ++i) {
    const std::uint32_t offset = type.fixed_bytes + i * type.element_bytes;
    ObjectSlot slot{.bits = 0, .kind = SlotKind::value, .offset = offset, .element = i};
    switch (type.trailing) {
      case Trailing::refs:
        slot.kind = SlotKind::ref;
        break;
      case Trailing::pointers:
        slot.kind = SlotKind::pointer;
        break;
      case Trailing::boxes:
        slot.kind = SlotKind::box;
        break;
      case Trailing::weak:
        slot.kind = SlotKind::weak;
        break;
      case Trailing::ephemerons:
      case Trailing::weak_values: {
        const bool is_ephemeron = type.trailing == Trailing::ephemerons;
        slot.part = ".key";
        slot.kind = is_ephemeron ? SlotKind::weak : SlotKind::value;
        visit_slot(slot);
        slot.part = ".value";
        slot.offset += offsetof(Entry, value);
        slot.kind = is_ephemeron ? SlotKind::value : SlotKind::weak;
        if (is_ephemeron) slot.key = read(offset);
        break;
      }
      case Trailing::none:
      case Trailing::bytes:
      case Trailing::values:
        break;
    }
    visit_slot(slot);
  }
}

/// Calls `visit(Run)` for every object, reachable or not, in address order. What is unused has
/// to be concealed.
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

/// Calls `visit(Run)` for every stretch without objects, in address order. What is unused has to be
/// concealed.
template <class Visit>
void each_hole(const Space& space, Visit visit) {
  const FreeList& list = space.free_list();
  const BoundaryMap& map = list.map();
  const std::uint32_t end = to_granules(list.max_size()) + 1;
  std::uint32_t hole = 0;  // granule 0 is none
  for (std::uint32_t granule = 1; granule < end; granule = map.next_start(granule)) {
    if (!map.is_block(granule)) {
      if (hole == 0) hole = granule;
    } else if (hole != 0) {
      visit(Run{to_bytes(hole), to_bytes(granule - hole)});
      hole = 0;
    }
  }
  if (hole != 0) visit(Run{to_bytes(hole), to_bytes(end - hole)});
}

}  // namespace besom::detail
