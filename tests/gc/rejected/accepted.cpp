// accepted: what hosts have, and heaps can hold
#include <besom/besom.hpp>
#include <cstddef>

struct Object {  // types with a common base
  besom::Header header;
};
struct Pair : Object {
  besom::ValueMember first, rest;
  static besom::TypeDescriptor type() { return {.name = "Pair", .size = sizeof(Pair)}; }
};
struct alignas(16) Quad {
  besom::Header header;
  int count = 0;
  Quad* next = nullptr;
  besom::Ref<Quad> ref;
  besom::Value value;
  static besom::TypeDescriptor type() { return {.name = "Quad", .size = sizeof(Quad)}; }
};
class Private {
 public:
  Private() = delete;
  explicit Private(int);
  static besom::TypeDescriptor type() { return {.name = "Private", .size = sizeof(Private)}; }

 private:
  besom::Header header_;
  int number_;
};
struct OwnHeader {  // the embedder's own layout
  unsigned type_id, length;
  static besom::TypeDescriptor type() { return {.name = "OwnHeader", .size = sizeof(OwnHeader)}; }
};
struct File {
  static constexpr bool kReleased = true;
  besom::Header header;
  ~File();
  static besom::TypeDescriptor type() { return {.name = "File", .size = sizeof(File)}; }
};

bool define(besom::Heap& heap) {
  return heap.define<Pair>() && heap.define<Quad>() && heap.define<Private>() &&
         heap.define<OwnHeader>() && heap.define<File>() &&
         heap.allocate(besom::Type<File>{1}) != nullptr &&
         heap.allocate(besom::Type<Pair>{1}, 3) != nullptr;
}
