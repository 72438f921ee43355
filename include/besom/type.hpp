#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <new>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "besom/error.hpp"
#include "besom/ref.hpp"

namespace besom {

/// Names a type within one heap: the first that is defined there is 1, the next 2, and so on, so
/// that a table by type is an array. A definition that fails takes no number, and types stay as
/// long as the heap. 0 is no type, so that zeroed memory is no object.
using TypeId = std::uint32_t;

/// What a slot of an object holds.
enum class SlotKind : std::uint8_t {
  ref,      ///< Four bytes: a Ref.
  value,    ///< Four bytes: a Value.
  weak,     ///< A value that keeps nothing alive: null once its target was found dead.
  pointer,  ///< Eight bytes, 8-aligned: a raw pointer as for Tracer::visit_pointer().
  box,      ///< Eight bytes, 8-aligned: a ref where TypeDescriptor::box says so, else anything.
};

/// What follows the fixed part of an object, Header::length times.
enum class Trailing : std::uint8_t {
  none,
  refs,
  values,
  bytes,
  pointers,
  boxes,        ///< Slots of eight bytes as TypeDescriptor::box has them.
  weak,         ///< Weak slots.
  ephemerons,   ///< Entries of which the value is kept only while the key is, by something else.
  weak_values,  ///< Entries of a kept key and a weak value.
};

/// What a box has where it is a ref.
enum class BoxPayload : std::uint8_t {
  index,    ///< The index of an object, as a Ref has it; 0 is null.
  address,  ///< The address of an object; what lies outside of the arena is the host's own.
};

/// How a language's 64-bit words tell refs from numbers and from everything else: NaN boxes, or
/// tags in the high bits. A word is a ref if its bits in `mask` are `tag`. Of such a word the bits
/// of index or address are read, `shift` apart: the index in bits 4 to 31, the address in bits 4 to
/// 47. All other bits may be anything. The low four of index and address are read as zeros, so that
/// they are free for tags.
///
///     63 ........ 48 47 ........ 32 31 .............. 0
///       |0xfff9     |what you like | index            |   mask 0xffff << 48, tag 0xfff9 << 48
///       |0x0007     | address                         |   and payload address
struct BoxFormat {
  std::uint64_t mask = 0;  ///< Not 0, and none of the bits of the index, or 4 to 46 of the address.
  std::uint64_t tag = 0;   ///< Only bits that are in `mask`.
  /// How far above its place the payload lies, in bits: -4, where the word has the index divided by
  /// 16, to 32; for an address to 16.
  std::int32_t shift = 0;
  BoxPayload payload = BoxPayload::index;  ///< What a ref's payload is.

  /// Whether the word is a ref or null.
  [[nodiscard]] constexpr bool is_ref(std::uint64_t word) const noexcept {
    return (word & mask) == tag;
  }
  /// The index or address in a word that is a ref. Precondition: the format is sound.
  [[nodiscard]] constexpr std::uint64_t payload_of(std::uint64_t word) const noexcept {
    word &= payload_bits();
    return shift >= 0 ? word >> shift : word << -shift;
  }
  /// The bits of a word that payload_of() looks at. Precondition: the format is sound.
  [[nodiscard]] constexpr std::uint64_t payload_bits() const noexcept {
    constexpr std::uint64_t kIndex = 0xfffffff0, kAddress = 0xfffffffffff0;
    const std::uint64_t bits = payload == BoxPayload::index ? kIndex : kAddress;
    return (shift >= 0 ? bits << shift : bits >> -shift) & ~mask;
  }
};

/// What an eight-byte word that a callback visits is.
enum class WordKind : std::uint8_t { pointer, interior, ambiguous };

/// Receives the refs of one object or one root. Given to callbacks, valid during the call only.
/// Neither the callback nor the visit may allocate from the heap or change its roots.
class Tracer {
 public:
  /// @{
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
  /// @}

