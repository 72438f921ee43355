/// Types, allocation, slots, the barrier, inline allocation.

#include "tests/gc/c_api/kit.h"

static void descriptors_are_read_back(void) {
  Kit kit = make_kit();
  besom_descriptor descriptor;
  besom_field fields[2];
  CHECK(besom_describe(kit.heap, kit.pair, &descriptor, fields, 2) == BESOM_OK);
  CHECK(strcmp(descriptor.name, "Pair") == 0 && descriptor.size == sizeof(Pair));
  CHECK(descriptor.field_count == 2 && descriptor.fields == fields);
  CHECK(strcmp(fields[1].name, "second") == 0 && fields[1].offset == offsetof(Pair, second));
  CHECK(fields[1].kind == BESOM_SLOT_POINTER && descriptor.trace == NULL);
  fields[1].name = NULL;
  CHECK(besom_describe(kit.heap, kit.node, &descriptor, fields, 1) == BESOM_OK);
  CHECK(strcmp(fields[0].name, "left") == 0 && fields[1].name == NULL);
  CHECK(besom_describe(kit.heap, kit.bytes, &descriptor, NULL, 0) == BESOM_OK);
  CHECK(descriptor.trailing == BESOM_TRAILING_BYTES);
  CHECK(besom_describe(kit.heap, 1000, &descriptor, NULL, 0) == BESOM_BAD_TYPE);
  drop_kit(&kit);
}

static void types_are_numbered_from_1(void) {
  besom_options options;
  besom_heap* heap;
  besom_descriptor descriptor = {0};
  besom_type type, i;
  char message[100];
  besom_options_init(&options);
  options.heap_max = 1 << 20;
  options.log = BESOM_LOG_OFF;
  CHECK(besom_heap_create(&options, &heap, NULL) == BESOM_OK);
  descriptor.name = "T";
  for (i = 1; i <= 60; i += 3) {
    descriptor.size = 4; /* less than a header */
    CHECK(besom_define(heap, &descriptor, &type) == BESOM_BAD_TYPE);
    descriptor.size = 16;
    CHECK(besom_define(heap, &descriptor, &type) == BESOM_OK && type == i);
    CHECK(besom_define_standard(heap, BESOM_WEAK_BOX, &type) == BESOM_OK && type == i + 1);
    CHECK(besom_reset(heap) == BESOM_OK);
    CHECK(besom_define(heap, &descriptor, &type) == BESOM_OK && type == i + 2);
  }
  CHECK(besom_allocate(heap, 61, 0) == NULL);
  besom_error_message(besom_last_error(heap), message, sizeof message);
  CHECK(strcmp(message, "bad_type: 61, against 60 (no type of this heap)") == 0);
  CHECK(besom_describe(heap, 62, &descriptor, NULL, 0) == BESOM_BAD_TYPE);
  CHECK(besom_last_error(heap)->bytes == 62 && besom_last_error(heap)->limit == 60);
  besom_heap_destroy(heap);
}

static void a_length_without_array_is_the_programs_own(void) {
  Kit kit = make_kit();
  Pair* pair = besom_allocate(kit.heap, kit.pair, 1234);
  besom_handle* handle = besom_handle_new(kit.heap, pair, "pair");
  uint64_t defects = 1;
  CHECK(pair->header.length == 1234);
  pair->header.length = UINT32_MAX;
  besom_store_pointer((void**)&pair->first, new_pair(&kit));
  CHECK(survivors(&kit) == 2);
  CHECK(besom_verify(kit.heap, NULL, NULL, &defects) == BESOM_OK && defects == 0);
  besom_handle_free(handle);
  drop_kit(&kit);
}

static void a_lowered_length_hides_elements(void) {
  Kit kit = make_kit();
  besom_type type = 0;
  besom_header* array;
  besom_handle* handle;
  CHECK(besom_define_standard(kit.heap, BESOM_REF_ARRAY, &type) == BESOM_OK);
  handle = besom_handle_new(kit.heap, besom_allocate(kit.heap, type, 10), "array");
  array = besom_handle_get(handle);
  besom_store_ref((besom_ref*)(array + 1) + 9, new_pair(&kit));
  array->length = 9;
  CHECK(survivors(&kit) == 1);
  besom_store_ref((besom_ref*)(array + 1) + 9, NULL);
  array->length = 10;
  besom_store_ref((besom_ref*)(array + 1) + 9, new_pair(&kit));
  CHECK(survivors(&kit) == 2);
  besom_handle_free(handle);
  drop_kit(&kit);
}

