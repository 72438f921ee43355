#include <memory>
#include <utility>

#include "tests/gc/heap_model_impl.hpp"

namespace besom::test {

void HeapModel::Impl::note_collections(const Shadow* added) {
  const std::uint64_t collections = heap_->stats().collections;
  if (collections == counts_.collections) return;
  const CollectionStats& last = heap_->last_collection();
  dead_.clear();
  if (plan_.options.incremental) {
    note_cycles(collections - counts_.collections);
    for (const std::unique_ptr<Shadow>& shadow : shadows_) shadow->is_doomed = false;
    return;
  }
  // Where a minor one left no room, a full one follows before anything is refused. What the first
  // broke and found ready the second finds so: both are done.
  const std::uint64_t most = counts_.collections + (last.minor ? 1 : 2);
  expect(collections <= most, "one collection at a time", collections);
  if (collections == counts_.collections + 2) static_cast<void>(collect_shadows(true));
  const std::size_t died_before = dead_.size();
  const std::uint64_t ready = collect_shadows(last.minor);
  for (const std::unique_ptr<Shadow>& shadow : shadows_) shadow->is_doomed = false;
  expect(collections == counts_.collections, "collections counted", collections);
  expect(last.finalizers_ready == ready, "registrations ready", ready);
  compare_live(last);
  expect(last.freed_objects == dead_.size() - died_before, "objects freed", last.freed_objects);
  if (added == nullptr) return;
  // The new object may have taken a dead one's place; any other index is no object's.
  for (const std::uint32_t index : dead_) {
    if (index == added->index) continue;
    expect(!heap_->check(Ref<void>(index)), "a dead object is no object", index);
  }
}

/// All that the model has is there, and as much as the collection counted.
void HeapModel::Impl::compare_live(const CollectionStats& last) {
  std::uint64_t live_bytes = 0;
  for (const std::unique_ptr<Shadow>& shadow : shadows_) {
    live_bytes += shadow->bytes;
    check_object(*shadow);
  }
  graveyard_.clear();
  counts_.objects_compared += shadows_.size();
  expect(last.live_objects == shadows_.size(), "objects alive against the model's",
         last.live_objects << 32 | shadows_.size());
  expect(last.live_bytes == live_bytes, "bytes alive against the model's",
         last.live_bytes << 32 | live_bytes);
  expect(last.bad_refs == 0 && last.bad_headers == 0, "no damage", last.bad_refs);
}

/// A cycle keeps what was reachable as it began, and all that was allocated since. So the heap says
/// what lives: all that is reachable now has to. Unless it stopped once for all of the heap.
void HeapModel::Impl::note_cycles(std::uint64_t ended) {
  const CollectionStats& last = heap_->last_collection();
  const std::uint64_t whole_stops = heap_->stops(StopKind::full).count;
  const bool is_whole = std::exchange(whole_stops_, whole_stops) != whole_stops;
  if (last.minor) ++counts_.minor_collections;
  counts_.collections += ended - 1;
  if (is_whole && ended == 1) {
    static_cast<void>(collect_shadows(false));
  } else {
    // Of two, the first may have broken an entry for whose key the second then found no ref.
    if (is_whole) static_cast<void>(mark_shadows(false));
    ++counts_.collections;
    keep_what_lives();
  }
  compare_live(last);
  if (ended == 1) expect(last.freed_objects == dead_.size(), "objects freed", last.freed_objects);
}

/// What is dead is told by the number in it, as something else may lie there.
void HeapModel::Impl::keep_what_lives() {
  ++mark_;
  push_roots();
  drain_worklist();
  std::size_t kept = 0;
  for (const std::unique_ptr<Shadow>& shadow : shadows_) {
    const bool lives = heap_->check(Ref<void>(shadow->index), types_[shadow->kind]) &&
                       number_of(*shadow) == shadow->number;
    expect(lives || shadow->mark != mark_, "what is reachable lives", shadow->index);
    if (lives && shadow->mark != mark_) ++counts_.floating;
    if (lives) shadow->mark = mark_;
  }
  settle();
  for (auto& [weak, shadow] : weak_) {
    if (shadow != nullptr && shadow->mark != mark_) shadow = nullptr;
  }
  for (std::unique_ptr<Shadow>& shadow : shadows_) {
    if (shadow->mark == mark_) {
      shadows_[kept++] = std::move(shadow);
    } else {
      dead_.push_back(shadow->index);
      graveyard_.push_back(std::move(shadow));
    }
  }
  shadows_.resize(kept);
}

std::uint64_t HeapModel::Impl::collect_shadows(bool minor) {
  ++counts_.collections;
  if (minor) ++counts_.minor_collections;
  const std::uint64_t ready = mark_shadows(minor);
  std::size_t kept = 0;
  for (std::unique_ptr<Shadow>& shadow : shadows_) {
    if (shadow->mark == mark_) {
      shadow->is_old = true;
      shadows_[kept++] = std::move(shadow);
    } else {
      dead_.push_back(shadow->index);
      graveyard_.push_back(std::move(shadow));
    }
  }
  shadows_.resize(kept);
  return ready;
}

std::uint64_t HeapModel::Impl::mark_shadows(bool with_old) {
  ++mark_;
  for (const std::unique_ptr<Shadow>& shadow : shadows_) {
    if (with_old && shadow->is_old) push(shadow.get());
  }
  push_roots();
  drain_worklist();
  settle();
  for (auto& [weak, shadow] : weak_) {
    if (shadow != nullptr && shadow->mark != mark_) shadow = nullptr;
  }
  const std::uint64_t died =
      move_ready([&](const ShadowGuard& guard) { return guard.object->mark != mark_; });
  counts_.finalizers_ready += died;
  push_ready();
  drain_worklist();
  settle();
  return died;
}

void HeapModel::Impl::push_roots() {
  // Each collection that an allocation starts under zeal drops it.
  if (plan_.options.zeal.collect_every != 0) newest_ = nullptr;
  push(newest_);
  for (const Rooted& rooted : handles_) push(rooted.shadow);
  for (const Scope& scope : scopes_) {
    for (const auto& local : scope.locals) push(local.second);
  }
  for (const ShadowSlot& slot : range_shadows_) push(slot.target);
  for (Shadow* shadow : called_) push(shadow);
  push_ready();
}

void HeapModel::Impl::push_ready() {
  for (const ShadowGuard& guard : ready_) {
    push(guard.agent);
    if (guard.gives_object) push(guard.object);
  }
}

void HeapModel::Impl::drain_worklist() {
  do {
    while (!worklist_.empty()) {
      const Shadow* shadow = worklist_.back();
      worklist_.pop_back();
      if (shadow->kind == kWeak || shadow->kind == kEphemerons) continue;
      const std::size_t step = shadow->kind == kWeakValues ? 2 : 1;
      for (std::size_t i = 0; i < shadow->slots.size(); i += step) push(shadow->slots[i].target);
    }
    for (const std::unique_ptr<Shadow>& shadow : shadows_) {
      if (shadow->kind != kEphemerons || shadow->mark != mark_) continue;
      for (std::size_t i = 0; i < shadow->slots.size(); i += 2) {
        if (is_kept(shadow->slots[i])) push(shadow->slots[i + 1].target);
      }
    }
    for (const ShadowGuard& guard : guards_) {
      if (guard.object->mark == mark_) push(guard.agent);
    }
  } while (!worklist_.empty());
}

void HeapModel::Impl::settle() {
  for (const std::unique_ptr<Shadow>& shadow : shadows_) {
    if (shadow->mark != mark_ || shadow->kind < kWeak) continue;
    std::vector<ShadowSlot>& slots = shadow->slots;
    if (shadow->kind == kWeak) {
      for (ShadowSlot& slot : slots) {
        if (is_dead(slot)) slot = {};
      }
      continue;
    }
    for (std::uint32_t i = 0; i < slots.size(); i += 2) {
      const bool is_ephemeron = shadow->kind == kEphemerons;
      const ShadowSlot& key = slots[i];
      const bool has_key = key.is_integer || key.target != nullptr;
      // A cycle does not look at what was allocated during it.
      const bool may_stay =
          plan_.options.incremental && slots[i + 1].target != nullptr &&
          *slot_address(*shadow, address_of(*shadow), i + 1) == slots[i + 1].target->index;
      if (!is_dead(is_ephemeron ? key : slots[i + 1]) &&
          (has_key || slots[i + 1].target == nullptr || may_stay)) {
        continue;
      }
      slots[i] = {};
      slots[i + 1] = {nullptr, 0, true};
      ++counts_.entries_broken;
    }
  }
}

}  // namespace besom::test
