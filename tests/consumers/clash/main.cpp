// Includes headers of its own tree, of names that Besom has inside.
#include <besom/besom.h>

#include <besom/besom.hpp>

#include "freelist/run.hpp"
#include "gc/handle.hpp"
#include "heap/type.hpp"

int main() {
  const MyHandle handle{MyRun{3}.first};
  const auto heap = besom::Heap::create();
  return heap && static_cast<int>(MyType::string) < handle.number ? 0 : 1;
}
