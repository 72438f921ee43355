#include "heap/type_table.hpp"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>
#include <utility>

namespace besom::detail {
namespace {

/// A header, the ref to its entries, their type, and how many places are filled.
constexpr std::uint32_t kLeastTableBytes = sizeof(Header) + 3 * sizeof(std::uint32_t);

/// Of the fixed part of a type: with it all offsets and counts of slots have 32 bits.
constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 30;

/// `bytes` is what the descriptor says, `limit` what it is held against.
Error bad_type(const char* detail, std::uint64_t bytes, std::uint64_t limit = 0) noexcept {
  return {.code = Errc::bad_type, .bytes = bytes, .limit = limit, .detail = detail};
}

Error check_field(const FieldDescriptor& field, std::uint64_t size) noexcept {
  if (field.kind > SlotKind::box) {
    return bad_type("field: no kind of slot", static_cast<std::uint64_t>(field.kind));
  }
  const std::uint32_t bytes = TypeDescriptor::slot_bytes(field.kind);
  if (field.offset % bytes != 0) {
    return bad_type("field: offset is no multiple of the slot's size", field.offset, bytes);
  }
  if (field.offset < sizeof(Header)) {
    return bad_type("field: lies in the header", field.offset, sizeof(Header));
  }
  if (size < bytes || field.offset > size - bytes) {
    return bad_type("field: lies outside the object", field.offset, size);
  }
  return {};
}

/// Bits of a payload that no mask may take: without them some object could not be named.
constexpr std::uint64_t needed_bits(BoxPayload payload) noexcept {
  return payload == BoxPayload::index ? 0xfffffff0 : 0x7ffffffffff0;
}

}  // namespace

Error check_box(const BoxFormat& box) noexcept {
  if (box.payload > BoxPayload::address) {
    return bad_type("box: no kind of payload", static_cast<std::uint64_t>(box.payload));
  }
  if (box.mask == 0) return bad_type("box: with no mask every word would be a ref", box.mask);
  if ((box.tag & ~box.mask) != 0) {
    return bad_type("box: the tag has bits outside the mask", box.tag, box.mask);
  }
  constexpr std::int32_t kLeast = -4;  // an index divided by what objects are aligned to
  const std::int32_t most = box.payload == BoxPayload::index ? 32 : 16;
  if (box.shift < kLeast || box.shift > most) {
    return bad_type("box: shift out of range", static_cast<std::uint64_t>(std::abs(box.shift)),
                    static_cast<std::uint64_t>(most));
  }
  const std::uint64_t needed = needed_bits(box.payload);
  if ((box.mask & (box.shift >= 0 ? needed << box.shift : needed >> -box.shift)) != 0) {
    return bad_type("box: the mask takes bits of the ref", box.mask, needed);
  }
  return {};
}

namespace {

/// Whether the type has boxes, or says how it would have them.
bool has_boxes(const TypeDescriptor& type) noexcept {
  return type.trailing == Trailing::boxes || type.box.mask != 0 || type.box.tag != 0 ||
         type.box.shift != 0 ||
         std::any_of(type.fields.begin(), type.fields.end(),
                     [](const FieldDescriptor& field) { return field.kind == SlotKind::box; });
}

/// The first byte behind the run.
std::uint32_t end_of(const SlotRun& run) {
  return run.offset + run.count * TypeDescriptor::slot_bytes(run.kind);
}

/// Fields in address order, the weak ones last; false when two overlap.
bool sort_fields(const TypeDescriptor& type, SlotRun* runs) {
  SlotRun* end = runs;
  for (const FieldDescriptor& field : type.fields) {
    *end++ = {static_cast<std::uint32_t>(field.offset), 1, field.kind};
  }
  std::sort(runs, end, [](const SlotRun& a, const SlotRun& b) { return a.offset < b.offset; });
  const bool apart = std::adjacent_find(runs, end, [](const SlotRun& a, const SlotRun& b) {
                       return end_of(a) > b.offset;
                     }) == end;
  std::sort(runs, end, [](const SlotRun& a, const SlotRun& b) {
    const bool a_weak = a.kind == SlotKind::weak;
    const bool b_weak = b.kind == SlotKind::weak;
    return a_weak != b_weak ? b_weak : a.offset < b.offset;
  });
  return apart;
}

/// Puts neighbours of one kind together; how many of the sorted runs remain.
std::uint32_t gather_runs(SlotRun* runs, std::uint32_t count) {
  std::uint32_t gathered = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    SlotRun& last = runs[gathered == 0 ? 0 : gathered - 1];
    if (gathered != 0 && last.kind == runs[i].kind && end_of(last) == runs[i].offset) {
      ++last.count;
    } else {
      runs[gathered++] = runs[i];
    }
  }
  return gathered;
}

/// More than any heap has, so that no object of such a type ends below a heap's end.
constexpr std::uint32_t kNoPlainGranules = std::uint32_t{1} << 31;

}  // namespace

