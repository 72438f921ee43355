#pragma once

/// Looking into a heap: free functions that read it and change nothing. All of them fail with
/// reentrant from inside a collection, another of these walks or a callback of one, and with
/// wrong_thread; Heap::error() keeps that. Nothing is collected meanwhile, and the program
/// allocates afterwards as if nobody had looked.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "besom/defect.hpp"
#include "besom/detail/check.hpp"
#include "besom/detail/export.h"
#include "besom/detail/zeroed_array.hpp"
#include "besom/error.hpp"
#include "besom/held_root.hpp"
#include "besom/run.hpp"
#include "besom/type.hpp"

namespace besom {

class Heap;

/// The defects that a report keeps, in the order in which they were met: objects by address, then
/// roots.
class DefectList {
 public:
  /// @{
  /// How many there are: O(1).
  [[nodiscard]] std::size_t size() const noexcept { return count_; }
  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
  /// @}
  /// Aborts where `i` is not below size().
  [[nodiscard]] const Defect& operator[](std::size_t i) const noexcept {
    BESOM_CHECK(i < count_, "defect: number, of", i, count_);
    return defects_[i];
  }
  /// @{
  /// For a loop over all of them.
  [[nodiscard]] const Defect* begin() const noexcept { return defects_.data(); }
  [[nodiscard]] const Defect* end() const noexcept { return defects_.data() + count_; }
  /// @}

  /// False when the host has no memory.
  [[nodiscard]] bool add(const Defect& defect) noexcept {
    if (count_ == defects_.size() && !defects_.grow(count_ * 2 + 16)) return false;
    defects_[count_++] = defect;
    return true;
  }

 private:
  detail::ZeroedArray<Defect> defects_;
  std::size_t count_ = 0;
};

/// All that one walk over the heap found. Good as long as the heap and the labels of its roots.
struct VerifyReport {
  /// How many defects are kept unless the caller says otherwise: 64 KB of host memory at most.
  static constexpr std::uint64_t kMaxDefects = 1000;

  /// reentrant or wrong_thread: nothing was walked. out_of_host_memory: all was walked and counted,
  /// but fewer defects are kept than were wanted.
  Error error{};
  std::uint64_t objects = 0;  ///< Visited.
  std::uint64_t slots = 0;    ///< Refs and values visited, roots included.
  DefectList defects;         ///< The first that were found.
  std::uint64_t more = 0;     ///< Defects found beyond those kept.

  /// Defects, those included that are not kept.
  [[nodiscard]] std::uint64_t found() const noexcept { return defects.size() + more; }
  /// All was walked, and nothing is wrong.
  [[nodiscard]] bool ok() const noexcept { return !error && found() == 0; }
};

/// Walks the whole heap and reports what is wrong: the first `max_defects` one by one, the others
/// as a number. Callbacks are called as in a collection; from one, and on another thread, the
/// report's `error` is set and nothing is walked. Takes host memory for what it keeps alone, 64
/// bytes a defect; where that is refused `error` says so. O(heap).
[[nodiscard]] BESOM_API VerifyReport
verify(Heap& heap, std::uint64_t max_defects = VerifyReport::kMaxDefects) noexcept;

/// An object as a walk over the heap meets it.
struct ObjectView {
  Ref<void> ref;         ///< The object, by index.
  const Header* header;  ///< The object, by address.
  /// nullptr where the header names no type, or claims more than the object's extent.
  const TypeDescriptor* type;
  TypeId type_id;            ///< 0 where `type` is nullptr.
  std::uint32_t size_bytes;  ///< Of the extent: header included, rounded up to granules.
};

/// Called for each object of a walk. May read objects; may not allocate, collect or change roots.
using ObjectVisitor = void (*)(void* user, const ObjectView& object);

/// Called for each hole of a walk; as restricted as an ObjectVisitor.
using HoleVisitor = void (*)(void* user, Run hole);

/// Calls `visitor` for every object in address order, also for those that are dead but not yet
/// collected: collect() first to meet the live ones alone. Fails with reentrant and wrong_thread,
/// and with bad_argument for a null visitor. O(heap).
BESOM_API Error each_object(Heap& heap, ObjectVisitor visitor, void* user) noexcept;
/// Calls `visitor` for every stretch of the heap without objects, in address order; what lies
/// beyond the capacity is none of them. What allocation holds ready, and what zeal holds back,
/// belongs to such a stretch. Fails and costs as each_object().
BESOM_API Error each_hole(Heap& heap, HoleVisitor visitor, void* user) noexcept;

/// All objects of one type.
struct CensusRow {
  TypeId type;                       ///< 0: of the objects whose header is damaged.
  const TypeDescriptor* descriptor;  ///< Lives as long as the heap; nullptr for type 0.
  std::uint64_t objects;             ///< Also those that are dead and not yet collected.
  std::uint64_t bytes;               ///< Headers included, rounded up to granules.

