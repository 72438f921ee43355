#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "besom/barrier.hpp"
#include "besom/detail/check.hpp"
#include "besom/run.hpp"

namespace besom {

/// What every object begins with.
///
///     byte 0        4          8
///         | type    | length   | fields ...
///
/// Both words lie in the arena and so are never trusted.
struct Header {
  std::uint32_t type;  ///< A TypeId. The heap's to set.
  /// Elements of a trailing array, as they were allocated. A program may lower it, and raise it
  /// again up to that. In a type without such an array it is the program's own: nobody reads it,
  /// and it begins as what allocation was given.
  std::uint32_t length;
};
static_assert(sizeof(Header) == 8, "a pair of refs and its header fill one granule");

/// A reference: the byte index of an object from its arena's base, a multiple of 16; 0 is null.
/// Plain data of 4 bytes. It keeps nothing alive, and knows neither its heap nor whether its target
/// still lives: Heap::check() tells.
template <class T>
class Ref {
 public:
  constexpr Ref() noexcept = default;
  /// Null.
  constexpr Ref(std::nullptr_t) noexcept {}
  /// Of a byte index from the arena's base, which is taken as it is.
  explicit constexpr Ref(std::uint32_t index) noexcept : index_(index) {}
  /// Of an object's address inside an arena, or of nullptr.
  explicit Ref(const T* object) noexcept : index_(detail::index_of(object)) {}
  /// Every ref is a Ref<void>, too.
  template <class U>
  requires std::is_void_v<T>
  constexpr Ref(Ref<U> other) noexcept : index_(other.index()) {}

  /// Bytes from the arena's base; 0: null.
  [[nodiscard]] constexpr std::uint32_t index() const noexcept { return index_; }
  /// Whether it is not null.
  explicit constexpr operator bool() const noexcept { return index_ != 0; }
  friend constexpr bool operator==(Ref, Ref) noexcept = default;

 private:
  std::uint32_t index_ = 0;
};

/// A ref or a 31-bit integer, told apart by the lowest bit, as Wasm's i31 is.
///
///     bit 31 .................. 4 3 2 1 0
///         | index of an object |0 0 0 0|      a ref; all zero is null
///         | integer, two's complement |1|     an integer
class Value {
 public:
  /// @{
  /// The least and the greatest integer.
  static constexpr std::int32_t kMinInt = -(1 << 30);
  static constexpr std::int32_t kMaxInt = (1 << 30) - 1;
  /// @}

  constexpr Value() noexcept = default;
  /// A ref, or null.
  template <class T>
  constexpr Value(Ref<T> ref) noexcept : bits_(ref.index()) {}
  /// Aborts outside [kMinInt, kMaxInt]: wrapping would be silent.
  [[nodiscard]] static constexpr Value integer(std::int64_t i) noexcept {
    BESOM_CHECK(kMinInt <= i && i <= kMaxInt, "no 31-bit integer: value, greatest", i, kMaxInt);
    return from_bits((static_cast<std::uint32_t>(i) << 1) | 1);
  }
  /// Of what bits() gave, or a slot holds.
  [[nodiscard]] static constexpr Value from_bits(std::uint32_t bits) noexcept {
    Value value;
    value.bits_ = bits;
    return value;
  }

  /// As a slot holds it.
  [[nodiscard]] constexpr std::uint32_t bits() const noexcept { return bits_; }
  /// @{
  /// Each value is an integer, null or a ref.
  [[nodiscard]] constexpr bool is_integer() const noexcept { return (bits_ & 1) != 0; }
  [[nodiscard]] constexpr bool is_null() const noexcept { return bits_ == 0; }
  [[nodiscard]] constexpr bool is_ref() const noexcept { return !is_integer() && !is_null(); }
  /// @}
  /// Precondition: is_integer().
  [[nodiscard]] constexpr std::int32_t as_integer() const noexcept {
    return static_cast<std::int32_t>(bits_) >> 1;
  }
  /// Precondition: not is_integer().
  template <class T = void>
  [[nodiscard]] constexpr Ref<T> as_ref() const noexcept {
    return Ref<T>(bits_);
  }
  friend constexpr bool operator==(Value, Value) noexcept = default;