  /// Visits the address of an object. Its four lowest bits are the embedder's, for tags. Null and
  /// whatever lies outside this heap's arena are passed over; a place in the arena at which no
  /// object starts is a bad ref, counted and not followed.
  void visit_pointer(const void* address) {
    visit_word_(*this, WordKind::pointer, reinterpret_cast<std::uintptr_t>(address));
  }
  /// Visits an address anywhere in an object; what lies in none is passed over. The address behind
  /// an object's last byte is the next object's. A search in the side tables, O(1).
  void visit_interior(const void* address) {
    visit_word_(*this, WordKind::interior, reinterpret_cast<std::uintptr_t>(address));
  }
  /// Visits eight bytes that may be anything. If they are an address in an object, or if either
  /// half is the index of one, the object lives on; nothing else is said about it.
  void visit_word(std::uint64_t word) { visit_word_(*this, WordKind::ambiguous, word); }
  /// Visits a word that is a ref where `format`, which is sound, says so. As a slot of that format.
  void visit_box(std::uint64_t word, const BoxFormat& format) {
    if (!format.is_ref(word)) return;
    const std::uint64_t payload = format.payload_of(word);
    if (format.payload == BoxPayload::address) {
      visit_word_(*this, WordKind::pointer, payload);
    } else {
      visit(static_cast<std::uint32_t>(payload));
    }
  }
  /// Gives the collection up, where the callback cannot tell what it should visit: nothing is
  /// freed, Heap::collect() returns `abandoned`, and the next collection is a full one. Return soon
  /// after; other callbacks of the same collection may still be called. Outside a collection, as in
  /// verify(), it does nothing.
  void abandon() noexcept { abandoned_ = true; }
  /// Whether abandon() was called.
  [[nodiscard]] bool is_abandoned() const noexcept { return abandoned_; }
  /// In a trace callback its type's TypeDescriptor::trace_user; else nullptr.
  [[nodiscard]] void* user() const noexcept { return user_; }

 protected:
  /// @{
  /// For the library, which makes tracers.
  using Visit = void (*)(Tracer& self, const std::uint32_t& slot);
  using VisitWord = void (*)(Tracer& self, WordKind kind, std::uint64_t word);
  Tracer(Visit on_slot, VisitWord on_word, void* user = nullptr) noexcept
      : visit_(on_slot), visit_word_(on_word), user_(user) {}
  /// @}
  ~Tracer() = default;

 private:
  Visit visit_;
  VisitWord visit_word_;
  void* user_;
  bool abandoned_ = false;
};

/// Visits the refs of an object whose layout the embedder owns. `object` is the object's address,
/// its header included, `size_bytes` its extent from the heap's own tables. Trusted code. It may
/// read its object, header included, up to `size_bytes`; memory of the host; and the fields of
/// objects that it visits. It must not read another object's header or an ephemeron's key, which
/// may hold something of the collector's meanwhile. Mark hooks and all others that the collector
/// calls find both as the program left them.
using TraceCallback = void (*)(const void* object, std::uint32_t size_bytes, Tracer& tracer);

/// Called when an object of its type is about to be swept, for what the object holds in the host: a
/// file, a buffer. It runs inside the collection, once for each object, with the object's extent
/// from the heap's own tables. It may read and write this object alone: others that died with it
/// may have been released. It may not call into the heap, which refuses as reentrant, nor leave by
/// longjmp: the sweep behind it would stay half done.
using ReleaseHook = void (*)(void* user, void* object, std::uint32_t size_bytes);

/// A slot in the fixed part of an object.
struct FieldDescriptor {
  std::string name{};  ///< For reports.
  /// Bytes from the start of the object, header included; a multiple of the slot's size.
  std::uint64_t offset = 0;
  SlotKind kind = SlotKind::ref;  ///< What the slot holds.
};

/// The fields of a type, in the order in which they were given. Owns them; O(1) each, amortised.
/// Not a std::vector, whose header takes as long to compile as half of this library's.
class FieldList {
 public:
  FieldList() noexcept = default;
  /// @{
  /// Copies the fields, of the latter from a std::vector or what else has them in a row.
  FieldList(std::initializer_list<FieldDescriptor> fields) : FieldList() {
    append(fields.begin(), fields.size());
  }
  template <class Fields>
  requires std::is_convertible_v<decltype(std::declval<const Fields&>().data()),
                                 const FieldDescriptor*>
  FieldList(const Fields& fields) : FieldList() {
    append(fields.data(), fields.size());
  }
  FieldList(const FieldList& other) : FieldList() { append(other.fields_, other.count_); }
  /// @}
  /// `other` is empty then.
  FieldList(FieldList&& other) noexcept : FieldList() { swap(other); }
  /// The fields that it had are gone.
  FieldList& operator=(FieldList other) noexcept {
    swap(other);
    return *this;
  }
  ~FieldList() { delete[] fields_; }

