/// Cycles in slices, looked at in their midst.

#include <csetjmp>
#include <vector>

#include "tests/gc/kit.hpp"
#include "tests/support/random.hpp"

namespace besom::test {
namespace {

HeapOptions incremental_options(std::uint64_t heap_max = 64 * kMiB) {
  HeapOptions options = exact_options(heap_max);
  options.incremental = true;
  options.slice = 1;
  return options;
}

/// Begins a cycle: roots are read, and nothing is visited. Of handles there are not many.
void begin(Kit& kit) {
  REQUIRE(kit.heap.step(1));
  const Result<std::uint64_t> left = kit.heap.step(1);
  REQUIRE(left);
  REQUIRE(*left != 0);
}

/// Ends the cycle; how many objects were live.
std::uint64_t finish(Kit& kit) {
  const std::uint64_t number = kit.heap.last_collection().number;
  for (int i = 0; kit.heap.last_collection().number == number; ++i) {
    REQUIRE(i < 1'000'000);
    REQUIRE(kit.heap.step(10));
  }
  CHECK(kit.heap.last_collection().bad_refs == 0);
  CHECK(kit.heap.last_collection().bad_headers == 0);
  return kit.heap.last_collection().live_objects;
}

/// `count` nodes by their left fields, the last first.
Node* make_list(Kit& kit, int count) {
  Handle<Node> list = kit.make_node();
  for (int i = 1; i < count; ++i) {
    Node* node = kit.heap.allocate(kit.node);
    node->left = list.get();
    list.set(node);
  }
  return list.get();
}

}  // namespace

TEST_CASE("Incremental: what a store takes away, and the program keeps, lives",
          "[gc][incremental]") {
  Kit kit(incremental_options());
  const Handle<Node> first = kit.make_node();
  const Handle<Node> last(kit.heap, make_list(kit, 100));
  Node* moved = kit.heap.allocate(kit.node);
  last->right = moved;
  first->left = last.get();
  begin(kit);
  // From where nobody has been yet to where nobody comes again.
  const Ref<Node> ref(moved);
  REQUIRE(kit.heap.step(2));
  first->right = moved;
  last->right = nullptr;
  finish(kit);
  CHECK(kit.lives(ref));
  CHECK(kit.survivors() == 102);
}

TEST_CASE("Incremental: a store that nobody is told of loses an object, and zeal names both ends",
          "[gc][incremental][zeal]") {
  HeapOptions options = incremental_options(4 * kMiB);
  options.zeal.verify = true;
  CHECK_ABORTS(([&] {
                 Kit kit(options);
                 const Handle<Node> first = kit.make_node();
                 const Handle<Node> last(kit.heap, make_list(kit, 100));
                 Node* tail = last.get();
                 while (tail->left) tail = tail->left.get();
                 tail->right = kit.heap.allocate(kit.node);
                 static_cast<void>(kit.heap.allocate(kit.node));  // the newest is a root
                 begin(kit);
                 static_cast<void>(kit.heap.step(1));
                 const std::uint32_t moved = tail->right.ref().index();
                 forge(&tail->right, 0);
                 forge(&first->right, moved);
                 finish(kit);
               }()),
               "lost: Node 0x");
}

TEST_CASE("Incremental: what is allocated during a cycle lives, and the dead before it go",
          "[gc][incremental]") {
  Kit kit(incremental_options());
  const Handle<Node> kept(kit.heap, make_list(kit, 10));
  for (int i = 0; i < 1000; ++i) REQUIRE(kit.heap.allocate(kit.node));
  Node* garbage = kit.heap.allocate(kit.node);
  const Ref<Node> dead(garbage);
  REQUIRE(kit.heap.allocate(kit.node));
  begin(kit);
  std::vector<Ref<Header>> born;
  for (int i = 0; i < 3000 && kit.heap.last_collection().number == 0; ++i) {
    born.emplace_back(&kit.heap.allocate(kit.node)->header);
    born.emplace_back(&kit.heap.allocate(kit.bytes, static_cast<std::uint64_t>(i))->header);
  }
  if (kit.heap.last_collection().number == 0) finish(kit);
  CHECK_FALSE(kit.lives(dead));
  for (const Ref<Header> ref : born) CHECK(kit.lives(ref));
  CHECK(verify(kit.heap).ok());
  CHECK(kit.survivors() == 10);
}

TEST_CASE("Incremental: what a weak slot, handle or table gives in a cycle lives to its end",
          "[gc][incremental][weak]") {
  Kit kit(incremental_options());
  const Type<WeakBox> box_type = kit.defined<WeakBox>();
  const Type<WeakKeyTable> table_type = kit.defined<WeakKeyTable>();
  const Type<EphemeronArray> entries_type = kit.defined<EphemeronArray>();
  Node* boxed = kit.heap.allocate(kit.node);
  const Handle<WeakBox> box(kit.heap,
                            WeakBox::make(kit.heap, box_type, Ref<Header>(&boxed->header)));
  Node* handled = kit.heap.allocate(kit.node);
  const Weak<Node> weak(kit.heap, handled);
  const Handle<WeakKeyTable> table(kit.heap, make_table(kit.heap, table_type, entries_type));
  const Handle<Node> key = kit.make_node();
  {
    const HandleScope scope(kit.heap);
    const Local<Node> value = kit.heap.local(kit.heap.allocate(kit.node));
    REQUIRE_FALSE(table->put(kit.heap, Ref<Header>(&key->header), Ref<Header>(&value->header)));
  }
  Node* unread = kit.heap.allocate(kit.node);
  const Weak<Node> other(kit.heap, unread);
  REQUIRE(kit.heap.allocate(kit.node));
  const Handle<RefArray<Node>> holder = kit.heap.make(kit.refs, 3);
  REQUIRE(kit.heap.allocate(kit.node));

  begin(kit);
  REQUIRE(kit.heap.step(1));
  (*holder)[0] = Ref<Node>(box->target.get().as_ref<Node>());
  (*holder)[1] = weak.get();
  (*holder)[2] = table->get(kit.heap, Ref<Header>(&key->header)).as_ref<Node>();
  finish(kit);
  for (std::uint32_t i = 0; i < 3; ++i) {
    REQUIRE((*holder)[i]);
    CHECK(kit.lives((*holder)[i].ref()));
  }
  CHECK(other.get() == nullptr);
  CHECK(weak.get() == (*holder)[1].get());
  CHECK(verify(kit.heap).ok());
}

TEST_CASE("Incremental: to copy a weak slot into an object that nobody visits is to read it",
          "[gc][incremental][weak]") {
  struct Holder {
    Header header;
    WeakMember<Node> one, two;
    static TypeDescriptor type() {
      return {.name = "Holder",
              .size = sizeof(Holder),
              .fields = {{"one", offsetof(Holder, one), SlotKind::weak},
                         {"two", offsetof(Holder, two), SlotKind::weak}}};
    }
  };
  Kit kit(incremental_options());
  const Type<Holder> type = kit.defined<Holder>();
  const Type<WeakBox> box_type = kit.defined<WeakBox>();
  const Handle<Holder> old = kit.heap.make(type);
  const Handle<WeakBox> box = kit.heap.make(box_type);
  old->one = kit.heap.allocate(kit.node);
  box->target = Ref<Header>(&kit.heap.allocate(kit.node)->header);
  REQUIRE(kit.heap.allocate(kit.node));
  begin(kit);
  const Handle<Holder> born = kit.heap.make(type);
  const Handle<WeakBox> born_box = kit.heap.make(box_type);
  born->two = old->one;
  born_box->target = box->target;
  finish(kit);
  // A weak slot keeps nothing: what it leads to lives, or it is null.
  REQUIRE(born->two);
  CHECK(kit.lives(born->two.ref()));
  REQUIRE(born_box->target.peek().is_ref());
  CHECK(kit.lives(born_box->target.peek().as_ref<Header>()));
  CHECK(kit.survivors() == 4);
  CHECK_FALSE(born->two);
  CHECK(verify(kit.heap).ok());
}

TEST_CASE("Incremental: ephemerons keep values of live keys alone, whatever slice they are met in",
          "[gc][incremental][weak]") {
  Kit kit(incremental_options());
  const Type<EphemeronArray> type = kit.defined<EphemeronArray>();
  constexpr std::uint32_t kEntries = 1000;
  const Handle<EphemeronArray> entries = kit.heap.make(type, kEntries);
  const Handle<RefArray<Node>> keys = kit.heap.make(kit.refs, kEntries);
  for (std::uint32_t i = 0; i < kEntries; ++i) {
    const HandleScope scope(kit.heap);
    const Local<Node> key = kit.heap.local(kit.heap.allocate(kit.node));
    // Each value is the key's neighbour's only ref, so that chains of them have to be followed.
    Node* value = kit.heap.allocate(kit.node);
    (*entries)[i].key = Ref<Header>(&key->header);
    (*entries)[i].value = Ref<Header>(&value->header);
    if (i % 2 == 0) (*keys)[i] = key.get();
  }
  REQUIRE(kit.heap.allocate(kit.node));
  begin(kit);
  CHECK(finish(kit) == 2 + kEntries + 1);  // and the newest
  for (std::uint32_t i = 0; i < kEntries; ++i) CHECK((*entries)[i].is_broken() == (i % 2 != 0));
  CHECK(kit.heap.last_collection().entries_broken == kEntries / 2);
}

TEST_CASE("Incremental: guarded objects are handed out, also those registered in a cycle",
          "[gc][incremental][finalizers]") {
  Kit kit(incremental_options());
  Guardian guardian(kit.heap);
  const Ref<Node> before(kit.heap.allocate(kit.node));
  REQUIRE_FALSE(guardian.guard(kit.heap.get(before)));
  Handle<Node> held = kit.make_node();
  REQUIRE(kit.heap.allocate(kit.node));
  begin(kit);
  REQUIRE_FALSE(guardian.guard(held.get()));
  finish(kit);
  const Result<void*> first = guardian.next();
  REQUIRE(first);
  CHECK(*first == kit.heap.get(before));
  CHECK(*guardian.next() == nullptr);
  held.set(nullptr);
  REQUIRE_FALSE(kit.heap.collect());
  CHECK(*guardian.next() != nullptr);
}

TEST_CASE("Incremental: collect() in the midst leaves no garbage, and reset() nothing",
          "[gc][incremental]") {
  Kit kit(incremental_options());
  Handle<Node> list(kit.heap, make_list(kit, 100));
  begin(kit);
  REQUIRE(kit.heap.step(20));
  list->left = nullptr;
  CHECK(kit.survivors() == 1);
  list.set(make_list(kit, 100));
  begin(kit);
  REQUIRE(kit.heap.step(20));
  REQUIRE_FALSE(kit.heap.reset());
  list = kit.make_node();
  CHECK(kit.survivors() == 1);
  CHECK(verify(kit.heap).ok());
}

TEST_CASE("Incremental: inspection in the midst changes nothing", "[gc][incremental][inspection]") {
  Kit kit(incremental_options());
  const Handle<Node> list(kit.heap, make_list(kit, 500));
  begin(kit);
  for (int i = 0; i < 50 && kit.heap.last_collection().number == 0; ++i) {
    REQUIRE(kit.heap.allocate(kit.node));
    REQUIRE(kit.heap.step(7));
    CHECK(verify(kit.heap).ok());
    const Result<Census> counted = census(kit.heap);
    REQUIRE(counted);
    CHECK(path_to_root(kit.heap, Ref<void>(list->left->left.ref())));
  }
  if (kit.heap.last_collection().number == 0) finish(kit);
  CHECK(kit.survivors() == 500);
}

TEST_CASE("Incremental: a callback that gives up in a slice abandons the cycle, and no object",
          "[gc][incremental][recovery]") {
  struct Foreign {
    Header header;
    Header* target;
  };
  struct State {
    bool gives_up = true;
    bool jumps = false;
    std::jmp_buf place;
  } state;
  Kit kit(incremental_options());
  const Result<TypeId> type =
      kit.heap.define({.name = "Foreign",
                       .size = sizeof(Foreign),
                       .trace =
                           [](const void* object, std::uint32_t, Tracer& tracer) {
                             auto& told = *static_cast<State*>(tracer.user());
                             if (told.gives_up) tracer.abandon();
                             if (told.jumps) std::longjmp(told.place, 1);
                             tracer.visit(Ref<Header>(static_cast<const Foreign*>(object)->target));
                           },
                       .trace_user = &state});
  REQUIRE(type);
  const Handle<Foreign> root(kit.heap, static_cast<Foreign*>(kit.heap.allocate(*type)));
  Node* target = kit.heap.allocate(kit.node);
  note_overwrite_object(root.get());
  root->target = &target->header;
  REQUIRE(kit.heap.allocate(kit.node));
  begin(kit);
  const Result<std::uint64_t> left = kit.heap.step(100);
  REQUIRE_FALSE(left);
  CHECK(left.error().code == Errc::abandoned);
  CHECK(kit.heap.last_collection().abandoned);
  CHECK(kit.heap.check(Ref<Node>(target), kit.node));

  state.gives_up = false;
  state.jumps = true;
  REQUIRE(kit.heap.allocate(kit.node));
  begin(kit);
  if (setjmp(state.place) == 0) {
    static_cast<void>(kit.heap.step(100));
    FAIL("the callback came back");
  }
  state.jumps = false;
  REQUIRE_FALSE(kit.heap.recover());
  CHECK(kit.heap.check(Ref<Node>(target), kit.node));
  CHECK(kit.survivors() == 2);
  REQUIRE(kit.heap.allocate(kit.node));
  begin(kit);
  CHECK(finish(kit) == 3);
  CHECK(verify(kit.heap).ok());
}

TEST_CASE("Incremental: step() says how much is left, and when it may not work",
          "[gc][incremental][misuse]") {
  Kit plain(exact_options());
  CHECK(plain.heap.step(1).error().code == Errc::bad_option);
  HeapOptions none = incremental_options();
  none.slice = 0;
  CHECK(Heap::create(none).error().code == Errc::bad_option);

  Kit kit(incremental_options());
  const Result<std::uint64_t> nothing = kit.heap.step(1);
  REQUIRE(nothing);
  CHECK(*nothing == 0);
  const Handle<Node> list(kit.heap, make_list(kit, 1000));
  {
    const NoCollectScope scope(kit.heap);
    CHECK(kit.heap.step(1).error().code == Errc::no_collect);
  }
  begin(kit);
  std::uint64_t steps = 0;
  Result<std::uint64_t> left = kit.heap.step(10);
  for (; left && *left != 0; left = kit.heap.step(10)) ++steps;
  REQUIRE(left);
  CHECK(steps > 100);
  CHECK(kit.heap.last_collection().number == 1);
  CHECK(kit.heap.stats().collections == 1);
}

TEST_CASE("Incremental: allocation alone begins and ends cycles, of the same work each run",
          "[gc][incremental][policy]") {
  std::uint64_t collections[2];
  std::uint64_t live[2];
  for (int run = 0; run < 2; ++run) {
    HeapOptions options = incremental_options();
    options.slice = 500;
    Kit kit(options);
    const Handle<RefArray<Node>> table = kit.heap.make(kit.refs, 50'000);
    Random random(7);
    for (int i = 0; i < 1'000'000; ++i) {
      Node* node = kit.heap.allocate(kit.node);
      node->left = (*table)[random.below(50'000)].get();
      if (node->left && node->left->left) node->left->left = nullptr;
      (*table)[random.below(50'000)] = node;
    }
    collections[run] = kit.heap.stats().collections;
    live[run] = kit.heap.last_collection().live_objects;
    CHECK(verify(kit.heap).ok());
  }
  CHECK(collections[0] >= 3);
  CHECK(collections[0] == collections[1]);
  CHECK(live[0] == live[1]);
}

TEST_CASE("Incremental: what a weak array's slot gives in a cycle lives to its end",
          "[gc][incremental][weak]") {
  Kit kit(incremental_options());
  const Type<WeakArray> type = kit.defined<WeakArray>();
  const Handle<WeakArray> array = kit.heap.make(type, 4);
  for (std::uint32_t i = 0; i < 4; ++i) {
    (*array)[i] = Ref<Header>(&kit.heap.allocate(kit.node)->header);
  }
  REQUIRE(kit.heap.allocate(kit.node));
  begin(kit);
  const auto taken = (*array)[2].get().as_ref<Header>();
  const Handle<Header> kept(kit.heap, kit.heap.get(taken));
  finish(kit);
  CHECK(kit.lives(taken));
  CHECK((*array)[2].get().bits() == taken.index());
  CHECK((*array)[1].get().is_null());
}

TEST_CASE("Incremental: under zeal a number on the stack that looks like a ref is no lost object",
          "[gc][incremental][zeal][ambiguous]") {
  HeapOptions options = incremental_options();
  options.zeal.verify = true;
  Kit kit(options);
  Node* garbage = kit.heap.allocate(kit.node);
  const std::uint32_t index = Ref<Node>(garbage).index();
  REQUIRE(kit.heap.allocate(kit.node));
  std::uint64_t words[2] = {};
  const RootRegistration range = kit.heap.add_ambiguous_range(words, words + 2, "words");
  begin(kit);
  words[1] = index;
  finish(kit);
  CHECK_FALSE(kit.heap.check(Ref<Node>(index)));
}

TEST_CASE("Incremental: a root that came to what the cycle did not is named by zeal",
          "[gc][incremental][zeal]") {
  HeapOptions options = incremental_options();
  options.zeal.verify = true;
  CHECK_ABORTS(([&] {
                 Kit kit(options);
                 const Ref<Node> garbage(kit.heap.allocate(kit.node));
                 REQUIRE(kit.heap.allocate(kit.node));
                 begin(kit);
                 const Handle<Node> kept(kit.heap, kit.heap.get(garbage), "kept");
                 finish(kit);
               }()),
               "lost: root 'kept' holds Node 0x");
}

TEST_CASE("Incremental: a pointer that is overwritten keeps what it led to, and no number near it",
          "[gc][incremental][pointers]") {
  Kit kit(incremental_options());
  const Result<TypeId> defined =
      kit.heap.define({.name = "Cell", .size = 24, .fields = {{"to", 8, SlotKind::pointer}}});
  REQUIRE(defined);
  struct Cell {
    Header header;
    std::uint64_t to;
    std::uint64_t number;
  };
  Type<Cell> type;
  type.id = *defined;
  const Handle<Node> root = kit.make_node();
  const Handle<Cell> taker = kit.heap.make(type);
  Node* garbage = kit.heap.allocate(kit.node);
  const Ref<Node> dead(garbage);
  const Handle<Node> list(kit.heap, make_list(kit, 100));
  Node* last = list.get();
  while (last->left) last = last->left.get();
  Cell* holder = kit.heap.allocate(type);
  last->right = reinterpret_cast<Node*>(holder);
  Node* moved = kit.heap.allocate(kit.node);
  holder->to = reinterpret_cast<std::uintptr_t>(moved);
  holder->number = dead.index();
  REQUIRE(kit.heap.allocate(kit.node));
  begin(kit);
  REQUIRE(kit.heap.step(3));
  note_overwrite(&taker->to, sizeof taker->to);
  taker->to = holder->to;
  note_overwrite(&holder->to, 2 * sizeof holder->to);
  holder->to = holder->number = 0;
  finish(kit);
  CHECK(kit.lives(Ref<Node>(moved)));
  CHECK_FALSE(kit.lives(dead));
  CHECK(kit.heap.last_collection().bad_refs == 0);
}

TEST_CASE("Incremental: the end that a table's new array loses in the cycle of its birth is free",
          "[gc][incremental][tables]") {
  Kit kit(incremental_options());
  const Type<WeakKeyTable> table_type = kit.defined<WeakKeyTable>();
  const Type<EphemeronArray> entries_type = kit.defined<EphemeronArray>();
  const Handle<WeakKeyTable> table(kit.heap, make_table(kit.heap, table_type, entries_type));
  REQUIRE(kit.heap.allocate(kit.node));
  begin(kit);
  for (std::int32_t i = 0; i < 40; ++i) {
    REQUIRE_FALSE(table->put(kit.heap, Value::integer(i), Value::integer(i)));
  }
  REQUIRE(kit.heap.last_collection().number == 0);
  const std::uint32_t before = table->capacity(kit.heap);
  for (std::int32_t i = 1; i < 40; ++i) REQUIRE(table->remove(kit.heap, Value::integer(i)));
  finish(kit);
  CHECK(table->capacity(kit.heap) < before);
  CHECK(verify(kit.heap).ok());
  std::uint64_t objects = 0;
  const auto count = [](void* sum, const ObjectView&) { ++*static_cast<std::uint64_t*>(sum); };
  REQUIRE_FALSE(each_object(kit.heap, count, &objects));
  CHECK(kit.heap.last_collection().live_objects == objects);
}

}  // namespace besom::test
