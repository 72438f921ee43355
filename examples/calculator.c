// A stack calculator in C: numbers, words, lists that are code, definitions, recursion.
//
//   calculator          a demonstration
//   calculator FILE     runs the program in FILE; - is standard input
//   calculator --incremental ...    with a heap that marks in slices
//   calculator --generational ...   with a heap that collects the young alone mostly
//
//   1 2 + .                         prints 3
//   [ dup * ] 'square def           a list is code until it is called
//   9 square .                      prints 81
//   1 2 < [ 10 ] [ 20 ] if .        prints 10
//   1 2 [ ] cons cons .             prints [ 1 2 ]
//
// To learn from: all that an interpreter in C does with besom.h. Objects hold raw pointers; the
// data stack, the calls that are under way and the definitions are roots, named by one callback.
// What a builtin needs while it allocates stays on the data stack, so nothing else is a root.
#include <besom/besom.h>
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { kUsage = 64, kBadInput = 65, kInternal = 70, kExhausted = 71 };
enum { kStack = 10000, kCalls = 10000, kOpenLists = 100, kToken = 64 };

// Objects of the language. The empty list is NULL.
typedef struct Object {
  besom_header header;
} Object;
typedef struct Number {
  besom_header header;
  double value;
} Number;
typedef struct Pair {  // a list: its first element and the list of the others
  besom_header header;
  void* first;
  void* rest;
} Pair;
typedef struct Word {  // in code a call, or where it was quoted a name
  besom_header header;
  struct Definition* definition;  // no object: the collector passes it over
} Word;

typedef struct Definition {
  struct Definition* next;
  void (*builtin)(void);
  Object* value;
  int is_defined;
  char name[kToken];
} Definition;

static besom_heap* heap;
static besom_registration* roots;
static besom_type number_type, pair_type, word_type, name_type;

static Object* stack[kStack];
static int height;
static Pair* calls[kCalls];  // for each call under way what is left of its code
static int call_count;
static Definition* definitions;

static int line = 1;
static const char* current = "";  // the word at work, for messages

__attribute__((format(printf, 2, 3))) static void fail(int code, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fflush(stdout);
  fprintf(stderr, "calculator: line %d: ", line);
  vfprintf(stderr, format, arguments);
  fprintf(stderr, "\n");
  va_end(arguments);
  exit(code);
}

static void fail_by_heap(int code) {
  char message[200];
  besom_error_message(besom_last_error(heap), message, sizeof message);
  fail(code, "%s", message);
}

// ---- what the heap has to know ----

static void visit_roots(void* user, besom_tracer* tracer) {
  const Definition* definition;
  int i;
  (void)user;
  for (i = 0; i < height; ++i) besom_visit_pointer(tracer, stack[i]);
  for (i = 0; i < call_count; ++i) besom_visit_pointer(tracer, calls[i]);
  for (definition = definitions; definition != NULL; definition = definition->next) {
    besom_visit_pointer(tracer, definition->value);
  }
}

static besom_type define_type(const char* name, uint32_t size, const besom_field* fields,
                              uint32_t field_count) {
  besom_descriptor descriptor = {0};
  besom_type type;
  descriptor.name = name;
  descriptor.size = size;
  descriptor.fields = fields;
  descriptor.field_count = field_count;
  if (besom_define(heap, &descriptor, &type) != BESOM_OK) fail_by_heap(kInternal);
  return type;
}

static void open_heap(bool incremental, bool generational) {
  static const besom_field pair_fields[] = {{"first", offsetof(Pair, first), BESOM_SLOT_POINTER},
                                            {"rest", offsetof(Pair, rest), BESOM_SLOT_POINTER}};
  besom_options options;
  besom_error error;
  besom_options_init(&options);
  options.heap_max = 64 << 20;
  options.incremental = incremental;
  options.generational = generational;
  if (besom_heap_create(&options, &heap, &error) != BESOM_OK) {
    char message[200];
    besom_error_message(&error, message, sizeof message);
    fail(error.code == BESOM_BAD_OPTION ? kUsage : kExhausted, "%s", message);
  }
  number_type = define_type("Number", sizeof(Number), NULL, 0);
  pair_type = define_type("Pair", sizeof(Pair), pair_fields, 2);
  word_type = define_type("Word", sizeof(Word), NULL, 0);
  name_type = define_type("Name", sizeof(Word), NULL, 0);
  roots = besom_add_roots(heap, visit_roots, NULL, "calculator");
  if (roots == NULL) fail_by_heap(kExhausted);
}

