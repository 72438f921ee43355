/* A stack machine with pairs and strings, in a Besom heap. */

#include <besom/besom.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uintptr_t Value; /* an odd number, the address of an object, or 0: the empty list */
typedef enum Kind { PAIR = 1, STRING } Kind; /* types of the heap, in the order of definition */
typedef besom_header Object;
typedef struct Pair {
  Object object;
  Value first, rest;
} Pair;
typedef struct String {
  Object object;
  size_t length;
  char* bytes;
} String;

static Value stack[10000];
static int height;
static Value globals[26];

static besom_heap* heap;
static const besom_box_format format = {1, 0, 0, BESOM_BOX_ADDRESS}; /* even: an address */

static void visit(void* user, besom_tracer* tracer) {
  int i;
  (void)user;
  for (i = 0; i < height; ++i) besom_visit_box(tracer, stack[i], &format);
  for (i = 0; i < 26; ++i) besom_visit_box(tracer, globals[i], &format);
}

static void release_string(void* user, void* object, uint32_t size_bytes) {
  String* string = object;
  (void)user;
  (void)size_bytes;
  if (string->bytes == NULL) return;
  free(string->bytes);
  besom_remove_external(heap, string->length + 1);
}

static void create_heap(void) {
  static const besom_field fields[] = {{"first", offsetof(Pair, first), BESOM_SLOT_BOX},
                                       {"rest", offsetof(Pair, rest), BESOM_SLOT_BOX}};
  const besom_descriptor pair = {
      .name = "Pair", .size = sizeof(Pair), .fields = fields, .field_count = 2, .box = format};
  const besom_descriptor string = {
      .name = "String", .size = sizeof(String), .release = release_string};
  besom_type type;
  besom_options options;
  besom_options_init(&options);
  options.safepoints = true; /* collects between two instructions, as it was */
  if (besom_heap_create(&options, &heap, NULL) != BESOM_OK) exit(71);
  if (besom_define(heap, &pair, &type) != BESOM_OK || type != PAIR) exit(70);
  if (besom_define(heap, &string, &type) != BESOM_OK || type != STRING) exit(70);
  if (besom_add_roots(heap, visit, NULL, "stack and globals") == NULL) exit(71);
}

static void* new_object(Kind kind) {
  void* object = besom_allocate(heap, kind, 0);
  if (object == NULL) exit(71);
  return object;
}

static void push(Value value) {
  if (height == 10000) exit(65);
  stack[height++] = value;
}
static Value pop(void) {
  if (height == 0) exit(65);
  return stack[--height];
}
static int is_kind(Value value, Kind kind) {
  return value != 0 && (value & 1) == 0 && ((Object*)value)->type == kind;
}
static Pair* as_pair(Value value) {
  if (!is_kind(value, PAIR)) exit(65);
  return (Pair*)value;
}

static void print(Value value) {
  if ((value & 1) != 0) {
    printf("%ld ", (long)((intptr_t)value >> 1));
  } else if (is_kind(value, STRING)) {
    printf("%s ", ((String*)value)->bytes);
  } else {
    printf("( ");
    for (; value != 0; value = as_pair(value)->rest) print(as_pair(value)->first);
    printf(") ");
  }
}

static void cons(void) {
  Value rest = pop();
  Value first = pop();
  Pair* pair = new_object(PAIR);
  pair->first = first;
  pair->rest = rest;
  push((Value)pair);
}

static void string(const char* first, size_t length) {
  String* made = new_object(STRING);
  made->length = length;
  made->bytes = calloc(1, length + 1);
  if (made->bytes == NULL) exit(71);
  besom_add_external(heap, length + 1);
  memcpy(made->bytes, first, length);
  push((Value)made);
}

/* A digit: itself. "text": a string. (: the empty list. ,: a pair of two. A to Z: into a global.
   a to z: from it. !: a new first for a pair. .: prints. N { ... }: as often. */
static const char* run(const char* at) {
  for (; *at != '\0' && *at != '}'; ++at) {
    besom_safepoint(heap);
    if (*at >= '0' && *at <= '9') push((Value)(*at - '0') << 1 | 1);
    if (*at >= 'A' && *at <= 'Z') globals[*at - 'A'] = pop();
    if (*at >= 'a' && *at <= 'z') push(globals[*at - 'a']);
    if (*at == '(') push(0);
    if (*at == ',') cons();
    if (*at == '.') print(pop());
    if (*at == '!') {
      Value first = pop();
      besom_store_box(&as_pair(pop())->first, first);
    }
    if (*at == '"') {
      const char* end = strchr(at + 1, '"');
      if (end == NULL) exit(65);
      string(at + 1, (size_t)(end - at - 1));
      at = end;
    }
    if (*at == '{') {
      const char* end = at;
      long i, times = (long)(pop() >> 1);
      for (i = 0; i < times; ++i) end = run(at + 1);
      if (*end != '}') exit(65);
      at = end;
    }
  }
  return at;
}

int main(void) {
  create_heap();
  run("5(, 9{9{9{9{ \"dead\"(, }}}} K");
  run("(L 9{9{9{ \"live\"l,L }}} 7\"x\"(,,X x\"y\"! x.");
  run("(L 1 2 3(,,, P p 4! p. k.");
  besom_heap_destroy(heap);
  printf("\n");
  return 0;
}
