/// C++ types whose objects a heap can hold, and those for which define() says no. What does not
/// even compile is in tests/gc/rejected.

#include <cstddef>
#include <new>
#include <string>

#include "tests/gc/kit.hpp"

namespace besom::test {
namespace {

template <class T>
TypeDescriptor type_of(const char* name) {
  return {.name = name, .size = sizeof(T)};
}

struct Answer {
  Header header;
  int answer = 42;
  static TypeDescriptor type() { return type_of<Answer>("Answer"); }
};
struct Zeros {
  Header header;
  int count = 0;
  const char* name = nullptr;
  Ref<Zeros> ref;
  Value value;
  Member<Zeros> member;
  static TypeDescriptor type() { return type_of<Zeros>("Zeros"); }
};
class Constructed {
 public:
  Constructed() : number_(7) {}
  [[nodiscard]] int number() const { return number_; }
  static TypeDescriptor type() { return type_of<Constructed>("Constructed"); }

 private:
  Header header_;
  int number_;
};
/// Leaves its members as they are.
struct Plain {
  Plain() {}
  Header header;
  int number;
  static TypeDescriptor type() { return type_of<Plain>("Plain"); }
};
/// A first word that is not 0 would be another type's number.
struct Headed {
  Header header{1, 0};
  static TypeDescriptor type() { return type_of<Headed>("Headed"); }
};
struct Object {
  Header header;
};
struct Derived : Object {
  Member<Derived> next;
  static TypeDescriptor type() {
    return {.name = "Derived",
            .size = sizeof(Derived),
            .fields = {{"next", sizeof(Object), SlotKind::ref}}};
  }
};
/// Holds what has a destructor: constructed in place, destroyed by the release hook.
struct Text {
  static constexpr bool kReleased = true;
  Header header;
  std::string text;
  static TypeDescriptor type() {
    TypeDescriptor descriptor = type_of<Text>("Text");
    descriptor.release = [](void*, void* object, std::uint32_t) {
      static_cast<Text*>(object)->text.~basic_string();
    };
    return descriptor;
  }
};

template <class T>
bool is_refused_for_its_initializers(Heap& heap) {
  const Result<Type<T>> type = heap.define<T>();
  return !type && type.error().code == Errc::bad_type &&
         std::string(type.error().detail).find("initializers") == 0;
}

}  // namespace

TEST_CASE("Object types: initializers that are not zero are refused", "[gc][types][misuse]") {
  Kit kit;
  CHECK(is_refused_for_its_initializers<Answer>(kit.heap));
  CHECK(is_refused_for_its_initializers<Constructed>(kit.heap));
  CHECK(is_refused_for_its_initializers<Headed>(kit.heap));
}

TEST_CASE("Object types: initializers that are zero say what the heap does", "[gc][types]") {
  Kit kit;
  const Type<Zeros> zeros = kit.defined<Zeros>();
  Zeros* object = kit.heap.allocate(zeros);
  REQUIRE(object != nullptr);
  CHECK((object->count == 0 && object->name == nullptr && !object->ref && !object->member));
  CHECK(kit.heap.define<Plain>());
}

TEST_CASE("Object types: a type may derive from the one with the header", "[gc][types]") {
  Kit kit;
  const Type<Derived> type = kit.defined<Derived>();
  Handle<Derived> list = kit.heap.make(type);
  list->next = kit.heap.allocate(type);
  CHECK(list->header.type == type.id);
  CHECK(kit.survivors() == 2);
}

TEST_CASE("Object types: what has a destructor is built in place and released", "[gc][types]") {
  Kit kit;
  const Type<Text> type = kit.defined<Text>();
  Handle<Text> handle = kit.heap.make(type);
  new (&handle->text) std::string(1000, 'x');
  CHECK(kit.survivors() == 1);
  CHECK(handle->text.size() == 1000);
  handle.reset();
  CHECK(kit.survivors() == 0);
}

TEST_CASE("Object types: kinds of slots and elements that there are not are refused",
          "[gc][types][misuse]") {
  Kit kit;
  for (const int number : {9, 99, 255}) {
    INFO(number);
    const Result<TypeId> type =
        kit.heap.define({.name = "T", .size = 16, .trailing = static_cast<Trailing>(number)});
    REQUIRE_FALSE(type);
    CHECK(type.error().code == Errc::bad_type);
    CHECK(type.error().bytes == std::uint64_t(number));
    CHECK(type.error().message().find("trailing") != std::string::npos);
  }
  const Result<TypeId> type =
      kit.heap.define({.name = "T", .size = 16, .fields = {{"a", 8, static_cast<SlotKind>(99)}}});
  REQUIRE_FALSE(type);
  CHECK(type.error().code == Errc::bad_type);
  CHECK(type.error().message().find("field") != std::string::npos);
}

}  // namespace besom::test
