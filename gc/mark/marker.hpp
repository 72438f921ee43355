#pragma once

#include <cstddef>
#include <cstdint>

#include "besom/detail/granule_bits.hpp"
#include "gc/mark/granule_set.hpp"
#include "gc/mark/waiting.hpp"
#include "heap/addresses.hpp"
#include "heap/arena.hpp"
#include "heap/load_once.hpp"
#include "heap/old_values.hpp"
#include "heap/space.hpp"
#include "heap/type_table.hpp"

namespace besom::detail {

struct Registration;

/// What marking met that it did not follow.
struct MarkFindings {
  std::uint64_t bad_refs = 0;
  std::uint64_t bad_headers = 0;
  std::uint64_t rescans = 0;
  std::uint64_t weak_cleared = 0;
  std::uint64_t entries_broken = 0;
};

/// Marks what is reachable from the roots it is given.
///
/// An object is marked when the first ref to it is met and pushed once, unless it is known to have
/// no refs, so that the stack is bounded by objects, not edges. Between the stack and the visit
/// lies a short queue of objects whose memory and table words are being prefetched: without it
/// marking a random graph waits for memory at each object. Nothing recurses and nothing is
/// allocated: where the stack is full the object stays marked, and when all else is done a walk
/// over the mark bits visits what was left.
///
/// Nothing that is read from the arena is trusted: an index has to be the start of an object by the
/// side tables, and an object's header may only claim less than its extent there. Nor is anything
/// read twice that was checked once: another thread may write there meanwhile.
///
/// Weak things: an object with weak slots notes itself when it is visited; an ephemeron whose key
/// is not yet marked waits at the key (waiting.hpp). When nothing is left to visit, end_waiting()
/// takes the chains apart, and clear_weak_slots() looks at the noted objects.
class Marker final : public OldValues {
 public:
  /// Of the stack's memory, what stays between collections at most. Between incremental cycles more
  /// does: what the last ones used, forgotten by an eighth a cycle.
  static constexpr std::uint64_t kKeptStackBytes = 256 << 10;

  /// `stack_entries` 0: sized by `heap_max`.
  [[nodiscard]] static Result<Marker> create(std::uint64_t heap_max, std::uint32_t stack_entries,
                                             const System& system);

  /// Clears the marks, or keeps them: then what was reached before is not visited again, and what
  /// it refers to is marked by mark_from_cards(). Space::retire() and
  /// conceal_unused() before.
  void begin(Space& space, const TypeTable& types, bool keep_marks) noexcept;
  /// Marks the target of a root; `bits` is a ref or a value.
  void mark_root(std::uint32_t bits) noexcept;
  /// Marks what a word leads to that a callback or an ambiguous root names.
  void mark_word(WordKind kind, std::uint64_t word) noexcept;
  /// Marks what marked objects refer to from marked cards.
  void mark_from_cards(const Cards& cards) noexcept;
  /// Marks all that is reachable from what was marked.
  void drain() noexcept { static_cast<void>(drain_some(~std::uint64_t{0}, true)); }
  /// The same, until at least `units` of work() are done, and not many more: what one object has in
  /// slots of its own, a part of a long array, or what a trace callback visits. True when nothing
  /// is left. Between two calls objects may be allocated, and marked by take(); call resume()
  /// before each. With `may_rescan` off, what did not fit into the stack stays unvisited: to look
  /// for it takes that what is unused is concealed.
  [[nodiscard]] bool drain_some(std::uint64_t units, bool may_rescan) noexcept;
  /// Whether the stack was full, and what did not fit is not yet visited.
  [[nodiscard]] bool has_unvisited() const noexcept {
    return overflow_begin_ < overflow_end_ || rescan_next_ < rescan_end_;
  }
  /// Whether something waits to be visited.
  [[nodiscard]] bool has_more() const noexcept {
    return stack_size_ != 0 || segment_count_ != 0 || has_unvisited();
  }
  /// Takes note of what the heap gained since the last slice. An incremental cycle calls it first.
  void resume() noexcept {
    end_ = to_granules(space_->free_list().used_end());
    arena_end_ = std::uint64_t{end_} << kGranuleShift;
  }
  /// After begin(): marking goes in slices, between which the program runs. Until visit_deferred()
  /// ephemerons whose key is not marked are left, since chains would be in the way of the program.
  void set_incremental() noexcept { is_incremental_ = defers_ephemerons_ = true; }
  /// Looks once at the ephemerons that were left so, until work() comes to `limit`, and marks the
  /// values of those whose key is marked by now. True when it came to the end.
  [[nodiscard]] bool visit_late_some(std::uint64_t limit) noexcept;
  /// Lets the rest wait for their keys. Call it when visit_late_some() has come to the end.
  /// O(those).
  void visit_deferred() noexcept;
  /// Marks what a slot held: no ref, perhaps.
  void take(std::uint32_t bits) noexcept override;
  /// The same for a slot that will be overwritten.
  void take_slot(char* slot) noexcept override;
  /// The same for all slots in [first, first + bytes) of one object, perhaps for others of it, too.
  void take_slots(const char* first, std::size_t bytes) noexcept override;
  /// The same for all that an object refers to. O(its slots).
  void take_object(std::uint32_t index) noexcept override;
  void prepare_read(char* slot, bool keeps) noexcept override;
  void prepare_handle(std::uint32_t& ref, bool keeps) noexcept override;
  /// Stops marking at once. The marks mean nothing then, and have to be cleared by the next
  /// begin().
  void abandon() noexcept;
  [[nodiscard]] bool is_abandoned() const noexcept { return abandoned_; }