  /// The type's name, or kDamagedHeader. Lives as long as the heap.
  [[nodiscard]] const char* name() const noexcept { return name_of(descriptor); }
};

/// How many objects of each type there are, and how large.
class BESOM_API Census {
 public:
  /// Types that have objects, that with the most bytes first.
  [[nodiscard]] std::span<const CensusRow> rows() const noexcept { return {rows_.data(), count_}; }
  /// The row of a type, or nullptr when it has no objects. O(rows).
  [[nodiscard]] const CensusRow* row(TypeId type) const noexcept;
  /// @{
  /// Sum over all rows.
  [[nodiscard]] std::uint64_t objects() const noexcept { return objects_; }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
  /// @}
  /// A line for each row and one for the sum, each with its newline.
  [[nodiscard]] std::string message() const { return detail::message_of(*this); }
  /// The same into `buffer`: see Error::write_message().
  std::size_t write_message(char* buffer, std::size_t size) const noexcept;

 private:
  friend class CensusTaker;
  detail::ZeroedArray<CensusRow> rows_;
  std::size_t count_ = 0;
  std::uint64_t objects_ = 0;
  std::uint64_t bytes_ = 0;
};

/// How many objects of each type each_object() would visit, and how large they are. Fails with
/// reentrant, wrong_thread and out_of_host_memory. O(heap).
[[nodiscard]] BESOM_API Result<Census> census(Heap& heap) noexcept;

/// One object of a path, and the slot that leads to it.
struct PathStep {
  /// What leads to an object.
  enum class Via : std::uint8_t {
    root,      ///< The first object.
    field,     ///< A field of the object before.
    element,   ///< An element of its trailing array.
    callback,  ///< A slot that its type's trace callback visits.
  };
  Ref<void> object;            ///< What the slot leads to.
  const TypeDescriptor* type;  ///< nullptr where the header is damaged. Lives as long as the heap.
  Via via;                     ///< Where the slot is.
  const FieldDescriptor* field;  ///< nullptr but for Via::field.
  std::uint32_t element;         ///< For Via::element.
};

/// Why an object lives: a shortest path of refs that keep their targets alive, from a root to it.
class BESOM_API RootPath {
 public:
  /// Whether there is a path. Without one the object goes with the next full collection.
  explicit operator bool() const noexcept { return count_ != 0; }
  /// Label of the root's handle or registration; "local"; "newest object" where nothing but having
  /// been allocated last is what keeps it. nullptr without a path.
  [[nodiscard]] const char* root_label() const noexcept { return root_label_; }
  /// The objects from the root to the one that was asked for, both included.
  [[nodiscard]] std::span<const PathStep> steps() const noexcept { return {steps_.data(), count_}; }
  /// One line, e.g. "'globals' -> Table 0x40 .entries -> Array 0x1230 [17] -> Node 0x80". Of a long
  /// path only both ends.
  [[nodiscard]] std::string message() const { return detail::message_of(*this); }
  /// The same into `buffer`: see Error::write_message().
  std::size_t write_message(char* buffer, std::size_t size) const noexcept;

 private:
  friend class PathSearch;
  const char* root_label_ = nullptr;
  detail::ZeroedArray<PathStep> steps_;
  std::size_t count_ = 0;
};

/// Why `ref` lives: a shortest path to it from a root; an empty one when there is none. Fails with
/// bad_ref when no object starts there, and as census() does; takes host memory of a quarter of the
/// heap. O(heap).
[[nodiscard]] BESOM_API Result<RootPath> path_to_root(Heap& heap, Ref<void> ref) noexcept;

/// What keeps objects of a heap alive from outside.
class BESOM_API HeldRoots {
 public:
  /// By kind, and by label in alphabetical order.
  [[nodiscard]] std::span<const HeldRoot> rows() const noexcept { return {rows_.data(), count_}; }
  /// How many roots of a kind there are.
  [[nodiscard]] std::uint64_t count(HeldRoot::Kind kind) const noexcept;
  /// A line for each row, e.g. "3 handle 'parser'", each with its newline.
  [[nodiscard]] std::string message() const { return detail::message_of(*this); }
  /// The same into `buffer`: see Error::write_message().
  std::size_t write_message(char* buffer, std::size_t size) const noexcept;

 private:
  friend BESOM_API Result<HeldRoots> held_roots(Heap& heap) noexcept;
  detail::ZeroedArray<HeldRoot> rows_;
  std::size_t count_ = 0;
};

/// The handles, locals and registrations there are, by label. Fails as census() does. O(n log n) in
/// their number.
[[nodiscard]] BESOM_API Result<HeldRoots> held_roots(Heap& heap) noexcept;

/// A place in the program that allocates objects of one type, with what the samples of it say.
struct AllocationRow {
  const char* function;  ///< As the host named it; else a symbol, or an address in `file`.
  const char* file;      ///< As the host named it; else the program's or library's. May be "".
  std::uint32_t line;    ///< 0: not known.
  std::uint32_t column;  ///< Likewise.
  TypeId type;           ///< Of the objects.
  const TypeDescriptor* descriptor;  ///< Of that. Lives as long as the heap.
  std::uint64_t samples;             ///< How many were taken.
  std::uint64_t allocated_bytes;     ///< About so many in all, also of objects that are dead.
  std::uint64_t live_samples;        ///< Alive at the last collection, or new since.
  std::uint64_t live_bytes;          ///< About so many are.
};

/// Where a heap's objects were allocated, as far as that was sampled: HeapOptions::sample_bytes.
class BESOM_API AllocationSites {
 public:
  /// That with the most live bytes first. Texts live as long as the heap.
  [[nodiscard]] std::span<const AllocationRow> rows() const noexcept {
    return {rows_.data(), count_};
  }
  /// How many allocations were sampled; what those stand for that found no room among the rows, of
  /// which there are up to 1024, is in none.
  [[nodiscard]] std::uint64_t samples() const noexcept { return samples_; }
  /// One allocation in so many bytes is, now; twice as many whenever 65,536 samples live.
  [[nodiscard]] std::uint64_t sample_bytes() const noexcept { return sample_bytes_; }
  /// A line for each row, each with its newline.
  [[nodiscard]] std::string message() const { return detail::message_of(*this); }
  /// The same into `buffer`: see Error::write_message().
  std::size_t write_message(char* buffer, std::size_t size) const noexcept;

