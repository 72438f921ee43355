// error: its header is not its first member
#include <besom/besom.hpp>

struct Named {
  const char* name;
};
struct Derived : Named {
  besom::Header header;
};

besom::Handle<Derived> make(besom::Heap& heap) { return heap.make(besom::Type<Derived>{1}); }