  /// Makes room for noting objects, which weak slots and waiting take. Fails with
  /// out_of_host_memory.
  [[nodiscard]] Error prepare_weak(const HeapOptions& options, const System& system) {
    if (Error error = noted_.reserve(options.heap_max, "besom weak", system)) return error;
    if (!options.incremental) return {};
    if (Error error = late_.reserve(options.heap_max, "besom late", system)) return error;
    return left_.reserve(options.heap_max, "besom ephemerons", system);
  }
  /// Marks the agents of registrations [first, end) whose object is marked; the others wait for
  /// theirs. Those of which Registration::settled_in says `settled` have been looked at. The table
  /// stays where it is until end_waiting().
  void await(Registration* table, std::uint32_t first, std::uint32_t end,
             std::uint32_t settled) noexcept;
  /// Whether `index` is the start of an object that is marked. After drain().
  [[nodiscard]] bool is_live(std::uint32_t index) const noexcept {
    return is_object(index) && marks_.test(to_granules(index));
  }
  /// After drain(): all headers and slots are again as the mutator left them. Where a chain was
  /// overwritten, what waited in it may not be marked although its object is.
  void end_waiting() noexcept;
  /// The same when marking was given up; nothing stays noted.
  void undo_waiting() noexcept;
  /// After end_waiting(): clears the weak slots of the objects visited whose targets are not
  /// marked, and breaks their entries. Of what is noted only the tables remain. More may be marked
  /// after that, and drained; then it is all due again.
  void clear_weak_slots() noexcept;
  /// After end_waiting() of an incremental cycle: what is not marked is dead, unless a guardian
  /// keeps it. The program runs on while the weak slots that lead to it are cleared in slices, and
  /// sees none of them that still does: prepare_read().
  void begin_settling() noexcept {
    is_settling_ = true;
    place_ = {};
  }
  /// clear_weak_slots() until work() comes to `limit`. True when it came to the end. Call resume()
  /// before, and Space::conceal_unused().
  [[nodiscard]] bool clear_weak_some(std::uint64_t limit) noexcept;
  /// Clears the ref of a weak handle to what is not marked.
  void clear_handle(std::uint32_t& ref) noexcept;
  /// After clear_weak_some(): whether a table was visited.
  [[nodiscard]] bool has_tables() const noexcept {
    return noted_.first_from(0) != GranuleSet::kNone;
  }
  /// Calls `visit(index, extent in bytes)` for each table that was visited, until work() comes to
  /// `limit`. Those stay noted no longer. True when none is.
  template <class Visit>
  [[nodiscard]] bool take_tables(std::uint64_t limit, Visit visit) noexcept {
    while (work_ < limit) {
      const std::uint32_t granule = noted_.first_from(0);
      if (granule == GranuleSet::kNone) return true;
      noted_.erase(granule);
      ++work_;
      visit(to_bytes(granule), to_bytes(map_->next_start(granule) - granule));
    }
    return false;
  }

  /// Objects marked since begin(), and what they take. That counts for more than it is where there
  /// were bad refs or rescans, and for less where damage lets a header claim less than its object
  /// has.
  [[nodiscard]] std::uint64_t marked() const noexcept { return marked_; }
  [[nodiscard]] std::uint64_t marked_bytes() const noexcept {
    return marked_granules_ << kGranuleShift;
  }
  /// Objects and slots visited since begin(): what marking costs, the same in each run.
  [[nodiscard]] std::uint64_t work() const noexcept { return work_; }
  /// Of what others visited.
  void add_work(std::uint64_t units) noexcept { work_ += units; }
  /// Since begin().
  [[nodiscard]] bool is_incremental() const noexcept { return is_incremental_; }

