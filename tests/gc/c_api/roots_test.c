/// Handles, locals, fibers, registered roots, mark hooks.

#include <ucontext.h>

#include "tests/gc/c_api/kit.h"

static void handles_keep_their_objects(void) {
  Kit kit = make_kit();
  besom_handle* handle = besom_handle_new(kit.heap, new_pair(&kit), "one");
  besom_handle* empty = besom_handle_new(kit.heap, NULL, "none");
  void* object = NULL;
  CHECK(handle != NULL && empty != NULL);
  CHECK(besom_handle_get(empty) == NULL && besom_handle_get(NULL) == NULL);
  CHECK(survivors(&kit) == 1);
  CHECK(besom_handle_check(handle, kit.heap, &object) == BESOM_OK);
  CHECK(object == besom_handle_get(handle) && object != NULL);
  CHECK(besom_handle_set(empty, new_pair(&kit)) == BESOM_OK);
  CHECK(survivors(&kit) == 2);
  CHECK(besom_handle_set(handle, NULL) == BESOM_OK);
  CHECK(survivors(&kit) == 1);
  besom_handle_free(handle);
  besom_handle_free(empty);
  besom_handle_free(NULL);
  CHECK(survivors(&kit) == 0);
  drop_kit(&kit);
}

static void locals_last_until_the_mark_is_restored(void) {
  Kit kit = make_kit();
  besom_mark outer, inner;
  besom_local local, other;
  void* object = NULL;
  int i;
  CHECK(besom_locals_mark(kit.heap, &outer) == BESOM_OK);
  CHECK(besom_local_push(kit.heap, new_pair(&kit), &local) == BESOM_OK);
  CHECK(besom_locals_mark(kit.heap, &inner) == BESOM_OK);
  for (i = 0; i < 3000; ++i) {
    CHECK(besom_local_push(kit.heap, new_pair(&kit), &other) == BESOM_OK);
  }
  CHECK(survivors(&kit) == 3001);
  CHECK(besom_local_check(&other, kit.heap, &object) == BESOM_OK);
  CHECK(object == besom_local_get(&other));
  CHECK(besom_locals_restore(kit.heap, &inner) == BESOM_OK);
  CHECK(besom_locals_restore(kit.heap, &inner) == BESOM_STALE_HANDLE);
  CHECK(besom_local_check(&other, kit.heap, NULL) == BESOM_STALE_HANDLE);
  CHECK(besom_local_set(&other, kit.heap, NULL) == BESOM_STALE_HANDLE);
  CHECK(survivors(&kit) == 1);
  CHECK(besom_local_set(&local, kit.heap, new_node(&kit)) == BESOM_OK);
  CHECK(((besom_header*)besom_local_get(&local))->type == kit.node);
  CHECK(survivors(&kit) == 1);
  CHECK(besom_locals_restore(kit.heap, &outer) == BESOM_OK);
  CHECK(survivors(&kit) == 0);
  drop_kit(&kit);
}

static void restoring_allows_collections_again(void) {
  Kit kit = make_kit();
  besom_mark mark;
  CHECK(besom_locals_mark(kit.heap, &mark) == BESOM_OK);
  CHECK(besom_forbid_collections(kit.heap) == BESOM_OK);
  CHECK(besom_locals_restore(kit.heap, &mark) == BESOM_OK);
  CHECK(besom_collect(kit.heap) == BESOM_OK);
  drop_kit(&kit);
}

