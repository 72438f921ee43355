// error: no multiple of their alignment
#include <besom/besom.hpp>

struct Doubles {
  besom::Header header;
  int count;
};

double* elements(Doubles* doubles) { return besom::trailing_of<double>(doubles); }