// May collect: all that the caller still needs is reachable from the roots above.
static void* allocate(besom_type type) {
  void* object = besom_allocate(heap, type, 0);
  if (object == NULL) fail_by_heap(kExhausted);
  return object;
}

// ---- the data stack ----

static void push(void* object) {
  if (height == kStack) fail(kBadInput, "%s: the stack is full", current);
  stack[height++] = object;
}
static void need(int count) {
  if (height < count) fail(kBadInput, "%s: needs %d on the stack", current, count);
}
static Object* pop(void) {
  need(1);
  return stack[--height];
}
static int is_list(const Object* object) {
  return object == NULL || object->header.type == pair_type;
}
static Pair* pop_list(void) {
  Object* object = pop();
  if (!is_list(object)) fail(kBadInput, "%s: not a list", current);
  return (Pair*)(void*)object;
}
static double pop_number(void) {
  Object* object = pop();
  if (object == NULL || object->header.type != number_type) {
    fail(kBadInput, "%s: not a number", current);
  }
  return ((Number*)(void*)object)->value;
}
static void push_number(double value) {
  Number* number = allocate(number_type);
  number->value = value;
  push(number);
}

// ---- running code ----

static void call(Pair* code) {
  if (code == NULL) return;
  // What has nothing left to do makes room: a call at the end of a list is a jump.
  while (call_count > 0 && calls[call_count - 1] == NULL) --call_count;
  if (call_count == kCalls) fail(kBadInput, "%s: calls nest too deep", current);
  calls[call_count++] = code;
}

static void execute(Object* object) {
  const Definition* definition;
  if (object == NULL || object->header.type != word_type) {
    push(object);
    return;
  }
  definition = ((Word*)(void*)object)->definition;
  current = definition->name;
  if (definition->builtin != NULL) {
    definition->builtin();
  } else if (!definition->is_defined) {
    fail(kBadInput, "%s: unknown word", current);
  } else if (is_list(definition->value)) {
    call((Pair*)(void*)definition->value);
  } else {
    push(definition->value);
  }
}

static void run(Object* object) {
  execute(object);
  while (call_count > 0) {
    Pair* code = calls[call_count - 1];
    if (code == NULL) {
      --call_count;
    } else {
      calls[call_count - 1] = code->rest;
      execute(code->first);
    }
  }
}

// ---- builtins ----

static void print(const Object* object, int depth) {
  if (!is_list(object)) {
    if (object->header.type == number_type) {
      printf("%.15g", ((const Number*)(const void*)object)->value);
    } else {
      printf("%s%s", object->header.type == name_type ? "'" : "",
             ((const Word*)(const void*)object)->definition->name);
    }
    return;
  }
  if (depth == 0) {
    printf("[ ... ]");
    return;
  }
  printf("[ ");
  for (; object != NULL; object = ((const Pair*)(const void*)object)->rest) {
    print(((const Pair*)(const void*)object)->first, depth - 1);
    printf(" ");
  }
  printf("]");
}

#define ARITHMETIC(function, expression) \
  static void function(void) {           \
    const double b = pop_number();       \
    const double a = pop_number();       \
    push_number(expression);             \
  }
ARITHMETIC(add, a + b)
ARITHMETIC(subtract, a - b)
ARITHMETIC(multiply, a* b)
ARITHMETIC(is_less, a < b)
ARITHMETIC(is_equal, a == b)