  [[nodiscard]] const MarkFindings& findings() const noexcept { return findings_; }
  [[nodiscard]] GranuleBits& marks() noexcept { return marks_; }
  /// The first granule above all objects and holes that marking looked at.
  [[nodiscard]] std::uint32_t end() const noexcept { return end_; }
  /// Gives the stack's memory back where a deep graph made it large.
  void trim() noexcept;
  [[nodiscard]] std::uint64_t table_bytes() const noexcept {
    return marks_.size_bytes() + stack_table_.size_bytes() + noted_.table_bytes() +
           late_.table_bytes() + left_.table_bytes();
  }

 private:
  /// A large array is visited in segments, so that its refs do not flood the stack at once.
  struct Segment {
    TypeId type;
    std::uint32_t object;
    std::uint32_t length;  ///< As it was when the object was visited.
    std::uint32_t next;    ///< Slots visited so far.
  };
  static constexpr std::uint32_t kSegmentSlots = 256;
  static constexpr std::uint32_t kMaxSegments = 64;
  static constexpr std::uint32_t kMinStack = 64;
  /// Eight, whose prefetches a processor's miss buffers take without waiting; four times, so that
  /// they have come by the time they are needed.
  static constexpr std::uint32_t kBatchObjects = 8;
  static constexpr std::uint32_t kBatches = 4;
  struct Batch {
    std::uint32_t size = 0;
    std::uint32_t objects[kBatchObjects];
  };
  /// Slots of an object of less than a line: what is not its header.
  static constexpr std::uint32_t kMostPlainSlots = kLineGranules * kGranuleBytes / 4;

  template <SlotKind kind>
  void visit(std::uint32_t bits) noexcept;
  template <SlotKind kind>
  void visit_slots(const char* first, std::uint32_t count) noexcept;
  void visit_run(const TypeInfo& type, const char* object, const SlotRun& run) noexcept;
  void visit_pointer(std::uint64_t word) noexcept;
  void visit_pointers(const char* first, std::uint32_t count) noexcept;
  void visit_boxes(const BoxDecoder& box, const char* first, std::uint32_t count) noexcept;
  void mark_index(std::uint32_t index) noexcept;
  void visit_elements(const TypeInfo& type, char* first, std::uint32_t count) noexcept;
  void push(std::uint32_t index) noexcept;
  void note_overflow(std::uint32_t index) noexcept;
  void note_unvisited(std::uint32_t index) noexcept;
  struct Hot;
  [[nodiscard]] static bool reaches(const Hot& hot, std::uint32_t granule,
                                    std::uint32_t end) noexcept;
  [[nodiscard]] static const TypeInfo* plain_type(const Hot& hot, std::uint32_t index) noexcept;
  template <SlotKind kind>
  void visit_hot(Hot& hot, std::uint32_t bits) noexcept;
  template <SlotKind kind>
  void visit_run_hot(Hot& hot, const char* slot, std::uint32_t count) noexcept;
  void visit_boxes_hot(Hot& hot, const BoxDecoder& box, const char* slot,
                       std::uint32_t count) noexcept;
  template <bool has_wide_slots>
  void visit_plain(Hot& hot, const char* object, const TypeInfo& type) noexcept;
  void trace(std::uint32_t index) noexcept;
  void trace_by_callback(const TypeInfo& type, const char* object, std::uint64_t extent) noexcept;
  void trace_trailing(std::uint32_t index, const TypeInfo& type, std::uint32_t length) noexcept;
  void trace_next_segment() noexcept;
  [[nodiscard]] bool trace_within(std::uint32_t granule, std::uint32_t end, Run part) noexcept;
  [[nodiscard]] bool visit_part(std::uint32_t granule, std::uint32_t end, Run part,
                                const TypeInfo& type, std::uint32_t length) noexcept;
  void take_words(const char* first, std::size_t bytes) noexcept;
  template <bool has_wide_slots>
  void prefetch(std::uint32_t index) const noexcept;
  template <bool has_wide_slots>
  void drain_stack(std::uint64_t limit) noexcept;
  void drain_stack(std::uint64_t limit) noexcept;
  void rescan(std::uint64_t limit) noexcept;

