#include "gc/verifier.hpp"

#include <cinttypes>
#include <cstdio>
#include <cstring>

#include "gc/finalizer_table.hpp"
#include "gc/marker.hpp"
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
    if (type == nullptr && marks_ != nullptr) return;
    if (type == nullptr) {
      report_.defects.push_back({.kind = Defect::Kind::bad_header,
                                 .holder = run.index,
                                 .target = header.type,
                                 .holder_name = {},
                                 .slot_name = {}});
      return;
    }
    holder_ = run.index;
    holder_type_ = type;
    for (const FieldDescriptor& field : type->descriptor->fields) {
      check_slot(field.offset, field.kind, &field, 0);
    }
    if (type->trace != nullptr) {
      CallbackVisitor visitor(*this);
      type->trace(space_.base() + run.index, run.size_bytes, visitor);
    } else if (type->trailing == Trailing::pointers) {
      for (std::uint32_t i = 0; i < header.length; ++i) {
        check_slot(type->fixed_bytes + i * 8, SlotKind::pointer, nullptr, i);
      }
    } else if (type->element_bytes >= sizeof(std::uint32_t)) {
      // A weak slot's target is alive too, or the slot is cleared.
      const SlotKind kind = type->trailing == Trailing::refs ? SlotKind::ref : SlotKind::value;
      const std::uint32_t slots = header.length * (type->element_bytes / 4);
      for (std::uint32_t i = 0; i < slots; ++i) {
        check_slot(type->fixed_bytes + i * 4, kind, nullptr, i);
      }
    }
  }

  void check_root(std::uint32_t bits, const char* label, SlotKind kind = SlotKind::value) {
    ++report_.slots;
    if (is_sound(bits, kind)) return;
    report_.defects.push_back({.kind = Defect::Kind::bad_root,
                               .target = bits,
                               .holder_name = label != nullptr ? label : "",
                               .slot_name = {}});
  }

  [[nodiscard]] VerifyReport take_report() { return std::move(report_); }

  /// Receives what the embedder's callbacks visit.
  class CallbackVisitor : public Tracer {
   public:
    explicit CallbackVisitor(Verifier& verifier)
        : Tracer(
              [](Tracer& self, const std::uint32_t& slot) {
                static_cast<CallbackVisitor&>(self).verifier_.check_callback_slot(slot);
              },
              [](Tracer& self, WordKind kind, std::uint64_t word) {
                static_cast<CallbackVisitor&>(self).verifier_.check_callback_word(kind, word);
              }),
          verifier_(verifier) {}

   private:
    Verifier& verifier_;
  };

  void enter_roots() { holder_type_ = nullptr; }

 private:
  [[nodiscard]] bool is_sound(std::uint32_t bits, SlotKind kind) const {
    // To a pointer the base is no null.
    if (bits == 0 && kind != SlotKind::pointer) return true;
    const bool may_be_integer = kind == SlotKind::value || kind == SlotKind::weak;
    if (may_be_integer && (bits & 1) != 0) return true;
    const bool is_object = space_.free_list().is_block(bits);
    // Marking reports what is no object itself.
    if (marks_ != nullptr) return !is_object || marks_->test(to_granules(bits));
    return is_object;
  }
  [[nodiscard]] Defect::Kind ref_defect() const {
    return marks_ != nullptr ? Defect::Kind::missed_store : Defect::Kind::bad_ref;
  }
  [[nodiscard]] std::string target_name(std::uint32_t bits) const {
    if (marks_ == nullptr) return {};
    Header header;
    std::memcpy(&header, space_.base() + bits, sizeof header);
    return types_.contains(header.type) ? types_[header.type].descriptor->name : "object";
  }

  [[nodiscard]] std::string element_name(std::uint32_t slot) const {
    if (holder_type_->element_bytes == sizeof(std::uint32_t)) return std::to_string(slot);
    return std::to_string(slot / 2) + (slot % 2 == 0 ? ".key" : ".value");
  }

  void check_slot(std::uint32_t offset, SlotKind kind, const FieldDescriptor* field,
                  std::uint32_t element) {
    ++report_.slots;
    std::uint32_t bits = 0;
    const char* slot = space_.base() + holder_ + offset;
    if (kind == SlotKind::pointer) {
      std::uint64_t word;
      std::memcpy(&word, slot, sizeof word);
      bits = addresses_.index_of_pointer(word);
      if (bits == Addresses::kOutside) return;
    } else {
      std::memcpy(&bits, slot, sizeof bits);
    }
    if (is_sound(bits, kind)) return;
    report_.defects.push_back({.kind = ref_defect(),
                               .holder = holder_,
                               .offset = offset,
                               .target = bits,
                               .holder_name = holder_type_->descriptor->name,
                               .slot_name = field != nullptr ? field->name : element_name(element),
                               .target_name = target_name(bits)});
  }

  void check_callback_slot(std::uint32_t bits, SlotKind kind = SlotKind::value) {
    if (holder_type_ == nullptr) {
      check_root(bits, "callback", kind);
      return;
    }
    ++report_.slots;
    if (is_sound(bits, kind)) return;
    report_.defects.push_back({.kind = ref_defect(),
                               .holder = holder_,
                               .target = bits,
                               .holder_name = holder_type_->descriptor->name,
                               .slot_name = "callback",
                               .target_name = target_name(bits)});
  }

  /// Of an ambiguous word nothing can be said: it may be a number like any other.
  void check_callback_word(WordKind kind, std::uint64_t word) {
    if (kind == WordKind::ambiguous) return;
    const bool is_pointer = kind == WordKind::pointer;
    const std::uint32_t index =
        is_pointer ? addresses_.index_of_pointer(word) : addresses_.object_around(word);
    if (index == Addresses::kOutside) return;
    check_callback_slot(index, is_pointer ? SlotKind::pointer : SlotKind::ref);
  }

  const Space& space_;
  const Addresses addresses_;
  const TypeTable& types_;
  const MarkBits* marks_;
  VerifyReport report_;
  std::uint32_t holder_ = 0;
  const TypeInfo* holder_type_ = nullptr;  ///< nullptr while roots are visited.
};

}  // namespace

