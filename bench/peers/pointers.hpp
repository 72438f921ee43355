#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

/// What the peers with plain pointers and no object headers have in common.
namespace bench {

inline constexpr std::size_t kHeaderBytes = 0;

struct Header {};
template <class T>
using Field = T*;
template <class T>
struct Type {};
struct Blob {
  unsigned char first;
};

template <class T>
[[nodiscard]] T* get(T* field) noexcept {
  return field;
}
[[nodiscard]] inline unsigned char* bytes_of(Blob* blob) noexcept { return &blob->first; }

template <class T>
[[nodiscard]] T* checked(T* object) {
  if (object == nullptr) [[unlikely]] {
    std::fputs("out of memory\n", stderr);
    std::exit(71);
  }
  return object;
}

/// A pointer on the stack is all the root that these peers need.
template <class T>
class Root {
 public:
  template <class Heap>
  Root(Heap&, T* object) noexcept : object_(object) {}
  [[nodiscard]] T* get() const noexcept { return object_; }

 private:
  T* object_;
};

class Scope {
 public:
  template <class Heap>
  explicit Scope(Heap&) noexcept {}
  template <class T>
  [[nodiscard]] Root<T> root(T* object) noexcept {
    return Root<T>(*this, object);
  }
};

}  // namespace bench