static void senseless_descriptors_are_refused(void) {
  Kit kit = make_kit();
  besom_field field = {"far", 64, BESOM_SLOT_REF};
  besom_descriptor descriptor = {0};
  besom_type type;
  CHECK(besom_define(kit.heap, &descriptor, &type) == BESOM_BAD_TYPE);
  descriptor.name = "Odd";
  descriptor.size = 16;
  descriptor.fields = &field;
  descriptor.field_count = 1;
  CHECK(besom_define(kit.heap, &descriptor, &type) == BESOM_BAD_TYPE);
  CHECK(strstr(besom_last_error(kit.heap)->detail, "outside") != NULL);
  field.offset = 8;
  field.kind = (besom_slot_kind)9;
  CHECK(besom_define(kit.heap, &descriptor, &type) == BESOM_BAD_TYPE);
  field.kind = BESOM_SLOT_REF;
  field.name = NULL;
  CHECK(besom_define(kit.heap, &descriptor, &type) == BESOM_BAD_TYPE);
  field.name = "near";
  descriptor.trailing = (besom_trailing)9;
  CHECK(besom_define(kit.heap, &descriptor, &type) == BESOM_BAD_TYPE);
  descriptor.trailing = BESOM_TRAILING_NONE;
  CHECK(besom_define(kit.heap, &descriptor, &type) == BESOM_OK);
  CHECK(besom_define_standard(kit.heap, (besom_standard)99, &type) == BESOM_BAD_TYPE);
  drop_kit(&kit);
}

static void allocation_zeroes_and_refuses(void) {
  Kit kit = make_kit();
  unsigned char* bytes = besom_allocate(kit.heap, kit.bytes, 1000);
  int i, sum = 0;
  CHECK(bytes != NULL && ((besom_header*)(void*)bytes)->length == 1000);
  for (i = 8; i < 1008; ++i) sum |= bytes[i];
  CHECK(sum == 0);
  CHECK(besom_allocate(kit.heap, 77, 0) == NULL);
  CHECK(besom_last_error(kit.heap)->code == BESOM_BAD_TYPE);
  CHECK(besom_allocate(kit.heap, kit.bytes, UINT32_MAX) == NULL);
  CHECK(besom_last_error(kit.heap)->code == BESOM_OBJECT_TOO_LARGE);
  drop_kit(&kit);
}

static void numbers_of_64_bits_are_not_cut(void) {
  Kit kit = make_exact_kit();
  const uint64_t beyond = (uint64_t)1 << 32;
  const besom_contract contract = besom_allocation_contract(kit.heap, 32);
  besom_field field = {"a", 8, BESOM_SLOT_REF};
  besom_descriptor descriptor = {0};
  besom_field out;
  besom_stats before, after;
  besom_type type;
  uint64_t length;
  besom_get_stats(kit.heap, &before);
  for (length = beyond; length <= beyond + 2; ++length) {
    CHECK(besom_allocate(kit.heap, kit.bytes, length) == NULL);
    CHECK(besom_last_error(kit.heap)->code == BESOM_OBJECT_TOO_LARGE);
    CHECK(besom_last_error(kit.heap)->bytes == length + 8);
    CHECK(besom_allocate(kit.heap, kit.pair, length) == NULL);
    CHECK(besom_last_error(kit.heap)->code == BESOM_OBJECT_TOO_LARGE);
    CHECK(besom_allocate_inline(&contract, kit.pair, length) == NULL);
  }
  CHECK(besom_allocate(kit.heap, kit.bytes, UINT64_MAX) == NULL);
  CHECK(besom_last_error(kit.heap)->code == BESOM_OBJECT_TOO_LARGE);
  CHECK(besom_last_error(kit.heap)->bytes == UINT64_MAX);
  CHECK(besom_allocation_contract(kit.heap, beyond + 32).object_bytes == 0);
  besom_get_stats(kit.heap, &after);
  CHECK(after.collections == before.collections && after.capacity == before.capacity);
  descriptor.name = "Cut";
  descriptor.fields = &field;
  descriptor.field_count = 1;
  descriptor.size = beyond + 16;
  CHECK(besom_define(kit.heap, &descriptor, &type) == BESOM_BAD_TYPE);
  descriptor.size = 16;
  descriptor.field_count = beyond + 1;
  CHECK(besom_define(kit.heap, &descriptor, &type) == BESOM_BAD_TYPE);
  descriptor.field_count = 1;
  field.offset = beyond + 8;
  CHECK(besom_define(kit.heap, &descriptor, &type) == BESOM_BAD_TYPE);
  field.offset = 8;
  CHECK(besom_define(kit.heap, &descriptor, &type) == BESOM_OK);
  out.name = NULL;
  CHECK(besom_describe(kit.heap, type, &descriptor, &out, beyond) == BESOM_OK);
  CHECK(out.name != NULL && strcmp(out.name, "a") == 0);
  drop_kit(&kit);
}

