/// The loop of marking: docs/design.md#collection.

#include <algorithm>
#include <cstring>

#include "gc/marker.hpp"

namespace besom::detail {

/// Also the line behind: an object that begins at a line's end has its slots there.
inline void Marker::prefetch(std::uint32_t index) const noexcept {
  __builtin_prefetch(base_ + index);
  __builtin_prefetch(base_ + index + 16);
  __builtin_prefetch(&lines_[index >> (kGranuleShift + kLineShift)]);
}

/// What the loop over plain objects works with, in registers: as members all of it would be read
/// again after each store.
struct Marker::Hot {
  explicit Hot(const Marker& marker) noexcept
      : base(marker.base_),
        lines(marker.lines_),
        marks(marker.mark_words_),
        stack(marker.stack_),
        top(marker.stack_ + marker.stack_size_),
        limit(marker.stack_ + marker.stack_capacity_),
        end(marker.end_) {}

  const char* base;
  const Line* lines;
  std::uint64_t* marks;
  std::uint32_t* stack;
  std::uint32_t* top;
  const std::uint32_t* limit;
  std::uint32_t end;
};

/// The type of the object at `index` if that is plain and all is well with it: the object's start,
/// and no other below the type's size, in the same line. Otherwise nullptr; trace() says why.
inline const TypeInfo* Marker::plain_type(const Hot& hot, std::uint32_t index) const noexcept {
  const std::uint32_t granule = index >> kGranuleShift;
  const std::uint32_t place = granule % kLineGranules;
  Header header;
  std::memcpy(&header, hot.base + index, sizeof header);
  if (!types_->contains(header.type)) [[unlikely]]
    return nullptr;
  const TypeInfo& type = (*types_)[header.type];
  const Line& line = hot.lines[granule >> kLineShift];
  const bool is_sound = ((line.starts >> place) & type.plain_mask) == 1 &&
                        place + type.plain_granules <= kLineGranules &&
                        (line.holes & bit(place)) == 0;
  return is_sound ? &type : nullptr;
}

inline void Marker::visit_hot(Hot& hot, std::uint32_t bits, std::uint32_t integer_bit) noexcept {
  if (bits == 0 || (bits & integer_bit) != 0) return;
  const std::uint32_t granule = to_granules(bits);
  if (granule >= hot.end) [[unlikely]] {
    ++findings_.bad_refs;
    return;
  }
  std::uint64_t& word = hot.marks[granule >> kLineShift];
  if ((word & bit(granule)) != 0) return;
  word |= bit(granule);
  if (hot.top == hot.limit) [[unlikely]] {
    note_overflow(bits);
  } else {
    *hot.top++ = bits;
  }
}

/// As visit_slots(), for the slots of a plain object, two at a time: in a tree most are null.
inline void Marker::visit_plain(Hot& hot, const char* object, const TypeInfo& type) noexcept {
  static_assert(static_cast<int>(SlotKind::ref) == 0 && static_cast<int>(SlotKind::value) == 1,
                "the kind is the mask of the bit that makes an integer");
  for (const SlotRun *run = type.runs, *end = run + type.run_count; run != end; ++run) {
    const auto integer_bit = static_cast<std::uint32_t>(run->kind);
    const char* slot = object + run->offset;
    for (std::uint32_t pairs = run->count / 2; pairs != 0; --pairs, slot += 8) {
      std::uint64_t two;
      std::memcpy(&two, slot, sizeof two);
      if (two == 0) continue;
      visit_hot(hot, static_cast<std::uint32_t>(two), integer_bit);
      visit_hot(hot, static_cast<std::uint32_t>(two >> 32), integer_bit);
    }
    if (run->count % 2 != 0) {
      std::uint32_t bits;
      std::memcpy(&bits, slot, sizeof bits);
      visit_hot(hot, bits, integer_bit);
    }
  }
}

void Marker::drain_stack() noexcept {
  Hot hot(*this);
  // The rest of the marker knows the stack and its end by the members.
  const auto apart = [&](auto step) {
    stack_size_ = static_cast<std::uint32_t>(hot.top - hot.stack);
    step();
    hot.top = hot.stack + stack_size_;
    hot.end = end_;
  };
  std::uint32_t queue[kPrefetchQueue];
  std::uint32_t queued = 0;   // counts objects ever queued
  std::uint32_t visited = 0;  // and taken out again
  std::uint64_t work = 0;
  while (true) {
    // Many at a time, since the page walks of prefetches overlap only within the processor's
    // window.
    if (queued - visited <= kPrefetchQueue - kPrefetchBatch) {
      stack_peak_ = std::max(stack_peak_, static_cast<std::uint32_t>(hot.top - hot.stack));
      while (hot.top != hot.stack && queued - visited < kPrefetchQueue) {
        const std::uint32_t index = *--hot.top;
        prefetch(index);
        queue[queued++ % kPrefetchQueue] = index;
      }
    }
    if (queued != visited) {
      const std::uint32_t index = queue[visited++ % kPrefetchQueue];
      if (const TypeInfo* type = plain_type(hot, index)) {
        visit_plain(hot, hot.base + index, *type);
        work += 1 + type->fixed_slots;
      } else {
        apart([&] { trace(index); });
      }
    } else if (slice_count_ != 0) {
      apart([this] { trace_next_slice(); });
    } else {
      break;
    }
  }
  stack_size_ = 0;
  marked_ += queued;
  work_ += work;
}

}  // namespace besom::detail
