#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "besom/ref.hpp"

namespace besom::detail {

/// The word or half word at `address`, in the arena, where another thread may write at any time.
/// What is checked here and used there has to be one reading of it: the compiler may read plain
/// memory again. Costs nothing beside the load. `address` needs no alignment.
template <class Word>
[[nodiscard]] inline Word load_once(const void* address) noexcept {
  static_assert(std::is_unsigned_v<Word> && sizeof(Word) <= sizeof(std::uint64_t));
  Word word;
  std::memcpy(&word, address, sizeof word);
  // From here on the compiler takes the word for one that only the register holds.
  asm("" : "+r"(word));
  return word;
}

/// The header of the object at `object`, both halves by one load.
[[nodiscard]] inline Header load_header(const void* object) noexcept {
  return std::bit_cast<Header>(load_once<std::uint64_t>(object));
}

}  // namespace besom::detail
