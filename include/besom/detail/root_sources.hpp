#pragma once

#include <cstdint>
#include <span>

#include "besom/detail/export.h"
#include "besom/detail/native_stack.hpp"
#include "besom/detail/table_memory.hpp"
#include "besom/held_root.hpp"
#include "besom/mark_hook.hpp"
#include "besom/type.hpp"

namespace besom {

/// Enumerates the embedder's own roots by visiting each. May not allocate or change roots.
using RootCallback = void (*)(void* user, Tracer& tracer);

namespace detail {

/// Where roots that are no handles come from; or, with a hook, what else is called in a collection.
struct RootSource {
  RootCallback callback = nullptr;  ///< nullptr: a range of slots or of words, a stack, or a hook.
  MarkHook hook = nullptr;
  void* user = nullptr;
  std::uint32_t* slots = nullptr;
  std::uint64_t count = 0;
  const void* words = nullptr;  ///< Ambiguous words, not slots, up to `words_end`.
  const void* words_end = nullptr;
  NativeStack stack = {};  ///< Without an end where the source is no stack.
  const char* label = nullptr;
  bool is_removed = false;

  [[nodiscard]] HeldRoot::Kind kind() const noexcept {
    if (hook != nullptr) return HeldRoot::Kind::mark_hook;
    return callback != nullptr ? HeldRoot::Kind::callback : HeldRoot::Kind::range;
  }
};

/// What was registered and not removed, in the order in which that was done, with the places of
/// some that were removed: never more than there are others. Not thread-safe.
class BESOM_API RootSources {
 public:
  /// `memory` outlives what is registered.
  explicit RootSources(const TableMemory& memory) noexcept : memory_(memory) {}
  RootSources(const RootSources&) = delete;
  RootSources& operator=(const RootSources&) = delete;
  ~RootSources();

  /// The serial that names the source, or 0 when the host has no memory. Amortised O(1).
  [[nodiscard]] std::uint64_t add(const RootSource& source) noexcept;
  /// False when there is no such source. O(log n), amortised.
  [[nodiscard]] bool remove(std::uint64_t serial) noexcept;
  void clear() noexcept;

  /// With those that were removed among them.
  [[nodiscard]] std::span<RootSource> rows() noexcept;
  [[nodiscard]] std::span<const RootSource> rows() const noexcept;

 private:
  struct Table;

  TableMemory memory_;
  Table* table_ = nullptr;  ///< Made for the first one.
  std::uint64_t serial_ = 0;
};

}  // namespace detail
}  // namespace besom
