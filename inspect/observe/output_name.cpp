#include "inspect/observe/output_name.hpp"

#include <cinttypes>
#include <cstring>
#include <mutex>
#include <string_view>

#include "heap/text_output.hpp"

namespace besom::detail {
namespace {

/// Heaps may be made on several threads at once, and share nothing else but this.
std::mutex names_mutex;
OutputName* first_name = nullptr;

}  // namespace

void OutputName::take(const FileName& wanted) noexcept {
  const std::scoped_lock lock(names_mutex);
  const auto is_taken = [this] {
    const OutputName* other = first_name;
    while (other != nullptr && std::strcmp(other->text_, text_) != 0) other = other->next_;
    return other != nullptr;
  };
  for (std::uint32_t i = 1; i == 1 || is_taken(); ++i) number(wanted.c_str(), i);
  next_ = first_name;
  first_name = this;
}

/// Before an extension, by which viewers know their files.
void OutputName::number(const char* wanted, std::uint32_t number) noexcept {
  const std::string_view name = wanted;
  const std::size_t slash = name.rfind('/');
  const std::size_t first = slash == std::string_view::npos ? 0 : slash + 1;
  std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos || dot <= first) dot = name.size();
  TextOutput text(text_, sizeof text_);
  text.add(name.substr(0, dot));
  if (number > 1) text.print(".%" PRIu32, number);
  text.add(name.substr(dot));
}

void OutputName::give_up() noexcept {
  if (empty()) return;
  const std::scoped_lock lock(names_mutex);
  for (OutputName** at = &first_name; *at != nullptr; at = &(*at)->next_) {
    if (*at != this) continue;
    *at = next_;
    return;
  }
}

}  // namespace besom::detail
