/// What a heap snapshot shows, and how it names it.

#include <malloc.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "tests/gc/snapshot_reader.hpp"
#include "tests/gc/weak_kit.hpp"

namespace besom::test {
namespace {

using Texts = std::vector<std::string>;

template <class T>
std::uint32_t index_of(const T* object) {
  return Ref<void>(object).index();
}
template <class T>
std::string to(const T* object) {
  return " -> " + std::to_string(index_of(object));
}
template <class T>
std::string weakly_to(const T* object) {
  return " ~> " + std::to_string(index_of(object));
}

constexpr SnapshotSink kNowhere{[](void*, const char*, std::size_t) { return true; }, nullptr};

}  // namespace

TEST_CASE("Snapshot: an empty heap is a root with its groups", "[gc][snapshot]") {
  Kit kit(exact_options());
  const SnapshotReader snapshot = read_snapshot(kit.heap);
  CHECK(snapshot.objects() == 0);
  REQUIRE(snapshot.nodes().size() == 7);
  CHECK(snapshot.edge_count() == 6);
  CHECK(snapshot.nodes()[0].edges.size() == 6);
  for (std::uint64_t group = 1; group < 7; ++group) {
    const SnapshotReader::Edge expected{SnapshotReader::kElement, group - 1, group};
    CHECK(snapshot.nodes()[0].edges[group - 1] == expected);
    CHECK(snapshot.nodes()[group].edges.empty());
  }
}

TEST_CASE("Snapshot: every object is there with its type, size and what it refers to",
          "[gc][snapshot][zealous]") {
  Kit kit;
  Random random = random_for("Snapshot: every object");
  const Handle<RefArray<Node>> all = kit.heap.make(kit.refs, 400);
  const Handle<ValueArray> mixed = kit.heap.make(kit.values, 400);
  const Handle<Record> record = kit.heap.make(kit.record, 7);
  const Handle<ByteArray> bytes = kit.heap.make(kit.bytes, 70'001);
  REQUIRE((all && mixed && record && bytes));
  for (std::uint32_t i = 0; i < 400; ++i) {
    Node* node = kit.heap.allocate(kit.node);
    REQUIRE(node != nullptr);
    (*all)[i] = node;
    if (random.chance(70)) node->left = (*all)[random.below(i + 1)];
    if (random.chance(70)) node->right = (*all)[random.below(i + 1)];
    (*mixed)[i] = random.chance(50) ? Value(Ref<Node>(node))
                                    : Value::integer(static_cast<std::int32_t>(random.below(9)));
  }
  record->owner = (*all)[0];
  record->element(6) = (*all)[1];

  const SnapshotReader snapshot = read_snapshot(kit.heap);
  for (std::uint32_t i = 0; i < 400; ++i) {
    const Node* node = (*all)[i].get();
    CHECK(snapshot.of(index_of(node)).name == "Node");
    CHECK(snapshot.of(index_of(node)).type == 3);
    CHECK(snapshot.of(index_of(node)).self_size == 16);
    Texts expected;
    if (node->left) expected.push_back("left" + to(node->left.get()));
    if (node->right) expected.push_back("right" + to(node->right.get()));
    CHECK(snapshot.edges_of(index_of(node)) == expected);
  }
  Texts expected;
  for (std::uint32_t i = 0; i < 400; ++i) {
    expected.push_back("[" + std::to_string(i) + "]" + to((*all)[i].get()));
  }
  CHECK(snapshot.edges_of(index_of(all.get())) == expected);
  expected.clear();
  for (std::uint32_t i = 0; i < 400; ++i) {
    const Value value = (*mixed)[i].get();
    if (!value.is_integer())
      expected.push_back("[" + std::to_string(i) + "]" + to((*all)[i].get()));
  }
  CHECK(snapshot.edges_of(index_of(mixed.get())) == expected);
  CHECK(snapshot.edges_of(index_of(record.get())) ==
        Texts{"owner" + to((*all)[0].get()), "[6]" + to((*all)[1].get())});
  CHECK(snapshot.of(index_of(bytes.get())).self_size == 70'016);
  CHECK(snapshot.edges_of(index_of(bytes.get())).empty());
}

TEST_CASE("Snapshot: it shows what a walk meets, in its order, and the same each time",
          "[gc][snapshot]") {
  Kit kit(exact_options());
  Random random = random_for("Snapshot: it shows what a walk meets");
  for (int i = 0; i < 3000; ++i) {
    static_cast<void>(kit.heap.allocate(kit.node));
    static_cast<void>(kit.heap.allocate(kit.bytes, random.below(3000)));
    if (i % 1000 == 500) REQUIRE_FALSE(kit.heap.collect());
  }
  const std::uint64_t collections = kit.heap.stats().collections;
  const std::string text = snapshot_text(kit.heap);
  CHECK(snapshot_text(kit.heap) == text);
  CHECK(kit.heap.stats().collections == collections);
  const SnapshotReader snapshot(text);
  struct Walk {
    const SnapshotReader& snapshot;
    std::size_t next;
  } walk{snapshot, 7};
  REQUIRE_FALSE(each_object(
      kit.heap,
      [](void* user, const ObjectView& object) {
        auto& w = *static_cast<Walk*>(user);
        REQUIRE(w.next < w.snapshot.nodes().size());
        const SnapshotReader::Node& node = w.snapshot.nodes()[w.next++];
        CHECK(node.id == object.ref.index());
        CHECK(node.self_size == object.size_bytes);
      },
      &walk));
  CHECK(walk.next == snapshot.nodes().size());
  // Allocation goes on where it was, and what came since is there.
  const Node* newest = kit.heap.allocate(kit.node);
  const SnapshotReader later = read_snapshot(kit.heap);
  CHECK(later.objects() == snapshot.objects() + 1);
  CHECK(later.roots_in("(locals)") == Texts{"newest object" + to(newest)});
}

TEST_CASE("Snapshot: objects are counted right where a stretch of 16 KiB begins",
          "[gc][snapshot]") {
  Kit kit(exact_options());
  int looks = 0;
  for (int i = 0; i < 5000; ++i) {
    const Node* newest = kit.heap.allocate(kit.node);
    if ((index_of(newest) + 64) % (16 * kKiB) > 1024 + 128) continue;
    if (index_of(newest) % 1024 > 32 && index_of(newest) % 1024 < 992) continue;
    ++looks;
    const SnapshotReader snapshot = read_snapshot(kit.heap);
    CHECK(snapshot.objects() == static_cast<std::uint64_t>(i) + 1);
    CHECK(snapshot.roots_in("(locals)") == Texts{"newest object" + to(newest)});
  }
  CHECK(looks > 20);
}

TEST_CASE("Snapshot: roots stand in groups under their labels", "[gc][snapshot]") {
  WeakKit kit(exact_options());
  const std::string parser = "parser";  // the same label at two addresses
  const Handle<Node> a = kit.heap.make(kit.node, 0, "parser");
  const Handle<Node> b = kit.heap.make(kit.node, 0, parser.c_str());
  const Handle<Node> unnamed(kit.heap, kit.heap.allocate(kit.node), nullptr);
  const Weak<Node> weak(kit.heap, a.get(), "cache");
  std::uint32_t slots[3] = {0, Kit::ref_of(b.get()).index(), Value::integer(8).bits()};
  const RootRegistration range = kit.heap.add_root_range(slots, 3, "registers");
  Node* const visited = a.get();
  const RootRegistration callback = kit.heap.add_roots(
      [](void* user, Tracer& tracer) {
        tracer.visit_pointer(user);
        tracer.visit(Ref<Node>(static_cast<const Node*>(user)));
      },
      visited, "stack");
  const void* words[2] = {reinterpret_cast<const char*>(b.get()) + 5, nullptr};
  const RootRegistration ambiguous = kit.heap.add_ambiguous_range(words, words + 2, "coroutine");
  HandleScope scope(kit.heap);
  static_cast<void>(scope.root(a.get()));
  Guardian guardian(kit.heap);
  REQUIRE_FALSE(guardian.guard(a.get()));
  REQUIRE_FALSE(guardian.guard(a.get(), b.get()));
  const SnapshotReader snapshot = read_snapshot(kit.heap);
  CHECK(snapshot.roots_in("(handles)") ==
        Texts{"parser" + to(a.get()), "parser" + to(b.get()), to(unnamed.get())});
  CHECK(snapshot.roots_in("(locals)") == Texts{"local" + to(a.get())});
  CHECK(snapshot.roots_in("(root ranges)") ==
        Texts{"registers" + to(b.get()), "coroutine" + to(b.get())});
  CHECK(snapshot.roots_in("(root callbacks)") ==
        Texts{"stack" + to(a.get()), "stack" + to(a.get())});
  CHECK(snapshot.roots_in("(weak handles)") == Texts{"cache" + weakly_to(a.get())});
  CHECK(snapshot.roots_in("(finalizers)") ==
        Texts{"guarded object" + weakly_to(a.get()), "agent" + weakly_to(a.get()),
              "guarded object" + weakly_to(a.get()), "agent" + to(b.get())});
  REQUIRE_FALSE(guardian.make_all_ready());
  CHECK(read_snapshot(kit.heap).roots_in("(finalizers)") ==
        Texts{"ready agent" + to(a.get()), "ready agent" + to(b.get())});
}

TEST_CASE("Snapshot: handles of one label share its string", "[gc][snapshot]") {
  Kit kit(exact_options());
  const std::size_t none = read_snapshot(kit.heap).strings().size();
  std::vector<Handle<Node>> handles;
  for (int i = 0; i < 1000; ++i) {
    handles.push_back(kit.heap.make(kit.node, 0, i % 2 == 0 ? "parser" : "globals"));
  }
  const SnapshotReader snapshot = read_snapshot(kit.heap);
  CHECK(snapshot.strings().size() == none + 2);
  CHECK(snapshot.roots_in("(handles)").size() == 1000);
}

TEST_CASE("Snapshot: weak slots are weak edges", "[gc][snapshot][zealous]") {
  WeakKit kit;
  const Handle<Node> key = kit.make_node();
  const Handle<Node> value = kit.make_node();
  const Handle<WeakBox> box(kit.heap, WeakBox::make(kit.heap, kit.box, kit.value_of(key.get())));
  const Handle<WeakArray> array = kit.heap.make(kit.weak_array, 3);
  (*array)[1] = kit.value_of(key.get());
  (*array)[2] = Value::integer(4);
  const Handle<EphemeronArray> ephemerons = kit.heap.make(kit.ephemerons, 3);
  (*ephemerons)[1].key = kit.value_of(key.get());
  (*ephemerons)[1].value = kit.value_of(value.get());
  (*ephemerons)[2].break_up();
  const Handle<WeakValueArray> values = kit.heap.make(kit.weak_values, 2);
  (*values)[1].key = kit.value_of(key.get());
  (*values)[1].value = kit.value_of(value.get());
  const SnapshotReader snapshot = read_snapshot(kit.heap);
  CHECK(snapshot.edges_of(index_of(box.get())) == Texts{"target" + weakly_to(key.get())});
  CHECK(snapshot.edges_of(index_of(array.get())) == Texts{"element" + weakly_to(key.get())});
  CHECK(snapshot.edges_of(index_of(ephemerons.get())) ==
        Texts{"key" + weakly_to(key.get()), "[1]" + to(value.get())});
  CHECK(snapshot.edges_of(index_of(values.get())) ==
        Texts{"[1]" + to(key.get()), "value" + weakly_to(value.get())});
}

TEST_CASE("Snapshot: raw pointers and what callbacks visit", "[gc][snapshot][zealous]") {
  Kit kit;
  struct Holder {
    Header header;
    Node* pointer;
    std::uint64_t word;
  };
  const TypeId by_field =
      *kit.heap.define({.name = "Field",
                        .size = sizeof(Holder),
                        .fields = {{"pointer", offsetof(Holder, pointer), SlotKind::pointer}}});
  const TypeId by_callback =
      *kit.heap.define({.name = "Traced",
                        .size = sizeof(Holder),
                        .trace = [](const void* object, std::uint32_t, Tracer& tracer) {
                          const auto* holder = static_cast<const Holder*>(object);
                          tracer.visit_pointer(holder->pointer);
                          tracer.visit_word(holder->word);
                        }});
  const TypeId pointers = *kit.heap.define({.name = "Pointers", .trailing = Trailing::pointers});
  const Handle<Node> node = kit.make_node();
  for (const TypeId type : {by_field, by_callback}) {
    const Handle<Header> handle(kit.heap, static_cast<Header*>(kit.heap.allocate(type)));
    auto* holder = reinterpret_cast<Holder*>(handle.get());
    holder->pointer = reinterpret_cast<Node*>(reinterpret_cast<char*>(node.get()) + 3);  // tagged
    const SnapshotReader snapshot = read_snapshot(kit.heap);
    CHECK(snapshot.edges_of(index_of(handle.get())) ==
          Texts{(type == by_field ? "pointer" : "callback") + to(node.get())});
    holder->word = index_of(node.get());
    CHECK(read_snapshot(kit.heap).edges_of(index_of(handle.get())).size() ==
          (type == by_field ? 1u : 2u));
  }
  const Handle<Header> array(kit.heap, static_cast<Header*>(kit.heap.allocate(pointers, 3)));
  void* const pointer = node.get();
  std::memcpy(reinterpret_cast<char*>(array.get()) + sizeof(Header) + 2 * sizeof pointer, &pointer,
              sizeof pointer);
  CHECK(read_snapshot(kit.heap).edges_of(index_of(array.get())) == Texts{"[2]" + to(node.get())});
}

TEST_CASE("Snapshot: names may hold quotes, control bytes and what is no UTF-8", "[gc][snapshot]") {
  struct Row {
    std::string name, shown;
  };
  const std::string bad = "\xef\xbf\xbd";
  const Row rows[] = {
      {"a\"b\\c/d", "a\"b\\c/d"},
      {std::string("\0\n\t\x1f\x7f", 5), std::string("\0\n\t\x1f\x7f", 5)},
      {"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\xa7\xb9",
       "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\xa7\xb9"},
      {"\xff", bad},
      {"\x80z", bad + "z"},
      {"\xc3", bad},
      {"\xc0\xaf", bad + bad},                      // overlong
      {"\xe0\x9f\xbf", bad + bad + bad},            // overlong
      {"\xed\xa0\x80", bad + bad + bad},            // a surrogate
      {"\xf4\x90\x80\x80", bad + bad + bad + bad},  // above U+10FFFF
      {"\xe2\x82", bad + bad},
      {"\xe2\"", bad + "\""},
      {"\xf0\x9f\xa7", bad + bad + bad},
      {"", ""},
      {std::string(200'000, 'x'), std::string(200'000, 'x')},  // more than a buffer
  };
  for (const Row& row : rows) {
    Kit kit(exact_options());
    const Result<TypeId> type =
        kit.heap.define({.name = row.name, .size = 16, .fields = {{row.name, 8}}});
    REQUIRE(type);
    const Handle<Node> target = kit.heap.make(kit.node, 0, row.name.c_str());
    const Handle<Header> object(kit.heap, static_cast<Header*>(kit.heap.allocate(*type)));
    reinterpret_cast<Node*>(object.get())->left = target.get();
    const SnapshotReader snapshot = read_snapshot(kit.heap);
    CHECK(snapshot.of(index_of(object.get())).name == row.shown);
    CHECK(snapshot.edges_of(index_of(object.get())) == Texts{row.shown + to(target.get())});
  }
}

TEST_CASE("Snapshot: a labeller says what objects count as and what they are called",
          "[gc][snapshot]") {
  Kit kit(exact_options());
  const Handle<ByteArray> text = kit.heap.make(kit.bytes, 5);
  std::memcpy(text->data(), "hello", 5);
  const Handle<ByteArray> longer = kit.heap.make(kit.bytes, 300);
  std::memset(longer->data(), 'x', 300);
  const Handle<ByteArray> empty = kit.heap.make(kit.bytes);
  const Handle<Node> node = kit.make_node();
  const Handle<Pair> pair = kit.heap.make(kit.pair);
  const Handle<Block> damaged = kit.heap.make(kit.block);
  forge(&damaged->header, 0xffff);
  const SnapshotLabeller labeller{
      [](void* user, const ObjectView& object, SnapshotLabel& label) {
        const auto* types = static_cast<const Kit*>(user);
        REQUIRE(object.type != nullptr);
        if (object.type_id == types->bytes.id) {
          const auto* array = reinterpret_cast<const ByteArray*>(object.header);
          label.kind = SnapshotKind::string;
          label.length = array->length();  // also more than there is room for
          std::memcpy(label.text, array->data(),
                      std::min(array->length(), SnapshotLabel::kMaxBytes));
        } else if (object.type_id == types->node.id) {
          label.kind = SnapshotKind::closure;
        } else {
          label.kind = SnapshotKind{99};
        }
      },
      &kit};
  const SnapshotReader snapshot = read_snapshot(kit.heap, labeller);
  CHECK(snapshot.of(index_of(text.get())).name == "hello");
  CHECK(snapshot.of(index_of(text.get())).type == 2);
  CHECK(snapshot.of(index_of(longer.get())).name == std::string(120, 'x'));
  CHECK(snapshot.of(index_of(empty.get())).name == "ByteArray");
  CHECK(snapshot.of(index_of(empty.get())).type == 2);
  CHECK(snapshot.of(index_of(node.get())).name == "Node");
  CHECK(snapshot.of(index_of(node.get())).type == 5);
  CHECK(snapshot.of(index_of(pair.get())).type == 3);
  CHECK(snapshot.of(index_of(damaged.get())).name == "(damaged header)");
}

TEST_CASE("Snapshot: what is damaged is counted and left out", "[gc][snapshot][misuse]") {
  MisuseTable table("slots, roots and headers that are no good");
  Kit kit(exact_options());
  const Handle<Node> good = kit.make_node();
  const Handle<Block> block = kit.heap.make(kit.block);
  const Handle<RefArray<Node>> array = kit.heap.make(kit.refs, 100);
  const std::uint32_t inside = index_of(block.get()) + 16;
  const auto capacity = static_cast<std::uint32_t>(kit.heap.stats().capacity);
  const std::uint32_t forged[] = {
      1, 4, 8, inside, index_of(block.get()) + 4, capacity, capacity - 16, 0xfffffff0u, ~0u};
  const std::function<void*(std::uint32_t)> slot = [&](std::uint32_t i) { return &(*array)[i]; };
  for (std::uint32_t i = 0; i < std::size(forged); ++i, table.row()) forge(slot(i), forged[i]);
  (*array)[50] = good.get();
  std::uint32_t root = inside;
  const RootRegistration range = kit.heap.add_root_range(&root, 1, "range");
  Result<SnapshotStats> stats = write_snapshot(kit.heap, kNowhere);
  REQUIRE(stats);
  CHECK(stats->bad_refs == std::size(forged) + 1);
  CHECK(stats->bad_headers == 0);
  CHECK(stats->objects == 3);
  CHECK(read_snapshot(kit.heap).edges_of(index_of(array.get())) == Texts{"[50]" + to(good.get())});
  // A header that claims more than the extent, and one that names no type.
  array->header.length = 1000;
  forge(&block->header, 77);
  table.row();
  table.row();
  stats = write_snapshot(kit.heap, kNowhere);
  REQUIRE(stats);
  CHECK(stats->bad_headers == 2);
  const SnapshotReader snapshot = read_snapshot(kit.heap);
  CHECK(snapshot.of(index_of(array.get())).name == "(damaged header)");
  CHECK(snapshot.edges_of(index_of(array.get())).empty());
  CHECK(snapshot.of(index_of(block.get())).self_size == 64);
}

TEST_CASE("Snapshot: whatever stands in the arena, it is one", "[gc][snapshot]") {
  Random random = random_for("Snapshot: whatever stands in the arena");
  for (int round = 0; round < (kUnderSanitizer ? 30 : 200); ++round) {
    WeakKit kit(exact_options(kMiB));
    std::vector<Handle<Header>> handles;
    const TypeId types[] = {kit.node.id,   kit.pair.id,       kit.record.id,     kit.refs.id,
                            kit.values.id, kit.weak_array.id, kit.ephemerons.id, kit.weak_values.id,
                            kit.bytes.id,  kit.box.id,        kit.value_table.id};
    for (int i = 0; i < 300; ++i) {
      void* object = kit.heap.allocate(types[random.below(std::size(types))], random.below(20));
      if (random.chance(10)) handles.emplace_back(kit.heap, static_cast<Header*>(object));
    }
    char* const base = detail::base_of(kit.heap);
    for (int i = 0; i < 500; ++i) {
      const std::uint32_t word = random.chance(50) ? static_cast<std::uint32_t>(random.next())
                                                   : random.below(20'000) & ~3u;
      forge(base + (random.below(20'000) & ~3u), word);
    }
    const SnapshotReader snapshot = read_snapshot(kit.heap);
    CHECK(snapshot.objects() == 300);
  }
}

TEST_CASE("Snapshot: a sink that refuses ends it, and the heap goes on", "[gc][snapshot]") {
  Kit kit(exact_options());
  const Handle<RefArray<Node>> array = kit.heap.make(kit.refs, 20'000);
  for (std::uint32_t i = 0; i < array->length(); ++i) (*array)[i] = kit.heap.allocate(kit.node);
  struct Pieces {
    std::uint64_t count = 0;
    std::uint64_t refused = 0;
    std::uint64_t after = 0;
  };
  const auto write = [](void* user, const char*, std::size_t) {
    auto& pieces = *static_cast<Pieces*>(user);
    ++pieces.count;
    if (pieces.refused != 0 && pieces.count > pieces.refused) ++pieces.after;
    return pieces.count != pieces.refused;
  };
  Pieces all;
  REQUIRE(write_snapshot(kit.heap, {write, &all}));
  REQUIRE(all.count > 5);
  for (std::uint64_t refused = 1; refused <= all.count; ++refused) {
    Pieces pieces{.refused = refused};
    const Result<SnapshotStats> stats = write_snapshot(kit.heap, {write, &pieces});
    REQUIRE_FALSE(stats);
    CHECK(stats.error().code == Errc::write_failed);
    CHECK(pieces.after == 0);
  }
  CHECK(kit.survivors() == 20'001);
}

TEST_CASE("Snapshot: sink and labeller are refused what changes or walks the heap",
          "[gc][snapshot][misuse]") {
  MisuseTable table("calls from a snapshot's sink and labeller");
  Kit kit(exact_options());
  const Handle<Node> node = kit.make_node();
  struct Tried {
    Heap* heap;
    Type<Node> node;
    std::vector<Errc> codes;
    void all() {
      codes = {heap->collect().code,
               heap->reset().code,
               verify(*heap).error.code,
               census(*heap).error().code,
               write_snapshot(*heap, kNowhere).error().code,
               save_snapshot(*heap, "never.heapsnapshot").error().code,
               heap->safepoint().code,
               heap->allocate(node) == nullptr ? heap->error().code : Errc::ok};
    }
  };
  const SnapshotSink sink{[](void* user, const char*, std::size_t) {
                            static_cast<Tried*>(user)->all();
                            return true;
                          },
                          nullptr};
  const SnapshotLabeller labeller{
      [](void* user, const ObjectView&, SnapshotLabel&) { static_cast<Tried*>(user)->all(); },
      nullptr};
  for (const bool by_sink : {true, false}) {
    Tried tried{&kit.heap, kit.node, {}};
    const auto stats = by_sink ? write_snapshot(kit.heap, {sink.write, &tried})
                               : write_snapshot(kit.heap, kNowhere, {labeller.label, &tried});
    REQUIRE(stats);
    REQUIRE(tried.codes.size() == 8);
    for (const Errc code : tried.codes) {
      CHECK(code == Errc::reentrant);
      table.row();
    }
  }
  CHECK(kit.survivors() == 1);
}

TEST_CASE("Snapshot: callbacks that do not say the same twice are found out",
          "[gc][snapshot][misuse]") {
  MisuseTable table("callbacks that change their minds");
  Kit kit(exact_options());
  static int calls = 0;
  const TypeId fickle = *kit.heap.define(
      {.name = "Fickle", .size = 16, .trace = [](const void*, std::uint32_t, Tracer& tracer) {
         static std::uint32_t slot = 0;
         slot = 16 * (++calls % 2);
         tracer.visit(slot);
       }});
  // The object itself is at the slot's index, or there would be no edge.
  const Handle<Header> object(kit.heap, static_cast<Header*>(kit.heap.allocate(fickle)));
  REQUIRE(index_of(object.get()) == 16);
  calls = 0;
  CHECK(write_snapshot(kit.heap, kNowhere).error().code == Errc::abandoned);
  CHECK(calls == 3);
  table.row();
  Kit other(exact_options());
  const Handle<Node> node = other.make_node();
  const SnapshotLabeller labeller{[](void*, const ObjectView&, SnapshotLabel& label) {
                                    label.length = ++calls % 2 == 0 ? 1 : 0;
                                    label.text[0] = 'x';
                                  },
                                  nullptr};
  CHECK(write_snapshot(other.heap, kNowhere, labeller).error().code == Errc::abandoned);
  table.row();
  CHECK(other.survivors() == 1);
}

TEST_CASE("Snapshot: a million objects take no more host memory than a few", "[gc][snapshot]") {
  if (kUnderSanitizer) return;  // whose allocator counts otherwise
  Kit kit(exact_options(256 * kMiB));
  constexpr std::uint32_t kCount = 1'000'000;
  Handle<Node> list(kit.heap, nullptr);
  for (std::uint32_t i = 0; i < kCount; ++i) {
    Node* node = kit.heap.allocate(kit.node);
    node->left = list.get();
    list.set(node);
  }
  const auto in_use = [] {
    const struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
  };
  struct Most {
    std::function<std::size_t()> in_use;
    std::size_t bytes = 0;
  } most{in_use, 0};
  const std::size_t before = in_use();
  const Result<SnapshotStats> stats =
      write_snapshot(kit.heap, {[](void* user, const char*, std::size_t) {
                                  auto& m = *static_cast<Most*>(user);
                                  m.bytes = std::max(m.bytes, m.in_use());
                                  return true;
                                },
                                &most});
  REQUIRE(stats);
  CHECK(stats->objects >= kCount);
  CHECK(stats->edges >= kCount);
  CHECK(most.bytes - before < 64 * kKiB + kit.heap.stats().capacity / 4096 + 16 * kKiB);
}

}  // namespace besom::test
