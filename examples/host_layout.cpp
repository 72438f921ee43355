// Objects laid out by the host: 64-bit NaN boxes, raw pointers, property tables of its own.
//
// A box is a double, or one of the NaNs that arithmetic never makes, with an integer, a boolean or
// the address of an object in its low 48 bits. The heap knows nothing of this: a callback decodes
// the boxes. The program builds people who are each other's friends, replaces and changes them at
// random, and compares all of it with plain records.
//
// To learn from: raw pointers in the code's own variables, found by scanning the stack.
#include <besom/besom.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <iostream>
#include <limits>
#include <string>
#include <vector>

#include "common/program.hpp"
#include "common/progress.hpp"
#include "common/random.hpp"

using besom::Heap;
using besom::Type;
using example::expect;
using example::Random;
using example::require;

namespace {

struct Object;

/// Eight bytes that hold any value of the language. All zero is the number 0.
///
///   tag, 16 bits | payload, 48 bits
///        0xfff9  | a 32-bit integer
///        0xfffa  | 0 or 1
///        0xfffb  | address of an Object; 0 is null
///   anything else is a double
class Box {
 public:
  static Box number(double value) {
    if (std::isnan(value)) value = std::numeric_limits<double>::quiet_NaN();
    Box box;
    std::memcpy(&box.bits_, &value, sizeof value);
    return box;
  }
  static Box integer(std::int32_t value) { return {kInteger, static_cast<std::uint32_t>(value)}; }
  static Box boolean(bool value) { return {kBoolean, value ? 1u : 0u}; }
  static Box object(const Object* value) {
    return {kObject, reinterpret_cast<std::uintptr_t>(value)};
  }
  Box() = default;

  [[nodiscard]] bool is_object() const { return bits_ >> kShift == kObject; }
  [[nodiscard]] bool is_integer() const { return bits_ >> kShift == kInteger; }
  [[nodiscard]] bool is_boolean() const { return bits_ >> kShift == kBoolean; }
  [[nodiscard]] bool is_number() const { return !is_object() && !is_integer() && !is_boolean(); }

  [[nodiscard]] Object* as_object() const { return reinterpret_cast<Object*>(payload()); }
  [[nodiscard]] std::int32_t as_integer() const { return static_cast<std::int32_t>(payload()); }
  [[nodiscard]] bool as_boolean() const { return payload() != 0; }
  [[nodiscard]] double as_number() const {
    double value;
    std::memcpy(&value, &bits_, sizeof value);
    return value;
  }

 private:
  static constexpr int kShift = 48;
  static constexpr std::uint64_t kInteger = 0xfff9, kBoolean = 0xfffa, kObject = 0xfffb;

  Box(std::uint64_t tag, std::uint64_t payload) : bits_(tag << kShift | payload) {}
  [[nodiscard]] std::uint64_t payload() const { return bits_ & ((std::uint64_t{1} << kShift) - 1); }

  std::uint64_t bits_ = 0;
};

/// A property's name. The host owns it: to the heap a pointer to it is one to somewhere outside.
struct Name {
  std::string text;
  std::uint32_t hash;
};

/// Open addressing; the capacity, a power of two, is the header's length.
struct Table {
  struct Entry {
    const Name* name;
    Box value;
  };
  besom::Header header;
  std::uint64_t used;

  [[nodiscard]] Entry* entries() { return besom::trailing_of<Entry>(this); }
  [[nodiscard]] Entry& place_of(const Name* name) {
    std::uint32_t at = name->hash;
    while (true) {
      Entry& entry = entries()[at++ & (capacity() - 1)];
      if (entry.name == name || entry.name == nullptr) return entry;
    }
  }
  [[nodiscard]] std::uint32_t capacity() const {
    return header.length / std::uint32_t{sizeof(Entry)};
  }

  /// `size_bytes` comes from the heap's own tables: no length that a bug has overwritten leads
  /// outside.
  static void trace(const void* object, std::uint32_t size_bytes, besom::Tracer& tracer) {
    const auto* bytes = static_cast<const char*>(object);
    for (std::size_t at = sizeof(Table); at + sizeof(Entry) <= size_bytes; at += sizeof(Entry)) {
      Entry entry;
      std::memcpy(&entry, bytes + at, sizeof entry);
      if (entry.value.is_object()) tracer.visit_pointer(entry.value.as_object());
    }
  }
  static besom::TypeDescriptor type() {
    return {.name = "Table",
            .size = sizeof(Table),
            .fields = {},
            .trailing = besom::Trailing::bytes,
            .trace = &Table::trace};
  }
};

struct Object {
  besom::Header header;
  Table* table;

