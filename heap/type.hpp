#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "heap/error.hpp"
#include "heap/ref.hpp"

namespace besom {

/// Names a type within one heap; 0 is no type, so that zeroed memory is no object.
using TypeId = std::uint32_t;

/// What four bytes of an object hold.
enum class SlotKind : std::uint8_t {
  ref,
  value,
  weak,  ///< A value that keeps nothing alive: null once its target was found dead.
};

/// What follows the fixed part of an object, Header::length times.
enum class Trailing : std::uint8_t {
  none,
  refs,
  values,
  bytes,
  weak,         ///< Weak slots.
  ephemerons,   ///< Entries of which the value is kept only while the key is, by something else.
  weak_values,  ///< Entries of a kept key and a weak value.
};

/// Receives the refs of one object or one root. Given to callbacks, valid during the call only.
/// Neither the callback nor the visit may allocate from the heap or change its roots.
class Tracer {
 public:
  /// Visits a slot that holds a ref or a tagged value. Null and integers are passed over.
  void visit(const std::uint32_t& slot) { visit_(*this, slot); }
  template <class T>
  void visit(const Ref<T>& ref) {
    const std::uint32_t index = ref.index();
    visit_(*this, index);
  }
  void visit(const Value& value) {
    const std::uint32_t bits = value.bits();
    visit_(*this, bits);
  }

 protected:
  using Visit = void (*)(Tracer& self, const std::uint32_t& slot);
  explicit Tracer(Visit on_slot) noexcept : visit_(on_slot) {}
  ~Tracer() = default;

 private:
  Visit visit_;
};

/// Visits the refs of an object whose layout the embedder owns. `object` is the object's address,
/// its header included, `size_bytes` its extent from the heap's own tables. Trusted code: it has to
/// stay inside the extent.
using TraceCallback = void (*)(const void* object, std::uint32_t size_bytes, Tracer& tracer);

/// Called when an object of its type is about to be swept, for what the object holds in the host: a
/// file, a buffer. It runs inside the collection, once for each object, with the object's extent
/// from the heap's own tables. It may read and write this object alone: others that died with it
/// may have been released. It may not call into the heap, which refuses as reentrant.
using ReleaseHook = void (*)(void* user, void* object, std::uint32_t size_bytes);

struct FieldDescriptor {
  std::string name{};
  std::uint32_t offset = 0;  ///< Bytes from the start of the object, header included; 4-aligned.
  SlotKind kind = SlotKind::ref;
};

/// A type as data: the one table that tracing, verification and every report read.
struct TypeDescriptor {
  std::string name{};
  std::uint32_t size = sizeof(Header);    ///< Of the fixed part in bytes, header included.
  std::vector<FieldDescriptor> fields{};  ///< Only those that hold refs or values.
  Trailing trailing = Trailing::none;
  TraceCallback trace = nullptr;  ///< Replaces `fields` and a `trailing` other than bytes.
  /// Also called for all objects that are left when the heap is reset or destroyed. An object whose
  /// header was overwritten is not released. A C++ type for Heap::define<T>() says so with
  /// `static constexpr bool kReleased = true`.
  ReleaseHook release = nullptr;
  void* release_user = nullptr;

  /// Whether any of its slots is weak.
  [[nodiscard]] bool is_weak() const noexcept {
    if (trailing >= Trailing::weak) return true;
    for (const FieldDescriptor& field : fields) {
      if (field.kind == SlotKind::weak) return true;
    }
    return false;
  }

  [[nodiscard]] static constexpr std::uint32_t element_bytes(Trailing trailing) noexcept {
    switch (trailing) {
      case Trailing::none:
        return 0;
      case Trailing::bytes:
        return 1;
      case Trailing::refs:
      case Trailing::values:
      case Trailing::weak:
        return 4;
      case Trailing::ephemerons:
      case Trailing::weak_values:
        return 8;
    }
    return 0;
  }
};

/// The elements of an object of the embedder's own type `T` with a trailing array: what follows its
/// fixed part of sizeof(T) bytes.
template <class Element, class T>
[[nodiscard]] Element* trailing_of(T* object) noexcept {
  return reinterpret_cast<Element*>(object + 1);
}

/// A TypeId that remembers the C++ type it was defined for.
template <class T>
struct Type {
  TypeId id = 0;
};

namespace detail {

/// An object that is nothing but a header and a checked array of `Element`.
template <class Element>
struct Array {
  Header header;

  [[nodiscard]] std::uint32_t length() const noexcept { return header.length; }
  [[nodiscard]] Element* data() noexcept { return trailing_of<Element>(this); }
  [[nodiscard]] const Element* data() const noexcept { return trailing_of<const Element>(this); }
  [[nodiscard]] Element& operator[](std::uint32_t i) noexcept {
    BESOM_CHECK(i < header.length, "array index: index, length", i, header.length);
    return data()[i];
  }
  [[nodiscard]] const Element& operator[](std::uint32_t i) const noexcept {
    BESOM_CHECK(i < header.length, "array index: index, length", i, header.length);
    return data()[i];
  }
};

}  // namespace detail

/// An array of refs. Its type is defined in a heap like any other: `heap.define<RefArray<Node>>()`.
template <class T>
struct RefArray : detail::Array<Member<T>> {
  static TypeDescriptor type() { return {.name = "RefArray", .trailing = Trailing::refs}; }
};

/// An array of tagged values.
struct ValueArray : detail::Array<ValueMember> {
  static TypeDescriptor type() { return {.name = "ValueArray", .trailing = Trailing::values}; }
};

/// An array of weak slots.
struct WeakArray : detail::Array<ValueMember> {
  static TypeDescriptor type() { return {.name = "WeakArray", .trailing = Trailing::weak}; }
};

/// One key with its value, in a trailing array of those. Either may be an integer, which is always
/// alive. When the weak one of the two dies, the entry is *broken*: key null, value integer 0. In a
/// table that tells it from an entry that was never used, which is all zero. Without a key, a value
/// that is a ref is not kept either: store the key first.
struct Entry {
  ValueMember key, value;

  [[nodiscard]] bool is_empty() const noexcept {
    return key.get().is_null() && value.get().is_null();
  }
  [[nodiscard]] bool is_broken() const noexcept {
    return key.get().is_null() && !value.get().is_null();
  }
  void break_up() noexcept {
    key = Value();
    value = Value::integer(0);
  }
};
static_assert(sizeof(Entry) == 8);

/// An array of ephemerons: a value lives as long as its key is reachable otherwise, and no longer
/// where it refers to the key itself. Source: Hayes 1997, "Ephemerons: a new finalization
/// mechanism".
struct EphemeronArray : detail::Array<Entry> {
  static TypeDescriptor type() {
    return {.name = "EphemeronArray", .trailing = Trailing::ephemerons};
  }
};

/// An array of entries that keep their keys, but not their values.
struct WeakValueArray : detail::Array<Entry> {
  static TypeDescriptor type() {
    return {.name = "WeakValueArray", .trailing = Trailing::weak_values};
  }
};

/// An array of bytes, which the collector does not look into.
struct ByteArray : detail::Array<unsigned char> {
  static TypeDescriptor type() { return {.name = "ByteArray", .trailing = Trailing::bytes}; }
};

}  // namespace besom
