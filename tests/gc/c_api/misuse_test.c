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

/// Whatever a heap may own, twenty of each: more than one block of host memory in all.
enum { EACH = 20 };
typedef struct Owned {
  besom_handle* handles[EACH];
  besom_weak* weak[EACH];
  besom_guardian* guardians[EACH];
  besom_fiber* fibers[EACH];
  besom_registration* registrations[4 * EACH];
  besom_registration* scan;
} Owned;

static void visit_nothing(void* user, besom_tracer* tracer) {
  (void)user;
  (void)tracer;
}
static void look_at_nothing(void* user, const besom_mark_view* marks) {
  (void)user;
  (void)marks;
}

static Owned own_all(Kit* kit) {
  static char stack[4096];
  static besom_ref slot;
  static void* word;
  Owned owned;
  int i;
  for (i = 0; i < EACH; ++i) {
    besom_registration** const registrations = owned.registrations + 4 * i;
    owned.handles[i] = besom_handle_new(kit->heap, new_pair(kit), "handle");
    owned.weak[i] = besom_weak_new(kit->heap, besom_handle_get(owned.handles[i]), "weak");
    owned.guardians[i] = besom_guardian_new(kit->heap, NULL, NULL);
    CHECK(besom_guard(owned.guardians[i], besom_handle_get(owned.handles[i]), NULL, 0) == BESOM_OK);
    owned.fibers[i] = besom_fiber_new(kit->heap, i % 2 == 0 ? stack : NULL, i % 2 == 0 ? 4096 : 0);
    registrations[0] = besom_add_root_range(kit->heap, &slot, 1, "slot");
    registrations[1] = besom_add_ambiguous_range(kit->heap, &word, &word + 1, "word");
    registrations[2] = besom_add_roots(kit->heap, visit_nothing, NULL, "roots");
    registrations[3] = besom_add_mark_hook(kit->heap, look_at_nothing, NULL, "hook");
    CHECK(owned.fibers[i] != NULL && registrations[0] != NULL && registrations[1] != NULL &&
          registrations[2] != NULL && registrations[3] != NULL);
  }
  owned.scan = besom_scan_native_stack(kit->heap, NULL);
  CHECK(owned.scan != NULL);
  return owned;
}

static void free_all(const Owned* owned) {
  int i;
  for (i = 0; i < EACH; ++i) {
    besom_handle_free(owned->handles[i]);
    besom_weak_free(owned->weak[i]);
    besom_guardian_free(owned->guardians[i]);
    besom_fiber_free(owned->fibers[i]);
  }
  for (i = 0; i < 4 * EACH; ++i) besom_registration_free(owned->registrations[i]);
  besom_registration_free(owned->scan);
}
static void free_all_of(void* user) { free_all(user); }

/// What is not freed here goes with its heap: LeakSanitizer says so where it does not.
static void what_outlives_its_heap_leaks_nothing(void) {
  Kit kit = make_kit();
  Owned owned = own_all(&kit);
  CHECK(survivors(&kit) == EACH);
  drop_kit(&kit);
  CHECK(owned.scan != NULL);
}

static void what_outlives_its_heap_may_be_freed_afterwards(void) {
  Kit kit = make_kit();
  Owned gone = own_all(&kit);
  const void* const place = besom_handle_get(gone.handles[0]);
  Owned owned;
  int i;
  drop_kit(&kit);
  kit = make_kit();
  owned = own_all(&kit);
  /* Most likely it lies where the other lay, and has named the same things by the same numbers. */
  if (!besom_contains(kit.heap, place)) fprintf(stderr, "the second heap lies elsewhere\n");
  free_all(&gone);
  free_all(&gone);
  on_another_thread(free_all_of, &gone);
  for (i = 0; i < EACH; ++i) {
    CHECK(besom_handle_check(gone.handles[i], kit.heap, NULL) == BESOM_STALE_HANDLE);
    CHECK(besom_weak_check(gone.weak[i], kit.heap, NULL) == BESOM_STALE_HANDLE);
    CHECK(besom_guardian_pending(gone.guardians[i]) == 0);
    CHECK(besom_switch_to(kit.heap, gone.fibers[i], NULL, NULL) != BESOM_OK);
    CHECK(!besom_fiber_is_running(gone.fibers[i]));
    CHECK(besom_registration_remove(gone.registrations[i]) == BESOM_STALE_HANDLE);
    CHECK(besom_handle_get(owned.handles[i]) == besom_weak_get(owned.weak[i]));
    CHECK(besom_guardian_pending(owned.guardians[i]) == 1);
    CHECK(besom_registration_remove(owned.registrations[i]) == BESOM_OK);
  }
  CHECK(survivors(&kit) == EACH);
  free_all(&owned);
  CHECK(survivors(&kit) == 0);
  drop_kit(&kit);
}

static void free_registration(void* user) { besom_registration_free(user); }
static void free_guardian(void* user) { besom_guardian_free(user); }

static void what_is_freed_twice_aborts(void) {
  Kit kit = make_kit();
  besom_ref slot = 0;
  besom_registration* range = besom_add_root_range(kit.heap, &slot, 1, "slot");
  besom_guardian* guardian = besom_guardian_new(kit.heap, NULL, NULL);
  besom_guardian* kept = besom_guardian_new(kit.heap, NULL, NULL);
  besom_registration_free(range);
  besom_guardian_free(guardian);
  CHECK(aborts(free_registration, range, "freed twice"));
  CHECK(aborts(free_guardian, guardian, "freed twice"));
  CHECK(kept != NULL && besom_guardian_ready(guardian) == 0);
  drop_kit(&kit);
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
  drop_kit(&kit);
  CHECK(aborts(get_handle, handle, "stale handle"));
  CHECK(aborts(get_weak, weak, "stale handle"));
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
  what_outlives_its_heap_leaks_nothing();
  what_outlives_its_heap_may_be_freed_afterwards();
  what_is_freed_twice_aborts();
  reading_what_is_stale_aborts();
  objects_of_another_heap_are_refused();
  another_thread_is_refused_until_it_attaches();
  a_collection_refuses_calls_from_inside();
  a_forged_ref_is_counted_and_not_followed();
}
