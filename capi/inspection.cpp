/// The C interface: walks over the heap.

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstring>

#include "besom/inspect.hpp"
#include "capi/capi.hpp"

using besom::Error;
using besom::Result;
using besom::SnapshotKind;
using besom::SnapshotLabel;
using besom::SnapshotStats;
using besom::detail::give;
using besom::detail::refuse_null;

namespace {

static_assert(BESOM_VIA_ROOT == static_cast<int>(besom::PathStep::Via::root));
static_assert(BESOM_VIA_FIELD == static_cast<int>(besom::PathStep::Via::field));
static_assert(BESOM_VIA_ELEMENT == static_cast<int>(besom::PathStep::Via::element));
static_assert(BESOM_VIA_CALLBACK == static_cast<int>(besom::PathStep::Via::callback));
static_assert(BESOM_ROOT_HANDLE == static_cast<int>(besom::HeldRoot::Kind::handle));
static_assert(BESOM_ROOT_LOCAL == static_cast<int>(besom::HeldRoot::Kind::local));
static_assert(BESOM_ROOT_RANGE == static_cast<int>(besom::HeldRoot::Kind::range));
static_assert(BESOM_ROOT_CALLBACK == static_cast<int>(besom::HeldRoot::Kind::callback));
static_assert(BESOM_ROOT_MARK_HOOK == static_cast<int>(besom::HeldRoot::Kind::mark_hook));
static_assert(BESOM_DEFECT_BAD_REF == static_cast<int>(besom::Defect::Kind::bad_ref));
static_assert(BESOM_DEFECT_BAD_HEADER == static_cast<int>(besom::Defect::Kind::bad_header));
static_assert(BESOM_DEFECT_BAD_ROOT == static_cast<int>(besom::Defect::Kind::bad_root));
static_assert(BESOM_DEFECT_MISSED_STORE == static_cast<int>(besom::Defect::Kind::missed_store));
static_assert(BESOM_DEFECT_LOST == static_cast<int>(besom::Defect::Kind::lost));

static_assert(BESOM_NODE_ARRAY == static_cast<int>(SnapshotKind::array));
static_assert(BESOM_NODE_STRING == static_cast<int>(SnapshotKind::string));
static_assert(BESOM_NODE_OBJECT == static_cast<int>(SnapshotKind::object));
static_assert(BESOM_NODE_CODE == static_cast<int>(SnapshotKind::code));
static_assert(BESOM_NODE_CLOSURE == static_cast<int>(SnapshotKind::closure));
static_assert(BESOM_NODE_NUMBER == static_cast<int>(SnapshotKind::number));
static_assert(BESOM_NODE_NATIVE == static_cast<int>(SnapshotKind::native));
static_assert(BESOM_NODE_SYMBOL == static_cast<int>(SnapshotKind::symbol));
static_assert(BESOM_NODE_BIGINT == static_cast<int>(SnapshotKind::bigint));
static_assert(sizeof(besom_node_label::text) == SnapshotLabel::kMaxBytes);
static_assert(sizeof(besom_snapshot) == sizeof(SnapshotStats));
static_assert(offsetof(besom_snapshot, edges) == offsetof(SnapshotStats, edges));
static_assert(offsetof(besom_snapshot, bytes) == offsetof(SnapshotStats, bytes));
static_assert(offsetof(besom_snapshot, bad_refs) == offsetof(SnapshotStats, bad_refs));

besom_object to_c(const besom::ObjectView& view) noexcept {
  return {.object = view.header,
          .type = view.type_id,
          .type_name = besom::name_of(view.type),
          .size_bytes = view.size_bytes};
}

/// Hands objects on to a labeller in C; `user` is a besom_labeller.
void label_in_c(void* user, const besom::ObjectView& view, SnapshotLabel& label) {
  const auto* labeller = static_cast<const besom_labeller*>(user);
  const besom_object object = to_c(view);
  besom_node_label said;
  said.kind = BESOM_NODE_OBJECT;
  said.length = 0;
  labeller->label(labeller->user, &object, &said);
  label.kind = SnapshotKind{said.kind};
  label.length = std::min(said.length, SnapshotLabel::kMaxBytes);
  std::memcpy(label.text, said.text, label.length);
}

/// What the heap calls to label objects; nothing without a labeller.
besom::SnapshotLabeller to_cpp(besom_labeller& labeller) noexcept {
  if (labeller.label == nullptr) return {};
  return {label_in_c, &labeller};
}

besom_status give_stats(besom_heap* heap, const Result<SnapshotStats>& stats,
                        besom_snapshot* snapshot) noexcept {
  if (!stats) return give(heap, stats.error());
  if (snapshot != nullptr) *snapshot = std::bit_cast<besom_snapshot>(*stats);
  return BESOM_OK;
}

const char* name_of(const besom::PathStep& step, const besom::RootPath& path) noexcept {
  if (step.via == besom::PathStep::Via::root) return path.root_label();
  return step.field != nullptr ? step.field->name.c_str() : nullptr;
}

bool name_site(void* user, besom::AllocationSite& site) {
  const auto* heap = static_cast<const besom_heap*>(user);
  besom_site named = {};
  if (!heap->name_site(heap->name_site_user, &named)) return false;
  site = {.function = named.function != nullptr ? named.function : "",
          .file = named.file != nullptr ? named.file : "",
          .line = named.line,
          .column = named.column};
  return true;
}

}  // namespace

