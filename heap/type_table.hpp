#pragma once

#include <cstdint>

#include "besom/detail/check.hpp"
#include "besom/detail/zeroed_array.hpp"
#include "besom/type.hpp"
#include "heap/boxes.hpp"

namespace besom::detail {

/// Why a format contradicts itself, or ok.
[[nodiscard]] Error check_box(const BoxFormat& box) noexcept;

/// Neighbouring slots of one kind.
struct SlotRun {
  std::uint32_t offset;  ///< Bytes from the start of the object.
  std::uint32_t count;
  SlotKind kind;
};

/// A descriptor made ready for tracing. Plain data, so that the table can grow by copying.
struct TypeInfo {
  std::uint32_t fixed_bytes;
  std::uint8_t element_bytes;
  Trailing trailing;
  bool has_tail;     ///< Tracing is not done with the runs: there are trailing or weak slots.
  bool is_weak;      ///< It has weak slots, fixed or trailing, or is a table.
  bool is_leaf;      ///< It has no refs.
  bool is_released;  ///< The descriptor has a release hook.
  bool is_table;     ///< Looked at again after marking, as if it had weak slots.
  std::uint32_t run_count;
  std::uint32_t weak_run_count;
  std::uint32_t fixed_slots;  ///< In all runs.
  /// Of a *plain* type, whose slots are fixed and not weak, a bit for each granule of an
  /// object, which has `plain_granules`, at most 63. All others have no bits and more granules than
  /// a heap.
  std::uint64_t plain_mask;
  std::uint32_t plain_granules;
  std::uint32_t plain_work;  ///< What visiting one counts for.
  /// Of a plain type whose slots are one run of refs, an even number of them; 0 for all others.
  std::uint32_t ref_pairs;
  std::uint32_t refs_offset;
  const SlotRun* runs;  ///< Those that keep their targets, then the weak ones. Of the table.
  TraceCallback trace;
  BoxDecoder box;                    ///< Of the slots that are boxes.
  const TypeDescriptor* descriptor;  ///< Owned by the table.

  /// In 64 bits, where no length can wrap.
  [[nodiscard]] std::uint64_t size_bytes(std::uint32_t length) const noexcept {
    return fixed_bytes + std::uint64_t{element_bytes} * length;
  }
};

/// The types of one heap. Ids count from 1 in the order of definition.
class TypeTable {
 public:
  TypeTable() = default;
  TypeTable(const TypeTable&) = delete;
  TypeTable& operator=(const TypeTable&) = delete;
  ~TypeTable();

  /// Why a descriptor contradicts itself, or ok. That two fields overlap define() alone finds.
  [[nodiscard]] static Error check(const TypeDescriptor& type) noexcept;
  /// Takes the descriptor over, since copying one could throw. Fails with bad_type or
  /// out_of_host_memory.
  [[nodiscard]] Result<TypeId> define(TypeDescriptor&& descriptor);

  [[nodiscard]] bool contains(TypeId id) const noexcept { return id - 1 < count_; }
  /// That `id`, which the caller gave, is no type.
  [[nodiscard]] Error unknown(TypeId id) const noexcept {
    return {.code = Errc::bad_type, .bytes = id, .limit = count_, .detail = "no type of this heap"};
  }
  /// Precondition: contains(id).
  [[nodiscard]] const TypeInfo& operator[](TypeId id) const noexcept {
    BESOM_ASSERT(contains(id));
    return types_[id - 1];
  }
  [[nodiscard]] std::uint32_t count() const noexcept { return count_; }
  /// The infos by id - 1. Valid until the next definition.
  [[nodiscard]] const TypeInfo* data() const noexcept { return types_.data(); }
  /// Whether any type has slots of eight bytes.
  [[nodiscard]] bool has_wide_slots() const noexcept { return has_wide_slots_; }

 private:
  ZeroedArray<TypeInfo> types_;
  bool has_wide_slots_ = false;
  std::uint32_t count_ = 0;
};

/// The type of an object whose extent the side tables give as `extent_bytes`, or nullptr when its
/// header, which anybody may have overwritten, names no type or claims more than the extent.
[[nodiscard]] inline const TypeInfo* checked_type(const TypeTable& types, const Header& header,
                                                  std::uint64_t extent_bytes) noexcept {
  if (!types.contains(header.type)) return nullptr;
  const TypeInfo& type = types[header.type];
  return type.size_bytes(header.length) <= extent_bytes ? &type : nullptr;
}

}  // namespace besom::detail
