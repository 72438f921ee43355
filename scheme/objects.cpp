#include "objects.hpp"

#include <cstddef>
#include <initializer_list>
#include <utility>

namespace scheme {
namespace {

using besom::Trailing;
using besom::TypeDescriptor;

using Fields = std::initializer_list<std::pair<const char*, std::size_t>>;

TypeDescriptor describe(const char* name, std::size_t size, Fields fields,
                        Trailing trailing = Trailing::none) {
  TypeDescriptor type{.name = name,
                      .size = static_cast<std::uint32_t>(size),
                      .fields = {},
                      .trailing = trailing,
                      .trace = nullptr};
  for (const auto& [field, offset] : fields) {
    type.fields.push_back({field, static_cast<std::uint32_t>(offset), besom::SlotKind::value});
  }
  return type;
}

#define FIELD(Type, name) \
  { #name, offsetof(Type, name) }

TypeDescriptor descriptor_of(TypeNumber type) {
  switch (type) {
    case kPair:
      return describe("pair", sizeof(Pair), {FIELD(Pair, car), FIELD(Pair, cdr)});
    case kFlonum:
      return describe("flonum", sizeof(Flonum), {});
    case kInteger:
      return describe("integer", sizeof(Integer), {});
    case kSymbol:
      return describe("symbol", sizeof(Symbol), {FIELD(Symbol, name)});
    case kString:
      return describe("string", sizeof(String), {}, Trailing::bytes);
    case kVector:
      return describe("vector", sizeof(Vector), {}, Trailing::values);
    case kBytevector:
      return describe("bytevector", sizeof(Bytevector), {}, Trailing::bytes);
    case kClosure:
      return describe("closure", sizeof(Closure), {FIELD(Closure, code)}, Trailing::values);
    case kPrimitive:
      return describe("primitive", sizeof(Primitive), {FIELD(Primitive, name)});
    case kContinuation:
      return describe(
          "continuation", sizeof(Continuation),
          {FIELD(Continuation, next), FIELD(Continuation, winders), FIELD(Continuation, handlers)},
          Trailing::values);
    case kParameter:
      return describe("parameter", sizeof(Parameter),
                      {FIELD(Parameter, value), FIELD(Parameter, converter)});
    case kBox:
      return describe("box", sizeof(Box), {FIELD(Box, value)});
    case kValues:
      return describe("values", sizeof(Vector), {}, Trailing::values);
    case kPromise:
      return describe("promise", sizeof(Promise), {FIELD(Promise, state)});
    case kRecord:
      return describe("record", sizeof(Record), {FIELD(Record, type)}, Trailing::values);
    case kRecordType:
      return describe("record-type", sizeof(RecordType),
                      {FIELD(RecordType, name), FIELD(RecordType, fields)});
    case kCondition:
      return describe(
          "condition", sizeof(Condition),
          {FIELD(Condition, message), FIELD(Condition, irritants), FIELD(Condition, file)});
    case kPort:
      return describe("port", sizeof(Port), {FIELD(Port, buffer), FIELD(Port, name)},
                      Trailing::bytes);
    case kHashTable:
      return describe("hash-table", sizeof(HashTable),
                      {FIELD(HashTable, entries), FIELD(HashTable, procedures)});
    case kEnvironment:
      return describe(
          "environment", sizeof(Environment),
          {FIELD(Environment, table), FIELD(Environment, parent), FIELD(Environment, exports),
           FIELD(Environment, ahead), FIELD(Environment, imported)});
    case kCell:
      return describe("cell", sizeof(Cell), {FIELD(Cell, value), FIELD(Cell, name)});
    case kCode:
      return describe("code", sizeof(Code),
                      {FIELD(Code, constants), FIELD(Code, name), FIELD(Code, file),
                       FIELD(Code, positions), FIELD(Code, live)},
                      Trailing::bytes);
    case kMacro:
      return describe(
          "macro", sizeof(Macro),
          {FIELD(Macro, env), FIELD(Macro, ellipsis), FIELD(Macro, literals), FIELD(Macro, rules)});
    case kAlias:
      return describe("alias", sizeof(Alias), {FIELD(Alias, name), FIELD(Alias, env)});
    case kForm:
      return describe("form", sizeof(Form), {FIELD(Form, name)});
    case kWeakEntries:
      return describe("weak-entries", sizeof(Vector), {}, Trailing::ephemerons);
    case kWeakBox: {
      TypeDescriptor box = describe("weak-box", sizeof(WeakBox), {FIELD(WeakBox, target)});
      box.fields[0].kind = besom::SlotKind::weak;
      return box;
    }
    case kEphemeron:
      return describe("ephemeron", sizeof(Ephemeron), {}, Trailing::ephemerons);
    case kGuardian:
      return describe("guardian", sizeof(Guardian),
                      {FIELD(Guardian, first), FIELD(Guardian, last)});
  }
  return {};
}

#undef FIELD

}  // namespace

besom::Error define_types(besom::Heap& heap, besom::ReleaseHook release, void* user) {
  for (besom::TypeId type = 1; type <= kTypeCount; ++type) {
    TypeDescriptor descriptor = descriptor_of(TypeNumber{type});
    if (type == kSymbol || type == kGuardian || type == kPort) {
      descriptor.release = release;
      descriptor.release_user = user;
    }
    const besom::Result<besom::TypeId> id = heap.define(std::move(descriptor));
    if (!id) return id.error();
    if (*id != type) {
      return {.code = besom::Errc::bad_type, .detail = "the heap already had types"};
    }
  }
  return {};
}

}  // namespace scheme