static void only_objects_are_rooted(void) {
  Kit kit = make_exact_kit();
  besom_handle* handle = besom_handle_new(kit.heap, new_node(&kit), "node");
  char* start = besom_handle_get(handle);
  Node* dead = new_node(&kit);
  besom_weak* weak = besom_weak_new(kit.heap, start, "weak");
  besom_mark mark;
  besom_local local, other;
  void* wrong[3];
  int i;
  CHECK(sizeof(Node) > 16);
  CHECK(survivors(&kit) == 1);
  wrong[0] = start + 16;
  wrong[1] = start + 8;
  wrong[2] = dead;
  CHECK(besom_locals_mark(kit.heap, &mark) == BESOM_OK);
  CHECK(besom_local_push(kit.heap, start, &local) == BESOM_OK);
  for (i = 0; i < 3; ++i) {
    CHECK(besom_handle_new(kit.heap, wrong[i], "wrong") == NULL);
    CHECK(besom_last_error(kit.heap)->code == BESOM_BAD_REF);
    CHECK(besom_weak_new(kit.heap, wrong[i], "wrong") == NULL);
    CHECK(besom_handle_set(handle, wrong[i]) == BESOM_BAD_REF);
    CHECK(besom_weak_set(weak, wrong[i]) == BESOM_BAD_REF);
    CHECK(besom_local_push(kit.heap, wrong[i], &other) == BESOM_BAD_REF);
    CHECK(besom_local_set(&local, kit.heap, wrong[i]) == BESOM_BAD_REF);
  }
  CHECK(survivors(&kit) == 1);
  besom_handle_free(handle);
  besom_weak_free(weak);
  drop_kit(&kit);
}

static void get_local(void* user) { besom_local_get(user); }

static void plain_data_that_was_made_up_is_refused(void) {
  static const uint64_t places[] = {0, 1, 31, 32, 2047, 2048, 2081, 99999, 1u << 30, UINT64_MAX};
  Kit kit = make_kit();
  besom_mark mark, forged;
  besom_local local, wrong;
  size_t i;
  CHECK(besom_locals_mark(kit.heap, &mark) == BESOM_OK);
  CHECK(besom_local_push(kit.heap, new_pair(&kit), &local) == BESOM_OK);
  for (i = 0; i < sizeof places / sizeof *places; ++i) {
    wrong = local;
    wrong.place = places[i];
    CHECK(besom_local_check(&wrong, kit.heap, NULL) == BESOM_STALE_HANDLE);
    CHECK(besom_local_set(&wrong, kit.heap, NULL) == BESOM_STALE_HANDLE);
    CHECK(aborts(get_local, &wrong, "stale local"));
    forged = mark;
    forged.position = places[i];
    CHECK(besom_locals_restore(kit.heap, &forged) == BESOM_STALE_HANDLE);
    forged.serial = 0;
    CHECK(besom_locals_restore(kit.heap, &forged) == BESOM_STALE_HANDLE);
  }
  wrong = local;
  wrong.serial = 0;
  CHECK(besom_local_check(&wrong, kit.heap, NULL) == BESOM_STALE_HANDLE);
  wrong = local;
  wrong.table = &kit;
  CHECK(besom_local_check(&wrong, kit.heap, NULL) == BESOM_WRONG_HEAP);
  CHECK(besom_local_set(&wrong, kit.heap, NULL) == BESOM_WRONG_HEAP);
  forged = mark;
  forged.table = &kit;
  CHECK(besom_locals_restore(kit.heap, &forged) == BESOM_WRONG_HEAP);
  CHECK(besom_locals_restore(kit.heap, &mark) == BESOM_OK);
  /* The stack is empty now. */
  forged = mark;
  forged.serial = 12345;
  forged.position = 99999;
  CHECK(besom_locals_restore(kit.heap, &forged) == BESOM_STALE_HANDLE);
  drop_kit(&kit);
}

/// A generator in C: each step makes a pair and keeps it in a local, or on its stack alone.
typedef struct Generator {
  Kit* kit;
  besom_fiber* fiber;
  ucontext_t inside, outside;
  bool is_scanned;
  uint64_t sum;
  bool has_ended;
} Generator;
static Generator* entered;

static void go_in(void* user) {
  Generator* self = user;
  swapcontext(&self->outside, &self->inside);
}
static void go_out(void* user) {
  Generator* self = user;
  swapcontext(&self->inside, &self->outside);
}

