#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <iterator>
#include <utility>

#include "besom/detail/check.hpp"
#include "besom/detail/table_memory.hpp"

// Boost.Container has inline functions that report errors: compiled in here they end the process,
// in a program with exceptions they throw. Of two of one name the linker would keep either, so ours
// are renamed. The name of the header that Boost reads by a macro has to be kept from that.
#define BOOST_USER_CONFIG "boost/config/user.hpp"
#define boost besom_boost
#include <boost/container/vector.hpp>
#undef boost
#undef BOOST_USER_CONFIG

namespace besom::detail {

/// Hands out the one block that was taken for it before: a container can then ask for memory, but
/// cannot be refused any. Large blocks are mapped, where there is a TableMemory: malloc would keep
/// for itself what it has once taken for one.
template <class T>
class PreparedAllocator {
 public:
  using value_type = T;

  /// `memory` may be nullptr, and outlives all that is allocated.
  explicit PreparedAllocator(const TableMemory* memory) noexcept : memory_(memory) {}
  template <class U>
  PreparedAllocator(const PreparedAllocator<U>& other) noexcept : memory_(other.memory()) {}

  /// False when there is no memory.
  [[nodiscard]] bool prepare(std::size_t count) noexcept {
    if (count > static_cast<std::size_t>(-1) / sizeof(T)) return false;
    count_ = count;
    block_ = is_mapped(count)
                 ? memory_->calls->map(memory_->context, count * sizeof(T), memory_->name)
                 : std::malloc(count * sizeof(T));
    return block_ != nullptr;
  }
  [[nodiscard]] T* allocate(std::size_t count) noexcept {
    BESOM_CHECK(block_ != nullptr && count == count_, "host memory not prepared: elements, room",
                count, count_);
    return static_cast<T*>(std::exchange(block_, nullptr));
  }
  void deallocate(T* block, std::size_t count) noexcept {
    if (is_mapped(count)) {
      memory_->calls->unmap(memory_->context, block, count * sizeof(T));
    } else {
      std::free(block);
    }
  }
  [[nodiscard]] const TableMemory* memory() const noexcept { return memory_; }

  friend bool operator==(const PreparedAllocator& a, const PreparedAllocator& b) noexcept {
    return a.memory_ == b.memory_;  // then each frees what the other took
  }
  friend bool operator!=(const PreparedAllocator& a, const PreparedAllocator& b) noexcept {
    return !(a == b);
  }

 private:
  [[nodiscard]] bool is_mapped(std::size_t count) const noexcept {
    return memory_ != nullptr && memory_->maps(count * sizeof(T));
  }

  const TableMemory* memory_ = nullptr;
  void* block_ = nullptr;
  std::size_t count_ = 0;
};

/// A Boost.Container vector that reports a refused allocation and then is as it was. Elements are
/// added to `rows()`, where there has to be room for them.
template <class T>
class HostVector {
 public:
  using Rows = besom_boost::container::vector<T, PreparedAllocator<T>>;

  /// Of malloc's memory alone where `memory` is nullptr; else it outlives the elements.
  explicit HostVector(const TableMemory* memory = nullptr) noexcept
      : rows_(PreparedAllocator<T>(memory)) {}

  [[nodiscard]] Rows& rows() noexcept { return rows_; }
  [[nodiscard]] const Rows& rows() const noexcept { return rows_; }

  /// Room for `count` elements in all, with as much again in reserve. False when the host has no
  /// memory. Amortised O(1) for each element more.
  [[nodiscard]] bool make_room(std::size_t count) noexcept {
    return count <= rows_.capacity() || move_to(std::max(count, rows_.capacity() * 2 + kLeast));
  }
  /// Frees what is not needed where only a small part of it is needed for `count` elements, or for
  /// those that there are; what the host refuses meanwhile does no harm.
  void give_back(std::size_t count) noexcept {
    count = std::max(count, rows_.size());
    if (count == 0) {
      free_if_empty();
    } else if (rows_.capacity() > 16 && count < rows_.capacity() / 4) {
      static_cast<void>(move_to(count * 2));
    }
  }
  /// Asks for no memory.
  void free_if_empty() noexcept {
    if (rows_.empty()) Rows(PreparedAllocator<T>(memory())).swap(rows_);
  }

 private:
  static constexpr std::size_t kLeast = 2;

  [[nodiscard]] bool move_to(std::size_t capacity) noexcept {
    Rows moved((PreparedAllocator<T>(memory())));
    if (!moved.get_stored_allocator().prepare(capacity)) return false;
    moved.reserve(capacity);
    moved.assign(std::make_move_iterator(rows_.begin()), std::make_move_iterator(rows_.end()));
    rows_.swap(moved);
    return true;
  }

  [[nodiscard]] const TableMemory* memory() const noexcept {
    return rows_.get_stored_allocator().memory();
  }

  Rows rows_;
};

}  // namespace besom::detail
