#pragma once

#include <besom/error.hpp>
#include <cstdio>
#include <string>

#include "tests/support/catch.hpp"

/// Failed checks print the name of an error code.
template <>
struct Catch::StringMaker<besom::Errc> {
  static std::string convert(besom::Errc code) { return besom::name_of(code); }
};

namespace besom::test {

/// Counts the rows of a table of misuse and prints the sum at its end, so that a run can be held
/// against the goal.
class MisuseTable {
 public:
  explicit MisuseTable(const char* name) noexcept : name_(name) {}
  MisuseTable(const MisuseTable&) = delete;
  MisuseTable& operator=(const MisuseTable&) = delete;
  ~MisuseTable() { std::fprintf(stderr, "misuse rows: %3d %s\n", rows_, name_); }
  void row() noexcept { ++rows_; }

 private:
  const char* name_;
  int rows_ = 0;
};

}  // namespace besom::test
