// A program as a user would write it: exits 0 when what it linked works and is of the version that
// its headers say.
#include <besom.hpp>
#include <cstdio>
#include <stdexcept>

int main() {
  besom::FreeList list(std::uint64_t{1} << 20);
  const std::uint32_t index = list.alloc_fast(48);
  if (!list.is_block(index)) return 1;
  list.dealloc_fast(index, 48);
  for (const besom::Run hole : list.free_blocks()) {
    std::printf("besom %s: %u bytes free at 0x%x\n", BESOM_VERSION, hole.size_bytes, hole.index);
  }
  try {  // Users may throw, though the library does not.
    throw std::runtime_error("caught");
  } catch (const std::exception&) {
  }
  return list.num_free_blocks() == 1 ? 0 : 1;
}
