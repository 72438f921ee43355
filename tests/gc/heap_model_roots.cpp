#include <memory>

#include "tests/gc/heap_model_impl.hpp"

namespace besom::test {

void HeapModel::Impl::root_in_handle(Shadow& shadow) {
  if (handles_.size() >= plan_.handles && choices_.chance(80)) {
    Rooted& rooted = handles_[choices_.below(static_cast<std::uint32_t>(handles_.size()))];
    rooted.handle.set(object<Header>(shadow));
    rooted.shadow = &shadow;
  } else {
    handles_.push_back({Handle<Header>(*heap_, object<Header>(shadow)), &shadow});
    expect(static_cast<bool>(handles_.back().handle), "handle", shadow.index);
  }
  if (newest_ == &shadow) newest_ = nullptr;
}

void HeapModel::Impl::drop_handle() {
  if (handles_.empty()) return;
  const auto at = choices_.below(static_cast<std::uint32_t>(handles_.size()));
  if (at + 1 != handles_.size()) handles_[at] = std::move(handles_.back());
  handles_.pop_back();
}

void HeapModel::Impl::close_scope() {
  std::vector<std::pair<Local<Header>, Shadow*>> locals = std::move(scopes_.back().locals);
  scopes_.pop_back();
  for (const auto& [local, shadow] : locals) {
    expect(local.is_stale(), "a local is stale after its scope", shadow->index);
  }
}

void HeapModel::Impl::change_locals() {
  const std::uint32_t roll = choices_.below(10);
  if (scopes_.empty() || (roll < 2 && scopes_.size() < 10)) {
    scopes_.push_back({std::make_unique<HandleScope>(*heap_), {}});
  } else if (roll < 4) {
    close_scope();
  } else if (Shadow* shadow = any_shadow()) {
    Scope& scope = scopes_.back();
    if (!scope.locals.empty() && choices_.chance(30)) {
      scope.locals.back().first.set(object<Header>(*shadow));
      scope.locals.back().second = shadow;
    } else if (scope.locals.size() < 20) {
      scope.locals.emplace_back(scope.scope->root(object<Header>(*shadow)), shadow);
    }
    if (scope.locals.back().second == shadow && newest_ == shadow) newest_ = nullptr;
  }
}

void HeapModel::Impl::set_range(std::size_t slot, const ShadowSlot& value) {
  range_shadows_[slot] = value;
  range_slots_[slot] = value.is_integer          ? Value::integer(value.integer).bits()
                       : value.target != nullptr ? value.target->index
                                                 : 0;
}

void HeapModel::Impl::change_range() {
  ShadowSlot value;
  const std::uint32_t roll = choices_.below(10);
  if (roll < 4) value.target = any_shadow();
  if (roll == 4) {
    value.is_integer = true;
    value.integer = -static_cast<std::int32_t>(choices_.below(1 << 20));
  }
  set_range(choices_.below(kRange), value);
}

void HeapModel::Impl::change_called() {
  if (called_.size() < 12 && choices_.chance(50)) {
    if (Shadow* shadow = any_shadow()) called_.push_back(shadow);
  } else if (!called_.empty()) {
    called_.pop_back();
  }
}

}  // namespace besom::test
