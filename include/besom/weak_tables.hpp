#pragma once

#include <cstddef>
#include <cstdint>

#include "besom/detail/export.h"
#include "besom/heap.hpp"
#include "besom/ref.hpp"
#include "besom/type.hpp"

namespace besom {

/// A weak slot as an object of its own.
struct WeakBox {
  Header header;           ///< As of every object.
  WeakValueMember target;  ///< Null once the target is dead.

  /// For Heap::define().
  static TypeDescriptor type() {
    return {.name = "WeakBox",
            .size = sizeof(WeakBox),
            .fields = {{"target", offsetof(WeakBox, target), SlotKind::weak}}};
  }
  /// nullptr when the heap is exhausted, or the host; then heap.error() says so.
  [[nodiscard]] BESOM_API static WeakBox* make(Heap& heap, Type<WeakBox> type,
                                               Value target) noexcept;
};

/// One ephemeron as an object of its own. Once broken, its key is null and its value integer 0.
struct Ephemeron : detail::Array<Entry> {
  /// @{
  /// As it stands in the entry.
  [[nodiscard]] Value key() const noexcept { return (*this)[0].key.get(); }
  [[nodiscard]] Value value() const noexcept { return (*this)[0].value.get(); }
  /// @}
  /// The key died.
  [[nodiscard]] bool is_broken() const noexcept { return (*this)[0].is_broken(); }

  /// For Heap::define().
  static TypeDescriptor type() { return {.name = "Ephemeron", .trailing = Trailing::ephemerons}; }
  /// nullptr when the heap is exhausted, or the host; then heap.error() says so.
  [[nodiscard]] BESOM_API static Ephemeron* make(Heap& heap, Type<Ephemeron> type, Value key,
                                                 Value value) noexcept;
};

namespace detail {

/// While one exists the collector leaves the arrays of tables as they are, for somebody visits the
/// entries. One that is jumped over leaves it so for good: tables then get smaller in put() alone.
class BESOM_API TableWalk {
 public:
  explicit TableWalk(const Heap& heap) noexcept;
  TableWalk(const TableWalk&) = delete;
  TableWalk& operator=(const TableWalk&) = delete;
  ~TableWalk();

 private:
  Collector& collector_;
};

/// The hash of keys under one seed: what nobody can choose keys for who does not know the seed.
class KeyHash {
 public:
  explicit KeyHash(std::uint64_t seed) noexcept;
  [[nodiscard]] std::uint32_t operator()(Value key) const noexcept {
    std::uint64_t bits = (key.bits() ^ added_) * factor_;
    bits = (bits ^ bits >> 32) * kFactor;
    return static_cast<std::uint32_t>(bits >> 32);
  }

 private:
  /// Source: Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators".
  static constexpr std::uint64_t kFactor = 0xbf58476d1ce4e5b9;

  std::uint64_t added_;
  std::uint64_t factor_;
};

/// A hash table of entries, as an object of the heap: open addressing with linear probing over an
/// array of a power of two. Keys are compared by identity: refs by their index, integers by their
/// number. Hashes depend on HeapOptions::hash_seed. The collector takes entries out by breaking
/// them, as remove() does; their places are used again.
///
///     | header | entries | entries_type | filled |        | header | key value | key value | ...
///                   '------------------------------------>   length: entries, 2^n
///
/// When three quarters of the array have been filled, the broken entries go: in place, or, where
/// the live ones would fill more than half of it, by way of a larger array. A full collection cuts
/// an array down that is less than an eighth full. When that happens depends on the number of calls
/// alone, not on where keys hash to: the same program allocates the same under any seed.
///
/// What lies in the arena may have been overwritten: a table whose array does not lie in the heap
/// has no entries and takes none, and no search is longer than it.
struct BESOM_API EntryTable {
  /// @{
  /// The table's own.
  Header header;
  Member<Array<Entry>> entries;
  TypeId entries_type;
  /// @}
  std::uint32_t filled;  ///< Keys added since the broken entries went, and those there were then.

