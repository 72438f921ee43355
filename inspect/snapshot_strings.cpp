#include "inspect/snapshot_strings.hpp"

#include <iterator>

#include "inspect/json_output.hpp"

namespace besom::detail {
namespace {

constexpr const char* kWords[] = {
    "<dummy>", "", kDamagedHeader, "callback", "element", "key", "value",
};
static_assert(std::size(kWords) == SnapshotStrings::kGroupName);

}  // namespace

bool SnapshotStrings::create() noexcept {
  if (!of_types_.grow(types_.count() + std::size_t{1})) return false;
  first_label_ = kGroupName + SnapshotStrings::kGroups;
  for (TypeId type = 1; type <= types_.count(); ++type) {
    of_types_[type - 1] = first_label_;
    first_label_ += 1 + static_cast<std::uint32_t>(types_[type].descriptor->fields.size());
  }
  return true;
}

std::uint32_t SnapshotStrings::of_label(const char* label) noexcept {
  if (label == nullptr) label = "";
  Recent& recent = recent_[(reinterpret_cast<std::uintptr_t>(label) * 0x9e3779b97f4a7c15) >> 58];
  if (recent.label == label) return recent.string;
  if (label_count_ == labels_.size() && !labels_.grow(labels_.size() * 2 + 64)) return 0;
  labels_[label_count_] = label;
  recent = {label, first_label_ + label_count_++};
  return recent.string;
}

void SnapshotStrings::write(JsonOutput& output) const noexcept {
  const char* separator = "";
  const auto add = [&](std::string_view text) {
    output.text(separator);
    output.string(text);
    separator = ",\n";
  };
  for (const char* word : kWords) add(word);
  for (const char* group : SnapshotStrings::kGroupNames) add(group);
  for (TypeId type = 1; type <= types_.count(); ++type) {
    add(types_[type].descriptor->name);
    for (const FieldDescriptor& field : types_[type].descriptor->fields) add(field.name);
  }
  for (std::uint32_t i = 0; i < label_count_; ++i) add(labels_[i]);
}

}  // namespace besom::detail
