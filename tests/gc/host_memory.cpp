#include "tests/gc/host_memory.hpp"

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

std::uint64_t allocation_count = 0;
std::int64_t outstanding_count = 0;
std::uint64_t countdown = 0;  // 0: nothing fails
bool is_persistent = false;
std::uint64_t injected_count = 0;
std::uint64_t injected_total = 0;

/// Counts an allocation; true when it has to fail.
bool strikes() noexcept {
  ++allocation_count;
  if (countdown == 0) return false;
  if (countdown > 1) {
    --countdown;
    return false;
  }
  if (!is_persistent) countdown = 0;
  ++injected_count;
  ++injected_total;
  errno = ENOMEM;
  return true;
}

void* counted(void* block) noexcept {
  if (block != nullptr) ++outstanding_count;
  return block;
}

}  // namespace

// The linker sends the calls of the whole executable here.
extern "C" {
void* __real_malloc(std::size_t bytes);
void* __real_calloc(std::size_t count, std::size_t bytes);
void* __real_realloc(void* block, std::size_t bytes);
void __real_free(void* block);
void* __wrap_malloc(std::size_t bytes);
void* __wrap_calloc(std::size_t count, std::size_t bytes);
void* __wrap_realloc(void* block, std::size_t bytes);
void __wrap_free(void* block);

void* __wrap_malloc(std::size_t bytes) {
  return strikes() ? nullptr : counted(__real_malloc(bytes));
}
void* __wrap_calloc(std::size_t count, std::size_t bytes) {
  return strikes() ? nullptr : counted(__real_calloc(count, bytes));
}
void* __wrap_realloc(void* block, std::size_t bytes) {
  if (strikes()) return nullptr;
  void* grown = __real_realloc(block, bytes);
  return block == nullptr ? counted(grown) : grown;
}
void __wrap_free(void* block) {
  if (block != nullptr) --outstanding_count;
  __real_free(block);
}
}

void* operator new(std::size_t bytes) {
  if (void* block = __wrap_malloc(bytes)) return block;
  throw std::bad_alloc();
}
void* operator new[](std::size_t bytes) { return operator new(bytes); }
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  return __wrap_malloc(bytes);
}
void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept {
  return __wrap_malloc(bytes);
}
void operator delete(void* block) noexcept { __wrap_free(block); }
void operator delete[](void* block) noexcept { __wrap_free(block); }
void operator delete(void* block, std::size_t) noexcept { __wrap_free(block); }
void operator delete[](void* block, std::size_t) noexcept { __wrap_free(block); }
void operator delete(void* block, const std::nothrow_t&) noexcept { __wrap_free(block); }
void operator delete[](void* block, const std::nothrow_t&) noexcept { __wrap_free(block); }

namespace besom::test {

void HostMemory::fail(std::uint64_t k, bool persistent) noexcept {
  countdown = k;
  is_persistent = persistent;
  injected_count = 0;
}
void HostMemory::lift() noexcept { countdown = 0; }
std::uint64_t HostMemory::allocations() noexcept { return allocation_count; }
std::int64_t HostMemory::outstanding() noexcept { return outstanding_count; }
std::uint64_t HostMemory::injected() noexcept { return injected_count; }
std::uint64_t HostMemory::injected_in_all() noexcept { return injected_total; }

}  // namespace besom::test
