#include "heap/space.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "heap/poison.hpp"
#include "heap/ref.hpp"

namespace besom::detail {

Result<Space> Space::create(const HeapOptions& options, const LogSink& log) {
  const System& system = options.system != nullptr ? *options.system : operating_system();
  Result<Arena> arena =
      Arena::reserve(options.heap_max, options.reserve, system, options.generational);
  if (!arena) return arena.error();
  const TableMemory tables = table_memory(system);
  std::optional<FreeList> free_list = FreeList::create(0, log, tables);
  if (!free_list || !free_list->reserve(options.heap_max)) {
    return Error{.code = Errc::out_of_host_memory,
                 .system_errno = errno,
                 .bytes = options.heap_max / 28,
                 .detail = "tables of the free list"};
  }
  Space space(std::move(*arena), std::move(*free_list));
  const auto lines = static_cast<std::uint32_t>(options.heap_max >> (kGranuleShift + kLineShift));
  if (!space.spares_.create()) {
    return Error{.code = Errc::out_of_host_memory, .detail = "spares"};
  }
  if (!space.quarantine_.create(options.zeal.quarantine, options.heap_max)) {
    return Error{.code = Errc::out_of_host_memory, .detail = "quarantine"};
  }
  if (!space.leaves_.create(options.heap_max, tables)) {
    return Error{.code = Errc::out_of_host_memory,
                 .system_errno = errno,
                 .bytes = options.heap_max >> 7,
                 .detail = "table of leaves"};
  }
  space.young_lines_ = BitTree(tables);
  if (options.generational && !space.young_lines_.grow(lines + 1)) {
    return Error{.code = Errc::out_of_host_memory,
                 .system_errno = errno,
                 .bytes = options.heap_max >> 13,
                 .detail = "table of young lines"};
  }
  return space;
}

/// Small holes come first. In the other order every run that a large object leaves is taken by
/// small ones while their own holes lie idle, until nothing large is left whole.
char* Space::allocate(std::uint32_t granules) noexcept {
  const std::uint32_t bytes = granules * kGranuleBytes;
  if (granules <= kWindowClasses && windows_enabled_) {
    if (may_have_holes_) {
      if (char* object = allocate_between(granules, false)) return object;
      may_have_holes_ = false;
    }
    if (may_have_runs_) {
      if (char* object = open_window(granules)) return object;
    }
    return allocate_between(granules, true);
  }
  const std::uint32_t index = free_list_.alloc_fast(bytes);
  if (index == 0) return nullptr;
  note_young(index, kGranuleBytes);
  return clear({index, bytes});
}

char* Space::open_window(std::uint32_t granules) noexcept {
  const Run run = free_list_.take_run(std::min(kMinWindowBytes, window_bytes()), window_bytes());
  may_have_runs_ = run.size_bytes != 0;
  if (!may_have_runs_) return nullptr;
  Window& window = windows_[granules];
  retire(window, granules);
  const std::uint32_t bytes = granules * kGranuleBytes;
  char* object = base() + run.index;
  window = {object + bytes, object + run.size_bytes, object};
  // Objects in windows are zeroed as they come, whatever the memory held.
  untouched_ = std::max<std::uint64_t>(untouched_, run.end());
  arena_.use(run.index, run.size_bytes);
  unpoison(object, run.size_bytes);
  note_young(run.index, run.size_bytes);
  std::memset(object, 0, bytes);
  return object;
}

/// From small holes, and with `runs` also from what a window could take. First brings in stock, up
/// to a budget, so that there is a choice; then makes ready what has exactly the size, and pieces
/// of the smallest that fit.
char* Space::allocate_between(std::uint32_t granules, bool runs) noexcept {
  // Larger stocks leave the cache before they are used. Larger objects cannot use them.
  constexpr std::uint64_t kStockBytes = 256 << 10;
  const std::uint64_t budget = std::min(kStockBytes, capacity() / 64);
  while (!spares_.has(granules) && spares_.stock_bytes() < budget &&
         take_stretch(spares_.wanted())) {
  }
  if (spares_.size_from(granules) == 0 && !stock_fitting(granules, runs)) return nullptr;
  const std::uint32_t most =
      std::clamp(window_bytes() / (granules * kGranuleBytes), 1u, Spares::kReady);
  while (spares_.has(granules) && spares_.ready(granules) < most) {
    spares_.make_ready(spares_.pop(granules), granules);
  }
  while (spares_.ready(granules) < most && spares_.size_from(granules) != 0) {
    cut_spare(granules, most);
  }
  return take_spare(granules);
}

/// Brings in stock in which at least one block has `granules`; false when there is none anywhere.
bool Space::stock_fitting(std::uint32_t granules, bool runs) noexcept {
  if (!spares_.has_room_for(FreeList::Stretch::kMost)) retire_stock();
  const std::uint64_t fitting = ~std::uint64_t{0} << granules;
  if (take_stretch(fitting)) return true;
  next_stretch_ = 0;
  if (take_stretch(fitting)) return true;
  if (!runs) return false;
  const std::uint32_t whole_pieces = Spares::kSizes / granules * granules;
  const Run run = free_list_.take_run(granules * kGranuleBytes, whole_pieces * kGranuleBytes);
  if (run.size_bytes == 0) return false;
  add_spare(run);
  return true;
}

/// Makes pieces of `granules` ready, cut from the smallest block in stock that fits, until there
/// are `most`.
void Space::cut_spare(std::uint32_t granules, std::uint32_t most) noexcept {
  std::uint32_t size = spares_.size_from(granules);
  std::uint32_t index = spares_.pop(size);
  const std::uint32_t bytes = granules * kGranuleBytes;
  while (true) {
    spares_.make_ready(index, granules);
    size -= granules;
    if (size == 0) return;
    free_list_.split_block(index, bytes);
    index += bytes;
    if (size < granules || spares_.ready(granules) == most) {
      spares_.push(index, size);
      return;
    }
  }
}

/// False when no stretch further up has a hole of one of `sizes`, or there is no room for more.
bool Space::take_stretch(std::uint64_t sizes) noexcept {
  if (!spares_.has_room_for(FreeList::Stretch::kMost)) return false;
  Run* holes = spares_.incoming();
  const FreeList::Stretch stretch =
      free_list_.take_stretch(next_stretch_, sizes, spares_.wanted(), holes);
  if (stretch.count == 0) return false;
  next_stretch_ = stretch.end;
  for (std::uint32_t i = 0; i < stretch.count; ++i) add_spare(holes[i]);
  return true;
}

void Space::add_spare(Run run) noexcept {
  note_young(run.index, run.size_bytes);
  clear(run);
  spares_.push(run.index, run.size_bytes >> kGranuleShift);
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

/// Of memory that was never used, or given back since, nothing has to be written.
char* Space::clear(Run run) noexcept {
  char* first = base() + run.index;
  unpoison(first, run.size_bytes);
  if (run.index < untouched_) {
    arena_.zero(run.index, std::min<std::uint64_t>(run.size_bytes, untouched_ - run.index));
  }
  arena_.use(run.index, run.size_bytes);
  untouched_ = std::max<std::uint64_t>(untouched_, run.end());
  return first;
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
  }
  retire_spares();
  next_stretch_ = 0;
  may_have_runs_ = true;
  may_have_holes_ = true;
}

void Space::retire_spares() noexcept {
  for (std::uint32_t granules = 1; granules <= Spares::kReadySizes; ++granules) {
    while (const std::uint32_t index = spares_.take(granules)) {
      free_list_.dealloc_fast(index, granules * kGranuleBytes);
    }
  }
  retire_stock();
}

void Space::retire_stock() noexcept {
  for (std::uint32_t granules = 1; granules <= Spares::kSizes; ++granules) {
    while (spares_.has(granules)) {
      free_list_.dealloc_fast(spares_.pop(granules), granules * kGranuleBytes);
    }
  }
}

void Space::publish_windows() noexcept {
  for (std::uint32_t granules = 1; granules <= kWindowClasses; ++granules) {
    publish(windows_[granules], granules);
  }
}

Error Space::grow(std::uint64_t capacity) noexcept {
  const std::uint64_t before = this->capacity();
  if (capacity <= before) return {};
  if (Error error = arena_.commit(capacity)) return error;
  if (!free_list_.try_add_capacity(capacity - before)) {
    return {.code = Errc::out_of_host_memory, .bytes = capacity / 28, .detail = "free list tables"};
  }
  may_have_runs_ = true;
  return {};
}

void Space::poison_run(Run run) noexcept {
  arena_.use(run.index, run.size_bytes);
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
  // Millions of small holes need no walk.
  if (free_list_.largest_free_block() < least) return 0;
  const auto each_hole = [&](auto visit) {
    for (const Run hole : free_list_.free_blocks()) {
      if (hole.size_bytes < least || hole.index >= touched_end()) continue;
      visit(hole.index, std::min<std::uint64_t>(hole.size_bytes, touched_end() - hole.index));
    }
  };
  std::uint64_t kept = 0;
  each_hole([&](std::uint32_t, std::uint64_t bytes) { kept += bytes; });
  kept -= std::min(kept, most);
  std::uint64_t discarded = 0;
  each_hole([&](std::uint32_t index, std::uint64_t bytes) {
    const std::uint64_t here = std::min(kept, bytes);
    kept -= here;
    if (here != bytes) discarded += arena_.discard(index + here, bytes - here);
  });
  resident_ -= std::min(resident_, discarded);
  return discarded;
}

std::uint64_t Space::discard_all() noexcept {
  const std::uint64_t discarded = discard_holes(arena_.page_bytes(), ~std::uint64_t{0});
  resident_ = std::min(untouched_, touched_end() - discarded);
  free_list_.discard_zeros_below(untouched_);
  leaves_.discard_zeros(untouched_ >> kGranuleShift);
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
  return is_rest || spares_.contains(free_list_.run_at(index)) || quarantine_.contains(index);
}

template <class Visit>
void Space::each_unused(Visit visit) const {
  for (const Window& window : windows_) {
    if (window.room() != 0) visit(index_of(window.cursor));
  }
  spares_.each(visit);
  quarantine_.each([&](Run run) { visit(run.index); });
}

/// Takes what allocation holds ready out of its sight, or back.
void Space::park() noexcept {
  std::swap(windows_, parked_);
  spares_.park();
}

void Space::conceal_unused() noexcept {
  publish_windows();
  each_unused([&](std::uint32_t index) { free_list_.conceal(index); });
  park();
  is_concealed_ = true;
}

void Space::reveal_unused() noexcept {
  if (!is_concealed_) return;
  park();
  each_unused([&](std::uint32_t index) { free_list_.reveal(index); });
  is_concealed_ = false;
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
  retire_spares();
  quarantine_.clear();
  next_stretch_ = 0;
  leaves_.clear_below(to_granules(free_list_.used_end()));
  free_list_.reset();
  if (BESOM_HAS_ASAN) unpoison(base(), arena_.committed());
}

}  // namespace besom::detail
