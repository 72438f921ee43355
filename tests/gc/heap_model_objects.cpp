#include <cstring>
#include <memory>

#include "tests/gc/heap_model_impl.hpp"

namespace besom::test {

void HeapModel::Impl::define_types() {
  for (std::uint32_t kind = 0; kind < kKinds; ++kind) {
    const Result<TypeId> type = heap_->define(descriptor_of(static_cast<Kind>(kind)));
    expect(static_cast<bool>(type), "type defined", kind);
    types_[kind] = *type;
  }
}

std::uint32_t HeapModel::Impl::choose_length(Kind kind) {
  if (kind < kRefs || kind == kForeign) return 0;
  const bool large = choices_.chance(plan_.large_percent);
  return choices_.below(large ? plan_.large_length : 24);
}

void HeapModel::Impl::allocate() {
  // Small ones most of the time.
  const std::uint32_t roll = choices_.below(100);
  const Kind kind = roll < 40   ? kPlain
                    : roll < 65 ? kMixed
                    : roll < 68 ? kBig
                                : static_cast<Kind>(kRefs + choices_.below(kKinds - kRefs));
  const std::uint32_t length = choose_length(kind);
  auto* header = static_cast<Header*>(heap_->allocate(types_[kind], length));
  if (header == nullptr) {
    note_collections(nullptr);
    exhausted(bytes_of(kind, length));
    return;
  }
  ++counts_.allocations;
  auto owned = std::make_unique<Shadow>();
  Shadow& shadow = *owned;
  shadow.number = ++last_number_;
  shadow.kind = kind;
  shadow.length = length;
  shadow.bytes = bytes_of(kind, length);
  shadow.index = Ref<Header>(header).index();
  shadow.slots.resize(slots_of(kind, length));
  // What a collection did on the way happened before the object was there.
  note_collections(&shadow);
  newest_ = &shadow;
  check_zero(shadow, header);
  fill(shadow, address_of(shadow));
  if (kind == kForeign && plan_.options.generational && choices_.chance(50)) {
    expect(!heap_->set_always_remembered(header), "always remembered", shadow.index);
    shadow.is_remembered = true;
  }
  shadows_.push_back(std::move(owned));
  link(shadow);
}

void HeapModel::Impl::check_zero(const Shadow& shadow, const Header* header) const {
  expect(header->type == types_[shadow.kind] && header->length == shadow.length, "new header",
         shadow.index);
  const auto* bytes = reinterpret_cast<const unsigned char*>(header);
  unsigned sum = 0;
  for (std::uint32_t i = sizeof(Header); i < shadow.bytes; ++i) sum |= bytes[i];
  expect(sum == 0, "new memory is zero", shadow.index);
}

void HeapModel::Impl::link(Shadow& shadow) {
  const std::uint32_t roll = choices_.below(100);
  if (roll < 25) {
    root_in_handle(shadow);
  } else if (roll < 85) {
    if (Shadow* holder = any_shadow()) write_some_slot(*holder, &shadow);
  }
  const std::uint32_t slots = static_cast<std::uint32_t>(shadow.slots.size());
  if (slots != 0 && choices_.chance(50)) write_some_slot(shadow, any_shadow());
}

std::uint64_t HeapModel::Impl::pointed_word(const Shadow& holder, const ShadowSlot& slot) const {
  const std::uint64_t tag = holder.number % 16;
  if (slot.target != nullptr) {
    return reinterpret_cast<std::uintptr_t>(address_of(*slot.target)) | tag;
  }
  return slot.is_integer ? reinterpret_cast<std::uintptr_t>(&holder) : tag;
}

void HeapModel::Impl::write_some_slot(Shadow& holder, Shadow* target) {
  if (holder.slots.empty()) return;
  write_slot(holder, choices_.below(static_cast<std::uint32_t>(holder.slots.size())), target);
}

void HeapModel::Impl::write_slot(Shadow& holder, std::uint32_t slot, Shadow* target) {
  settle_doomed(holder);
  ShadowSlot& shadow_slot = holder.slots[slot];
  shadow_slot = {};
  shadow_slot.target = target;
  if (holder.kind == kForeign) {
    if (!holder.is_remembered || plan_.options.incremental) {
      note_overwrite_object(object<Foreign>(holder));
    }
    object<Foreign>(holder)->target[slot] = target != nullptr ? object<Header>(*target) : nullptr;
    return;
  }
  if (holder.kind == kPointed) {
    shadow_slot.is_integer = target == nullptr && choices_.chance(50);
    note_overwrite(pointed_slot(address_of(holder), slot), sizeof(std::uint64_t));
    *pointed_slot(address_of(holder), slot) = pointed_word(holder, shadow_slot);
    return;
  }
  if (holder.kind == kBoxed) {
    shadow_slot.is_integer = target == nullptr && choices_.chance(50);
    if (shadow_slot.is_integer)
      shadow_slot.integer = static_cast<std::int32_t>(choices_.below(~0u));
    note_overwrite(pointed_slot(address_of(holder), slot), sizeof(std::uint64_t));
    *pointed_slot(address_of(holder), slot) = box_of(shadow_slot);
    return;
  }
  Value value = Ref<Header>(target != nullptr ? target->index : 0);
  if (is_value_slot(holder, slot) && choices_.chance(20)) {
    shadow_slot.target = nullptr;
    shadow_slot.is_integer = true;
    shadow_slot.integer = static_cast<std::int32_t>(choices_.below(1u << 30)) - (1 << 29);
    value = Value::integer(shadow_slot.integer);
  }
  write_ref(*slot_address(holder, address_of(holder), slot), value.bits());
}

void HeapModel::Impl::write() {
  Shadow* holder = any_shadow();
  if (holder == nullptr) return;
  if (choices_.chance(20)) {
    move_target(*holder);
  } else {
    write_some_slot(*holder, choices_.chance(30) ? nullptr : any_shadow());
  }
}

/// What one slot had, another gets, perhaps of an object that a cycle has already visited. Nothing
/// but the barrier tells the heap.
void HeapModel::Impl::move_target(Shadow& from) {
  if (from.slots.empty() || from.kind >= kWeak) return;
  const auto slot = choices_.below(static_cast<std::uint32_t>(from.slots.size()));
  Shadow* const target = from.slots[slot].target;
  Shadow* const to = any_shadow();
  if (target == nullptr || to == nullptr) return;
  write_some_slot(*to, target);
  write_slot(from, slot, nullptr);
}

/// As the object has it.
std::uint32_t HeapModel::Impl::number_of(const Shadow& shadow) const {
  const auto* header = object<Header>(shadow);
  if (shadow.kind == kPlain) return header->length;
  std::uint32_t number = 0;
  std::memcpy(&number, header + 1, sizeof number);
  return number;
}

void HeapModel::Impl::check_object(const Shadow& shadow) const {
  const Result<Header*> checked = heap_->check(Ref<void>(shadow.index), types_[shadow.kind]);
  expect(static_cast<bool>(checked), "an object is there", shadow.index);
  expect(shadow.kind == kPlain || (*checked)->length == shadow.length, "an object's length",
         shadow.index);
  expect(number_of(shadow) == shadow.number, "an object's number", shadow.index);
  expect(has_payload(shadow, address_of(shadow)), "an object's payload", shadow.index);
  for (std::uint32_t i = 0; i < shadow.slots.size(); ++i) check_slot(shadow, i);
}

void HeapModel::Impl::check_slot(const Shadow& shadow, std::uint32_t i) const {
  const ShadowSlot& slot = shadow.slots[i];
  if (shadow.kind == kForeign) {
    const Header* wanted = slot.target != nullptr ? object<Header>(*slot.target) : nullptr;
    expect(object<Foreign>(shadow)->target[i] == wanted, "an address", shadow.index);
    return;
  }
  if (shadow.kind == kPointed) {
    const std::uint64_t word = *pointed_slot(address_of(shadow), i);
    // A slot that was never written is without its tag.
    expect(word == pointed_word(shadow, slot) || (word == 0 && slot.target == nullptr),
           "a tagged pointer", shadow.index);
    return;
  }
  if (shadow.kind == kBoxed) {
    const std::uint64_t word = *pointed_slot(address_of(shadow), i);
    // A slot that was never written is without its tag.
    expect(word == box_of(slot) || (word == 0 && slot.target == nullptr), "a box", shadow.index);
    return;
  }
  const std::uint32_t wanted = slot.is_integer          ? Value::integer(slot.integer).bits()
                               : slot.target != nullptr ? slot.target->index
                                                        : 0;
  expect(*slot_address(shadow, address_of(shadow), i) == wanted, "a slot", shadow.index);
}

}  // namespace besom::test
