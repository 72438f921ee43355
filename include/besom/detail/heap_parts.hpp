#pragma once

#include <cstdint>

#include "besom/detail/front.hpp"
#include "besom/detail/root_table.hpp"
#include "besom/error.hpp"
#include "besom/options.hpp"
#include "besom/site.hpp"

namespace besom {

class Heap;

namespace detail {

class Collector;
class FinalizerTable;
class HeapObserver;
class Space;

/// All that a heap consists of, open to the collector and to inspection. The Heap is the face that
/// embedders see, and owns what the pointers lead to.
struct HeapParts {
  explicit HeapParts(const HeapOptions& own_options) noexcept : options(own_options) {}

  Front front;
  std::uint32_t newest = 0;  ///< The last new object, until it gets a root; itself a root.
  RootTable* roots = nullptr;
  FinalizerTable* finalizers = nullptr;
  Error error;  ///< Why the last call failed: see Heap::error().
  HeapOptions options;
  Space* space = nullptr;
  Collector* collector = nullptr;
  SiteNamer name_site = nullptr;
  void* name_site_user = nullptr;
  HeapObserver* observer = nullptr;  ///< nullptr: nobody hears what the heap does.
};

/// @{
/// The one way from a heap to its parts.
[[nodiscard]] HeapParts& parts_of(Heap& heap) noexcept;
[[nodiscard]] const HeapParts& parts_of(const Heap& heap) noexcept;
/// @}

}  // namespace detail
}  // namespace besom
