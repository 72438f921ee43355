/// The loop of marking: docs/design.md#collection.

#include <algorithm>

#include "gc/mark/marker.hpp"
#include "heap/load_once.hpp"

namespace besom::detail {

/// Also the line behind: an object that begins at a line's end has its slots there. Those of eight
/// bytes reach further.
template <bool has_wide_slots>
inline void Marker::prefetch(std::uint32_t index) const noexcept {
  __builtin_prefetch(base_ + index);
  __builtin_prefetch(base_ + index + (has_wide_slots ? 32 : 16));
  __builtin_prefetch(&lines_[index >> (kGranuleShift + kLineShift)]);
}

/// A pointer slot as a box: every word is a ref, whose low four bits are anything.
const BoxDecoder kPointerSlot{
    .mask = 0, .tag = 0, .bits = ~std::uint64_t{kGranuleBytes - 1}, .turn = 0, .is_address = true};

/// What the loop over plain objects works with, in registers: as members all of it would be read
/// again after each store.
struct Marker::Hot {
  explicit Hot(const Marker& marker) noexcept
      : base(marker.base_),
        lines(marker.lines_),
        marks(marker.mark_words_),
        leaves(marker.leaves_),
        types(marker.types_->data()),
        type_count(marker.types_->count()),
        end(marker.end_),
        capacity(marker.space_->capacity()),
        top(marker.stack_ + marker.stack_size_),
        roomy(marker.stack_ + std::max(marker.stack_capacity_, kMostPlainSlots) - kMostPlainSlots) {
  }

