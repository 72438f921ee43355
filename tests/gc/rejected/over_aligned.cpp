// error: asks for a greater alignment
#include <besom/besom.hpp>

struct alignas(64) Matrix {
  besom::Header header;
  float cell[14];
  static besom::TypeDescriptor type() { return {.name = "Matrix", .size = sizeof(Matrix)}; }
};

bool define(besom::Heap& heap) { return static_cast<bool>(heap.define<Matrix>()); }
