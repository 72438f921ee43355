#include "besom/detail/shadow_stack.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdlib>

#include "besom/detail/check.hpp"

namespace besom::detail {
namespace {

/// Stands in the table for each chunk that was given back to the host. Nobody writes to it: a local
/// is written only where its serial is found.
constexpr LocalChunk kNoChunk = {};

}  // namespace

LocalChunks::~LocalChunks() {
  for (std::uint32_t number = 1; number <= numbers_; ++number) {
    if (table_[number] != &kNoChunk) std::free(table_[number]);
  }
}

LocalChunk* LocalChunks::take(ShadowStack* owner, LocalChunk* below,
                              std::uint64_t& serial) noexcept {
  LocalChunk* chunk = nullptr;
  if (spare_count_ != 0) {
    chunk = spare_[--spare_count_];
  } else {
    const std::uint32_t number = free_count_ != 0 ? free_numbers_[free_count_ - 1] : numbers_ + 1;
    if (number >= storage_.size()) {
      // In few steps: a block that the host puts above many chunks would keep their memory when
      // they go.
      const std::size_t size = storage_.size() * 16 + 8;
      if (!free_numbers_.grow(size) || !storage_.grow(size)) return nullptr;
      table_ = &storage_[0];
    }
    chunk = static_cast<LocalChunk*>(std::calloc(1, sizeof(LocalChunk)));
    if (chunk == nullptr) return nullptr;
    if (free_count_ != 0) {
      --free_count_;
    } else {
      ++numbers_;
    }
    chunk->first_place = std::uint64_t{number} << LocalChunk::kShift;
    table_[number] = chunk;
  }
  chunk->owner = owner;
  chunk->below = below;
  serial = std::max(serial, serial_);
  return chunk;
}

void LocalChunks::give(LocalChunk* chunk, std::uint64_t serial) noexcept {
  BESOM_ASSERT(chunk->owner != nullptr);
  serial_ = std::max(serial, serial_);
  chunk->owner = nullptr;
  if (spare_count_ == kMostSpare) {
    // The oldest goes: of a stack that shrinks it lies highest in the host's heap, whose end the
    // host can give back only when all of it is free.
    LocalChunk* const oldest = spare_[0];
    std::copy(spare_ + 1, spare_ + kMostSpare, spare_);
    --spare_count_;
    const auto number = static_cast<std::uint32_t>(oldest->first_place >> LocalChunk::kShift);
    table_[number] = const_cast<LocalChunk*>(&kNoChunk);
    free_numbers_[free_count_++] = number;
    std::free(oldest);
  }
  spare_[spare_count_++] = chunk;
}

LocalSlot* LocalChunks::find(std::uint64_t place) const noexcept {
  const std::uint64_t offset = place % LocalChunk::kBytes;
  const std::uint64_t number = place >> LocalChunk::kShift;
  if (number == 0 || number > numbers_ || offset < offsetof(LocalChunk, slots) ||
      offset % sizeof(LocalSlot) != 0) {
    return nullptr;
  }
  return &at(place);
}

void ShadowStack::set_open(bool open) noexcept {
  is_open_ = open;
  chunk_end_ = open && chunk_ != nullptr ? chunk_->end() : top_;
}

bool ShadowStack::next_chunk() noexcept {
  if (!is_open_ || gate_.refusal() != Errc::ok) return false;
  LocalChunk* chunk = chunks_.take(this, chunk_, serial_);
  if (chunk == nullptr) return false;
  enter(chunk);
  top_ = chunk->slots;
  chunk_end_ = chunk->end();
  return true;
}

void ShadowStack::enter(LocalChunk* chunk) noexcept {
  BESOM_ASSERT(chunk != nullptr);
  chunk_ = chunk;
  place_bias_ = chunk->first_place - reinterpret_cast<std::uintptr_t>(chunk);
}

void ShadowStack::close_scope_slow(Mark mark, std::uint64_t depth) noexcept {
  BESOM_CHECK(depth <= depth_ && depth > base_depth_,
              "handle scope ended before by restore_locals() or with its fiber: depth, open", depth,
              depth_);
  BESOM_CHECK(depth == depth_,
              "handle scope closed before an inner one (fibers take turns by Heap::switch_to() or "
              "besom_switch_to()): depth, open",
              depth, depth_);
  BESOM_CHECK(is_open_ || gate_.heap == nullptr || gate_.is_locked(),
              "handle scope closed while another fiber runs: depth, open", depth, depth_);
  --depth_;
  if (chunk_ == nullptr) return;
  // A scope opened before the first chunk was there starts at its beginning.
  LocalChunk* chunk = mark.chunk;
  if (chunk == nullptr) {
    for (chunk = chunk_; chunk->below != nullptr;) chunk = chunk->below;
  }
  pop_to(mark.top != nullptr ? mark.top : chunk->slots, chunk);
}

void ShadowStack::pop_to(LocalSlot* top, LocalChunk* chunk) noexcept {
  while (chunk_ != chunk) {
    BESOM_ASSERT(chunk_ != nullptr);
    LocalChunk* const emptied = chunk_;
    std::fill(emptied->slots, top_, LocalSlot{});
    enter(emptied->below);
    top_ = chunk_->end();
    chunks_.give(emptied, serial_);
  }
  BESOM_ASSERT(chunk->slots <= top && top <= top_);
  while (top_ != top) *--top_ = {};
  set_open(is_open_);
}

bool ShadowStack::unwind(std::uint64_t place, std::uint64_t serial,
                         std::uint32_t open_scopes) noexcept {
  LocalSlot* slot = chunks_.find(place);
  if (slot == nullptr || serial == 0 || slot->serial != serial) return false;
  LocalChunk* chunk = chunks_.chunk_at(place);
  if (chunk->owner != this || open_scopes > this->open_scopes()) return false;
  pop_to(slot, chunk);
  depth_ = base_depth_ + open_scopes;
  return true;
}

void ShadowStack::clear() noexcept {
  for (LocalChunk* chunk = chunk_; chunk != nullptr; chunk = chunk->below) {
    std::fill(chunk->slots, chunk->end(), LocalSlot{});
  }
}

void ShadowStack::drop() noexcept {
  clear();
  while (chunk_ != nullptr) {
    LocalChunk* const emptied = chunk_;
    chunk_ = emptied->below;
    chunks_.give(emptied, serial_);
  }
  top_ = nullptr;
  // Far from what the scopes that are left remember.
  base_depth_ += std::uint64_t{1} << 32;
  depth_ = base_depth_;
  set_open(false);
}

}  // namespace besom::detail
