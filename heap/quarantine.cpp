#include "heap/quarantine.hpp"

#include <algorithm>

namespace besom::detail {

bool Quarantine::create(std::uint64_t budget, std::uint64_t heap_max) noexcept {
  budget_ = std::min(budget, heap_max) / kGranuleBytes * kGranuleBytes;
  if (budget_ == 0) return true;
  make_room();
  return runs_.grow(kSlots) && starts_.create(heap_max, {});
}

void Quarantine::make_room() noexcept {
  room_ = budget_;
  room_runs_ = budget_ != 0 ? kMostRuns : 0;
}

/// What is freed at one time, from low addresses on, is as likely to be allocated next.
Run Quarantine::hold(FreeList& list, Run run) noexcept {
  BESOM_ASSERT(list.is_block(run.index));
  if (room_ == 0 || room_runs_ == 0) return run;
  Run held = run;
  if (run.size_bytes > room_) {
    held.size_bytes = static_cast<std::uint32_t>(room_);
    list.split_block(run.index, held.size_bytes);
  }
  room_ -= held.size_bytes;
  bytes_ += held.size_bytes;
  const Run rest{held.end(), run.size_bytes - held.size_bytes};
  if (count_ != 0 && at(count_ - 1).end() == held.index) {
    Run& newest = at(count_ - 1);
    newest.size_bytes += held.size_bytes;
    list.join_blocks(newest.index, newest.size_bytes);
    return rest;
  }
  BESOM_ASSERT(count_ < kSlots);
  --room_runs_;
  at(count_++) = held;
  set(held.index);
  return rest;
}

void Quarantine::trim(FreeList& list) noexcept {
  while (bytes_ > budget_) give_back_oldest(list, bytes_ - budget_);
  while (count_ > kMostRuns) give_back_oldest(list, bytes_);
  make_room();
}

bool Quarantine::empty(FreeList& list) noexcept {
  const bool had_any = count_ != 0;
  while (count_ != 0) give_back_oldest(list, bytes_);
  return had_any;
}

void Quarantine::clear() noexcept {
  each([&](Run run) { erase(run.index); });
  count_ = 0;
  bytes_ = 0;
  make_room();
}

/// At most `most` bytes, and from its beginning: where runs were joined, that is the oldest part.
void Quarantine::give_back_oldest(FreeList& list, std::uint64_t most) noexcept {
  BESOM_ASSERT(count_ != 0 && most != 0);
  BESOM_ASSERT(most % kGranuleBytes == 0);
  Run& oldest = at(0);
  Run given = oldest;
  erase(given.index);
  if (given.size_bytes > most) {
    given.size_bytes = static_cast<std::uint32_t>(most);
    list.split_block(given.index, given.size_bytes);
    oldest = {given.end(), oldest.size_bytes - given.size_bytes};
    set(oldest.index);
  } else {
    first_ = (first_ + 1) % kSlots;
    --count_;
  }
  BESOM_ASSERT(given.size_bytes <= bytes_);
  bytes_ -= given.size_bytes;
  list.dealloc_fast(given.index, given.size_bytes);
}

}  // namespace besom::detail
