#pragma once

/// RootTable's walks, which are no part of what inline code needs.

#include <cstdint>
#include <type_traits>

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
  each_but_handles(tracer, visit, enter);
}

template <class Visit, class Enter>
void RootTable::each_but_handles(Tracer& tracer, Visit visit, Enter enter) const {
  enter(HeldRoot::Kind::local, nullptr);
  each_local([&](const LocalSlot& slot) {
    if (slot.ref != 0) visit(slot.ref, "local");
  });
  for (const RootSource& source : sources_.rows()) {
    if (source.is_removed()) continue;
    enter(source.kind(), source.label());
    source.visit([&](const auto& own) {
      using Source = std::remove_cvref_t<decltype(own)>;
      if constexpr (std::is_same_v<Source, RootSource::Callback>) {
        own.call(own.user, tracer);
      } else if constexpr (std::is_same_v<Source, RootSource::Slots>) {
        for (std::uint64_t k = 0; k < own.count; ++k) visit(own.begin[k], source.label());
      } else if constexpr (std::is_same_v<Source, RootSource::Words>) {
        visit_words(own.begin, own.end, tracer);
      } else if constexpr (std::is_same_v<Source, NativeStack>) {
        visit_native(thread_, own, tracer);
      }  // a hook has no roots
    });
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
    if (!source.is_removed()) visit(source.kind(), source.label());
  }
  for (const FiberState* fiber = thread_.next; fiber != nullptr; fiber = fiber->next) {
    if (fiber->native.end != nullptr) visit(HeldRoot::Kind::range, kFiberLabel);
  }
}

template <class Visit>
void RootTable::each_labelled(const Addresses& addresses, Visit visit) const {
  HeldRoot::Kind held = HeldRoot::Kind::handle;
  const char* label = nullptr;
  CallbackVisitor visitor(addresses, [&](std::uint32_t bits, SlotKind kind, bool is_certain) {
    visit(LabelledRoot{bits, label, kind, held, is_certain});
  });
  each(
      visitor,
      [&](std::uint32_t bits, const char* own_label) {
        visit(LabelledRoot{bits, own_label, SlotKind::value, held, true});
      },
      [&](HeldRoot::Kind entered, const char* entered_label) {
        held = entered;
        label = entered_label;
      });
}

}  // namespace besom::detail
