/// The C interface: walks over the heap.

#include "gc/c_api.hpp"

using besom::Error;
using besom::Result;
using besom::detail::give;

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

const char* name_of(const besom::TypeDescriptor* type) noexcept {
  return type != nullptr ? type->name.c_str() : "(damaged header)";
}

const char* name_of(const besom::PathStep& step, const besom::RootPath& path) noexcept {
  if (step.via == besom::PathStep::Via::root) return path.root_label();
  return step.field != nullptr ? step.field->name.c_str() : nullptr;
}

}  // namespace

besom_status besom_each_object(besom_heap* heap, besom_object_visitor visitor, void* user) {
  struct Call {
    besom_object_visitor visitor;
    void* user;
  } call{visitor, user};
  const auto visit = [](void* data, const besom::ObjectView& view) {
    const auto* c = static_cast<const Call*>(data);
    const besom_object object{.object = view.header,
                              .type = view.type_id,
                              .type_name = name_of(view.type),
                              .size_bytes = view.size_bytes};
    c->visitor(c->user, &object);
  };
  return give(heap, heap->heap->each_object(visit, &call));
}

besom_status besom_each_hole(besom_heap* heap, besom_hole_visitor visitor, void* user) {
  const besom::Errc refusal = besom::detail::roots_of(*heap->heap).refusal();
  if (refusal != besom::Errc::ok) return give(heap, {.code = refusal, .detail = "holes"});
  for (const besom::Run hole : heap->heap->free_list().free_blocks()) {
    visitor(user, hole.index, hole.size_bytes);
  }
  return BESOM_OK;
}

besom_status besom_census(besom_heap* heap, besom_census_visitor visitor, void* user) {
  const Result<besom::Census> census = heap->heap->census();
  if (!census) return give(heap, census.error());
  for (const besom::CensusRow& row : census->rows()) {
    const besom_census_row out{
        .type = row.type, .type_name = row.name(), .objects = row.objects, .bytes = row.bytes};
    visitor(user, &out);
  }
  return BESOM_OK;
}

besom_status besom_path_to_root(besom_heap* heap, const void* object, besom_step_visitor visitor,
                                void* user) {
  if (object == nullptr || besom::detail::is_foreign(heap, object)) {
    return give(heap, {.code = besom::Errc::bad_ref, .detail = "no object of this heap"});
  }
  const besom::Ref<void> target(besom::detail::index_of(object));
  const Result<besom::RootPath> path = heap->heap->path_to_root(target);
  if (!path) return give(heap, path.error());
  for (const besom::PathStep& step : path->steps()) {
    const besom_step out{.object = heap->heap->get(step.object),
                         .type_name = name_of(step.type),
                         .via = static_cast<besom_via>(step.via),
                         .name = name_of(step, *path),
                         .element = step.element};
    visitor(user, &out);
  }
  return BESOM_OK;
}

besom_status besom_held_roots(besom_heap* heap, besom_held_root_visitor visitor, void* user) {
  const Result<besom::HeldRoots> held = heap->heap->held_roots();
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

besom_status besom_verify(besom_heap* heap, besom_defect_visitor visitor, void* user,
                          uint64_t* defects) {
  const besom::VerifyReport report = heap->heap->verify();
  if (defects != nullptr) *defects = report.defects.size();
  if (report.error) return give(heap, report.error);
  for (const besom::Defect& defect : report.defects) {
    if (visitor == nullptr) break;
    const std::string message = defect.message();
    const besom_defect out{.kind = static_cast<besom_defect_kind>(defect.kind),
                           .holder = defect.holder,
                           .offset = defect.offset,
                           .target = defect.target,
                           .message = message.c_str()};
    visitor(user, &out);
  }
  return BESOM_OK;
}
