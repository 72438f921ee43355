/// Walks over the heap.

#include <errno.h>
#include <unistd.h>

#include "tests/gc/c_api/kit.h"

typedef struct Sums {
  int calls;
  uint64_t objects, bytes;
  char text[300];
} Sums;

static void add_object(void* user, const besom_object* object) {
  Sums* sums = user;
  ++sums->objects;
  sums->bytes += object->size_bytes;
  CHECK(strcmp(object->type_name, "Pair") == 0);
  CHECK(((const besom_header*)object->object)->type == object->type);
}

static void add_row(void* user, const besom_census_row* row) {
  Sums* sums = user;
  ++sums->calls;
  sums->objects += row->objects;
  sums->bytes += row->bytes;
  strcat(strcat(sums->text, row->type_name), " ");
}

static void add_hole(void* user, uint32_t index, uint32_t size_bytes) {
  Sums* sums = user;
  CHECK(index % 16 == 0 && size_bytes % 16 == 0);
  ++sums->calls;
  sums->bytes += size_bytes;
}

static void objects_holes_and_types_are_counted(void) {
  Kit kit = make_exact_kit();
  Sums objects = {0}, census = {0}, holes = {0};
  besom_handle* handle = besom_handle_new(kit.heap, new_pair(&kit), "pair");
  besom_stats stats;
  ((Pair*)besom_handle_get(handle))->first = new_pair(&kit);
  CHECK(survivors(&kit) == 2);
  CHECK(besom_each_object(kit.heap, add_object, &objects) == BESOM_OK);
  CHECK(objects.objects == 2 && objects.bytes == 64);
  CHECK(besom_allocate(kit.heap, kit.bytes, 1000) != NULL);
  CHECK(besom_census(kit.heap, add_row, &census) == BESOM_OK);
  CHECK(census.calls == 2 && census.objects == 3 && census.bytes == 64 + 1008);
  CHECK(strcmp(census.text, "ByteArray Pair ") == 0);
  CHECK(besom_each_hole(kit.heap, add_hole, &holes) == BESOM_OK);
  besom_get_stats(kit.heap, &stats);
  CHECK(holes.calls > 0 && holes.bytes < stats.capacity && holes.bytes > stats.capacity / 2);
  besom_handle_free(handle);
  drop_kit(&kit);
}

static void stops_are_counted_by_kind(void) {
  Kit kit = make_kit();
  besom_stop_stats stops;
  besom_stats stats;
  besom_utilisation left;
  uint64_t sum = 0;
  int i;
  besom_get_stops(kit.heap, BESOM_STOP_FULL, &stops);
  CHECK(stops.count == 0);
  besom_get_utilisation(kit.heap, &left);
  CHECK(left.in_1_ms == 1 && left.in_50_ms == 1);
  CHECK(besom_collect(kit.heap) == BESOM_OK);
  CHECK(besom_collect(kit.heap) == BESOM_OK);
  besom_get_stops(kit.heap, BESOM_STOP_FULL, &stops);
  besom_get_stats(kit.heap, &stats);
  for (i = 0; i < BESOM_STOP_LENGTHS; ++i) sum += stops.lengths[i];
  CHECK(stops.count == stats.collections && sum == stops.count);
  CHECK(stops.total_ns == stats.pause_ns && stops.longest_ns == stats.pause_max_ns);
  besom_get_utilisation(kit.heap, &left);
  CHECK(left.in_1_ms < 1 && left.in_50_ms >= left.in_1_ms);
  besom_get_stops(kit.heap, BESOM_STOP_SLICE, &stops);
  CHECK(stops.count == 0);
  memset(&stops, 1, sizeof stops);
  besom_get_stops(kit.heap, (besom_stop)5, &stops);
  CHECK(stops.count == 0 && stops.lengths[3] == 0);
  memset(&stops, 1, sizeof stops);
  besom_get_stops(NULL, BESOM_STOP_FULL, &stops);
  CHECK(stops.count == 0);
  besom_get_utilisation(NULL, &left);
  CHECK(left.in_5_ms == 1);
  besom_get_stops(kit.heap, BESOM_STOP_FULL, NULL);
  besom_get_utilisation(kit.heap, NULL);
  drop_kit(&kit);
}

