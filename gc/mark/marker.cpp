#include "gc/mark/marker.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "heap/load_once.hpp"

namespace besom::detail {

Result<Marker> Marker::create(std::uint64_t heap_max, std::uint32_t stack_entries,
                              const System& system) {
  Marker marker;
  if (!marker.marks_.create(heap_max, table_memory(system).named("besom marks"))) {
    return Error{.code = Errc::out_of_host_memory,
                 .system_errno = errno,
                 .bytes = heap_max / (kGranuleBytes * 8),
                 .detail = "mark bits"};
  }
  // One entry for 80 bytes of arena: a 1/20 that only a wide graph of small objects comes to use.
  const std::uint64_t by_size = std::max<std::uint64_t>(heap_max / 80, kMinStack);
  const std::uint64_t entries = stack_entries != 0 ? stack_entries : by_size;
  if (entries <= kMinStack) {
    marker.stack_capacity_ = static_cast<std::uint32_t>(entries);
    return marker;
  }
  marker.stack_table_ = ZeroedArray<std::uint32_t>(table_memory(system).named("besom mark stack"));
  if (marker.stack_table_.grow(entries)) {
    marker.stack_capacity_ = static_cast<std::uint32_t>(entries);
  }
  return marker;
}

void Marker::begin(Space& space, const TypeTable& types, bool keep_marks) noexcept {
  BESOM_ASSERT(space.is_concealed());
  BESOM_ASSERT(links_ == 0);
  space_ = &space;
  base_ = space.base();
  map_ = &space.free_list().map();
  lines_ = map_->lines();
  leaf_bits_ = &space.leaves();
  leaves_ = leaf_bits_->words();
  types_ = &types;
  addresses_ = Addresses(space);
  mark_words_ = marks_.words();
  stack_ = stack_table_.data() != nullptr ? stack_table_.data() : small_stack_;
  end_ = to_granules(space.free_list().used_end());
  findings_ = {};
  stack_size_ = stack_peak_ = segment_count_ = 0;
  overflow_begin_ = ~std::uint32_t{0};
  overflow_end_ = rescan_next_ = rescan_end_ = 0;
  is_incremental_ = defers_ephemerons_ = is_settling_ = false;
  place_ = {};
  late_.clear();
  left_.clear();
  marked_ = marked_granules_ = work_ = 0;
  arena_end_ = std::uint64_t{end_} << kGranuleShift;
  links_ = 0;
  registrations_ = nullptr;
  registrations_end_ = 0;
  abandoned_ = false;
  if (!keep_marks) marks_.clear_below(end_);
}

void Marker::push(std::uint32_t index) noexcept {
  if (stack_size_ == stack_capacity_) [[unlikely]] {
    note_overflow(index);
  } else {
    stack_[stack_size_++] = index;
  }
}

void Marker::note_overflow(std::uint32_t index) noexcept {
  ++marked_;
  note_unvisited(index);
}

/// The object is marked, and will be visited when the stack is empty.
void Marker::note_unvisited(std::uint32_t index) noexcept {
  const std::uint32_t line = to_granules(index) >> kLineShift;
  overflow_begin_ = std::min(overflow_begin_, line);
  overflow_end_ = std::max(overflow_end_, line + 1);
}

/// Refs and values share their bit patterns, but in a ref slot an integer is damage.
template <SlotKind kind>
inline void Marker::visit(std::uint32_t bits) noexcept {
  if (bits == 0 || (kind == SlotKind::value && (bits & 1) != 0)) return;
  mark_index(bits);
}

inline void Marker::mark_index(std::uint32_t index) noexcept {
  const std::uint32_t granule = to_granules(index);
  if (granule >= end_) [[unlikely]] {
    ++findings_.bad_refs;
    return;
  }
  std::uint64_t& word = mark_words_[granule >> kLineShift];
  const std::uint64_t mask = bit(granule);
  if ((word & mask) != 0) return;
  word |= mask;
  if (leaves_ != nullptr && (leaves_[granule >> kLineShift] & mask) != 0) {
    ++marked_;
    marked_granules_ += map_->next_start(granule) - granule;
  } else {
    push(index);
  }
}

/// The base itself is no null but a pointer to no object.
inline void Marker::visit_pointer(std::uint64_t word) noexcept {
  const std::uint32_t index = addresses_.index_of_pointer(word);
  if (index != Addresses::kOutside) mark_index(index);
}

void Marker::mark_root(std::uint32_t bits) noexcept { visit<SlotKind::value>(bits); }

void Marker::mark_word(WordKind kind, std::uint64_t word) noexcept {
  if (kind == WordKind::pointer) {
    visit_pointer(word);
    return;
  }
  addresses_.each_object_in(kind, word, [this](std::uint32_t index) { mark_index(index); });
}

template <SlotKind kind>
inline void Marker::visit_slots(const char* first, std::uint32_t count) noexcept {
  for (std::uint32_t i = 0; i < count; ++i) {
    visit<kind>(load_once<std::uint32_t>(first + std::size_t{i} * sizeof(std::uint32_t)));
  }
}

/// Of the fixed slots of an object; visit_run_hot() and visit_boxes_hot() are the same for plain
/// types.
inline void Marker::visit_run(const TypeInfo& type, const char* object,
                              const SlotRun& run) noexcept {
  const char* const first = object + run.offset;
  if (run.kind == SlotKind::ref) {
    visit_slots<SlotKind::ref>(first, run.count);
  } else if (run.kind == SlotKind::value) {
    visit_slots<SlotKind::value>(first, run.count);
  } else if (run.kind == SlotKind::box) {
    visit_boxes(type.box, first, run.count);
  } else {
    visit_pointers(first, run.count);
  }
}

/// Apart, so that the loop over refs keeps its registers.
__attribute__((noinline)) void Marker::visit_pointers(const char* first,
                                                      std::uint32_t count) noexcept {
  for (std::uint32_t i = 0; i < count; ++i) {
    visit_pointer(load_once<std::uint64_t>(first + std::size_t{i} * sizeof(std::uint64_t)));
  }
}

/// Apart for the same reason.
__attribute__((noinline)) void Marker::visit_boxes(const BoxDecoder& box, const char* first,
                                                   std::uint32_t count) noexcept {
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t index = addresses_.index_of_box(
        box, load_once<std::uint64_t>(first + std::size_t{i} * sizeof(std::uint64_t)));
    if (index != Addresses::kOutside) mark_index(index);
  }
}

