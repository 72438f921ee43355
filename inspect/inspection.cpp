/// The calls of Heap that walk it and change nothing.

#include "besom/heap.hpp"
#include "gc/collector.hpp"
#include "heap/replaced_file.hpp"
#include "inspect/census.hpp"
#include "inspect/held_roots.hpp"
#include "inspect/object_slots.hpp"
#include "inspect/root_path.hpp"
#include "inspect/snapshot.hpp"

namespace besom {

using detail::Space;
using detail::TypeTable;

namespace {

Error missing(const char* detail) noexcept {
  return {.code = Errc::bad_argument, .detail = detail};
}

}  // namespace

VerifyReport Heap::verify(std::uint64_t max_defects) noexcept {
  struct Kept {
    VerifyReport report;
    std::uint64_t most;
  } kept{{}, max_defects};
  VerifyReport& report = kept.report;
  if (!may_enter()) {
    report.error = error_;
    return std::move(report);
  }
  const auto keep = [](void* user, const Defect& defect) noexcept {
    auto& [into, most] = *static_cast<Kept*>(user);
    if (into.defects.size() >= most || into.error) return;
    if (!into.defects.add(defect)) {
      into.error = {.code = Errc::out_of_host_memory, .detail = "defects"};
    }
  };
  const detail::VerifyCounts counts = collector_->verify({keep, &kept});
  report.objects = counts.objects;
  report.slots = counts.slots;
  report.more = counts.defects - report.defects.size();
  return std::move(report);
}

Error Heap::each_object(ObjectVisitor visitor, void* user) noexcept {
  if (!may_enter()) return error_;
  if (visitor == nullptr) return missing("each_object(): no visitor");
  collector_->read([&](const Space& space, const TypeTable& types) {
    detail::visit_objects(space, types, visitor, user);
    return true;
  });
  return {};
}

Error Heap::each_hole(HoleVisitor visitor, void* user) noexcept {
  if (!may_enter()) return error_;
  collector_->read([&](const Space& space, const TypeTable&) {
    detail::each_hole(space, [&](Run hole) { visitor(user, hole); });
    return true;
  });
  return {};
}

Result<Census> Heap::census() noexcept {
  if (!may_enter()) return error_;
  return collector_->read(
      [](const Space& space, const TypeTable& types) { return detail::take_census(space, types); });
}

Result<RootPath> Heap::path_to_root(Ref<void> ref) noexcept {
  if (!may_enter()) return error_;
  if (!space_->is_object(ref.index())) {
    return Error{.code = Errc::bad_ref, .bytes = ref.index(), .detail = "no object starts there"};
  }
  return collector_->read([&](const Space& space, const TypeTable& types) {
    return detail::find_path(space, types, *roots_, newest_, ref.index());
  });
}

Result<HeldRoots> Heap::held_roots() noexcept {
  if (!may_enter()) return error_;
  return detail::find_held_roots(*roots_);
}

Result<SnapshotStats> Heap::write_snapshot(const SnapshotSink& sink,
                                           const SnapshotLabeller& labeller) noexcept {
  if (!may_enter()) return error_;
  if (sink.write == nullptr) return missing("write_snapshot(): a sink that writes nothing");
  return collector_->read([&](const Space& space, const TypeTable& types) {
    return detail::write_snapshot({.space = space,
                                   .types = types,
                                   .roots = *roots_,
                                   .finalizers = *finalizers_,
                                   .newest = newest_},
                                  sink, labeller);
  });
}

Result<SnapshotStats> Heap::save_snapshot(const char* name,
                                          const SnapshotLabeller& labeller) noexcept {
  if (!may_enter()) return error_;
  if (name == nullptr) return missing("save_snapshot(): no name");
  struct Target {
    detail::ReplacedFile file;
    Error error;
  } target{detail::ReplacedFile(space_->arena().system()), {}};
  if (const Error error = target.file.open(name)) return error;
  const auto append = [](void* user, const char* bytes, std::size_t count) {
    auto* to = static_cast<Target*>(user);
    to->error = to->file.write(bytes, count);
    return !to->error;
  };
  const Result<SnapshotStats> written = write_snapshot({append, &target}, labeller);
  if (target.error) return target.error;
  if (!written) return written;
  if (const Error error = target.file.commit()) return error;
  return written;
}

}  // namespace besom
