#pragma once

#include <cstddef>
#include <string>

#include "value.hpp"

namespace scheme {

class Interp;

struct PrintOptions {
  enum Sharing { cycles, all, none };
  bool display = false;      ///< Strings and characters as themselves.
  Sharing sharing = cycles;  ///< Which objects get datum labels.
  std::size_t most = 0;      ///< Cut after so many bytes, with "..."; 0: never.
};

/// The external representation, in UTF-8. Needs no native stack for deep structures.
[[nodiscard]] std::string print(Interp& in, Value object, const PrintOptions& options = {});

}  // namespace scheme
