// Ephemerons: values that live as long as their keys do, and how that scales.
//
// Each key's value is the next key, so that one living key keeps a whole chain, link by link. The
// entries lie in the worst order: whoever walks over them to see which keys live finds one more
// each time. A collector that walks until nothing changes takes time quadratic in the length; here
// each entry waits at its key, and the time is linear.
#include <besom/besom.hpp>
#include <cstddef>
#include <cstdint>
#include <iostream>

#include "common/program.hpp"

using besom::Ephemeron;
using besom::EphemeronArray;
using besom::Handle;
using besom::Heap;
using besom::Member;
using besom::Ref;
using besom::RefArray;
using besom::Type;
using besom::Value;
using example::expect;
using example::require;

namespace {

struct Key {
  besom::Header header;
  Member<Key> other;
  std::uint32_t number;

  static besom::TypeDescriptor type() {
    return {.name = "Key", .size = sizeof(Key), .fields = {{"other", offsetof(Key, other)}}};
  }
};

struct Types {
  explicit Types(Heap& heap)
      : key(require(heap.define<Key>())),
        keys(require(heap.define<RefArray<Key>>())),
        entries(require(heap.define<EphemeronArray>())),
        ephemeron(require(heap.define<Ephemeron>())) {}
  Type<Key> key;
  Type<RefArray<Key>> keys;
  Type<EphemeronArray> entries;
  Type<Ephemeron> ephemeron;
};

double collect(Heap& heap) {
  expect(!heap.collect(), "a collection cannot fail");
  return static_cast<double>(heap.last_collection().mark_ns) * 1e-6;
}

/// A chain of `length` entries with the first key held: how many ms marking takes. `look` is called
/// when the chain is whole.
template <class Look>
double time_chain(Heap& heap, const Types& types, std::uint32_t length, Look look) {
  Handle<RefArray<Key>> keys = require(heap.make(types.keys, length + 1), heap);
  const Handle<EphemeronArray> entries = require(heap.make(types.entries, length), heap);
  for (std::uint32_t i = 0; i <= length; ++i) {
    (*keys)[i] = require(heap.allocate(types.key), heap);
    (*keys)[i]->number = i;
  }
  for (std::uint32_t i = 0; i < length; ++i) {
    besom::Entry& entry = (*entries)[length - 1 - i];
    entry.key = Value((*keys)[i].ref());
    entry.value = Value((*keys)[i + 1].ref());
  }
  Handle<Key> first(heap, (*keys)[0].get());
  keys.reset();
  const double ms = collect(heap);
  expect(heap.last_collection().live_objects == length + 2, "the first key keeps all the others");
  for (std::uint32_t i = 0; i < length; ++i) {
    const besom::Entry& entry = (*entries)[length - 1 - i];
    expect(heap.get(entry.key.get().as_ref<Key>())->number == i, "each key is in its place");
  }

  look();
  const double dead_ms = collect(heap);  // as before, and then without the key
  first.reset();
  collect(heap);
  expect(heap.last_collection().live_objects == 1, "without the first key none lives");
  expect(heap.last_collection().entries_broken == length, "every entry is broken");
  return ms < dead_ms ? ms : dead_ms;
}

/// Values that refer to their own keys, as in a table of properties.
void show_cycles(Heap& heap, const Types& types) {
  Handle<Key> key = require(heap.make(types.key), heap);
  Handle<Key> value = require(heap.make(types.key), heap);
  value->other = key.get();
  const Handle<Ephemeron> ephemeron(
      heap,
      require(Ephemeron::make(heap, types.ephemeron, Ref<Key>(key.get()), Ref<Key>(value.get())),
              heap));
  value.reset();
  collect(heap);
  std::cout << "key held: "
            << example::count_text(heap.last_collection().live_objects, "live object") << '\n';
  expect(heap.last_collection().live_objects == 3, "key, value and ephemeron live");
  key.reset();
  collect(heap);
  std::cout << "key dropped, the value refers to it: "
            << example::count_text(heap.last_collection().live_objects, "live object") << '\n';
  expect(heap.last_collection().live_objects == 1, "the value did not keep its key");
  expect(ephemeron->is_broken(), "the ephemeron is broken");
}

/// All entries wait at one key.
void show_one_key(Heap& heap, const Types& types, std::uint32_t count) {
  const Handle<EphemeronArray> entries = require(heap.make(types.entries, count), heap);
  Handle<Key> key = require(heap.make(types.key), heap);
  for (std::uint32_t i = 0; i < count; ++i) {
    const Handle<Key> value = require(heap.make(types.key), heap);
    (*entries)[i].key = Value(key.ref());
    (*entries)[i].value = Value(value.ref());
  }
  const double ms = collect(heap);
  expect(heap.last_collection().live_objects == count + 2, "every value lives");
  key.reset();
  collect(heap);
  expect(heap.last_collection().live_objects == 1, "every value has gone");
  std::cout << example::count_text(count, "entry", "entries") << " with one key: " << ms << " ms\n";
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t length = 1'000'000;
  example::Program program("ephemerons", "Chains of ephemerons, timed at one length and at twice.");
  program.option("length", "Entries of the shorter chain", length, 1, 50'000'000);

  return program.run(argc, argv, [&](Heap& heap) {
    const Types types(heap);
    show_cycles(heap, types);
    const auto count = static_cast<std::uint32_t>(length);
    const double once = time_chain(heap, types, count, [] {});
    const double twice = time_chain(heap, types, 2 * count, [&] { program.snapshot(heap); });
    std::cout << "chain of " << count << ": " << once << " ms, of " << 2 * count << ": " << twice
              << " ms, ratio " << twice / once << '\n';
    // A quadratic one would take hours at the default length.
    if (length >= 100'000) expect(twice < 6 * once, "twice the length takes about twice the time");
    show_one_key(heap, types, count);
    program.did(3 * length, "entries");
  });
}
