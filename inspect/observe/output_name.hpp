#pragma once

#include <cstdint>

#include "besom/options.hpp"

namespace besom::detail {

/// The name of a file that a heap writes, and no other living heap of the process: of those that
/// ask for NAME.json the second has NAME.2.json, the third NAME.3.json. Thread-safe.
class OutputName {
 public:
  OutputName() noexcept = default;
  OutputName(const OutputName&) = delete;
  OutputName& operator=(const OutputName&) = delete;
  ~OutputName() { give_up(); }

  /// Takes the first that is free. Once.
  void take(const FileName& wanted) noexcept;
  /// Whether none was taken.
  [[nodiscard]] bool empty() const noexcept { return text_[0] == '\0'; }
  [[nodiscard]] const char* c_str() const noexcept { return text_; }

 private:
  void number(const char* wanted, std::uint32_t number) noexcept;
  void give_up() noexcept;

  char text_[FileName::kMostBytes + 13] = "";  ///< A dot and ten digits more.
  OutputName* next_ = nullptr;                 ///< In the list of all.
};

}  // namespace besom::detail
