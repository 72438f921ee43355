// error: it has virtual functions
#include <besom/besom.hpp>

struct Shape {
  besom::Header header;
  virtual int corners() const = 0;
  static besom::TypeDescriptor type() { return {.name = "Shape", .size = sizeof(Shape)}; }

 protected:
  ~Shape() = default;
};

bool define(besom::Heap& heap) { return static_cast<bool>(heap.define<Shape>()); }
