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
enum class SlotKind : std::uint8_t { ref, value };

/// What follows the fixed part of an object, Header::length times.
enum class Trailing : std::uint8_t { none, refs, values, bytes };

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

  /// Gives the collection up, where the callback cannot tell what it should visit: nothing is
  /// freed, Heap::collect() returns `abandoned`, and the next collection is a full one. Return soon
  /// after; other callbacks of the same collection may still be called. Outside a collection, as in
  /// Heap::verify(), it does nothing.
  void abandon() noexcept { abandoned_ = true; }
  [[nodiscard]] bool is_abandoned() const noexcept { return abandoned_; }

 protected:
  using Visit = void (*)(Tracer& self, const std::uint32_t& slot);
  explicit Tracer(Visit on_slot) noexcept : visit_(on_slot) {}
  ~Tracer() = default;

 private:
  Visit visit_;
  bool abandoned_ = false;
};

/// Visits the refs of an object whose layout the embedder owns. `object` is the object's address,
/// its header included, `size_bytes` its extent from the heap's own tables. Trusted code: it has to
/// stay inside the extent.
using TraceCallback = void (*)(const void* object, std::uint32_t size_bytes, Tracer& tracer);

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

  [[nodiscard]] static constexpr std::uint32_t element_bytes(Trailing trailing) noexcept {
    switch (trailing) {
      case Trailing::none:
        return 0;
      case Trailing::bytes:
        return 1;
      case Trailing::refs:
      case Trailing::values:
        return 4;
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

/// An array of bytes, which the collector does not look into.
struct ByteArray : detail::Array<unsigned char> {
  static TypeDescriptor type() { return {.name = "ByteArray", .trailing = Trailing::bytes}; }
};

}  // namespace besom
