#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

/// A table of blobs that the heap may refuse; to be included after the peer. A refused blob counts
/// as held all the same, so that every peer goes on with the same work and comes to the same check.
namespace bench {

class Blobs {
 public:
  /// Slots 0 to `length` - 1, all of them empty.
  Blobs(Heap& heap, std::uint32_t length) : heap_(heap), table_(heap, length), labels_(length) {}

  /// A new blob of `bytes` bytes, 16 or more, header included, in place of what slot `i` holds.
  void put(std::uint32_t i, std::uint32_t number, std::uint32_t bytes) {
    const Label label{number, bytes};
    Blob* blob = heap_.try_allocate_blob(bytes);
    if (blob == nullptr) {
      ++refused_;
      least_refused_ = std::min(least_refused_, bytes);
    } else {
      std::memcpy(bytes_of(blob), &label, sizeof label);
    }
    release(i);
    table_.set(i, blob);
    labels_[i] = label;
  }
  /// Empties slot `to` and moves there what slot `from` holds, if they are two.
  void move(std::uint32_t from, std::uint32_t to) {
    release(to);
    if (from != to) table_.set(to, table_.get(from));
    labels_[to] = labels_[from];
    table_.set(from, nullptr);
  }

  [[nodiscard]] std::uint32_t bytes_at(std::uint32_t i) const { return labels_[i].bytes; }
  /// As the blob itself says where there is one.
  [[nodiscard]] std::uint32_t number_at(std::uint32_t i) const {
    Label label = labels_[i];
    if (Blob* blob = table_.get(i)) std::memcpy(&label, bytes_of(blob), sizeof label);
    return label.number;
  }
  [[nodiscard]] std::uint64_t refused() const noexcept { return refused_; }
  /// Bytes of the smallest request that was refused; ~0 where none was.
  [[nodiscard]] std::uint32_t least_refused() const noexcept { return least_refused_; }

 private:
  struct Label {
    std::uint32_t number;
    std::uint32_t bytes;
  };

  void release(std::uint32_t i) {
    if (Blob* blob = table_.get(i)) heap_.release(blob);
  }

  Heap& heap_;
  Table<Blob> table_;
  std::vector<Label> labels_;
  std::uint64_t refused_ = 0;
  std::uint32_t least_refused_ = ~std::uint32_t{0};
};

}  // namespace bench
