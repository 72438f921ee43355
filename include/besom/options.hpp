#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "besom/detail/export.h"
#include "besom/error.hpp"
#include "besom/log.hpp"
#include "besom/system.hpp"

namespace besom {

namespace detail {

/// The library defines one of the two. Whoever includes this refers to the one of the same build,
/// so that the linker refuses, by this name, to mix programs with zeal and a library without.
#ifdef BESOM_ZEAL
extern BESOM_API const char kLibraryIsBuiltWithZeal;
[[gnu::used]] inline const char* const kZealOfLibrary = &kLibraryIsBuiltWithZeal;
#else
extern BESOM_API const char kLibraryIsBuiltWithoutZeal;
[[gnu::used]] inline const char* const kNoZealOfLibrary = &kLibraryIsBuiltWithoutZeal;
#endif

}  // namespace detail

/// When the arena may grow before memory that was freed is all used again.
struct Growth {
  /// The heap may reach `factor` times what the last collection found live. 0: it may take all of
  /// heap_max before it collects.
  double factor = 1.75;

  /// All of heap_max, before anything is collected.
  [[nodiscard]] static constexpr Growth fixed() noexcept { return {0}; }
  /// `factor` is above 1, and at most 1000.
  [[nodiscard]] static constexpr Growth of_live(double factor) noexcept { return {factor}; }
};

/// Slow modes that make a mistake show where it is made.
struct Zeal {
  /// The library's build option `zeal`: then verify and poison are on unless they are turned off.
#ifdef BESOM_ZEAL
  static constexpr bool kBuiltIn = true;
#else
  static constexpr bool kBuiltIn = false;
#endif

  std::uint32_t collect_every = 0;  ///< Collect at every Nth allocation; 0: off.
  bool verify = kBuiltIn;           ///< Walk the whole heap before and after each collection.
  bool poison = kBuiltIn;           ///< Overwrite freed memory; under ASan make it inaccessible.
  /// Bytes of freed memory to hold back before it is handed out again, so that who uses it after
  /// its object died does not meet the next one: the last that were freed, in up to 4096 pieces.
  /// They count as free. Where the heap would be full they are given up. 0: none.
  std::uint64_t quarantine = 0;

  /// The quarantine of every().
  static constexpr std::uint64_t kQuarantine = 256 << 10;

  /// All of it, collecting at every `n`th allocation.
  [[nodiscard]] static constexpr Zeal every(std::uint32_t n) noexcept {
    return {n, true, true, kQuarantine};
  }
};

/// The name of a file, as an option keeps it: a copy, without memory of its own.
class FileName {
 public:
  /// Of the longest name; check_options() refuses a longer one.
  static constexpr std::size_t kMostBytes = 511;

  /// No name.
  constexpr FileName() noexcept = default;
  /// @{
  /// Copies `name`. An empty one is no name.
  constexpr FileName(std::string_view name) noexcept : is_too_long_(name.size() > kMostBytes) {
    const std::size_t count = is_too_long_ ? kMostBytes : name.size();
    for (std::size_t i = 0; i < count; ++i) text_[i] = name[i];
  }
  constexpr FileName(const char* name) noexcept
      : FileName(name != nullptr ? std::string_view(name) : std::string_view()) {}
  template <class String>
  requires std::is_convertible_v<const String&, std::string_view>
  constexpr FileName(const String& name) noexcept : FileName(std::string_view(name)) {}
  /// @}

  /// Whether there is none.
  [[nodiscard]] constexpr bool empty() const noexcept { return text_[0] == '\0'; }
  /// Whether the name that was given had more than kMostBytes.
  [[nodiscard]] constexpr bool is_too_long() const noexcept { return is_too_long_; }
  /// With its zero. Good as long as this.
  [[nodiscard]] constexpr const char* c_str() const noexcept { return text_; }

 private:
  char text_[kMostBytes + 1] = "";
  bool is_too_long_ = false;
};

class Heap;

/// Asked when an allocation is about to be refused for want of memory, with the error that it would
/// have: after a full collection, outside of any, on the heap's thread. Everything may be done that
/// the program may do between two calls: drop roots, run finalizers, take external bytes away,
/// collect, write a snapshot, allocate what still fits; refs need roots as at any allocation. An
/// allocation that is refused meanwhile asks nobody. True: collect once more and try again.
///
/// May leave by longjmp: then Heap::recover() is due where it lands. May not destroy the heap.
using NearLimit = bool (*)(void* user, Heap& heap, const Error& refusal);

/// All sizes in bytes.
struct HeapOptions {
  /// The largest heap_max, and the default.
  static constexpr std::uint64_t kMaxHeap = std::uint64_t{4} << 30;

