#pragma once

/// What the tests of besom.h share. They are C99 and know nothing of C++.

#include <besom/besom.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/// Counts the failures of the whole program.
extern int failures;

#define CHECK(condition)                                              \
  do {                                                                \
    if (!(condition)) {                                               \
      ++failures;                                                     \
      fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
    }                                                                 \
  } while (0)

/// A node in raw pointers and one in refs.
typedef struct Pair {
  besom_header header;
  struct Pair* first;
  struct Pair* second;
} Pair;
typedef struct Node {
  besom_header header;
  besom_ref left, right;
  uint64_t number;
} Node;

typedef struct Kit {
  besom_heap* heap;
  besom_type pair, node, bytes;
} Kit;

/// A heap of up to 16 MiB with those types; the environment may add zeal.
Kit make_kit(void);
/// One that collects when it is asked to, and else when it is full, whatever the environment says.
Kit make_exact_kit(void);
Kit make_kit_with(const besom_options* options);
void drop_kit(Kit* kit);
Pair* new_pair(const Kit* kit);
Node* new_node(const Kit* kit);
/// Live objects after a collection.
uint64_t survivors(const Kit* kit);
/// Whether `body(user)` aborts, in a child process, and says `text`.
bool aborts(void (*body)(void* user), void* user, const char* text);
/// Calls `body(user)` on another thread and waits.
void on_another_thread(void (*body)(void* user), void* user);

void test_heaps(void);
void test_objects(void);
void test_roots(void);
void test_weak_things(void);
void test_inspection(void);
void test_misuse(void);
void test_null_arguments(void);
