#pragma once

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <initializer_list>
#include <string_view>

#include "inspect/json_output.hpp"

namespace besom::detail {

/// Members and elements with the commas between them.
class Json {
 public:
  explicit Json(JsonOutput& output) noexcept : output_(output) {}

  void begin(const char* key, char bracket) noexcept {
    add_key(key);
    output_.text({&bracket, 1});
    is_first_ = true;
  }
  void end(char bracket) noexcept {
    output_.text({&bracket, 1});
    is_first_ = false;
  }
  /// Without a key an element.
  void number(const char* key, std::uint64_t number) noexcept {
    add_key(key);
    output_.number(number);
  }
  /// `number` counts from 1, and what is written from 0; of 0 it is -1.
  void number_from_zero(const char* key, std::uint32_t number) noexcept {
    add_key(key);
    if (number == 0) {
      output_.text("-1");
    } else {
      output_.number(number - 1);
    }
  }
  void text(const char* key, std::string_view text) noexcept {
    add_key(key);
    output_.string(text);
  }
  void truth(const char* key, bool truth) noexcept {
    add_key(key);
    output_.text(truth ? "true" : "false");
  }
  void null(const char* key) noexcept {
    add_key(key);
    output_.text("null");
  }
  /// A finite one.
  void real(const char* key, double number) noexcept {
    add_key(key);
    // What printf() writes depends on the locale.
    const auto millionths = static_cast<std::uint64_t>(number * 1e6 + 0.5);
    char digits[8];
    std::snprintf(digits, sizeof digits, "%06" PRIu64, millionths % 1'000'000);
    output_.number(millionths / 1'000'000);
    output_.text(".");
    output_.text(digits);
  }
  template <class Names>
  void names(const char* key, const Names& names) noexcept {
    begin(key, '[');
    for (const char* name : names) text(nullptr, name);
    end(']');
  }
  void row(std::initializer_list<std::uint64_t> numbers) noexcept {
    begin(nullptr, '[');
    for (const std::uint64_t number : numbers) this->number(nullptr, number);
    end(']');
  }

 private:
  void add_key(const char* key) noexcept {
    if (!is_first_) output_.text(key != nullptr ? ",\n" : ",");
    is_first_ = false;
    if (key == nullptr) return;
    output_.string(key);
    output_.text(":");
  }

  JsonOutput& output_;
  bool is_first_ = true;
};

}  // namespace besom::detail