  /// Used before the first collection is considered; 0: 1 MiB, or heap_max if that is less.
  std::uint64_t heap_initial = 0;
  std::uint64_t heap_max = kMaxHeap;  ///< The arena never grows beyond; from 64 KiB to 4 GiB.
  /// Address space to reserve. 0: all that any 32-bit index plus any 32-bit offset can reach, 8
  /// GiB, which contains every stray access by layout. A smaller value, at least heap_max, is kept
  /// safe by range checks instead.
  std::uint64_t reserve = 0;
  Growth growth{};  ///< How far beyond what is live.
  /// Collects the young alone most of the time: objects that were reached once are not marked again
  /// until a full collection. Only for programs in which every store of a ref into an object goes
  /// through write_ref(), a member type or note_store().
  bool generational = false;
  /// Marks in slices, between which the program runs, instead of in one stop: see docs/design.md.
  /// With `generational` the full collections do; minor ones come between two cycles. The heap gets
  /// no huge pages, and may grow by half beyond `growth` while it marks. Only for programs in
  /// which every store of a ref into an object goes through write_ref() or a member type, or comes
  /// after note_overwrite(), and in which weak slots are read by WeakMember, WeakValueMember or
  /// prepare_read().
  bool incremental = false;
  /// Of an incremental heap, what a slice marks at least, in objects and slots visited, some ten
  /// nanoseconds each: from 1 to 2^30.
  std::uint32_t slice = 1000;
  /// Allocation never collects; Heap::safepoint() alone does, where the embedder calls it, besides
  /// Heap::collect(). Between safepoints the heap grows up to heap_max, so references may live in
  /// places that no root names.
  bool safepoints = false;
  Zeal zeal{};  ///< Off, but in a library that is built with it.
  /// Entries of the mark stack; 0: sized by the heap. A full stack costs time, not correctness.
  std::uint32_t mark_stack = 0;
  /// What the tables of the heap mix into their keys' hashes, so that nobody who does not know it
  /// can choose keys that meet. 0: random, and then in options() of the heap. The order in which a
  /// table visits its entries depends on it, and nothing else does.
  std::uint64_t hash_seed = 0;
  LogLevel log = LogLevel::warn;  ///< Least level that reaches the sink.
  LogSink sink{};                 ///< Without a `write`, lines go to spdlog, if built with it.
  /// BESOM_OPTIONS overrides what is set here, but not in a program with more rights than its user.
  bool read_environment = true;
  const System* system = nullptr;  ///< nullptr: the operating system itself.
  /// nullptr: nobody is asked. Nor is anybody where allocation may not collect.
  NearLimit near_limit = nullptr;
  void* near_limit_user = nullptr;  ///< Passed to `near_limit`.

  // What the heap writes down about itself: docs/debugging.md. Of two heaps of a process that are
  // given one name at a time the second writes NAME.2, before an extension. The child of a fork
  // writes nothing.

  /// Each stop and collection, as trace events for Perfetto, while the program runs.
  FileName trace{};
  /// A heap snapshot, before an allocation is refused for want of memory the first time.
  FileName snapshot_at_limit{};
  /// What a report of the run needs: docs/record-format.md.
  FileName record{};
  /// A table of all statistics when the heap ends: to standard error, or line by line to `sink`
  /// where that is set, whatever `log` says.
  bool stats_at_exit = false;
  /// Where the objects were allocated that lived after the fullest collection, written when the
  /// heap ends, for Chrome's DevTools, to which such a file is a `.heapprofile`. Samples one
  /// allocation in kSampleBytes unless `sample_bytes` is set.
  FileName allocation_profile{};
  /// One in so many bytes allocated is sampled, on the average: from 4 KiB to 1 TiB. Deterministic,
  /// but allocation and collections take other places than without. 0: none, which costs nothing.
  /// Heap::set_site_namer() gives the places names.
  std::uint64_t sample_bytes = 0;

  /// The `sample_bytes` of an `allocation_profile` for which none are set.
  static constexpr std::uint64_t kSampleBytes = 512 << 10;
};

/// `base` with the settings of `text` on top: "key=value" pairs separated by commas, the keys
/// heap_initial, heap_max, reserve, growth, generational, incremental, slice, safepoints, zeal,
/// mark_stack, hash_seed, log, trace, snapshot_at_limit, record, stats, allocation_profile,
/// sample_bytes; of one key twice, the last counts. Sizes take K, M, G; growth is "fixed" or a
/// decimal factor above 1, at most 1000; generational, incremental and safepoints are "on" or
/// "off"; trace, snapshot_at_limit, record and allocation_profile take the name of a file, without
/// a comma, or nothing; stats is "exit" or "off"; zeal is "off" or a sum of alloc:N, verify,
/// poison, quarantine:SIZE. A quarantine is poisoned; alloc:N with nothing beside but a quarantine
/// means all four. An unknown key, a senseless value or what is no pair is a bad_option; its `name`
/// is that key, that value or that pair.
[[nodiscard]] BESOM_API Result<HeapOptions> parse_options(std::string_view text,
                                                          HeapOptions base = {});

/// The error for options that contradict themselves; otherwise an ok Error.
[[nodiscard]] BESOM_API Error check_options(const HeapOptions& options) noexcept;

}  // namespace besom
