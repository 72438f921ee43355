#include "gc/finalizer_table.hpp"

#include <algorithm>
#include <new>

#include "gc/marker.hpp"

namespace besom::detail {
namespace {

/// Whether `b` is handed out before `a`: by priority, then by age.
bool is_later(const ReadyAgent& a, const ReadyAgent& b) noexcept {
  return a.priority != b.priority ? a.priority < b.priority : a.serial > b.serial;
}

/// Room for one more than `count`, twice as much as before where there is none.
template <class T>
[[nodiscard]] bool make_room(ZeroedArray<T>& array, std::uint64_t count) noexcept {
  return count < array.size() || array.grow(array.size() * 2 + 8);
}

}  // namespace

FinalizerTable* FinalizerTable::create(Heap* heap) noexcept {
  auto* table = new (std::nothrow) FinalizerTable;
  if (table != nullptr) table->heap_ = heap;
  return table;
}

FinalizerTable::~FinalizerTable() {
  while (guardians_ != nullptr) delete std::exchange(guardians_, guardians_->next);
}

void FinalizerTable::release() noexcept {
  if (--owners_ == 0) delete this;
}

void FinalizerTable::clear() noexcept {
  count_ = old_count_ = 0;
  for (GuardianQueue* guardian = guardians_; guardian != nullptr; guardian = guardian->next) {
    guardian->pending = guardian->ready = 0;
  }
}

void FinalizerTable::detach() noexcept {
  clear();
  heap_ = nullptr;
}

GuardianQueue* FinalizerTable::open(FinalizerCallback callback, void* user) noexcept {
  auto* guardian =
      new (std::nothrow) GuardianQueue{guardians_, &guardians_, callback, user, 0, 0, {}};
  if (guardian == nullptr) return nullptr;
  if (guardians_ != nullptr) guardians_->link = &guardian->next;
  guardians_ = guardian;
  return guardian;
}

void FinalizerTable::close(GuardianQueue* guardian) noexcept {
  // A program may have as many guardians as objects, most of which watch nothing any more.
  if (guardian->pending != 0) {
    take_if(0, [&](const Registration& registration) { return registration.guardian == guardian; });
  }
  *guardian->link = guardian->next;
  if (guardian->next != nullptr) guardian->next->link = guardian->link;
  delete guardian;
}

bool FinalizerTable::add(GuardianQueue& guardian, std::uint32_t object, std::uint32_t agent,
                         std::int32_t priority) noexcept {
  if (count_ == kMostNumbers || !make_room(registrations_, count_) ||
      !make_room(guardian.agents, guardian.pending + guardian.ready)) {
    return false;
  }
  registrations_[count_++] = {++serial_, &guardian, object, agent, priority, 0};
  ++guardian.pending;
  return true;
}

/// There is room: add() saw to it.
void FinalizerTable::make_ready(const Registration& registration) noexcept {
  GuardianQueue& guardian = *registration.guardian;
  ReadyAgent* agents = &guardian.agents[0];
  agents[guardian.ready++] = {registration.serial, registration.priority, registration.agent};
  std::push_heap(agents, agents + guardian.ready, is_later);
}

/// Takes out the registrations from `first` on that `goes` says go; the others keep their order.
template <class Goes>
std::uint64_t FinalizerTable::take_if(std::uint32_t first, Goes goes) noexcept {
  std::uint32_t kept = first;
  std::uint32_t kept_old = std::min(first, old_count_);
  for (std::uint32_t i = first; i < count_; ++i) {
    const Registration& registration = registrations_[i];
    if (goes(registration)) {
      --registration.guardian->pending;
      continue;
    }
    if (i < old_count_) ++kept_old;
    registrations_[kept++] = registration;
  }
  old_count_ = kept_old;
  return std::exchange(count_, kept) - kept;
}

void FinalizerTable::expire(GuardianQueue& guardian) noexcept {
  take_if(0, [&](const Registration& registration) {
    if (registration.guardian != &guardian) return false;
    make_ready(registration);
    return true;
  });
}

std::uint32_t FinalizerTable::take(GuardianQueue& guardian) noexcept {
  if (guardian.ready == 0) return 0;
  ReadyAgent* agents = &guardian.agents[0];
  std::pop_heap(agents, agents + guardian.ready, is_later);
  return agents[--guardian.ready].agent;
}

std::uint64_t FinalizerTable::callable() const noexcept {
  std::uint64_t count = 0;
  for (const GuardianQueue* guardian = guardians_; guardian != nullptr; guardian = guardian->next) {
    if (guardian->callback != nullptr) count += guardian->ready;
  }
  return count;
}

GuardianQueue* FinalizerTable::begin_call() noexcept {
  GuardianQueue* best = nullptr;
  for (GuardianQueue* guardian = guardians_; guardian != nullptr; guardian = guardian->next) {
    if (guardian->callback == nullptr || guardian->ready == 0) continue;
    if (best == nullptr || is_later(best->agents[0], guardian->agents[0])) best = guardian;
  }
  if (best != nullptr) running_ = take(*best);
  return best;
}

void FinalizerTable::mark_ready(Marker& marker) const noexcept {
  for (const GuardianQueue* guardian = guardians_; guardian != nullptr; guardian = guardian->next) {
    for (std::uint64_t i = 0; i < guardian->ready; ++i) {
      marker.mark_root(guardian->agents[i].agent);
    }
  }
  marker.mark_root(running_);
}

void FinalizerTable::await(Marker& marker, bool is_minor) noexcept {
  if (count_ != 0) marker.await(&registrations_[0], is_minor ? old_count_ : 0, count_);
}

void FinalizerTable::mark_agents(Marker& marker) const noexcept {
  for (std::uint32_t i = 0; i < count_; ++i) {
    if (marker.is_live(registrations_[i].object)) marker.mark_root(registrations_[i].agent);
  }
}

std::uint64_t FinalizerTable::take_dead(const Marker& marker, bool is_minor) noexcept {
  const std::uint64_t taken =
      take_if(is_minor ? old_count_ : 0, [&](const Registration& registration) {
        if (marker.is_live(registration.object)) return false;
        make_ready(registration);
        return true;
      });
  old_count_ = count_;
  return taken;
}

}  // namespace besom::detail
