#pragma once

#include <span>
#include <vector>

#include "interp.hpp"

/// The head of a builtin's definition.
#define BUILTIN(name)                                                   \
  Value name([[maybe_unused]] Interp& in, [[maybe_unused]] Value* args, \
             [[maybe_unused]] std::uint32_t count)

namespace scheme {

// The builtin procedures, one table for each file of them.
[[nodiscard]] std::span<const Builtin> list_builtins();
[[nodiscard]] std::span<const Builtin> number_builtins();
[[nodiscard]] std::span<const Builtin> real_builtins();
[[nodiscard]] std::span<const Builtin> char_builtins();
[[nodiscard]] std::span<const Builtin> string_builtins();
[[nodiscard]] std::span<const Builtin> vector_builtins();
[[nodiscard]] std::span<const Builtin> control_builtins();
[[nodiscard]] std::span<const Builtin> port_builtins();
[[nodiscard]] std::span<const Builtin> hash_builtins();
[[nodiscard]] std::span<const Builtin> system_builtins();

/// Fills the core environment and the table of builtins.
void define_core(Interp& in, std::vector<Builtin>& builtins);
/// Output is flushed, what the interpreter holds of the host given back.
void close_interp(Interp& in) noexcept;

/// Where a builtin's optional start and end arguments lead: [start, end) of `size` elements.
struct Span {
  std::uint32_t start, end;
  [[nodiscard]] std::uint32_t size() const noexcept { return end - start; }
};
[[nodiscard]] Span span_of(Interp& in, const Value* args, std::uint32_t count, std::uint32_t first,
                           std::uint32_t size, const char* who);

/// For `(%vectors->lists vectors)` and the like: a list of what `convert` makes of each.
[[nodiscard]] inline Value convert_each(Interp& in, Value list, BuiltinFunction convert) {
  ListBuilder result(in);
  for (; in.is_pair(list); list = in.cdr(list)) {
    Value item = in.car(list);
    result.add(convert(in, &item, 1));
  }
  return result.finish();
}

}  // namespace scheme