  // marker_weak.cpp
  [[nodiscard]] bool is_object(std::uint32_t index) const noexcept {
    const std::uint32_t granule = to_granules(index);
    return granule < end_ && map_->is_block(granule);
  }
  struct Found {
    Header header;
    const TypeInfo* type;  ///< nullptr where the header contradicts the tables.
  };
  [[nodiscard]] Found find(std::uint32_t granule) const noexcept;
  bool visit_entries(Trailing kind, char* first, std::uint32_t count) noexcept;
  [[nodiscard]] bool visit_ephemeron(char* entry) noexcept;
  [[nodiscard]] bool wait(std::uint32_t key, Link waiter, std::uint32_t& next) noexcept;
  [[nodiscard]] Found wake(std::uint32_t granule) noexcept;
  void take_chain(std::uint32_t granule, bool is_alive) noexcept;
  /// What a slot is a part of.
  struct WeakPlace {
    char* first = nullptr;           ///< The slot itself, or its entry.
    Trailing kind = Trailing::none;  ///< Not weak; a weak slot by itself, or the kind of entry.
  };
  [[nodiscard]] WeakPlace weak_place_of(char* slot) const noexcept;
  bool clear_if_dead(char* slot) noexcept;
  [[nodiscard]] bool is_white(std::uint32_t bits) const noexcept;
  [[nodiscard]] bool is_dead_slot(std::uint32_t bits) noexcept;
  void clear_slots(char* first, std::uint32_t count) noexcept;
  void clear_entries(Trailing kind, char* first, std::uint32_t count) noexcept;
  void clear_trailing(Trailing kind, char* first, std::uint32_t count) noexcept;

  GranuleBits marks_;  ///< An object is marked at its first granule.
  GranuleSet noted_;   ///< Objects with weak slots that were visited; unmarked ones waited for.
  GranuleSet late_;    ///< Visited arrays of ephemerons whose entries have not been.
  GranuleSet left_;    ///< Of the others: where entries have no key yet, and the arrays of these.
  ZeroedArray<std::uint32_t> stack_table_;
  std::uint32_t small_stack_[kMinStack];  ///< Where the table was refused.
  std::uint32_t stack_capacity_ = kMinStack;

  // Valid from begin() to the end of the collection.
  const Space* space_ = nullptr;
  char* base_ = nullptr;
  const Line* lines_ = nullptr;
  LeafBits* leaf_bits_ = nullptr;
  const std::uint64_t* leaves_ = nullptr;  ///< Their words; nullptr: there are none.
  const BoundaryMap* map_ = nullptr;
  const TypeTable* types_ = nullptr;
  Addresses addresses_;
  std::uint64_t* mark_words_ = nullptr;
  std::uint32_t* stack_ = nullptr;
  std::uint32_t end_ = 0;
  std::uint32_t stack_size_ = 0;
  std::uint32_t stack_peak_ = 0;
  std::uint64_t stack_touched_ = 0;  ///< Bytes of it that may take memory.
  std::uint32_t segment_count_ = 0;
  std::uint64_t marked_ = 0;
  std::uint64_t marked_granules_ = 0;
  std::uint64_t work_ = 0;
  bool abandoned_ = false;
  std::uint32_t overflow_begin_ = 0;  ///< Lines whose objects were marked but not pushed.
  std::uint32_t overflow_end_ = 0;
  std::uint32_t rescan_next_ = 0;  ///< Lines whose marked objects are being visited again.
  std::uint32_t rescan_end_ = 0;
  bool is_incremental_ = false;     ///< Since begin().
  bool defers_ephemerons_ = false;  ///< Until visit_deferred().
  bool is_settling_ = false;        ///< Since begin_settling().
  struct Place {
    std::uint32_t granule = 0;
    std::uint32_t next = 0;  ///< Of the array of the object there.
    bool has_left = false;   ///< An ephemeron of it without a key.
  };
  Place place_;  ///< Of the walk that is under way: through late_, then through noted_.
  std::uint64_t arena_end_ = 0;  ///< In bytes: no entry that waits lies above.
  std::uint64_t links_ = 0;      ///< Made and not yet taken.
  const Registration* registrations_ = nullptr;
  std::uint32_t registrations_end_ = 0;
  Segment segments_[kMaxSegments];
  MarkFindings findings_;

  friend class TraceVisitor;
};

/// Hands the slots that a root or trace callback names to the marker.
class TraceVisitor : public Tracer {
 public:
  explicit TraceVisitor(Marker& marker, void* user = nullptr) noexcept
      : Tracer(
            [](Tracer& self, const std::uint32_t& slot) {
              static_cast<TraceVisitor&>(self).marker_.mark_root(load_once<std::uint32_t>(&slot));
            },
            [](Tracer& self, WordKind kind, std::uint64_t word) {
              static_cast<TraceVisitor&>(self).marker_.mark_word(kind, word);
            },
            user),
        marker_(marker) {}

 private:
  Marker& marker_;
};

}  // namespace besom::detail
