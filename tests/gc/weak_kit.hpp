#pragma once

#include "tests/gc/kit.hpp"

namespace besom::test {

/// A heap with the weak types as well.
struct WeakKit : Kit {
  explicit WeakKit(const HeapOptions& options = any_options())
      : Kit(options),
        box(defined<WeakBox>()),
        weak_array(defined<WeakArray>()),
        ephemeron(defined<Ephemeron>()),
        ephemerons(defined<EphemeronArray>()),
        weak_values(defined<WeakValueArray>()),
        key_table(defined<WeakKeyTable>()),
        value_table(defined<WeakValueTable>()) {}

  template <class T>
  [[nodiscard]] static Value value_of(const T* object) {
    return Ref<T>(object);
  }
  [[nodiscard]] Handle<WeakKeyTable> make_key_table() {
    Handle<WeakKeyTable> table(heap, make_table(heap, key_table, ephemerons));
    REQUIRE(table);
    return table;
  }
  [[nodiscard]] Handle<WeakValueTable> make_value_table() {
    Handle<WeakValueTable> table(heap, make_table(heap, value_table, weak_values));
    REQUIRE(table);
    return table;
  }

  Type<WeakBox> box;
  Type<WeakArray> weak_array;
  Type<Ephemeron> ephemeron;
  Type<EphemeronArray> ephemerons;
  Type<WeakValueArray> weak_values;
  Type<WeakKeyTable> key_table;
  Type<WeakValueTable> value_table;
};

}  // namespace besom::test
