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
  if (!table_->add(*queue_, detail::index_of(object), detail::index_of(agent), priority)) {
    return {.code = Errc::out_of_host_memory, .detail = "guardian"};
  }
  return {};
}

Result<void*> Guardian::next() noexcept {
  if (Error error = refusal()) return error;
  const std::uint32_t agent = table_->take(*queue_);
  if (agent == 0) return static_cast<void*>(nullptr);
  detail::HeapParts& heap = detail::parts_of(*table_->heap());
  heap.newest = agent;  // kept as a new object is
  return heap.front.base + agent;
}

/// What is ready is a root. A cycle that is under way has read those.
Error Guardian::make_all_ready() noexcept {
  if (Error error = refusal()) return error;
  table_->expire(*queue_);
  const char* base = detail::parts_of(*table_->heap()).front.base;
  for (const detail::ReadyAgent& ready : queue_->agents.all()) note_kept(base + ready.agent);
  return {};
}

}  // namespace besom