VerifyReport verify_heap(const Space& space, const TypeTable& types, const RootTable& roots,
                         const RootTable& weak_handles, const FinalizerTable& finalizers) {
  const FreeList& free_list = space.free_list();
  free_list.verify();
  Verifier verifier(space, types);
  const BoundaryMap& map = free_list.map();
  const std::uint32_t end = to_granules(free_list.used_end());
  for (std::uint32_t granule = 1; granule < end; granule = map.next_start(granule)) {
    if (!map.is_block(granule)) continue;
    verifier.check_object({to_bytes(granule), to_bytes(map.next_start(granule) - granule)});
  }
  verifier.enter_roots();
  Verifier::CallbackVisitor visitor(verifier);
  const auto check = [&](std::uint32_t bits, const char* label) {
    verifier.check_root(bits, label);
  };
  roots.each(visitor, check);
  weak_handles.each(visitor, check);
  finalizers.each(check);
  return verifier.take_report();
}

VerifyReport find_missed_stores(const Space& space, const TypeTable& types, const MarkBits& marks) {
  Verifier verifier(space, types, &marks);
  const BoundaryMap& map = space.free_list().map();
  const std::uint32_t end = to_granules(space.free_list().used_end());
  for (std::uint32_t granule = 1; granule < end; granule = map.next_start(granule)) {
    if (!map.is_block(granule) || !marks.test(granule)) continue;
    verifier.check_object({to_bytes(granule), to_bytes(map.next_start(granule) - granule)});
  }
  return verifier.take_report();
}

}  // namespace detail
}  // namespace besom
