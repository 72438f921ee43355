#include "standard_libraries.hpp"

namespace scheme {
namespace {

/// `(define-library (name ...) (export ...))`.
struct Library {
  // Implicit, as the table is a list of texts.
  constexpr Library(const char* form) {
    constexpr std::string_view kDefine = "(define-library ", kExport = "(export ", kEnd = "))";
    const std::string_view text = form;
    name = text.substr(kDefine.size(), text.find(')') + 1 - kDefine.size());
    exports = text.substr(text.find(kExport) + kExport.size());
    exports.remove_suffix(kEnd.size());
  }
  std::string_view name, exports;
};

constexpr Library kLibraries[] = {
#include "standard_libraries.inc"
};

}  // namespace

std::string_view standard_library(std::string_view name) noexcept {
  for (const Library& library : kLibraries) {
    if (library.name == name) return library.exports;
  }
  return {};
}

}  // namespace scheme
