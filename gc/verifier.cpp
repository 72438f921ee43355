#include "gc/verifier.hpp"

#include <cinttypes>
#include <cstring>

#include "gc/mark/marker.hpp"
#include "gc/object_slots.hpp"
#include "gc/roots/root_walks.hpp"
#include "gc/weak/finalizer_table.hpp"
#include "heap/addresses.hpp"
#include "heap/load_once.hpp"
#include "heap/space.hpp"
#include "heap/text_output.hpp"
#include "heap/type_table.hpp"

namespace besom {

namespace {

void add_slot(detail::TextOutput& text, const Defect& defect) noexcept {
  text.print(" 0x%" PRIx32 " ", defect.holder);
  if (defect.field != nullptr) {
    text.add(defect.field->name);
  } else if (defect.by_callback) {
    text.add("callback");
  } else {
    text.print("%" PRIu32, defect.element).add(defect.part);
  }
  text.print(" (at +%" PRIu32 ") holds ", defect.offset);
}

}  // namespace

std::size_t Defect::write_message(char* buffer, std::size_t size) const noexcept {
  detail::TextOutput text(buffer, size);
  switch (kind) {
    case Kind::bad_header:
      text.print("bad_header: object 0x%" PRIx32 " claims type %" PRIu32, holder, target);
      break;
    case Kind::bad_root:
      text.add("bad_root: '").add(holder_name).print("' holds 0x%" PRIx32, target);
      text.add(": no object starts there");
      break;
    case Kind::bad_ref:
      text.add("bad_ref: ").add(holder_name);
      add_slot(text, *this);
      text.print("0x%" PRIx32 ": no object starts there", target);
      break;
    case Kind::missed_store:
      text.add("missed_store: ").add(holder_name);
      add_slot(text, *this);
      text.add("young ").add(target_name).print(" 0x%" PRIx32 ": the store was not noted", target);
      break;
    case Kind::lost:
      text.add("lost: ");
      if (holder == 0) {
        text.add("root '").add(holder_name).add("' holds ");
      } else {
        text.add(holder_name);
        add_slot(text, *this);
      }
      text.add(target_name).print(" 0x%" PRIx32, target);
      text.add(
          ", which the cycle did not come to: a store that took another way to it, or a read "
          "from a weak slot, was not noted");
      break;
  }
  return text.length();
}

namespace detail {
namespace {

/// One walk: visits slots and tells of what is wrong with them.
class Verifier {
 public:
  /// With `marks`, refs to unmarked objects are what is looked for and reported as `unmarked`,
  /// where `cards` know nothing of them.
  Verifier(const Space& space, const TypeTable& types, DefectSink sink,
           const GranuleBits* marks = nullptr, const Cards* cards = nullptr,
           Defect::Kind unmarked = Defect::Kind::missed_store) noexcept
      : space_(space),
        addresses_(space),
        types_(types),
        sink_(sink),
        marks_(marks),
        cards_(cards),
        unmarked_(unmarked) {}

  void check_object(Run run) {
    ++counts_.objects;
    const Header header = load_header(space_.base() + run.index);
    const TypeInfo* type = checked_type(types_, header, run.size_bytes);
    // What was allocated without refs has been given some.
    if (type != nullptr && !type->is_leaf && space_.leaves().test(to_granules(run.index))) {
      type = nullptr;
    }
    if (type == nullptr) {
      if (marks_ == nullptr) report(Defect::Kind::bad_header, run.index, header.type, "", {});
      return;
    }
    each_slot(addresses_, run, *type, [&](const ObjectSlot& slot) {
      ++counts_.slots;
      // Of an ambiguous word nothing can be said: it may be a number like any other.
      if (!slot.is_certain || is_sound(slot.bits, slot.kind) || is_noted(run, slot)) return;
      report(marks_ != nullptr ? unmarked_ : Defect::Kind::bad_ref, run.index, slot.bits,
             type->descriptor->name.c_str(), slot);
    });
  }

