/// Errors, options, the life of a heap, collecting, statistics.

#define _DEFAULT_SOURCE  // madvise()
#include <errno.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/gc/c_api/kit.h"

static void errors_have_names_and_messages(void) {
  besom_error error = {BESOM_HEAP_LIMIT, 0, 32, 1 << 20, "heap_max", 0, ""};
  const char* full = "heap_limit: 1 byte needed, 48 of 64 bytes in use (heap_max)";
  const char* line = "heap_limit: 32 bytes needed, limit is 1048576 bytes (heap_max)";
  char text[100];
  CHECK(besom_error_message(&error, text, sizeof text) == strlen(line));
  CHECK(strcmp(text, line) == 0);
  CHECK(besom_error_message(&error, text, 11) == strlen(line));
  CHECK(strcmp(text, "heap_limit") == 0);
  error.bytes = 1;
  error.limit = 64;
  error.used = 48;
  CHECK(besom_error_message(&error, text, sizeof text) == strlen(full));
  CHECK(strcmp(text, full) == 0);
  CHECK(strcmp(besom_status_name(BESOM_OK), "ok") == 0);
  CHECK(strcmp(besom_status_name(BESOM_WRITE_FAILED), "write_failed") == 0);
  CHECK(strcmp(besom_status_name(BESOM_BAD_ARGUMENT), "bad_argument") == 0);
  CHECK(strcmp(besom_status_name((besom_status)99), "unknown") == 0);
  CHECK(strcmp(besom_status_name((besom_status)256), "unknown") == 0);
  error.code = (besom_status)(256 + BESOM_HEAP_LIMIT);
  CHECK(besom_error_message(&error, text, sizeof text) > 0 && strstr(text, "unknown") == text);
  CHECK(strcmp(besom_cause_name((besom_cause)256), "unknown") == 0);
  CHECK(besom_last_error(NULL)->code == BESOM_BAD_ARGUMENT);
  CHECK(strcmp(besom_cause_name(BESOM_CAUSE_ZEAL), "zeal") == 0);
  CHECK(strcmp(besom_version(), BESOM_VERSION) == 0);
}

static void options_come_from_text(void) {
  besom_options options;
  besom_error error;
  char message[300];
  besom_options_init(&options);
  CHECK(options.struct_bytes == sizeof options);
  CHECK(options.heap_max == (uint64_t)4 << 30);
  CHECK(options.growth == 1.75 && options.read_environment && options.log == BESOM_LOG_WARN);
  CHECK(besom_options_parse(&options,
                            "heap_max=8M,generational=on,zeal=alloc:7,growth=fixed,log=off,"
                            "hash_seed=12345678901234567890",
                            &error) == BESOM_OK);
  CHECK(error.code == BESOM_OK);
  CHECK(options.heap_max == 8 << 20 && options.generational && options.zeal_every == 7);
  CHECK(options.hash_seed == 12345678901234567890u);
  CHECK(options.zeal_verify && options.growth == 0 && options.log == BESOM_LOG_OFF);
  CHECK(besom_options_check(&options, NULL) == BESOM_OK);
  CHECK(besom_options_parse(&options, "heap_max=1M,heap_min=1", &error) == BESOM_BAD_OPTION);
  CHECK(error.code == BESOM_BAD_OPTION && strstr(error.detail, "unknown key") != NULL);
  CHECK(strcmp(error.name, "heap_min") == 0);
  CHECK(besom_error_message(&error, message, sizeof message) < sizeof message);
  CHECK(strstr(message, "`heap_min`") != NULL);
  CHECK(besom_options_parse(&options, "growth=nan", &error) == BESOM_BAD_OPTION);
  CHECK(strstr(error.detail, "growth") != NULL && strcmp(error.name, "nan") == 0);
  CHECK(options.heap_max == 8 << 20);
  options.log = (besom_log_level)99;
  CHECK(besom_options_check(&options, NULL) == BESOM_BAD_OPTION);
  CHECK(besom_options_parse(&options, "heap_max=1M", &error) == BESOM_BAD_OPTION);
  CHECK(strstr(error.detail, "log") != NULL && error.bytes == 99);
  options.log = BESOM_LOG_OFF;
  options.struct_bytes -= 8;
  CHECK(besom_options_parse(&options, "heap_max=1M", &error) == BESOM_BAD_OPTION);
  CHECK(strstr(error.detail, "struct_bytes") != NULL);
  options.struct_bytes += 8;
  CHECK(options.heap_max == 8 << 20);
  options.heap_initial = 9 << 20;
  CHECK(besom_options_check(&options, &error) == BESOM_BAD_OPTION);
  CHECK(strstr(error.detail, "heap_initial") != NULL);
}