/// `count` neighbours of a trailing array that is not one of bytes.
inline void Marker::visit_elements(const TypeInfo& type, char* first,
                                   std::uint32_t count) noexcept {
  if (type.trailing == Trailing::refs) {
    visit_slots<SlotKind::ref>(first, count);
  } else if (type.trailing == Trailing::values) {
    visit_slots<SlotKind::value>(first, count);
  } else if (type.trailing == Trailing::pointers) {
    visit_pointers(first, count);
  } else if (type.trailing == Trailing::boxes) {
    visit_boxes(type.box, first, count);
  } else if (type.trailing != Trailing::weak) {
    visit_entries(type.trailing, first, count);
  }
}

/// Visits the slots of a marked object. Only here is the index held against the tables, when their
/// words have arrived: what turns out to be no object's start loses its mark again. Not so in
/// slices, in which an object may come to start there, nor when objects are visited again: who sets
/// such a mark each time would find no room for it each time.
void Marker::trace(std::uint32_t index) noexcept {
  const std::uint32_t granule = index >> kGranuleShift;
  const Line& line = lines_[granule >> kLineShift];
  if ((line.starts & ~line.holes & bit(granule)) == 0) [[unlikely]] {
    ++findings_.bad_refs;
    --marked_;
    if (!is_incremental_ && findings_.rescans == 0) marks_.clear(granule);
    return;
  }
  const char* object = base_ + index;
  Header header = load_header(object);
  const std::uint64_t extent = std::uint64_t{map_->next_start(granule) - granule} << kGranuleShift;
  const TypeInfo* type = checked_type(*types_, header, extent);
  if (type == nullptr) [[unlikely]] {
    const Found found = wake(granule);
    if (found.type == nullptr) return;
    header = found.header;
    type = found.type;
  }
  for (std::uint32_t i = 0; i < type->run_count; ++i) {
    visit_run(*type, object, type->runs[i]);
  }
  if (type->trace != nullptr) {
    trace_by_callback(*type, object, extent);
  } else if (type->has_tail) {
    trace_trailing(index, *type, header.length);
  }
  work_ += 1 + type->fixed_slots;
}

__attribute__((noinline)) void Marker::trace_by_callback(const TypeInfo& type, const char* object,
                                                         std::uint64_t extent) noexcept {
  if (abandoned_) return;
  TraceVisitor visitor(*this, type.descriptor->trace_user);
  type.trace(object, static_cast<std::uint32_t>(extent), visitor);
  if (visitor.is_abandoned()) abandon();
}

/// Without anything below `end_`, what is still queued marks nothing more.
void Marker::abandon() noexcept {
  abandoned_ = true;
  end_ = stack_size_ = segment_count_ = overflow_end_ = rescan_end_ = 0;
}