  /// The new last field.
  void push_back(FieldDescriptor field) {
    if (count_ == room_) reserve(count_ * 2 + 4);
    fields_[count_++] = std::move(field);
  }
  /// Room for `count` fields in all.
  void reserve(std::size_t count) {
    if (count <= room_) return;
    auto* const grown = new FieldDescriptor[count];
    for (std::size_t i = 0; i < count_; ++i) grown[i] = std::move(fields_[i]);
    delete[] std::exchange(fields_, grown);
    room_ = count;
  }

  /// @{
  /// As those of a vector: nothing is checked.
  [[nodiscard]] std::size_t size() const noexcept { return count_; }
  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
  [[nodiscard]] FieldDescriptor& operator[](std::size_t i) noexcept { return fields_[i]; }
  [[nodiscard]] const FieldDescriptor& operator[](std::size_t i) const noexcept {
    return fields_[i];
  }
  [[nodiscard]] FieldDescriptor* begin() noexcept { return fields_; }
  [[nodiscard]] FieldDescriptor* end() noexcept { return fields_ + count_; }
  [[nodiscard]] const FieldDescriptor* begin() const noexcept { return fields_; }
  [[nodiscard]] const FieldDescriptor* end() const noexcept { return fields_ + count_; }
  [[nodiscard]] const FieldDescriptor* data() const noexcept { return fields_; }
  /// @}

 private:
  void append(const FieldDescriptor* fields, std::size_t count) {
    reserve(count_ + count);
    for (std::size_t i = 0; i < count; ++i) push_back(fields[i]);
  }
  void swap(FieldList& other) noexcept {
    std::swap(fields_, other.fields_);
    std::swap(count_, other.count_);
    std::swap(room_, other.room_);
  }

  FieldDescriptor* fields_ = nullptr;
  std::size_t count_ = 0;
  std::size_t room_ = 0;
};

/// A type as data: the one table that tracing, verification and every report read.
struct TypeDescriptor {
  std::string name{};                   ///< For reports; several types may have the same.
  std::uint64_t size = sizeof(Header);  ///< Of the fixed part in bytes, header included.
  FieldList fields{};                   ///< Only those that the collector has to see.
  Trailing trailing = Trailing::none;   ///< What follows the fixed part.
  TraceCallback trace = nullptr;        ///< Replaces `fields` and a `trailing` other than bytes.
  void* trace_user = nullptr;           ///< For Tracer::user().
  /// Also called for all objects that are left when the heap is reset or destroyed. An object whose
  /// header was overwritten is not released. A C++ type for Heap::define<T>() says so with
  /// `static constexpr bool kReleased = true`.
  ReleaseHook release = nullptr;
  void* release_user = nullptr;  ///< Passed to `release`.
  BoxFormat box{};               ///< Of all slots of the object that are boxes.
  /// Of the library's own tables (include/besom/weak_tables.hpp): a full collection gives back what
  /// they have no use for any more. No other type may say so.
  bool is_table = false;

  /// Whether it has no slots at all.
  [[nodiscard]] bool is_leaf() const noexcept {
    return fields.empty() && trace == nullptr &&
           (trailing == Trailing::none || trailing == Trailing::bytes);
  }
  /// Whether any of its slots is weak.
  [[nodiscard]] bool is_weak() const noexcept {
    if (trailing >= Trailing::weak) return true;
    for (const FieldDescriptor& field : fields) {
      if (field.kind == SlotKind::weak) return true;
    }
    return false;
  }

