#pragma once

/// What the generated cases and the program that runs them have in common.

#include "tests/gc/c_api/kit.h"

/// Something right for every parameter.
typedef struct Fixture {
  besom_heap* heap;
  besom_heap* other;
  besom_type pair, type, box_type, ephemeron_type, table_type, entries_type;
  void* object;
  void* table;
  void* box;
  void* ephemeron;
  void* pointer;
  besom_handle* handle;
  besom_weak* weak;
  besom_guardian* guardian;
  besom_fiber* fiber;
  besom_registration* registration;
  besom_tracer* tracer;          ///< In a root callback.
  const besom_mark_view* marks;  ///< In a mark hook.
  besom_options options;
  besom_error error;
  besom_descriptor descriptor;
  besom_field fields[2];
  besom_box_format format;
  besom_contract contract;
  besom_local local;
  besom_mark mark;
  besom_entry entry;
  besom_labeller labeller;
  besom_stop_stats stops;
  besom_utilisation utilisation;
  besom_snapshot snapshot;
  besom_collection collection;
  besom_stats stats;
  uint32_t slots[4];
  uint64_t count;
  char text[200];
} Fixture;

typedef enum Where { ANYWHERE, IN_ROOT_CALLBACK, IN_MARK_HOOK } Where;

/// A call with NULL for one argument; false where the answer is wrong.
typedef struct Case {
  const char* function;
  const char* argument;
  bool (*run)(Fixture* f);
  Where where;
} Case;

extern const Case cases[];
extern const size_t case_count;
