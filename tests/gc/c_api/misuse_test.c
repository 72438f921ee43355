/// What a heap refuses, in release builds too.

#include "tests/gc/c_api/kit.h"

static void stale_things_say_so(void) {
  Kit kit = make_kit();
  besom_handle* handle = besom_handle_new(kit.heap, new_pair(&kit), "handle");
  besom_weak* weak = besom_weak_new(kit.heap, new_pair(&kit), "weak");
  besom_guardian* guardian = besom_guardian_new(kit.heap, NULL, NULL);
  besom_ref slot = 0;
  besom_registration* range = besom_add_root_range(kit.heap, &slot, 1, "slot");
  Kit other = make_kit();
  void* agent = NULL;
  CHECK(handle != NULL && weak != NULL && guardian != NULL && range != NULL);
  drop_kit(&kit);
  CHECK(besom_handle_check(handle, other.heap, NULL) == BESOM_STALE_HANDLE);
  CHECK(besom_handle_set(handle, NULL) == BESOM_STALE_HANDLE);
  CHECK(besom_weak_check(weak, other.heap, NULL) == BESOM_STALE_HANDLE);
  CHECK(besom_weak_set(weak, NULL) == BESOM_STALE_HANDLE);
  CHECK(besom_guard(guardian, &slot, NULL, 0) == BESOM_STALE_HANDLE);
  CHECK(besom_guardian_next(guardian, &agent) == BESOM_STALE_HANDLE);
  CHECK(besom_guardian_make_all_ready(guardian) == BESOM_STALE_HANDLE);
  CHECK(besom_guardian_pending(guardian) == 0 && besom_guardian_ready(guardian) == 0);
  CHECK(besom_registration_remove(range) == BESOM_STALE_HANDLE);
  besom_handle_free(handle);
  besom_weak_free(weak);
  besom_guardian_free(guardian);
  besom_registration_free(range);
  drop_kit(&other);
}

static void get_handle(void* user) { besom_handle_get(user); }
static void get_weak(void* user) { besom_weak_get(user); }
static void get_local(void* user) { besom_local_get(user); }

static void reading_what_is_stale_aborts(void) {
  Kit kit = make_kit();
  besom_handle* handle = besom_handle_new(kit.heap, new_pair(&kit), "handle");
  besom_weak* weak = besom_weak_new(kit.heap, new_pair(&kit), "weak");
  besom_mark mark;
  besom_local local;
  CHECK(besom_locals_mark(kit.heap, &mark) == BESOM_OK);
  CHECK(besom_local_push(kit.heap, new_pair(&kit), &local) == BESOM_OK);
  CHECK(besom_locals_restore(kit.heap, &mark) == BESOM_OK);
  CHECK(besom_reset(kit.heap) == BESOM_OK);
  CHECK(aborts(get_handle, handle, "stale handle"));
  CHECK(aborts(get_weak, weak, "stale handle"));
  CHECK(aborts(get_local, &local, "stale local"));
  besom_handle_free(handle);
  besom_weak_free(weak);
  drop_kit(&kit);
}

static void objects_of_another_heap_are_refused(void) {
  Kit kit = make_kit();
  Kit other = make_kit();
  besom_handle* handle = besom_handle_new(kit.heap, new_pair(&kit), "handle");
  besom_weak* weak = besom_weak_new(kit.heap, besom_handle_get(handle), "weak");
  besom_guardian* guardian = besom_guardian_new(kit.heap, NULL, NULL);
  Pair* foreign = new_pair(&other);
  besom_local local, good;
  besom_mark mark;
  CHECK(besom_handle_check(handle, other.heap, NULL) == BESOM_WRONG_HEAP);
  CHECK(besom_last_error(other.heap)->code == BESOM_WRONG_HEAP);
  CHECK(besom_weak_check(weak, other.heap, NULL) == BESOM_WRONG_HEAP);
  CHECK(besom_handle_set(handle, foreign) == BESOM_WRONG_HEAP);
  CHECK(besom_weak_set(weak, foreign) == BESOM_WRONG_HEAP);
  CHECK(besom_handle_new(kit.heap, foreign, "foreign") == NULL);
  CHECK(besom_last_error(kit.heap)->code == BESOM_WRONG_HEAP);
  CHECK(besom_weak_new(kit.heap, foreign, "foreign") == NULL);
  CHECK(besom_local_push(kit.heap, foreign, &local) == BESOM_WRONG_HEAP);
  CHECK(besom_guard(guardian, foreign, NULL, 0) == BESOM_WRONG_HEAP);
  CHECK(besom_locals_mark(kit.heap, &mark) == BESOM_OK);
  CHECK(besom_local_push(kit.heap, besom_handle_get(handle), &good) == BESOM_OK);
  CHECK(besom_local_set(&good, kit.heap, foreign) == BESOM_WRONG_HEAP);
  CHECK(besom_local_check(&good, other.heap, NULL) == BESOM_WRONG_HEAP);
  CHECK(besom_locals_restore(other.heap, &mark) == BESOM_WRONG_HEAP);
  besom_handle_free(handle);
  besom_weak_free(weak);
  besom_guardian_free(guardian);
  drop_kit(&other);
  drop_kit(&kit);
}

