// A cache that forgets what was used least recently: a hash table and a doubly linked list through
// the same entries, all in the heap. Evicting is only unlinking; the collector does the rest.
//
// To learn from: objects with arrays in them, several types side by side, and how to hold one new
// object while another is allocated.
#include <algorithm>
#include <besom/besom.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iostream>
#include <vector>

#include "common/program.hpp"
#include "common/progress.hpp"
#include "common/random.hpp"

using besom::ByteArray;
using besom::Handle;
using besom::HandleScope;
using besom::Heap;
using besom::Local;
using besom::Member;
using besom::RefArray;
using besom::Type;
using example::expect;
using example::require;

namespace {

struct Entry {
  besom::Header header;
  std::uint32_t key;
  Member<Entry> newer, older;  ///< Neighbours in the order of use.
  Member<Entry> chain;         ///< The next in the same bucket.
  Member<ByteArray> value;

  static besom::TypeDescriptor type() {
    return {.name = "Entry",
            .size = sizeof(Entry),
            .fields = {{"newer", offsetof(Entry, newer)},
                       {"older", offsetof(Entry, older)},
                       {"chain", offsetof(Entry, chain)},
                       {"value", offsetof(Entry, value)}}};
  }
};

class LruCache {
 public:
  LruCache(Heap& heap, std::uint32_t capacity)
      : heap_(heap),
        entry_type_(require(heap.define<Entry>())),
        value_type_(require(heap.define<ByteArray>())),
        buckets_(
            require(heap.make(require(heap.define<RefArray<Entry>>()), capacity, "buckets"), heap)),
        ends_(require(heap.make(entry_type_, 0, "ends of the list"), heap)),
        capacity_(capacity) {
    ends_->newer = ends_.get();
    ends_->older = ends_.get();
  }

  /// The value, which becomes the most recently used, or nullptr.
  ByteArray* find(std::uint32_t key) {
    for (Entry* entry = bucket(key).get(); entry != nullptr; entry = entry->chain.get()) {
      if (entry->key != key) continue;
      unlink(entry);
      link_newest(entry);
      return entry->value.get();
    }
    return nullptr;
  }

  /// Adds an absent key with `length` bytes for the caller to fill; at capacity the least recently
  /// used entry goes.
  ByteArray* insert(std::uint32_t key, std::uint32_t length) {
    if (size_ == capacity_) evict(ends_->newer.get());
    // The value needs a root while the entry that will hold it is allocated.
    HandleScope scope(heap_);
    const Local<ByteArray> value = require(scope.root(heap_.allocate(value_type_, length)), heap_);
    Entry* entry = require(heap_.allocate(entry_type_), heap_);
    entry->key = key;
    entry->value = value.get();
    entry->chain = bucket(key);
    bucket(key) = entry;
    link_newest(entry);
    ++size_;
    return value.get();
  }

  [[nodiscard]] std::uint32_t size() const { return size_; }

  /// Calls `visit(key)` from the most to the least recently used, and checks the links on the way.
  template <class Visit>
  void each(Visit visit) const {
    const Entry* before = ends_.get();
    for (const Entry* entry = ends_->older.get(); entry != ends_.get();
         entry = entry->older.get()) {
      expect(entry->newer.get() == before, "the list reads the same in both directions");
      visit(entry->key);
      before = entry;
    }
  }

 private:
  // The list is a ring that is closed by `ends_`: its `older` is the most recently used entry, its
  // `newer` the least recently used one. So no link is ever null.
  void link_newest(Entry* entry) {
    Entry* second = ends_->older.get();
    entry->newer = ends_.get();
    entry->older = second;
    second->newer = entry;
    ends_->older = entry;
  }
  static void unlink(Entry* entry) {
    entry->newer->older = entry->older;
    entry->older->newer = entry->newer;
  }

  void evict(Entry* entry) {
    unlink(entry);
    Member<Entry>* link = &bucket(entry->key);
    while (link->get() != entry) link = &link->get()->chain;
    *link = entry->chain;
    --size_;
  }

  Member<Entry>& bucket(std::uint32_t key) { return (*buckets_)[key * 0x9e3779b1u % capacity_]; }

  Heap& heap_;
  Type<Entry> entry_type_;
  Type<ByteArray> value_type_;
  Handle<RefArray<Entry>> buckets_;
  Handle<Entry> ends_;
  std::uint32_t capacity_;
  std::uint32_t size_ = 0;
};

/// What a key stands for: 16 to 255 bytes, all the same.
std::uint32_t length_for(std::uint32_t key) { return 16 + key * 2654435761u % 240; }
unsigned char byte_for(std::uint32_t key) { return static_cast<unsigned char>(key % 251); }

bool is_value_for(ByteArray& value, std::uint32_t key) {
  const auto wrong = [key](unsigned char byte) { return byte != byte_for(key); };
  return value.length() == length_for(key) &&
         std::none_of(value.data(), value.data() + value.length(), wrong);
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t capacity = 100'000;
  std::uint64_t keys = 1'000'000;
  std::uint64_t requests = 4'000'000;
  example::Program program("lru_cache", "A cache that forgets what was used least recently.");
  program.option("capacity", "Entries that it holds", capacity, 1, 10'000'000);
  program.option("keys", "Different keys asked for, the lower ones more often", keys, 1,
                 100'000'000);
  program.option("requests", "How often it is asked", requests, 1, 10'000'000'000);

  return program.run(argc, argv, [&](Heap& heap) {
    LruCache cache(heap, static_cast<std::uint32_t>(capacity));
    example::Random random(program.seed());
    const auto key_count = static_cast<std::uint32_t>(keys);
    std::vector<std::uint64_t> last_use(keys);  // By key; 0: never.
    std::uint64_t hits = 0;
    example::Progress progress("lru_cache", requests);
    for (std::uint64_t now = 1; now <= requests; ++now) {
      const std::uint32_t key = random.below(random.below(random.below(key_count) + 1) + 1);
      last_use[key] = now;
      if (ByteArray* value = cache.find(key)) {
        expect(is_value_for(*value, key), "every value is what was stored");
        ++hits;
      } else {
        value = cache.insert(key, length_for(key));
        std::memset(value->data(), byte_for(key), value->length());
      }
      if (now % 4096 == 0) progress.at(now);
    }
    program.did(requests, "requests");
    std::cout << example::count_text(requests, "request") << " for "
              << example::count_text(keys, "key") << ", "
              << example::count_text(cache.size(), "entry", "entries")
              << " held: " << 100 * hits / requests << " % hits\n";

    // The right entries are those used last, in the order of their last use.
    std::uint64_t later = requests + 1;
    std::uint64_t held = 0;
    cache.each([&](std::uint32_t key) {
      expect(last_use[key] < later, "the entries are in the order of their last use");
      later = last_use[key];
      ++held;
    });
    expect(held == cache.size(), "list and table agree");
    const auto used = [&](std::uint64_t since) {
      return static_cast<std::uint64_t>(
          std::count_if(last_use.begin(), last_use.end(),
                        [since](std::uint64_t use) { return use != 0 && use >= since; }));
    };
    expect(used(later) == held, "no forgotten key was used later than a held one");
    expect(held == std::min(capacity, used(1)), "the cache is as full as it can be");

    expect(!heap.collect(), "a collection cannot fail");
    // An entry and a value each, the table, and the list's ends.
    expect(heap.last_collection().live_objects == 2 * held + 2, "what was evicted is gone");
    program.snapshot(heap);
  });
}