  /// What one element takes; 0 for none.
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
      case Trailing::pointers:
      case Trailing::boxes:
      case Trailing::ephemerons:
      case Trailing::weak_values:
        return 8;
    }
    return 0;
  }
  /// What a slot takes, and is aligned to.
  [[nodiscard]] static constexpr std::uint32_t slot_bytes(SlotKind kind) noexcept {
    return kind == SlotKind::pointer || kind == SlotKind::box ? 8 : 4;
  }
};

/// What reports call an object whose header names no type, or claims more than its extent.
inline constexpr const char* kDamagedHeader = "(damaged header)";
/// A type's name for a report; `type` is nullptr where the header is damaged.
[[nodiscard]] inline const char* name_of(const TypeDescriptor* type) noexcept {
  return type != nullptr ? type->name.c_str() : kDamagedHeader;
}

/// The elements of an object of the embedder's own type `T` with a trailing array: what follows its
/// fixed part of sizeof(T) bytes.
template <class Element, class T>
[[nodiscard]] Element* trailing_of(T* object) noexcept {
  static_assert(alignof(Element) <= kGranuleBytes,
                "elements of a trailing array: objects begin at multiples of 16 bytes, and the "
                "element type asks for a greater alignment");
  static_assert(sizeof(T) % alignof(Element) == 0,
                "elements of a trailing array: they begin behind sizeof(T) bytes, which is no "
                "multiple of their alignment");
  return reinterpret_cast<Element*>(object + 1);
}

/// A TypeId that remembers the C++ type it was defined for.
template <class T>
struct Type {
  TypeId id = 0;  ///< 0: defined in no heap.
};

namespace detail {

/// Whether objects of `T` have a release hook.
template <class T>
inline constexpr bool kReleased = [] {
  if constexpr (requires { T::kReleased; }) return static_cast<bool>(T::kReleased);
  return false;
}();

/// Whether it is known that objects of `T` hold no refs.
template <class T>
inline constexpr bool kLeaf = [] {
  if constexpr (requires { T::kLeaf; }) return static_cast<bool>(T::kLeaf);
  return false;
}();

/// Whether the header of a `T` stands where its objects begin. A type that calls it something else
/// than `header` is believed.
template <class T>
[[nodiscard]] consteval bool begins_with_header() {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Winvalid-offsetof"  // types may derive from one with a header
  if constexpr (requires { requires std::is_same_v<decltype(T::header), Header>; }) {
    return offsetof(T, header) == 0;
  }
#pragma GCC diagnostic pop
  return true;
}

/// What compiles only where objects of `T` can be what the heap makes: bytes at a multiple of 16,
/// zero but for the header, for which no constructor and no destructor ever runs. Types may derive
/// from one another, and their members need not be copyable: Member is not.
template <class T>
constexpr void require_object_type() noexcept {
  static_assert(!std::is_polymorphic_v<T>,
                "object type: it has virtual functions, so that its objects would begin with a "
                "pointer of the compiler's, and not with their header");
  static_assert(alignof(T) <= kGranuleBytes,
                "object type: objects begin at multiples of 16 bytes, and the type asks for a "
                "greater alignment");
  static_assert(std::is_trivially_destructible_v<T> || kReleased<T>,
                "object type: no destructor runs when an object dies; members that need one take a "
                "release hook, `kReleased = true`, and construction in place after allocate()");
  static_assert(sizeof(T) >= sizeof(Header), "object type: it has no room for its header");
  static_assert(begins_with_header<T>(), "object type: its header is not its first member");
}

/// Whether a new `T` would be all zero: nullopt when the host has no memory. Its initializers would
/// say something else than the heap does where it is not. With a destructor, `T` is constructed in
/// place by the embedder.
template <class T>
[[nodiscard]] std::optional<bool> begins_as_zeros() {
  if constexpr (std::is_default_constructible_v<T> && std::is_trivially_destructible_v<T> &&
                !std::is_trivially_default_constructible_v<T>) {
    struct Bytes {
      ~Bytes() { delete[] first; }
      unsigned char* const first = new (std::nothrow) unsigned char[sizeof(T)]();
    } const bytes;
    if (bytes.first == nullptr) return std::nullopt;
    // The compiler may not know what the bytes were before or are now: those that the constructor
    // leaves alone are to be read as they were.
    asm volatile("" : : "r"(bytes.first) : "memory");
    new (static_cast<void*>(bytes.first)) T();
    asm volatile("" : : "r"(bytes.first) : "memory");
    for (std::size_t i = 0; i < sizeof(T); ++i) {
      if (bytes.first[i] != 0) return false;
    }
  }
  return true;
}

/// An object that is nothing but a header and a checked array of `Element`.
template <class Element>
struct Array {
  /// For Heap::define().
  static constexpr std::uint32_t kElementBytes = sizeof(Element);

