#include "besom/guardian.hpp"

#include "besom/heap.hpp"
#include "gc/weak/finalizer_table.hpp"

namespace besom {

Guardian::Guardian(Heap& heap, FinalizerCallback callback, void* user) noexcept {
  detail::FinalizerTable* const table = detail::parts_of(heap).finalizers;
  if (detail::roots_of(heap).refusal() == Errc::ok) queue_ = table->open(callback, user);
  if (queue_ == nullptr) {
    detail::note_root_failure(heap);
    return;
  }
  table_ = table;
  table_->retain();
}

void Guardian::reset() noexcept {
  if (table_ == nullptr) return;
  if (!is_stale()) {
    const Errc code = detail::roots_of(*table_->heap()).refusal();
    BESOM_CHECK(code != Errc::reentrant, "guardian dropped during a collection: pending, ready",
                queue_->pending, queue_->ready());
    BESOM_CHECK(code != Errc::wrong_thread, "guardian dropped by another thread: pending, ready",
                queue_->pending, queue_->ready());
    table_->close(queue_);
  }
  queue_ = nullptr;
  std::exchange(table_, nullptr)->release();
}

bool Guardian::is_stale() const noexcept { return table_ != nullptr && table_->heap() == nullptr; }

std::uint64_t Guardian::pending() const noexcept { return *this ? queue_->pending : 0; }
std::uint64_t Guardian::ready() const noexcept { return *this ? queue_->ready() : 0; }

Error Guardian::refusal() const noexcept {
  if (!*this) return {.code = Errc::stale_handle, .detail = "guardian"};
  const Errc code = detail::roots_of(*table_->heap()).refusal();
  return code != Errc::ok ? Error{.code = code, .detail = "guardian"} : Error{};
}

Error Guardian::guard(const void* object, const void* agent, std::int32_t priority) noexcept {
  return add(object, agent, priority, agent == nullptr || agent == object);
}

Error Guardian::guard_both(const void* object, const void* agent, std::int32_t priority) noexcept {
  return add(object, agent, priority, true);
}

/// `keeps`: the object is handed out as well.
Error Guardian::add(const void* object, const void* agent, std::int32_t priority,
                    bool keeps) noexcept {
  if (Error error = refusal()) return error;
  Heap& heap = *table_->heap();
  if (agent == nullptr) agent = object;
  for (const void* address : {object, agent}) {
    const Ref<void> ref(detail::index_of(address));
    if (address == nullptr) return {.code = Errc::bad_ref, .detail = "guarded null"};
    if (detail::arena_of(address) != detail::base_of(heap)) {
      return {.code = Errc::wrong_heap, .detail = "guarded object"};
    }
    if (const Result<Header*> header = heap.check(ref); !header) return header.error();
  }
  if (agent != object) {
    if (Error error = detail::prepare_agents(detail::parts_of(heap))) return error;
  }
  if (!table_->add(*queue_, detail::index_of(object), detail::index_of(agent), priority, keeps)) {
    return {.code = Errc::out_of_host_memory, .detail = "guardian"};
  }
  return {};
}

Result<void*> Guardian::next() noexcept {
  const Result<Guarded> next = next_both();
  if (!next) return next.error();
  return next->agent;
}

Result<Guarded> Guardian::next_both() noexcept {
  if (Error error = refusal()) return error;
  const detail::ReadyAgent ready = table_->take(*queue_);
  if (ready.agent == 0) return Guarded{};
  detail::HeapParts& heap = detail::parts_of(*table_->heap());
  heap.newest = ready.agent;  // kept as a new object is
  char* const base = heap.front.base;
  return Guarded{.object = ready.object != 0 ? base + ready.object : nullptr,
                 .agent = base + ready.agent};
}

Error Guardian::make_all_ready() noexcept {
  if (Error error = refusal()) return error;
  detail::forget_dead(detail::parts_of(*table_->heap()));
  table_->expire(*queue_);
  // Of a cycle that is under way, what is ready was no root when it began.
  const char* const base = detail::base_of(*table_->heap());
  for (const detail::ReadyAgent& ready : queue_->agents.all()) {
    note_kept(base + ready.agent);
    note_kept(base + ready.object);
  }
  return {};
}

}  // namespace besom
