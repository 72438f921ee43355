#include "heap/space.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include "besom/ref.hpp"
#include "heap/poison.hpp"

namespace besom::detail {

Result<std::unique_ptr<Space>> Space::create(const HeapOptions& options, const LogSink& log,
                                             Front& front) {
  const System& system = options.system != nullptr ? *options.system : operating_system();
  Result<Arena> arena =
      Arena::reserve(options.heap_max, options.reserve, system, options.generational);
  if (!arena) return arena.error();
  if (options.incremental) arena->use_small_pages();
  const TableMemory tables = table_memory(system);
  std::optional<FreeList> free_list = FreeList::create(0, log, tables);
  if (!free_list || !free_list->reserve(options.heap_max)) {
    return Error{.code = Errc::out_of_host_memory,
                 .system_errno = errno,
                 .bytes = options.heap_max / 25,
                 .detail = "tables of the free list"};
  }
  // In its place at once: on the stack it would touch pages that nothing else does.
  std::unique_ptr<Space> space(new (std::nothrow)
                                   Space(std::move(*arena), std::move(*free_list), front));
  if (space == nullptr) return Error{.code = Errc::out_of_host_memory, .detail = "heap"};
  if (options.incremental) space->most_searched_ = kSearched;
  const auto lines = static_cast<std::uint32_t>(options.heap_max >> (kGranuleShift + kLineShift));
  if (!space->quarantine_.create(options.zeal.quarantine, options.heap_max)) {
    return Error{.code = Errc::out_of_host_memory, .detail = "quarantine"};
  }
  if (!front.leaves.create(options.heap_max, tables)) {
    return Error{.code = Errc::out_of_host_memory,
                 .system_errno = errno,
                 .bytes = options.heap_max >> 7,
                 .detail = "table of leaves"};
  }
  space->young_lines_ = BitTree(tables);
  if (options.generational && !space->young_lines_.grow(lines + 1)) {
    return Error{.code = Errc::out_of_host_memory,
                 .system_errno = errno,
                 .bytes = options.heap_max >> 13,
                 .detail = "table of young lines"};
  }
  return space;
}

char* Space::allocate(std::uint32_t granules) noexcept {
  BESOM_ASSERT(granules != 0);
  BESOM_ASSERT(!is_concealed_);
  is_interrupted_ = false;
  return granules <= kCursorGranules && windows_enabled_ ? allocate_small(granules)
                                                         : allocate_large(granules);
}

/// Only when no hole fits is the rest looked through: small objects are to find it.
char* Space::allocate_large(std::uint32_t granules) noexcept {
  const std::uint32_t bytes = granules * kGranuleBytes;
  std::uint32_t index = free_list_.alloc_fast(bytes);
  for (std::uint32_t left = most_searched_; index == 0 && left != 0; --left) {
    if (!sweep_.file_long_runs(free_list_, front_->leaves)) break;
    index = free_list_.alloc_fast(bytes);
  }
  if (index == 0) return nullptr;
  sweep_.keep_object(index);
  if (is_marking_) ++born_;
  note_young(index, kGranuleBytes);
  note_unvisited({index, bytes});
  note_handed_out(bytes);
  return clear({index, bytes});
}

void Space::note_handed_out(std::uint32_t bytes) noexcept {
  handed_out_ += bytes;
  if (ends_at_mark_ != 0) [[unlikely]] {
    unmarked_ += bytes;
  } else if (handed_out_ > sample_at_) [[unlikely]] {
    is_sample_due_ = true;
  }
}

/// The run is no longer free: the sweep passes over it, a minor collection looks into it.
void Space::claim(Run run) noexcept {
  BESOM_ASSERT(run.size_bytes != 0 && std::uint64_t{run.index} + run.size_bytes <= capacity());
  BESOM_ASSERT(!is_concealed_);
  sweep_.keep_run(run);
  note_young(run.index, run.size_bytes);
  note_unvisited(run);
  note_handed_out(run.size_bytes);
}

/// While the sweep keeps what is new by a mark, that passes for old in the next minor collection.
/// So what was stored into it, without a barrier perhaps as it was new, is looked for there.
void Space::note_unvisited(Run run) noexcept {
  if (sweep_.done() || !cards().recording()) return;
  const std::uint64_t end = std::uint64_t{run.index} + run.size_bytes;
  for (std::uint64_t at = run.index; at < end; at += Cards::kBytes) {
    cards().mark(static_cast<std::uint32_t>(at));
  }
  cards().mark(static_cast<std::uint32_t>(end - 1));
}

/// What was unused becomes a hole.
void Space::give_back(Run run) noexcept {
  BESOM_ASSERT(!is_concealed_);
  if (poison_) poison_run(run);
  free_list_.dealloc_fast(run.index, run.size_bytes);
}

/// What was dead becomes a hole, now or after its time in quarantine.
void Space::release_block(Run block) noexcept {
  if (poison_) poison_run(block);
  if (quarantine_.is_on()) [[unlikely]]
    block = quarantine_.hold(free_list_, block);
  if (block.size_bytes != 0) free_list_.dealloc_fast(block.index, block.size_bytes);
}

/// Lines where objects may start.
void Space::note_young(std::uint32_t index, std::uint32_t bytes) noexcept {
  BESOM_ASSERT(bytes != 0);
  if (!cards().recording()) return;
  constexpr std::uint32_t kShift = kGranuleShift + kLineShift;
  young_lines_.insert_range(index >> kShift, (index + bytes - 1) >> kShift);
}

/// Of memory that was never used, or given back since, nothing has to be written.
char* Space::clear(Run run) noexcept {
  BESOM_ASSERT(std::uint64_t{run.index} + run.size_bytes <= arena_.committed());
  char* first = base() + run.index;
  unpoison(first, run.size_bytes);
  if (run.index < untouched_) {
    arena_.zero(run.index, std::min<std::uint64_t>(run.size_bytes, untouched_ - run.index));
  }
  arena_.use(run.index, run.size_bytes);
  untouched_ = std::max<std::uint64_t>(untouched_, run.end());
  return first;
}

Error Space::grow(std::uint64_t capacity) noexcept {
  const std::uint64_t before = this->capacity();
  if (capacity <= before) return {};
  if (Error error = arena_.commit(capacity)) return error;
  if (!free_list_.try_add_capacity(capacity - before)) {
    return {.code = Errc::out_of_host_memory, .bytes = capacity / 25, .detail = "free list tables"};
  }
  note_new_holes();
  return {};
}

void Space::poison_run(Run run) noexcept {
  BESOM_ASSERT(std::uint64_t{run.index} + run.size_bytes <= arena_.committed());
  arena_.use(run.index, run.size_bytes);
  poison(base() + run.index, run.size_bytes);
  untouched_ = std::max<std::uint64_t>(untouched_, run.index + std::uint64_t{run.size_bytes});
}

/// The last huge page may have come whole, with what was never handed out.
std::uint64_t Space::touched_end() const noexcept {
  return std::min(arena_.committed(),
                  (untouched_ + Arena::kHugePage - 1) / Arena::kHugePage * Arena::kHugePage);
}

std::uint64_t Space::discard_holes(std::uint64_t least, std::uint64_t most) noexcept {
  DiscardWalk walk(least, most);
  while (!walk.is_done()) discard_some(walk, ~std::uint32_t{0}, Arena::kFullReservation);
  return walk.discarded();
}

std::uint64_t Space::discard_all() noexcept {
  const std::uint64_t discarded = discard_holes(arena_.page_bytes(), ~std::uint64_t{0});
  free_list_.discard_zeros_below(untouched_);
  front_->leaves.discard_zeros(untouched_ >> kGranuleShift);
  if (cards().recording()) {
    const auto count =
        static_cast<std::uint32_t>((untouched_ + Cards::kBytes - 1) >> Cards::kShift);
    discard_zeros(cards().first_of(count), count, arena_.system());
  }
  return discarded;
}

template <class Visit>
void Space::each_unused(Visit visit) const {
  for (const Window& window : front_->windows) {
    if (window.room() != 0) visit(index_of(window.cursor));
  }
  if (front_->cursor != front_->limit) visit(index_of(front_->cursor));
  bins_.each(visit);
  quarantine_.each([&](Run run) { visit(run.index); });
}

/// Takes what objects are bumped in out of the mutator's sight, or back.
void Space::park() noexcept {
  std::swap(front_->windows, parked_);
  std::swap(front_->cursor, parked_cursor_);
  std::swap(front_->limit, parked_limit_);
}

void Space::conceal_unused() noexcept {
  BESOM_ASSERT(!is_concealed_);
  publish_windows();
  if (front_->cursor != front_->limit) free_list_.start_block(index_of(front_->cursor));
  each_unused([&](std::uint32_t index) { free_list_.conceal(index); });
  sweep_.conceal(free_list_);
  park();
  is_concealed_ = true;
}

void Space::reveal_unused() noexcept {
  if (!is_concealed_) return;
  park();
  sweep_.reveal(free_list_);
  each_unused([&](std::uint32_t index) { free_list_.reveal(index); });
  is_concealed_ = false;
}

/// The free list's map shows windows as they were last published, and the hole at the cursor as a
/// part of the last object that was bumped in it.
Run Space::object_at(std::uint32_t index) const noexcept {
  if (index < FreeList::kAlign || index - FreeList::kAlign >= free_list_.max_size()) return {};
  for (std::uint32_t granules = 1; granules <= kWindowClasses; ++granules) {
    const Window& window = front_->windows[granules];
    const std::uint32_t offset = index - index_of(window.first);
    if (offset >= static_cast<std::uint32_t>(window.limit - window.first)) continue;
    if (index >= index_of(window.cursor)) return {};
    const std::uint32_t bytes = granules * kGranuleBytes;
    return {index_of(window.first) + offset / bytes * bytes, bytes};
  }
  const std::uint32_t rest = index_of(front_->cursor);
  const auto rest_bytes = static_cast<std::uint32_t>(front_->limit - front_->cursor);
  if (index - rest < rest_bytes) return {};
  Run run = free_list_.run_at(index);
  if (!free_list_.is_block(run.index) || sweep_.is_dead(to_granules(run.index)) ||
      bins_.contains(run) || quarantine_.contains(run.index)) {
    return {};
  }
  if (rest_bytes != 0 && rest - run.index < run.size_bytes) run.size_bytes = rest - run.index;
  return run;
}

void Space::reset() noexcept {
  std::fill(std::begin(front_->windows), std::end(front_->windows), Window{});
  front_->cursor = front_->limit = nullptr;
  bins_ = {};
  end_marking();
  ends_at_mark_ = 0;
  quarantine_.clear();
  hole_position_ = last_opened_for_ = 0;
  note_new_holes();
  front_->leaves.clear_below(to_granules(free_list_.used_end()));
  free_list_.reset();
  if (BESOM_HAS_ASAN) unpoison(base(), arena_.committed());
}

}  // namespace besom::detail
