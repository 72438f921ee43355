#pragma once

#include <cstdint>

#include "freelist/free_list.hpp"
#include "heap/arena.hpp"

namespace besom::detail {

/// Gives the pages of holes back to the system, in steps between which the program runs: a pass
/// that counts what holes have, then one from the lowest on that leaves them as much as they may
/// keep, since the lowest are used again first.
class DiscardWalk {
 public:
  /// Of the holes that span at least `least` bytes the topmost `most` bytes are to go.
  DiscardWalk(std::uint64_t least, std::uint64_t most) noexcept : least_(least), most_(most) {}

  [[nodiscard]] bool is_done() const noexcept { return is_done_; }
  /// Bytes given back so far.
  [[nodiscard]] std::uint64_t discarded() const noexcept { return discarded_; }

  /// Looks at so many pieces, holes or parts of them between multiples of `bytes`, or gives back so
  /// many bytes and a piece more. No byte of the arena from `touched` on was ever written.
  /// Precondition: `bytes` are whole pages. O(pieces).
  void step(const FreeList& list, Arena& arena, std::uint64_t touched, std::uint32_t pieces,
            std::uint64_t bytes) noexcept;

 private:
  void end_pass() noexcept;
  void visit(Arena& arena, std::uint64_t begin, std::uint64_t end) noexcept;

  std::uint64_t least_;
  std::uint64_t most_;
  std::uint64_t kept_ = 0;  ///< While counting, what the holes have; then what they may keep.
  std::uint64_t discarded_ = 0;
  std::uint32_t next_ = 1;  ///< The granule where the pass goes on.
  bool counts_ = true;
  bool is_done_ = false;
};

}  // namespace besom::detail
