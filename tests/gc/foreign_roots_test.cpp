/// Roots that are none: objects of another heap, addresses where no object starts, ranges that are
/// no memory, callbacks that are missing, marks that were made up.

#include <vector>

#include "tests/gc/kit.hpp"

namespace besom::test {

TEST_CASE("An object of another heap is refused wherever a root is made or changed",
          "[gc][roots][misuse]") {
  MisuseTable table("objects of another heap");
  Kit kit;
  Kit other;
  const Handle<Node> foreign = other.make_node();
  const auto refused = [&](bool is_empty) {
    CHECK(is_empty);
    CHECK(kit.heap.error().code == Errc::wrong_heap);
    CHECK(kit.heap.error().bytes == reinterpret_cast<std::uintptr_t>(foreign.get()));
    CHECK(kit.heap.error().limit != 0);
    static_cast<void>(kit.heap.allocate(0));  // another error
    table.row();
  };
  refused(!Handle<Node>(kit.heap, foreign.get()));
  refused(!Weak<Node>(kit.heap, foreign.get()));
  refused(!kit.heap.local(foreign.get()));
  HandleScope scope(kit.heap);
  refused(!scope.root(foreign.get()));
  Guardian guardian(kit.heap);
  const Handle<Node> own = kit.make_node();
  CHECK(guardian.guard(foreign.get()).code == Errc::wrong_heap);
  CHECK(guardian.guard(own.get(), foreign.get()).code == Errc::wrong_heap);
  table.row();

  CHECK_ABORTS(Handle<Node>(kit.heap, own.get()).set(foreign.get()),
               "handle set to another heap's object");
  table.row();
  CHECK_ABORTS(Weak<Node>(kit.heap, own.get()).set(foreign.get()),
               "handle set to another heap's object");
  table.row();
  CHECK_ABORTS(scope.root(own.get()).set(foreign.get()), "local set to another heap's object");
  table.row();
  CHECK(kit.survivors() == 1);
  CHECK(other.survivors() == 1);
}

TEST_CASE("A variable of the host's is no root", "[gc][roots][misuse]") {
  Kit kit;
  Node host = {};
  CHECK_FALSE(Handle<Node>(kit.heap, &host));
  CHECK(kit.heap.error().code == Errc::wrong_heap);
  CHECK_FALSE(kit.heap.local(&host));
  CHECK_ABORTS(kit.make_node().set(&host), "handle set to another heap's object");
}

TEST_CASE("Where no object starts, no handle is made", "[gc][roots][misuse]") {
  MisuseTable table("handles of no object");
  Kit kit(exact_options());
  const Handle<Block> block = kit.heap.make(kit.block);
  auto* const bytes = reinterpret_cast<char*>(block.get());
  Node* const dead = kit.heap.allocate(kit.node);
  REQUIRE_FALSE(kit.heap.collect());
  const auto refuses = [&](void* address) {
    CHECK_FALSE(Handle<Header>(kit.heap, static_cast<Header*>(address)));
    CHECK(kit.heap.error().code == Errc::bad_ref);
    CHECK_FALSE(Weak<Header>(kit.heap, static_cast<Header*>(address)));
    CHECK(kit.heap.error().code == Errc::bad_ref);
    table.row();
  };
  refuses(bytes + 16);
  refuses(bytes + 48);
  refuses(bytes + 8);
  refuses(bytes + 1);
  refuses(dead);
  refuses(bytes - block.ref().index());       // the arena's base
  refuses(bytes + (std::uint64_t{1} << 28));  // beyond what is committed
  CHECK(Handle<Block>(kit.heap, block.get()));
  CHECK(kit.survivors() == 1);
  CHECK(held_roots(kit.heap)->count(HeldRoot::Kind::handle) == 1);
}

TEST_CASE("A handle is made of every object, new or old", "[gc][roots]") {
  Kit kit(exact_options());
  std::vector<Node*> nodes;
  std::vector<Handle<Node>> handles;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 3000; ++i) nodes.push_back(kit.heap.allocate(kit.node));
    for (Node* node : nodes) {
      handles.emplace_back(kit.heap, node);
      REQUIRE(handles.back());
    }
    nodes.clear();
    REQUIRE_FALSE(kit.heap.collect());
    for (const Handle<Node>& handle : handles) REQUIRE(Handle<Node>(kit.heap, handle.get()));
  }
}