besom_status besom_each_object(besom_heap* heap, besom_object_visitor visitor, void* user) {
  if (heap == nullptr || visitor == nullptr) return refuse_null(heap, "visitor");
  struct Call {
    besom_object_visitor visitor;
    void* user;
  } call{visitor, user};
  const auto visit = [](void* data, const besom::ObjectView& view) {
    const auto* c = static_cast<const Call*>(data);
    const besom_object object = to_c(view);
    c->visitor(c->user, &object);
  };
  return give(heap, besom::each_object(*heap->heap, visit, &call));
}

besom_status besom_each_hole(besom_heap* heap, besom_hole_visitor visitor, void* user) {
  if (heap == nullptr || visitor == nullptr) return refuse_null(heap, "visitor");
  struct Call {
    besom_hole_visitor visitor;
    void* user;
  } call{visitor, user};
  const auto visit = [](void* data, besom::Run hole) {
    const auto* c = static_cast<const Call*>(data);
    c->visitor(c->user, hole.index, hole.size_bytes);
  };
  return give(heap, besom::each_hole(*heap->heap, visit, &call));
}

besom_status besom_census(besom_heap* heap, besom_census_visitor visitor, void* user) {
  if (heap == nullptr || visitor == nullptr) return refuse_null(heap, "visitor");
  const Result<besom::Census> census = besom::census(*heap->heap);
  if (!census) return give(heap, census.error());
  for (const besom::CensusRow& row : census->rows()) {
    const besom_census_row out{
        .type = row.type, .type_name = row.name(), .objects = row.objects, .bytes = row.bytes};
    visitor(user, &out);
  }
  return BESOM_OK;
}

besom_status besom_set_site_namer(besom_heap* heap, besom_site_namer namer, void* user) {
  if (heap == nullptr) return BESOM_BAD_ARGUMENT;
  const Error error = heap->heap->set_site_namer(namer != nullptr ? name_site : nullptr, heap);
  if (error) return give(heap, error);
  heap->name_site = namer;
  heap->name_site_user = user;
  return BESOM_OK;
}

besom_status besom_allocation_sites(besom_heap* heap, besom_allocation_visitor visitor,
                                    void* user) {
  if (heap == nullptr || visitor == nullptr) return refuse_null(heap, "visitor");
  const Result<besom::AllocationSites> sites = besom::allocation_sites(*heap->heap);
  if (!sites) return give(heap, sites.error());
  for (const besom::AllocationRow& row : sites->rows()) {
    const besom_allocation_row out{.function = row.function,
                                   .file = row.file,
                                   .line = row.line,
                                   .column = row.column,
                                   .type = row.type,
                                   .type_name = besom::name_of(row.descriptor),
                                   .samples = row.samples,
                                   .allocated_bytes = row.allocated_bytes,
                                   .live_samples = row.live_samples,
                                   .live_bytes = row.live_bytes};
    visitor(user, &out);
  }
  return BESOM_OK;
}