static void addresses_and_refs_lead_to_objects(void) {
  Kit kit = make_kit();
  Pair* pair = new_pair(&kit);
  const besom_ref ref = besom_ref_of(pair);
  void* found = NULL;
  CHECK(besom_ref_of(NULL) == 0 && besom_get(kit.heap, 0) == NULL);
  CHECK(besom_get(kit.heap, ref) == pair);
  CHECK(besom_check(kit.heap, ref, kit.pair, &found) == BESOM_OK && found == pair);
  CHECK(besom_check(kit.heap, ref, 0, NULL) == BESOM_OK);
  CHECK(besom_check(kit.heap, ref, kit.node, NULL) == BESOM_BAD_REF);
  CHECK(besom_check(kit.heap, ref + 16, 0, NULL) == BESOM_BAD_REF);
  CHECK(besom_contains(kit.heap, pair) && !besom_contains(kit.heap, &kit));
  CHECK(besom_object_start(kit.heap, &pair->second) == pair);
  CHECK(besom_object_start(kit.heap, &kit) == NULL);
  drop_kit(&kit);
}

static void values_tell_integers_from_refs(void) {
  CHECK(besom_is_integer(besom_integer(0)) && !besom_is_integer(48));
  CHECK(besom_as_integer(besom_integer(-12345)) == -12345);
  CHECK(besom_as_integer(besom_integer(1073741823)) == 1073741823);
  CHECK(besom_as_integer(besom_integer(-1073741824)) == -1073741824);
}

/// By besom_integer_failed().
static void make_integer(void* user) { besom_integer(*(const int64_t*)user); }

static void what_is_no_31_bit_integer_aborts(void) {
  int64_t bad[] = {1073741824, -1073741825, ((int64_t)1 << 32) + 5, INT64_MIN, INT64_MAX};
  size_t i;
  for (i = 0; i < sizeof bad / sizeof *bad; ++i) {
    CHECK(aborts(make_integer, &bad[i], "no 31-bit integer"));
  }
}

/// A list of nodes as long as stated, from refs, followed by the slots' own addresses.
static void refs_in_slots_keep_a_list(Kit* kit) {
  besom_handle* head = besom_handle_new(kit->heap, new_node(kit), "head");
  Node* node;
  uint64_t i, length = 0;
  for (i = 1; i < 300; ++i) {
    Node* added = new_node(kit);
    node = besom_handle_get(head);
    added->number = i;
    besom_store_ref(&added->left, node);
    CHECK(besom_handle_set(head, added) == BESOM_OK);
  }
  CHECK(survivors(kit) == 300);
  for (node = besom_handle_get(head); node != NULL; node = besom_follow(&node->left)) {
    CHECK(node->number == 299 - length++);
  }
  CHECK(length == 300);
  besom_handle_free(head);
  CHECK(survivors(kit) == 0);
}

