#pragma once

#include <algorithm>
#include <cstdint>

namespace besom::detail {

/// Remembers that a full collection left no room for a request. As long as nothing was allocated
/// and nothing can have died since, another would find the same: then what does not fit is refused
/// at once, and a program that asks again and again does not spend its time on collections.
///
/// What can have died is told by what all roots hold, as one number, and by the cards of the
/// objects that were stored into. A store that marks no card, which only a heap that is not
/// generational allows, goes unseen: hence the patience. After so many refusals one request
/// collects all the same; while that frees nothing, the next takes twice as many.
class Refusal {
 public:
  static constexpr std::uint32_t kPatience = 32;
  static constexpr std::uint32_t kMostPatience = 1u << 20;

  /// The full collection of this number left no room, with the roots as they were then.
  void note(std::uint64_t collection, std::uint64_t roots) noexcept {
    patience_ = ran_out_ ? std::min(2 * patience_, kMostPatience) : kPatience;
    ran_out_ = false;
    at_once_ = 0;
    collection_ = collection;
    roots_ = roots;
  }
  void forget() noexcept { *this = {}; }
  /// Whether the collection of this number is the one noted. Collections count from 1.
  [[nodiscard]] bool is_of(std::uint64_t collection) const noexcept {
    return collection == collection_;
  }
  /// Whether to refuse the next request at once, the roots being as they are now.
  [[nodiscard]] bool stands(std::uint64_t roots) noexcept {
    if (roots != roots_) return false;
    ran_out_ = ++at_once_ == patience_;
    return !ran_out_;
  }

 private:
  std::uint64_t collection_ = 0;  ///< 0: none.
  std::uint64_t roots_ = 0;
  std::uint32_t at_once_ = 0;  ///< Refusals without a collection since it.
  std::uint32_t patience_ = kPatience;
  bool ran_out_ = false;
};

}  // namespace besom::detail
