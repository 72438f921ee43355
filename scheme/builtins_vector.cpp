/// Vectors and bytevectors.

#include <algorithm>
#include <cstring>

#include "builtins.hpp"
#include "lists.hpp"
#include "numbers.hpp"

namespace scheme {
namespace {

constexpr std::uint64_t kMostElements = 0x3ffffff0;

Vector* vector_of(Interp& in, Value value, const char* who) {
  if (!in.is(value, kVector)) in.wrong_type(who, "vector", value);
  return in.at<Vector>(value);
}
Bytevector* bytes_of(Interp& in, Value value, const char* who) {
  if (!in.is(value, kBytevector)) in.wrong_type(who, "bytevector", value);
  return in.at<Bytevector>(value);
}
std::uint8_t byte_of(Interp& in, Value value, const char* who) {
  if (!is_fixnum(value) || fixnum_of(value) < 0 || fixnum_of(value) > 255) {
    in.wrong_type(who, "byte", value);
  }
  return static_cast<std::uint8_t>(fixnum_of(value));
}
std::uint32_t element_of(Interp& in, Value index, std::uint32_t size, const char* who) {
  if (size == 0) in.out_of_range(who, index, 0);
  return index_of(in, index, who, size - 1u);
}

template <TypeNumber type>
BUILTIN(has_type) {
  return boolean(in.is(args[0], type));
}
BUILTIN(make_vector) {
  const std::uint32_t size = index_of(in, args[0], "make-vector", kMostElements);
  return in.make_vector(size, count == 2 ? args[1] : fixnum(0));
}
BUILTIN(vector) {
  const Value result = in.make_vector(count, kFalse);
  for (std::uint32_t i = 0; i < count; ++i) in.at<Vector>(result)->slots()[i].init(args[i]);
  return result;
}
BUILTIN(vector_length) { return fixnum(vector_of(in, args[0], "vector-length")->size()); }
BUILTIN(vector_ref) {
  auto* object = vector_of(in, args[0], "vector-ref");
  return object->slots()[element_of(in, args[1], object->size(), "vector-ref")].get();
}
BUILTIN(vector_set) {
  auto* object = vector_of(in, args[0], "vector-set!");
  object->slots()[element_of(in, args[1], object->size(), "vector-set!")].set(args[2]);
  return kUnspecified;
}
BUILTIN(vector_to_list) {
  const std::uint32_t size = vector_of(in, args[0], "vector->list")->size();
  const Span span = span_of(in, args, count, 1, size, "vector->list");
  Rooted result(in, kNil);
  for (std::uint32_t i = span.end; i > span.start; --i) {
    result.set(in.cons(in.at<Vector>(args[0])->slots()[i - 1].get(), result.get()));
  }
  return result.get();
}
BUILTIN(vectors_to_lists) { return convert_each(in, args[0], vector_to_list); }
BUILTIN(list_to_vector) {
  const std::int64_t length = list_length(in, args[0]);
  if (length < 0) in.wrong_type("list->vector", "list", args[0]);
  const Value result = in.make_vector(static_cast<std::uint64_t>(length), kFalse);
  Slot* slot = in.at<Vector>(result)->slots();
  for (Value rest = args[0]; rest != kNil; rest = in.cdr(rest)) (slot++)->init(in.car(rest));
  return result;
}
BUILTIN(vector_fill) {
  auto* object = vector_of(in, args[0], "vector-fill!");
  const Span span = span_of(in, args, count, 2, object->size(), "vector-fill!");
  for (std::uint32_t i = span.start; i < span.end; ++i) object->slots()[i].set(args[1]);
  return kUnspecified;
}
BUILTIN(vector_copy) {
  const std::uint32_t size = vector_of(in, args[0], "vector-copy")->size();
  const Span span = span_of(in, args, count, 1, size, "vector-copy");
  const Value result = in.make_vector(span.size(), kFalse);
  const Slot* from = in.at<Vector>(args[0])->slots() + span.start;
  for (std::uint32_t i = 0; i < span.size(); ++i) {
    in.at<Vector>(result)->slots()[i].init(from[i].get());
  }
  return result;
}
BUILTIN(vector_copy_into) {
  auto* to = vector_of(in, args[0], "vector-copy!");
  const std::uint32_t at = index_of(in, args[1], "vector-copy!", to->size());
  auto* from = vector_of(in, args[2], "vector-copy!");
  const Span span = span_of(in, args, count, 3, from->size(), "vector-copy!");
  if (span.size() > to->size() - at) in.out_of_range("vector-copy!", args[1], to->size());
  // The two may overlap.
  for (std::uint32_t i = 0; i < span.size(); ++i) {
    const std::uint32_t k = at <= span.start ? i : span.size() - 1 - i;
    to->slots()[at + k].set(from->slots()[span.start + k].get());
  }
  return kUnspecified;
}
BUILTIN(vector_append) {
  std::uint64_t size = 0;
  for (std::uint32_t i = 0; i < count; ++i) size += vector_of(in, args[i], "vector-append")->size();
  const Value result = in.make_vector(size, kFalse);
  Slot* to = in.at<Vector>(result)->slots();
  for (std::uint32_t i = 0; i < count; ++i) {
    auto* part = in.at<Vector>(args[i]);
    for (std::uint32_t k = 0; k < part->size(); ++k) (to++)->init(part->slots()[k].get());
  }
  return result;
}

BUILTIN(make_bytevector) {
  const std::uint32_t size = index_of(in, args[0], "make-bytevector", 0xfffffff0);
  const std::uint8_t fill = count == 2 ? byte_of(in, args[1], "make-bytevector") : 0;
  const Value result = in.make_bytevector(size);
  if (fill != 0) std::memset(in.at<Bytevector>(result)->bytes(), fill, size);
  return result;
}
BUILTIN(bytevector) {
  const Value result = in.make_bytevector(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    in.at<Bytevector>(result)->bytes()[i] = byte_of(in, args[i], "bytevector");
  }
  return result;
}
BUILTIN(bytevector_length) {
  return in.integer(bytes_of(in, args[0], "bytevector-length")->size());
}
BUILTIN(bytevector_ref) {
  auto* object = bytes_of(in, args[0], "bytevector-u8-ref");
  return fixnum(object->bytes()[element_of(in, args[1], object->size(), "bytevector-u8-ref")]);
}
BUILTIN(bytevector_set) {
  auto* object = bytes_of(in, args[0], "bytevector-u8-set!");
  object->bytes()[element_of(in, args[1], object->size(), "bytevector-u8-set!")] =
      byte_of(in, args[2], "bytevector-u8-set!");
  return kUnspecified;
}
BUILTIN(bytevector_copy) {
  const std::uint32_t size = bytes_of(in, args[0], "bytevector-copy")->size();
  const Span span = span_of(in, args, count, 1, size, "bytevector-copy");
  const Value result = in.make_bytevector(span.size());
  if (span.size() != 0) {
    std::memcpy(in.at<Bytevector>(result)->bytes(),
                in.at<Bytevector>(args[0])->bytes() + span.start, span.size());
  }
  return result;
}
BUILTIN(bytevector_copy_into) {
  auto* to = bytes_of(in, args[0], "bytevector-copy!");
  const std::uint32_t at = index_of(in, args[1], "bytevector-copy!", to->size());
  auto* from = bytes_of(in, args[2], "bytevector-copy!");
  const Span span = span_of(in, args, count, 3, from->size(), "bytevector-copy!");
  if (span.size() > to->size() - at) in.out_of_range("bytevector-copy!", args[1], to->size());
  std::memmove(to->bytes() + at, from->bytes() + span.start, span.size());
  return kUnspecified;
}
BUILTIN(bytevector_fill) {
  auto* object = bytes_of(in, args[0], "bytevector-fill!");
  const std::uint8_t fill = byte_of(in, args[1], "bytevector-fill!");
  const Span span = span_of(in, args, count, 2, object->size(), "bytevector-fill!");
  std::memset(object->bytes() + span.start, fill, span.size());
  return kUnspecified;
}
BUILTIN(bytevector_append) {
  std::uint64_t size = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    size += bytes_of(in, args[i], "bytevector-append")->size();
  }
  const Value result = in.make_bytevector(size);
  std::uint8_t* to = in.at<Bytevector>(result)->bytes();
  for (std::uint32_t i = 0; i < count; ++i) {
    auto* part = in.at<Bytevector>(args[i]);
    to = std::copy(part->bytes(), part->bytes() + part->size(), to);
  }
  return result;
}

constexpr Builtin kBuiltins[] = {
    {"vector?", has_type<kVector>, 1, 1},
    {"make-vector", make_vector, 1, 2},
    {"vector", vector, 0, -1},
    {"vector-length", vector_length, 1, 1},
    {"vector-ref", vector_ref, 2, 2},
    {"vector-set!", vector_set, 3, 3},
    {"vector->list", vector_to_list, 1, 3},
    {"%vectors->lists", vectors_to_lists, 1, 1},
    {"list->vector", list_to_vector, 1, 1},
    {"vector-fill!", vector_fill, 2, 4},
    {"vector-copy", vector_copy, 1, 3},
    {"subvector", vector_copy, 3, 3},
    {"vector-copy!", vector_copy_into, 3, 5},
    {"vector-append", vector_append, 0, -1},
    {"bytevector?", has_type<kBytevector>, 1, 1},
    {"make-bytevector", make_bytevector, 1, 2},
    {"bytevector", bytevector, 0, -1},
    {"bytevector-length", bytevector_length, 1, 1},
    {"bytevector-u8-ref", bytevector_ref, 2, 2},
    {"bytevector-u8-set!", bytevector_set, 3, 3},
    {"bytevector-copy", bytevector_copy, 1, 3},
    {"bytevector-copy!", bytevector_copy_into, 3, 5},
    {"bytevector-fill!", bytevector_fill, 2, 4},
    {"bytevector-append", bytevector_append, 0, -1},
};

}  // namespace

std::span<const Builtin> vector_builtins() { return kBuiltins; }

}  // namespace scheme
