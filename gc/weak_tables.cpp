#include "gc/weak_tables.hpp"

#include <algorithm>
#include <bit>

namespace besom {
namespace {

/// Roots what is a ref; false when the host has no memory.
[[nodiscard]] bool root(HandleScope& scope, const Heap& heap, Value value) noexcept {
  return !value.is_ref() || static_cast<bool>(scope.root(heap.get(value.as_ref<Header>())));
}

constexpr std::uint32_t kLeastEntries = 8;
/// Entries of a larger array would not fit into any heap.
constexpr std::uint32_t kMostEntries = std::uint32_t{1} << 28;

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

EntryTable::Entries EntryTable::all(const Heap& heap) const noexcept {
  Array<Entry>* array = entries.get();
  if (array == nullptr) return {};
  if (!heap.contains(array) || !heap.contains(&array->header.length)) return {.is_sound = false};
  const std::uint32_t count = array->header.length;
  if (!std::has_single_bit(count) || count > kMostEntries ||
      !heap.contains(array->data() + count - 1)) {
    return {.is_sound = false};
  }
  return {array->data(), count};
}

/// Where the search for `key` begins. Source of the multiplier: Knuth 1973, volume 3, 6.4.
static std::uint32_t home_of(Value key, std::uint32_t count) noexcept {
  return static_cast<std::uint32_t>((std::uint64_t{key.bits() * 0x9e3779b1u} * count) >> 32);
}

Entry* EntryTable::find(const Entries& array, Value key) noexcept {
  std::uint32_t at = home_of(key, array.count);
  for (std::uint32_t i = 0; i < array.count; ++i, ++at) {
    Entry& entry = array.first[at & (array.count - 1)];
    if (entry.key.get() == key) return &entry;
    if (entry.is_empty()) return nullptr;
  }
  return nullptr;
}

/// Where `key`, which is not there, can be put, or nullptr.
Entry* EntryTable::find_place(const Entries& array, Value key) noexcept {
  std::uint32_t at = home_of(key, array.count);
  for (std::uint32_t i = 0; i < array.count; ++i, ++at) {
    Entry& entry = array.first[at & (array.count - 1)];
    if (entry.key.get().is_null()) return &entry;
  }
  return nullptr;
}

Error EntryTable::put(Heap& heap, Value key, Value value) noexcept {
  if (key.is_null()) return {.code = Errc::bad_ref, .detail = "null as a key"};
  Entries array = all(heap);
  if (!array.is_sound) return {.code = Errc::bad_ref, .detail = "entries of a table"};
  if (Entry* entry = find(array, key)) {
    entry->value = value;
    return {};
  }
  Entry* place = find_place(array, key);
  const bool is_full = place == nullptr || (place->is_empty() && filled >= array.count / 4 * 3);
  if (is_full) {
    if (Error error = rehash(heap, key, value)) return error;
    array = all(heap);
    place = find_place(array, key);
  }
  if (place->is_empty()) ++filled;
  place->key = key;
  place->value = value;
  return {};
}

/// Moves the entries into a new array with room for more.
Error EntryTable::rehash(Heap& heap, Value key, Value value) noexcept {
  const TypeDescriptor* descriptor = heap.descriptor(entries_type);
  if (descriptor == nullptr || descriptor->size != sizeof(Header) ||
      TypeDescriptor::element_bytes(descriptor->trailing) != sizeof(Entry)) {
    return {.code = Errc::bad_type, .bytes = entries_type, .detail = "entries of a table"};
  }
  HandleScope scope(heap);
  if (!scope.root(&header) || !root(scope, heap, key) || !root(scope, heap, value)) {
    return heap.error();
  }
  std::uint32_t wanted = 0;
  Array<Entry>* fresh = nullptr;
  while (fresh == nullptr) {
    // A collection on the way may have taken out so many that less will do.
    const std::uint32_t refused = wanted;
    wanted = std::bit_ceil(std::max(2 * (size(heap) + 1), kLeastEntries));
    if (wanted == refused) return heap.error();
    fresh = static_cast<Array<Entry>*>(heap.allocate(entries_type, wanted));
  }
  const Entries room{fresh->data(), wanted};
  std::uint32_t moved = 0;
  each(heap, [&](Value old_key, Value old_value) {
    Entry* place = moved < wanted - 1 ? find_place(room, old_key) : nullptr;
    if (place == nullptr) return;  // more than were counted: somebody writes to the table
    place->key = old_key;
    place->value = old_value;
    ++moved;
  });
  entries = fresh;
  filled = moved;
  return {};
}

Value EntryTable::get(const Heap& heap, Value key) const noexcept {
  const Entry* entry = key.is_null() ? nullptr : find(all(heap), key);
  return entry != nullptr ? entry->value.get() : Value();
}

bool EntryTable::contains(const Heap& heap, Value key) const noexcept {
  return !key.is_null() && find(all(heap), key) != nullptr;
}

bool EntryTable::remove(const Heap& heap, Value key) noexcept {
  Entry* entry = key.is_null() ? nullptr : find(all(heap), key);
  if (entry == nullptr) return false;
  entry->break_up();
  return true;
}

std::uint32_t EntryTable::size(const Heap& heap) const noexcept {
  std::uint32_t count = 0;
  each(heap, [&count](Value, Value) { ++count; });
  return count;
}

}  // namespace detail
}  // namespace besom
