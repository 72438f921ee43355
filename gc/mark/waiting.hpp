#pragma once

#include <bit>
#include <cstdint>

#include "besom/detail/check.hpp"

namespace besom::detail {

/// What waits, during marking, for an object to be reached: ephemerons of which it is the key, and
/// registrations of which it is the object. They form a chain that begins in the object's header,
/// where the type's id was, and runs through the key slots of the entries, where the key was:
///
///     object            entry                entry               registration
///   | link  | length    | link  | value      | link  | value      next = end(type)
///      '------------------^ '------------------^ '------------------^
///
/// That takes no memory, and finds what waits for an object in one step. The chain is taken apart
/// when the object is marked and visited, or when marking is over: the mutator never sees it.
///
/// A link is 29 bits of payload above a tag of 3. The tag has a bit that no ref and no integer has
/// set or clear in the same way, so that whoever meets a key slot can tell what it holds:
///
///   ...0000  ref      ......1  integer      ...010  entry     ...100  registration   ...110  end
///
/// In the header the link stands rotated, the tag on top: larger than any type's id, so that an
/// object with a chain fails the check of its header, which every visit makes anyway.
///
/// The collector follows a chain only where it can tell that it wrote it itself: the object is
/// noted in a side table and not yet visited. What a program writes before a collection is never
/// taken for a link. A thread that writes during one may still change a link, so each is held
/// against the bounds of the arena and of the registrations, and no more are followed than were
/// made: what was changed is lost, and nothing else comes of it.
/// Source of the idea: Barros and Ierusalimschy 2008, "Eliminating cycles in weak tables", where
/// the chain is a list on the side.
class Link {
 public:
  enum class Kind : std::uint32_t { entry = 2, registration = 4, end = 6 };

  /// `index`: of the entry in the arena, a multiple of 8.
  [[nodiscard]] static constexpr Link to_entry(std::uint32_t index) noexcept {
    BESOM_ASSERT((index & 7u) == 0);
    return Link(index | static_cast<std::uint32_t>(Kind::entry));
  }
  [[nodiscard]] static constexpr Link to_registration(std::uint32_t number) noexcept {
    BESOM_ASSERT(number >> 29 == 0);
    return Link((number << 3) | static_cast<std::uint32_t>(Kind::registration));
  }
  /// The chain's last link keeps what stood in the header.
  [[nodiscard]] static constexpr Link end(std::uint32_t type) noexcept {
    BESOM_ASSERT(type >> 29 == 0);
    return Link((type << 3) | static_cast<std::uint32_t>(Kind::end));
  }
  [[nodiscard]] static constexpr Link from_slot(std::uint32_t bits) noexcept { return Link(bits); }
  [[nodiscard]] static constexpr Link from_header(std::uint32_t word) noexcept {
    return Link(std::rotl(word, 3));
  }

  [[nodiscard]] constexpr std::uint32_t slot() const noexcept { return bits_; }
  [[nodiscard]] constexpr std::uint32_t header() const noexcept { return std::rotr(bits_, 3); }
  [[nodiscard]] constexpr Kind kind() const noexcept { return static_cast<Kind>(bits_ & 7u); }
  /// Of an entry.
  [[nodiscard]] constexpr std::uint32_t index() const noexcept {
    BESOM_ASSERT(kind() == Kind::entry);
    return bits_ & ~7u;
  }
  /// Of a registration, or the type at the end.
  [[nodiscard]] constexpr std::uint32_t number() const noexcept {
    BESOM_ASSERT(kind() == Kind::registration || kind() == Kind::end);
    return bits_ >> 3;
  }

 private:
  explicit constexpr Link(std::uint32_t bits) noexcept : bits_(bits) {}

  std::uint32_t bits_;
};
static_assert(Link::to_entry(0xfffffff8).header() == 0x5fffffff);
static_assert(Link::to_registration(0).header() == 0x80000000);

/// Numbers of registrations and types have to fit into a link.
inline constexpr std::uint32_t kMostNumbers = 1u << 29;

}  // namespace besom::detail
