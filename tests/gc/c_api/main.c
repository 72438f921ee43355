/// The C interface, called from C99: each function of besom.h with checked results.

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/gc/c_api/kit.h"

int failures = 0;

Kit make_kit_with(const besom_options* options) {
  static const besom_field pair_fields[] = {
      {"first", offsetof(Pair, first), BESOM_SLOT_POINTER},
      {"second", offsetof(Pair, second), BESOM_SLOT_POINTER},
  };
  static const besom_field node_fields[] = {
      {"left", offsetof(Node, left), BESOM_SLOT_REF},
      {"right", offsetof(Node, right), BESOM_SLOT_REF},
  };
  besom_descriptor pair = {0}, node = {0};
  Kit kit;
  besom_error error;
  if (besom_heap_create(options, &kit.heap, &error) != BESOM_OK) {
    char line[200];
    besom_error_message(&error, line, sizeof line);
    fprintf(stderr, "no heap: %s\n", line);
    exit(1);
  }
  pair.name = "Pair";
  pair.size = sizeof(Pair);
  pair.fields = pair_fields;
  pair.field_count = 2;
  node.name = "Node";
  node.size = sizeof(Node);
  node.fields = node_fields;
  node.field_count = 2;
  CHECK(besom_define(kit.heap, &pair, &kit.pair) == BESOM_OK);
  CHECK(besom_define(kit.heap, &node, &kit.node) == BESOM_OK);
  CHECK(besom_define_standard(kit.heap, BESOM_BYTE_ARRAY, &kit.bytes) == BESOM_OK);
  return kit;
}

Kit make_kit(void) {
  besom_options options;
  besom_options_init(&options);
  options.heap_max = 16 << 20;
  return make_kit_with(&options);
}

Kit make_exact_kit(void) {
  besom_options options;
  besom_options_init(&options);
  options.heap_max = 16 << 20;
  options.zeal_verify = options.zeal_poison = false;
  options.log = BESOM_LOG_OFF;
  options.read_environment = false;
  return make_kit_with(&options);
}

void drop_kit(Kit* kit) {
  besom_heap_destroy(kit->heap);
  kit->heap = NULL;
}

Pair* new_pair(const Kit* kit) {
  Pair* pair = besom_allocate(kit->heap, kit->pair, 0);
  CHECK(pair != NULL);
  return pair;
}

Node* new_node(const Kit* kit) {
  Node* node = besom_allocate(kit->heap, kit->node, 0);
  CHECK(node != NULL);
  return node;
}

uint64_t survivors(const Kit* kit) {
  besom_collection last;
  CHECK(besom_collect(kit->heap) == BESOM_OK);
  besom_last_collection(kit->heap, &last);
  CHECK(last.bad_refs == 0);
  CHECK(last.bad_headers == 0);
  return last.live_objects;
}

bool aborts(void (*body)(void* user), void* user, const char* text) {
  const struct rlimit no_core = {0, 0};
  char said[1000] = "";
  size_t length = 0;
  ssize_t count;
  int channel[2], status = 0;
  pid_t child;
  if (pipe(channel) != 0) return false;
  fflush(NULL);
  child = fork();
  if (child == 0) {
    setrlimit(RLIMIT_CORE, &no_core);
    signal(SIGABRT, SIG_DFL);
    dup2(channel[1], STDERR_FILENO);
    body(user);
    _exit(0);
  }
  close(channel[1]);
  while ((count = read(channel[0], said + length, sizeof said - 1 - length)) > 0) {
    length += (size_t)count;
  }
  close(channel[0]);
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && strstr(said, text) != NULL) return true;
  fprintf(stderr, "no abort saying '%s', but status %d: %s\n", text, status, said);
  return false;
}

typedef struct Task {
  void (*body)(void* user);
  void* user;
} Task;

static void* run_task(void* data) {
  const Task* task = data;
  task->body(task->user);
  return NULL;
}

void on_another_thread(void (*body)(void* user), void* user) {
  Task task;
  pthread_t thread;
  task.body = body;
  task.user = user;
  CHECK(pthread_create(&thread, NULL, run_task, &task) == 0);
  pthread_join(thread, NULL);
}

/* With any argument, the cases with NULL are left out: a process each. */
int main(int argc, char** argv) {
  (void)argv;
  test_heaps();
  test_objects();
  test_roots();
  test_weak_things();
  test_inspection();
  test_misuse();
  if (argc == 1) test_null_arguments();
  if (failures != 0) fprintf(stderr, "%d checks failed\n", failures);
  return failures != 0;
}