static double pop_divisor(void) {
  const double value = pop_number();
  if (value == 0) fail(kBadInput, "%s: by zero", current);
  return value;
}
static void divide(void) {
  const double b = pop_divisor();
  push_number(pop_number() / b);
}
static void remainder_of(void) {
  const double b = pop_divisor();
  push_number(fmod(pop_number(), b));
}
static void duplicate(void) {
  need(1);
  push(stack[height - 1]);
}
static void drop(void) { pop(); }
static void swap(void) {
  Object* top = pop();
  Object* below = pop();
  push(top);
  push(below);
}
static void over(void) {
  need(2);
  push(stack[height - 2]);
}
static void cons(void) {
  Pair* pair;
  need(2);
  if (!is_list(stack[height - 1])) fail(kBadInput, "%s: not a list", current);
  pair = allocate(pair_type);  // both are still on the stack
  besom_store_pointer(&pair->rest, pop());
  besom_store_pointer(&pair->first, pop());
  push(pair);
}
static Pair* pop_pair(void) {
  Pair* pair = pop_list();
  if (pair == NULL) fail(kBadInput, "%s: the list is empty", current);
  return pair;
}
static void first(void) { push(pop_pair()->first); }
static void rest(void) { push(pop_pair()->rest); }
static void is_empty(void) { push_number(pop_list() == NULL); }
static void call_list(void) { call(pop_list()); }
static void choose(void) {
  Pair* otherwise = pop_list();
  Pair* then = pop_list();
  call(pop_number() != 0 ? then : otherwise);
}
static void define(void) {
  Object* name = pop();
  Definition* definition;
  if (name == NULL || name->header.type != name_type) fail(kBadInput, "%s: not a name", current);
  definition = ((Word*)(void*)name)->definition;
  if (definition->builtin != NULL) fail(kBadInput, "%s: is built in", definition->name);
  definition->value = pop();
  definition->is_defined = 1;
}
static void print_top(void) {
  print(pop(), 20);
  printf("\n");
}
static void count_live(void) {
  besom_collection last;
  if (besom_collect(heap) != BESOM_OK) fail_by_heap(kInternal);
  besom_last_collection(heap, &last);
  push_number((double)last.live_objects);
}

static Definition* definition_of(const char* name) {
  Definition* definition = definitions;
  while (definition != NULL && strcmp(definition->name, name) != 0) definition = definition->next;
  if (definition != NULL) return definition;
  definition = calloc(1, sizeof *definition);
  if (definition == NULL) fail(kExhausted, "no memory for a name");
  strcpy(definition->name, name);
  definition->next = definitions;
  return definitions = definition;
}

static void add_builtins(void) {
  static const struct {
    const char* name;
    void (*function)(void);
  } builtins[] = {{"+", add},          {"-", subtract}, {"*", multiply},  {"/", divide},
                  {"%", remainder_of}, {"<", is_less},  {"=", is_equal},  {"dup", duplicate},
                  {"drop", drop},      {"swap", swap},  {"over", over},   {"cons", cons},
                  {"first", first},    {"rest", rest},  {"if", choose},   {"empty?", is_empty},
                  {"call", call_list}, {"def", define}, {".", print_top}, {"live", count_live}};
  size_t i;
  for (i = 0; i < sizeof builtins / sizeof *builtins; ++i) {
    definition_of(builtins[i].name)->builtin = builtins[i].function;
  }
}

// ---- reading ----

static void push_word(besom_type type, const char* name) {
  Word* word = allocate(type);
  word->definition = definition_of(name);
  push(word);
}

static void push_item(const char* token) {
  const char* digit = token + (*token == '-' || *token == '+');
  if (isdigit((unsigned char)digit[*digit == '.'])) {
    char* end;
    const double value = strtod(token, &end);
    if (*end != '\0' || !isfinite(value)) fail(kBadInput, "%s: not a number", token);
    push_number(value);
  } else if (token[0] == '\'' && token[1] != '\0') {
    push_word(name_type, token + 1);
  } else {
    push_word(word_type, token);
  }
}