static void heaps_write_what_options_want(void) {
  char folder[] = "/tmp/besom-c-XXXXXX";
  char name[64];
  char text[1024];
  besom_options options;
  besom_options kept;
  besom_error error;
  besom_heap* heap = NULL;
  CHECK(mkdtemp(folder) != NULL);
  besom_options_init(&options);
  CHECK(options.trace[0] == 0 && options.record[0] == 0 && !options.stats_at_exit);
  options.read_environment = false;
  snprintf(text, sizeof text, "trace=%s/t.json", folder);
  CHECK(besom_options_parse(&options, text, &error) == BESOM_OK);
  snprintf(options.record, sizeof options.record, "%s/r.json", folder);
  CHECK(besom_heap_create(&options, &heap, &error) == BESOM_OK);
  besom_heap_options(heap, &kept);
  CHECK(strcmp(kept.trace, options.trace) == 0 && strcmp(kept.record, options.record) == 0);
  CHECK(besom_collect(heap) == BESOM_OK);
  besom_heap_destroy(heap);
  for (int i = 0; i < 2; ++i) {
    FILE* file;
    snprintf(name, sizeof name, "%s/%s", folder, i == 0 ? "t.json" : "r.json");
    file = fopen(name, "r");
    CHECK(file != NULL);
    if (file == NULL) continue;
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    CHECK(strstr(text, i == 0 ? "\"ph\":\"M\"" : "\"is_final\":true") != NULL);
    fclose(file);
    CHECK(remove(name) == 0);
  }
  CHECK(remove(folder) == 0);
  CHECK(besom_heap_create(&options, &heap, &error) == BESOM_WRITE_FAILED);
  CHECK(heap == NULL && strcmp(error.name, "trace") == 0);
  memset(options.record, 'x', sizeof options.record);
  CHECK(besom_options_check(&options, &error) == BESOM_BAD_OPTION);
}

typedef struct Program {
  unsigned line;
  unsigned rows;
  uint64_t bytes;
} Program;
static bool name_site(void* user, besom_site* site) {
  const Program* program = (const Program*)user;
  site->function = "main";
  site->line = program->line;
  return program->line != 0;
}
static void count_row(void* user, const besom_allocation_row* row) {
  Program* program = (Program*)user;
  ++program->rows;
  program->bytes += row->live_bytes;
  CHECK(row->samples >= row->live_samples && row->allocated_bytes >= row->live_bytes);
  CHECK(strcmp(row->type_name, "Bytes") == 0);
  CHECK(row->line == 0 ? row->function[0] != 0 : strcmp(row->function, "main") == 0);
}

static void allocations_are_sampled(void) {
  static const besom_descriptor bytes = {
      .name = "Bytes", .size = sizeof(besom_header), .trailing = BESOM_TRAILING_BYTES};
  char name[] = "/tmp/besom-c-XXXXXX";
  int file = mkstemp(name);
  Program program = {0, 0, 0};
  besom_options options;
  besom_heap* heap = NULL;
  besom_type type;
  CHECK(file >= 0);
  close(file);
  besom_options_init(&options);
  options.read_environment = false;
  CHECK(besom_heap_create(&options, &heap, NULL) == BESOM_OK);
  CHECK(besom_allocation_sites(heap, count_row, &program) == BESOM_BAD_OPTION);
  besom_heap_destroy(heap);
  options.sample_bytes = 16 << 10;
  CHECK(besom_heap_create(&options, &heap, NULL) == BESOM_OK);
  CHECK(besom_define(heap, &bytes, &type) == BESOM_OK);
  CHECK(besom_set_site_namer(heap, name_site, &program) == BESOM_OK);
  for (program.line = 0; program.line < 3; ++program.line) {
    for (int i = 0; i < 1000; ++i) CHECK(besom_allocate(heap, type, 1000) != NULL);
  }
  CHECK(besom_allocation_sites(heap, count_row, &program) == BESOM_OK);
  CHECK(program.rows == 3 && program.bytes != 0);
  CHECK(besom_save_allocation_profile(heap, name) == BESOM_OK);
  CHECK(besom_set_site_namer(heap, NULL, NULL) == BESOM_OK);
  CHECK(besom_collect(heap) == BESOM_OK);
  program.bytes = 0;
  CHECK(besom_allocation_sites(heap, count_row, &program) == BESOM_OK);
  CHECK(program.bytes == 0);
  besom_heap_destroy(heap);
  CHECK(remove(name) == 0);
}

