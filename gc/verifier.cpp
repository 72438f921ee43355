#include "gc/verifier.hpp"

#include <cinttypes>
#include <cstdio>
#include <cstring>

#include "gc/finalizer_table.hpp"
#include "gc/marker.hpp"
#include "gc/object_slots.hpp"
#include "gc/root_table.hpp"
#include "heap/addresses.hpp"
#include "heap/space.hpp"
#include "heap/type_table.hpp"

namespace besom {

std::string Defect::message() const {
  char text[96];
  switch (kind) {
    case Kind::bad_header:
      std::snprintf(text, sizeof text, "bad_header: object 0x%" PRIx32 " claims type %" PRIu32,
                    holder, target);
      return text;
    case Kind::bad_root:
      std::snprintf(text, sizeof text, "' holds 0x%" PRIx32 ": no object starts there", target);
      return "bad_root: '" + holder_name + text;
    case Kind::bad_ref:
    case Kind::missed_store:
      break;
  }
  std::snprintf(text, sizeof text, " (at +%" PRIu32 ") holds 0x%" PRIx32 ": no object starts there",
                offset, target);
  char place[32];
  std::snprintf(place, sizeof place, " 0x%" PRIx32 " ", holder);
  if (kind == Kind::bad_ref) return "bad_ref: " + holder_name + place + slot_name + text;
  std::snprintf(text, sizeof text, " (at +%" PRIu32 ") holds young ", offset);
  char target_place[64];
  std::snprintf(target_place, sizeof target_place, " 0x%" PRIx32 ": the store was not noted",
                target);
  return "missed_store: " + holder_name + place + slot_name + text + target_name + target_place;
}

namespace detail {
namespace {

/// One walk: visits slots and collects what is wrong with them.
class Verifier {
 public:
  /// With `marks`, refs to unmarked objects are what is looked for.
  Verifier(const Space& space, const TypeTable& types, const MarkBits* marks = nullptr)
      : space_(space), addresses_(space), types_(types), marks_(marks) {}

  void check_object(Run run) {
    ++report_.objects;
    Header header;
    std::memcpy(&header, space_.base() + run.index, sizeof header);
    const TypeInfo* type = checked_type(types_, header, run.size_bytes);
    // What was allocated without refs has been given some.
    if (type != nullptr && !type->is_leaf && space_.leaves().test(to_granules(run.index))) {
      type = nullptr;
    }
    if (type == nullptr && marks_ != nullptr) return;
    if (type == nullptr) {
      report_.defects.push_back({.kind = Defect::Kind::bad_header,
                                 .holder = run.index,
                                 .target = header.type,
                                 .holder_name = {},
                                 .slot_name = {}});
      return;
    }
    each_slot(addresses_, run, *type, [&](const ObjectSlot& slot) {
      ++report_.slots;
      // Of an ambiguous word nothing can be said: it may be a number like any other.
      if (!slot.is_certain || is_sound(slot.bits, slot.kind)) return;
      report_.defects.push_back(
          {.kind = marks_ != nullptr ? Defect::Kind::missed_store : Defect::Kind::bad_ref,
           .holder = run.index,
           .offset = slot.offset,
           .target = slot.bits,
           .holder_name = type->descriptor->name,
           .slot_name = slot.name(),
           .target_name = target_name(slot.bits)});
    });
  }

  void check_root(std::uint32_t bits, const char* label, SlotKind kind) {
    ++report_.slots;
    if (is_sound(bits, kind)) return;
    report_.defects.push_back({.kind = Defect::Kind::bad_root,
                               .target = bits,
                               .holder_name = label != nullptr ? label : "",
                               .slot_name = {}});
  }

  [[nodiscard]] VerifyReport take_report() { return std::move(report_); }

 private:
  [[nodiscard]] bool is_sound(std::uint32_t bits, SlotKind kind) const {
    if (!names_object(bits, kind)) return true;
    const bool is_object = space_.free_list().is_block(bits);
    // Marking reports what is no object itself.
    if (marks_ != nullptr) return !is_object || marks_->test(to_granules(bits));
    return is_object;
  }
  [[nodiscard]] std::string target_name(std::uint32_t bits) const {
    if (marks_ == nullptr) return {};
    Header header;
    std::memcpy(&header, space_.base() + bits, sizeof header);
    return types_.contains(header.type) ? types_[header.type].descriptor->name : "object";
  }

  const Space& space_;
  const Addresses addresses_;
  const TypeTable& types_;
  const MarkBits* marks_;
  VerifyReport report_;
};

}  // namespace

VerifyReport verify_heap(const Space& space, const TypeTable& types, const RootTable& roots,
                         const RootTable& weak_handles, const FinalizerTable& finalizers) {
  space.free_list().verify();
  Verifier verifier(space, types);
  each_object(space, [&](Run run) { verifier.check_object(run); });
  const Addresses addresses(space);
  const auto check = [&](std::uint32_t bits, const char* label, SlotKind kind, HeldRoot::Kind) {
    verifier.check_root(bits, label, kind);
  };
  roots.each_labelled(addresses, check);
  weak_handles.each_labelled(addresses, check);
  finalizers.each([&](std::uint32_t bits, const char* label, bool) {
    verifier.check_root(bits, label, SlotKind::value);
  });
  return verifier.take_report();
}

VerifyReport find_missed_stores(const Space& space, const TypeTable& types, const MarkBits& marks) {
  Verifier verifier(space, types, &marks);
  each_object(space, [&](Run run) {
    if (marks.test(to_granules(run.index))) verifier.check_object(run);
  });
  return verifier.take_report();
}

}  // namespace detail
}  // namespace besom