__attribute__((noinline)) static void generate(Generator* self) {
  Pair* volatile kept[5];
  besom_local locals[5];
  besom_mark mark;
  int i;
  if (!self->is_scanned) CHECK(besom_locals_mark(self->kit->heap, &mark) == BESOM_OK);
  for (i = 0; i < 5; ++i) {
    Pair* pair = new_pair(self->kit);
    kept[i] = self->is_scanned ? pair : NULL;
    if (!self->is_scanned) {
      CHECK(besom_local_push(self->kit->heap, pair, &locals[i]) == BESOM_OK);
    }
    CHECK(besom_fiber_is_running(self->fiber));
    CHECK(besom_switch_to(self->kit->heap, NULL, go_out, self) == BESOM_OK);
  }
  for (i = 0; i < 5; ++i) {
    Pair* pair = self->is_scanned ? kept[i] : besom_local_get(&locals[i]);
    if (besom_check(self->kit->heap, besom_ref_of(pair), self->kit->pair, NULL) == BESOM_OK) {
      ++self->sum;
    }
  }
  if (!self->is_scanned) CHECK(besom_locals_restore(self->kit->heap, &mark) == BESOM_OK);
}

static void enter_generator(void) {
  Generator* self = entered;
  generate(self);
  self->has_ended = true;
  besom_switch_to(self->kit->heap, NULL, go_out, self);
}

static void fibers_have_locals_and_stacks_of_their_own(void) {
  static char stacks[6][64 << 10];
  static Generator generators[6];
  Kit kit = make_kit();
  Kit other = make_kit();
  besom_registration* scan = besom_scan_native_stack(kit.heap, NULL);
  besom_fiber* foreign = besom_fiber_new(other.heap, NULL, 0);
  int i, step;
  CHECK(scan != NULL && foreign != NULL);
  CHECK(besom_fiber_new(kit.heap, NULL, 100) == NULL);
  CHECK(besom_last_error(kit.heap)->code == BESOM_BAD_OPTION);
  CHECK(besom_switch_to(kit.heap, foreign, go_in, NULL) == BESOM_WRONG_HEAP);
  CHECK(besom_switch_to(kit.heap, NULL, go_in, NULL) == BESOM_BAD_OPTION);
  for (i = 0; i < 6; ++i) {
    Generator* self = &generators[i];
    self->kit = &kit;
    self->is_scanned = i % 2 == 1;
    self->fiber = self->is_scanned ? besom_fiber_new(kit.heap, stacks[i], sizeof stacks[i])
                                   : besom_fiber_new(kit.heap, NULL, 0);
    CHECK(self->fiber != NULL && !besom_fiber_is_running(self->fiber));
    getcontext(&self->inside);
    self->inside.uc_stack.ss_sp = stacks[i];
    self->inside.uc_stack.ss_size = sizeof stacks[i];
    makecontext(&self->inside, enter_generator, 0);
  }
  CHECK(besom_switch_to(kit.heap, generators[0].fiber, NULL, NULL) != BESOM_OK);
  for (step = 0; step <= 5; ++step) {
    for (i = 0; i < 6; ++i) {
      if (i == 5 && step == 3) {
        besom_fiber_free(generators[i].fiber); /* dropped half-way */
        generators[i].fiber = NULL;
      }
      if (generators[i].fiber == NULL) continue;
      entered = &generators[i];
      CHECK(besom_switch_to(kit.heap, generators[i].fiber, go_in, &generators[i]) == BESOM_OK);
    }
    CHECK(besom_collect(kit.heap) == BESOM_OK);
  }
  for (i = 0; i < 5; ++i) {
    CHECK(generators[i].has_ended && generators[i].sum == 5);
    besom_fiber_free(generators[i].fiber);
  }
  CHECK(!generators[5].has_ended);
  besom_fiber_free(NULL);
  besom_fiber_free(foreign);
  besom_registration_free(scan);
  drop_kit(&other);
  drop_kit(&kit);
}

