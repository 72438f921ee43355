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
  if (!parts_.collector->may_enter()) {
    report.error = parts_.error;
    return std::move(report);
  }
  const auto keep = [](void* user, const Defect& defect) noexcept {
    auto& [into, most] = *static_cast<Kept*>(user);
    if (into.defects.size() >= most || into.error) return;
    if (!into.defects.add(defect)) {
      into.error = {.code = Errc::out_of_host_memory, .detail = "defects"};
    }
  };
  const detail::VerifyCounts counts = parts_.collector->verify({keep, &kept});
  report.objects = counts.objects;
  report.slots = counts.slots;
  report.more = counts.defects - report.defects.size();
  return std::move(report);
}

Error Heap::each_object(ObjectVisitor visitor, void* user) noexcept {
  if (!parts_.collector->may_enter()) return parts_.error;
  if (visitor == nullptr) return missing("each_object(): no visitor");
  parts_.collector->read([&](const Space& space, const TypeTable& types) {
    detail::visit_objects(space, types, visitor, user);
    return true;
  });
  return {};
}

Error Heap::each_hole(HoleVisitor visitor, void* user) noexcept {
  if (!parts_.collector->may_enter()) return parts_.error;
  parts_.collector->read([&](const Space& space, const TypeTable&) {
    detail::each_hole(space, [&](Run hole) { visitor(user, hole); });
    return true;
  });
  return {};
}

Result<Census> Heap::census() noexcept {
  if (!parts_.collector->may_enter()) return parts_.error;
  return parts_.collector->read(
      [](const Space& space, const TypeTable& types) { return detail::take_census(space, types); });
}

Result<RootPath> Heap::path_to_root(Ref<void> ref) noexcept {
  if (!parts_.collector->may_enter()) return parts_.error;
  if (!parts_.space->is_object(ref.index())) {
    return Error{.code = Errc::bad_ref, .bytes = ref.index(), .detail = "no object starts there"};
  }
  return parts_.collector->read([&](const Space& space, const TypeTable& types) {
    return detail::find_path(space, types, *parts_.roots, parts_.newest, ref.index());
  });
}

Result<HeldRoots> Heap::held_roots() noexcept {
  if (!parts_.collector->may_enter()) return parts_.error;
  return detail::find_held_roots(*parts_.roots);
}

Result<SnapshotStats> Heap::write_snapshot(const SnapshotSink& sink,
                                           const SnapshotLabeller& labeller) noexcept {
  if (!parts_.collector->may_enter()) return parts_.error;
  if (sink.write == nullptr) return missing("write_snapshot(): a sink that writes nothing");
  return parts_.collector->read([&](const Space& space, const TypeTable& types) {
    return detail::write_snapshot({.space = space,
                                   .types = types,
                                   .roots = *parts_.roots,
                                   .finalizers = *parts_.finalizers,
                                   .newest = parts_.newest},
                                  sink, labeller);
  });
}

Result<SnapshotStats> Heap::save_snapshot(const char* name,
                                          const SnapshotLabeller& labeller) noexcept {
  if (!parts_.collector->may_enter()) return parts_.error;
  if (name == nullptr) return missing("save_snapshot(): no name");
  struct Target {
    detail::ReplacedFile file;
    Error error;
  } target{detail::ReplacedFile(parts_.space->arena().system()), {}};
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