 private:
  std::uint32_t bits_ = 0;
};

/// Stores a ref or value into `slot`, which lies in an object. Every such store goes through here:
/// see note_overwrite().
inline void write_ref(std::uint32_t& slot, std::uint32_t bits) noexcept {
  note_overwrite(&slot);
  slot = bits;
}

/// A ref as a field of an object. It lies inside an arena, so its own address supplies the base and
/// following it needs no heap. Not copyable: a copy elsewhere would follow to a wrong base.
template <class T>
class Member {
 public:
  Member() = default;
  Member(const Member&) = delete;
  /// @{
  /// Stores by write_ref(). What it refers to lies in the same heap, or is null.
  Member& operator=(const Member& other) noexcept { return *this = other.ref(); }
  Member& operator=(Ref<T> target) noexcept {
    write_ref(index_, target.index());
    return *this;
  }
  Member& operator=(T* target) noexcept { return *this = Ref<T>(target); }

  Member& operator=(std::nullptr_t) noexcept { return *this = Ref<T>(); }
  /// @}

  /// Null where it refers to nothing.
  [[nodiscard]] Ref<T> ref() const noexcept { return Ref<T>(index_); }
  /// The object, or nullptr. Unchecked, as Heap::get().
  [[nodiscard]] T* get() const noexcept {
    return index_ == 0 ? nullptr : reinterpret_cast<T*>(detail::arena_of(this) + index_);
  }
  /// Precondition: it is not null.
  T* operator->() const noexcept { return get(); }
  /// Whether it is not null.
  explicit operator bool() const noexcept { return index_ != 0; }

 private:
  std::uint32_t index_;
};
static_assert(sizeof(Member<int>) == 4);

/// A Member that the type's descriptor calls weak. Null once its target is dead.
template <class T>
class WeakMember : public Member<T> {
 public:
  using Member<T>::operator=;
  WeakMember() = default;
  WeakMember(const WeakMember&) = delete;
  /// To copy is to read.
  WeakMember& operator=(const WeakMember& other) noexcept {
    Member<T>::operator=(other.ref());
    return *this;
  }
  /// @{
  /// As Member has it; what is read lives until the next collection: see note_read().
  [[nodiscard]] Ref<T> ref() const noexcept {
    prepare_read(this);
    return Member<T>::ref();
  }
  [[nodiscard]] T* get() const noexcept {
    prepare_read(this);
    return Member<T>::get();
  }
  T* operator->() const noexcept { return get(); }
  /// @}
};

/// A Value as a field of an object.
class ValueMember {
 public:
  ValueMember() = default;
  ValueMember(const ValueMember&) = delete;
  /// @{
  /// Stores by write_ref(). A ref leads to the same heap.
  ValueMember& operator=(const ValueMember& other) noexcept { return *this = other.get(); }
  ValueMember& operator=(Value value) noexcept {
    write_ref(bits_, value.bits());
    return *this;
  }
  /// @}
  /// What was stored last; at first null.
  [[nodiscard]] Value get() const noexcept { return Value::from_bits(bits_); }

 private:
  std::uint32_t bits_;
};
static_assert(sizeof(ValueMember) == 4);

/// A box as a field of an object: eight bytes that are a ref where the type's BoxFormat says so.
class BoxMember {
 public:
  BoxMember() = default;
  BoxMember(const BoxMember&) = delete;
  /// @{
  /// Stores after note_overwrite(). A ref leads to the same heap.
  BoxMember& operator=(const BoxMember& other) noexcept { return *this = other.get(); }
  BoxMember& operator=(std::uint64_t word) noexcept {
    note_overwrite(&word_, sizeof word_);
    word_ = word;
    return *this;
  }
  /// @}
  /// What was stored last; at first 0.
  [[nodiscard]] std::uint64_t get() const noexcept { return word_; }

 private:
  std::uint64_t word_;
};
static_assert(sizeof(BoxMember) == 8);

/// A ValueMember that the type's descriptor calls weak. Null once its target is dead.
class WeakValueMember : public ValueMember {
 public:
  WeakValueMember() = default;
  WeakValueMember(const WeakValueMember&) = delete;
  /// @{
  /// Stores as ValueMember does. To copy is to read.
  WeakValueMember& operator=(const WeakValueMember& other) noexcept { return *this = other.get(); }
  WeakValueMember& operator=(Value value) noexcept {
    ValueMember::operator=(value);
    return *this;
  }
  /// @}
  /// What was stored last, which lives until the next collection: see note_read().
  [[nodiscard]] Value get() const noexcept {
    prepare_read(this);
    return ValueMember::get();
  }
  /// The same to compare with, and for nothing else: it may be dead soon.
  [[nodiscard]] Value peek() const noexcept { return ValueMember::get(); }
};

}  // namespace besom
