/// Weak handles, boxes, ephemerons, tables, guardians.

#include <setjmp.h>

#include "tests/gc/c_api/kit.h"

static void weak_handles_forget_the_dead(void) {
  Kit kit = make_kit();
  besom_handle* handle = besom_handle_new(kit.heap, new_pair(&kit), "strong");
  besom_weak* weak = besom_weak_new(kit.heap, besom_handle_get(handle), "weak");
  void* object = NULL;
  CHECK(survivors(&kit) == 1);
  CHECK(besom_weak_get(weak) == besom_handle_get(handle) && besom_weak_get(NULL) == NULL);
  CHECK(besom_weak_check(weak, kit.heap, &object) == BESOM_OK);
  CHECK(object == besom_handle_get(handle));
  CHECK(besom_handle_set(handle, new_pair(&kit)) == BESOM_OK);
  CHECK(survivors(&kit) == 1);
  CHECK(besom_weak_get(weak) == NULL);
  CHECK(besom_weak_set(weak, besom_handle_get(handle)) == BESOM_OK);
  CHECK(survivors(&kit) == 1);
  CHECK(besom_weak_get(weak) == besom_handle_get(handle));
  besom_handle_free(handle);
  besom_weak_free(weak);
  besom_weak_free(NULL);
  drop_kit(&kit);
}

static besom_type standard(Kit* kit, besom_standard which) {
  besom_type type = 0;
  CHECK(besom_define_standard(kit->heap, which, &type) == BESOM_OK);
  return type;
}

static void boxes_and_ephemerons_break(void) {
  Kit kit = make_kit();
  const besom_type box_type = standard(&kit, BESOM_WEAK_BOX);
  const besom_type ephemeron_type = standard(&kit, BESOM_EPHEMERON);
  besom_handle* key = besom_handle_new(kit.heap, new_pair(&kit), "key");
  besom_handle* box = besom_handle_new(
      kit.heap, besom_weak_box_new(kit.heap, box_type, besom_ref_of(besom_handle_get(key))), "box");
  besom_handle* ephemeron =
      besom_handle_new(kit.heap,
                       besom_ephemeron_new(kit.heap, ephemeron_type,
                                           besom_ref_of(besom_handle_get(key)), besom_integer(5)),
                       "ephemeron");
  CHECK(survivors(&kit) == 3);
  CHECK(besom_weak_box_target(besom_handle_get(box)) == besom_ref_of(besom_handle_get(key)));
  CHECK(!besom_entry_is_broken(besom_ephemeron_entry(besom_handle_get(ephemeron))));
  CHECK(besom_ephemeron_entry(besom_handle_get(ephemeron))->value == besom_integer(5));
  besom_handle_free(key);
  CHECK(survivors(&kit) == 2);
  CHECK(besom_weak_box_target(besom_handle_get(box)) == 0);
  CHECK(besom_entry_is_broken(besom_ephemeron_entry(besom_handle_get(ephemeron))));
  CHECK(besom_weak_box_new(kit.heap, kit.pair, 0) == NULL);
  CHECK(besom_last_error(kit.heap)->code == BESOM_BAD_TYPE);
  CHECK(besom_ephemeron_new(kit.heap, box_type, 0, 0) == NULL);
  CHECK(besom_last_error(kit.heap)->code == BESOM_BAD_TYPE);
  besom_handle_free(box);
  besom_handle_free(ephemeron);
  drop_kit(&kit);
}

