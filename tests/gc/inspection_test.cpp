/// Walking a heap: each object, the census, why an object lives, what is held.

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tests/gc/kit.hpp"

namespace besom::test {
namespace {

struct Traced {
  Header header;
  std::uint32_t next;
  std::uint32_t unused;
};

TypeId define_traced(Kit& kit) {
  const Result<TypeId> type =
      kit.heap.define({.name = "Traced",
                       .size = sizeof(Traced),
                       .trace = [](const void* object, std::uint32_t, Tracer& tracer) {
                         tracer.visit(static_cast<const Traced*>(object)->next);
                       }});
  REQUIRE(type);
  return *type;
}

std::string path_of(Kit& kit, const void* object) {
  const Result<RootPath> path = path_to_root(kit.heap, Ref<void>(detail::index_of(object)));
  REQUIRE(path);
  return path->message();
}

std::string hex(const void* object) {
  char text[16];
  std::snprintf(text, sizeof text, "0x%x", detail::index_of(object));
  return text;
}

}  // namespace

TEST_CASE("Walk: every object is met once, in address order, with its type and size",
          "[gc][inspect][zealous]") {
  Kit kit;
  std::map<std::uint32_t, TypeId> made;
  const NoCollectScope scope(kit.heap);
  const auto note = [&](const void* object, TypeId type) { made[detail::index_of(object)] = type; };
  for (std::uint32_t i = 0; i < 500; ++i) {
    note(kit.heap.allocate(kit.node), kit.node.id);
    note(kit.heap.allocate(kit.block), kit.block.id);
    note(kit.heap.allocate(kit.bytes, i * 7), kit.bytes.id);
  }
  struct Met {
    std::map<std::uint32_t, TypeId> objects;
    std::uint32_t last = 0;
  } met;
  REQUIRE_FALSE(each_object(
      kit.heap,
      [](void* user, const ObjectView& object) {
        auto& m = *static_cast<Met*>(user);
        REQUIRE(object.ref.index() > m.last);
        m.last = object.ref.index();
        m.objects[m.last] = object.type_id;
        REQUIRE(object.type != nullptr);
        CHECK(object.header->type == object.type_id);
        if (object.type->name == "Block") CHECK(object.size_bytes == 64);
        if (object.type->name == "ByteArray") {
          CHECK(object.size_bytes == (8 + object.header->length + 15) / 16 * 16);
        }
      },
      &met));
  CHECK(met.objects == made);
}

TEST_CASE("Walk: a visitor may read but is refused all else", "[gc][inspect][misuse]") {
  MisuseTable table("calls from an object visitor");
  Kit kit(exact_options());
  const Handle<Node> node = kit.make_node();
  struct Tried {
    Kit* kit;
    std::vector<Errc> codes;
  } tried{&kit, {}};
  REQUIRE_FALSE(each_object(
      kit.heap,
      [](void* user, const ObjectView& object) {
        auto& t = *static_cast<Tried*>(user);
        Heap& heap = t.kit->heap;
        CHECK(heap.check(object.ref));
        t.codes = {heap.collect().code,
                   heap.reset().code,
                   verify(heap).error.code,
                   census(heap).error().code,
                   path_to_root(heap, object.ref).error().code,
                   held_roots(heap).error().code,
                   heap.safepoint().code,
                   each_object(
                       heap, [](void*, const ObjectView&) {}, nullptr)
                       .code,
                   heap.allocate(t.kit->node) == nullptr ? heap.error().code : Errc::ok};
      },
      &tried));
  REQUIRE(tried.codes.size() == 9);
  for (const Errc code : tried.codes) {
    CHECK(code == Errc::reentrant);
    table.row();
  }
  CHECK(kit.survivors() == 1);
}

TEST_CASE("Walk: what has to be called and is not there is an error", "[gc][inspect][misuse]") {
  Kit kit;
  CHECK(each_object(kit.heap, nullptr, nullptr).code == Errc::bad_argument);
  CHECK(write_snapshot(kit.heap, {}).error().code == Errc::bad_argument);
  CHECK(save_snapshot(kit.heap, nullptr).error().code == Errc::bad_argument);
  CHECK(verify(kit.heap).ok());
}

TEST_CASE("Census: counts and bytes by type, largest first, dead objects until collected",
          "[gc][inspect]") {
  Kit kit(exact_options());
  const Handle<RefArray<Node>> array = kit.heap.make(kit.refs, 100);
  for (std::uint32_t i = 0; i < 100; ++i) (*array)[i] = kit.heap.allocate(kit.node);
  for (int i = 0; i < 10; ++i) static_cast<void>(kit.heap.allocate(kit.block));
  Result<Census> census = besom::census(kit.heap);
  REQUIRE(census);
  REQUIRE(census->rows().size() == 3);
  CHECK(census->rows()[0].type == kit.node.id);
  CHECK(census->rows()[0].objects == 100);
  CHECK(census->rows()[0].bytes == 1600);
  CHECK(std::string(census->rows()[1].name()) == "Block");
  CHECK(census->rows()[1].bytes == 640);
  CHECK(census->row(kit.refs.id)->bytes == 416);
  CHECK(census->row(kit.pair.id) == nullptr);
  CHECK(census->objects() == 111);
  CHECK(census->bytes() == 1600 + 640 + 416);
  CHECK(census->message().find("100 objects           1600 bytes  Node\n") != std::string::npos);
  CHECK(census->message().find("111 objects           2656 bytes  in all\n") != std::string::npos);
  CHECK(kit.survivors() == 101);
  census = besom::census(kit.heap);
  REQUIRE(census);
  CHECK(census->row(kit.block.id) == nullptr);
  CHECK(census->objects() == 101);
}

TEST_CASE("Census: agrees with the collection's own count", "[gc][inspect][zealous]") {
  Kit kit;
  const Handle<RefArray<Node>> array = kit.heap.make(kit.refs, 200);
  for (std::uint32_t i = 0; i < 2000; ++i) (*array)[i % 200] = kit.heap.allocate(kit.node);
  REQUIRE_FALSE(kit.heap.collect());
  const Result<Census> census = besom::census(kit.heap);
  REQUIRE(census);
  CHECK(census->objects() == kit.heap.last_collection().live_objects);
  CHECK(census->bytes() == kit.heap.last_collection().live_bytes);
}

TEST_CASE("Census: objects with damaged headers have a row of their own", "[gc][inspect]") {
  Kit kit(exact_options());
  const Handle<Node> a = kit.make_node();
  const Handle<Block> b = kit.heap.make(kit.block);
  a->header.type = 999;
  forge(&b->header.type, kit.bytes.id);
  b->header.length = 1'000'000;
  const Result<Census> census = besom::census(kit.heap);
  REQUIRE(census);
  REQUIRE(census->rows().size() == 1);
  CHECK(census->rows()[0].type == 0);
  CHECK(census->rows()[0].objects == 2);
  CHECK(census->rows()[0].bytes == 80);
  CHECK(census->message().find("(damaged header)") != std::string::npos);
}

TEST_CASE("Census: an empty heap has no rows", "[gc][inspect]") {
  Kit kit(exact_options());
  const Result<Census> census = besom::census(kit.heap);
  REQUIRE(census);
  CHECK(census->rows().empty());
  CHECK(census->objects() == 0);
}

TEST_CASE("Path: names the root, the types, the fields and the elements", "[gc][inspect]") {
  Kit kit(exact_options());
  const Handle<Record> record = kit.heap.make(kit.record, 20, "globals");
  Node* node = kit.heap.allocate(kit.node);
  record->element(17) = node;
  Node* deep = kit.heap.allocate(kit.node);
  node->right = deep;
  CHECK(path_of(kit, deep) == "'globals' -> Record " + hex(record.get()) + " [17] -> Node " +
                                  hex(node) + " .right -> Node " + hex(deep));
  const Result<RootPath> path = path_to_root(kit.heap, Ref<void>(Kit::ref_of(deep)));
  REQUIRE(path);
  CHECK(*path);
  CHECK(std::string(path->root_label()) == "globals");
  REQUIRE(path->steps().size() == 3);
  CHECK(path->steps()[0].via == PathStep::Via::root);
  CHECK(path->steps()[1].via == PathStep::Via::element);
  CHECK(path->steps()[1].element == 17);
  CHECK(path->steps()[2].via == PathStep::Via::field);
  CHECK(path->steps()[2].field->name == "right");
  CHECK(path->steps()[2].object == Ref<void>(Kit::ref_of(deep)));
  CHECK(path_of(kit, record.get()) == "'globals' -> Record " + hex(record.get()));
}

TEST_CASE("Path: one of the shortest is found, past cycles", "[gc][inspect][zealous]") {
  Kit kit;
  const Handle<Node> first = kit.make_node();
  Handle<Node> last = kit.make_node();
  last->left = first.get();
  first->right = last.get();
  for (int i = 0; i < 50; ++i) {
    Handle<Node> next = kit.make_node();
    last->right = next.get();
    next->left = last.get();
    last = std::move(next);
  }
  const Ref<void> target(last.ref());
  last.reset();
  Result<RootPath> path = path_to_root(kit.heap, target);
  REQUIRE(path);
  CHECK(path->steps().size() == 52);
  const std::string text = path->message();
  CHECK(text.find(" ... 12 more ...") != std::string::npos);
  // A shortcut.
  const Handle<Pair> shortcut = kit.heap.make(kit.pair);
  shortcut->tail = Value(Ref<Node>(target.index()));
  shortcut->head = Value::integer(static_cast<std::int32_t>(target.index() >> 1));
  path = path_to_root(kit.heap, target);
  REQUIRE(path);
  REQUIRE(path->steps().size() == 2);
  CHECK(path->steps()[1].field->name == "tail");
}

TEST_CASE("Path: roots of every kind are named", "[gc][inspect]") {
  Kit kit(exact_options());
  Node* ranged = kit.heap.allocate(kit.node);
  std::uint32_t slots[2] = {0, Kit::ref_of(ranged).index()};
  const RootRegistration range = kit.heap.add_root_range(slots, 2, "registers");
  std::uint32_t called = 0;
  const RootRegistration callback = kit.heap.add_roots(
      [](void* user, Tracer& tracer) { tracer.visit(*static_cast<std::uint32_t*>(user)); }, &called,
      "interpreter");
  Node* by_callback = kit.heap.allocate(kit.node);
  called = Kit::ref_of(by_callback).index();
  HandleScope scope(kit.heap);
  const Local<Node> local = scope.root(kit.heap.allocate(kit.node));
  Node* newest = kit.heap.allocate(kit.node);
  CHECK(path_of(kit, ranged) == "'registers' -> Node " + hex(ranged));
  CHECK(path_of(kit, by_callback) == "'interpreter' -> Node " + hex(by_callback));
  CHECK(path_of(kit, local.get()) == "'local' -> Node " + hex(local.get()));
  CHECK(path_of(kit, newest) == "'newest object' -> Node " + hex(newest));
}

TEST_CASE("Path: slots that a trace callback visits are named so", "[gc][inspect]") {
  Kit kit(exact_options());
  const TypeId type = define_traced(kit);
  const Handle<Traced> traced(kit.heap, static_cast<Traced*>(kit.heap.allocate(type)), "traced");
  Node* node = kit.heap.allocate(kit.node);
  write_ref(traced->next, Kit::ref_of(node).index());
  CHECK(path_of(kit, node) ==
        "'traced' -> Traced " + hex(traced.get()) + " (callback) -> Node " + hex(node));
}

TEST_CASE("Path: what nothing reaches has none", "[gc][inspect]") {
  Kit kit(exact_options());
  Node* dead = kit.heap.allocate(kit.node);
  Node* child = kit.heap.allocate(kit.node);
  dead->left = child;
  const Handle<Node> other = kit.make_node();
  const Result<RootPath> path = path_to_root(kit.heap, Ref<void>(Kit::ref_of(child)));
  REQUIRE(path);
  CHECK_FALSE(*path);
  CHECK(path->root_label() == nullptr);
  CHECK(path->steps().empty());
  CHECK(path->message() == "no path from a root");
}

TEST_CASE("Path: forged refs and headers on the way are not followed", "[gc][inspect]") {
  Kit kit(exact_options());
  const Handle<RefArray<Node>> array = kit.heap.make(kit.refs, 8);
  for (std::uint32_t i = 0; i < 8; ++i) (*array)[i] = kit.heap.allocate(kit.node);
  Node* deep = kit.heap.allocate(kit.node);
  (*array)[7].get()->left = deep;
  const std::uint32_t forged[] = {0xfffffff0, 0x7ffffff0, 8,
                                  1,          0xffffffff, Kit::ref_of(deep).index() + 8};
  // As a function, so that no compiler reckons with an array of no elements.
  const std::function<void*(std::uint32_t)> slot = [&](std::uint32_t i) { return &(*array)[i]; };
  for (std::uint32_t i = 0; i < 6; ++i) forge(slot(i), forged[i]);
  (*array)[6].get()->header.type = 12345;
  CHECK(path_of(kit, deep).find("[7]") != std::string::npos);
  CHECK(path_of(kit, (*array)[6].get()).find("[6] -> damaged") != std::string::npos);
}

TEST_CASE("Path: what is no object is bad_ref", "[gc][inspect][misuse]") {
  MisuseTable table("paths to what is no object");
  Kit kit(exact_options());
  const Handle<Block> block = kit.heap.make(kit.block);
  const std::uint32_t good = block.ref().index();
  for (const std::uint32_t bits : {0u, 1u, good + 4, good + 16, good + 64, 0xfffffff0u}) {
    INFO(bits);
    CHECK(path_to_root(kit.heap, Ref<void>(bits)).error().code == Errc::bad_ref);
    table.row();
  }
}

TEST_CASE("Path: a list of a million objects is no matter of recursion", "[gc][inspect]") {
  Kit kit(exact_options());
  const Handle<Node> root = kit.make_node();
  Node* last = root.get();
  {
    const NoCollectScope scope(kit.heap);
    for (int i = 0; i < 1'000'000; ++i) {
      Node* next = kit.heap.allocate(kit.node);
      REQUIRE(next != nullptr);
      last->left = next;
      last = next;
    }
  }
  const Result<RootPath> path = path_to_root(kit.heap, Ref<void>(Kit::ref_of(last)));
  REQUIRE(path);
  CHECK(path->steps().size() == 1'000'001);
  CHECK(path->message().size() < 3000);
}

TEST_CASE("Held roots: counted by kind and label", "[gc][inspect]") {
  Kit kit(exact_options());
  std::vector<Handle<Node>> handles;
  const std::string parser = "parser";  // the same label at two addresses
  for (int i = 0; i < 5; ++i) {
    handles.push_back(kit.heap.make(kit.node, 0, i % 2 == 0 ? "parser" : parser.c_str()));
  }
  handles.push_back(kit.heap.make(kit.node, 0, "global"));
  handles.emplace_back(kit.heap, kit.heap.allocate(kit.node), nullptr);
  std::uint32_t slots[3] = {};
  const RootRegistration range = kit.heap.add_root_range(slots, 3, "registers");
  const RootRegistration callback = kit.heap.add_roots([](void*, Tracer&) {}, nullptr, "stack");
  const MarkHookRegistration hook =
      kit.heap.add_mark_hook([](void*, const MarkView&) {}, nullptr, "interned");
  HandleScope scope(kit.heap);
  static_cast<void>(scope.root(handles[0].get()));
  static_cast<void>(scope.root(static_cast<Node*>(nullptr)));
  Result<HeldRoots> held = held_roots(kit.heap);
  REQUIRE(held);
  CHECK(held->message() ==
        "1 handle ''\n1 handle 'global'\n5 handle 'parser'\n1 local 'local'\n1 range 'registers'\n"
        "1 callback 'stack'\n1 mark hook 'interned'\n");
  CHECK(held->count(HeldRoot::Kind::handle) == 7);
  CHECK(held->rows()[2].count == 5);
  handles.clear();
  held = held_roots(kit.heap);
  REQUIRE(held);
  CHECK(held->count(HeldRoot::Kind::handle) == 0);
  CHECK(held->rows().size() == 4);
}

TEST_CASE("Held roots: handles that outlive their heap are named in the log as it goes",
          "[gc][inspect]") {
  static std::vector<std::string> lines;
  lines.clear();
  HeapOptions options = exact_options();
  options.log = LogLevel::info;
  options.sink.write = [](void*, LogLevel level, const char* line) noexcept {
    if (level == LogLevel::info) lines.emplace_back(line);
  };
  std::vector<Handle<Node>> handles;
  {
    Kit kit(options);
    for (int i = 0; i < 3; ++i) handles.push_back(kit.heap.make(kit.node, 0, "parser"));
    handles.push_back(kit.heap.make(kit.node, 0, "global"));
  }
  REQUIRE(lines.size() == 1);
  CHECK(lines[0] == "heap destroyed with 4 handles held: 'global' (1), 'parser' (3)");
  lines.clear();
  {
    Kit kit(options);
    static_cast<void>(kit.make_node());
  }
  CHECK(lines.empty());
  // A line has an end.
  std::vector<std::string> labels;
  for (int i = 0; i < 100; ++i) labels.push_back("label number " + std::to_string(i));
  {
    Kit kit(options);
    for (const std::string& label : labels) {
      handles.push_back(kit.heap.make(kit.node, 0, label.c_str()));
    }
  }
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].find("heap destroyed with 100 handles held: 'label number 0' (1)") == 0);
  CHECK(lines[0].size() < 512);
}

}  // namespace besom::test
