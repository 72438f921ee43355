/// Strings.

#include <algorithm>
#include <cstring>

#include "builtins.hpp"
#include "chars.hpp"
#include "numbers.hpp"
#include "text.hpp"

namespace scheme {

Span span_of(Interp& in, const Value* args, std::uint32_t count, std::uint32_t first,
             std::uint32_t size, const char* who) {
  Span span{0, size};
  if (count > first + 1) span.end = index_of(in, args[first + 1], who, size);
  if (count > first) span.start = index_of(in, args[first], who, span.end);
  return span;
}

namespace {

constexpr std::uint64_t kMostChars = 0x3ffffff0;

String* string_of(Interp& in, Value value, const char* who) {
  if (!in.is(value, kString)) in.wrong_type(who, "string", value);
  return in.at<String>(value);
}
char32_t char_arg(Interp& in, Value value, const char* who) {
  if (!is_char(value)) in.wrong_type(who, "character", value);
  return char_of(value);
}

BUILTIN(is_string) { return boolean(in.is(args[0], kString)); }
BUILTIN(make_string) {
  const std::uint32_t size = index_of(in, args[0], "make-string", kMostChars);
  return in.make_string(size, count == 2 ? char_arg(in, args[1], "make-string") : U' ');
}
BUILTIN(string) {
  const Value result = in.make_string(count, 0);
  for (std::uint32_t i = 0; i < count; ++i) {
    in.at<String>(result)->chars()[i] = char_arg(in, args[i], "string");
  }
  return result;
}
BUILTIN(string_length) { return fixnum(string_of(in, args[0], "string-length")->size()); }
BUILTIN(string_ref) {
  auto* object = string_of(in, args[0], "string-ref");
  if (object->size() == 0) in.out_of_range("string-ref", args[1], 0);
  return character(object->chars()[index_of(in, args[1], "string-ref", object->size() - 1u)]);
}
BUILTIN(string_set) {
  auto* object = string_of(in, args[0], "string-set!");
  if (object->size() == 0) in.out_of_range("string-set!", args[1], 0);
  object->chars()[index_of(in, args[1], "string-set!", object->size() - 1u)] =
      char_arg(in, args[2], "string-set!");
  return kUnspecified;
}
Value copy_of(Interp& in, Value string, Span span) {
  // The source is an argument and stays where it is.
  return in.string(in.text(string).substr(span.start, span.size()));
}
BUILTIN(string_copy) {
  const std::uint32_t size = string_of(in, args[0], "string-copy")->size();
  return copy_of(in, args[0], span_of(in, args, count, 1, size, "string-copy"));
}
BUILTIN(string_append) {
  std::uint64_t size = 0;
  for (std::uint32_t i = 0; i < count; ++i) size += string_of(in, args[i], "string-append")->size();
  const Value result = in.make_string(size, 0);
  char32_t* to = in.at<String>(result)->chars();
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::u32string_view part = in.text(args[i]);
    to = std::copy(part.begin(), part.end(), to);
  }
  return result;
}
BUILTIN(string_copy_into) {
  auto* to = string_of(in, args[0], "string-copy!");
  const std::uint32_t at = index_of(in, args[1], "string-copy!", to->size());
  auto* from = string_of(in, args[2], "string-copy!");
  const Span span = span_of(in, args, count, 3, from->size(), "string-copy!");
  if (span.size() > to->size() - at) in.out_of_range("string-copy!", args[1], to->size());
  std::memmove(to->chars() + at, from->chars() + span.start, span.size() * 4u);
  return kUnspecified;
}
BUILTIN(string_fill) {
  auto* object = string_of(in, args[0], "string-fill!");
  const char32_t c = char_arg(in, args[1], "string-fill!");
  const Span span = span_of(in, args, count, 2, object->size(), "string-fill!");
  std::fill(object->chars() + span.start, object->chars() + span.end, c);
  return kUnspecified;
}
BUILTIN(string_to_list) {
  const std::uint32_t size = string_of(in, args[0], "string->list")->size();
  const Span span = span_of(in, args, count, 1, size, "string->list");
  Rooted result(in, kNil);
  for (std::uint32_t i = span.end; i > span.start; --i) {
    result.set(in.cons(character(in.at<String>(args[0])->chars()[i - 1]), result.get()));
  }
  return result.get();
}
BUILTIN(strings_to_lists) { return convert_each(in, args[0], string_to_list); }
BUILTIN(list_to_string) {
  std::u32string text;
  Value rest = args[0];
  for (; in.is_pair(rest); rest = in.cdr(rest)) {
    text += char_arg(in, in.car(rest), "list->string");
    if (text.size() > kMostChars) in.wrong_type("list->string", "list", args[0]);
  }
  if (rest != kNil) in.wrong_type("list->string", "list", args[0]);
  return in.string(text);
}
BUILTIN(string_to_vector) {
  const std::uint32_t size = string_of(in, args[0], "string->vector")->size();
  const Span span = span_of(in, args, count, 1, size, "string->vector");
  const Value result = in.make_vector(span.size(), kFalse);
  for (std::uint32_t i = 0; i < span.size(); ++i) {
    in.at<Vector>(result)->slots()[i].init(
        character(in.at<String>(args[0])->chars()[span.start + i]));
  }
  return result;
}
BUILTIN(vector_to_string) {
  if (!in.is(args[0], kVector)) in.wrong_type("vector->string", "vector", args[0]);
  auto* vector = in.at<Vector>(args[0]);
  const Span span = span_of(in, args, count, 1, vector->size(), "vector->string");
  std::u32string text;
  for (std::uint32_t i = span.start; i < span.end; ++i) {
    text += char_arg(in, vector->slots()[i].get(), "vector->string");
  }
  return in.string(text);
}
template <std::u32string (*map)(const Interp&, std::u32string_view)>
BUILTIN(map_string) {
  return in.string(map(in, in.text(in.ref(string_of(in, args[0], "string case mapping")))));
}
BUILTIN(string_to_utf8) {
  const std::uint32_t size = string_of(in, args[0], "string->utf8")->size();
  const Span span = span_of(in, args, count, 1, size, "string->utf8");
  const std::string bytes = to_utf8(in.text(args[0]).substr(span.start, span.size()));
  const Value result = in.make_bytevector(bytes.size());
  if (!bytes.empty()) std::memcpy(in.at<Bytevector>(result)->bytes(), bytes.data(), bytes.size());
  return result;
}
BUILTIN(utf8_to_string) {
  if (!in.is(args[0], kBytevector)) in.wrong_type("utf8->string", "bytevector", args[0]);
  auto* bytes = in.at<Bytevector>(args[0]);
  const Span span = span_of(in, args, count, 1, bytes->size(), "utf8->string");
  return in.string(
      std::string_view(reinterpret_cast<const char*>(bytes->bytes()) + span.start, span.size()));
}
BUILTIN(string_index) {
  const std::u32string_view text = in.text(in.ref(string_of(in, args[0], "string-index")));
  const std::size_t at = text.find(char_arg(in, args[1], "string-index"));
  return at == std::u32string_view::npos ? kFalse : in.integer(static_cast<std::int64_t>(at));
}
BUILTIN(string_search) {
  const std::u32string_view part = in.text(in.ref(string_of(in, args[0], "string-search-forward")));
  const std::u32string_view text = in.text(in.ref(string_of(in, args[1], "string-search-forward")));
  const std::size_t at =
      text.find(part, index_of(in, args[2], "string-search-forward", text.size()));
  return at == std::u32string_view::npos ? kFalse : in.integer(static_cast<std::int64_t>(at));
}

constexpr Builtin kBuiltins[] = {
    {"string?", is_string, 1, 1},
    {"make-string", make_string, 1, 2},
    {"string", string, 0, -1},
    {"string-length", string_length, 1, 1},
    {"string-ref", string_ref, 2, 2},
    {"string-set!", string_set, 3, 3},
    {"string-copy", string_copy, 1, 3},
    {"substring", string_copy, 2, 3},
    {"string-append", string_append, 0, -1},
    {"string-copy!", string_copy_into, 3, 5},
    {"string-fill!", string_fill, 2, 4},
    {"string->list", string_to_list, 1, 3},
    {"%strings->lists", strings_to_lists, 1, 1},
    {"list->string", list_to_string, 1, 1},
    {"string->vector", string_to_vector, 1, 3},
    {"vector->string", vector_to_string, 1, 3},
    {"string-upcase", map_string<upcase>, 1, 1},
    {"string-downcase", map_string<downcase>, 1, 1},
    {"string-foldcase", map_string<foldcase>, 1, 1},
    {"string->utf8", string_to_utf8, 1, 3},
    {"utf8->string", utf8_to_string, 1, 3},
    {"string-index", string_index, 2, 2},
    {"string-search-forward", string_search, 3, 3},
};

}  // namespace

std::span<const Builtin> string_builtins() { return kBuiltins; }

}  // namespace scheme
