#include <cstdio>
#include <stdexcept>

#include "tests/gc/heap_model_impl.hpp"

namespace besom::test {

std::uint32_t Choices::below(std::uint32_t bound) noexcept {
  if (bytes_ == nullptr) return random_.below(bound);
  std::uint32_t number = 0;
  for (std::uint32_t rest = bound - 1; rest != 0; rest >>= 8) {
    number = number << 8 | (used_ < count_ ? bytes_[used_] : 0u);
    ++used_;
  }
  return number % bound;
}

HeapModel::Impl::Impl(const ModelPlan& plan, Choices& choices) : plan_(plan), choices_(choices) {
  Result<HeapPtr> heap = Heap::create(plan.options);
  expect(static_cast<bool>(heap), "heap created", 0);
  heap_ = std::move(*heap);
  define_types();
  range_ = heap_->add_root_range(range_slots_, kRange, "range");
  callback_ = heap_->add_roots(
      [](void* user, Tracer& tracer) {
        for (const Shadow* shadow : static_cast<Impl*>(user)->called_) {
          tracer.visit(Ref<Header>(shadow->index));
        }
      },
      this, "callback");
  add_hook();
  make_guardians();
}

void HeapModel::Impl::add_hook() {
  hook_ = heap_->add_mark_hook(
      [](void* user, const MarkView& marks) { static_cast<Impl*>(user)->note_marked(marks); }, this,
      "model");
}

void HeapModel::Impl::step() {
  ++counts_.operations;
  const std::uint32_t choice = choices_.below(100);
  if (choice < 45) {
    allocate();
  } else if (choice < 50) {
    change_weak();
  } else if (choice < 70) {
    write();
  } else if (choice < 78) {
    add_handle();
  } else if (choice < 86) {
    drop_handle();
  } else if (choice < 91) {
    change_locals();
  } else if (choice < 95) {
    change_range();
  } else if (choice < 97) {
    change_called();
  } else if (choice < 99) {
    read();
  } else {
    rarely();
  }
  if (choices_.below(plan_.collect_every) == 0) compare();
}

void HeapModel::Impl::compare() {
  newest_ = nullptr;  // who collects on purpose has rooted what is to stay
  expect(!heap_->collect(), "collect", 0);
  note_collections(nullptr);
  for (const std::uint32_t index : dead_) {
    expect(!heap_->check(Ref<void>(index)), "a dead object is no object", index);
  }
  dead_.clear();
}

void HeapModel::Impl::drain() {
  handles_.clear();
  while (!scopes_.empty()) close_scope();
  for (std::size_t i = 0; i < kRange; ++i) set_range(i, {});
  called_.clear();
  make_guardians();
  compare();
  expect(shadows_.empty(), "nothing is left", shadows_.size());
  expect(verify(*heap_).ok(), "verify", 0);
  expect(holes().size() == 1, "one hole is left", holes().size());
}

std::vector<Run> HeapModel::Impl::holes() const {
  std::vector<Run> met;
  const Error error = each_hole(
      *heap_, [](void* to, Run hole) { static_cast<std::vector<Run>*>(to)->push_back(hole); },
      &met);
  expect(!error, "each_hole", 0);
  return met;
}

void HeapModel::Impl::expect(bool good, const char* what, std::uint64_t figure) const {
  if (good) return;
  char text[160];
  std::snprintf(text, sizeof text,
                "the heap differs from its model: %s (0x%llx), operation %llu, collection %llu",
                what, static_cast<unsigned long long>(figure),
                static_cast<unsigned long long>(counts_.operations),
                static_cast<unsigned long long>(counts_.collections));
  throw std::runtime_error(text);
}

void HeapModel::Impl::read() {
  for (const auto& [weak, shadow] : weak_) {
    const bool has_target = shadow != nullptr && !shadow->is_doomed;
    expect(weak.ref().index() == (has_target ? shadow->index : 0), "a weak handle",
           weak.ref().index());
  }
  if (Shadow* shadow = any_shadow()) {
    settle_doomed(*shadow);
    check_object(*shadow);
  }
}

void HeapModel::Impl::rarely() {
  const std::uint32_t roll = choices_.below(200);
  if (roll == 0) {
    reset();
  } else if (roll < 4) {
    handles_.clear();
  } else if (roll >= (plan_.options.generational ? 198 : 100) && plan_.options.incremental) {
    const Result<std::uint64_t> left = heap_->step(choices_.below(1000));
    expect(static_cast<bool>(left), "step", static_cast<std::uint64_t>(left.error().code));
    note_collections(nullptr);
  } else if (roll < 30) {
    const VerifyReport report = verify(*heap_);
    expect(report.ok(), "verify", report.defects.size());
  }
}

void HeapModel::Impl::reset() {
  expect(!heap_->reset(), "reset", 0);
  for (const Rooted& rooted : handles_) {
    expect(rooted.handle.is_stale(), "a handle is stale after a reset", 0);
  }
  for (const auto& weak : weak_) expect(weak.first.is_stale(), "stale after a reset", 0);
  weak_.clear();
  guards_.clear();
  ready_.clear();
  handles_.clear();
  while (!scopes_.empty()) close_scope();
  range_ = heap_->add_root_range(range_slots_, kRange, "range");
  for (std::size_t i = 0; i < kRange; ++i) set_range(i, {});
  called_.clear();
  callback_ = heap_->add_roots(
      [](void* user, Tracer& tracer) {
        for (const Shadow* shadow : static_cast<Impl*>(user)->called_) {
          tracer.visit(Ref<Header>(shadow->index));
        }
      },
      this, "callback");
  add_hook();
  shadows_.clear();
  dead_.clear();
  newest_ = nullptr;
}

void HeapModel::Impl::exhausted(std::uint32_t bytes) {
  ++counts_.exhaustions;
  const Error& error = heap_->error();
  expect(error.code == Errc::heap_limit || error.code == Errc::object_too_large, "exhausted",
         static_cast<std::uint64_t>(error.code));
  if (error.code == Errc::object_too_large) return;
  expect((error.bytes + 15) / 16 * 16 == bytes, "bytes needed", error.bytes);
  for (const Run hole : holes()) {
    expect(hole.size_bytes < bytes, "a hole was large enough", bytes);
  }
  while (handles_.size() > plan_.handles / 4) drop_handle();
  for (std::size_t i = 0; i < kRange; ++i) set_range(i, {});
}

HeapModel::HeapModel(const ModelPlan& plan, Choices& choices)
    : impl_(std::make_unique<Impl>(plan, choices)) {}
HeapModel::~HeapModel() = default;
void HeapModel::step() { impl_->step(); }
void HeapModel::compare() { impl_->compare(); }
void HeapModel::drain() { impl_->drain(); }
const ModelCounts& HeapModel::counts() const noexcept { return impl_->counts(); }

}  // namespace besom::test