  static besom::TypeDescriptor type() {
    return {.name = "Object",
            .size = sizeof(Object),
            .fields = {{"table", offsetof(Object, table), besom::SlotKind::pointer}}};
  }
};

/// Makes objects and sets properties. Holds no roots: its callers' variables are.
class Objects {
 public:
  explicit Objects(Heap& heap)
      : heap_(heap),
        object_(require(heap.define<Object>())),
        table_(require(heap.define<Table>())) {}

  [[nodiscard]] Object* make() {
    Object* object = require(heap_.allocate(object_), heap_);
    set_table(object, make_table(4));
    return object;
  }

  void set(Object* object, const Name* name, Box value) {
    Table::Entry* entry = &object->table->place_of(name);
    if (entry->name == nullptr) {
      if ((object->table->used + 1) * 4 > std::uint64_t{object->table->capacity()} * 3) {
        // `value` may hold the only pointer to its object while the new table is made.
        grow(object);
        entry = &object->table->place_of(name);
      }
      ++object->table->used;
      entry->name = name;
    }
    besom::note_overwrite(&entry->value, sizeof entry->value);
    entry->value = value;
  }

  [[nodiscard]] static Box get(Object* object, const Name* name) {
    return object->table->place_of(name).value;
  }

 private:
  [[nodiscard]] Table* make_table(std::uint32_t capacity) {
    return require(heap_.allocate(table_, capacity * std::uint32_t{sizeof(Table::Entry)}), heap_);
  }
  void set_table(Object* object, Table* table) {
    besom::note_overwrite(&object->table, sizeof object->table);
    object->table = table;
  }
  void grow(Object* object) {
    Table* old = object->table;
    Table* table = make_table(old->capacity() * 2);
    for (std::uint32_t i = 0; i < old->capacity(); ++i) {
      const Table::Entry& entry = old->entries()[i];
      if (entry.name != nullptr) table->place_of(entry.name) = entry;
    }
    table->used = old->used;
    set_table(object, table);
  }

  Heap& heap_;
  Type<Object> object_;
  Type<Table> table_;
};

/// What the host remembers of a person. Those replaced stay in the list: friends may know them.
struct Record {
  std::int32_t id = 0;
  double weight = 0;
  bool is_member = false;
  std::uint32_t friend_of = 0;  ///< A record's number; 0 is none.
  bool reached = false;
};

class World {
 public:
  World(Heap& heap, std::uint32_t people, std::uint64_t seed)
      : objects_(heap), random_(seed), records_(1), current_(people) {
    for (std::uint32_t i = 0; i < people; ++i)
      seats_.push_back(add_name("seat " + std::to_string(i)));
    world_ = besom::Handle<Object>(heap, objects_.make(), "world");
    require(world_.get(), heap);
    for (std::uint32_t i = 0; i < people; ++i) replace(i);
  }

