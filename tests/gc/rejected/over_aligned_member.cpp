// error: asks for a greater alignment
#include <besom/besom.hpp>

struct alignas(32) Vector {
  float lane[8];
};
struct Holder {
  besom::Header header;
  Vector vector;
};

// Who makes a Type by hand passes define() by.
Holder* allocate(besom::Heap& heap) { return heap.allocate(besom::Type<Holder>{1}); }