void Marker::trace_trailing(std::uint32_t index, const TypeInfo& type,
                            std::uint32_t length) noexcept {
  if (type.is_weak) {
    noted_.insert(to_granules(index));
    if (defers_ephemerons_ && type.trailing == Trailing::ephemerons) {
      late_.insert(to_granules(index));
      return;
    }
    if (type.element_bytes < sizeof(std::uint32_t) || type.trailing == Trailing::weak) return;
  }
  // Also where the stack could not take all refs: segments wait until it is empty.
  const std::uint32_t room = stack_capacity_ - stack_size_;
  if (length > std::min(kSegmentSlots, room)) {
    if (segment_count_ < kMaxSegments) {
      segments_[segment_count_++] = {static_cast<TypeId>(&type - types_->data()) + 1, index, length,
                                     0};
      return;
    }
    // No stop is to be as long as an array.
    if (is_incremental_) {
      note_unvisited(index);
      return;
    }
  }
  visit_elements(type, base_ + index + type.fixed_bytes, length);
  work_ += length;
}

void Marker::trace_next_segment() noexcept {
  BESOM_ASSERT(segment_count_ != 0);
  BESOM_ASSERT(segments_[segment_count_ - 1].next < segments_[segment_count_ - 1].length);
  Segment& segment = segments_[segment_count_ - 1];
  const TypeInfo& type = (*types_)[segment.type];
  char* array = base_ + segment.object + type.fixed_bytes;
  const std::uint32_t first = segment.next;
  const std::uint32_t count = std::min({segment.length - first, kSegmentSlots, stack_capacity_});
  segment.next += count;
  work_ += count;
  if (segment.next == segment.length) --segment_count_;
  visit_elements(type, array + std::size_t{first} * type.element_bytes, count);
}

bool Marker::drain_some(std::uint64_t units, bool may_rescan) noexcept {
  const std::uint64_t limit = units > ~work_ ? ~std::uint64_t{0} : work_ + units;
  drain_stack(limit);
  while (may_rescan && work_ < limit && has_more()) rescan(limit);
  if (abandoned_) findings_ = {};
  return !has_more();
}

/// Visits again all marked objects in the lines where some could not be pushed. Each walk visits
/// at least those, so that the marks become more until none is left out. Not all are at objects:
/// those of bad refs, and in the midst of what was allocated meanwhile.
void Marker::rescan(std::uint64_t limit) noexcept {
  if (rescan_next_ >= rescan_end_) {
    ++findings_.rescans;
    rescan_next_ = std::exchange(overflow_begin_, ~std::uint32_t{0});
    rescan_end_ = std::exchange(overflow_end_, 0);
  }
  while (rescan_next_ < rescan_end_ && !abandoned_ && work_ < limit) {
    const std::uint32_t number = rescan_next_++;
    std::uint64_t marked = mark_words_[number] & lines_[number].starts & ~lines_[number].holes;
    for (; marked != 0; marked &= marked - 1) {
      trace(((number << kLineShift) | static_cast<std::uint32_t>(std::countr_zero(marked)))
            << kGranuleShift);
      drain_stack(limit);
    }
  }
}

/// Most marked cards hold nothing but new objects, which were stored into as they were made. Those
/// have no marks, so that a look at the mark bits passes over them.
void Marker::mark_from_cards(const Cards& cards) noexcept {
  BESOM_ASSERT(end_ != 0 || abandoned_);
  const std::uint32_t last = (to_bytes(end_ - 1) >> Cards::kShift) + 1;
  std::uint32_t whole = 0;  // up to here objects that cannot be visited in part have been
  for (std::uint32_t card = cards.next_marked(0, last); card != last;
       card = cards.next_marked(card + 1, last)) {
    constexpr std::uint32_t kGranules = Cards::kBytes / kGranuleBytes;
    const std::uint32_t first = card * kGranules;
    const auto visit = [&](std::uint32_t granule) {
      if (granule < whole || granule >= end_ || !map_->is_block(granule)) return;
      const std::uint32_t next = map_->next_start(granule);
      if (next > first && trace_within(granule, next, {to_bytes(first), Cards::kBytes})) {
        whole = next;
      }
    };
    if (!map_->is_start(first)) {
      const std::uint32_t before = map_->prev_start(first);
      if (before != BoundaryMap::kNone && marks_.test(before)) visit(before);
    }
    std::uint64_t marked = mark_words_[first >> kLineShift] >> (first & 63u);
    for (marked &= (std::uint64_t{1} << kGranules) - 1; marked != 0; marked &= marked - 1) {
      visit(first + lowest_bit(marked));
    }
  }
}

/// Visits the slots of the object in [granule, end) that lie in `part`. Returns whether it visited
/// all the others as well.
bool Marker::trace_within(std::uint32_t granule, std::uint32_t end, Run part) noexcept {
  const char* object = base_ + to_bytes(granule);
  const std::uint64_t extent = std::uint64_t{end - granule} << kGranuleShift;
  Header header = load_header(object);
  const TypeInfo* type = checked_type(*types_, header, extent);
  if (type == nullptr) [[unlikely]] {
    const Found found = wake(granule);
    if (found.type == nullptr) return true;
    header = found.header;
    type = found.type;
  }
  if (type->is_weak) {
    noted_.insert(granule);
    if (defers_ephemerons_ && type->trailing == Trailing::ephemerons) late_.insert(granule);
  }
  return visit_part(granule, end, part, *type, header.length);
}

