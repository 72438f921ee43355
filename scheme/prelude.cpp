#include "prelude.hpp"

#include <iterator>

namespace scheme {
namespace {

/// `(define (name . formals) body ...)` or `(define name expression)`.
struct Definition {
  // Implicit, as the table is a list of texts.
  constexpr Definition(const char* form) : text(form) {
    name = text.substr(std::string_view("(define ").size());
    if (name.starts_with('(')) name.remove_prefix(1);
    name = name.substr(0, name.find_first_of(" )\n"));
  }
  std::string_view text, name;
};

constexpr Definition kPrelude[] = {
#include "prelude.inc"
};

}  // namespace

std::string_view prelude_text(std::string_view name) noexcept {
  for (const Definition& definition : kPrelude) {
    if (name == definition.name) return definition.text;
  }
  return {};
}

std::string_view prelude_name(std::size_t number) noexcept {
  return number < std::size(kPrelude) ? kPrelude[number].name : std::string_view();
}

}  // namespace scheme
