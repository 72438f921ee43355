// error: its header is not its first member
#include <besom/besom.hpp>

struct Late {
  void* first;
  besom::Header header;
  static besom::TypeDescriptor type() { return {.name = "Late", .size = sizeof(Late)}; }
};

bool define(besom::Heap& heap) { return static_cast<bool>(heap.define<Late>()); }