static void what_is_read_from_boxes_and_ephemerons_lives_on(void) {
  besom_options options;
  Kit kit;
  besom_handle *key, *box, *ephemeron, *taken, *valued;
  besom_value target, value;
  uint64_t left = 1;
  besom_options_init(&options);
  options.heap_max = 16 << 20;
  options.read_environment = false;
  options.incremental = true;
  options.slice = 1;
  kit = make_kit_with(&options);
  key = besom_handle_new(kit.heap, new_pair(&kit), "key");
  box = besom_handle_new(kit.heap,
                         besom_weak_box_new(kit.heap, standard(&kit, BESOM_WEAK_BOX),
                                            besom_ref_of(besom_handle_get(key))),
                         "box");
  ephemeron = besom_handle_new(
      kit.heap,
      besom_ephemeron_new(kit.heap, standard(&kit, BESOM_EPHEMERON),
                          besom_ref_of(besom_handle_get(key)), besom_ref_of(new_pair(&kit))),
      "ephemeron");
  besom_handle_free(key);
  new_pair(&kit);
  CHECK(besom_step_cycle(kit.heap, 1, &left) == BESOM_OK && left != 0);
  target = besom_weak_box_target(besom_handle_get(box));
  value = besom_ephemeron_entry(besom_handle_get(ephemeron))->value;
  taken = besom_handle_new(kit.heap, besom_get(kit.heap, target), "taken");
  valued = besom_handle_new(kit.heap, besom_get(kit.heap, value), "valued");
  while (left != 0) CHECK(besom_step_cycle(kit.heap, 10, &left) == BESOM_OK);
  CHECK(besom_check(kit.heap, target, kit.pair, NULL) == BESOM_OK);
  CHECK(besom_check(kit.heap, value, kit.pair, NULL) == BESOM_OK);
  CHECK(besom_weak_box_target(besom_handle_get(box)) == target);
  besom_handle_free(taken);
  besom_handle_free(valued);
  besom_handle_free(box);
  besom_handle_free(ephemeron);
  drop_kit(&kit);
}

static void add_up(void* user, besom_value key, besom_value value) {
  CHECK(key != 0);
  *(int*)user += besom_as_integer(value);
}

static void weak_key_tables_lose_dead_keys(void) {
  Kit kit = make_kit();
  const besom_type entries = standard(&kit, BESOM_EPHEMERON_ARRAY);
  const besom_type table_type = standard(&kit, BESOM_WEAK_KEY_TABLE);
  besom_handle* table =
      besom_handle_new(kit.heap, besom_table_new(kit.heap, table_type, entries), "table");
  besom_handle* keys[20];
  int i, sum = 0;
  for (i = 0; i < 20; ++i) {
    keys[i] = besom_handle_new(kit.heap, new_pair(&kit), "key");
    CHECK(besom_table_put(kit.heap, besom_handle_get(table),
                          besom_ref_of(besom_handle_get(keys[i])), besom_integer(i)) == BESOM_OK);
  }
#define TABLE besom_handle_get(table)
  CHECK(besom_table_size(kit.heap, TABLE) == 20);
  CHECK(besom_table_capacity(kit.heap, TABLE) >= 20);
  CHECK(besom_table_get(kit.heap, TABLE, besom_ref_of(besom_handle_get(keys[7]))) ==
        besom_integer(7));
  CHECK(besom_table_contains(kit.heap, TABLE, besom_ref_of(besom_handle_get(keys[7]))));
  CHECK(besom_table_remove(kit.heap, TABLE, besom_ref_of(besom_handle_get(keys[7]))));
  CHECK(!besom_table_remove(kit.heap, TABLE, besom_ref_of(besom_handle_get(keys[7]))));
  CHECK(!besom_table_contains(kit.heap, TABLE, besom_ref_of(besom_handle_get(keys[7]))));
  for (i = 10; i < 20; ++i) besom_handle_free(keys[i]);
  CHECK(besom_collect(kit.heap) == BESOM_OK);
  CHECK(besom_table_size(kit.heap, TABLE) == 9);
  besom_table_each(kit.heap, TABLE, add_up, &sum);
  CHECK(sum == 45 - 7);
  CHECK(besom_table_put(kit.heap, TABLE, 0, besom_integer(1)) == BESOM_BAD_REF);
  CHECK(besom_table_put(kit.heap, &kit, besom_integer(1), 0) == BESOM_BAD_REF);
  CHECK(besom_table_put(kit.heap, besom_handle_get(keys[0]), besom_integer(1), 0) == BESOM_BAD_REF);
  CHECK(besom_table_get(kit.heap, besom_handle_get(keys[0]), besom_integer(1)) == 0);
  CHECK(besom_table_size(kit.heap, besom_handle_get(keys[0])) == 0);
  CHECK(besom_table_new(kit.heap, entries, entries) == NULL);
  CHECK(besom_table_new(kit.heap, table_type, kit.pair) == NULL);
  CHECK(besom_last_error(kit.heap)->code == BESOM_BAD_TYPE);
  for (i = 0; i < 10; ++i) besom_handle_free(keys[i]);
  besom_handle_free(table);
  drop_kit(&kit);
}