static void add_step(void* user, const besom_step* step) {
  Sums* sums = user;
  char text[60];
  ++sums->calls;
  CHECK(step->object != NULL);
  snprintf(text, sizeof text, "%d:%s:%s ", (int)step->via, step->name != NULL ? step->name : "",
           step->type_name);
  strcat(sums->text, text);
}

static void paths_name_roots_and_fields(void) {
  Kit kit = make_kit();
  Sums path = {0}, none = {0};
  besom_handle* handle = besom_handle_new(kit.heap, new_pair(&kit), "globals");
  Pair* second = new_pair(&kit);
  ((Pair*)besom_handle_get(handle))->second = second;
  CHECK(besom_path_to_root(kit.heap, second, add_step, &path) == BESOM_OK);
  CHECK(path.calls == 2);
  CHECK(strcmp(path.text, "0:globals:Pair 1:second:Pair ") == 0);
  CHECK(besom_path_to_root(kit.heap, &kit, add_step, &none) == BESOM_BAD_REF);
  CHECK(besom_path_to_root(kit.heap, NULL, add_step, &none) == BESOM_BAD_REF);
  CHECK(besom_path_to_root(kit.heap, (char*)second + 8, add_step, &none) == BESOM_BAD_REF);
  CHECK(none.calls == 0);
  besom_handle_free(handle);
  drop_kit(&kit);
}

static void add_root(void* user, const besom_held_root* root) {
  Sums* sums = user;
  char text[60];
  snprintf(text, sizeof text, "%d %s '%s'\n", (int)root->count, root->kind_name, root->label);
  strcat(sums->text, text);
  CHECK((root->kind == BESOM_ROOT_HANDLE) == (strcmp(root->kind_name, "handle") == 0));
}

static void held_roots_are_listed_by_label(void) {
  Kit kit = make_kit();
  Sums held = {0};
  besom_ref slot = 0;
  besom_handle* handles[2];
  besom_registration* range = besom_add_root_range(kit.heap, &slot, 1, "slots");
  handles[0] = besom_handle_new(kit.heap, new_pair(&kit), "parser");
  handles[1] = besom_handle_new(kit.heap, new_pair(&kit), "parser");
  CHECK(besom_held_roots(kit.heap, add_root, &held) == BESOM_OK);
  CHECK(strcmp(held.text, "2 handle 'parser'\n1 range 'slots'\n") == 0);
  besom_handle_free(handles[0]);
  besom_handle_free(handles[1]);
  besom_registration_free(range);
  drop_kit(&kit);
}

static void note_defect(void* user, const besom_defect* defect) {
  Sums* sums = user;
  ++sums->calls;
  CHECK(defect->kind == BESOM_DEFECT_BAD_REF && defect->target == 0x1238);
  CHECK(defect->offset == offsetof(Node, right) && defect->holder != 0);
  snprintf(sums->text, sizeof sums->text, "%s", defect->message);
}

static void verification_names_what_is_wrong(void) {
  Kit kit = make_exact_kit();
  Sums found = {0};
  uint64_t defects = 99;
  besom_handle* handle = besom_handle_new(kit.heap, new_node(&kit), "node");
  CHECK(besom_verify(kit.heap, note_defect, &found, &defects) == BESOM_OK);
  CHECK(defects == 0 && found.calls == 0);
  ((Node*)besom_handle_get(handle))->right = 0x1238;
  CHECK(besom_verify(kit.heap, NULL, NULL, &defects) == BESOM_OK && defects == 1);
  CHECK(besom_verify(kit.heap, note_defect, &found, NULL) == BESOM_OK);
  CHECK(found.calls == 1 && strstr(found.text, "Node") != NULL);
  CHECK(strstr(found.text, "right") != NULL);
  ((Node*)besom_handle_get(handle))->left = 0x1238;
  CHECK(besom_verify_most(kit.heap, 0, note_defect, &found, &defects) == BESOM_OK);
  CHECK(found.calls == 1 && defects == 2);
  besom_handle_free(handle);
  drop_kit(&kit);
}