typedef struct Shared {
  Kit kit;
  besom_handle* handle;
  besom_weak* weak;
  besom_guardian* guardian;
  besom_registration* range;
  besom_mark mark;
} Shared;

static void free_handle(void* user) { besom_handle_free(user); }

static void use_from_elsewhere(void* user) {
  Shared* shared = user;
  besom_heap* heap = shared->kit.heap;
  besom_ref slot = 0;
  besom_mark mark;
  void* agent;
  CHECK(besom_collect(heap) == BESOM_WRONG_THREAD);
  CHECK(besom_last_error(heap)->code == BESOM_WRONG_THREAD);
  CHECK(besom_safepoint(heap) == BESOM_WRONG_THREAD);
  CHECK(besom_reset(heap) == BESOM_WRONG_THREAD);
  CHECK(besom_recover(heap) == BESOM_WRONG_THREAD);
  CHECK(besom_forbid_collections(heap) == BESOM_WRONG_THREAD);
  CHECK(besom_allow_collections(heap) == BESOM_WRONG_THREAD);
  CHECK(besom_add_external(heap, 1) == BESOM_WRONG_THREAD);
  CHECK(besom_remove_external(heap, 1) == BESOM_WRONG_THREAD);
  CHECK(besom_allocate(heap, shared->kit.bytes, 100000) == NULL);
  CHECK(besom_check(heap, 16, 0, NULL) == BESOM_WRONG_THREAD);
  CHECK(besom_object_start(heap, besom_get(heap, 16)) == NULL);
  CHECK(besom_handle_new(heap, NULL, "elsewhere") == NULL);
  CHECK(besom_handle_set(shared->handle, NULL) == BESOM_WRONG_THREAD);
  CHECK(besom_weak_new(heap, NULL, "elsewhere") == NULL);
  CHECK(besom_weak_set(shared->weak, NULL) == BESOM_WRONG_THREAD);
  CHECK(besom_locals_mark(heap, &mark) == BESOM_WRONG_THREAD);
  CHECK(besom_locals_restore(heap, &shared->mark) == BESOM_WRONG_THREAD);
  CHECK(besom_add_root_range(heap, &slot, 1, "elsewhere") == NULL);
  CHECK(besom_registration_remove(shared->range) == BESOM_WRONG_THREAD);
  CHECK(besom_guardian_new(heap, NULL, NULL) == NULL);
  CHECK(besom_guardian_next(shared->guardian, &agent) == BESOM_WRONG_THREAD);
  CHECK(besom_run_finalizers(heap, 1, NULL) == BESOM_WRONG_THREAD);
  CHECK(besom_set_listener(heap, NULL, NULL) == BESOM_WRONG_THREAD);
  CHECK(besom_verify(heap, NULL, NULL, NULL) == BESOM_WRONG_THREAD);
  CHECK(besom_each_hole(heap, NULL, NULL) == BESOM_WRONG_THREAD);
  CHECK(besom_census(heap, NULL, NULL) == BESOM_WRONG_THREAD);
  CHECK(aborts(free_handle, shared->handle, "thread"));
}

static void collect_there(void* user) {
  besom_heap* heap = user;
  CHECK(besom_attach_thread(heap) == BESOM_OK);
  CHECK(besom_collect(heap) == BESOM_OK);
}