static void the_barrier_holds_a_generational_heap_together(void) {
  besom_options options;
  besom_descriptor descriptor = {0};
  besom_field fields[2] = {{"p", 8, BESOM_SLOT_POINTER}, {"v", 16, BESOM_SLOT_VALUE}};
  besom_heap* heap;
  besom_type type;
  besom_handle* old;
  char* object;
  int i;
  besom_options_init(&options);
  options.heap_max = 32 << 20;
  options.generational = true;
  options.zeal_every = 3;
  options.zeal_verify = options.zeal_poison = true;
  CHECK(besom_heap_create(&options, &heap, NULL) == BESOM_OK);
  descriptor.name = "Mixed";
  descriptor.size = 24;
  descriptor.fields = fields;
  descriptor.field_count = 2;
  CHECK(besom_define(heap, &descriptor, &type) == BESOM_OK);
  old = besom_handle_new(heap, besom_allocate(heap, type, 0), "old");
  CHECK(besom_collect(heap) == BESOM_OK);
  for (i = 0; i < 200; ++i) {
    object = besom_handle_get(old);
    if (i % 3 == 0) {
      besom_store_pointer((void**)(void*)(object + 8), besom_allocate(heap, type, 0));
    } else if (i % 3 == 1) {
      besom_store_value((besom_value*)(void*)(object + 16),
                        besom_ref_of(besom_allocate(heap, type, 0)));
    } else {
      void* made = besom_allocate(heap, type, 0);
      memcpy(object + 8, &made, sizeof made);
      besom_note_store(object + 8);
    }
    CHECK(besom_allocate(heap, type, 0) != NULL);
  }
  object = besom_handle_get(old);
  CHECK(besom_object_start(heap, *(void**)(void*)(object + 8)) == *(void**)(void*)(object + 8));
  CHECK(besom_check(heap, *(besom_value*)(void*)(object + 16), type, NULL) == BESOM_OK);
  besom_handle_free(old);
  besom_heap_destroy(heap);
}

static void stores_into_the_hosts_own_memory_are_stores(void) {
  Kit kit = make_kit();
  Pair* pair = new_pair(&kit);
  static void* in_static_memory = NULL;
  void* on_stack = NULL;
  void** on_host_heap = calloc(1, sizeof *on_host_heap);
  besom_ref ref = 0;
  besom_value value = 0;
  besom_store_pointer(&in_static_memory, pair);
  besom_store_pointer(&on_stack, pair);
  besom_store_pointer(on_host_heap, pair);
  besom_store_ref(&ref, pair);
  besom_store_value(&value, besom_integer(3));
  besom_note_store(NULL);
  CHECK(in_static_memory == pair && on_stack == pair && *on_host_heap == pair);
  CHECK(ref == besom_ref_of(pair) && value == besom_integer(3));
  free(on_host_heap);
  drop_kit(&kit);
}

static void inline_allocation_equals_the_call(void) {
  Kit kit = make_exact_kit();
  const besom_contract contract = besom_allocation_contract(kit.heap, sizeof(Pair));
  besom_registration* root;
  besom_ref head = 0;
  int i, in_line = 0;
  CHECK(contract.object_bytes == 32);
  CHECK(besom_allocation_contract(kit.heap, 513).object_bytes == 0);
  root = besom_add_root_range(kit.heap, &head, 1, "head");
  for (i = 0; i < 100000; ++i) {
    Pair* pair = besom_allocate_inline(&contract, kit.pair, 0);
    if (pair != NULL) {
      ++in_line;
      CHECK(pair->first == NULL && pair->second == NULL && pair->header.type == kit.pair);
    } else {
      pair = new_pair(&kit);
    }
    if (i % 10 == 0) {
      besom_store_pointer((void**)(void*)&pair->first, besom_get(kit.heap, head));
      head = besom_ref_of(pair);
    }
  }
  // Small holes have no room for a window.
  CHECK(in_line > 10000);
  CHECK(survivors(&kit) == 10000);
  besom_registration_free(root);
  drop_kit(&kit);
}

typedef struct Released {
  int count;
  uint32_t size_bytes;
} Released;
static void note_release(void* user, void* object, uint32_t size_bytes) {
  Released* released = user;
  CHECK(((besom_header*)object)->type != 0);
  ++released->count;
  released->size_bytes = size_bytes;
}

static void release_hooks_run_once(void) {
  Kit kit = make_kit();
  Released released = {0, 0};
  besom_descriptor descriptor = {0};
  besom_type type;
  besom_handle* kept;
  descriptor.name = "File";
  descriptor.size = 40;
  descriptor.release = note_release;
  descriptor.release_user = &released;
  CHECK(besom_define(kit.heap, &descriptor, &type) == BESOM_OK);
  kept = besom_handle_new(kit.heap, besom_allocate(kit.heap, type, 0), "kept");
  CHECK(besom_allocate(kit.heap, type, 0) != NULL);
  CHECK(survivors(&kit) == 1);
  CHECK(released.count == 1 && released.size_bytes == 48);
  besom_heap_destroy(kit.heap);
  CHECK(released.count == 2);
  besom_handle_free(kept);
}

