#include "gc/root_table.hpp"

#include <algorithm>
#include <new>

#include "freelist/check.hpp"

namespace besom::detail {
namespace {

template <class T>
[[nodiscard]] bool add_chunk(ZeroedArray<T*>& chunks, std::uint32_t at) {
  if (at >= chunks.size() && !chunks.grow(chunks.size() * 2 + 8)) return false;
  chunks[at] = static_cast<T*>(std::calloc(RootTable::kChunkSlots, sizeof(T)));
  return chunks[at] != nullptr;
}

}  // namespace

const void* this_thread() noexcept {
  static thread_local const char token = 0;
  return &token;
}

RootTable* RootTable::create(Heap* heap) noexcept {
  auto* table = new (std::nothrow) RootTable;
  if (table == nullptr) return nullptr;
  table->heap_ = heap;
  table->thread_ = this_thread();
  return table;
}

RootTable::~RootTable() {
  for (std::uint32_t i = 0; i < local_count_; ++i) std::free(local_chunks_[i]);
  for (std::uint32_t i = 0; i * kChunkSlots < handle_limit_; ++i) std::free(handle_chunks_[i]);
}

void RootTable::clear() noexcept {
  for (std::uint32_t i = 0; i < handle_limit_; ++i) {
    HandleSlot& slot = handle_chunks_[i / kChunkSlots][i % kChunkSlots];
    if (slot.serial != 0) remove(&slot);
  }
  for (std::uint32_t i = 0; i < local_count_; ++i) {
    std::fill_n(local_chunks_[i], kChunkSlots, LocalSlot{});
  }
  source_count_ = 0;
}

void RootTable::detach() noexcept {
  clear();
  heap_ = nullptr;
  chunk_end_ = top_;
}

Errc RootTable::refusal() const noexcept {
  if (thread_ != this_thread()) return Errc::wrong_thread;
  return is_locked() ? Errc::reentrant : Errc::ok;
}

void RootTable::set_locked(bool locked) noexcept {
  locked_.store(locked, std::memory_order_relaxed);
  if (local_count_ == 0) return;
  chunk_end_ = locked ? top_ : local_chunks_[local_chunk_] + kChunkSlots;
}

HandleSlot* RootTable::add(std::uint32_t ref, const char* label) noexcept {
  if (refusal() != Errc::ok) return nullptr;
  std::uint32_t number = first_free_ - 1;
  if (first_free_ == 0) {
    number = handle_limit_;
    if (number % kChunkSlots == 0 && !add_chunk(handle_chunks_, number / kChunkSlots)) {
      return nullptr;
    }
    ++handle_limit_;
  }
  HandleSlot& slot = handle_chunks_[number / kChunkSlots][number % kChunkSlots];
  if (first_free_ != 0) first_free_ = slot.next_free;
  slot = {++serial_, label, ref, number + 1};
  ++handle_count_;
  return &slot;
}

void RootTable::remove(HandleSlot* slot) noexcept {
  BESOM_CHECK(!is_locked(), "root removed during a collection: ref, serial", slot->ref,
              slot->serial);
  BESOM_CHECK(thread_ == this_thread(), "root removed by another thread: ref, serial", slot->ref,
              slot->serial);
  // While in use, next_free holds the slot's own number.
  const std::uint32_t own_number = slot->next_free;
  *slot = {0, nullptr, 0, first_free_};
  first_free_ = own_number;
  --handle_count_;
}

bool RootTable::next_local_chunk() noexcept {
  if (refusal() != Errc::ok || heap_ == nullptr) return false;
  const std::uint32_t next = local_count_ == 0 ? 0 : local_chunk_ + 1;
  if (next == local_count_) {
    if (!add_chunk(local_chunks_, next)) return false;
    ++local_count_;
  }
  local_chunk_ = next;
  top_ = local_chunks_[next];
  chunk_end_ = top_ + kChunkSlots;
  return true;
}

void RootTable::close_scope_slow(ScopeMark mark, std::uint32_t depth) noexcept {
  BESOM_CHECK(depth <= open_scopes_, "handle scope ended before by restore_locals(): depth, open",
              depth, open_scopes_);
  BESOM_CHECK(depth == open_scopes_, "handle scope closed before an inner one: depth, open", depth,
              open_scopes_);
  --open_scopes_;
  if (local_count_ == 0) return;
  // A scope opened before the first chunk was there starts at its beginning.
  pop_to(mark.top != nullptr ? mark.top : local_chunks_[0], mark.chunk);
}

void RootTable::pop_to(LocalSlot* top, std::uint32_t chunk) noexcept {
  while (local_chunk_ != chunk) {
    for (LocalSlot* slot = local_chunks_[local_chunk_]; slot != top_; ++slot) *slot = {};
    --local_chunk_;
    top_ = chunk_end_ = local_chunks_[local_chunk_] + kChunkSlots;
  }
  while (top_ != top) *--top_ = {};
  if (is_locked() || heap_ == nullptr) chunk_end_ = top_;
}

void RootTable::run_hooks(const MarkView& marks) const {
  for (std::size_t i = 0; i < source_count_; ++i) {
    const RootSource& source = sources_[i];
    if (source.serial != 0 && source.hook != nullptr) source.hook(source.user, marks);
  }
}

bool RootTable::unwind(std::uint64_t position, std::uint64_t serial,
                       std::uint32_t open_scopes) noexcept {
  if (local_count_ == 0 || position > last_position()) return false;
  const auto chunk = static_cast<std::uint32_t>(position / kChunkSlots);
  LocalSlot* slot = local_chunks_[chunk] + position % kChunkSlots;
  if (slot->serial != serial || open_scopes > open_scopes_) return false;
  pop_to(slot, chunk);
  // Each scope is an owner, too.
  owners_ -= open_scopes_ - open_scopes;
  open_scopes_ = open_scopes;
  return true;
}

std::uint64_t RootTable::add_source(const RootSource& source) noexcept {
  if (refusal() != Errc::ok) return 0;
  std::size_t place = 0;
  while (place < source_count_ && sources_[place].serial != 0) ++place;
  if (place == sources_.size() && !sources_.grow(sources_.size() * 2 + 8)) return 0;
  sources_[place] = source;
  sources_[place].serial = ++serial_;
  source_count_ = std::max(source_count_, place + 1);
  return sources_[place].serial;
}

bool RootTable::remove_source(std::uint64_t serial) noexcept {
  if (serial == 0 || heap_ == nullptr) return false;
  BESOM_CHECK(!is_locked(), "root source removed during a collection: serial", serial, 0);
  BESOM_CHECK(thread_ == this_thread(), "root source removed by another thread: serial", serial, 0);
  for (std::size_t i = 0; i < source_count_; ++i) {
    if (sources_[i].serial != serial) continue;
    sources_[i] = {};
    return true;
  }
  return false;
}

}  // namespace besom::detail