TypeTable::~TypeTable() {
  for (std::uint32_t i = 0; i < count_; ++i) {
    delete[] types_[i].runs;
    delete types_[i].descriptor;
  }
}

Error TypeTable::check(const TypeDescriptor& type) noexcept {
  if (type.trailing > Trailing::weak_values) {
    return bad_type("trailing: no kind of elements", static_cast<std::uint64_t>(type.trailing));
  }
  if (type.size < sizeof(Header)) {
    return bad_type("size: smaller than the header", type.size, sizeof(Header));
  }
  if (type.size > kMostBytes) return bad_type("size: more than 1 GiB", type.size, kMostBytes);
  if (type.trace != nullptr && !type.fields.empty()) {
    return bad_type("trace: replaces fields, so give none", type.fields.size());
  }
  if (type.trace != nullptr && type.trailing >= Trailing::weak) {
    return bad_type("trace: visits no weak slots", static_cast<std::uint64_t>(type.trailing));
  }
  if (type.trailing != Trailing::none) {
    const std::uint32_t bytes = TypeDescriptor::element_bytes(type.trailing);
    if (type.size % bytes != 0) {
      return bad_type("size: trailing elements would not be aligned", type.size, bytes);
    }
  }
  if (type.fields.size() > type.size / sizeof(std::uint32_t)) {
    return bad_type("fields: more than have room", type.fields.size(),
                    type.size / sizeof(std::uint32_t));
  }
  for (const FieldDescriptor& field : type.fields) {
    if (Error error = check_field(field, type.size)) return error;
  }
  if (has_boxes(type)) {
    if (Error error = check_box(type.box)) return error;
  }
  const bool is_table = type.size >= kLeastTableBytes && type.fields.size() == 1 &&
                        type.fields[0].kind == SlotKind::ref &&
                        type.fields[0].offset == sizeof(Header) && type.trailing == Trailing::none;
  if (type.is_table && !is_table) {
    return bad_type("is_table: not laid out as the library's tables", type.size);
  }
  return {};
}

Result<TypeId> TypeTable::define(TypeDescriptor&& descriptor) {
  if (Error error = check(descriptor)) return error;
  const auto field_count = static_cast<std::uint32_t>(descriptor.fields.size());
  std::unique_ptr<SlotRun[]> runs(new (std::nothrow) SlotRun[field_count + 1]);
  if (runs == nullptr || (count_ == types_.size() && !types_.grow(types_.size() * 2 + 16))) {
    return Error{.code = Errc::out_of_host_memory, .detail = "table of types"};
  }
  if (!sort_fields(descriptor, runs.get())) {
    return Error{.code = Errc::bad_type, .detail = "field: lies where another does"};
  }
  const auto* kept = new (std::nothrow) TypeDescriptor(std::move(descriptor));
  if (kept == nullptr) return Error{.code = Errc::out_of_host_memory, .detail = "table of types"};
  TypeInfo& type = types_[count_];
  type.fixed_bytes = static_cast<std::uint32_t>(kept->size);
  type.element_bytes = static_cast<std::uint8_t>(TypeDescriptor::element_bytes(kept->trailing));
  type.trailing = kept->trailing;
  const std::uint32_t run_count = gather_runs(runs.get(), field_count);
  while (type.run_count < run_count && runs[type.run_count].kind != SlotKind::weak) {
    ++type.run_count;
  }
  type.weak_run_count = run_count - type.run_count;
  type.is_table = kept->is_table;
  type.is_weak = kept->is_weak() || kept->is_table;
  type.has_tail = type.is_weak || type.element_bytes >= sizeof(std::uint32_t);
  type.is_leaf = kept->is_leaf();
  type.is_released = kept->release != nullptr;
  type.fixed_slots = field_count;
  const bool has_pointers = std::any_of(runs.get(), runs.get() + run_count, [](const SlotRun& run) {
    return run.kind == SlotKind::pointer;
  });
  const std::uint32_t granules = (type.fixed_bytes + kGranuleBytes - 1) / kGranuleBytes;
  if (!type.is_weak && kept->trailing == Trailing::none && kept->trace == nullptr &&
      granules < kLineGranules) {
    type.plain_granules = granules;
    type.plain_mask = bit(granules) - 1;
    type.plain_work = 1 + field_count;
    if (run_count == 1 && runs[0].kind == SlotKind::ref && runs[0].count % 2 == 0) {
      type.ref_pairs = runs[0].count / 2;
      type.refs_offset = runs[0].offset;
    }
  } else {
    type.plain_granules = kNoPlainGranules;
  }
  if (has_boxes(*kept)) type.box = BoxDecoder::of(kept->box);
  has_wide_slots_ = has_wide_slots_ || has_pointers || has_boxes(*kept);
  type.runs = runs.release();
  type.trace = kept->trace;
  type.descriptor = kept;
  return ++count_;
}

}  // namespace besom::detail
