#include "inspect/snapshot_roots.hpp"

#include "gc/roots/root_walks.hpp"
#include "gc/weak/finalizer_table.hpp"

namespace besom::detail {
namespace {

enum Group : std::uint8_t { kHandles, kLocals, kRanges, kCallbacks, kWeakHandles, kFinalizers };

Group group_of(HeldRoot::Kind kind) noexcept {
  switch (kind) {
    case HeldRoot::Kind::handle:
      return kHandles;
    case HeldRoot::Kind::local:
      return kLocals;
    case HeldRoot::Kind::range:
    case HeldRoot::Kind::mark_hook:
      return kRanges;
    case HeldRoot::Kind::callback:
      return kCallbacks;
  }
  return kRanges;
}

}  // namespace

bool SnapshotRoots::add(const RootEdge& edge) noexcept {
  if (count_ == edges_.size() && !edges_.grow(count_ * 2 + 256)) return false;
  edges_[count_++] = edge;
  ++edges_in_[edge.group];
  return true;
}

bool SnapshotRoots::gather(const HeapView& view, SnapshotStrings& strings) noexcept {
  const Addresses addresses(view.space());
  bool has_memory = true;
  const auto note = [&](std::uint32_t bits, SlotKind kind, const char* label, Group group,
                        bool is_weak) {
    if (!has_memory || !names_object(bits, kind)) return;
    if (!addresses.is_object(bits)) {
      ++bad_refs_;
      return;
    }
    const std::uint32_t name = strings.of_label(label);
    has_memory =
        name != 0 && add({.target = bits, .name = name, .group = group, .is_weak = is_weak});
  };
  view.roots().each_labelled(addresses, [&](const LabelledRoot& root) {
    note(root.bits, root.kind, root.label, group_of(root.held), false);
  });
  note(view.newest(), SlotKind::ref, kNewestLabel, kLocals, false);
  view.roots().weak_handles().each([&](const HandleSlot& slot) {
    note(slot.ref, SlotKind::value, slot.label, kWeakHandles, true);
  });
  view.finalizers().each([&](std::uint32_t bits, const char* what, bool is_kept) {
    note(bits, SlotKind::ref, what, kFinalizers, !is_kept);
  });
  return has_memory;
}

}  // namespace besom::detail
