#include "heap/space.hpp"

#include <algorithm>
#include <cstring>

#include "heap/poison.hpp"
#include "heap/ref.hpp"

namespace besom::detail {

Result<Space> Space::create(const HeapOptions& options, const LogSink& log) {
  const System& system = options.system != nullptr ? *options.system : operating_system();
  Result<Arena> arena =
      Arena::reserve(options.heap_max, options.reserve, system, options.generational);
  if (!arena) return arena.error();
  std::optional<FreeList> free_list = FreeList::create(0, log);
  if (!free_list || !free_list->reserve(options.heap_max)) {
    return Error{.code = Errc::out_of_host_memory,
                 .bytes = options.heap_max / 28,
                 .detail = "tables of the free list"};
  }
  Space space(std::move(*arena), std::move(*free_list));
  const auto lines = static_cast<std::uint32_t>(options.heap_max >> (kGranuleShift + kLineShift));
  if (options.generational && !space.young_lines_.grow(lines + 1)) {
    return Error{.code = Errc::out_of_host_memory,
                 .bytes = options.heap_max >> 13,
                 .detail = "table of young lines"};
  }
  return space;
}

char* Space::allocate(std::uint32_t granules) noexcept {
  const std::uint32_t bytes = granules * kGranuleBytes;
  char* object = nullptr;
  if (granules <= kWindowClasses && windows_enabled_ && may_have_runs_) {
    Window& window = windows_[granules];
    const Run run = free_list_.take_run(std::min(kMinWindowBytes, window_bytes()), window_bytes());
    if (run.size_bytes != 0) {
      retire(window, granules);
      object = base() + run.index;
      window = {object + bytes, object + run.size_bytes, object};
      // Objects in windows are zeroed as they come, whatever the memory held.
      untouched_ = std::max<std::uint64_t>(untouched_, run.end());
      unpoison(object, run.size_bytes);
      note_young(run.index, run.size_bytes);
      return object;
    }
    may_have_runs_ = false;
  }
  if (granules <= kWindowClasses && windows_enabled_) return refill_spares(granules);
  const std::uint32_t index = free_list_.alloc_fast(bytes);
  if (index == 0) return nullptr;
  object = base() + index;
  unpoison(object, bytes);
  note_young(index, kGranuleBytes);
  return object;
}

/// At least one, at most a window's worth: spares are little of a small heap too.
char* Space::refill_spares(std::uint32_t granules) noexcept {
  const std::uint32_t bytes = granules * kGranuleBytes;
  Spares& spares = spares_[granules];
  const std::uint32_t most = std::clamp(window_bytes() / bytes, 1u, Spares::kMost);
  spares.next = 0;
  spares.end = free_list_.take_blocks(bytes, spares.indices, most);
  for (std::uint32_t i = 0; i < spares.end; ++i) {
    const std::uint64_t index = spares.indices[i];
    for (std::uint32_t at = 0; at < bytes; at += 64) __builtin_prefetch(base() + index + at, 1);
    unpoison(base() + index, bytes);
    note_young(spares.indices[i], kGranuleBytes);
    untouched_ = std::max(untouched_, index + bytes);
  }
  return take_spare(granules);
}

/// Lines where objects may start.
void Space::note_young(std::uint32_t index, std::uint32_t bytes) noexcept {
  if (!cards().recording()) return;
  constexpr std::uint32_t kShift = kGranuleShift + kLineShift;
  young_lines_.insert_range(index >> kShift, (index + bytes - 1) >> kShift);
}

/// A window is a small share of the arena, so that thirty of them do not use up a small heap.
std::uint32_t Space::window_bytes() const noexcept {
  const std::uint64_t share = capacity() / 256 / kMinWindowBytes * kMinWindowBytes;
  return static_cast<std::uint32_t>(
      std::clamp<std::uint64_t>(share, kWindowClasses * kGranuleBytes, kMaxWindowBytes));
}

void Space::clear(char* object, std::uint64_t bytes) noexcept {
  const auto from = static_cast<std::uint64_t>(object - base());
  const std::uint64_t used_before = from < untouched_ ? std::min(bytes, untouched_ - from) : 0;
  std::memset(object, 0, used_before);
  untouched_ = std::max(untouched_, from + bytes);
}

void Space::publish(Window& window, std::uint32_t granules) noexcept {
  if (window.first == window.cursor) return;
  free_list_.cut_block(index_of(window.first), granules * kGranuleBytes,
                       static_cast<std::uint32_t>(window.cursor - window.first));
  window.first = window.cursor;
}

void Space::retire(Window& window, std::uint32_t granules) noexcept {
  publish(window, granules);
  const auto rest = static_cast<std::uint32_t>(window.room());
  if (rest != 0) {
    const std::uint32_t index = index_of(window.cursor);
    if (poison_) poison_run({index, rest});
    free_list_.dealloc_fast(index, rest);
  }
  window = {};
}

void Space::retire_windows() noexcept {
  for (std::uint32_t granules = 1; granules <= kWindowClasses; ++granules) {
    retire(windows_[granules], granules);
    for (Spares& spares = spares_[granules]; spares.next != spares.end; ++spares.next) {
      free_list_.dealloc_fast(spares.indices[spares.next], granules * kGranuleBytes);
    }
  }
  free_list_.settle();
  may_have_runs_ = true;
}

void Space::publish_windows() noexcept {
  for (std::uint32_t granules = 1; granules <= kWindowClasses; ++granules) {
    publish(windows_[granules], granules);
  }
}

Error Space::grow(std::uint64_t capacity) noexcept {
  const std::uint64_t before = this->capacity();
  if (capacity <= before) return {};
  const std::uint64_t pages = (capacity + Arena::kPage - 1) / Arena::kPage * Arena::kPage;
  if (Error error = arena_.commit(pages)) return error;
  if (!free_list_.try_add_capacity(capacity - before)) {
    return {.code = Errc::out_of_host_memory, .bytes = capacity / 28, .detail = "free list tables"};
  }
  may_have_runs_ = true;
  return {};
}

void Space::poison_run(Run run) noexcept {
  poison(base() + run.index, run.size_bytes);
  untouched_ = std::max<std::uint64_t>(untouched_, run.index + std::uint64_t{run.size_bytes});
}

void Space::note_allocated(std::uint64_t bytes) noexcept {
  resident_ = std::min(untouched_, resident_ + bytes);
}

/// The last huge page may have come whole, with what was never handed out.
std::uint64_t Space::touched_end() const noexcept {
  return std::min(arena_.committed(),
                  (untouched_ + Arena::kHugePage - 1) / Arena::kHugePage * Arena::kHugePage);
}

std::uint64_t Space::discard_holes(std::uint64_t least, std::uint64_t most) noexcept {
  std::uint64_t discarded = 0;
  // Millions of small holes need no walk.
  if (free_list_.largest_free_block() < least) return 0;
  for (const Run hole : free_list_.free_blocks()) {
    if (discarded >= most) break;
    if (hole.size_bytes < least || hole.index >= touched_end()) continue;
    const std::uint64_t used = std::min<std::uint64_t>(hole.size_bytes, touched_end() - hole.index);
    discarded += arena_.discard(hole.index, used);
  }
  resident_ -= std::min(resident_, discarded);
  return discarded;
}

std::uint64_t Space::discard_all() noexcept {
  const std::uint64_t discarded = discard_holes(Arena::kPage, ~std::uint64_t{0});
  resident_ = std::min(untouched_, touched_end() - discarded);
  for (const FreeList::TablePart& part : free_list_.tables_below(untouched_)) {
    discard_zeros(part.data, part.bytes, arena_.system());
  }
  if (cards().recording()) {
    const auto count =
        static_cast<std::uint32_t>((untouched_ + Cards::kBytes - 1) >> Cards::kShift);
    discard_zeros(cards().first_of(count), count, arena_.system());
  }
  return discarded;
}

bool Space::is_unused(std::uint32_t index) const noexcept {
  const bool is_rest = std::any_of(
      std::begin(windows_), std::end(windows_),
      [&](const Window& window) { return window.room() != 0 && index == index_of(window.cursor); });
  const std::uint32_t granules = free_list_.run_at(index).size_bytes >> kGranuleShift;
  if (is_rest || granules > kWindowClasses) return is_rest;
  const Spares& spares = spares_[granules];
  const std::uint32_t* end = spares.indices + spares.end;
  return std::find(spares.indices + spares.next, end, index) != end;
}

bool Space::is_object(std::uint32_t index) noexcept {
  if (free_list_.is_block(index) && !is_unused(index)) return true;
  publish_windows();
  return free_list_.is_block(index) && !is_unused(index);
}

Run Space::object_at(std::uint32_t index) noexcept {
  if (index < FreeList::kAlign || index - FreeList::kAlign >= free_list_.max_size()) return {};
  publish_windows();
  const Run run = free_list_.run_at(index);
  return free_list_.is_block(run.index) && !is_unused(run.index) ? run : Run{};
}

void Space::reset() noexcept {
  std::fill(std::begin(windows_), std::end(windows_), Window{});
  for (Spares& spares : spares_) spares.next = spares.end = 0;
  free_list_.reset();
  if (BESOM_HAS_ASAN) unpoison(base(), arena_.committed());
}

}  // namespace besom::detail