  /// Adds the key or changes its value. May allocate where it adds; then key and value need
  /// no root, but the table is to be reachable as for any allocation. Fails, with the table as it
  /// was, with heap_limit, object_too_large, out_of_host_memory, and with bad_ref for a null key or
  /// a table that was overwritten. Amortised O(1).
  Error put(Heap& heap, Value key, Value value) noexcept;
  /// The key's value, or null.
  [[nodiscard]] Value get(const Heap& heap, Value key) const noexcept;
  /// Tells a value that is null from none.
  [[nodiscard]] bool contains(const Heap& heap, Value key) const noexcept;
  /// Whether the key was there.
  bool remove(const Heap& heap, Value key) noexcept;
  /// Entries now. The collector breaks entries without looking for their table, so that nobody
  /// keeps count: O(capacity).
  [[nodiscard]] std::uint32_t size(const Heap& heap) const noexcept;
  /// Entries of its array: a power of two, or 0.
  [[nodiscard]] std::uint32_t capacity(const Heap& heap) const noexcept { return all(heap).count; }

  /// Calls `visit(key, value)` for each entry, in no order that means anything, but in the same for
  /// the same program and HeapOptions::hash_seed. It may allocate and remove, but not put.
  template <class Visit>
  void each(const Heap& heap, Visit visit) const {
    const TableWalk walk(heap);
    const Entries array = all(heap);
    for (std::uint32_t i = 0; i < array.count; ++i) {
      const Value key = array.first[i].key.get();
      if (key.is_null()) continue;
      visit(key, array.first[i].value.get());
    }
  }

  /// For the collector: leaves the table an array of as many entries as it has use for, where that
  /// is a quarter or less of `count`. `array` is the table's, of `count` entries, which lie in the
  /// array's extent. Returns how many entries it has now. O(count).
  std::uint32_t shrink(Array<Entry>& array, std::uint32_t count, const KeyHash& hash) noexcept;

 private:
  struct Entries {
    Entry* first = nullptr;
    std::uint32_t count = 0;
    bool is_sound = true;

    [[nodiscard]] Entry& operator[](std::uint32_t place) const noexcept {
      return first[place & (count - 1)];
    }
    [[nodiscard]] std::uint32_t live() const noexcept;
    [[nodiscard]] Entry* find(Value key, std::uint32_t hash) const noexcept;
    [[nodiscard]] Entry* find_live(Value key, std::uint32_t hash) const noexcept;
    [[nodiscard]] Entry* find_place(std::uint32_t hash) const noexcept;
    [[nodiscard]] bool tidy(const KeyHash& hash) const noexcept;
  };
  [[nodiscard]] Entries all(const Heap& heap) const noexcept;
  [[nodiscard]] Error make_room(Heap& heap, Value key, Value value) noexcept;
  [[nodiscard]] bool tidy(Heap& heap) noexcept;
  void move_to(const Entries& room, Heap& heap) noexcept;
};

template <class Table>
[[nodiscard]] TypeDescriptor table_type(const char* name) {
  return {.name = name,
          .size = sizeof(Table),
          .fields = {{"entries", offsetof(EntryTable, entries)}},
          .is_table = true};
}

}  // namespace detail

/// A table in which an entry lives as long as its key does by something else: properties of objects
/// that are not theirs. The value may refer to the key.
struct WeakKeyTable : detail::EntryTable {
  /// What the entries lie in.
  using Array = EphemeronArray;
  /// For Heap::define().
  static TypeDescriptor type() { return detail::table_type<WeakKeyTable>("WeakKeyTable"); }
};

/// A table in which an entry lives as long as its value does by something else, and keeps its key
/// so long: caches, and tables of the one object for each name.
struct WeakValueTable : detail::EntryTable {
  /// What the entries lie in.
  using Array = WeakValueArray;
  /// For Heap::define().
  static TypeDescriptor type() { return detail::table_type<WeakValueTable>("WeakValueTable"); }
};

/// An empty table; nullptr when the heap is exhausted. Both types are defined like any other.
template <class Table>
[[nodiscard]] Table* make_table(Heap& heap, Type<Table> type,
                                Type<typename Table::Array> array_type) noexcept {
  Table* table = heap.allocate(type);
  if (table != nullptr) table->entries_type = array_type.id;
  return table;
}

}  // namespace besom
