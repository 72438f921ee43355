/// The weak side of marking: docs/design.md#weak-things-and-finalizers.

#include <algorithm>
#include <cstring>
#include <utility>

#include "gc/mark/marker.hpp"
#include "gc/weak/finalizer_table.hpp"
#include "heap/load_once.hpp"

namespace besom::detail {
namespace {

constexpr std::uint32_t kEntryBytes = sizeof(Entry);
constexpr std::uint32_t kValueAt = offsetof(Entry, value);

std::uint32_t load(const char* slot) noexcept { return load_once<std::uint32_t>(slot); }

void store(char* slot, std::uint32_t bits) noexcept { std::memcpy(slot, &bits, sizeof bits); }

bool is_ref(std::uint32_t bits) noexcept { return Value::from_bits(bits).is_ref(); }

void break_entry(char* entry) noexcept {
  store(entry, 0);
  store(entry + kValueAt, Value::integer(0).bits());
}

}  // namespace

/// One reading of the object's header, held against the tables.
Marker::Found Marker::find(std::uint32_t granule) const noexcept {
  const Header header = load_header(base_ + to_bytes(granule));
  const std::uint64_t extent = std::uint64_t{map_->next_start(granule) - granule} << kGranuleShift;
  return {header, checked_type(*types_, header, extent)};
}

/// Whether some were left, as visit_ephemeron(): in slices these are noted.
bool Marker::visit_entries(Trailing kind, char* first, std::uint32_t count) noexcept {
  char* const end = first + std::size_t{count} * kEntryBytes;
  bool has_left = false;
  for (char* entry = first; entry != end; entry += kEntryBytes) {
    if (kind != Trailing::ephemerons) {
      mark_root(load(entry));
    } else if (visit_ephemeron(entry)) {
      left_.insert(index_of(entry) >> kGranuleShift);
      has_left = true;
    }
  }
  return has_left;
}

/// What stands in the key slot and is no ref to an object is left: it is a link of ours, as the
/// holder is visited again after the mark stack overflowed, or damage, which clear_entries()
/// counts. True when the entry was left because its key is not known to live, or may come yet.
bool Marker::visit_ephemeron(char* entry) noexcept {
  const std::uint32_t key = load(entry);
  if (key == 0) return defers_ephemerons_ && is_ref(load(entry + kValueAt));
  if (is_ref(key)) {
    if (!is_object(key)) return defers_ephemerons_;
    if (!marks_.test(to_granules(key))) {
      if (defers_ephemerons_) return true;
      std::uint32_t next;
      if (wait(key, Link::to_entry(static_cast<std::uint32_t>(entry - base_)), next)) {
        store(entry, next);
        return false;
      }
      // With such a header the key cannot hold a chain. The value is kept for this time.
    }
  }
  mark_root(load(entry + kValueAt));
  return false;
}

/// Puts `waiter` at the head of the chain of `key`, an object that is not marked. `next` receives
/// what the waiter has to remember. False where the header is damaged.
bool Marker::wait(std::uint32_t key, Link waiter, std::uint32_t& next) noexcept {
  BESOM_ASSERT(is_object(key) && !marks_.test(to_granules(key)));
  const std::uint32_t granule = to_granules(key);
  // Noted and not marked: we wrote the word ourselves.
  if (noted_.contains(granule)) {
    next = Link::from_header(load(base_ + key)).slot();
  } else {
    const Found found = find(granule);
    if (found.type == nullptr) return false;
    next = Link::end(found.header.type).slot();
    noted_.insert(granule);
  }
  store(base_ + key, waiter.header());
  ++links_;
  // Where the chain begins, marking has to look.
  leaf_bits_->clear(granule);
  return true;
}

/// For a marked object whose header names no type: if there is a chain in it, takes that apart and
/// marks what waited. Otherwise, and where the header is damaged, there is no type.
Marker::Found Marker::wake(std::uint32_t granule) noexcept {
  if (noted_.is_reserved() && noted_.contains(granule)) {
    take_chain(granule, true);
    return find(granule);
  }
  ++findings_.bad_headers;
  return {{}, nullptr};
}

/// Restores the header of the object and the key slots of what waits for it; if it is alive, what
/// waits is marked. A link that leads out of the arena or the registrations was overwritten: the
/// rest of the chain is lost then, the header included.
void Marker::take_chain(std::uint32_t granule, bool is_alive) noexcept {
  BESOM_ASSERT(noted_.contains(granule));
  noted_.erase(granule);
  const std::uint32_t object = to_bytes(granule);
  Link link = Link::from_header(load(base_ + object));
  for (; link.kind() != Link::Kind::end && links_ != 0; --links_) {
    ++work_;
    if (link.kind() == Link::Kind::registration && link.number() < registrations_end_) {
      const Registration& registration = registrations_[link.number()];
      link = Link::from_slot(registration.next);
      if (is_alive) mark_root(registration.agent);
    } else if (link.kind() == Link::Kind::entry && link.index() < arena_end_) {
      char* entry = base_ + link.index();
      link = Link::from_slot(load(entry));
      store(entry, object);
      if (is_alive) mark_root(load(entry + kValueAt));
    } else {
      break;
    }
  }
  if (link.kind() == Link::Kind::end) {
    store(base_ + object, link.number());
  } else {
    ++findings_.bad_headers;
  }
}

/// Between two calls an array may be written to, and be damaged.
bool Marker::visit_late_some(std::uint64_t limit) noexcept {
  while (work_ < limit) {
    if (place_.next == 0) {
      place_ = {.granule = late_.first_from(0)};
      if (place_.granule == GranuleSet::kNone) return true;
    }
    const auto [header, type] = find(place_.granule);
    const bool is_array = type != nullptr && type->trailing == Trailing::ephemerons;
    const std::uint32_t left = is_array ? header.length - std::min(header.length, place_.next) : 0;
    const std::uint32_t count = std::min(left, kSegmentSlots);
    ++work_;
    if (count != 0) {
      char* first = base_ + to_bytes(place_.granule) + type->fixed_bytes;
      place_.has_left |=
          visit_entries(type->trailing, first + std::size_t{place_.next} * kEntryBytes, count);
      work_ += count;
      place_.next += count;
    }
    if (count != left) continue;
    late_.erase(place_.granule);
    if (place_.has_left) left_.insert(place_.granule);
    place_ = {};
  }
  return false;
}

/// Of an array with such entries the beginning is noted as well, and comes before them.
void Marker::visit_deferred() noexcept {
  BESOM_ASSERT(!late_.is_reserved() || late_.first_from(0) == GranuleSet::kNone);
  defers_ephemerons_ = false;
  std::uint64_t first = 0;
  std::uint64_t end = 0;
  left_.each([&](std::uint32_t granule) {
    if (map_->is_start(granule)) {
      const auto [header, type] = find(granule);
      const bool is_array = type != nullptr && type->trailing == Trailing::ephemerons;
      first = is_array ? std::uint64_t{to_bytes(granule)} + type->fixed_bytes : 0;
      end = is_array ? first + std::uint64_t{header.length} * kEntryBytes : 0;
    }
    std::uint64_t entry = std::max<std::uint64_t>(to_bytes(granule), first);
    const std::uint64_t next = std::uint64_t{to_bytes(granule)} + kGranuleBytes;
    for (; entry < std::min(next, end); entry += kEntryBytes, ++work_) {
      static_cast<void>(visit_ephemeron(base_ + entry));
    }
  });
  left_.clear();
}

void Marker::await(Registration* table, std::uint32_t first, std::uint32_t end,
                   std::uint32_t settled) noexcept {
  BESOM_ASSERT(first <= end);
  registrations_ = table;
  registrations_end_ = end;
  for (std::uint32_t number = first; number < end; ++number) {
    Registration& registration = table[number];
    if (registration.agent == registration.object) continue;
    if (registration.settled_in == settled) continue;
    const std::uint32_t object = registration.object;
    if (!is_object(object)) continue;
    if (!marks_.test(to_granules(object)) &&
        wait(object, Link::to_registration(number), registration.next)) {
      continue;
    }
    mark_root(registration.agent);
  }
}

void Marker::end_waiting() noexcept {
  if (links_ == 0) return;
  noted_.each([this](std::uint32_t granule) {
    if (!marks_.test(granule)) take_chain(granule, false);
  });
  links_ = 0;
}

/// Whether an object waits to be visited or was not marked, its header tells: nothing else puts a
/// link there.
void Marker::undo_waiting() noexcept {
  noted_.each([this](std::uint32_t granule) {
    if (!types_->contains(load(base_ + to_bytes(granule)))) take_chain(granule, false);
  });
  noted_.clear();
  late_.clear();
  left_.clear();
}

/// Whether the slot has to be cleared.
bool Marker::is_dead_slot(std::uint32_t bits) noexcept {
  if (!is_ref(bits) || is_live(bits)) return false;
  if (!is_object(bits)) ++findings_.bad_refs;
  return true;
}

void Marker::clear_slots(char* first, std::uint32_t count) noexcept {
  for (std::uint32_t i = 0; i < count; ++i) {
    char* slot = first + std::size_t{i} * sizeof(std::uint32_t);
    if (!is_dead_slot(load(slot))) continue;
    store(slot, 0);
    ++findings_.weak_cleared;
  }
  work_ += count;
}

void Marker::clear_entries(Trailing kind, char* first, std::uint32_t count) noexcept {
  for (char* entry = first; entry != first + std::size_t{count} * kEntryBytes;
       entry += kEntryBytes) {
    const std::uint32_t key = load(entry);
    const std::uint32_t value = load(entry + kValueAt);
    if (is_dead_slot(kind == Trailing::ephemerons ? key : value)) {
      break_entry(entry);
      ++findings_.entries_broken;
    } else if ((key == 0 && is_ref(value)) || (is_settling_ && is_white(value))) {
      break_entry(entry);  // nothing keeps the value, or nothing did until the key was stored
    }
  }
  work_ += count;
}

void Marker::clear_trailing(Trailing kind, char* first, std::uint32_t count) noexcept {
  if (kind == Trailing::weak) {
    clear_slots(first, count);
  } else if (kind > Trailing::weak) {
    clear_entries(kind, first, count);
  }
}

void Marker::clear_weak_slots() noexcept {
  place_ = {};
  static_cast<void>(clear_weak_some(~std::uint64_t{0}));
}

/// Between two calls a header may be damaged, so that it is read again for each part of an array.
bool Marker::clear_weak_some(std::uint64_t limit) noexcept {
  while (work_ < limit) {
    const std::uint32_t granule = noted_.first_from(place_.granule);
    if (granule == GranuleSet::kNone) return true;
    if (granule != place_.granule) place_ = {.granule = granule};
    ++work_;
    const auto [header, type] = find(granule);
    const bool is_table = type != nullptr && type->is_table;
    if (type != nullptr && !is_table) {
      char* object = base_ + to_bytes(granule);
      for (std::uint32_t i = 0; place_.next == 0 && i < type->weak_run_count; ++i) {
        const SlotRun& run = type->runs[type->run_count + i];
        clear_slots(object + run.offset, run.count);
      }
      if (type->trailing >= Trailing::weak && place_.next < header.length) {
        const std::uint32_t element = type->trailing == Trailing::weak ? 4 : kEntryBytes;
        const std::uint32_t count = std::min(header.length - place_.next, kSegmentSlots);
        char* first = object + type->fixed_bytes + std::size_t{place_.next} * element;
        clear_trailing(type->trailing, first, count);
        place_.next += count;
        if (place_.next < header.length) continue;
      }
    }
    if (!is_table) noted_.erase(granule);
    place_ = {.granule = granule + 1};
  }
  return false;
}

void Marker::clear_handle(std::uint32_t& ref) noexcept {
  if (ref == 0 || is_live(ref)) return;
  ref = 0;
  ++findings_.weak_cleared;
}

/// Between two slices not all objects show in the map: what is new is marked, and no part of this.
bool Marker::is_white(std::uint32_t bits) const noexcept {
  return is_ref(bits) && bits < space_->capacity() && !marks_.test(to_granules(bits));
}

Marker::WeakPlace Marker::weak_place_of(char* slot) const noexcept {
  const std::uint32_t place = index_of(slot) >> kGranuleShift;
  if (place >= end_) return {};
  const std::uint32_t granule = map_->is_start(place) ? place : map_->prev_start(place);
  if (granule == BoundaryMap::kNone || !map_->is_block(granule)) return {};
  const auto [header, type] = find(granule);
  if (type == nullptr || !type->is_weak) return {};
  char* object = base_ + to_bytes(granule);
  const std::size_t offset = slot - object;
  for (std::uint32_t i = 0; i < type->weak_run_count; ++i) {
    const SlotRun& run = type->runs[type->run_count + i];
    if (offset >= run.offset && offset < run.offset + std::size_t{run.count} * 4) {
      return {slot, Trailing::weak};
    }
  }
  const std::size_t element = type->trailing == Trailing::weak ? 4 : kEntryBytes;
  const bool is_element = type->trailing >= Trailing::weak && offset >= type->fixed_bytes &&
                          offset < type->fixed_bytes + header.length * element;
  if (!is_element) return {};
  return {slot - (offset - type->fixed_bytes) % element, type->trailing};
}

/// In the end of a cycle: makes a weak slot null, or breaks the entry that it belongs to, if that
/// is due and has not been done yet. False for a slot that is not weak.
bool Marker::clear_if_dead(char* slot) noexcept {
  const WeakPlace place = weak_place_of(slot);
  if (place.kind == Trailing::none) return false;
  if (place.kind == Trailing::weak) {
    if (!is_white(load(slot))) return true;
    store(slot, 0);
    ++findings_.weak_cleared;
  } else {
    if (!is_white(load(place.first)) && !is_white(load(place.first + kValueAt))) return true;
    break_entry(place.first);
    ++findings_.entries_broken;
  }
  return true;
}

void Marker::prepare_read(char* slot, bool keeps) noexcept {
  if (is_settling_) {
    clear_if_dead(slot);
  } else if (keeps) {
    take(load(slot));
  }
}

/// What is dead shall not live on because a slot that knew it is used for something else, nor a new
/// key keep a value that was left from an old one.
void Marker::take_slot(char* slot) noexcept {
  const std::uint32_t bits = load(slot);
  if (is_settling_ && is_white(bits) && clear_if_dead(slot)) return;
  take(bits);
}

void Marker::prepare_handle(std::uint32_t& ref, bool keeps) noexcept {
  if (!is_settling_) {
    if (keeps) take(ref);
  } else if (is_white(ref)) {
    ref = 0;
    ++findings_.weak_cleared;
  }
}

}  // namespace besom::detail
