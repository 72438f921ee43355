#pragma once

/// RootTable's walks, which are no part of what inline code needs.

#include <cstdint>

#include "besom/detail/root_table.hpp"
#include "gc/roots/callback_visitor.hpp"

namespace besom::detail {

template <class Visit>
void RootTable::each_local(Visit visit) const {
  for (const FiberState* fiber = &thread_; fiber != nullptr; fiber = fiber->next) {
    fiber->locals.each(visit);
  }
}

template <class Visit, class Enter>
void RootTable::each(Tracer& tracer, Visit visit, Enter enter) const {
  enter(HeldRoot::Kind::handle, nullptr);
  handles_.each([&](HandleSlot& slot) {
    if (slot.ref != 0) visit(slot.ref, slot.label);
  });
  enter(HeldRoot::Kind::local, nullptr);
  each_local([&](const LocalSlot& slot) {
    if (slot.ref != 0) visit(slot.ref, "local");
  });
  for (const RootSource& source : sources_.rows()) {
    if (source.is_removed) continue;
    enter(source.kind(), source.label);
    if (source.callback != nullptr) {
      source.callback(source.user, tracer);
      continue;
    }
    if (source.words != nullptr) visit_words(source.words, source.words_end, tracer);
    if (source.stack.end != nullptr) visit_native(thread_, source.stack, tracer);
    // A hook has no slots.
    for (std::uint64_t k = 0; k < source.count; ++k) visit(source.slots[k], source.label);
  }
  for (const FiberState* fiber = thread_.next; fiber != nullptr; fiber = fiber->next) {
    if (fiber->native.end == nullptr) continue;
    enter(HeldRoot::Kind::range, kFiberLabel);
    visit_native(*fiber, fiber->native, tracer);
  }
}

template <class Visit>
void RootTable::each_held(Visit visit) const {
  handles_.each([&](HandleSlot& slot) { visit(HeldRoot::Kind::handle, slot.label); });
  each_local([&](const LocalSlot& slot) {
    if (slot.ref != 0) visit(HeldRoot::Kind::local, "local");
  });
  for (const RootSource& source : sources_.rows()) {
    if (!source.is_removed) visit(source.kind(), source.label);
  }
  for (const FiberState* fiber = thread_.next; fiber != nullptr; fiber = fiber->next) {
    if (fiber->native.end != nullptr) visit(HeldRoot::Kind::range, kFiberLabel);
  }
}

template <class Visit>
void RootTable::each_labelled(const Addresses& addresses, Visit visit) const {
  HeldRoot::Kind held = HeldRoot::Kind::handle;
  const char* label = nullptr;
  CallbackVisitor visitor(
      addresses, [&](std::uint32_t bits, SlotKind kind, bool) { visit(bits, label, kind, held); });
  each(
      visitor,
      [&](std::uint32_t bits, const char* own_label) {
        visit(bits, own_label, SlotKind::value, held);
      },
      [&](HeldRoot::Kind entered, const char* entered_label) {
        held = entered;
        label = entered_label;
      });
}

}  // namespace besom::detail