  const char* base;
  const Line* lines;
  std::uint64_t* marks;
  const std::uint64_t* leaves;
  const TypeInfo* types;
  std::uint32_t type_count;
  std::uint32_t end;
  std::uint64_t capacity;  ///< In bytes: addresses from there on are not the arena's.
  std::uint32_t* top;
  /// Below it the stack takes whatever one plain object refers to.
  const std::uint32_t* roomy;
};

/// Of an object that goes beyond its line, whether the next has no other start in its part of it.
inline bool Marker::reaches(const Hot& hot, std::uint32_t granule, std::uint32_t end) noexcept {
  if (end > hot.end) return false;
  const Line& next = hot.lines[(granule >> kLineShift) + 1];
  return (next.starts & (bit(end) - 1)) == 0;
}

/// The type of the object at `index` if that is plain and all is well with it: the object's start,
/// and no other below the type's size. Otherwise nullptr; trace() says why.
inline const TypeInfo* Marker::plain_type(const Hot& hot, std::uint32_t index) noexcept {
  auto id = load_once<TypeId>(hot.base + index + offsetof(Header, type));
  if (--id >= hot.type_count) [[unlikely]]
    return nullptr;
  const TypeInfo& type = hot.types[id];
  const std::uint32_t granule = index >> kGranuleShift;
  const std::uint32_t place = granule % kLineGranules;
  const Line& line = hot.lines[granule >> kLineShift];
  // Each hole has a start: where the object has the only one, no other bit of them is in the mask.
  const std::uint64_t others = ((line.starts >> place) ^ 1) | (line.holes >> place);
  if ((others & type.plain_mask) != 0) [[unlikely]]
    return nullptr;
  const std::uint32_t end = place + type.plain_granules;
  if (end > kLineGranules && !reaches(hot, granule, granule + type.plain_granules)) [[unlikely]]
    return nullptr;
  return &type;
}

template <SlotKind kind>
inline void Marker::visit_hot(Hot& hot, std::uint32_t bits) noexcept {
  if (bits == 0 || (kind == SlotKind::value && (bits & 1) != 0)) return;
  const std::uint32_t granule = to_granules(bits);
  if (granule >= hot.end) [[unlikely]] {
    ++findings_.bad_refs;
    return;
  }
  std::uint64_t& word = hot.marks[granule >> kLineShift];
  const std::uint64_t marked = word | bit(granule);
  if (marked == word) return;
  word = marked;
  if (hot.leaves != nullptr && (hot.leaves[granule >> kLineShift] & bit(granule)) != 0) {
    ++marked_;
    marked_granules_ += map_->next_start(granule) - granule;
    return;
  }
  *hot.top++ = bits;
}

/// As visit_slots(), for the slots of a plain object, two at a time: in a tree most are null.
template <SlotKind kind>
inline void Marker::visit_run_hot(Hot& hot, const char* slot, std::uint32_t count) noexcept {
  for (const char* end = slot + (count / 2) * 8; slot != end; slot += 8) {
    const auto two = load_once<std::uint64_t>(slot);
    if (two == 0) continue;
    visit_hot<kind>(hot, static_cast<std::uint32_t>(two));
    visit_hot<kind>(hot, static_cast<std::uint32_t>(two >> 32));
  }
  if (count % 2 != 0) {
    visit_hot<kind>(hot, load_once<std::uint32_t>(slot));
  }
}

/// As visit_boxes(), for the slots of a plain object. Of addresses the base is what they are
/// counted from, and no null.
inline void Marker::visit_boxes_hot(Hot& hot, const BoxDecoder& box, const char* slot,
                                    std::uint32_t count) noexcept {
  for (const char* end = slot + std::size_t{count} * 8; slot != end; slot += 8) {
    const auto word = load_once<std::uint64_t>(slot);
    if (!box.is_ref(word)) continue;
    std::uint64_t offset = box.payload(word);
    if (box.is_address) {
      offset -= reinterpret_cast<std::uintptr_t>(hot.base);
      if (offset >= hot.capacity) continue;
      if (offset == 0) [[unlikely]]
        ++findings_.bad_refs;
    }
    visit_hot<SlotKind::ref>(hot, static_cast<std::uint32_t>(offset));
  }
}

template <bool has_wide_slots>
inline void Marker::visit_plain(Hot& hot, const char* object, const TypeInfo& type) noexcept {
  if (type.ref_pairs != 0) [[likely]] {
    visit_run_hot<SlotKind::ref>(hot, object + type.refs_offset, 2 * type.ref_pairs);
    return;
  }
  for (const SlotRun *run = type.runs, *end = run + type.run_count; run != end; ++run) {
    if (run->kind == SlotKind::ref) {
      visit_run_hot<SlotKind::ref>(hot, object + run->offset, run->count);
    } else if (!has_wide_slots || run->kind == SlotKind::value) {
      visit_run_hot<SlotKind::value>(hot, object + run->offset, run->count);
    } else {
      const BoxDecoder& box = run->kind == SlotKind::box ? type.box : kPointerSlot;
      visit_boxes_hot(hot, box, object + run->offset, run->count);
    }
  }
}

/// Until work() comes to `limit`; then what is in flight goes back. There are two such loops: with
/// boxes in it the compiler has no registers left for the refs of heaps that have nothing else.
void Marker::drain_stack(std::uint64_t limit) noexcept {
  if (types_->has_wide_slots()) {
    drain_stack<true>(limit);
  } else {
    drain_stack<false>(limit);
  }
}

template <bool has_wide_slots>
void Marker::drain_stack(std::uint64_t limit) noexcept {
  Hot hot(*this);
  // The rest of the marker knows the stack and its end by the members.
  const auto apart = [&](auto step) {
    stack_size_ = static_cast<std::uint32_t>(hot.top - stack_);
    step();
    hot.top = stack_ + stack_size_;
    hot.end = end_;
  };
  // While one batch is visited the memory of the others is on its way. Several objects at a time,
  // since the page walks of prefetches overlap only within the processor's window.
  Batch batches[kBatches];
  Batch* batch = batches;
  std::uint32_t in_flight = 0;
  while (true) {
    in_flight -= batch->size;
    for (std::uint32_t i = 0; i < batch->size; ++i) {
      const std::uint32_t index = batch->objects[i];
      const TypeInfo* type = plain_type(hot, index);
      if (type != nullptr && hot.top < hot.roomy) [[likely]] {
        visit_plain<has_wide_slots>(hot, hot.base + index, *type);
        work_ += type->plain_work;
        marked_granules_ += type->plain_granules;
      } else {
        marked_granules_ += map_->next_start(index >> kGranuleShift) - (index >> kGranuleShift);
        apart([&] { trace(index); });
      }
    }
    batch->size = 0;
    if (work_ >= limit) [[unlikely]]
      break;
    if (hot.top == stack_ && in_flight == 0) {
      if (segment_count_ == 0) break;
      apart([this] { trace_next_segment(); });
    }
    const auto size = static_cast<std::uint32_t>(hot.top - stack_);
    stack_peak_ = std::max(stack_peak_, size);
    const std::uint32_t taken = std::min(size, kBatchObjects);
    batch->size = taken;
    for (std::uint32_t i = 0; i < taken; ++i) {
      const std::uint32_t index = *--hot.top;
      prefetch<has_wide_slots>(index);
      batch->objects[i] = index;
    }
    marked_ += taken;
    in_flight += taken;
    batch = batch == batches + kBatches - 1 ? batches : batch + 1;
  }
  stack_size_ = static_cast<std::uint32_t>(hot.top - stack_);
  marked_ -= in_flight;
  for (const Batch& waiting : batches) {
    for (std::uint32_t i = 0; i < waiting.size; ++i) push(waiting.objects[i]);
  }
}

}  // namespace besom::detail