static void collect_unannounced(void) { besom_collect(entered->kit->heap); }
static void collect_on_a_fiber_unannounced(void* user) {
  static char stack[256 << 10];
  Generator self = {0};
  self.kit = user;
  besom_scan_native_stack(self.kit->heap, NULL);
  entered = &self;
  getcontext(&self.inside);
  self.inside.uc_stack.ss_sp = stack;
  self.inside.uc_stack.ss_size = sizeof stack;
  self.inside.uc_link = &self.outside;
  makecontext(&self.inside, collect_unannounced, 0);
  go_in(&self);
}
static void a_fiber_that_nobody_announced_hears_of_switch_to(void) {
  Kit kit = make_exact_kit();
  CHECK(aborts(collect_on_a_fiber_unannounced, &kit, "besom_switch_to()"));
  drop_kit(&kit);
}

static void what_is_no_memory_is_no_range(void) {
  Kit kit = make_kit();
  besom_ref refs[3] = {0, 0, 0};
  CHECK(besom_add_root_range(kit.heap, NULL, 5, "null") == NULL);
  CHECK(besom_add_root_range(kit.heap, refs, UINT64_C(1) << 62, "huge") == NULL);
  CHECK(besom_last_error(kit.heap)->code == BESOM_BAD_OPTION);
  CHECK(besom_add_root_range(kit.heap, (uint32_t*)(void*)((char*)refs + 2), 1, "odd") == NULL);
  CHECK(besom_last_error(kit.heap)->code == BESOM_BAD_OPTION);
  CHECK(besom_add_roots(kit.heap, NULL, NULL, "none") == NULL);
  CHECK(besom_add_mark_hook(kit.heap, NULL, NULL, "none") == NULL);
  CHECK(survivors(&kit) == 0);
  drop_kit(&kit);
}

typedef struct Stack {
  Pair* items[4];
  int count;
} Stack;
static void visit_stack(void* user, besom_tracer* tracer) {
  const Stack* stack = user;
  int i;
  for (i = 0; i < stack->count; ++i) besom_visit_pointer(tracer, stack->items[i]);
}

static void callbacks_and_ranges_name_roots(void) {
  Kit kit = make_kit();
  Stack stack = {{NULL, NULL, NULL, NULL}, 0};
  besom_ref refs[2] = {0, 0};
  void* words[3] = {NULL, NULL, NULL};
  besom_registration* callback = besom_add_roots(kit.heap, visit_stack, &stack, "stack");
  besom_registration* range = besom_add_root_range(kit.heap, refs, 2, "refs");
  besom_registration* ambiguous = besom_add_ambiguous_range(kit.heap, words, words + 3, "words");
  CHECK(callback != NULL && range != NULL && ambiguous != NULL);
  for (; stack.count < 3; ++stack.count) stack.items[stack.count] = new_pair(&kit);
  refs[1] = besom_ref_of(new_pair(&kit));
  words[2] = (char*)new_pair(&kit) + 9;
  CHECK(survivors(&kit) == 5);
  besom_registration_free(range);
  CHECK(survivors(&kit) == 4);
  CHECK(besom_registration_remove(callback) == BESOM_OK);
  CHECK(besom_registration_remove(callback) == BESOM_STALE_HANDLE);
  besom_registration_free(callback);
  CHECK(survivors(&kit) == 1);
  besom_registration_free(ambiguous);
  besom_registration_free(NULL);
  CHECK(survivors(&kit) == 0);
  CHECK(besom_add_ambiguous_range(kit.heap, words + 3, words, "reversed") == NULL);
  CHECK(besom_last_error(kit.heap)->code == BESOM_BAD_OPTION);
  drop_kit(&kit);
}