static void* refuse_memory(void* hint, size_t bytes) {
  (void)hint;
  (void)bytes;
  errno = ENOMEM;
  return NULL;
}
static void* map_nothing(size_t bytes) { return refuse_memory(NULL, bytes); }
static int refuse(void* address, size_t bytes) {
  (void)address;
  (void)bytes;
  errno = ENOMEM;
  return -1;
}
static int refuse_name(void* address, size_t bytes, const char* name) {
  (void)name;
  return refuse(address, bytes);
}

static void bad_options_make_no_heap(void) {
  static const besom_system nothing = {.reserve = refuse_memory,
                                       .map = map_nothing,
                                       .unmap = refuse,
                                       .commit = refuse,
                                       .discard = refuse,
                                       .advise_huge = refuse,
                                       .name = refuse_name};
  besom_options options;
  besom_heap* heap = (besom_heap*)&options;
  besom_error error;
  besom_options_init(&options);
  options.struct_bytes -= 8;
  CHECK(besom_options_parse(&options, "heap_max=1M", &error) == BESOM_BAD_OPTION);
  CHECK(options.heap_max == (uint64_t)4 << 30 && strstr(error.detail, "struct_bytes") != NULL);
  CHECK(besom_heap_create(&options, &heap, &error) == BESOM_BAD_OPTION);
  CHECK(heap == NULL && strstr(error.detail, "struct_bytes") != NULL);
  besom_options_init(&options);
  options.heap_max = 1;
  CHECK(besom_heap_create(&options, &heap, NULL) == BESOM_BAD_OPTION);
  options.heap_max = 1 << 20;
  options.log = (besom_log_level)17;
  CHECK(besom_heap_create(&options, &heap, &error) == BESOM_BAD_OPTION);
  options.log = BESOM_LOG_OFF;
  options.system = &nothing;
  CHECK(besom_heap_create(&options, &heap, &error) == BESOM_RESERVE_FAILED);
  CHECK(heap == NULL && error.system_errno == ENOMEM);
}