static uint32_t end_of(const Kit* kit) {
  besom_stats stats;
  besom_get_stats(kit->heap, &stats);
  return (uint32_t)stats.capacity;
}

static void tables_that_were_overwritten_have_no_entries(void) {
  Kit kit = make_exact_kit();
  const besom_type entries = standard(&kit, BESOM_EPHEMERON_ARRAY);
  besom_handle* table = besom_handle_new(
      kit.heap, besom_table_new(kit.heap, standard(&kit, BESOM_WEAK_KEY_TABLE), entries), "table");
  const uint32_t end = end_of(&kit);
  uint32_t from_end, good, *array;
  char* base;
  int sum = 0;
  CHECK(besom_table_put(kit.heap, TABLE, besom_integer(1), besom_integer(2)) == BESOM_OK);
  /* After the header: the ref to the entries. */
  array = (uint32_t*)TABLE + 2;
  good = *array;
  base = (char*)TABLE - besom_ref_of(TABLE);
  for (from_end = 1; from_end < 100; ++from_end) {
    const uint32_t at = end - from_end, length = 16;
    memset(base + end - 100, 0x11, 100);
    if (from_end >= 8) memcpy(base + at + 4, &length, sizeof length);
    memcpy(array, &at, sizeof at);
    CHECK(besom_table_get(kit.heap, TABLE, besom_integer(1)) == 0);
    CHECK(besom_table_put(kit.heap, TABLE, besom_integer(1), 0) == BESOM_BAD_REF);
    CHECK(!besom_table_contains(kit.heap, TABLE, besom_integer(1)));
    CHECK(!besom_table_remove(kit.heap, TABLE, besom_integer(1)));
    CHECK(besom_table_size(kit.heap, TABLE) + besom_table_capacity(kit.heap, TABLE) == 0);
    besom_table_each(kit.heap, TABLE, add_up, &sum);
  }
  CHECK(sum == 0);
  memcpy(array, &good, sizeof good);
  CHECK(besom_table_get(kit.heap, TABLE, besom_integer(1)) == besom_integer(2));
  besom_handle_free(table);
  drop_kit(&kit);
}

static void tables_get_small_again(void) {
  Kit kit = make_exact_kit();
  const besom_type entries = standard(&kit, BESOM_EPHEMERON_ARRAY);
  besom_handle* table = besom_handle_new(
      kit.heap, besom_table_new(kit.heap, standard(&kit, BESOM_WEAK_KEY_TABLE), entries), "table");
  int i;
  for (i = 0; i < 10000; ++i) {
    CHECK(besom_table_put(kit.heap, TABLE, besom_ref_of(new_pair(&kit)), besom_integer(i)) ==
          BESOM_OK);
  }
  CHECK(besom_collect(kit.heap) == BESOM_OK);
  CHECK(besom_table_size(kit.heap, TABLE) == 0);
  CHECK(besom_table_capacity(kit.heap, TABLE) <= 8);
  CHECK(survivors(&kit) == 2);
  besom_handle_free(table);
  drop_kit(&kit);
}

static void weak_value_tables_lose_dead_values(void) {
  Kit kit = make_kit();
  besom_handle* table =
      besom_handle_new(kit.heap,
                       besom_table_new(kit.heap, standard(&kit, BESOM_WEAK_VALUE_TABLE),
                                       standard(&kit, BESOM_WEAK_VALUE_ARRAY)),
                       "table");
  besom_handle* value = besom_handle_new(kit.heap, new_pair(&kit), "value");
  CHECK(besom_table_put(kit.heap, TABLE, besom_integer(1), besom_ref_of(besom_handle_get(value))) ==
        BESOM_OK);
  CHECK(besom_table_put(kit.heap, TABLE, besom_integer(2), besom_ref_of(new_pair(&kit))) ==
        BESOM_OK);
  CHECK(besom_collect(kit.heap) == BESOM_OK);
  CHECK(besom_table_get(kit.heap, TABLE, besom_integer(1)) ==
        besom_ref_of(besom_handle_get(value)));
  CHECK(besom_table_get(kit.heap, TABLE, besom_integer(2)) == 0);
  besom_handle_free(value);
  besom_handle_free(table);
  drop_kit(&kit);
}
#undef TABLE