/// Pointers kept in this frame alone. Not inlined, so that the frame of its caller holds none.
__attribute__((noinline)) static void keep_on_the_stack(Kit* kit) {
  Pair* volatile kept[20];
  int i;
  for (i = 0; i < 20; ++i) kept[i] = new_pair(kit);
  CHECK(survivors(kit) >= 20);
  for (i = 0; i < 20; ++i) {
    CHECK(besom_check(kit->heap, besom_ref_of(kept[i]), kit->pair, NULL) == BESOM_OK);
  }
}

static void the_native_stack_is_searched(void) {
  Kit kit = make_kit();
  besom_registration* scan = besom_scan_native_stack(kit.heap, __builtin_frame_address(0));
  CHECK(scan != NULL);
  keep_on_the_stack(&kit);
  besom_registration_free(scan);
  CHECK(survivors(&kit) == 0);
  CHECK(besom_scan_native_stack(kit.heap, &failures) == NULL);
  CHECK(besom_last_error(kit.heap)->code == BESOM_BAD_OPTION);
  drop_kit(&kit);
}

/// A weak list of the host's own.
typedef struct Known {
  Pair* pairs[2];
  besom_ref refs[2];
  bool lives[2], lives_by_ref[2], minor;
} Known;
static void forget_the_dead(void* user, const besom_mark_view* marks) {
  Known* known = user;
  int i;
  for (i = 0; i < 2; ++i) {
    known->lives[i] = besom_is_marked(marks, known->pairs[i]);
    known->lives_by_ref[i] = besom_is_marked_ref(marks, known->refs[i]);
  }
  known->minor = besom_is_minor(marks);
}

static void mark_hooks_see_what_lives(void) {
  Kit kit = make_exact_kit();
  Known known;
  besom_handle* handle = besom_handle_new(kit.heap, new_pair(&kit), "kept");
  besom_registration* hook = besom_add_mark_hook(kit.heap, forget_the_dead, &known, "known");
  CHECK(hook != NULL);
  known.pairs[0] = besom_handle_get(handle);
  known.pairs[1] = new_pair(&kit);
  known.refs[0] = besom_ref_of(known.pairs[0]);
  known.refs[1] = besom_ref_of(known.pairs[1]);
  CHECK(survivors(&kit) == 1);
  CHECK(known.lives[0] && known.lives_by_ref[0] && !known.minor);
  CHECK(!known.lives[1] && !known.lives_by_ref[1]);
  besom_registration_free(hook);
  besom_handle_free(handle);
  drop_kit(&kit);
}

static void give_up(void* user, besom_tracer* tracer) {
  if (*(bool*)user) besom_abandon(tracer);
  CHECK(besom_is_abandoned(tracer) == *(bool*)user);
}

static void an_abandoned_collection_frees_nothing(void) {
  Kit kit = make_kit();
  bool gives_up = true;
  besom_registration* roots = besom_add_roots(kit.heap, give_up, &gives_up, "gives up");
  Pair* pair = new_pair(&kit);
  CHECK(besom_collect(kit.heap) == BESOM_ABANDONED);
  CHECK(besom_check(kit.heap, besom_ref_of(pair), kit.pair, NULL) == BESOM_OK);
  gives_up = false;
  CHECK(survivors(&kit) == 0);
  besom_registration_free(roots);
  drop_kit(&kit);
}

void test_roots(void) {
  handles_keep_their_objects();
  locals_last_until_the_mark_is_restored();
  restoring_allows_collections_again();
  only_objects_are_rooted();
  plain_data_that_was_made_up_is_refused();
  fibers_have_locals_and_stacks_of_their_own();
  a_fiber_that_nobody_announced_hears_of_switch_to();
  what_is_no_memory_is_no_range();
  callbacks_and_ranges_name_roots();
  the_native_stack_is_searched();
  mark_hooks_see_what_lives();
  an_abandoned_collection_frees_nothing();
}
