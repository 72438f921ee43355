/// The weak side of marking: docs/design.md#weak-things-and-finalizers.

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

void Marker::visit_entries(Trailing kind, char* first, std::uint32_t count) noexcept {
  for (char* entry = first; entry != first + std::size_t{count} * kEntryBytes;
       entry += kEntryBytes) {
    if (kind == Trailing::ephemerons) {
      visit_ephemeron(entry);
    } else {
      mark_root(load(entry));
    }
  }
}

/// What stands in the key slot and is no ref to an object is left: it is a link of ours, as the
/// holder is visited again after the mark stack overflowed, or damage, which clear_entries()
/// counts.
void Marker::visit_ephemeron(char* entry) noexcept {
  const std::uint32_t key = load(entry);
  if (key == 0) return;
  if (is_ref(key)) {
    if (!is_object(key)) return;
    if (!marks_.test(to_granules(key))) {
      if (defers_ephemerons_) return;
      std::uint32_t next;
      if (wait(key, Link::to_entry(static_cast<std::uint32_t>(entry - base_)), next)) {
        store(entry, next);
        return;
      }
      // With such a header the key cannot hold a chain. The value is kept for this time.
    }
  }
  mark_root(load(entry + kValueAt));
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

/// What waits for a key notes that, too: then its entries are none.
void Marker::visit_deferred() noexcept {
  defers_ephemerons_ = false;
  noted_.each([this](std::uint32_t granule) {
    if (!marks_.test(granule)) return;
    const auto [header, type] = find(granule);
    if (type == nullptr || type->trailing != Trailing::ephemerons) return;
    visit_entries(type->trailing, base_ + to_bytes(granule) + type->fixed_bytes, header.length);
    work_ += header.length;
  });
}

void Marker::await(Registration* table, std::uint32_t first, std::uint32_t end) noexcept {
  BESOM_ASSERT(first <= end);
  registrations_ = table;
  registrations_end_ = end;
  for (std::uint32_t number = first; number < end; ++number) {
    Registration& registration = table[number];
    if (registration.agent == registration.object) continue;
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
    } else if (key == 0 && is_ref(value)) {
      break_entry(entry);  // nothing keeps the value
    }
  }
  work_ += count;
}

void Marker::clear_weak_slots() noexcept {
  noted_.each([this](std::uint32_t granule) {
    const auto [header, type] = find(granule);
    if (type != nullptr && type->is_table) return;
    noted_.erase(granule);
    if (type == nullptr) return;
    char* object = base_ + to_bytes(granule);
    for (std::uint32_t i = 0; i < type->weak_run_count; ++i) {
      const SlotRun& run = type->runs[type->run_count + i];
      clear_slots(object + run.offset, run.count);
    }
    char* trailing = object + type->fixed_bytes;
    if (type->trailing == Trailing::weak) {
      clear_slots(trailing, header.length);
    } else if (type->trailing > Trailing::weak) {
      clear_entries(type->trailing, trailing, header.length);
    }
  });
}

}  // namespace besom::detail
