#pragma once

#include "besom/heap.hpp"
#include "freelist/free_list.hpp"

namespace besom::detail {

/// The tables of what is free, to which all that allocation holds ready counts as taken, and so do
/// the dead that are not swept yet and what zeal holds back: see each_hole(). Aborts on another
/// thread.
[[nodiscard]] const FreeList& free_list_of(Heap& heap) noexcept;

}  // namespace besom::detail
