#include "tests/gc/heap_model_impl.hpp"

namespace besom::test {

void HeapModel::Impl::make_guardians() {
  guardians_[0] = Guardian(*heap_);
  guardians_[1] = Guardian(
      *heap_,
      [](void* user, Heap&, void* agent) {
        static_cast<Impl*>(user)->called_back_.push_back(
            Ref<Header>(static_cast<Header*>(agent)).index());
      },
      this);
  guards_.clear();
  ready_.clear();
}

void HeapModel::Impl::change_weak() {
  const std::uint32_t roll = choices_.below(100);
  if (roll < 25) {
    change_weak_handle();
  } else if (roll < 65) {
    // Whether a cycle found a guarded object dead, or kept it, does not show.
    if (plan_.options.incremental) return;
    Shadow* object = any_shadow();
    if (object == nullptr || guards_.size() >= 200) return;
    Shadow* agent = choices_.chance(60) ? object : any_shadow();
    const auto priority = static_cast<std::int32_t>(choices_.below(3)) - 1;
    const std::uint32_t guardian = choices_.below(2);
    const bool gives_both = choices_.chance(30);
    const Error error =
        gives_both
            ? guardians_[guardian].guard_both(address_of(*object), address_of(*agent), priority)
            : guardians_[guardian].guard(address_of(*object), address_of(*agent), priority);
    expect(!error, "guard", static_cast<std::uint64_t>(error.code));
    guards_.push_back(
        {object, agent, priority, guardian, ++last_serial_, gives_both || object == agent});
  } else if (roll < 90) {
    hand_out();
  } else if (roll < 98) {
    call_back();
  } else {
    drop_guardian(choices_.below(2));
  }
}

void HeapModel::Impl::note_marked(const MarkView& marks) {
  for (const std::unique_ptr<Shadow>& shadow : shadows_) {
    shadow->is_doomed = !marks.is_marked(Ref<void>(shadow->index));
  }
}

void HeapModel::Impl::settle_doomed(Shadow& shadow) {
  if (shadow.kind < kWeak) return;
  const auto is_doomed = [](const ShadowSlot& slot) {
    return slot.target != nullptr && slot.target->is_doomed;
  };
  for (std::uint32_t i = 0; i < shadow.slots.size(); ++i) {
    const std::uint32_t* slot = slot_address(shadow, address_of(shadow), i);
    prepare_read(slot, false);
    if (shadow.kind == kWeak) {
      if (is_doomed(shadow.slots[i])) shadow.slots[i] = {};
      continue;
    }
    ShadowSlot& key = shadow.slots[i & ~1u];
    ShadowSlot& value = shadow.slots[i | 1u];
    // A value without a key is broken when the cycle comes by.
    const bool has_key = key.is_integer || key.target != nullptr;
    const bool is_broken = &value == &shadow.slots[i] && !has_key && value.target != nullptr &&
                           *slot == Value::integer(0).bits();
    if (!is_doomed(key) && !is_doomed(value) && !is_broken) continue;
    key = {};
    value = {nullptr, 0, true};
  }
}

void HeapModel::Impl::change_weak_handle() {
  const std::uint32_t roll = choices_.below(10);
  if (weak_.empty() || (roll < 4 && weak_.size() < 50)) {
    Shadow* shadow = any_shadow();
    if (shadow == nullptr) return;
    weak_.push_back({Weak<Header>(*heap_, object<Header>(*shadow)), shadow});
    return;
  }
  const auto at = choices_.below(static_cast<std::uint32_t>(weak_.size()));
  if (roll < 7) {
    weak_[at].second = any_shadow();
    weak_[at].first.set(weak_[at].second != nullptr ? object<Header>(*weak_[at].second) : nullptr);
  } else {
    if (at + 1 != weak_.size()) weak_[at] = std::move(weak_.back());
    weak_.pop_back();
  }
}

std::size_t HeapModel::Impl::next_ready(std::uint32_t guardian) const {
  std::size_t best = ready_.size();
  for (std::size_t i = 0; i < ready_.size(); ++i) {
    if (ready_[i].guardian != guardian) continue;
    const auto rank = [&](std::size_t at) {
      return std::pair(-ready_[at].priority, ready_[at].serial);
    };
    if (best == ready_.size() || rank(i) < rank(best)) best = i;
  }
  return best;
}

void HeapModel::Impl::hand_out() {
  const std::uint32_t guardian = choices_.below(2);
  const std::size_t at = next_ready(guardian);
  const Result<Guarded> next = guardians_[guardian].next_both();
  expect(static_cast<bool>(next), "next", static_cast<std::uint64_t>(next.error().code));
  const std::uint32_t index = Ref<Header>(static_cast<Header*>(next->agent)).index();
  expect(index == (at == ready_.size() ? 0 : ready_[at].agent->index), "the next agent", index);
  if (at == ready_.size()) return;
  const Shadow* object = ready_[at].gives_object ? ready_[at].object : nullptr;
  expect(next->object == (object != nullptr ? address_of(*object) : nullptr), "its object", index);
  if (object != nullptr) check_object(*object);
  newest_ = ready_[at].agent;
  check_object(*newest_);
  ready_.erase(ready_.begin() + static_cast<std::ptrdiff_t>(at));
  ++counts_.handed_out;
}

void HeapModel::Impl::call_back() {
  called_back_.clear();
  const Result<std::uint64_t> count = heap_->run_finalizers(choices_.below(5));
  expect(count && *count == called_back_.size(), "finalizers run", called_back_.size());
  for (const std::uint32_t index : called_back_) {
    const std::size_t at = next_ready(1);
    expect(at != ready_.size() && ready_[at].agent->index == index, "the next finalizer", index);
    ready_.erase(ready_.begin() + static_cast<std::ptrdiff_t>(at));
    ++counts_.handed_out;
  }
}

void HeapModel::Impl::drop_guardian(std::uint32_t guardian) {
  if (choices_.chance(50)) {
    expect(!guardians_[guardian].make_all_ready(), "make all ready", guardian);
    move_ready([&](const ShadowGuard& guard) { return guard.guardian == guardian; });
  } else {
    make_guardians();
  }
}

}  // namespace besom::test
