/// Where objects of less than 1 KiB come from: docs/design.md#allocation.

#include <algorithm>
#include <cstring>
#include <utility>

#include "heap/poison.hpp"
#include "heap/space.hpp"

namespace besom::detail {

__attribute__((noinline)) char* Space::take(std::uint32_t granules) noexcept {
  if (char* object = bump(granules)) return object;
  if (is_closed_ || is_interrupted_ || is_marking_) [[unlikely]]
    return nullptr;
  return take_held(granules);
}

/// What is at hand without asking the free list.
char* Space::take_held(std::uint32_t granules) noexcept {
  if (ends_at_mark_ != 0 && (ends_at_mark_ == granules || ends_at_mark_ == kCursor)) [[unlikely]] {
    ends_at_mark_ = 0;
    is_sample_due_ = true;
  }
  if (granules <= Bins::kSizes) {
    if (const std::uint32_t index = bins_.pop(granules)) {
      const Run run{index, granules * kGranuleBytes};
      claim(run);
      if (is_marking_) ++born_;
      return clear(run);
    }
  }
  return next_hole(granules);
}

/// From the stretch that is being swept.
char* Space::next_hole(std::uint32_t granules) noexcept {
  for (Run run = sweep_.next(free_list_, front_->leaves); run.size_bytes != 0;
       run = sweep_.next(free_list_, front_->leaves)) {
    if (Sweep::is_long(free_list_, run)) {
      release_block(run);
      may_have_runs_ = true;
    } else if (run.size_bytes < granules * kGranuleBytes) {
      keep_rest(run);
    } else {
      return open(run, granules);
    }
  }
  return nullptr;
}

char* Space::allocate_small(std::uint32_t granules) noexcept {
  BESOM_ASSERT(granules - 1 < kCursorGranules);
  for (std::uint32_t entered = 0;; ++entered) {
    if (char* object = bump(granules)) return object;
    if (char* object = take_held(granules)) return object;
    const bool has_more = sweep_.enter_next(free_list_);
    if (has_more && entered < kPatience) continue;
    if (char* object = allocate_from_list(granules)) return object;
    if (!has_more || entered >= most_searched_) return nullptr;
  }
}

char* Space::allocate_from_list(std::uint32_t granules) noexcept {
  const std::uint32_t bytes = granules * kGranuleBytes;
  const std::uint32_t most = std::max(bytes, window_bytes());
  Run run = next_small_hole(granules);
  if (run.size_bytes == 0 && may_have_runs_) {
    run = free_list_.take_run(std::min(kMinWindowBytes, most), most);
    may_have_runs_ = run.size_bytes != 0;
  }
  if (run.size_bytes == 0) run = free_list_.take_run(bytes, most);
  return run.size_bytes != 0 ? open(run, granules) : nullptr;
}

/// In address order, round and round: what was too small for others stays for those that it fits.
Run Space::next_small_hole(std::uint32_t granules) noexcept {
  if (granules >= least_missing_) return {};
  const std::uint32_t bytes = granules * kGranuleBytes;
  Run run = free_list_.take_next_small(hole_position_, bytes);
  if (run.size_bytes == 0 && hole_position_ != 0) run = free_list_.take_next_small(0, bytes);
  hole_position_ = run.end();
  if (run.size_bytes == 0) least_missing_ = granules;
  return run;
}

/// A window where the same size asked the last time too. Objects of many sizes are better off in
/// one hole: windows would scatter over the arena what is written in turn. So they would when marks
/// are looked for: whoever has a window would pass by the mark at the cursor.
char* Space::open(Run run, std::uint32_t granules) noexcept {
  BESOM_ASSERT(run.size_bytes >= granules * kGranuleBytes);
  const bool again = granules == std::exchange(last_opened_for_, granules);
  const bool is_cut = cut_at_mark(run, granules);
  const bool is_window = granules <= kWindowClasses && run.size_bytes >= kLeastWindowBytes &&
                         ((again && !has_marks()) || (always_windows_ & bit(granules)) != 0);
  char* const object = is_window ? open_window(run, granules) : open_hole(run, granules);
  if (is_cut) [[unlikely]]
    ends_at_mark_ = is_window ? granules : kCursor;
  return object;
}

/// Cleared as a whole: the first object comes at once and the others soon.
char* Space::open_hole(Run run, std::uint32_t granules) noexcept {
  retire_cursor();
  claim(run);
  cursor_first_ = run.index;
  char* object = clear(run);
  front_->cursor = object + std::size_t{granules} * kGranuleBytes;
  front_->limit = object + run.size_bytes;
  return object;
}

char* Space::open_window(Run run, std::uint32_t granules) noexcept {
  BESOM_ASSERT(granules - 1 < kWindowClasses);
  BESOM_ASSERT(run.size_bytes >= kLeastWindowBytes);
  Window& window = front_->windows[granules];
  retire_window(window, granules);
  claim(run);
  const std::uint32_t bytes = granules * kGranuleBytes;
  char* object = base() + run.index;
  window = {object + bytes, object + run.size_bytes, object};
  // Objects in windows are zeroed as they come, whatever the memory held.
  untouched_ = std::max<std::uint64_t>(untouched_, run.end());
  arena_.use(run.index, run.size_bytes);
  unpoison(object, run.size_bytes);
  std::memset(object, 0, bytes);
  return object;
}

/// A window is a small share of the arena, so that thirty of them do not use up a small heap.
std::uint32_t Space::window_bytes() const noexcept {
  // Who allocates comes by for a slice of marking after each.
  if (is_marking_) return kMinWindowBytes;
  const std::uint64_t share = capacity() / 256 / kMinWindowBytes * kMinWindowBytes;
  return static_cast<std::uint32_t>(
      std::clamp<std::uint64_t>(share, kWindowClasses * kGranuleBytes, kMaxWindowBytes));
}

/// For an object of `granules`. Where that is the sample, it gets what it takes and no more, so
/// that the next mark may follow at once. Returns whether the mark is to be met at the end of
/// `run`.
bool Space::cut_at_mark(Run& run, std::uint32_t granules) noexcept {
  const bool is_near = sample_at_ < handed_out_ + run.size_bytes && ends_at_mark_ == 0;
  if (!is_near && !is_sample_due_) [[likely]]
    return false;
  const std::uint32_t bytes = granules * kGranuleBytes;
  std::uint32_t kept = bytes;
  if (!is_sample_due_ && sample_at_ >= handed_out_ + bytes) {
    kept = static_cast<std::uint32_t>(sample_at_ - handed_out_) / kGranuleBytes * kGranuleBytes;
  }
  if (kept < run.size_bytes) {
    const Run rest{run.index + kept, run.size_bytes - kept};
    free_list_.start_block(rest.index);
    // In a bin it would pass for dead where the sweep has not been yet. A cycle has no use for a
    // mark on it, and nobody clears those above all that was ever used.
    if (!is_marking_) sweep_.keep_run(rest);
    keep_rest(rest);
    run.size_bytes = kept;
  }
  return !is_sample_due_ && sample_at_ >= handed_out_ + bytes;
}

/// What was to end at the mark is given back before, with so much left.
void Space::unmeet_mark(std::uint32_t what, std::uint32_t rest) noexcept {
  if (ends_at_mark_ != what || rest == 0) return;
  ends_at_mark_ = 0;
  sample_at_ = handed_out_ + rest;
}

void Space::publish(Window& window, std::uint32_t granules) noexcept {
  BESOM_ASSERT(window.first <= window.cursor && window.cursor <= window.limit);
  if (window.first == window.cursor) return;
  const auto used = static_cast<std::uint32_t>(window.cursor - window.first);
  free_list_.cut_block(index_of(window.first), granules * kGranuleBytes, used);
  if (is_marking_) born_ += used / (granules * kGranuleBytes);
  window.first = window.cursor;
}

void Space::retire_window(Window& window, std::uint32_t granules) noexcept {
  publish(window, granules);
  const auto rest = static_cast<std::uint32_t>(window.room());
  if (rest != 0) {
    BESOM_ASSERT(rest <= handed_out_);
    handed_out_ -= rest;
    unmeet_mark(granules, rest);
    keep_rest({index_of(window.cursor), rest});
  }
  window = {};
}

void Space::retire_cursor() noexcept {
  BESOM_ASSERT(front_->cursor <= front_->limit);
  const auto rest = static_cast<std::uint32_t>(front_->limit - front_->cursor);
  const std::uint32_t index = index_of(front_->cursor);
  if (is_marking_ && front_->cursor != nullptr) {
    born_ += starts_in(to_granules(cursor_first_), to_granules(index));
  }
  front_->cursor = front_->limit = nullptr;
  if (rest == 0) return;
  free_list_.start_block(index);
  handed_out_ -= rest;
  unmeet_mark(kCursor, rest);
  keep_rest({index, rest});
}

void Space::keep_rest(Run rest) noexcept {
  BESOM_ASSERT(rest.size_bytes != 0 && rest.size_bytes % kGranuleBytes == 0);
  if (!bins_.push(rest)) give_back(rest);
}

void Space::publish_windows() noexcept {
  for (std::uint32_t granules = 1; granules <= kWindowClasses; ++granules) {
    publish(front_->windows[granules], granules);
  }
}

/// Windows and the cursor's hole.
void Space::retire_bumped() noexcept {
  for (std::uint32_t granules = 1; granules <= kWindowClasses; ++granules) {
    retire_window(front_->windows[granules], granules);
  }
  retire_cursor();
}

void Space::interrupt() noexcept {
  retire_bumped();
  is_interrupted_ = true;
}

/// The blocks that start in [first, end), which is short.
std::uint64_t Space::starts_in(std::uint32_t first, std::uint32_t end) const noexcept {
  std::uint64_t count = 0;
  for (std::uint32_t granule = first; granule < end;
       granule = (granule | (kLineGranules - 1)) + 1) {
    std::uint64_t starts = free_list_.map().line(granule >> kLineShift).starts;
    starts &= ~std::uint64_t{0} << (granule % kLineGranules);
    if (granule >> kLineShift == end >> kLineShift) starts &= bit(end) - 1;
    count += count_bits(starts);
  }
  return count;
}

void Space::begin_marking(std::uint64_t* marks) noexcept {
  BESOM_ASSERT(is_swept() && front_->cursor == front_->limit);
  sweep_.begin_marking(marks);
  is_marking_ = true;
  born_ = 0;
}

void Space::end_marking() noexcept {
  sweep_.cancel();
  is_marking_ = false;
}

bool Space::sweep_some(std::uint32_t stretches) noexcept {
  for (; stretches != 0 && !sweep_.done(); --stretches) {
    for (Run run = sweep_.next(free_list_, front_->leaves); run.size_bytes != 0;
         run = sweep_.next(free_list_, front_->leaves)) {
      release_block(run);
    }
    if (!sweep_.enter_next(free_list_)) note_new_holes();
  }
  return sweep_.done();
}

void Space::retire() noexcept {
  BESOM_ASSERT(!is_concealed_);
  retire_bumped();
  for (std::uint32_t granules = 1; granules <= Bins::kSizes; ++granules) {
    while (const std::uint32_t index = bins_.pop(granules)) {
      give_back({index, granules * kGranuleBytes});
    }
  }
  sweep_some(~std::uint32_t{0});
  hole_position_ = 0;
  note_new_holes();
}

}  // namespace besom::detail