  Header header;  ///< With the length.

  /// How many elements the header says there are.
  [[nodiscard]] std::uint32_t length() const noexcept { return header.length; }
  /// The first element.
  [[nodiscard]] Element* data() noexcept { return trailing_of<Element>(this); }
  /// Likewise.
  [[nodiscard]] const Element* data() const noexcept { return trailing_of<const Element>(this); }
  /// Aborts where `i` is not below length().
  [[nodiscard]] Element& operator[](std::uint64_t i) noexcept {
    BESOM_CHECK(i < header.length, "array index: index, length", i, header.length);
    return data()[i];
  }
  /// Likewise.
  [[nodiscard]] const Element& operator[](std::uint64_t i) const noexcept {
    BESOM_CHECK(i < header.length, "array index: index, length", i, header.length);
    return data()[i];
  }
};

}  // namespace detail

/// An array of refs. Its type is defined in a heap like any other: `heap.define<RefArray<Node>>()`.
template <class T>
struct RefArray : detail::Array<Member<T>> {
  /// For Heap::define().
  static TypeDescriptor type() { return {.name = "RefArray", .trailing = Trailing::refs}; }
};

/// An array of tagged values.
struct ValueArray : detail::Array<ValueMember> {
  /// For Heap::define().
  static TypeDescriptor type() { return {.name = "ValueArray", .trailing = Trailing::values}; }
};

/// An array of weak slots.
struct WeakArray : detail::Array<WeakValueMember> {
  /// For Heap::define().
  static TypeDescriptor type() { return {.name = "WeakArray", .trailing = Trailing::weak}; }
};

/// One key with its value, in a trailing array of those. Either may be an integer, which is always
/// alive. When the weak one of the two dies, the entry is *broken*: key null, value integer 0. In a
/// table that tells it from an entry that was never used, which is all zero. Without a key, a value
/// that is a ref is not kept either: store the key first.
struct Entry {
  /// @{
  /// Which of the two is weak, the kind of the array says.
  WeakValueMember key, value;
  /// @}

  /// Was never used.
  [[nodiscard]] bool is_empty() const noexcept {
    return key.peek().is_null() && value.peek().is_null();
  }
  /// The weak one died, or break_up() was called.
  [[nodiscard]] bool is_broken() const noexcept {
    prepare_read(&key, false);
    return key.peek().is_null() && !value.peek().is_null();
  }
  /// Takes the entry out, as the collector does.
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
  /// For Heap::define().
  static TypeDescriptor type() {
    return {.name = "EphemeronArray", .trailing = Trailing::ephemerons};
  }
};

/// An array of entries that keep their keys, but not their values.
struct WeakValueArray : detail::Array<Entry> {
  /// For Heap::define().
  static TypeDescriptor type() {
    return {.name = "WeakValueArray", .trailing = Trailing::weak_values};
  }
};

/// An array of bytes, which the collector does not look into.
struct ByteArray : detail::Array<unsigned char> {
  /// For Heap::define().
  static constexpr bool kLeaf = true;
  /// For Heap::define().
  static TypeDescriptor type() { return {.name = "ByteArray", .trailing = Trailing::bytes}; }
};

}  // namespace besom
