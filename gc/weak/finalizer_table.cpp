#include "gc/weak/finalizer_table.hpp"

#include <algorithm>
#include <new>

#include "gc/mark/marker.hpp"

namespace besom::detail {
namespace {

/// Whether `b` is handed out before `a`: by priority, then by age.
bool is_later(const ReadyAgent& a, const ReadyAgent& b) noexcept {
  return a.priority != b.priority ? a.priority < b.priority : a.serial > b.serial;
}

/// Whether `a` stands before `b`.
bool comes_before(const ReadyOrder::Row& a, const ReadyOrder::Row& b) noexcept {
  if (a.has_callback != b.has_callback) return a.has_callback;
  return a.priority != b.priority ? a.priority > b.priority : a.serial < b.serial;
}

}  // namespace

bool ReadyAgents::make_room(std::size_t count) noexcept {
  if (has_many() || count > kFew) {
    if (has_many()) return many_.make_room(count);
    if (!many_.make_room(std::max(count, kLeastMany))) return false;
    many_.rows().assign(few_, few_ + few_count_);
    few_count_ = 0;
  }
  return true;
}

void ReadyAgents::give_back(std::size_t count) noexcept {
  if (!has_many()) return;
  if (many_.rows().empty() && count <= kFew) {
    many_.free_if_empty();
  } else {
    many_.give_back(count);
  }
}

void ReadyAgents::push(const ReadyAgent& agent) noexcept {
  if (has_many()) {
    many_.rows().push_back(agent);
    std::push_heap(many_.rows().begin(), many_.rows().end(), is_later);
    return;
  }
  BESOM_CHECK(few_count_ < kFew, "no room for a ready agent: there are, room", few_count_, kFew);
  few_[few_count_++] = agent;
  std::push_heap(few_, few_ + few_count_, is_later);
}

ReadyAgent ReadyAgents::pop() noexcept {
  if (has_many()) {
    auto& rows = many_.rows();
    std::pop_heap(rows.begin(), rows.end(), is_later);
    const ReadyAgent next = rows.back();
    rows.pop_back();
    return next;
  }
  std::pop_heap(few_, few_ + few_count_, is_later);
  return few_[--few_count_];
}

void ReadyAgents::clear() noexcept {
  few_count_ = 0;
  many_.rows().clear();
  many_.free_if_empty();
}

void ReadyOrder::put(std::size_t place, const Row& row) noexcept {
  heap_.rows()[place] = row;
  row.guardian->place = static_cast<std::uint32_t>(place) + 1;
}

void ReadyOrder::update(GuardianQueue& guardian) noexcept {
  auto& rows = heap_.rows();
  Row moved = {};
  std::size_t place = guardian.place;
  if (guardian.ready() == 0) {
    if (place == 0) return;
    // The last one takes its place, and has to find its own from there.
    guardian.place = 0;
    moved = rows.back();
    rows.pop_back();
    if (moved.guardian == &guardian) return;
  } else {
    const ReadyAgent& next = guardian.agents.all().front();
    moved = {.guardian = &guardian,
             .has_callback = guardian.callback != nullptr,
             .priority = next.priority,
             .serial = next.serial};
    if (place == 0) {
      rows.push_back(moved);
      place = rows.size();
    }
  }
  --place;
  for (; place > 0 && comes_before(moved, rows[(place - 1) / 2]); place = (place - 1) / 2) {
    put(place, rows[(place - 1) / 2]);
  }
  for (;;) {
    std::size_t child = place * 2 + 1;
    if (child >= rows.size()) break;
    if (child + 1 < rows.size() && comes_before(rows[child + 1], rows[child])) ++child;
    if (!comes_before(rows[child], moved)) break;
    put(place, rows[child]);
    place = child;
  }
  put(place, moved);
}

void ReadyOrder::clear() noexcept {
  for (const Row& row : heap_.rows()) row.guardian->place = 0;
  heap_.rows().clear();
}

FinalizerTable* FinalizerTable::create(Heap* heap, const TableMemory& memory) noexcept {
  return new (std::nothrow) FinalizerTable(heap, memory);
}

FinalizerTable::~FinalizerTable() {
  while (guardians_ != nullptr) queues_.drop(std::exchange(guardians_, guardians_->next));
}

void FinalizerTable::release() noexcept {
  if (--owners_ == 0) delete this;
}

void FinalizerTable::clear() noexcept {
  registrations_.rows().clear();
  registrations_.free_if_empty();
  dropped_ = old_count_ = 0;
  order_.clear();
  callable_ = 0;
  for (GuardianQueue* guardian = guardians_; guardian != nullptr; guardian = guardian->next) {
    guardian->pending = guardian->newest = 0;
    guardian->agents.clear();
  }
}

void FinalizerTable::detach() noexcept {
  clear();
  order_.give_back(0);
  heap_ = nullptr;
}

GuardianQueue* FinalizerTable::open(FinalizerCallback callback, void* user) noexcept {
  if (!order_.make_room(guardian_count_ + 1)) return nullptr;
  GuardianQueue* const guardian = queues_.make(&memory_);
  if (guardian == nullptr) return nullptr;
  guardian->next = guardians_;
  guardian->link = &guardians_;
  guardian->callback = callback;
  guardian->user = user;
  if (guardians_ != nullptr) guardians_->link = &guardian->next;
  guardians_ = guardian;
  ++guardian_count_;
  return guardian;
}

void FinalizerTable::close(GuardianQueue* guardian) noexcept {
  drop_pending(*guardian, [](const Registration&) {});
  if (guardian->callback != nullptr) callable_ -= guardian->ready();
  guardian->agents.clear();
  order_.update(*guardian);
  *guardian->link = guardian->next;
  if (guardian->next != nullptr) guardian->next->link = guardian->link;
  queues_.drop(guardian);
  order_.give_back(--guardian_count_);
}

bool FinalizerTable::add(GuardianQueue& guardian, std::uint32_t object, std::uint32_t agent,
                         std::int32_t priority, bool keeps_object) noexcept {
  auto& rows = registrations_.rows();
  registrations_.give_back(rows.size() + 1);
  guardian.agents.give_back(guardian.pending + guardian.ready() + 1);
  if (rows.size() + 1 >= kMostNumbers || !registrations_.make_room(rows.size() + 1) ||
      !guardian.agents.make_room(guardian.pending + guardian.ready() + 1)) {
    return false;
  }
  rows.push_back({.serial = ++serial_,
                  .guardian = &guardian,
                  .object = object,
                  .agent = agent,
                  .priority = priority,
                  .next = 0,
                  .previous = guardian.newest,
                  .keeps_object = keeps_object,
                  .settled_in = 0});
  guardian.newest = static_cast<std::uint32_t>(rows.size());
  ++guardian.pending;
  return true;
}

/// There is room: add() and open() saw to it.
void FinalizerTable::make_ready(const Registration& registration) noexcept {
  GuardianQueue& guardian = *registration.guardian;
  guardian.agents.push({.serial = registration.serial,
                        .priority = registration.priority,
                        .agent = registration.agent,
                        .object = registration.keeps_object ? registration.object : 0});
  if (guardian.callback != nullptr) ++callable_;
  order_.update(guardian);
}

/// Takes out the registrations from `first` on that `goes` says go, and those that were dropped;
/// the others keep their order. How many went. Asks for no memory.
template <class Goes>
std::uint64_t FinalizerTable::take_if(std::uint32_t first, Goes goes) noexcept {
  auto& rows = registrations_.rows();
  const auto count = static_cast<std::uint32_t>(rows.size());
  // Backwards each is the newest that its guardian has left.
  for (std::uint32_t i = count; i > first; --i) {
    const Registration& registration = rows[i - 1];
    if (registration.guardian != nullptr) registration.guardian->newest = registration.previous;
  }
  std::uint64_t went = 0;
  std::uint32_t kept = first;
  std::uint32_t kept_old = std::min(first, old_count_);
  for (std::uint32_t i = first; i < count; ++i) {
    Registration& registration = rows[i];
    if (registration.guardian == nullptr) {
      --dropped_;
      continue;
    }
    if (goes(registration)) {
      --registration.guardian->pending;
      ++went;
      continue;
    }
    if (i < old_count_) ++kept_old;
    registration.previous = std::exchange(registration.guardian->newest, kept + 1);
    rows[kept++] = registration;
  }
  old_count_ = kept_old;
  rows.erase(rows.begin() + kept, rows.end());
  registrations_.free_if_empty();
  return went;
}

/// `take(registration)` for each that the guardian has pending, the newest first.
template <class Take>
void FinalizerTable::drop_pending(GuardianQueue& guardian, Take take) noexcept {
  for (std::uint32_t number = guardian.newest; number != 0;) {
    Registration& registration = numbered(number);
    take(registration);
    number = registration.previous;
    registration.guardian = nullptr;
    registration.object = registration.agent = 0;
    ++dropped_;
  }
  guardian.newest = 0;
  guardian.pending = 0;
  if (dropped_ * 2 > registrations_.rows().size()) {
    take_if(0, [](const Registration&) { return false; });
    registrations_.give_back(registrations_.rows().size());
  }
}

void FinalizerTable::expire(GuardianQueue& guardian) noexcept {
  drop_pending(guardian, [&](const Registration& registration) { make_ready(registration); });
}

ReadyAgent FinalizerTable::take(GuardianQueue& guardian) noexcept {
  if (guardian.ready() == 0) return {};
  const ReadyAgent next = guardian.agents.pop();
  if (guardian.callback != nullptr) --callable_;
  order_.update(guardian);
  if (guardian.pending == 0 && guardian.ready() == 0) guardian.agents.clear();
  return next;
}

GuardianQueue* FinalizerTable::first_callable() const noexcept {
  GuardianQueue* first = order_.first();
  return first != nullptr && first->callback != nullptr ? first : nullptr;
}

void FinalizerTable::mark_ready(Marker& marker) const noexcept {
  for (const ReadyOrder::Row& row : order_.rows()) {
    for (const ReadyAgent& ready : row.guardian->agents.all()) {
      marker.mark_root(ready.agent);
      marker.mark_root(ready.object);
    }
  }
}

void FinalizerTable::begin_settling() noexcept {
  looked_at_ = 0;
  if (++cycle_ != 0) return;
  cycle_ = 1;
  for (Registration& registration : registrations_.rows()) registration.settled_in = 0;
}

bool FinalizerTable::settle_some(Marker& marker, std::uint64_t limit) noexcept {
  auto& rows = registrations_.rows();
  for (; looked_at_ < rows.size(); ++looked_at_) {
    if (marker.work() >= limit) return false;
    marker.add_work(1);
    Registration& registration = rows[looked_at_];
    registration.settled_in = 0;
    if (!marker.is_live(registration.object)) continue;
    marker.mark_root(registration.agent);
    registration.settled_in = cycle_;
  }
  return true;
}

/// What `settled_in` says of objects that this marking found alive; no number where it is no cycle.
std::uint32_t FinalizerTable::settled_by(const Marker& marker) const noexcept {
  return marker.is_incremental() ? cycle_ : ~std::uint32_t{0};
}

void FinalizerTable::await(Marker& marker, bool is_minor) noexcept {
  auto& rows = registrations_.rows();
  if (rows.empty()) return;
  marker.await(rows.data(), is_minor ? old_count_ : 0, static_cast<std::uint32_t>(rows.size()),
               settled_by(marker));
}

void FinalizerTable::mark_agents(Marker& marker, bool is_minor) const noexcept {
  const auto& rows = registrations_.rows();
  const std::uint32_t settled = settled_by(marker);
  for (std::size_t number = is_minor ? old_count_ : 0; number < rows.size(); ++number) {
    const Registration& registration = rows[number];
    if (registration.settled_in == settled) continue;
    if (marker.is_live(registration.object)) marker.mark_root(registration.agent);
  }
}

std::uint64_t FinalizerTable::take_dead(const Marker& marker, bool is_minor) noexcept {
  const auto& rows = registrations_.rows();
  const std::uint32_t young = is_minor ? old_count_ : 0;
  const std::uint32_t settled = settled_by(marker);
  const auto is_alive = [&](const Registration& row) {
    return row.settled_in == settled || marker.is_live(row.object);
  };
  std::uint64_t taken = 0;
  if (!std::all_of(rows.begin() + young, rows.end(), is_alive)) {
    taken = take_if(young, [&](const Registration& registration) {
      if (is_alive(registration)) return false;
      make_ready(registration);
      return true;
    });
  }
  old_count_ = static_cast<std::uint32_t>(registrations_.rows().size());
  return taken;
}

}  // namespace besom::detail