typedef struct Text {
  size_t length;
  char text[8000];
  besom_heap* heap;
  bool refuses;
} Text;

static bool append(void* user, const char* bytes, size_t count) {
  Text* to = user;
  CHECK(besom_collect(to->heap) == BESOM_REENTRANT);
  if (to->refuses || to->length + count >= sizeof to->text) return false;
  memcpy(to->text + to->length, bytes, count);
  to->length += count;
  to->text[to->length] = 0;
  return true;
}

static void label_bytes(void* user, const besom_object* object, besom_node_label* label) {
  const besom_header* header = object->object;
  ++*(int*)user;
  CHECK(label->kind == BESOM_NODE_OBJECT && label->length == 0);
  if (strcmp(object->type_name, "ByteArray") != 0) return;
  label->kind = BESOM_NODE_STRING;
  label->length = header->length;
  memcpy(label->text, header + 1, header->length);
}

static void snapshots_show_objects_and_labels(void) {
  Kit kit = make_exact_kit();
  Text sink = {0};
  int labelled = 0;
  char node[100];
  besom_labeller labeller = {0};
  besom_snapshot snapshot = {0};
  besom_handle* handle = besom_handle_new(kit.heap, new_pair(&kit), "globals");
  Pair* pair = besom_handle_get(handle);
  void* bytes = besom_allocate(kit.heap, kit.bytes, 5);
  memcpy((char*)bytes + sizeof(besom_header), "hello", 5);
  pair->second = bytes;
  labeller.label = label_bytes;
  labeller.user = &labelled;
  sink.heap = kit.heap;
  CHECK(besom_write_snapshot(kit.heap, append, &sink, &labeller, &snapshot) == BESOM_OK);
  CHECK(snapshot.objects == 2 && snapshot.edges == 6 + 2 + 1 && labelled == 4);
  CHECK(snapshot.bytes == sink.length && snapshot.bad_refs == 0 && snapshot.bad_headers == 0);
  CHECK(strstr(sink.text, "\"node_count\":9,\"edge_count\":9,") != NULL);
  CHECK(strstr(sink.text, "\"hello\"]}") != NULL && strstr(sink.text, "\"globals\"") != NULL);
  snprintf(node, sizeof node, "%u,16,0,0,0", (unsigned)besom_ref_of(bytes));
  CHECK(strstr(sink.text, node) != NULL);
  CHECK(besom_write_snapshot(kit.heap, append, &sink, NULL, NULL) == BESOM_OK);
  sink.refuses = true;
  CHECK(besom_write_snapshot(kit.heap, append, &sink, NULL, NULL) == BESOM_WRITE_FAILED);
  CHECK(besom_last_error(kit.heap)->code == BESOM_WRITE_FAILED);
  besom_handle_free(handle);
  drop_kit(&kit);
}

static void snapshots_are_saved(void) {
  Kit kit = make_kit();
  besom_snapshot snapshot = {0};
  char name[] = "/tmp/besom-c-XXXXXX";
  char text[100] = "";
  FILE* file;
  const int descriptor = mkstemp(name);
  besom_handle* handle = besom_handle_new(kit.heap, new_node(&kit), "node");
  CHECK(descriptor >= 0);
  CHECK(besom_save_snapshot(kit.heap, name, NULL, &snapshot) == BESOM_OK);
  CHECK(snapshot.objects > 0);
  file = fopen(name, "r");
  CHECK(file != NULL && fgets(text, sizeof text, file) != NULL);
  CHECK(strncmp(text, "{\"snapshot\"", 11) == 0);
  fclose(file);
  CHECK(besom_save_snapshot(kit.heap, "/no/such/folder/file", NULL, NULL) == BESOM_WRITE_FAILED);
  CHECK(besom_last_error(kit.heap)->system_errno == ENOENT);
  close(descriptor);
  unlink(name);
  besom_handle_free(handle);
  drop_kit(&kit);
}