static void another_thread_is_refused_until_it_attaches(void) {
  Shared shared;
  besom_ref slot = 0;
  shared.kit = make_kit();
  shared.handle = besom_handle_new(shared.kit.heap, new_pair(&shared.kit), "handle");
  shared.weak = besom_weak_new(shared.kit.heap, besom_handle_get(shared.handle), "weak");
  shared.guardian = besom_guardian_new(shared.kit.heap, NULL, NULL);
  shared.range = besom_add_root_range(shared.kit.heap, &slot, 1, "slot");
  CHECK(besom_locals_mark(shared.kit.heap, &shared.mark) == BESOM_OK);
  on_another_thread(use_from_elsewhere, &shared);
  on_another_thread(collect_there, shared.kit.heap);
  CHECK(besom_collect(shared.kit.heap) == BESOM_WRONG_THREAD);
  CHECK(besom_attach_thread(shared.kit.heap) == BESOM_OK);
  CHECK(survivors(&shared.kit) == 1);
  besom_handle_free(shared.handle);
  besom_weak_free(shared.weak);
  besom_guardian_free(shared.guardian);
  besom_registration_free(shared.range);
  drop_kit(&shared.kit);
}

static void call_into(void* user, besom_tracer* tracer) {
  const Shared* shared = user;
  besom_heap* heap = shared->kit.heap;
  besom_descriptor descriptor = {0};
  besom_local local;
  besom_mark mark;
  besom_type type;
  (void)tracer;
  descriptor.name = "Late";
  descriptor.size = 16;
  CHECK(besom_collect(heap) == BESOM_REENTRANT);
  CHECK(besom_safepoint(heap) == BESOM_REENTRANT);
  CHECK(besom_allocate(heap, shared->kit.pair, 0) == NULL);
  CHECK(besom_define(heap, &descriptor, &type) == BESOM_REENTRANT);
  CHECK(besom_handle_new(heap, NULL, "inside") == NULL);
  CHECK(besom_last_error(heap)->code == BESOM_REENTRANT);
  CHECK(besom_handle_set(shared->handle, NULL) == BESOM_REENTRANT);
  CHECK(besom_weak_set(shared->weak, NULL) == BESOM_REENTRANT);
  CHECK(besom_local_push(heap, NULL, &local) == BESOM_REENTRANT);
  CHECK(besom_locals_mark(heap, &mark) == BESOM_REENTRANT);
  CHECK(besom_add_roots(heap, call_into, NULL, "inside") == NULL);
  CHECK(besom_registration_remove(shared->range) == BESOM_REENTRANT);
  CHECK(besom_attach_thread(heap) == BESOM_REENTRANT);
  CHECK(besom_reset(heap) == BESOM_REENTRANT);
  CHECK(besom_held_roots(heap, NULL, NULL) == BESOM_REENTRANT);
  CHECK(besom_each_object(heap, NULL, NULL) == BESOM_REENTRANT);
  CHECK(besom_each_hole(heap, NULL, NULL) == BESOM_REENTRANT);
  CHECK(besom_guardian_new(heap, NULL, NULL) == NULL);
}

static void a_collection_refuses_calls_from_inside(void) {
  Shared shared;
  besom_ref slot = 0;
  besom_registration* roots;
  shared.kit = make_exact_kit();
  shared.handle = besom_handle_new(shared.kit.heap, new_pair(&shared.kit), "handle");
  shared.weak = besom_weak_new(shared.kit.heap, besom_handle_get(shared.handle), "weak");
  shared.range = besom_add_root_range(shared.kit.heap, &slot, 1, "slot");
  roots = besom_add_roots(shared.kit.heap, call_into, &shared, "calls in");
  CHECK(survivors(&shared.kit) == 1);
  besom_registration_free(roots);
  besom_registration_free(shared.range);
  besom_handle_free(shared.handle);
  besom_weak_free(shared.weak);
  drop_kit(&shared.kit);
}

static void a_forged_ref_is_counted_and_not_followed(void) {
  Kit kit = make_exact_kit();
  besom_handle* handle = besom_handle_new(kit.heap, new_node(&kit), "node");
  besom_collection last;
  ((Node*)besom_handle_get(handle))->left = 0xfffffff0;
  CHECK(besom_collect(kit.heap) == BESOM_OK);
  besom_last_collection(kit.heap, &last);
  CHECK(last.bad_refs == 1 && last.live_objects == 1);
  besom_handle_free(handle);
  drop_kit(&kit);
}

void test_misuse(void) {
  stale_things_say_so();
  reading_what_is_stale_aborts();
  objects_of_another_heap_are_refused();
  another_thread_is_refused_until_it_attaches();
  a_collection_refuses_calls_from_inside();
  a_forged_ref_is_counted_and_not_followed();
}