  void check_root(std::uint32_t bits, const char* label, SlotKind kind) {
    ++counts_.slots;
    if (is_sound(bits, kind)) return;
    report(marks_ != nullptr ? unmarked_ : Defect::Kind::bad_root, 0, bits,
           label != nullptr ? label : "", {});
  }

  [[nodiscard]] const VerifyCounts& counts() const noexcept { return counts_; }

 private:
  [[nodiscard]] bool is_sound(std::uint32_t bits, SlotKind kind) const {
    if (!names_object(bits, kind)) return true;
    const bool is_object = addresses_.is_object(bits);
    // Marking reports what is no object itself.
    if (marks_ != nullptr) return !is_object || marks_->test(to_granules(bits));
    return is_object;
  }
  /// Of what a callback visits the place is not known, so that one card speaks for all the object.
  [[nodiscard]] bool is_noted(Run object, const ObjectSlot& slot) const {
    if (cards_ == nullptr) return false;
    if (!slot.by_callback) return cards_->is_marked((object.index + slot.offset) >> Cards::kShift);
    const std::uint32_t end = ((object.end() - 1) >> Cards::kShift) + 1;
    return cards_->next_marked(object.index >> Cards::kShift, end) != end;
  }
  void report(Defect::Kind kind, std::uint32_t holder, std::uint32_t target,
              const char* holder_name, const ObjectSlot& slot) noexcept {
    ++counts_.defects;
    sink_.take(sink_.user, {.kind = kind,
                            .holder = holder,
                            .offset = slot.offset,
                            .target = target,
                            .holder_name = holder_name,
                            .field = slot.field,
                            .element = slot.element,
                            .part = slot.part,
                            .by_callback = slot.by_callback,
                            .target_name = marks_ != nullptr ? type_name_at(target) : ""});
  }
  [[nodiscard]] const char* type_name_at(std::uint32_t index) const noexcept {
    const Header header = load_header(space_.base() + index);
    return types_.contains(header.type) ? types_[header.type].descriptor->name.c_str() : "object";
  }

  const Space& space_;
  const Addresses addresses_;
  const TypeTable& types_;
  const DefectSink sink_;
  const GranuleBits* marks_;
  const Cards* cards_;
  const Defect::Kind unmarked_;
  VerifyCounts counts_;
};

}  // namespace

VerifyCounts verify_heap(const Space& space, const TypeTable& types, const RootTable& roots,
                         const FinalizerTable& finalizers, DefectSink sink) {
  Verifier verifier(space, types, sink);
  each_object(space, [&](Run run) { verifier.check_object(run); });
  const Addresses addresses(space);
  roots.each_labelled(addresses, [&](const LabelledRoot& root) {
    verifier.check_root(root.bits, root.label, root.kind);
  });
  roots.weak_handles().each(
      [&](const HandleSlot& slot) { verifier.check_root(slot.ref, slot.label, SlotKind::value); });
  finalizers.each([&](std::uint32_t bits, const char* label, bool) {
    verifier.check_root(bits, label, SlotKind::value);
  });
  return verifier.counts();
}

VerifyCounts find_missed_stores(const Space& space, const TypeTable& types,
                                const GranuleBits& marks, const Cards* cards, DefectSink sink) {
  Verifier verifier(space, types, sink, &marks, cards);
  each_object(space, [&](Run run) {
    if (marks.test(to_granules(run.index))) verifier.check_object(run);
  });
  return verifier.counts();
}

VerifyCounts find_lost(const Space& space, const TypeTable& types, const RootTable& roots,
                       const GranuleBits& marks, DefectSink sink) {
  Verifier verifier(space, types, sink, &marks, nullptr, Defect::Kind::lost);
  each_object(space, [&](Run run) {
    if (marks.test(to_granules(run.index))) verifier.check_object(run);
  });
  const Addresses addresses(space);
  roots.each_labelled(addresses, [&](const LabelledRoot& root) {
    if (root.is_certain) verifier.check_root(root.bits, root.label, root.kind);
  });
  return verifier.counts();
}

}  // namespace detail
}  // namespace besom