static void all_standard_types_can_be_allocated(void) {
  static const besom_standard arrays[] = {BESOM_REF_ARRAY, BESOM_VALUE_ARRAY, BESOM_WEAK_ARRAY,
                                          BESOM_EPHEMERON_ARRAY, BESOM_WEAK_VALUE_ARRAY};
  Kit kit = make_kit();
  size_t i;
  for (i = 0; i < sizeof arrays / sizeof *arrays; ++i) {
    const besom_header* array = besom_allocate(kit.heap, standard(&kit, arrays[i]), 100);
    CHECK(array != NULL && array->length == 100);
  }
  CHECK(survivors(&kit) == 0);
  drop_kit(&kit);
}

static void guardians_hand_out_the_dead(void) {
  Kit kit = make_kit();
  besom_guardian* guardian = besom_guardian_new(kit.heap, NULL, NULL);
  besom_handle* handle = besom_handle_new(kit.heap, new_node(&kit), "watched");
  Node* node = besom_handle_get(handle);
  void* agent = &kit;
  node->number = 77;
  CHECK(besom_guard(guardian, node, NULL, 0) == BESOM_OK);
  CHECK(besom_guard(guardian, node, new_pair(&kit), 1) == BESOM_OK);
  CHECK(survivors(&kit) == 2);
  CHECK(besom_guardian_pending(guardian) == 2 && besom_guardian_ready(guardian) == 0);
  CHECK(besom_guardian_next(guardian, &agent) == BESOM_OK && agent == NULL);
  besom_handle_free(handle);
  CHECK(survivors(&kit) == 2);
  CHECK(besom_guardian_ready(guardian) == 2);
  CHECK(besom_guardian_next(guardian, &agent) == BESOM_OK);
  CHECK(((besom_header*)agent)->type == kit.pair);
  CHECK(besom_guardian_next(guardian, &agent) == BESOM_OK);
  CHECK(agent == node && ((Node*)agent)->number == 77);
  CHECK(survivors(&kit) == 0);
  handle = besom_handle_new(kit.heap, new_node(&kit), "left");
  CHECK(besom_guard(guardian, besom_handle_get(handle), NULL, 0) == BESOM_OK);
  CHECK(besom_guardian_make_all_ready(guardian) == BESOM_OK);
  CHECK(besom_guardian_ready(guardian) == 1);
  CHECK(besom_guard(guardian, NULL, NULL, 0) == BESOM_BAD_REF);
  besom_handle_free(handle);
  besom_guardian_free(guardian);
  besom_guardian_free(NULL);
  drop_kit(&kit);
}

typedef struct Finalized {
  uint64_t numbers[3];
  int count;
  besom_heap* heap;
} Finalized;
static void guardians_hand_out_both(void) {
  Kit kit = make_kit();
  besom_guardian* guardian = besom_guardian_new(kit.heap, NULL, NULL);
  besom_handle* node = besom_handle_new(kit.heap, new_pair(&kit), "node");
  besom_handle* stand_in = besom_handle_new(kit.heap, new_node(&kit), "agent");
  void* object = &kit;
  void* agent = &kit;
  CHECK(besom_guard_both(guardian, besom_handle_get(node), besom_handle_get(stand_in), 1) ==
        BESOM_OK);
  CHECK(besom_guard(guardian, besom_handle_get(node), besom_handle_get(stand_in), 0) == BESOM_OK);
  CHECK(besom_guardian_next_both(guardian, &object, &agent) == BESOM_OK);
  CHECK(object == NULL && agent == NULL);
  besom_handle_free(node);
  besom_handle_free(stand_in);
  CHECK(survivors(&kit) == 2);
  CHECK(besom_guardian_next_both(guardian, &object, &agent) == BESOM_OK);
  CHECK(object != NULL && ((besom_header*)object)->type == kit.pair);
  CHECK(agent != NULL && ((besom_header*)agent)->type == kit.node);
  CHECK(besom_guardian_next_both(guardian, &object, &agent) == BESOM_OK);
  CHECK(object == NULL && agent != NULL);
  CHECK(survivors(&kit) == 0);
  besom_guardian_free(guardian);
  drop_kit(&kit);
}