static uint64_t random_state;

static uint32_t below(uint32_t bound) {
  random_state = random_state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(((random_state >> 33) * bound) >> 31);
}

static void ignore_object(void* user, const besom_object* object) {
  (void)object;
  ++*(int*)user;
}
static void ignore_hole(void* user, uint32_t index, uint32_t size_bytes) {
  ++*(int*)user;
  CHECK(index != 0 && size_bytes != 0);
}
static void ignore_row(void* user, const besom_census_row* row) {
  (void)row;
  ++*(int*)user;
}
static void ignore_step(void* user, const besom_step* step) {
  (void)step;
  ++*(int*)user;
}
static void ignore_root(void* user, const besom_held_root* root) {
  (void)root;
  ++*(int*)user;
}
static bool ignore_text(void* user, const char* bytes, size_t count) {
  ++*(int*)user;
  return bytes != NULL && count != 0;
}

static void observe(besom_heap* heap, int turn, const void* object) {
  int seen = 0;
  uint64_t defects = 1;
  besom_stats stats;
  switch (turn % 9) {
    case 0:
      CHECK(besom_verify(heap, NULL, NULL, &defects) == BESOM_OK && defects == 0);
      break;
    case 1:
      CHECK(besom_each_object(heap, ignore_object, &seen) == BESOM_OK);
      break;
    case 2:
      CHECK(besom_each_hole(heap, ignore_hole, &seen) == BESOM_OK);
      break;
    case 3:
      CHECK(besom_census(heap, ignore_row, &seen) == BESOM_OK);
      break;
    case 4:
      CHECK(besom_path_to_root(heap, object, ignore_step, &seen) == BESOM_OK && seen > 0);
      break;
    case 5:
      CHECK(besom_held_roots(heap, ignore_root, &seen) == BESOM_OK && seen > 0);
      break;
    case 6:
      CHECK(besom_write_snapshot(heap, ignore_text, &seen, NULL, NULL) == BESOM_OK);
      break;
    case 7:
      CHECK(besom_check(heap, besom_ref_of(object), 0, NULL) == BESOM_OK);
      CHECK(besom_object_start(heap, (const char*)object + 9) == object);
      break;
    default:
      besom_get_stats(heap, &stats);
      CHECK(stats.used > 0);
  }
}

/// A sum over all indices and collections of a program that is looked at every `every` steps; 0:
/// never.
static uint64_t life_of(bool generational, uint64_t quarantine, int every) {
  besom_options options;
  besom_stats stats;
  besom_collection last;
  besom_heap* heap;
  besom_type pair, bytes;
  besom_handle* handles[20];
  uint64_t sum = 0;
  int i, turn = 0;
  random_state = 42;
  besom_options_init(&options);
  options.heap_max = 256 << 10;
  options.read_environment = false;
  options.log = BESOM_LOG_OFF;
  options.generational = generational;
  options.zeal_verify = options.zeal_poison = false;
  options.zeal_quarantine = quarantine;
  CHECK(besom_heap_create(&options, &heap, NULL) == BESOM_OK);
  CHECK(besom_define_standard(heap, BESOM_WEAK_BOX, &pair) == BESOM_OK);
  CHECK(besom_define_standard(heap, BESOM_BYTE_ARRAY, &bytes) == BESOM_OK);
  for (i = 0; i < 20; ++i) {
    handles[i] = besom_handle_new(heap, besom_allocate(heap, pair, 0), "kept");
  }
  for (i = 0; i < 20000; ++i) {
    void* made =
        below(4) != 0 ? besom_allocate(heap, pair, 0) : besom_allocate(heap, bytes, 16 * below(80));
    sum = sum * 31 + (made != NULL ? besom_ref_of(made) : 0);
    if (made != NULL && below(2) != 0) {
      CHECK(besom_handle_set(handles[below(20)], made) == BESOM_OK);
    }
    if (every != 0 && i % every == 0) observe(heap, turn++, besom_handle_get(handles[3]));
  }
  besom_get_stats(heap, &stats);
  besom_last_collection(heap, &last);
  sum = (sum * 31 + stats.collections) * 31 + stats.freed_objects;
  sum = (sum * 31 + last.holes) * 31 + last.live_bytes;
  for (i = 0; i < 20; ++i) besom_handle_free(handles[i]);
  besom_heap_destroy(heap);
  return sum;
}

