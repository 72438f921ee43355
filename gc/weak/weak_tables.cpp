#include "besom/weak_tables.hpp"

#include <algorithm>
#include <bit>

#include "heap/load_once.hpp"
#include "heap/space.hpp"

namespace besom {
namespace {

/// Roots what is a ref; false when the host has no memory.
[[nodiscard]] bool root(HandleScope& scope, const Heap& heap, Value value) noexcept {
  return !value.is_ref() || static_cast<bool>(scope.root(heap.get(value.as_ref<Header>())));
}

constexpr std::uint32_t kLeastEntries = 8;

}  // namespace

WeakBox* WeakBox::make(Heap& heap, Type<WeakBox> type, Value target) noexcept {
  HandleScope scope(heap);
  if (!root(scope, heap, target)) return nullptr;
  WeakBox* box = heap.allocate(type);
  if (box != nullptr) box->target = target;
  return box;
}

Ephemeron* Ephemeron::make(Heap& heap, Type<Ephemeron> type, Value key, Value value) noexcept {
  HandleScope scope(heap);
  if (!root(scope, heap, key) || !root(scope, heap, value)) return nullptr;
  Ephemeron* ephemeron = heap.allocate(type, 1);
  if (ephemeron == nullptr) return nullptr;
  (*ephemeron)[0].key = key;
  (*ephemeron)[0].value = value;
  return ephemeron;
}

namespace detail {

/// Spreads the seed, which may be a small number, over both words.
KeyHash::KeyHash(std::uint64_t seed) noexcept
    : added_(seed * 0x9e3779b97f4a7c15), factor_((added_ ^ added_ >> 29) * kFactor | 1) {}

namespace {

[[nodiscard]] std::uint32_t entries_for(std::uint32_t live) noexcept {
  return std::bit_ceil(std::max(2 * (live + 1), kLeastEntries));
}

void move(Entry& from, Entry& to) noexcept {
  to.key = from.key.get();
  to.value = from.value.get();
  from.key = from.value = Value();
}

}  // namespace

EntryTable::Entries EntryTable::all(const Heap& heap) const noexcept {
  constexpr Entries kDamaged{.is_sound = false};
  const auto index = load_once<std::uint32_t>(&entries);
  if (index == 0) return {};
  const Space& space = *parts_of(heap).space;
  const std::uint64_t first = std::uint64_t{index} + sizeof(Header);
  if (index % kGranuleBytes != 0 || first > space.capacity()) return kDamaged;
  auto* array = reinterpret_cast<Array<Entry>*>(space.base() + index);
  const std::uint32_t count = load_header(array).length;
  const std::uint64_t end = first + std::uint64_t{count} * sizeof(Entry);
  if (!std::has_single_bit(count) || end > space.capacity()) return kDamaged;
  return {array->data(), count};
}

/// Where the search for a key begins.
static std::uint32_t home_of(std::uint32_t hash, std::uint32_t count) noexcept {
  return static_cast<std::uint32_t>((std::uint64_t{hash} * count) >> 32);
}

std::uint32_t EntryTable::Entries::live() const noexcept {
  std::uint32_t live = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    prepare_read(&first[i].key, false);
    if (!first[i].key.peek().is_null()) ++live;
  }
  return live;
}

Entry* EntryTable::Entries::find(Value key, std::uint32_t hash) const noexcept {
  std::uint32_t at = home_of(hash, count);
  for (std::uint32_t i = 0; i < count; ++i, ++at) {
    Entry& entry = (*this)[at];
    if (entry.key.peek() == key) return &entry;
    if (entry.is_empty()) return nullptr;
  }
  return nullptr;
}

/// The same, but where a cycle has found the entry's weak part dead: to be used at once.
Entry* EntryTable::Entries::find_live(Value key, std::uint32_t hash) const noexcept {
  Entry* entry = find(key, hash);
  return entry != nullptr && !entry->key.get().is_null() ? entry : nullptr;
}

/// Where a key of this hash, which is not there, can be put, or nullptr.
Entry* EntryTable::Entries::find_place(std::uint32_t hash) const noexcept {
  std::uint32_t at = home_of(hash, count);
  for (std::uint32_t i = 0; i < count; ++i, ++at) {
    if ((*this)[at].key.peek().is_null()) return &(*this)[at];
  }
  return nullptr;
}

/// Makes broken entries empty, where each live one moves back over those that it was put behind. No
/// search passes an empty entry, so behind one a walk meets every entry after its home and all that
/// lie between. False where there is none; then nothing has changed.
bool EntryTable::Entries::tidy(const KeyHash& hash) const noexcept {
  std::uint32_t begin = 0;
  while (begin < count && !first[begin].is_empty()) ++begin;
  if (begin == count) return false;
  for (std::uint32_t i = 1; i < count; ++i) {
    Entry& entry = (*this)[begin + i];
    if (entry.is_empty()) continue;
    const Value key = entry.key.peek();
    if (key.is_null()) {
      entry.value = Value();
      continue;
    }
    std::uint32_t at = home_of(hash(key), count);
    for (std::uint32_t k = 0; k < count && &(*this)[at] != &entry; ++k, ++at) {
      if (!(*this)[at].key.peek().is_null()) continue;
      move(entry, (*this)[at]);
      break;
    }
  }
  return true;
}

Error EntryTable::put(Heap& heap, Value key, Value value) noexcept {
  if (key.is_null()) return {.code = Errc::bad_ref, .detail = "null as a key"};
  constexpr Error kDamaged{.code = Errc::bad_ref, .detail = "entries of a table"};
  Entries array = all(heap);
  if (!array.is_sound) return kDamaged;
  const std::uint32_t hash = KeyHash(heap.options().hash_seed)(key);
  if (Entry* entry = array.find_live(key, hash)) {
    entry->value = value;
    return {};
  }
  Entry* place = filled < array.count / 4 * 3 ? array.find_place(hash) : nullptr;
  if (place == nullptr) {
    if (Error error = make_room(heap, key, value)) return error;
    array = all(heap);
    place = array.find_place(hash);
  }
  if (place == nullptr) return kDamaged;  // somebody else writes to the table
  ++filled;
  place->key = key;
  place->value = value;
  return {};
}

/// Rids the array of broken entries, if it then is half empty; false when it is not.
bool EntryTable::tidy(Heap& heap) noexcept {
  const Entries array = all(heap);
  const std::uint32_t live = array.live();
  if (entries_for(live) > array.count || !array.tidy(KeyHash(heap.options().hash_seed))) {
    return false;
  }
  filled = live;
  return true;
}

/// For one entry more: in the same array or, where it would be more than half full or has become
/// far too large, in a new one.
Error EntryTable::make_room(Heap& heap, Value key, Value value) noexcept {
  const TypeDescriptor* descriptor = heap.descriptor(entries_type);
  if (descriptor == nullptr || descriptor->size != sizeof(Header) ||
      descriptor->trailing < Trailing::ephemerons) {
    return {.code = Errc::bad_type, .bytes = entries_type, .detail = "entries of a table"};
  }
  HandleScope scope(heap);
  if (!scope.root(&header) || !root(scope, heap, key) || !root(scope, heap, value)) {
    return heap.error();
  }
  std::uint32_t wanted = 0;
  Array<Entry>* fresh = nullptr;
  while (fresh == nullptr) {
    const Entries array = all(heap);
    const std::uint32_t refused = wanted;
    wanted = entries_for(array.live());
    const bool is_far_too_large = wanted <= array.count / 4;
    if (!is_far_too_large && tidy(heap)) return {};
    // A collection on the way may have taken out so many that less will do.
    if (refused != 0 && wanted >= refused) return tidy(heap) ? Error{} : heap.error();
    fresh = static_cast<Array<Entry>*>(heap.allocate(entries_type, wanted));
  }
  move_to({fresh->data(), wanted}, heap);
  entries = fresh;
  return {};
}

/// Copies the live entries into `room`, which is empty.
void EntryTable::move_to(const Entries& room, Heap& heap) noexcept {
  const KeyHash hash(heap.options().hash_seed);
  const Entries array = all(heap);
  std::uint32_t moved = 0;
  for (std::uint32_t i = 0; i < array.count; ++i) {
    const Value key = array.first[i].key.get();
    if (key.is_null()) continue;
    Entry* place = moved < room.count - 1 ? room.find_place(hash(key)) : nullptr;
    if (place == nullptr) break;  // more than were counted: somebody writes to the table
    place->key = key;
    place->value = array.first[i].value.get();
    ++moved;
  }
  filled = moved;
}

std::uint32_t EntryTable::shrink(Array<Entry>& array, std::uint32_t count,
                                 const KeyHash& hash) noexcept {
  const Entries old{array.data(), count};
  if (!std::has_single_bit(count)) return count;
  const std::uint32_t most = count / 8;
  std::uint32_t live = 0;
  for (std::uint32_t i = 0; i < count && live < most; ++i) {
    if (!old.first[i].key.peek().is_null()) ++live;
  }
  const std::uint32_t wanted = entries_for(live);
  if (live == most || wanted > count / 4) return count;
  // All to the end, which the part that stays does not reach, and from there to their places.
  std::uint32_t begin = count;
  for (std::uint32_t i = count; i > 0; --i) {
    Entry& entry = old.first[i - 1];
    if (entry.key.peek().is_null()) {
      entry.value = Value();
    } else if (--begin != i - 1 && begin >= wanted) {
      move(entry, old.first[begin]);
    }
  }
  const Entries kept{array.data(), wanted};
  filled = 0;
  for (std::uint32_t i = std::max(begin, wanted); i < count; ++i) {
    Entry* place = kept.find_place(hash(old.first[i].key.peek()));
    if (place == nullptr) break;
    move(old.first[i], *place);
    ++filled;
  }
  array.header.length = wanted;
  return wanted;
}

Value EntryTable::get(const Heap& heap, Value key) const noexcept {
  if (key.is_null()) return {};
  const Entry* entry = all(heap).find_live(key, KeyHash(heap.options().hash_seed)(key));
  return entry != nullptr ? entry->value.get() : Value();
}

bool EntryTable::contains(const Heap& heap, Value key) const noexcept {
  if (key.is_null()) return false;
  return all(heap).find_live(key, KeyHash(heap.options().hash_seed)(key)) != nullptr;
}

bool EntryTable::remove(const Heap& heap, Value key) noexcept {
  if (key.is_null()) return false;
  Entry* entry = all(heap).find_live(key, KeyHash(heap.options().hash_seed)(key));
  if (entry == nullptr) return false;
  entry->break_up();
  return true;
}

std::uint32_t EntryTable::size(const Heap& heap) const noexcept { return all(heap).live(); }

}  // namespace detail
}  // namespace besom