typedef struct Box {
  besom_header header;
  uint64_t pointer, interior, word, value;
} Box;
static void trace_box(void* user, const void* object, uint32_t size_bytes, besom_tracer* tracer) {
  const Box* box = object;
  ++*(int*)user;
  CHECK(size_bytes == 48);
  besom_visit_pointer(tracer, (const void*)(uintptr_t)box->pointer);
  besom_visit_interior(tracer, (const void*)(uintptr_t)box->interior);
  besom_visit_word(tracer, box->word);
  besom_visit(tracer, (besom_value)box->value);
  CHECK(!besom_is_abandoned(tracer));
}

static void trace_callbacks_visit_what_they_decode(void) {
  Kit kit = make_kit();
  besom_descriptor descriptor = {0}, described;
  besom_type type;
  besom_handle* handle;
  int calls = 0;
  Box* box;
  descriptor.name = "Box";
  descriptor.size = sizeof(Box);
  descriptor.trace = trace_box;
  descriptor.trace_user = &calls;
  CHECK(besom_define(kit.heap, &descriptor, &type) == BESOM_OK);
  CHECK(besom_describe(kit.heap, type, &described, NULL, 0) == BESOM_OK);
  CHECK(described.trace == trace_box && described.trace_user == &calls);
  handle = besom_handle_new(kit.heap, besom_allocate(kit.heap, type, 0), "box");
  CHECK(besom_forbid_collections(kit.heap) == BESOM_OK);
  box = besom_handle_get(handle);
  box->pointer = (uintptr_t)new_pair(&kit) | 5;
  box->interior = (uintptr_t)new_pair(&kit) + 20;
  box->word = (uint64_t)besom_ref_of(new_pair(&kit)) << 32;
  box->value = besom_ref_of(new_pair(&kit));
  CHECK(besom_allow_collections(kit.heap) == BESOM_OK);
  CHECK(survivors(&kit) == 5);
  CHECK(calls > 0);
  box->word = 0;
  box->value = besom_integer(7);
  CHECK(survivors(&kit) == 3);
  besom_handle_free(handle);
  drop_kit(&kit);
}

/// A language's words: doubles, and refs in NaNs.
typedef struct Boxed {
  besom_header header;
  uint64_t first, second;
} Boxed;
static const besom_box_format nan_box = {(uint64_t)0xffff << 48, (uint64_t)0xfff9 << 48, 0,
                                         BESOM_BOX_INDEX};
static uint64_t boxed(const void* object) { return nan_box.tag | besom_ref_of(object); }

static void visit_words(void* user, besom_tracer* tracer) {
  const besom_box_format senseless = {nan_box.mask, nan_box.tag, 99, BESOM_BOX_INDEX};
  const uint64_t* words = user;
  besom_visit_box(tracer, words[0], &nan_box);
  besom_visit_box(tracer, words[1], &senseless);
}