besom_status besom_save_allocation_profile(besom_heap* heap, const char* name) {
  if (heap == nullptr || name == nullptr) return refuse_null(heap, "name");
  return give(heap, besom::save_allocation_profile(*heap->heap, name));
}

besom_status besom_path_to_root(besom_heap* heap, const void* object, besom_step_visitor visitor,
                                void* user) {
  if (heap == nullptr || visitor == nullptr) return refuse_null(heap, "visitor");
  if (object == nullptr || besom::detail::is_foreign(heap, object)) {
    return give(heap, {.code = besom::Errc::bad_ref, .detail = "no object of this heap"});
  }
  const besom::Ref<void> target(besom::detail::index_of(object));
  const Result<besom::RootPath> path = besom::path_to_root(*heap->heap, target);
  if (!path) return give(heap, path.error());
  for (const besom::PathStep& step : path->steps()) {
    const besom_step out{.object = heap->heap->get(step.object),
                         .type_name = besom::name_of(step.type),
                         .via = static_cast<besom_via>(step.via),
                         .name = name_of(step, *path),
                         .element = step.element};
    visitor(user, &out);
  }
  return BESOM_OK;
}

besom_status besom_held_roots(besom_heap* heap, besom_held_root_visitor visitor, void* user) {
  if (heap == nullptr || visitor == nullptr) return refuse_null(heap, "visitor");
  const Result<besom::HeldRoots> held = besom::held_roots(*heap->heap);
  if (!held) return give(heap, held.error());
  for (const besom::HeldRoot& root : held->rows()) {
    const besom_held_root out{.kind = static_cast<besom_root_kind>(root.kind),
                              .kind_name = besom::name_of(root.kind),
                              .label = root.label,
                              .count = root.count};
    visitor(user, &out);
  }
  return BESOM_OK;
}

besom_status besom_write_snapshot(besom_heap* heap, besom_snapshot_write write, void* user,
                                  const besom_labeller* labeller, besom_snapshot* snapshot) {
  if (heap == nullptr || write == nullptr) return refuse_null(heap, "write");
  struct Call {
    besom_snapshot_write write;
    void* user;
  } call{write, user};
  const auto append = [](void* data, const char* bytes, std::size_t count) {
    const auto* c = static_cast<const Call*>(data);
    return c->write(c->user, bytes, count);
  };
  besom_labeller own = labeller != nullptr ? *labeller : besom_labeller{};
  return give_stats(heap, besom::write_snapshot(*heap->heap, {append, &call}, to_cpp(own)),
                    snapshot);
}

besom_status besom_save_snapshot(besom_heap* heap, const char* name, const besom_labeller* labeller,
                                 besom_snapshot* snapshot) {
  if (heap == nullptr || name == nullptr) return refuse_null(heap, "name");
  besom_labeller own = labeller != nullptr ? *labeller : besom_labeller{};
  return give_stats(heap, besom::save_snapshot(*heap->heap, name, to_cpp(own)), snapshot);
}

besom_status besom_verify(besom_heap* heap, besom_defect_visitor visitor, void* user,
                          uint64_t* defects) {
  return besom_verify_most(heap, besom::VerifyReport::kMaxDefects, visitor, user, defects);
}

besom_status besom_verify_most(besom_heap* heap, uint64_t max_defects, besom_defect_visitor visitor,
                               void* user, uint64_t* defects) {
  if (heap == nullptr) return BESOM_BAD_ARGUMENT;
  const besom::VerifyReport report =
      besom::verify(*heap->heap, visitor != nullptr ? max_defects : 0);
  if (defects != nullptr) *defects = report.found();
  for (const besom::Defect& defect : report.defects) {
    char message[1024];
    static_cast<void>(defect.write_message(message, sizeof message));
    const besom_defect out{.kind = static_cast<besom_defect_kind>(defect.kind),
                           .holder = defect.holder,
                           .offset = defect.offset,
                           .target = defect.target,
                           .message = message};
    visitor(user, &out);
  }
  return give(heap, report.error);
}
