/// The hook between mark and sweep.

#include <map>
#include <vector>

#include "tests/gc/weak_kit.hpp"

namespace besom::test {
namespace {

/// A host's table of objects that it does not keep alive.
struct HostTable {
  std::map<std::uint32_t, int> entries;
  int calls = 0;

  void add(Node* node, int value) { entries[Kit::ref_of(node).index()] = value; }
  static void drop_dead(void* user, const MarkView& marks) {
    auto& table = *static_cast<HostTable*>(user);
    ++table.calls;
    std::erase_if(table.entries,
                  [&](const auto& entry) { return !marks.is_marked(Ref<void>(entry.first)); });
  }
};

}  // namespace

TEST_CASE("Mark hook: a host's weak table loses the entries of dead objects and no others",
          "[gc][hook][zealous]") {
  Kit kit(any_options());
  HostTable table;
  const MarkHookRegistration hook =
      kit.heap.add_mark_hook(HostTable::drop_dead, &table, "host table");
  REQUIRE(hook);
  Handle<RefArray<Node>> kept = kit.heap.make(kit.refs, 100);
  for (int i = 0; i < 1000; ++i) {
    const Handle<Node> node = kit.make_node();
    table.add(node.get(), i);
    if (i % 10 == 0) (*kept)[static_cast<std::uint32_t>(i / 10)] = node.get();
  }
  REQUIRE_FALSE(kit.heap.collect());
  std::uint32_t found = 0;
  for (std::uint32_t i = 0; i < 100; ++i) {
    const auto entry = table.entries.find((*kept)[i].ref().index());
    REQUIRE(entry != table.entries.end());
    CHECK(entry->second == static_cast<int>(i) * 10);
    ++found;
  }
  CHECK(table.entries.size() == found);
}

TEST_CASE("Mark hook: is_marked answers for refs and addresses of objects alone", "[gc][hook]") {
  Kit kit(exact_options());
  Kit other(exact_options());
  const Handle<Block> live = kit.heap.make(kit.block);
  struct Probe {
    Block* live;
    Node* dead;
    Node* foreign;
    int checked;
  } probe{live.get(), kit.heap.allocate(kit.node), other.heap.allocate(other.node), 0};
  const MarkHookRegistration hook = kit.heap.add_mark_hook(
      [](void* user, const MarkView& marks) {
        auto& p = *static_cast<Probe*>(user);
        const std::uint32_t index = Kit::ref_of(p.live).index();
        CHECK(marks.is_marked(Ref<void>(index)));
        CHECK(marks.is_marked(p.live));
        CHECK_FALSE(marks.is_marked(p.dead));
        CHECK_FALSE(marks.is_marked(Ref<void>(Kit::ref_of(p.dead))));
        CHECK_FALSE(marks.is_marked(p.foreign));
        CHECK_FALSE(marks.is_marked(&p));
        CHECK_FALSE(marks.is_marked(nullptr));
        CHECK_FALSE(marks.is_marked(Ref<void>()));
        for (std::uint32_t off = 1; off < 64; ++off) {
          CHECK_FALSE(marks.is_marked(Ref<void>(index + off)));
        }
        for (const std::uint32_t wild : {0xfffffff0u, 0x7ffffff0u, 0xffffffffu}) {
          CHECK_FALSE(marks.is_marked(Ref<void>(wild)));
        }
        CHECK_FALSE(marks.is_minor());
        ++p.checked;
      },
      &probe, "probe");
  REQUIRE_FALSE(kit.heap.collect());
  CHECK(probe.checked == 1);
}

TEST_CASE("Mark hook: several are called, each until its registration goes", "[gc][hook]") {
  Kit kit(exact_options());
  HostTable tables[3];
  std::vector<MarkHookRegistration> hooks;
  for (HostTable& table : tables) {
    hooks.push_back(kit.heap.add_mark_hook(HostTable::drop_dead, &table, "table"));
    REQUIRE(hooks.back());
  }
  REQUIRE_FALSE(kit.heap.collect());
  hooks[1] = {};
  REQUIRE_FALSE(kit.heap.collect());
  CHECK_FALSE(hooks[0].remove());
  CHECK(hooks[0].remove().code == Errc::stale_handle);
  REQUIRE_FALSE(kit.heap.collect());
  CHECK(tables[0].calls == 2);
  CHECK(tables[1].calls == 1);
  CHECK(tables[2].calls == 3);
}

TEST_CASE("Mark hook: it keeps nothing alive and is no root to verify()", "[gc][hook]") {
  Kit kit(exact_options());
  HostTable table;
  const MarkHookRegistration hook = kit.heap.add_mark_hook(HostTable::drop_dead, &table, "table");
  table.add(kit.heap.allocate(kit.node), 1);
  const VerifyReport report = verify(kit.heap);
  CHECK(report.ok());
  CHECK(report.slots == 2);
  CHECK(table.calls == 0);
  CHECK(kit.survivors() == 0);
  CHECK(table.entries.empty());
}

TEST_CASE("Mark hook: in a minor collection every old object counts as marked", "[gc][hook]") {
  HeapOptions options = exact_options();
  options.generational = true;
  options.zeal.collect_every = 100;  // three in four are minor
  Kit kit(options);
  struct Seen {
    std::uint32_t old_dead;
    int minor = 0, full = 0;
  } seen{};
  Handle<Node> holder = kit.make_node();
  REQUIRE_FALSE(kit.heap.collect());
  const MarkHookRegistration hook = kit.heap.add_mark_hook(
      [](void* user, const MarkView& marks) {
        auto& s = *static_cast<Seen*>(user);
        CHECK(marks.is_marked(Ref<void>(s.old_dead)) == marks.is_minor());
        ++(marks.is_minor() ? s.minor : s.full);
      },
      &seen, "seen");
  seen.old_dead = holder.ref().index();
  holder.reset();
  while (seen.minor == 0) {
    REQUIRE(seen.full == 0);
    REQUIRE(kit.heap.allocate(kit.block) != nullptr);
  }
  REQUIRE_FALSE(kit.heap.collect());
  CHECK(seen.full == 1);
}

TEST_CASE("Mark hook: it finds the headers and slots that the program left",
          "[gc][hook][ephemerons]") {
  struct Scene {
    EphemeronArray* entries;
    Node* dead;
    Node* live;
    std::uint32_t node;
    int calls = 0;

    /// What waited for a key, dead or not, is out of the way.
    void check() {
      for (std::uint32_t i = 0; i < 2; ++i) {
        CHECK((*entries)[i].key.get() == WeakKit::value_of(i == 0 ? dead : live));
        CHECK((*entries)[i].value.get() == Value::integer(5));
      }
      CHECK(dead->header.type == node);
      CHECK(live->header.type == node);
      ++calls;
    }
  } scene{};
  HeapOptions options = exact_options();
  options.log = LogLevel::debug;
  options.sink.user = &scene;
  options.sink.write = [](void* user, LogLevel, const char* line) noexcept {
    auto& seen = *static_cast<Scene*>(user);
    if (seen.entries != nullptr && std::strncmp(line, "marked", 6) == 0) seen.check();
  };
  WeakKit kit(options);
  Guardian guardian(kit.heap);
  const Handle<EphemeronArray> entries = kit.heap.make(kit.ephemerons, 2);
  Handle<Node> dead = kit.make_node();
  const Handle<EphemeronArray> last = kit.heap.make(kit.ephemerons, 1);
  Handle<Node> live = kit.make_node();
  (*entries)[0].key = WeakKit::value_of(dead.get());
  (*entries)[1].key = WeakKit::value_of(live.get());
  (*entries)[0].value = (*entries)[1].value = Value::integer(5);
  (*last)[0].key = WeakKit::value_of(entries.get());
  (*last)[0].value = WeakKit::value_of(live.get());
  REQUIRE_FALSE(guardian.guard(live.get(), entries.get()));
  scene = {entries.get(), dead.get(), live.get(), kit.node.id};
  dead = {};
  live = {};
  const MarkHookRegistration hook = kit.heap.add_mark_hook(
      [](void* user, const MarkView& marks) {
        auto& s = *static_cast<Scene*>(user);
        CHECK_FALSE(marks.is_marked(s.dead));
        CHECK(marks.is_marked(s.live));
        s.check();
      },
      &scene, "looks");
  REQUIRE_FALSE(kit.heap.collect());
  CHECK(scene.calls == 2);
  scene.entries = nullptr;
  CHECK((*entries)[0].is_broken());
  CHECK_FALSE((*entries)[1].is_broken());
}

TEST_CASE("Mark hook: an old registration does not remove the one in its place",
          "[gc][hook][misuse]") {
  MisuseTable rows("mark hooks removed again");
  Kit kit(exact_options());
  HostTable table;
  MarkHookRegistration first = kit.heap.add_mark_hook(HostTable::drop_dead, &table, "first");
  CHECK_FALSE(first.remove());
  const MarkHookRegistration second =
      kit.heap.add_mark_hook(HostTable::drop_dead, &table, "second");
  for (int i = 0; i < 3; ++i) {
    CHECK(first.remove().code == Errc::stale_handle);
    rows.row();
  }
  REQUIRE_FALSE(kit.heap.collect());
  CHECK(table.calls == 1);
}

}  // namespace besom::test
