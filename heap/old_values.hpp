#pragma once

#include <cstddef>
#include <cstdint>

namespace besom::detail {

/// Takes the refs that stores into an arena overwrite, while an incremental cycle is on there. The
/// barrier of include/besom/barrier.hpp comes here, and nothing else does.
class OldValues {
 public:
  /// The ref or value in a slot that will be overwritten.
  virtual void take_slot(char* slot) noexcept = 0;
  /// A ref or value that was read.
  virtual void take(std::uint32_t bits) noexcept = 0;
  /// All that slots in [first, first + bytes) refer to, which lie in one object.
  virtual void take_slots(const char* first, std::size_t bytes) noexcept = 0;
  /// All that the object at `index` refers to.
  virtual void take_object(std::uint32_t index) noexcept = 0;
  /// The ref or value in a weak slot is about to be read. If it is known to be dead the slot is
  /// null from now on; if not, and the read `keeps` it, it lives on.
  virtual void prepare_read(char* slot, bool keeps) noexcept = 0;
  /// The same for the ref in a weak handle.
  virtual void prepare_handle(std::uint32_t& ref, bool keeps) noexcept = 0;

 protected:
  ~OldValues() = default;
};

/// Stores into the arena at `base` hand what they overwrite to `taker` from now on; nullptr: to
/// nobody. The arena's Cards have to be told as well.
void set_old_values(const char* base, OldValues* taker) noexcept;

}  // namespace besom::detail
