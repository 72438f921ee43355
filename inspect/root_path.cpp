#include <cinttypes>

#include "besom/inspect.hpp"
#include "gc/roots/root_walks.hpp"
#include "heap/text_output.hpp"
#include "inspect/heap_view.hpp"

namespace besom {

std::size_t RootPath::write_message(char* buffer, std::size_t size) const noexcept {
  detail::TextOutput line(buffer, size);
  if (count_ == 0) return line.add("no path from a root").length();
  constexpr std::size_t kEnd = 20;
  line.add("'").add(root_label_).add("'");
  for (std::size_t i = 0; i < count_; ++i) {
    if (count_ > 2 * kEnd && i == kEnd) {
      line.print(" ... %zu more ...", count_ - 2 * kEnd);
      i = count_ - kEnd;
    }
    const PathStep& step = steps_[i];
    switch (step.via) {
      case PathStep::Via::root:
        break;
      case PathStep::Via::field:
        line.add(" .").add(step.field->name);
        break;
      case PathStep::Via::element:
        line.print(" [%" PRIu32 "]", step.element);
        break;
      case PathStep::Via::callback:
        line.add(" (callback)");
        break;
    }
    line.add(" -> ").add(step.type != nullptr ? step.type->name.c_str() : "damaged");
    line.print(" 0x%" PRIx32, step.object.index());
  }
  return line.length();
}

/// Breadth first from the roots. What is met first by a shortest way gets the object that it was
/// met from as its parent.
class PathSearch {
 public:
  PathSearch(const detail::HeapView& view, std::uint32_t target) noexcept
      : view_(view), addresses_(view.space()), target_(target) {}

  [[nodiscard]] Result<RootPath> run() {
    if (!addresses_.is_object(target_)) {
      return Error{.code = Errc::bad_ref, .bytes = target_, .detail = "no object starts there"};
    }
    const std::uint32_t end = detail::to_granules(view_.space().free_list().used_end());
    has_memory_ = parents_.grow(std::size_t{end} + 1);
    if (has_memory_) search();
    RootPath path;
    if (has_memory_ && is_found()) build(path);
    if (has_memory_) return path;
    return Error{.code = Errc::out_of_host_memory, .detail = "path from a root"};
  }

 private:
  static constexpr std::uint32_t kRoot = 1;  ///< No object's index: the parent of what roots hold.
  static constexpr const char* kNewest = detail::kNewestLabel;

  [[nodiscard]] std::uint32_t& parent_of(std::uint32_t index) noexcept {
    return parents_[detail::to_granules(index)];
  }
  [[nodiscard]] bool is_found() noexcept { return parent_of(target_) != 0; }

  /// From the newest object last: what else keeps the target alive is better to know.
  void search() {
    view_.roots().each_labelled(addresses_,
                                [&](const detail::LabelledRoot& root) { meet(root.bits, kRoot); });
    visit_what_was_met();
    meet(view_.newest(), kRoot);
    visit_what_was_met();
  }
  void visit_what_was_met() {
    do {
      while (visited_ != met_ && !is_found() && has_memory_) visit(queue_[visited_++]);
    } while (!is_found() && meet_values_of_keys());
  }
  void visit(std::uint32_t index) {
    each_strong_edge(index, [&](const detail::ObjectSlot& slot) {
      if (slot.key == 0) meet(slot.bits, index);
    });
  }
  /// The values of ephemerons whose keys were met. Whether there were any.
  bool meet_values_of_keys() {
    const std::size_t met_before = met_;
    for (std::size_t i = 0; i < met_before && has_memory_; ++i) {
      const std::uint32_t index = queue_[i];
      each_strong_edge(index, [&](const detail::ObjectSlot& slot) {
        if (slot.key != 0 && is_met(slot.key)) meet(slot.bits, index);
      });
    }
    return met_ != met_before;
  }
  /// Integers always are.
  [[nodiscard]] bool is_met(std::uint32_t bits) noexcept {
    return (bits & 1) != 0 || (view_.space().free_list().is_block(bits) && parent_of(bits) != 0);
  }

  void meet(std::uint32_t bits, std::uint32_t parent) noexcept {
    if (!has_memory_ || bits == 0 || !view_.space().free_list().is_block(bits)) return;
    if (parent_of(bits) != 0) return;
    parent_of(bits) = parent;
    if (met_ == queue_.size() && !queue_.grow(queue_.size() * 2 + 1024)) {
      has_memory_ = false;
      return;
    }
    queue_[met_++] = bits;
  }

  [[nodiscard]] Run run_of(std::uint32_t index) const noexcept {
    return view_.space().free_list().run_at(index);
  }
  [[nodiscard]] const detail::TypeInfo* type_of(std::uint32_t index) const noexcept {
    const Header header = detail::load_header(view_.space().base() + index);
    return checked_type(view_.types(), header, run_of(index).size_bytes);
  }
  template <class Visit>
  void each_strong_edge(std::uint32_t index, Visit visit) {
    const detail::TypeInfo* type = type_of(index);
    if (type == nullptr) return;
    detail::each_slot(addresses_, run_of(index), *type, [&](const detail::ObjectSlot& slot) {
      if (slot.is_strong_edge()) visit(slot);
    });
  }

  void build(RootPath& path) {
    std::size_t count = 0;
    for (std::uint32_t at = target_; at != kRoot; at = parent_of(at)) ++count;
    has_memory_ = path.steps_.grow(count);
    if (!has_memory_) return;
    path.count_ = count;
    std::uint32_t at = target_;
    for (std::size_t i = count; i > 0; --i) {
      path.steps_[i - 1] = step_to(at);
      if (parent_of(at) == kRoot) path.root_label_ = label_of(at);
      at = parent_of(at);
    }
  }

  [[nodiscard]] PathStep step_to(std::uint32_t index) {
    const detail::TypeInfo* type = type_of(index);
    PathStep step{.object = Ref<void>(index),
                  .type = type != nullptr ? type->descriptor : nullptr,
                  .via = PathStep::Via::root,
                  .field = nullptr,
                  .element = 0};
    const std::uint32_t parent = parent_of(index);
    if (parent == kRoot) return step;
    step.via = PathStep::Via::callback;  // also where one does not visit the same twice
    bool found = false;
    each_strong_edge(parent, [&](const detail::ObjectSlot& slot) {
      if (found || slot.bits != index) return;
      found = true;
      step.field = slot.field;
      step.element = slot.element;
      if (slot.by_callback) return;
      step.via = slot.field != nullptr ? PathStep::Via::field : PathStep::Via::element;
    });
    return step;
  }

  [[nodiscard]] const char* label_of(std::uint32_t index) {
    const char* found = nullptr;
    view_.roots().each_labelled(addresses_, [&](const detail::LabelledRoot& root) {
      if (found == nullptr && root.bits == index) found = root.label != nullptr ? root.label : "";
    });
    return found != nullptr ? found : kNewest;
  }

  const detail::HeapView& view_;
  const detail::Addresses addresses_;
  std::uint32_t target_;
  detail::ZeroedArray<std::uint32_t> parents_;  ///< By granule; 0: not met.
  detail::ZeroedArray<std::uint32_t> queue_;
  std::size_t met_ = 0;
  std::size_t visited_ = 0;
  bool has_memory_ = false;
};

Result<RootPath> path_to_root(Heap& heap, Ref<void> ref) noexcept {
  return detail::read(
      heap, [&](const detail::HeapView& view) { return PathSearch(view, ref.index()).run(); });
}

}  // namespace besom
