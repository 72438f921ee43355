#pragma once

#include <cstddef>
#include <cstdint>

#include "besom/census.hpp"
#include "besom/detail/export.h"
#include "besom/error.hpp"

namespace besom {

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

}  // namespace besom