static void finalize(void* user, besom_heap* heap, void* agent) {
  Finalized* finalized = user;
  const Node* node = agent;
  finalized->numbers[finalized->count++] = node->number;
  CHECK(heap == finalized->heap);
  CHECK(besom_allocate(heap, node->header.type, 0) != NULL);
  CHECK(besom_run_finalizers(heap, 1, NULL) == BESOM_REENTRANT);
  CHECK(besom_reset(heap) == BESOM_REENTRANT);
}

static void finalizers_run_when_the_program_says(void) {
  Kit kit = make_kit();
  Finalized finalized = {{0, 0, 0}, 0, NULL};
  besom_guardian* guardian = besom_guardian_new(kit.heap, finalize, &finalized);
  uint64_t called = 99;
  int i;
  finalized.heap = kit.heap;
  for (i = 0; i < 3; ++i) {
    Node* node = new_node(&kit);
    node->number = (uint64_t)i;
    CHECK(besom_guard(guardian, node, NULL, i) == BESOM_OK);
  }
  CHECK(besom_collect(kit.heap) == BESOM_OK);
  CHECK(finalized.count == 0);
  CHECK(besom_run_finalizers(kit.heap, 2, &called) == BESOM_OK && called == 2);
  CHECK(besom_run_finalizers(kit.heap, 10, &called) == BESOM_OK && called == 1);
  CHECK(finalized.count == 3);
  CHECK(finalized.numbers[0] == 2 && finalized.numbers[1] == 1 && finalized.numbers[2] == 0);
  besom_guardian_free(guardian);
  drop_kit(&kit);
}

static jmp_buf landing;
static void leave_finalizer(void* user, besom_heap* heap, void* agent) {
  (void)heap;
  (void)agent;
  if (*(bool*)user) longjmp(landing, 1);
}

static void a_finalizer_that_is_left_counts_as_run(void) {
  Kit kit = make_exact_kit();
  bool jumps = true;
  uint64_t called = 0;
  int i;
  besom_guardian* guardian = besom_guardian_new(kit.heap, leave_finalizer, &jumps);
  for (i = 0; i < 3; ++i) {
    CHECK(besom_guard(guardian, new_pair(&kit), NULL, 0) == BESOM_OK);
  }
  CHECK(besom_collect(kit.heap) == BESOM_OK);
  if (setjmp(landing) == 0) {
    besom_run_finalizers(kit.heap, 10, NULL);
    CHECK(false);
  }
  CHECK(besom_recover(kit.heap) == BESOM_OK);
  CHECK(besom_guardian_ready(guardian) == 2);
  CHECK(survivors(&kit) == 2);
  jumps = false;
  CHECK(besom_run_finalizers(kit.heap, 10, &called) == BESOM_OK && called == 2);
  CHECK(survivors(&kit) == 0);
  CHECK(besom_reset(kit.heap) == BESOM_OK);
  besom_guardian_free(guardian);
  drop_kit(&kit);
}

void test_weak_things(void) {
  a_finalizer_that_is_left_counts_as_run();
  weak_handles_forget_the_dead();
  boxes_and_ephemerons_break();
  what_is_read_from_boxes_and_ephemerons_lives_on();
  weak_key_tables_lose_dead_keys();
  tables_that_were_overwritten_have_no_entries();
  tables_get_small_again();
  weak_value_tables_lose_dead_values();
  all_standard_types_can_be_allocated();
  guardians_hand_out_the_dead();
  guardians_hand_out_both();
  finalizers_run_when_the_program_says();
}
