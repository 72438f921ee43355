/// Guardians: what is found dead is handed out, whole, once for each registration.

#include <stdexcept>
#include <string>
#include <vector>

#include "tests/gc/weak_kit.hpp"

namespace besom::test {
namespace {

std::uint32_t number_of(void* agent) { return static_cast<Header*>(agent)->length; }

Node* take(Guardian& guardian) {
  const Result<void*> agent = guardian.next();
  REQUIRE(agent);
  return static_cast<Node*>(*agent);
}

Handle<Node> numbered(Kit& kit, std::uint32_t number) {
  Handle<Node> node = kit.make_node();
  node->header.length = number;
  return node;
}

/// The numbers of all that is ready.
std::vector<std::uint32_t> drained(Guardian& guardian) {
  std::vector<std::uint32_t> numbers;
  while (Node* node = take(guardian)) numbers.push_back(node->header.length);
  return numbers;
}

struct Log {
  std::vector<std::uint32_t> numbers;
  static void write(void* user, Heap&, void* agent) {
    static_cast<Log*>(user)->numbers.push_back(number_of(agent));
  }
};

}  // namespace

TEST_CASE("Guardian: hands out what has died, once", "[gc][finalizers]") {
  Kit kit;
  Guardian guardian(kit.heap);
  Handle<Node> node = numbered(kit, 7);
  REQUIRE_FALSE(guardian.guard(node.get()));
  CHECK(guardian.pending() == 1);
  CHECK(kit.survivors() == 1);
  CHECK(guardian.ready() == 0);
  CHECK(take(guardian) == nullptr);
  node.reset();
  CHECK(kit.survivors() == 1);
  CHECK(kit.heap.last_collection().finalizers_ready == 1);
  CHECK(guardian.pending() == 0);
  CHECK(guardian.ready() == 1);
  CHECK(kit.survivors() == 1);  // ready is a root
  Node* const agent = take(guardian);
  REQUIRE(agent != nullptr);
  CHECK(agent->header.length == 7);
  CHECK(take(guardian) == nullptr);
  CHECK(kit.survivors() == 0);  // two collections with a finalizer
  CHECK(guardian.ready() == 0);
}

TEST_CASE("Guardian: hands out the object with its agent where both were asked for",
          "[gc][finalizers]") {
  Kit kit;
  Guardian guardian(kit.heap);
  {
    const Handle<Node> node = numbered(kit, 7);
    const Handle<Node> agent = numbered(kit, 8);
    node->left = kit.heap.allocate(kit.node);
    REQUIRE_FALSE(guardian.guard_both(node.get(), agent.get()));
  }
  CHECK(kit.survivors() == 3);
  CHECK(guardian.ready() == 1);
  CHECK(kit.survivors() == 3);  // both are roots
  const Result<Guarded> both = guardian.next_both();
  REQUIRE(both);
  REQUIRE(both->object != nullptr);
  CHECK(number_of(both->object) == 7);
  CHECK(number_of(both->agent) == 8);
  CHECK(static_cast<Node*>(both->object)->left);
  const Result<Guarded> none = guardian.next_both();
  REQUIRE(none);
  CHECK(none->agent == nullptr);
  CHECK(none->object == nullptr);
  CHECK(kit.survivors() == 0);
}

TEST_CASE("Guardian: an agent that stands in for its object comes without it", "[gc][finalizers]") {
  Kit kit;
  Guardian guardian(kit.heap);
  for (const bool is_agent_the_object : {false, true}) {
    {
      const Handle<Node> node = numbered(kit, 7);
      const Handle<Node> agent = numbered(kit, 8);
      REQUIRE_FALSE(guardian.guard(node.get(), is_agent_the_object ? node.get() : agent.get()));
      REQUIRE_FALSE(guardian.guard_both(node.get(), nullptr, -1));
      REQUIRE_FALSE(guardian.guard(node.get(), nullptr, -2));
    }
    REQUIRE_FALSE(kit.heap.collect());
    const Result<Guarded> first = guardian.next_both();
    REQUIRE(first);
    CHECK(number_of(first->agent) == (is_agent_the_object ? 7 : 8));
    CHECK(first->object == (is_agent_the_object ? first->agent : nullptr));
    for (int i = 0; i < 2; ++i) {
      const Result<Guarded> second = guardian.next_both();
      REQUIRE(second);
      CHECK(second->agent != nullptr);
      CHECK(second->object == second->agent);
    }
  }
}

TEST_CASE("Guardian: a callback gets the agent of both, and next() too", "[gc][finalizers]") {
  Kit kit;
  Log log;
  Guardian called(kit.heap, Log::write, &log);
  Guardian asked(kit.heap);
  for (Guardian* guardian : {&called, &asked}) {
    const Handle<Node> node = numbered(kit, 7);
    const Handle<Node> agent = numbered(kit, 8);
    REQUIRE_FALSE(guardian->guard_both(node.get(), agent.get()));
  }
  CHECK(kit.survivors() == 4);
  REQUIRE(kit.heap.run_finalizers());
  CHECK(log.numbers == std::vector<std::uint32_t>{8});
  CHECK(take(asked)->header.length == 8);
  CHECK(kit.survivors() == 0);
}

TEST_CASE("Guardian: what make_all_ready() takes from the dead in a cycle lives to its end",
          "[gc][finalizers][incremental]") {
  HeapOptions options = exact_options();
  options.incremental = true;
  options.slice = 1;
  enum class Way { next, callback, after };
  for (const Way way : {Way::next, Way::callback, Way::after}) {
    INFO(static_cast<int>(way));
    Kit kit(options);
    struct Kept {
      Node* agent;
      static void keep(void* user, Heap&, void* agent) {
        static_cast<Kept*>(user)->agent = static_cast<Node*>(agent);
      }
    } kept{};
    Guardian guardian(kit.heap, way == Way::callback ? Kept::keep : nullptr, &kept);
    const Handle<Node> holder = kit.make_node();
    const Handle<Node> list = kit.make_node();
    Node* last = list.get();
    for (int i = 0; i < 100; ++i) last = (last->left = kit.heap.allocate(kit.node)).get();
    {
      const Handle<Node> node = numbered(kit, 7);
      const Handle<Node> agent = numbered(kit, 8);
      REQUIRE_FALSE(guardian.guard_both(node.get(), agent.get()));
    }
    REQUIRE(kit.heap.allocate(kit.node));  // the newest is a root
    REQUIRE(kit.heap.step(1));
    REQUIRE(kit.heap.step(2));  // the holder has been visited
    REQUIRE_FALSE(guardian.make_all_ready());
    const auto take_both = [&] {
      const Result<Guarded> both = guardian.next_both();
      REQUIRE(both);
      holder->left = static_cast<Node*>(both->agent);
      holder->right = static_cast<Node*>(both->object);
    };
    if (way == Way::next) take_both();
    if (way == Way::callback) {
      REQUIRE(kit.heap.run_finalizers());
      holder->left = kept.agent;
    }
    const std::uint64_t number = kit.heap.last_collection().number;
    while (kit.heap.last_collection().number == number) REQUIRE(kit.heap.step(10));
    if (way == Way::after) take_both();
    CHECK(kit.lives(holder->left.ref()));
    if (way != Way::callback) CHECK(kit.lives(holder->right.ref()));
  }
}

TEST_CASE("Guardian: brings the whole subgraph back", "[gc][finalizers]") {
  Kit kit;
  Guardian guardian(kit.heap);
  {
    const Handle<Node> root = numbered(kit, 1);
    Node* last = root.get();
    for (std::uint32_t i = 2; i <= 100; ++i) {
      last->left = kit.heap.allocate(kit.node);
      last = last->left.get();
      last->header.length = i;
    }
    last->right = root.get();
    REQUIRE_FALSE(guardian.guard(root.get()));
  }
  CHECK(kit.survivors() == 100);
  const Handle<Node> revived(kit.heap, take(guardian));
  CHECK(kit.survivors() == 100);
  std::uint32_t expected = 1;
  for (const Node* node = revived.get(); node != nullptr; node = node->left.get()) {
    REQUIRE(node->header.length == expected++);
  }
  CHECK(expected == 101);
}

TEST_CASE("Guardian: the next collection decides anew about what was brought back",
          "[gc][finalizers]") {
  Kit kit;
  Guardian guardian(kit.heap);
  Handle<Node> node = numbered(kit, 1);
  for (int round = 0; round < 3; ++round) {
    REQUIRE_FALSE(guardian.guard(node.get()));
    node.reset();
    CHECK(kit.survivors() == 1);
    node = Handle<Node>(kit.heap, take(guardian));
    REQUIRE(node);
    CHECK(kit.survivors() == 1);
    CHECK(guardian.ready() == 0);
  }
  node.reset();
  CHECK(kit.survivors() == 0);
}

TEST_CASE("Guardian: several registrations are handed out each", "[gc][finalizers]") {
  Kit kit;
  Guardian first(kit.heap);
  Guardian second(kit.heap);
  Handle<Node> node = numbered(kit, 5);
  for (int i = 0; i < 3; ++i) REQUIRE_FALSE(first.guard(node.get()));
  for (int i = 0; i < 2; ++i) REQUIRE_FALSE(second.guard(node.get()));
  node.reset();
  CHECK(kit.survivors() == 1);
  CHECK(kit.heap.last_collection().finalizers_ready == 5);
  CHECK(drained(first) == std::vector<std::uint32_t>{5, 5, 5});
  CHECK(kit.survivors() == 1);
  CHECK(drained(second) == std::vector<std::uint32_t>{5, 5});
  CHECK(kit.survivors() == 0);
}

TEST_CASE("Guardian: by priority, then in the order of registration", "[gc][finalizers]") {
  Kit kit;
  Guardian guardian(kit.heap);
  const std::int32_t priorities[] = {0, 5, -3, 5, 0, 9, -3};
  {
    HandleScope scope(kit.heap);
    for (std::uint32_t i = 0; i < 7; ++i) {
      const Local<Node> node = scope.root(kit.heap.allocate(kit.node));
      node->header.length = i;
      REQUIRE_FALSE(guardian.guard(node.get(), nullptr, priorities[i]));
    }
  }
  REQUIRE_FALSE(kit.heap.collect());
  CHECK(drained(guardian) == std::vector<std::uint32_t>{5, 1, 3, 0, 4, 2, 6});
}

TEST_CASE("Guardian: objects that refer to each other become ready together", "[gc][finalizers]") {
  Kit kit;
  Guardian guardian(kit.heap);
  {
    const Handle<Node> parent = numbered(kit, 1);
    const Handle<Node> child = numbered(kit, 2);
    parent->left = child.get();
    child->left = parent.get();
    REQUIRE_FALSE(guardian.guard(parent.get()));
    REQUIRE_FALSE(guardian.guard(child.get()));
  }
  CHECK(kit.survivors() == 2);
  CHECK(guardian.ready() == 2);
  CHECK(drained(guardian) == std::vector<std::uint32_t>{1, 2});
  CHECK(kit.survivors() == 0);
}

TEST_CASE("Guardian: an agent lives with its object, is handed out for it, and does not keep it",
          "[gc][finalizers]") {
  Kit kit;
  Guardian guardian(kit.heap);
  Handle<Node> object = numbered(kit, 1);
  {
    const Handle<Node> agent = numbered(kit, 2);
    REQUIRE_FALSE(guardian.guard(object.get(), agent.get()));
  }
  CHECK(kit.survivors() == 2);
  object.reset();
  CHECK(kit.survivors() == 1);
  Node* const handed_out = take(guardian);
  REQUIRE(handed_out != nullptr);
  CHECK(handed_out->header.length == 2);

  object = numbered(kit, 3);
  {
    const Handle<Node> agent = numbered(kit, 4);
    agent->left = object.get();
    REQUIRE_FALSE(guardian.guard(object.get(), agent.get()));
  }
  CHECK(kit.survivors() == 2);
  object.reset();
  CHECK(kit.survivors() == 2);
  CHECK(guardian.ready() == 1);
  Node* const agent = take(guardian);
  CHECK(agent->header.length == 4);
  CHECK(agent->left->header.length == 3);
}

TEST_CASE("Guardian: a chain of agents is followed in one collection", "[gc][finalizers]") {
  constexpr std::uint32_t kCount = 2000;
  for (const std::uint32_t stack : {0u, 2u}) {
    HeapOptions options = exact_options();
    options.mark_stack = stack;
    Kit kit(options);
    Guardian guardian(kit.heap);
    Handle<Node> first = numbered(kit, 0);
    {
      const Handle<RefArray<Node>> nodes = kit.heap.make(kit.refs, kCount);
      (*nodes)[0] = first.get();
      for (std::uint32_t i = 1; i < kCount; ++i) (*nodes)[i] = kit.heap.allocate(kit.node);
      for (std::uint32_t i = kCount - 1; i > 0; --i) {
        REQUIRE_FALSE(guardian.guard((*nodes)[i - 1].get(), (*nodes)[i].get()));
      }
    }
    CHECK(kit.survivors() == kCount);
    CHECK(guardian.ready() == 0);
    first.reset();
    CHECK(kit.survivors() == kCount - 1);
    CHECK(guardian.ready() == kCount - 1);
  }
}

TEST_CASE("Guardian: objects and agents in chains of ephemerons", "[gc][finalizers][ephemerons]") {
  WeakKit kit;
  Guardian guardian(kit.heap);
  const Handle<EphemeronArray> entries = kit.heap.make(kit.ephemerons, 2);
  Handle<Node> object = numbered(kit, 1);
  // The object's agent is the key of an entry that waits, and the object has an entry as well.
  {
    const Handle<Node> agent = numbered(kit, 2);
    (*entries)[0].key = WeakKit::value_of(agent.get());
    (*entries)[0].value = WeakKit::value_of(kit.heap.allocate(kit.node));
    (*entries)[1].key = WeakKit::value_of(object.get());
    (*entries)[1].value = WeakKit::value_of(kit.heap.allocate(kit.node));
    REQUIRE_FALSE(guardian.guard(object.get(), agent.get()));
  }
  CHECK(kit.survivors() == 5);
  object.reset();
  // The entries were broken before the agent became ready.
  CHECK(kit.survivors() == 2);
  CHECK((*entries)[0].is_broken());
  CHECK((*entries)[1].is_broken());
  CHECK(drained(guardian) == std::vector<std::uint32_t>{2});
}

TEST_CASE("Guardian: ephemerons that only the dying reach are settled with them",
          "[gc][finalizers][ephemerons]") {
  WeakKit kit;
  Guardian guardian(kit.heap);
  {
    const Handle<EphemeronArray> entries = kit.heap.make(kit.ephemerons, 3);
    const Handle<Node> outsider = kit.make_node();
    (*entries)[0].key = WeakKit::value_of(entries.get());
    (*entries)[0].value = WeakKit::value_of(kit.heap.allocate(kit.node));
    (*entries)[1].key = WeakKit::value_of(outsider.get());
    (*entries)[1].value = WeakKit::value_of(kit.heap.allocate(kit.node));
    (*entries)[2].key = (*entries)[0].value;
    (*entries)[2].value = WeakKit::value_of(kit.heap.allocate(kit.node));
    REQUIRE_FALSE(guardian.guard(entries.get()));
  }
  CHECK(kit.survivors() == 3);
  const Result<void*> agent = guardian.next();
  REQUIRE((agent && *agent != nullptr));
  const Handle<EphemeronArray> revived(kit.heap, static_cast<EphemeronArray*>(*agent));
  CHECK_FALSE((*revived)[0].is_broken());
  CHECK((*revived)[1].is_broken());
  CHECK_FALSE((*revived)[2].is_broken());
  CHECK(kit.survivors() == 3);
}

TEST_CASE("Guardian: dropping it drops what it watches", "[gc][finalizers]") {
  Kit kit;
  Guardian kept(kit.heap);
  Handle<Node> node = numbered(kit, 1);
  {
    Guardian dropped(kit.heap);
    REQUIRE_FALSE(dropped.guard(node.get()));
    REQUIRE_FALSE(kept.guard(node.get()));
    Handle<Node> dead = numbered(kit, 2);
    REQUIRE_FALSE(dropped.guard(dead.get()));
    dead.reset();
    CHECK(kit.survivors() == 2);
    CHECK(dropped.ready() == 1);
  }
  CHECK(kept.pending() == 1);
  node.reset();
  CHECK(kit.survivors() == 1);
  CHECK(drained(kept) == std::vector<std::uint32_t>{1});
  CHECK(kit.survivors() == 0);
}

TEST_CASE("Guardian: dropped after collections, all that it has pending goes with it",
          "[gc][finalizers]") {
  HeapOptions options = exact_options();
  for (const bool generational : {false, true}) {
    options.generational = generational;
    Kit kit(options);
    std::vector<Handle<Node>> nodes;
    Guardian kept(kit.heap);
    Guardian dropped(kit.heap);
    for (std::uint32_t i = 0; i < 40; ++i) {
      nodes.push_back(numbered(kit, i));
      REQUIRE_FALSE(dropped.guard(nodes.back().get()));
      REQUIRE_FALSE(kept.guard(nodes.back().get()));
      if (i % 8 == 7) {
        nodes[i - 3].reset();  // and leaves a gap
        REQUIRE_FALSE(kit.heap.collect());
      }
    }
    CHECK(dropped.pending() == 35);
    dropped.reset();
    CHECK(kept.pending() == 35);
    CHECK(kept.ready() == 5);
    CHECK(drained(kept) == std::vector<std::uint32_t>{4, 12, 20, 28, 36});
    nodes.clear();
    REQUIRE_FALSE(kit.heap.collect());
    CHECK(drained(kept).size() == 35);
    CHECK(kept.pending() == 0);
    CHECK(kit.survivors() == 0);
    CHECK(verify(kit.heap).ok());
  }
}

TEST_CASE("Guardian: moving keeps what it has", "[gc][finalizers]") {
  Kit kit;
  Guardian guardian(kit.heap);
  Handle<Node> node = numbered(kit, 3);
  REQUIRE_FALSE(guardian.guard(node.get()));
  Guardian moved(std::move(guardian));
  CHECK_FALSE(guardian);
  CHECK(moved.pending() == 1);
  node.reset();
  CHECK(kit.survivors() == 1);
  guardian = std::move(moved);
  CHECK(drained(guardian) == std::vector<std::uint32_t>{3});
}

TEST_CASE("Guardian: what is left can be handed out before the end", "[gc][finalizers]") {
  Kit kit;
  Guardian guardian(kit.heap);
  Guardian other(kit.heap);
  const Handle<Node> alive = numbered(kit, 1);
  const Handle<Node> agent = numbered(kit, 2);
  REQUIRE_FALSE(guardian.guard(alive.get()));
  REQUIRE_FALSE(other.guard(alive.get()));
  REQUIRE_FALSE(guardian.guard(alive.get(), agent.get(), 1));
  REQUIRE_FALSE(guardian.make_all_ready());
  CHECK(guardian.pending() == 0);
  CHECK(other.pending() == 1);
  CHECK(drained(guardian) == std::vector<std::uint32_t>{2, 1});
  CHECK(kit.survivors() == 2);
}

TEST_CASE("Guardian: destroying or resetting the heap drops all, silently", "[gc][finalizers]") {
  Kit kit;
  Log log;
  Guardian guardian(kit.heap, Log::write, &log);
  Handle<Node> dead = numbered(kit, 1);
  const Handle<Node> alive = numbered(kit, 2);
  REQUIRE_FALSE(guardian.guard(dead.get()));
  REQUIRE_FALSE(guardian.guard(alive.get()));
  dead.reset();
  REQUIRE_FALSE(kit.heap.collect());
  CHECK(guardian.ready() == 1);
  REQUIRE_FALSE(kit.heap.reset());
  CHECK(guardian);
  CHECK(guardian.pending() == 0);
  CHECK(guardian.ready() == 0);
  Handle<Node> later = numbered(kit, 3);
  REQUIRE_FALSE(guardian.guard(later.get()));
  later.reset();
  CHECK(kit.survivors() == 1);
  CHECK(guardian.ready() == 1);
  kit.owned.reset();
  CHECK(guardian.is_stale());
  CHECK_FALSE(guardian);
  CHECK(guardian.ready() == 0);
  CHECK(log.numbers.empty());
}

TEST_CASE("Finalizers: callbacks run by priority over all guardians, up to the limit",
          "[gc][finalizers]") {
  Kit kit;
  Log log;
  Guardian first(kit.heap, Log::write, &log);
  Guardian second(kit.heap, Log::write, &log);
  Guardian queue(kit.heap);
  for (std::uint32_t i = 0; i < 6; ++i) {
    const Handle<Node> node = numbered(kit, i);
    Guardian& guardian = i % 2 == 0 ? first : second;
    REQUIRE_FALSE(guardian.guard(node.get(), nullptr, i == 3 ? 1 : 0));
    REQUIRE_FALSE(queue.guard(node.get()));
  }
  REQUIRE_FALSE(kit.heap.collect());
  CHECK(log.numbers.empty());
  CHECK(*kit.heap.run_finalizers(4) == 4);
  CHECK(log.numbers == std::vector<std::uint32_t>{3, 0, 1, 2});
  CHECK(*kit.heap.run_finalizers() == 2);
  CHECK(log.numbers == std::vector<std::uint32_t>{3, 0, 1, 2, 4, 5});
  CHECK(*kit.heap.run_finalizers() == 0);
  CHECK(queue.ready() == 6);
  CHECK(kit.heap.stats().finalizers_run == 6);
  CHECK(kit.heap.stats().finalizers_failed == 0);
}

TEST_CASE("Finalizers: one that throws is counted, and the rest still run", "[gc][finalizers]") {
  Kit kit;
  std::vector<std::uint32_t> ran;
  Guardian guardian(
      kit.heap,
      [](void* user, Heap&, void* agent) {
        static_cast<std::vector<std::uint32_t>*>(user)->push_back(number_of(agent));
        if (number_of(agent) % 2 == 0) throw std::runtime_error("finalizer");
        if (number_of(agent) == 3) throw 3;
      },
      &ran);
  for (std::uint32_t i = 0; i < 6; ++i) {
    REQUIRE_FALSE(guardian.guard(numbered(kit, i).get()));
  }
  REQUIRE_FALSE(kit.heap.collect());
  CHECK(*kit.heap.run_finalizers() == 6);
  CHECK(ran == std::vector<std::uint32_t>{0, 1, 2, 3, 4, 5});
  CHECK(kit.heap.stats().finalizers_failed == 4);
  CHECK(kit.survivors() == 0);
}

TEST_CASE("Finalizers: a callback allocates up to the limit, and keeps what it likes",
          "[gc][finalizers]") {
  struct Host {
    Type<Node> type;
    Handle<Node> list, revived;
    Errc end = Errc::ok;
  };
  Kit kit(exact_options(256 * kKiB));
  Host host{kit.node, kit.make_node(), {}, Errc::ok};
  Guardian guardian(
      kit.heap,
      [](void* user, Heap& heap, void* agent) {
        auto& h = *static_cast<Host*>(user);
        while (Node* node = heap.allocate(h.type)) {
          node->left = h.list.get();
          h.list.set(node);
        }
        h.end = heap.error().code;
        h.revived = Handle<Node>(heap, static_cast<Node*>(agent));
      },
      &host);
  {
    const Handle<Node> dying = numbered(kit, 42);
    dying->left = kit.heap.allocate(kit.node);
    dying->left->header.length = 43;
    REQUIRE_FALSE(guardian.guard(dying.get()));
  }
  REQUIRE_FALSE(kit.heap.collect());
  const std::uint64_t before = kit.heap.stats().collections;
  CHECK(*kit.heap.run_finalizers() == 1);
  CHECK(host.end == Errc::heap_limit);
  CHECK(kit.heap.stats().collections > before);
  REQUIRE(host.revived);
  CHECK(host.revived->header.length == 42);
  CHECK(host.revived->left->header.length == 43);
  host.list.reset();
  CHECK(kit.survivors() == 2);
  CHECK(verify(kit.heap).ok());
}

TEST_CASE("Finalizers: a dying ref stored into a living object lives on", "[gc][finalizers]") {
  Kit kit;
  Handle<Node> holder = kit.make_node();
  Guardian guardian(
      kit.heap,
      [](void* user, Heap&, void* agent) {
        (*static_cast<Handle<Node>*>(user))->left = static_cast<Node*>(agent);
      },
      &holder);
  REQUIRE_FALSE(guardian.guard(numbered(kit, 9).get()));
  REQUIRE_FALSE(kit.heap.collect());
  CHECK(*kit.heap.run_finalizers() == 1);
  CHECK(kit.survivors() == 2);
  CHECK(holder->left->header.length == 9);
}

TEST_CASE("Finalizers: a collection asked for inside one comes when it has returned",
          "[gc][finalizers][reentrant]") {
  Kit kit(exact_options());
  struct Seen {
    std::uint64_t inside = 0;
    Error error;
  } seen;
  Guardian guardian(
      kit.heap,
      [](void* user, Heap& heap, void*) {
        auto& s = *static_cast<Seen*>(user);
        s.error = heap.collect();
        s.error = heap.collect();
        s.inside = heap.stats().collections;
      },
      &seen);
  REQUIRE_FALSE(guardian.guard(kit.make_node().get()));
  REQUIRE_FALSE(kit.heap.collect());
  const std::uint64_t before = kit.heap.stats().collections;
  CHECK(*kit.heap.run_finalizers() == 1);
  CHECK_FALSE(seen.error);
  CHECK(seen.inside == before);
  CHECK(kit.heap.stats().collections == before + 1);
  CHECK(kit.heap.last_collection().cause == Cause::requested);
  CHECK(kit.heap.last_collection().live_objects == 0);
}

TEST_CASE("Finalizers: one that guards its agent again does not run for ever", "[gc][finalizers]") {
  Kit kit;
  Guardian guardian;
  struct Host {
    Guardian* guardian;
    int runs = 0;
  } host{&guardian};
  guardian = Guardian(
      kit.heap,
      [](void* user, Heap& heap, void* agent) {
        auto& h = *static_cast<Host*>(user);
        ++h.runs;
        static_cast<void>(h.guardian->guard(agent));
        static_cast<void>(heap.collect());
      },
      &host);
  REQUIRE_FALSE(guardian.guard(kit.make_node().get()));
  REQUIRE_FALSE(kit.heap.collect());
  for (int i = 1; i <= 3; ++i) {
    CHECK(*kit.heap.run_finalizers() == 1);
    CHECK(host.runs == i);
    CHECK(guardian.ready() == 1);
  }
}

TEST_CASE("Finalizers: a callback may drop guardians, its own too", "[gc][finalizers]") {
  Kit kit;
  struct Host {
    Guardian first, second;
    int runs = 0;
  } host;
  const auto drop_all = [](void* user, Heap&, void*) {
    auto& h = *static_cast<Host*>(user);
    ++h.runs;
    h.first.reset();
    h.second.reset();
  };
  host.first = Guardian(kit.heap, drop_all, &host);
  host.second = Guardian(kit.heap, drop_all, &host);
  for (std::uint32_t i = 0; i < 4; ++i) {
    const Handle<Node> node = kit.make_node();
    REQUIRE_FALSE(host.first.guard(node.get()));
    REQUIRE_FALSE(host.second.guard(node.get()));
  }
  REQUIRE_FALSE(kit.heap.collect());
  CHECK(*kit.heap.run_finalizers() == 1);
  CHECK(host.runs == 1);
  CHECK(kit.survivors() == 0);
}

TEST_CASE("Guardian: a hundred thousand registrations, some of which die each time",
          "[gc][finalizers]") {
  constexpr std::uint32_t kCount = Zeal::kBuiltIn ? 2000 : 100'000;
  Kit kit(exact_options());
  Guardian guardian(kit.heap);
  const Handle<RefArray<Node>> nodes = kit.heap.make(kit.refs, kCount);
  for (std::uint32_t i = 0; i < kCount; ++i) {
    (*nodes)[i] = kit.heap.allocate(kit.node);
    (*nodes)[i]->header.length = i;
    REQUIRE_FALSE(guardian.guard((*nodes)[i].get()));
  }
  Random random = random_for("Guardian: many");
  INFO("seed " << test_seed());
  std::uint64_t handed_out = 0;
  for (int round = 0; round < 8; ++round) {
    std::vector<std::uint32_t> dying;
    for (std::uint32_t i = 0; i < kCount; ++i) {
      if (!(*nodes)[i] || random.below(3) != 0) continue;
      (*nodes)[i] = nullptr;
      dying.push_back(i);
    }
    REQUIRE_FALSE(kit.heap.collect());
    const std::vector<std::uint32_t> numbers = drained(guardian);
    REQUIRE(numbers == dying);
    handed_out += dying.size();
  }
  CHECK(guardian.pending() == kCount - handed_out);
}

}  // namespace besom::test