 private:
  friend BESOM_API Result<AllocationSites> allocation_sites(Heap& heap) noexcept;
  detail::ZeroedArray<AllocationRow> rows_;
  std::size_t count_ = 0;
  std::uint64_t samples_ = 0;
  std::uint64_t sample_bytes_ = 0;
};

/// Where objects were allocated. Fails with bad_option where that is not sampled, and as census()
/// does. O(sites).
[[nodiscard]] BESOM_API Result<AllocationSites> allocation_sites(Heap& heap) noexcept;
/// Writes where live objects were allocated into the file `name`, which ends in ".heapprofile" for
/// Chrome's DevTools. Fails as allocation_sites() and, for the file, as save_snapshot() do.
[[nodiscard]] BESOM_API Error save_allocation_profile(Heap& heap, const char* name) noexcept;

/// Where a heap snapshot goes, in order and in pieces of up to 64 KiB. False: it takes no more, and
/// the snapshot fails. Must return, and may not call into the heap.
struct SnapshotSink {
  /// Takes the next bytes.
  bool (*write)(void* user, const char* bytes, std::size_t count) = nullptr;
  void* user = nullptr;  ///< Passed to `write`.
};

/// What an object counts as in the viewer, which groups those of kind `object` by their names, and
/// all others by kind. The numbers are those of the format.
enum class SnapshotKind : std::uint32_t {
  array = 1,
  string = 2,
  object = 3,
  code = 4,
  closure = 5,
  number = 7,
  native = 8,
  symbol = 12,
  bigint = 13,
};

/// How one object is shown.
struct SnapshotLabel {
  /// Room for the text.
  static constexpr std::uint32_t kMaxBytes = 120;

  SnapshotKind kind = SnapshotKind::object;  ///< What the viewer groups it with.
  std::uint32_t length = 0;                  ///< Of the text; 0: the object's type names it.
  char text[kMaxBytes];                      ///< UTF-8. What is none shows as U+FFFD.
};

/// Labels objects one by one, where the names of their types say too little. Called several times
/// for each object whose header is sound, and has to say the same each time. May read objects;
/// trusted code as a trace callback is. Must return, and may not call into the heap.
struct SnapshotLabeller {
  /// Changes `label` where it is to be another. nullptr: types name all objects.
  void (*label)(void* user, const ObjectView& object, SnapshotLabel& label) = nullptr;
  void* user = nullptr;  ///< Passed to `label`.
};

/// What a snapshot shows.
struct SnapshotStats {
  std::uint64_t objects = 0;  ///< Dead ones included that were not yet collected.
  std::uint64_t edges = 0;  ///< Of objects and roots, those that name the groups of roots included.
  std::uint64_t bytes = 0;  ///< Of text.
  std::uint64_t bad_refs = 0;     ///< Slots and roots that hold no object's index: left out.
  std::uint64_t bad_headers = 0;  ///< Objects shown without a type and what they refer to.
};

/// Writes all objects that each_object() would visit, what they refer to and what roots hold, as a
/// heap snapshot that Chrome's DevTools load (docs/debugging.md). collect() first to see the live
/// ones alone. Nothing is collected meanwhile. Takes host memory of 1/4096 of the heap, 64 KiB and
/// 12 to 36 bytes a root. Fails with write_failed when the sink does, with abandoned when a
/// callback visits or says something else from one walk to the next, with bad_argument where the
/// sink has no `write`, and as census() does. O(heap).
[[nodiscard]] BESOM_API Result<SnapshotStats> write_snapshot(
    Heap& heap, const SnapshotSink& sink, const SnapshotLabeller& labeller = {}) noexcept;
/// The same into the file `name`, which ends in ".heapsnapshot" for the viewer. It is written
/// beside, readable by its owner alone, and then takes the place of a file of that name, which
/// stays as it was when anything fails: write_failed then, with errno, also where `name` is there
/// and no regular file; bad_argument for a null name.
[[nodiscard]] BESOM_API Result<SnapshotStats> save_snapshot(
    Heap& heap, const char* name, const SnapshotLabeller& labeller = {}) noexcept;

}  // namespace besom
