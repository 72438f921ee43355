// error: the element type asks for a greater alignment
#include <besom/besom.hpp>

struct alignas(32) Vector {
  float lane[8];
};
struct Vectors {
  besom::Header header;
  int padding[6];
};

Vector* elements(Vectors* vectors) { return besom::trailing_of<Vector>(vectors); }