static void who_reads_a_heap_changes_nothing(void) {
  const uint64_t quarantines[] = {0, 16 << 10};
  int mode, every;
  for (mode = 0; mode < 4; ++mode) {
    const uint64_t plain = life_of(mode % 2 != 0, quarantines[mode / 2], 0);
    for (every = 1; every < 300; every = every * 7 + 3) {
      CHECK(life_of(mode % 2 != 0, quarantines[mode / 2], every) == plain);
    }
  }
}

static Kit make_zeal_kit(bool generational) {
  besom_options options;
  besom_options_init(&options);
  options.heap_max = 1 << 20;
  options.read_environment = false;
  options.log = BESOM_LOG_OFF;
  options.generational = generational;
  options.zeal_every = 1;
  options.zeal_verify = options.zeal_poison = true;
  options.zeal_quarantine = 4096;
  return make_kit_with(&options);
}

static void freed_memory_is_held_back(void) {
  Kit kit = make_zeal_kit(false);
  void* first = new_pair(&kit);
  besom_options options;
  int i;
  besom_heap_options(kit.heap, &options);
  CHECK(options.zeal_quarantine == 4096);
  CHECK(besom_check(kit.heap, besom_ref_of(first), 0, NULL) == BESOM_OK);
  for (i = 0; i < 50; ++i) CHECK(new_pair(&kit) != first);
  CHECK(besom_check(kit.heap, besom_ref_of(first), 0, NULL) == BESOM_BAD_REF);
  for (i = 0; i < 5000 && new_pair(&kit) != first; ++i) {
  }
  CHECK(i < 5000);
  drop_kit(&kit);
}

static void lose_an_object(void* user) {
  Kit kit = make_zeal_kit(*(bool*)user);
  Pair* lost = new_pair(&kit);
  Pair* kept = new_pair(&kit);
  besom_handle_new(kit.heap, kept, "kept");
  kept->first = lost;
  besom_note_store(&kept->first);
  new_pair(&kit);
}

static void store_past_the_barrier(void* user) {
  Kit kit = make_zeal_kit(true);
  Pair* old = new_pair(&kit);
  int i;
  besom_handle_new(kit.heap, old, "old");
  for (i = 0; i <= *(int*)user; ++i) new_pair(&kit);
  old->second = new_pair(&kit);
  new_pair(&kit);
}

static void zeal_names_what_is_lost(void) {
  bool generational;
  int rounds;
  for (generational = false;; generational = true) {
    CHECK(aborts(lose_an_object, &generational, "first (at +8) holds 0x10: no object starts"));
    if (generational) break;
  }
  for (rounds = 0; rounds < 5; ++rounds) {
    CHECK(aborts(store_past_the_barrier, &rounds,
                 "missed_store: Pair 0x10 second (at +16) holds young Pair 0x"));
  }
}

void test_inspection(void) {
  zeal_names_what_is_lost();
  who_reads_a_heap_changes_nothing();
  freed_memory_is_held_back();
  objects_holes_and_types_are_counted();
  stops_are_counted_by_kind();
  paths_name_roots_and_fields();
  held_roots_are_listed_by_label();
  snapshots_show_objects_and_labels();
  snapshots_are_saved();
  verification_names_what_is_wrong();
}