TEST_CASE("Ranges that are no memory, and callbacks that are missing, are refused",
          "[gc][roots][misuse]") {
  MisuseTable table("ranges of roots");
  Kit kit;
  alignas(8) std::uint32_t slots[4] = {};
  const auto refused = [&](const RootRegistration& registration, Errc code = Errc::bad_option) {
    CHECK_FALSE(registration);
    CHECK(kit.heap.error().code == code);
    table.row();
  };
  refused(kit.heap.add_root_range(nullptr, 5, "null"), Errc::bad_argument);
  for (const int bits : {45, 46, 61, 62, 63}) {
    refused(kit.heap.add_root_range(slots, std::uint64_t{1} << bits, "huge"));
  }
  refused(kit.heap.add_root_range(slots, ~std::uint64_t{0}, "huge"));
  for (int off = 1; off < 4; ++off) {
    void* odd = reinterpret_cast<char*>(slots) + off;
    refused(kit.heap.add_root_range(static_cast<std::uint32_t*>(odd), 1, "odd"));
  }
  refused(kit.heap.add_ambiguous_range(slots + 1, slots, "backwards"));
  refused(kit.heap.add_ambiguous_range(nullptr, slots, "null"));
  refused(kit.heap.add_ambiguous_range(slots, reinterpret_cast<void*>(~std::uintptr_t{7}), "huge"));
  refused(kit.heap.add_roots(nullptr, nullptr, "no callback"), Errc::bad_argument);
  refused(kit.heap.add_mark_hook(nullptr, nullptr, "no hook"), Errc::bad_argument);
  CHECK(kit.heap.add_root_range(nullptr, 0, "empty"));
  CHECK(kit.heap.add_ambiguous_range(nullptr, nullptr, "empty"));
  CHECK(kit.survivors() == 0);
}

TEST_CASE("Marks of locals that were made up are stale", "[gc][locals][misuse]") {
  MisuseTable table("forged marks");
  Kit kit;
  const LocalMark real = kit.heap.mark_locals();
  const auto stale = [&](const LocalMark& mark) {
    CHECK(kit.heap.restore_locals(mark).code == Errc::stale_handle);
    table.row();
  };
  const auto changed = [&](std::uint64_t serial, std::uint64_t position, std::uint32_t scopes) {
    LocalMark mark = real;
    mark.serial = serial;
    mark.position = position;
    mark.open_scopes = scopes;
    return mark;
  };
  const auto all_stale = [&] {
    const std::uint64_t odd[] = {0, 1, 31, 32, 2047, 2048, 99999, 1u << 20, ~std::uint64_t{0}};
    for (const std::uint64_t position : odd) {
      stale(changed(12345, position, 0));
      stale(changed(0, position, 0));
      stale(changed(~std::uint64_t{0}, position, 0));
    }
    stale(changed(12345, real.position, 0));
    stale(changed(0, real.position, 0));
    stale(changed(0, real.position + 16, 0));
    stale(changed(real.serial, real.position + 1, 0));
    stale(changed(real.serial, real.position + 16, 0));
    stale(changed(real.serial, real.position, 7));
  };
  all_stale();
  CHECK_FALSE(kit.heap.restore_locals(real));
  all_stale();
  stale(real);
  // Also where chunks were given back.
  const LocalMark first = kit.heap.mark_locals();
  for (int i = 0; i < 5000; ++i) static_cast<void>(kit.heap.local(static_cast<Node*>(nullptr)));
  const LocalMark high = kit.heap.mark_locals();
  CHECK_FALSE(kit.heap.restore_locals(first));
  stale(high);
  all_stale();
  CHECK(kit.heap.mark_locals());
}

}  // namespace besom::test
