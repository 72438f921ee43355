/* A program as a C user would write it: exits 0 when what it linked works and is of the version
 * that its headers say. */
#include <besom/besom.h>
#include <stdio.h>
#include <string.h>

typedef struct Pair {
  besom_header header;
  void* first;
  void* second;
} Pair;

static uint64_t live_after_collection(besom_heap* heap) {
  besom_collection last;
  if (besom_collect(heap) != BESOM_OK) return 1000;
  besom_last_collection(heap, &last);
  return last.live_objects;
}

int main(void) {
  static const besom_field fields[] = {{"first", offsetof(Pair, first), BESOM_SLOT_POINTER},
                                       {"second", offsetof(Pair, second), BESOM_SLOT_POINTER}};
  besom_descriptor descriptor = {0};
  besom_error error;
  besom_heap* heap;
  besom_type type;
  besom_handle* root;
  Pair* pair;
  if (besom_heap_create(NULL, &heap, &error) != BESOM_OK) return 1;
  descriptor.name = "Pair";
  descriptor.size = sizeof(Pair);
  descriptor.fields = fields;
  descriptor.field_count = 2;
  if (besom_define(heap, &descriptor, &type) != BESOM_OK) return 1;
  root = besom_handle_new(heap, besom_allocate(heap, type, 0), "root");
  if (root == NULL) return 1;
  pair = besom_handle_get(root);
  besom_store_pointer(&pair->first, besom_allocate(heap, type, 0));
  if (live_after_collection(heap) != 2) return 1;
  besom_handle_free(root);
  if (live_after_collection(heap) != 0) return 1;
  besom_heap_destroy(heap);
  printf("besom %s in C\n", besom_version());
  return strcmp(besom_version(), BESOM_VERSION) != 0;
}
