#pragma once

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <utility>

#include "besom/besom.h"
#include "besom/detail/check.hpp"
#include "besom/detail/host_pool.hpp"

namespace besom::detail {

// The pointers of besom.h to what a heap owns are no addresses but tokens, so that they can be used
// after their heap has gone: the heap frees what they name, and says that they are stale. A token
// has the number of its heap's arena, by 4 GiB, in 16 bits, then 22 bits of a serial that tells the
// heaps apart that lie there one after another, then the number of what it names.
inline constexpr unsigned kTokenNumberBits = 26;
inline constexpr std::uint64_t kMostTokens = std::uint64_t{1} << kTokenNumberBits;

/// The heap whose arena lies at a place. A token is used on any thread, also where another thread
/// makes a heap at the place of one that has gone: then its serial is seen with it.
struct Place {
  std::atomic<std::uint64_t> heap_bits = 0;  ///< Of the last heap that lay there.
  std::atomic<besom_heap*> heap = nullptr;
};
/// By the arena's number.
extern Place places[1 << 16];
inline constexpr unsigned kArenaShift = 48;  ///< Of that number, in a token.

/// The heap's bits of all its tokens. To be called once its arena is there.
[[nodiscard]] std::uint64_t enter_heap(besom_heap* heap, const void* arena) noexcept;
/// All tokens of the heap are stale from now on. To be called before its arena goes.
void leave_heap(std::uint64_t heap_bits) noexcept;
/// nullptr for the token of a heap that has gone, and for nullptr. O(1), without a lock.
[[nodiscard]] inline besom_heap* heap_of_token(const void* token) noexcept {
  const auto bits = reinterpret_cast<std::uintptr_t>(token);
  const Place& place = places[bits >> kArenaShift];
  besom_heap* const heap = place.heap.load(std::memory_order_acquire);
  const std::uint64_t heap_bits = place.heap_bits.load(std::memory_order_relaxed);
  return heap_bits == bits - bits % kMostTokens ? heap : nullptr;
}

/// Objects that a program in C knows by tokens of type `Name`. They go with it.
template <class Name, class T>
class Tokens {
 public:
  Tokens() = default;
  Tokens(const Tokens&) = delete;
  Tokens& operator=(const Tokens&) = delete;
  ~Tokens() { std::free(entries_); }

  /// nullptr when the host has no memory, or kMostTokens are there. O(1), amortised.
  template <class... Arguments>
  [[nodiscard]] T* make(Arguments&&... arguments) noexcept {
    if (first_free_ == kNone && !grow()) return nullptr;
    T* const made = pool_.make(std::forward<Arguments>(arguments)...);
    if (made == nullptr) return nullptr;
    ++object_count_;
    made->number = first_free_;
    Entry& entry = entries_[first_free_];
    first_free_ = entry.next_free;
    entry.object = made;
    return made;
  }
  /// The last one's memory goes back to the host, too. O(1).
  void drop(T* object) noexcept {
    const std::uint32_t number = object->number;
    HostPool<T>::drop(object);
    entries_[number] = {.object = nullptr, .next_free = std::exchange(first_free_, number)};
    if (--object_count_ != 0) return;
    std::free(std::exchange(entries_, nullptr));
    count_ = 0;
    first_free_ = kNone;
  }
  /// nullptr for one that was dropped. The token has to be this heap's. O(1).
  [[nodiscard]] T* find(const Name* token) const noexcept {
    const auto number = reinterpret_cast<std::uintptr_t>(token) % kMostTokens;
    return number < count_ ? entries_[number].object : nullptr;
  }
  [[nodiscard]] static Name* token_of(std::uint64_t heap_bits, const T* object) noexcept {
    return reinterpret_cast<Name*>(heap_bits | object->number);
  }

 private:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  struct Entry {
    T* object;  ///< nullptr: the number is free.
    std::uint32_t next_free;
  };
  [[nodiscard]] bool grow() noexcept {
    const std::uint32_t count = count_ == 0 ? 8 : 2 * count_;
    if (count > kMostTokens) return false;
    void* const grown = std::realloc(entries_, count * sizeof(Entry));
    if (grown == nullptr) return false;
    entries_ = static_cast<Entry*>(grown);
    for (std::uint32_t number = count; number-- != count_;) {
      entries_[number] = {.object = nullptr, .next_free = std::exchange(first_free_, number)};
    }
    count_ = count;
    return true;
  }

  HostPool<T> pool_;
  Entry* entries_ = nullptr;
  std::uint32_t count_ = 0;  ///< Of entries.
  std::uint32_t object_count_ = 0;
  std::uint32_t first_free_ = kNone;
};

}  // namespace besom::detail