static void boxes_are_refs_where_their_format_says_so(void) {
  Kit kit = make_kit();
  besom_field fields[] = {{"first", offsetof(Boxed, first), BESOM_SLOT_BOX},
                          {"second", offsetof(Boxed, second), BESOM_SLOT_BOX}};
  besom_descriptor descriptor = {0}, described;
  besom_registration* roots;
  besom_handle *fixed, *array;
  besom_type type, array_type;
  uint64_t words[2] = {0, 0};
  Boxed* object;
  descriptor.name = "Boxed";
  descriptor.size = sizeof(Boxed);
  descriptor.fields = fields;
  descriptor.field_count = 2;
  CHECK(besom_define(kit.heap, &descriptor, &type) == BESOM_BAD_TYPE);
  CHECK(strstr(besom_last_error(kit.heap)->detail, "box") != NULL);
  descriptor.box = nan_box;
  descriptor.box.payload = (besom_box_payload)7;
  CHECK(besom_define(kit.heap, &descriptor, &type) == BESOM_BAD_TYPE);
  descriptor.box = nan_box;
  CHECK(besom_define(kit.heap, &descriptor, &type) == BESOM_OK);
  CHECK(besom_describe(kit.heap, type, &described, NULL, 0) == BESOM_OK);
  CHECK(described.box.mask == nan_box.mask && described.box.tag == nan_box.tag);
  CHECK(described.box.shift == 0 && described.box.payload == BESOM_BOX_INDEX);
  descriptor.size = sizeof(besom_header);
  descriptor.field_count = 0;
  descriptor.trailing = BESOM_TRAILING_BOXES;
  CHECK(besom_define(kit.heap, &descriptor, &array_type) == BESOM_OK);
  fixed = besom_handle_new(kit.heap, besom_allocate(kit.heap, type, 0), "fixed");
  array = besom_handle_new(kit.heap, besom_allocate(kit.heap, array_type, 3), "array");
  roots = besom_add_roots(kit.heap, visit_words, words, "words");
  CHECK(besom_forbid_collections(kit.heap) == BESOM_OK);
  object = besom_handle_get(fixed);
  besom_store_box(&object->first, boxed(new_pair(&kit)));
  object->second = 0x3ff0000000000000u | besom_ref_of(new_pair(&kit)); /* a double */
  besom_store_box((uint64_t*)besom_handle_get(array) + 3, boxed(new_pair(&kit)));
  words[0] = boxed(new_pair(&kit));
  words[1] = boxed(new_pair(&kit)); /* by a format that is none */
  CHECK(besom_allow_collections(kit.heap) == BESOM_OK);
  CHECK(survivors(&kit) == 5);
  besom_registration_free(roots);
  besom_handle_free(fixed);
  besom_handle_free(array);
  drop_kit(&kit);
}

/// What a fiber's stack holds, outside of the heap.
static void* outside;
static void trace_outside(void* user, const void* object, uint32_t size_bytes,
                          besom_tracer* tracer) {
  (void)user;
  (void)object;
  (void)size_bytes;
  besom_visit_pointer(tracer, outside);
}

static void an_object_can_be_remembered_always(void) {
  besom_options options;
  besom_descriptor descriptor = {0};
  Kit kit;
  besom_type type;
  besom_handle* fiber;
  int i;
  besom_options_init(&options);
  options.heap_max = 16 << 20;
  options.generational = true;
  options.zeal_every = 2;
  options.zeal_verify = true;
  options.log = BESOM_LOG_OFF;
  kit = make_kit_with(&options);
  descriptor.name = "Fiber";
  descriptor.size = 16;
  descriptor.trace = trace_outside;
  outside = NULL;
  CHECK(besom_define(kit.heap, &descriptor, &type) == BESOM_OK);
  fiber = besom_handle_new(kit.heap, besom_allocate(kit.heap, type, 0), "fiber");
  CHECK(besom_set_always_remembered(kit.heap, besom_handle_get(fiber), true) == BESOM_OK);
  CHECK(besom_set_always_remembered(kit.heap, NULL, true) == BESOM_BAD_REF);
  CHECK(besom_set_always_remembered(kit.heap, &kit, true) == BESOM_WRONG_HEAP);
  for (i = 0; i < 100; ++i) {
    outside = new_pair(&kit);
    new_pair(&kit);
    new_pair(&kit);
  }
  CHECK(survivors(&kit) == 2);
  CHECK(besom_set_always_remembered(kit.heap, besom_handle_get(fiber), false) == BESOM_OK);
  outside = NULL;
  besom_handle_free(fiber);
  drop_kit(&kit);
}

void test_objects(void) {
  Kit kit;
  descriptors_are_read_back();
  types_are_numbered_from_1();
  a_length_without_array_is_the_programs_own();
  a_lowered_length_hides_elements();
  senseless_descriptors_are_refused();
  allocation_zeroes_and_refuses();
  numbers_of_64_bits_are_not_cut();
  addresses_and_refs_lead_to_objects();
  values_tell_integers_from_refs();
  what_is_no_31_bit_integer_aborts();
  kit = make_kit();
  refs_in_slots_keep_a_list(&kit);
  drop_kit(&kit);
  the_barrier_holds_a_generational_heap_together();
  stores_into_the_hosts_own_memory_are_stores();
  inline_allocation_equals_the_call();
  release_hooks_run_once();
  trace_callbacks_visit_what_they_decode();
  boxes_are_refs_where_their_format_says_so();
  an_object_can_be_remembered_always();
}
