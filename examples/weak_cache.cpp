// A cache that holds on to nothing: results are found again while somebody else still uses them,
// or until memory is short. Beside it, notes about objects in a table of weak keys.
//
// The cache is a table of weak values, so that it needs no policy of its own. To give it a longer
// memory, the program keeps the last few results in a ring; what falls out of it is the
// collector's. With --heap-max the same ring meets more or fewer collections.
//
// To learn from: tables of the heap that the collector takes entries out of, and weak handles.
#include <algorithm>
#include <besom/besom.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iostream>

#include "common/program.hpp"
#include "common/progress.hpp"
#include "common/random.hpp"

using besom::Handle;
using besom::HandleScope;
using besom::Heap;
using besom::Local;
using besom::Member;
using besom::Ref;
using besom::RefArray;
using besom::Type;
using besom::Value;
using besom::Weak;
using besom::WeakKeyTable;
using besom::WeakValueTable;
using example::expect;
using example::require;

namespace {

/// What is dear to compute: here, a text that repeats its key.
struct Result {
  besom::Header header;
  std::uint32_t key;
  std::uint32_t text[61];

  static besom::TypeDescriptor type() { return {.name = "Result", .size = sizeof(Result)}; }
};
static_assert(sizeof(Result) == 256);

class Cache {
 public:
  Cache(Heap& heap, std::uint32_t recent)
      : heap_(heap),
        type_(require(heap.define<Result>())),
        table_(heap, require(make_table(heap, require(heap.define<WeakValueTable>()),
                                        require(heap.define<besom::WeakValueArray>())),
                             heap)),
        notes_(heap, require(make_table(heap, require(heap.define<WeakKeyTable>()),
                                        require(heap.define<besom::EphemeronArray>())),
                             heap)),
        recent_(
            require(heap.make(require(heap.define<RefArray<Result>>()), recent, "recent"), heap)) {}

  /// The result for `key`: from the table, or computed anew.
  Result* get(std::uint32_t key) {
    const Value name = Value::integer(static_cast<std::int32_t>(key));
    Result* result = heap_.get(table_->get(heap_, name).as_ref<Result>());
    if (result != nullptr) {
      expect(result->key == key && result->text[60] == key, "a hit is the result for its key");
      ++hits;
    } else {
      result = compute(key, name);
    }
    (*recent_)[next_recent_++ % recent_->length()] = result;
    count_use(result);
    return result;
  }

  [[nodiscard]] std::uint32_t size() const { return table_->size(heap_); }
  [[nodiscard]] std::uint32_t notes() const { return notes_->size(heap_); }
  void forget_recent() {
    for (std::uint32_t i = 0; i < recent_->length(); ++i) (*recent_)[i] = nullptr;
  }

  /// Each entry is what it should be.
  void check() const {
    table_->each(heap_, [&](Value key, Value value) {
      const auto* result = heap_.get(value.as_ref<Result>());
      expect(result->key == static_cast<std::uint32_t>(key.as_integer()), "values and keys agree");
      expect(notes_->get(heap_, value).is_integer(), "each result that lives has its note");
    });
  }

  std::uint64_t hits = 0;
  std::uint64_t computed = 0;

 private:
  Result* compute(std::uint32_t key, Value name) {
    HandleScope scope(heap_);
    const Local<Result> result = require(scope.root(heap_.allocate(type_)), heap_);
    result->key = key;
    std::fill_n(result->text, 61, key);
    put(*table_, name, Ref<Result>(result.get()));
    ++computed;
    (*recent_)[next_recent_ % recent_->length()] = result.get();
    return result.get();
  }

  /// How often a result was used, which the result itself has no field for.
  void count_use(Result* result) {
    const Value uses = notes_->get(heap_, Ref<Result>(result));
    put(*notes_, Ref<Result>(result),
        Value::integer(uses.is_integer() ? uses.as_integer() + 1 : 1));
  }

  template <class Table>
  void put(Table& table, Value key, Value value) {
    if (const besom::Error error = table.put(heap_, key, value)) example::stop(error);
  }

  Heap& heap_;
  Type<Result> type_;
  Handle<WeakValueTable> table_;
  Handle<WeakKeyTable> notes_;
  Handle<RefArray<Result>> recent_;
  std::uint32_t next_recent_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t keys = 200'000;
  std::uint64_t requests = 1'000'000;
  std::uint64_t recent = 2000;
  example::Program program("weak_cache", "A cache that keeps nothing alive.",
                           {.heap_max = std::uint64_t{64} << 20});
  program.option("keys", "Different keys asked for, the lower ones more often", keys, 1,
                 100'000'000);
  program.option("requests", "How often it is asked", requests, 1, 10'000'000'000);
  program.option("recent", "Results that the program itself holds", recent, 1, 10'000'000);

  return program.run(argc, argv, [&](Heap& heap) {
    Cache cache(heap, static_cast<std::uint32_t>(recent));
    example::Random random(program.seed());
    example::Progress progress("weak_cache", requests);
    const auto key_count = static_cast<std::uint32_t>(keys);
    const Handle<Result> kept(heap, cache.get(0), "kept");
    const Weak<Result> first_missed(heap, cache.get(key_count - 1));
    std::uint64_t tenth_hits = cache.hits;
    for (std::uint64_t now = 1; now <= requests; ++now) {
      cache.get(random.below(random.below(random.below(key_count) + 1) + 1));
      if (now % 4096 == 0) progress.at(now);
      if (now % std::max<std::uint64_t>(requests / 5, 1) == 0) {
        std::cout << example::count_text(now, "request") << ": "
                  << 100 * (cache.hits - tenth_hits) * 5 / requests << " % hits, "
                  << example::count_text(cache.size(), "entry", "entries") << ", "
                  << example::count_text(heap.stats().collections, "collection") << '\n';
        tenth_hits = cache.hits;
      }
    }
    program.did(requests, "requests");
    program.snapshot(heap);
    expect(cache.hits + cache.computed == requests + 2, "every request was a hit or computed");
    cache.check();

    expect(!heap.collect(), "a collection cannot fail");
    std::cout << "after a collection " << example::count_text(cache.size(), "entry", "entries")
              << ", for " << example::count_text(recent, "recent result")
              << " and one that is kept\n";
    cache.check();
    expect(cache.size() <= recent + 1, "what nobody holds has left the cache");
    expect(cache.notes() == cache.size(), "and so have the notes about it");
    expect(cache.get(0) == kept.get(), "what the program keeps is still found");

    cache.forget_recent();
    expect(!heap.collect(), "a collection cannot fail");
    std::cout << "after the recent ones were dropped "
              << example::count_text(cache.size(), "entry", "entries") << '\n';
    expect(cache.size() == 1 && cache.notes() == 1, "one entry is left");
    expect(!first_missed || first_missed.get() == kept.get(), "a weak handle to the rest is null");
    // The result, two tables with their arrays, the ring.
    expect(heap.last_collection().live_objects == 6, "nothing else lives");
  });
}