/* What mmap and its like do, where a page has `page` bytes. */
static size_t page = 64 << 10;
static void* map_pages(size_t bytes, int protection) {
  char* more = mmap(NULL, bytes + page, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  char* first;
  CHECK(bytes % page == 0 && more != MAP_FAILED);
  first = more + (page - (uintptr_t)more % page) % page;
  if (first != more) munmap(more, (size_t)(first - more));
  munmap(first + bytes, (size_t)(more + page - first));
  return first;
}
static void* reserve_anywhere(void* hint, size_t bytes) {
  (void)hint;
  return map_pages(bytes, PROT_NONE);
}
static void* map_zeros(size_t bytes) { return map_pages(bytes, PROT_READ | PROT_WRITE); }
static int unmap(void* address, size_t bytes) {
  CHECK(((uintptr_t)address | bytes) % page == 0);
  return munmap(address, bytes);
}
static int commit(void* address, size_t bytes) {
  CHECK(((uintptr_t)address | bytes) % page == 0);
  return mprotect(address, bytes, PROT_READ | PROT_WRITE);
}
static int discard(void* address, size_t bytes) {
  CHECK(((uintptr_t)address | bytes) % page == 0);
  return madvise(address, bytes, MADV_DONTNEED);
}

static void calls_that_may_be_missing_may_be_null(void) {
  besom_system system = {0};
  besom_options options;
  besom_error error;
  besom_heap* heap;
  besom_type type;
  besom_descriptor bytes = {.name = "Bytes", .size = 16, .trailing = BESOM_TRAILING_BYTES};
  int missing, i;
  besom_options_init(&options);
  options.heap_max = options.reserve = 64 << 20;
  options.log = BESOM_LOG_OFF;
  options.system = &system;
  for (missing = 0; missing < 5; ++missing) {
    static const char* const names[] = {"`reserve`", "`map`", "`unmap`", "`commit`", "`discard`"};
    system.reserve = missing == 0 ? NULL : reserve_anywhere;
    system.map = missing == 1 ? NULL : map_zeros;
    system.unmap = missing == 2 ? NULL : unmap;
    system.commit = missing == 3 ? NULL : commit;
    system.discard = missing == 4 ? NULL : discard;
    CHECK(besom_options_check(&options, NULL) == BESOM_BAD_OPTION);
    CHECK(besom_heap_create(&options, &heap, &error) == BESOM_BAD_OPTION);
    CHECK(heap == NULL && strstr(error.detail, names[missing]) != NULL);
  }
  system.discard = discard;
  system.page_bytes = 5000;
  CHECK(besom_heap_create(&options, &heap, &error) == BESOM_BAD_OPTION);
  CHECK(strstr(error.detail, "`page_bytes`") != NULL);
  /* Without its size, the page may be any machine's. */
  for (page = (size_t)sysconf(_SC_PAGESIZE); page <= 64 << 10; page *= 4) {
    for (system.page_bytes = 0;; system.page_bytes = page) {
      CHECK(besom_heap_create(&options, &heap, NULL) == BESOM_OK);
      CHECK(besom_define(heap, &bytes, &type) == BESOM_OK);
      for (i = 0; i < 100; ++i) {
        char* object = besom_allocate(heap, type, 300000);
        CHECK(object != NULL && object[300000] == 0);
        if (object != NULL) memset(object + 16, 1, 300000);
        if (i % 40 == 39) CHECK(besom_collect(heap) == BESOM_OK);
      }
      besom_heap_destroy(heap);
      if (system.page_bytes == page) break;
    }
  }
}

typedef struct Lines {
  int count;
  besom_log_level least;
} Lines;
static void count_line(void* user, besom_log_level level, const char* line) {
  Lines* lines = user;
  CHECK(line[0] != '\0');
  ++lines->count;
  if (level < lines->least) lines->least = level;
}

static void log_lines_reach_the_sink(void) {
  Lines lines = {0, BESOM_LOG_OFF};
  besom_options options, used;
  besom_heap* heap;
  besom_options_init(&options);
  options.heap_max = 1 << 20;
  options.read_environment = false;
  options.log = BESOM_LOG_DEBUG;
  options.log_write = count_line;
  options.log_user = &lines;
  CHECK(besom_heap_create(&options, &heap, NULL) == BESOM_OK);
  besom_heap_options(heap, &used);
  CHECK(used.heap_max == 1 << 20 && used.log == BESOM_LOG_DEBUG && !used.read_environment);
  CHECK(used.log_write == count_line && used.log_user == &lines && used.system == NULL);
  CHECK(options.hash_seed == 0 && used.hash_seed != 0);
  CHECK(besom_collect(heap) == BESOM_OK);
  CHECK(lines.count > 0 && lines.least == BESOM_LOG_DEBUG);
  besom_heap_destroy(heap);
  besom_heap_destroy(NULL);
  CHECK(besom_heap_create(NULL, &heap, NULL) == BESOM_OK);
  besom_heap_destroy(heap);
}

static void note_collection(void* user, const besom_collection* collection) {
  besom_collection* seen = user;
  *seen = *collection;
}

static void collections_are_counted(void) {
  Kit kit = make_exact_kit();
  besom_collection seen = {0}, last;
  besom_stats stats;
  CHECK(besom_set_listener(kit.heap, note_collection, &seen) == BESOM_OK);
  new_pair(&kit);
  new_pair(&kit);
  CHECK(survivors(&kit) == 0);
  CHECK(seen.number == 1 && seen.cause == BESOM_CAUSE_REQUESTED && seen.freed_objects == 2);
  CHECK(!seen.abandoned && !seen.minor && seen.freed_bytes == 64);
  besom_last_collection(kit.heap, &last);
  CHECK(memcmp(&last, &seen, sizeof last) == 0);
  besom_get_stats(kit.heap, &stats);
  CHECK(stats.collections == 1 && stats.freed_objects == 2 && stats.allocated == 64);
  CHECK(besom_set_listener(kit.heap, NULL, NULL) == BESOM_OK);
  CHECK(besom_collect(kit.heap) == BESOM_OK);
  CHECK(seen.number == 1);
  drop_kit(&kit);
}

static void collections_can_be_forbidden(void) {
  Kit kit = make_kit();
  Pair* pair;
  int i;
  CHECK(besom_forbid_collections(kit.heap) == BESOM_OK);
  pair = new_pair(&kit);
  for (i = 0; i < 1000; ++i) new_pair(&kit);
  CHECK(besom_collect(kit.heap) == BESOM_NO_COLLECT);
  CHECK(besom_last_error(kit.heap)->code == BESOM_NO_COLLECT);
  CHECK(besom_safepoint(kit.heap) == BESOM_OK);
  CHECK(besom_check(kit.heap, besom_ref_of(pair), kit.pair, NULL) == BESOM_OK);
  CHECK(besom_allow_collections(kit.heap) == BESOM_OK);
  CHECK(besom_allow_collections(kit.heap) == BESOM_UNBALANCED);
  CHECK(survivors(&kit) == 0);
  drop_kit(&kit);
}

static void safepoints_collect_alone_where_asked(void) {
  besom_options options;
  besom_heap* heap;
  besom_type bytes;
  besom_stats stats;
  int i;
  besom_options_init(&options);
  options.heap_max = 64 << 20;
  options.safepoints = true;
  options.read_environment = false;
  CHECK(besom_heap_create(&options, &heap, NULL) == BESOM_OK);
  CHECK(besom_define_standard(heap, BESOM_BYTE_ARRAY, &bytes) == BESOM_OK);
  for (i = 0; i < 8000; ++i) CHECK(besom_allocate(heap, bytes, 4000) != NULL);
  besom_get_stats(heap, &stats);
  CHECK(stats.collections == 0);
  CHECK(besom_safepoint(heap) == BESOM_OK);
  besom_get_stats(heap, &stats);
  // The newest object is a root by itself.
  CHECK(stats.collections == 1 && stats.freed_objects == 7999);
  besom_heap_destroy(heap);
}

static void cycles_go_in_slices(void) {
  besom_options options;
  Kit kit;
  Pair* list = NULL;
  Pair* moved;
  Node* node;
  besom_handle* first;
  besom_handle* last;
  uint64_t left = 1;
  int i;
  besom_options_init(&options);
  CHECK(!options.incremental && options.slice == 1000);
  CHECK(besom_options_parse(&options, "incremental=on,slice=1", NULL) == BESOM_OK);
  CHECK(options.incremental && options.slice == 1);
  options.heap_max = 16 << 20;
  options.read_environment = false;
  kit = make_kit_with(&options);
  CHECK(besom_step_cycle(kit.heap, 1, &left) == BESOM_OK && left == 0);
  first = besom_handle_new(kit.heap, new_pair(&kit), "first");
  last = besom_handle_new(kit.heap, new_pair(&kit), "last");
  for (i = 0; i < 100; ++i) {
    Pair* pair = new_pair(&kit);
    besom_store_pointer((void**)&pair->first, list);
    list = pair;
    besom_store_pointer((void**)&((Pair*)besom_handle_get(last))->second, list);
  }
  moved = list->first;
  node = new_node(&kit);
  besom_store_pointer((void**)&((Pair*)besom_handle_get(last))->first, node);
  CHECK(besom_step_cycle(kit.heap, 1, &left) == BESOM_OK && left != 0);
  CHECK(besom_step_cycle(kit.heap, 2, &left) == BESOM_OK && left != 0);
  besom_store_pointer((void**)&((Pair*)besom_handle_get(first))->first, moved);
  besom_store_pointer((void**)&list->first, NULL);
  besom_store_ref(&node->left, moved);
  besom_note_read(&node->left);
  besom_note_read_slot(&node->left);
  besom_prepare_read(&node->left);
  besom_prepare_read_slot(&node->left);
  besom_prepare_read(NULL);
  besom_prepare_read_slot(NULL);
  besom_note_read_slot(NULL);
  besom_note_overwrite(node, sizeof *node);
  besom_note_old_slots(&node->left, sizeof node->left);
  besom_note_overwrite_object(node);
  besom_note_old_object(node);
  besom_note_kept(node);
  besom_note_kept_object(node);
  for (i = 0; left != 0 && i < 10000; ++i) {
    CHECK(besom_step_cycle(kit.heap, 3, &left) == BESOM_OK);
  }
  CHECK(left == 0);
  CHECK(besom_check(kit.heap, besom_ref_of(moved), kit.pair, NULL) == BESOM_OK);
  CHECK(survivors(&kit) == 103);
  besom_handle_free(first);
  besom_handle_free(last);
  drop_kit(&kit);
  kit = make_exact_kit();
  CHECK(besom_step_cycle(kit.heap, 1, NULL) == BESOM_BAD_OPTION);
  drop_kit(&kit);
}

static void external_bytes_are_counted(void) {
  Kit kit = make_exact_kit();
  besom_stats stats;
  besom_collection last;
  int i;
  CHECK(besom_add_external(kit.heap, 8 << 20) == BESOM_OK);
  besom_get_stats(kit.heap, &stats);
  CHECK(stats.external == 8 << 20);
  for (i = 0; i < 10; ++i) new_pair(&kit);
  besom_last_collection(kit.heap, &last);
  CHECK(last.number == 1 && last.cause == BESOM_CAUSE_EXTERNAL);
  CHECK(besom_add_external(kit.heap, UINT64_MAX) == BESOM_HEAP_LIMIT);
  CHECK(besom_remove_external(kit.heap, 8 << 20) == BESOM_OK);
  CHECK(besom_remove_external(kit.heap, 1) == BESOM_UNBALANCED);
  drop_kit(&kit);
}

static jmp_buf landing;
static void jump_out(void* user, besom_tracer* tracer) {
  (void)user;
  (void)tracer;
  longjmp(landing, 1);
}

static void a_jump_out_of_a_callback_is_recovered_from(void) {
  Kit kit = make_exact_kit();
  besom_handle* handle = besom_handle_new(kit.heap, new_pair(&kit), "kept");
  besom_registration* roots = besom_add_roots(kit.heap, jump_out, NULL, "jumps");
  besom_collection last;
  CHECK(handle != NULL && roots != NULL);
  if (setjmp(landing) == 0) {
    CHECK(besom_collect(kit.heap) == BESOM_REENTRANT);  // does not return
  }
  CHECK(besom_collect(kit.heap) == BESOM_REENTRANT);
  CHECK(besom_recover(kit.heap) == BESOM_OK);
  besom_last_collection(kit.heap, &last);
  CHECK(last.abandoned);
  CHECK(besom_registration_remove(roots) == BESOM_OK);
  CHECK(survivors(&kit) == 1);
  besom_registration_free(roots);
  besom_handle_free(handle);
  drop_kit(&kit);
}

/// A heap of 1 MiB whose environment does not matter, with byte arrays.
static besom_heap* small_heap(besom_options* options, besom_type* bytes) {
  besom_heap* heap = NULL;
  options->heap_max = options->heap_max > 1 << 26 ? 1 << 20 : options->heap_max;
  options->read_environment = false;
  options->zeal_verify = options->zeal_poison = false;
  options->log = BESOM_LOG_OFF;
  CHECK(besom_heap_create(options, &heap, NULL) == BESOM_OK);
  CHECK(besom_define_standard(heap, BESOM_BYTE_ARRAY, bytes) == BESOM_OK);
  return heap;
}

static uint64_t collections_of(const besom_heap* heap) {
  besom_stats stats;
  besom_get_stats(heap, &stats);
  return stats.collections;
}

static void a_full_collection_comes_before_a_refusal(void) {
  besom_options options;
  besom_heap* heap;
  besom_type bytes;
  besom_handle* old;
  besom_collection last;
  uint64_t before;
  int i;
  besom_options_init(&options);
  options.generational = true;
  options.heap_max = 32 << 20;
  heap = small_heap(&options, &bytes);
  old = besom_handle_new(heap, besom_allocate(heap, bytes, 20 << 20), "old");
  CHECK(besom_collect(heap) == BESOM_OK);
  besom_handle_free(old);
  for (i = 0; i < 64; ++i) CHECK(besom_allocate(heap, bytes, 64 << 10) != NULL);
  old = besom_handle_new(heap, besom_allocate(heap, bytes, 16 << 20), "big");
  CHECK(old != NULL && besom_handle_get(old) != NULL);
  // What is refused and refused again takes one collection, until something is dropped.
  CHECK(besom_allocate(heap, bytes, 20 << 20) == NULL);
  besom_last_collection(heap, &last);
  CHECK(!last.minor);
  before = collections_of(heap);
  for (i = 0; i < 20; ++i) CHECK(besom_allocate(heap, bytes, 20 << 20) == NULL);
  CHECK(collections_of(heap) == before);
  CHECK(besom_last_error(heap)->code == BESOM_HEAP_LIMIT);
  CHECK(besom_last_error(heap)->used >= 16 << 20);
  besom_handle_free(old);
  CHECK(besom_allocate(heap, bytes, 20 << 20) != NULL);
  besom_heap_destroy(heap);
}

typedef struct Advice {
  besom_handle* cache;
  besom_heap* heap;
  besom_error refusal;
  int calls;
} Advice;

static bool drop_the_cache(void* user, besom_heap* heap, const besom_error* refusal) {
  Advice* advice = user;
  ++advice->calls;
  advice->refusal = *refusal;
  CHECK(heap == advice->heap);
  if (besom_handle_get(advice->cache) == NULL) return false;
  CHECK(besom_handle_set(advice->cache, NULL) == BESOM_OK);
  return true;
}

static void the_program_is_asked_before_a_refusal(void) {
  Advice advice = {NULL, NULL, {BESOM_OK, 0, 0, 0, NULL, 0, ""}, 0};
  besom_options options, in_force;
  besom_type bytes;
  besom_handle* kept;
  besom_options_init(&options);
  CHECK(options.near_limit == NULL);
  options.near_limit = drop_the_cache;
  options.near_limit_user = &advice;
  advice.heap = small_heap(&options, &bytes);
  besom_heap_options(advice.heap, &in_force);
  CHECK(in_force.near_limit == drop_the_cache && in_force.near_limit_user == &advice);
  advice.cache = besom_handle_new(advice.heap, besom_allocate(advice.heap, bytes, 600000), "cache");
  kept = besom_handle_new(advice.heap, besom_allocate(advice.heap, bytes, 600000), "kept");
  CHECK(kept != NULL && besom_handle_get(kept) != NULL);
  CHECK(advice.calls == 1 && advice.refusal.code == BESOM_HEAP_LIMIT);
  CHECK(advice.refusal.bytes >= 600000 && advice.refusal.used >= 600000);
  CHECK(besom_allocate(advice.heap, bytes, 600000) == NULL);
  CHECK(advice.calls == 2);
  // Nobody is asked where nothing can be done about it.
  CHECK(besom_forbid_collections(advice.heap) == BESOM_OK);
  CHECK(besom_allocate(advice.heap, bytes, 600000) == NULL);
  CHECK(besom_allow_collections(advice.heap) == BESOM_OK);
  CHECK(besom_allocate(advice.heap, bytes, 2000000) == NULL);
  CHECK(besom_last_error(advice.heap)->code == BESOM_OBJECT_TOO_LARGE);
  CHECK(besom_last_error(advice.heap)->limit == (1 << 20) - 16);
  CHECK(advice.calls == 2);
  besom_handle_free(kept);
  besom_handle_free(advice.cache);
  besom_heap_destroy(advice.heap);
}

static void table_memory_is_told_from_address_space(void) {
  besom_options options;
  besom_heap* heap;
  besom_stats stats;
  besom_options_init(&options);
  options.read_environment = false;
  CHECK(besom_heap_create(&options, &heap, NULL) == BESOM_OK);
  besom_get_stats(heap, &stats);
  CHECK(stats.table_bytes < 1 << 20);
  CHECK(stats.table_reserved > 256 << 20);
  CHECK(stats.touched < 1 << 20);
  besom_heap_destroy(heap);
}

static void reset_restores_an_empty_heap(void) {
  Kit kit = make_kit();
  besom_handle* handle = besom_handle_new(kit.heap, new_pair(&kit), "dropped");
  CHECK(besom_reset(kit.heap) == BESOM_OK);
  CHECK(besom_handle_check(handle, kit.heap, NULL) == BESOM_STALE_HANDLE);
  besom_handle_free(handle);
  CHECK(survivors(&kit) == 0);
  new_pair(&kit);
  drop_kit(&kit);
}

void test_heaps(void) {
  errors_have_names_and_messages();
  allocations_are_sampled();
  heaps_write_what_options_want();
  options_come_from_text();
  bad_options_make_no_heap();
  calls_that_may_be_missing_may_be_null();
  log_lines_reach_the_sink();
  collections_are_counted();
  collections_can_be_forbidden();
  safepoints_collect_alone_where_asked();
  cycles_go_in_slices();
  external_bytes_are_counted();
  a_jump_out_of_a_callback_is_recovered_from();
  a_full_collection_comes_before_a_refusal();
  the_program_is_asked_before_a_refusal();
  table_memory_is_told_from_address_space();
  reset_restores_an_empty_heap();
}
