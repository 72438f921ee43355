// error: no destructor runs
#include <besom/besom.hpp>
#include <string>

struct Text {
  besom::Header header;
  std::string text;
  static besom::TypeDescriptor type() { return {.name = "Text", .size = sizeof(Text)}; }
};

bool define(besom::Heap& heap) { return static_cast<bool>(heap.define<Text>()); }
