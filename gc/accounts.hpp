#pragma once

#include <cstdint>

#include "besom/detail/heap_parts.hpp"
#include "besom/stats.hpp"
#include "gc/stops.hpp"

namespace besom::detail {

/// What collections did, how long they stopped the program, and how much was allocated between
/// them.
///
/// A collection is opened, closed when all its figures are known, and may stop the program several
/// times before. How many objects it freed may still be unknown then: the sweep that it leaves to
/// allocation counts them, and count_dead() asks.
class Accounts {
 public:
  /// `heap` has a space when the other functions are called, and outlives this.
  explicit Accounts(const HeapParts& heap) noexcept : heap_(heap) {}

  /// A new collection. Call begin_stop() before.
  void open(Cause cause, bool minor) noexcept;
  /// What current() says is final, and becomes last(). A stop ends, of this kind if the collection
  /// was not minor nor abandoned.
  void close(StopKind kind) noexcept;
  /// Of the collection that is open.
  [[nodiscard]] CollectionStats& current() noexcept { return current_; }
  /// The last that was closed; `freed_objects` after count_dead().
  [[nodiscard]] const CollectionStats& last() const noexcept { return last_; }
  /// Sums over all that were closed.
  [[nodiscard]] HeapStats& totals() noexcept { return totals_; }

  void begin_stop() noexcept;
  void end_stop(StopKind kind) noexcept;
  [[nodiscard]] std::uint64_t ns_of_stop() const noexcept;

  [[nodiscard]] const Stops& stops() const noexcept { return stops_; }

  /// Marking begins: what is allocated from now on is not among the objects that it finds.
  void note_marking() noexcept;
  /// So many objects were allocated while it marked.
  void note_born(std::uint64_t objects) noexcept { born_ = objects; }
  /// The end of an array, which lives, is left to the sweep as a dead object.
  void note_cut(std::uint64_t bytes) noexcept {
    ++cut_objects_;
    cut_bytes_ += bytes;
  }
  /// The sweep will know how many objects the open collection freed.
  void expect_dead() noexcept { counts_dead_ = true; }
  /// Asks it, where anything is expected and nothing concealed.
  void count_dead() noexcept;
  void set_live_objects(std::uint64_t count) noexcept { live_objects_ = count; }

  /// Those that minor collections count as alive already: after the last collection.
  [[nodiscard]] std::uint64_t live_objects() const noexcept { return live_objects_; }
  [[nodiscard]] std::uint64_t born() const noexcept { return born_; }
  /// Bytes since note_marking().
  [[nodiscard]] std::uint64_t born_bytes() const noexcept;
  /// @{
  /// Bytes, unused rests of windows and holes included.
  [[nodiscard]] std::uint64_t allocated_since_collection() const noexcept;
  [[nodiscard]] std::uint64_t allocated_since_full() const noexcept;
  /// @}
  /// Bytes that live: in the marked objects, less what was cut off them, and in those allocated
  /// since note_marking().
  [[nodiscard]] std::uint64_t live_bytes(std::uint64_t marked_bytes) const noexcept;

 private:
  const HeapParts& heap_;
  CollectionStats current_;
  CollectionStats last_;
  HeapStats totals_;
  Stops stops_;
  std::uint64_t begun_ns_ = 0;
  std::uint64_t handed_out_then_ = 0;        ///< In all, up to the last collection.
  std::uint64_t handed_out_at_full_ = 0;     ///< And up to the last full one.
  std::uint64_t handed_out_at_marking_ = 0;  ///< And up to where the open one began to mark.
  std::uint64_t live_objects_ = 0;
  std::uint64_t born_ = 0;
  std::uint64_t cut_objects_ = 0;
  std::uint64_t cut_bytes_ = 0;
  bool counts_dead_ = false;
};

}  // namespace besom::detail
