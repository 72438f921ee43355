// error: no destructor runs
#include <besom/besom.hpp>

struct Buffer {
  besom::Header header;
  ~Buffer() {}
};

Buffer* allocate(besom::Heap& heap) { return heap.allocate(besom::Type<Buffer>{1}, 10); }