static void run_text(const char* text, size_t length) {
  int open_lists[kOpenLists], depth = 0;  // where on the stack each one begins
  char token[kToken];
  size_t at = 0, size;
  while (at < length) {
    if (text[at] == '\n') ++line;
    if (text[at] == '#') {
      while (at < length && text[at] != '\n') ++at;
      continue;
    }
    if (isspace((unsigned char)text[at])) {
      ++at;
      continue;
    }
    for (size = 0; at < length && !isspace((unsigned char)text[at]); ++at) {
      if (text[at] == '\0') fail(kBadInput, "this is no text");
      if (size + 1 == sizeof token) fail(kBadInput, "a word of more than %d bytes", kToken - 1);
      token[size++] = text[at];
    }
    token[size] = '\0';
    current = token;
    if (strcmp(token, "[") == 0) {
      if (depth == kOpenLists) fail(kBadInput, "lists nest too deep");
      open_lists[depth++] = height;
    } else if (strcmp(token, "]") == 0) {
      if (depth == 0) fail(kBadInput, "] without [");
      push(NULL);
      while (height - 1 > open_lists[depth - 1]) cons();
      --depth;
    } else {
      push_item(token);
      if (depth == 0) run(pop());
    }
  }
  if (depth != 0) fail(kBadInput, "[ without ]");
}

static char* read_all(FILE* file, const char* name, size_t* length) {
  size_t room = 4096, count;
  char* text = malloc(room);
  *length = 0;
  while (text != NULL && (count = fread(text + *length, 1, room - *length, file)) > 0) {
    *length += count;
    if (*length == room) text = realloc(text, room *= 2);
  }
  if (text == NULL) fail(kExhausted, "no memory to read %s", name);
  if (ferror(file)) fail(kBadInput, "%s: %s", name, strerror(errno));
  return text;
}

static const char demonstration[] =
    "[ dup 2 < [ drop 1 ] [ dup 1 - factorial * ] if ] 'factorial def\n"
    "20 factorial .\n"
    "[ dup 0 = [ drop ] [ 'n def n swap cons n 1 - down ] if ] 'down def\n"
    "[ [ ] swap down ] 'range def\n"
    "[ dup empty? [ ] [ dup first f swap rest map-f cons ] if ] 'map-f def\n"
    "[ 'f def map-f ] 'map def\n"
    "10 range [ dup * ] map .\n"
    "[ dup empty? [ ] [ dup first keep? [ dup first swap rest filter-k cons ]\n"
    "                                   [ rest filter-k ] if ] if ] 'filter-k def\n"
    "[ 'keep? def filter-k ] 'filter def\n"
    "[ dup empty? [ ] [ dup first 'p def dup rest [ p % ] filter sieve\n"
    "                   swap first swap cons ] if ] 'sieve def\n"
    "100 range rest sieve .\n"
    "[ dup 0 = [ drop ] [ 200 range drop 1 - churn ] if ] 'churn def\n"
    "2000 churn live . # objects left of a million\n";

int main(int argc, char** argv) {
  FILE* file = stdin;
  size_t length;
  char* text;
  bool incremental = false, generational = false;
  for (; argc > 1; ++argv, --argc) {
    if (strcmp(argv[1], "--incremental") == 0) {
      incremental = true;
    } else if (strcmp(argv[1], "--generational") == 0) {
      generational = true;
    } else {
      break;
    }
  }
  if (argc == 2 && strcmp(argv[1], "--version") == 0) {
    printf("calculator of Besom %s\n", besom_version());
    return 0;
  }
  if (argc > 2 || (argc == 2 && argv[1][0] == '-' && argv[1][1] != '\0')) {
    printf("usage: calculator [--incremental] [--generational] [FILE | - | --version]\n");
    return argc == 2 && strcmp(argv[1], "--help") == 0 ? 0 : kUsage;
  }
  open_heap(incremental, generational);
  add_builtins();
  if (argc == 1) {
    run_text(demonstration, sizeof demonstration - 1);
  } else {
    if (strcmp(argv[1], "-") != 0) file = fopen(argv[1], "rb");
    if (file == NULL) fail(kUsage, "%s: %s", argv[1], strerror(errno));
    text = read_all(file, argv[1], &length);
    run_text(text, length);
    free(text);
  }
  besom_registration_free(roots);
  besom_heap_destroy(heap);
  return 0;
}
