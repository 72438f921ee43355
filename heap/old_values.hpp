#pragma once

#include <cstddef>
#include <cstdint>

namespace besom::detail {

/// Takes the refs that stores into an arena overwrite, while an incremental cycle marks there. The
/// barrier of include/besom/barrier.hpp comes here, and nothing else does.
class OldValues {
 public:
  /// A ref or value.
  virtual void take(std::uint32_t bits) noexcept = 0;
  /// All that slots in [first, first + bytes) refer to, which lie in one object.
  virtual void take_slots(const char* first, std::size_t bytes) noexcept = 0;
  /// All that the object at `index` refers to.
  virtual void take_object(std::uint32_t index) noexcept = 0;

 protected:
  ~OldValues() = default;
};

/// Stores into the arena at `base` hand what they overwrite to `taker` from now on; nullptr: to
/// nobody. The arena's Cards have to be told as well.
void set_old_values(const char* base, OldValues* taker) noexcept;

}  // namespace besom::detail
