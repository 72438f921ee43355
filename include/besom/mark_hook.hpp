#pragma once

#include <cstdint>

#include "besom/detail/export.h"
#include "besom/ref.hpp"

namespace besom {

namespace detail {
class GranuleBits;
class Space;
}  // namespace detail

/// What a collection has found alive, for hosts that keep weak structures of their own: whatever is
/// not marked dies at the end of this collection. Valid during the hook's call only.
class BESOM_API MarkView {
 public:
  /// Made by the collector.
  MarkView(const detail::Space& space, const detail::GranuleBits& marks, bool minor) noexcept
      : space_(space), marks_(marks), minor_(minor) {}

  /// Whether the object lives on. False for null and for what is no object of this heap. In a minor
  /// collection true for every old object, reachable or not. O(1).
  [[nodiscard]] bool is_marked(Ref<void> object) const noexcept;
  /// The same by the address of the object's start.
  [[nodiscard]] bool is_marked(const void* object) const noexcept;
  /// Whether this collection looks at the young alone.
  [[nodiscard]] bool is_minor() const noexcept { return minor_; }

 private:
  const detail::Space& space_;
  const detail::GranuleBits& marks_;
  bool minor_;
};

/// Called in each collection between mark and sweep: when all that is reachable is marked, and
/// before anything is freed. May read objects that are marked, with headers and slots as the
/// program left them, weak ones not cleared yet, and change the host's structures; may not
/// allocate, collect or change roots.
using MarkHook = void (*)(void* user, const MarkView& marks);

}  // namespace besom