bool Marker::visit_part(std::uint32_t granule, std::uint32_t end, Run part, const TypeInfo& type,
                        std::uint32_t length) noexcept {
  const char* object = base_ + to_bytes(granule);
  if (type.trace != nullptr) {
    trace_by_callback(type, object, std::uint64_t{end - granule} << kGranuleShift);
    return true;
  }
  work_ += 1 + type.fixed_slots;
  for (std::uint32_t i = 0; i < type.run_count; ++i) {
    visit_run(type, object, type.runs[i]);
  }
  const std::uint64_t element = type.element_bytes;
  if (element < sizeof(std::uint32_t)) return true;
  // Slots are numbered from the array's first; the part may begin before it and end behind it.
  const std::uint64_t array = to_bytes(granule) + std::uint64_t{type.fixed_bytes};
  const std::uint64_t part_end = part.index + std::uint64_t{part.size_bytes};
  const std::uint64_t first = part.index > array ? (part.index - array) / element : 0;
  const std::uint64_t past = part_end > array ? (part_end - array + element - 1) / element : 0;
  const std::uint64_t count = std::min<std::uint64_t>(past, length);
  if (first >= count) return false;
  work_ += count - first;
  visit_elements(type, base_ + array + first * element, static_cast<std::uint32_t>(count - first));
  return false;
}

void Marker::take(std::uint32_t bits) noexcept {
  // What lies above the end that was known last was allocated since, and is marked.
  if (bits % kGranuleBytes == 0 && to_granules(bits) < end_) visit<SlotKind::ref>(bits);
}

/// Weak slots do not count: who has read one has noted it. A trace callback is not called in the
/// midst of the program's stores.
void Marker::take_slots(const char* first, std::size_t bytes) noexcept {
  resume();
  const std::uint32_t place = index_of(first) >> kGranuleShift;
  if (place >= end_) return;
  const std::uint32_t granule = map_->is_start(place) ? place : map_->prev_start(place);
  if (granule == BoundaryMap::kNone || !map_->is_block(granule)) return;
  const std::uint32_t next = map_->next_start(granule);
  const Header header = load_header(base_ + to_bytes(granule));
  const TypeInfo* type = checked_type(*types_, header, to_bytes(next - granule));
  if (type == nullptr || type->trace != nullptr) {
    take_words(first, bytes);
    return;
  }
  const auto size = static_cast<std::uint32_t>(std::min<std::size_t>(bytes, to_bytes(next)));
  const std::uint32_t length = type->is_weak ? 0 : header.length;
  static_cast<void>(visit_part(granule, next, {index_of(first), size}, *type, length));
}

/// What a callback would visit is not known, so each word that names an object is taken for a ref,
/// and each of eight bytes for a pointer, with whatever tags.
void Marker::take_words(const char* first, std::size_t bytes) noexcept {
  for (std::size_t at = 0; at + sizeof(std::uint32_t) <= bytes; at += sizeof(std::uint32_t)) {
    const auto word = load_once<std::uint32_t>(first + at);
    const bool may_be_pointer = index_of(first + at) % sizeof(void*) == 0;
    if (!may_be_pointer && word % kGranuleBytes != 0) continue;
    const std::uint32_t index = word / kGranuleBytes * kGranuleBytes;
    if (index != 0 && is_object(index)) mark_index(index);
  }
}

void Marker::take_object(std::uint32_t index) noexcept {
  resume();
  // What has no start yet was allocated while marking, and keeps all that it refers to.
  if (!is_object(index)) return;
  const std::uint32_t granule = to_granules(index);
  const std::uint32_t next = map_->next_start(granule);
  if (!marks_.test(granule)) {
    marks_.set(granule);
    ++marked_;
    marked_granules_ += next - granule;
  }
  static_cast<void>(trace_within(granule, next, {index, to_bytes(next - granule)}));
}

void Marker::trim() noexcept {
  const std::uint64_t used = std::uint64_t{stack_peak_} * sizeof(std::uint32_t);
  stack_touched_ = std::max(stack_touched_, used);
  std::uint64_t kept = kKeptStackBytes;
  // To give much back is a stop as well, and the next cycle would have it all cleared again.
  if (is_incremental_) kept = std::max({kept, used, stack_touched_ - stack_touched_ / 8});
  if (stack_touched_ <= kept) return;
  stack_table_.discard_from(kept / sizeof(std::uint32_t));
  stack_touched_ = kept;
}

}  // namespace besom::detail
