/// Each function of besom.h with NULL for each of its pointers: a status, NULL, 0 or nothing, and
/// never a fault. The cases are generated from the header.

#include "tests/gc/c_api/null_arguments.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ANSWERED_WRONG = 1, NEVER_RUN = 2 };

static const Case* running;
static int outcome = NEVER_RUN;

static void run(Fixture* f) { outcome = running->run(f) ? 0 : ANSWERED_WRONG; }

static void run_in_root_callback(void* user, besom_tracer* tracer) {
  Fixture* f = user;
  f->tracer = tracer;
  run(f);
}
static void run_in_mark_hook(void* user, const besom_mark_view* marks) {
  Fixture* f = user;
  f->marks = marks;
  run(f);
}

static void set_up(Fixture* f) {
  Kit kit = make_exact_kit();
  memset(f, 0, sizeof *f);
  f->heap = kit.heap;
  f->pair = kit.pair;
  besom_define_standard(f->heap, BESOM_WEAK_BOX, &f->box_type);
  besom_define_standard(f->heap, BESOM_EPHEMERON, &f->ephemeron_type);
  besom_define_standard(f->heap, BESOM_WEAK_KEY_TABLE, &f->table_type);
  besom_define_standard(f->heap, BESOM_EPHEMERON_ARRAY, &f->entries_type);
  f->object = new_pair(&kit);
  f->handle = besom_handle_new(f->heap, f->object, "object");
  f->table = besom_table_new(f->heap, f->table_type, f->entries_type);
  besom_handle_new(f->heap, f->table, "table");
  f->box = besom_weak_box_new(f->heap, f->box_type, besom_ref_of(f->object));
  besom_handle_new(f->heap, f->box, "box");
  f->ephemeron = besom_ephemeron_new(f->heap, f->ephemeron_type, besom_integer(1), 0);
  besom_handle_new(f->heap, f->ephemeron, "ephemeron");
  f->weak = besom_weak_new(f->heap, f->object, "weak");
  f->guardian = besom_guardian_new(f->heap, NULL, NULL);
  f->fiber = besom_fiber_new(f->heap, NULL, 0);
  f->registration = besom_add_root_range(f->heap, f->slots, 4, "slots");
  besom_locals_mark(f->heap, &f->mark);
  besom_local_push(f->heap, f->object, &f->local);
  besom_options_init(&f->options);
  f->options.heap_max = 1 << 20;
  f->descriptor.name = "T";
  f->descriptor.size = 16;
  f->contract = besom_allocation_contract(f->heap, sizeof(Pair));
}

/// In a child: what the case answers, as its exit code.
static int child(void) {
  Fixture f;
  failures = 0;
  set_up(&f);
  if (failures != 0) return NEVER_RUN;
  if (running->where == ANYWHERE) {
    run(&f);
    return outcome;
  }
  if (running->where == IN_ROOT_CALLBACK) {
    besom_add_roots(f.heap, run_in_root_callback, &f, "case");
  } else {
    besom_add_mark_hook(f.heap, run_in_mark_hook, &f, "case");
  }
  besom_collect(f.heap);
  return outcome;
}

void test_null_arguments(void) {
  size_t i;
  for (i = 0; i < case_count; ++i) {
    int status = 0;
    pid_t id;
    running = &cases[i];
    fflush(NULL);
    id = fork();
    if (id == 0) {
      const struct rlimit no_core = {0, 0};
      setrlimit(RLIMIT_CORE, &no_core);
      _exit(child());
    }
    waitpid(id, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) continue;
    ++failures;
    fprintf(stderr, "%s with NULL for `%s`: ", running->function, running->argument);
    if (WIFSIGNALED(status)) {
      fprintf(stderr, "signal %d\n", WTERMSIG(status));
    } else if (WEXITSTATUS(status) == ANSWERED_WRONG) {
      fprintf(stderr, "answered as if nothing was wrong\n");
    } else {
      fprintf(stderr, "was not run, exit code %d\n", WEXITSTATUS(status));
    }
  }
}