  void step() {
    const std::uint32_t seat = any_seat();
    if (random_.chance(40)) {
      replace(seat);
      return;
    }
    Object* person = at(seat);
    Record& record = records_[current_[seat]];
    if (random_.chance(50)) {
      const std::uint32_t other = any_seat();
      objects_.set(person, friend_, Box::object(at(other)));
      record.friend_of = current_[other];
    } else {
      record.weight = random_.below(100'000) / 16.0;
      objects_.set(person, weight_, Box::number(record.weight));
    }
  }

  /// Compares everything that the records say can be reached; returns how many people that are.
  std::uint64_t compare() {
    for (Record& record : records_) record.reached = false;
    std::uint64_t reachable = 0;
    for (std::uint32_t seat = 0; seat < current_.size(); ++seat) {
      Object* person = at(seat);
      // Each person has one friend at most, so that a walk along them meets everybody.
      for (std::uint32_t number = current_[seat]; number != 0;) {
        Record& record = records_[number];
        if (record.reached) break;
        record.reached = true;
        ++reachable;
        compare(person, record);
        const Box known = Objects::get(person, friend_);
        expect((record.friend_of != 0) == known.is_object(), "a friend is there or not");
        person = known.is_object() ? known.as_object() : nullptr;
        number = record.friend_of;
      }
    }
    return reachable;
  }

  void leave() { world_.reset(); }

 private:
  [[nodiscard]] const Name* add_name(std::string text) {
    const auto hash = static_cast<std::uint32_t>(names_.size() * 2654435761u);
    names_.push_back({std::move(text), hash >> 7});
    return &names_.back();
  }
  [[nodiscard]] std::uint32_t any_seat() {
    return random_.below(static_cast<std::uint32_t>(current_.size()));
  }
  [[nodiscard]] Object* at(std::uint32_t seat) {
    return Objects::get(world_.get(), seats_[seat]).as_object();
  }

  void replace(std::uint32_t seat) {
    Record record;
    record.id = -static_cast<std::int32_t>(records_.size());
    record.weight = random_.below(1000) * 0.25;
    record.is_member = random_.chance(50);
    Object* person = objects_.make();
    objects_.set(person, id_, Box::integer(record.id));
    objects_.set(person, weight_, Box::number(record.weight));
    objects_.set(person, member_, Box::boolean(record.is_member));
    if (current_[seat] != 0 && random_.chance(20)) {
      objects_.set(person, friend_, Box::object(at(seat)));
      record.friend_of = current_[seat];
    }
    objects_.set(world_.get(), seats_[seat], Box::object(person));
    current_[seat] = static_cast<std::uint32_t>(records_.size());
    records_.push_back(record);
  }

  void compare(Object* person, const Record& record) const {
    const Box id = Objects::get(person, id_);
    expect(id.is_integer() && id.as_integer() == record.id, "every person has the right id");
    const Box weight = Objects::get(person, weight_);
    expect(weight.is_number() && weight.as_number() == record.weight, "every weight is right");
    const Box member = Objects::get(person, member_);
    expect(member.is_boolean() && member.as_boolean() == record.is_member, "members are members");
  }

  Objects objects_;
  Random random_;
  std::deque<Name> names_;
  const Name* id_ = add_name("id");
  const Name* weight_ = add_name("weight");
  const Name* member_ = add_name("member");
  const Name* friend_ = add_name("friend");
  std::vector<const Name*> seats_;
  std::vector<Record> records_;
  std::vector<std::uint32_t> current_;  ///< The record of each seat's person.
  besom::Handle<Object> world_;
};

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t people = 2000;
  std::uint64_t steps = 2'000'000;
  example::Program program("host_layout", "NaN boxes, raw pointers and property tables of a host.");
  program.option("people", "People who are there at a time", people, 1, 1'000'000);
  program.option("steps", "Changes to them", steps, 0, 50'000'000);

  return program.run(argc, argv, [&](Heap& heap) {
    // Until `stack` goes, the variables of everything called from here are roots.
    besom::RootRegistration stack =
        require(heap.scan_native_stack(__builtin_frame_address(0)), heap);
    World world(heap, static_cast<std::uint32_t>(people), program.seed());
    example::Progress progress("host_layout", steps);
    for (std::uint64_t i = 0; i < steps; ++i) {
      world.step();
      if (i % 4096 == 0) progress.at(i);
    }
    program.did(steps, "changes");
    program.snapshot(heap);

    expect(!heap.collect(), "a collection cannot fail");
    const std::uint64_t with_stack = heap.last_collection().live_objects;
    // Without the stack what lives is known exactly: an object and its table for each person.
    expect(!stack.remove(), "the stack was registered");
    expect(!heap.collect(), "a collection cannot fail");
    const std::uint64_t live = heap.last_collection().live_objects;
    const std::uint64_t reachable = world.compare();
    expect(live == 2 * reachable + 2, "nothing but the reachable is left");
    expect(live <= with_stack, "the stack only keeps");
    std::cout << example::count_text(reachable, "person", "people") << " reachable in "
              << example::count_text(people, "seat") << ", "
              << example::count_text(live, "live object") << ", " << with_stack - live
              << " more with the stack's words\n";

    world.leave();
    expect(!heap.collect(), "a collection cannot fail");
    expect(heap.last_collection().live_objects == 0, "without the world nothing lives");
  });
}
