#pragma once

#include <cstddef>
#include <cstdint>

#include "besom/detail/zeroed_array.hpp"
#include "heap/type_table.hpp"

namespace besom::detail {

class JsonOutput;

/// The strings of a snapshot and their numbers: words of its own, the names of types and fields,
/// labels of roots. What objects are called by themselves comes after these.
class SnapshotStrings {
 public:
  enum Word : std::uint32_t {
    kUnused,  ///< Viewers expect that nothing is called by number 0.
    kRootName,
    kDamaged,
    kCallback,
    kElement,
    kKey,
    kValue,
    kGroupName,  ///< Of the first group of roots; the others follow.
  };

  /// The groups of roots.
  static constexpr std::uint32_t kGroups = 6;
  static constexpr const char* kGroupNames[kGroups] = {
      "(handles)",        "(locals)",       "(root ranges)",
      "(root callbacks)", "(weak handles)", "(finalizers)",
  };

  explicit SnapshotStrings(const TypeTable& types) noexcept : types_(types) {}
  /// False when the host has no memory.
  [[nodiscard]] bool create() noexcept;

  /// The name of a type; those of its fields follow. Precondition: the type exists.
  [[nodiscard]] std::uint32_t of_type(TypeId type) const noexcept { return of_types_[type - 1]; }
  /// The string of a label, which is static text or nullptr; 0 when the host has no memory.
  [[nodiscard]] std::uint32_t of_label(const char* label) noexcept;
  /// How many there are.
  [[nodiscard]] std::uint32_t count() const noexcept { return first_label_ + label_count_; }

  /// All of them, with commas between.
  void write(JsonOutput& output) const noexcept;

 private:
  static constexpr std::size_t kRecent = 64;

  const TypeTable& types_;
  ZeroedArray<std::uint32_t> of_types_;
  ZeroedArray<const char*> labels_;
  std::uint32_t first_label_ = 0;
  std::uint32_t label_count_ = 0;
  /// Labels met lately, by address: without it each handle would have a string of its own.
  struct Recent {
    const char* label;
    std::uint32_t string;
  };
  Recent recent_[kRecent] = {};
};

}  // namespace besom::detail
