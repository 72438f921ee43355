/* A stack machine with pairs and strings, and its own collector: mark and sweep over malloc. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uintptr_t Value; /* an odd number, the address of an object, or 0: the empty list */
typedef enum Kind { PAIR, STRING } Kind;
typedef struct Object {
  struct Object* next;
  unsigned char kind, marked;
} Object;
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

static Object* all;
static size_t count, limit = 1000;

static void mark(Value value) {
  Object* object = (Object*)value;
  while (value != 0 && (value & 1) == 0 && !object->marked) {
    object->marked = 1;
    if (object->kind != PAIR) return;
    mark(((Pair*)object)->first);
    value = ((Pair*)object)->rest;
    object = (Object*)value;
  }
}

static void destroy(Object* object) {
  if (object->kind == STRING) free(((String*)object)->bytes);
  free(object);
}

static void collect(void) {
  Object** link = &all;
  int i;
  for (i = 0; i < height; ++i) mark(stack[i]);
  for (i = 0; i < 26; ++i) mark(globals[i]);
  while (*link != NULL) {
    Object* object = *link;
    if (object->marked) {
      object->marked = 0;
      link = &object->next;
    } else {
      *link = object->next;
      destroy(object);
      --count;
    }
  }
  limit = 2 * count + 1000;
}

static void* new_object(Kind kind, size_t bytes) {
  Object* object = calloc(1, bytes);
  if (object == NULL) exit(71);
  object->kind = (unsigned char)kind;
  object->next = all;
  all = object;
  ++count;
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
  return value != 0 && (value & 1) == 0 && ((Object*)value)->kind == kind;
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
  Pair* pair = new_object(PAIR, sizeof(Pair));
  pair->first = first;
  pair->rest = rest;
  push((Value)pair);
}

static void string(const char* first, size_t length) {
  String* made = new_object(STRING, sizeof(String));
  made->length = length;
  made->bytes = calloc(1, length + 1);
  if (made->bytes == NULL) exit(71);
  memcpy(made->bytes, first, length);
  push((Value)made);
}

/* A digit: itself. "text": a string. (: the empty list. ,: a pair of two. A to Z: into a global.
   a to z: from it. !: a new first for a pair. .: prints. N { ... }: as often. */
static const char* run(const char* at) {
  for (; *at != '\0' && *at != '}'; ++at) {
    if (count >= limit) collect();
    if (*at >= '0' && *at <= '9') push((Value)(*at - '0') << 1 | 1);
    if (*at >= 'A' && *at <= 'Z') globals[*at - 'A'] = pop();
    if (*at >= 'a' && *at <= 'z') push(globals[*at - 'a']);
    if (*at == '(') push(0);
    if (*at == ',') cons();
    if (*at == '.') print(pop());
    if (*at == '!') {
      Value first = pop();
      as_pair(pop())->first = first;
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
  run("5(, 9{9{9{9{ \"dead\"(, }}}} K");
  run("(L 9{9{9{ \"live\"l,L }}} 7\"x\"(,,X x\"y\"! x.");
  run("(L 1 2 3(,,, P p 4! p. k.");
  while (all != NULL) {
    Object* next = all->next;
    destroy(all);
    all = next;
  }
  printf("\n");
  return 0;
}
