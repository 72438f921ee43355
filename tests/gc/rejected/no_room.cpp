// error: it has no room for its header
#include <besom/besom.hpp>

struct Small {
  int number;
};

Small* allocate(besom::Heap& heap) { return heap.allocate(besom::Type<Small>{1}); }
