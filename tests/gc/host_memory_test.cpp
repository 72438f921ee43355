/// The host's allocator: refused at every place, and not asked at all inside a collection.

#include "tests/gc/host_memory.hpp"

#include <unistd.h>

#include <cstdio>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "tests/gc/weak_kit.hpp"
#include "tests/heap/fault_system.hpp"

namespace besom::test {
namespace {

/// What a life ran into. Plain numbers, so that noting it takes no memory.
struct Findings {
  std::uint64_t refusals = 0;
  std::uint64_t wrong_codes = 0;
  std::uint64_t failed_retries = 0;
  std::uint64_t unsound = 0;
  std::uint64_t last_need = 0;  ///< HostMemory::allocations() when all that is needed was there.

  void refused(Errc code) {
    ++refusals;
    if (code != Errc::out_of_host_memory) ++wrong_codes;
  }
};

/// Fixed arrays instead of vectors: all host memory asked for is the library's.
struct Roots {
  static constexpr int kHandles = 2500;
  static constexpr int kLocals = 2500;
  static constexpr int kRanges = 40;
  Handle<RefArray<Node>> handles[kHandles];
  RootRegistration ranges[kRanges];
  static constexpr int kWeak = 1100;
  static constexpr int kGuarded = 300;
  Weak<RefArray<Node>> weak[kWeak];
  Guardian guardians[2];
  std::uint32_t slots[kRanges] = {};
};

/// A heap from its creation to its end; each refused step is taken again once memory is back.
void live(const HeapOptions& options, Roots& roots, Findings& findings) {
  Result<HeapPtr> created = Heap::create(options);
  if (!created) {
    findings.refused(created.error().code);
    HostMemory::lift();
    created = Heap::create(options);
    if (!created) {
      ++findings.failed_retries;
      return;
    }
  }
  Heap& heap = **created;
  // A descriptor without fields, of a short name: copying it takes no memory of the host's.
  const auto define = [&] {
    Result<Type<RefArray<Node>>> type = heap.define<RefArray<Node>>();
    if (!type) {
      findings.refused(type.error().code);
      HostMemory::lift();
      type = heap.define<RefArray<Node>>();
      if (!type) ++findings.failed_retries;
    }
    return type ? *type : Type<RefArray<Node>>{};
  };
  Type<RefArray<Node>> type;
  for (int i = 0; i < 40; ++i) type = define();

  // Takes the step again when it was refused.
  const auto insist = [&](auto step) {
    const Errc code = step();
    if (code == Errc::ok) return;
    findings.refused(code);
    HostMemory::lift();
    FaultSystem::reset();
    if (step() != Errc::ok) ++findings.failed_retries;
  };
  Type<WeakArray> weak_type;
  insist([&] {
    const Result<Type<WeakArray>> defined = heap.define<WeakArray>();
    if (defined) weak_type = *defined;
    return defined ? Errc::ok : defined.error().code;
  });
  TypeId released_type = 0;
  insist([&] {
    TypeDescriptor descriptor{.name = "R", .size = 16};
    descriptor.release = [](void*, void*, std::uint32_t) {};
    const Result<TypeId> defined = heap.define(descriptor);
    if (defined) released_type = *defined;
    return defined ? Errc::ok : defined.error().code;
  });

  std::uint64_t expected = 0;
  for (auto& handle : roots.handles) {
    handle = Handle<RefArray<Node>>(heap, heap.allocate(type, 2));
    if (!handle) {
      findings.refused(heap.error().code);
      HostMemory::lift();
      handle = Handle<RefArray<Node>>(heap, heap.allocate(type, 2));
      if (!handle) ++findings.failed_retries;
    }
    ++expected;
  }
  for (int i = 0; i < Roots::kRanges; ++i) {
    RootRegistration& range = roots.ranges[i];
    range = heap.add_root_range(&roots.slots[i], 1, "range");
    if (!range) {
      findings.refused(heap.error().code);
      HostMemory::lift();
      range = heap.add_root_range(&roots.slots[i], 1, "range");
      if (!range) ++findings.failed_retries;
    }
    roots.slots[i] = Ref<RefArray<Node>>(heap.allocate(type, 1)).index();
    ++expected;
  }
  for (int i = 0; i < Roots::kWeak; ++i) {
    insist([&] {
      roots.weak[i] = Weak<RefArray<Node>>(heap, roots.handles[i].get());
      return roots.weak[i] ? Errc::ok : heap.error().code;
    });
  }
  for (Guardian& guardian : roots.guardians) {
    insist([&] {
      guardian = Guardian(heap);
      return guardian ? Errc::ok : heap.error().code;
    });
    for (int i = 0; i < Roots::kGuarded; ++i) {
      const auto* agent = roots.handles[i % 2 == 0 ? i : i + 1].get();
      insist([&] { return guardian.guard(roots.handles[i].get(), agent).code; });
    }
  }
  {
    HandleScope scope(heap);
    for (int i = 0; i < Roots::kLocals; ++i) {
      Local<RefArray<Node>> local = scope.root(heap.allocate(type, 3));
      if (!local) {
        findings.refused(heap.error().code);
        HostMemory::lift();
        local = scope.root(heap.allocate(type, 3));
        if (!local) ++findings.failed_retries;
      }
    }
    // Allocation, growth and collections ask for nothing, and so cannot be refused.
    const std::uint64_t before = HostMemory::allocations();
    for (int i = 0; i < 20'000; ++i) {
      if (heap.allocate(type, 4) == nullptr) ++findings.unsound;
    }
    if (heap.collect()) ++findings.unsound;
    if (HostMemory::allocations() != before) ++findings.unsound;
    if (heap.last_collection().live_objects != expected + Roots::kLocals) ++findings.unsound;
  }
  if (heap.collect()) ++findings.unsound;
  if (heap.last_collection().live_objects != expected) ++findings.unsound;
  for (auto& handle : roots.handles) handle.reset();
  const std::uint64_t allocations = HostMemory::allocations();
  if (heap.allocate(released_type) == nullptr) ++findings.unsound;
  if (heap.allocate(weak_type, 9) == nullptr) ++findings.unsound;
  if (heap.collect()) ++findings.unsound;
  if (heap.last_collection().finalizers_ready != 2 * Roots::kGuarded) ++findings.unsound;
  if (heap.last_collection().weak_cleared != Roots::kWeak) ++findings.unsound;
  for (Guardian& guardian : roots.guardians) {
    while (guardian.ready() != 0) {
      if (!guardian.next()) ++findings.unsound;
    }
  }
  if (HostMemory::allocations() != allocations) ++findings.unsound;
  // What is asked for from here on is a smaller place for what is left: refused, it does no harm.
  findings.last_need = allocations;
  for (auto& weak : roots.weak) weak.reset();
  for (Guardian& guardian : roots.guardians) guardian.reset();
  for (RootRegistration& range : roots.ranges) range = {};
  if (heap.collect()) ++findings.unsound;
  if (heap.last_collection().live_objects != 0) ++findings.unsound;
}

}  // namespace

TEST_CASE("Host memory: refused at each place it is a typed error, and nothing is lost",
          "[gc][host]") {
  HeapOptions options = exact_options(4 * kMiB);
  options.system = &FaultSystem::table();
  options.heap_initial = 64 * kKiB;
  const auto roots = std::make_unique<Roots>();
  FaultSystem::reset();
  Findings clean;
  const std::uint64_t before = HostMemory::allocations();
  const std::int64_t outstanding = HostMemory::outstanding();
  live(options, *roots, clean);
  const std::uint64_t needed = HostMemory::allocations() - before;
  const std::uint64_t asked_in_need = clean.last_need - before;
  REQUIRE(clean.refusals == 0);
  REQUIRE(clean.unsound == 0);
  REQUIRE(HostMemory::outstanding() == outstanding);
  REQUIRE(needed > 10);
  const std::uint64_t injected_before = HostMemory::injected_in_all();
  for (std::uint64_t k = 1; k <= needed; ++k) {
    for (const bool persistent : {false, true}) {
      Findings findings;
      const std::int64_t outstanding_before = HostMemory::outstanding();
      HostMemory::fail(k, persistent);
      live(options, *roots, findings);
      HostMemory::lift();
      const std::uint64_t injected = HostMemory::injected();
      const std::int64_t left = HostMemory::outstanding() - outstanding_before;
      INFO("allocation " << k << " of " << needed << (persistent ? ", and on" : ""));
      CHECK(injected >= 1);
      CHECK((findings.refusals >= 1) == (k <= asked_in_need));
      CHECK(findings.wrong_codes == 0);
      CHECK(findings.failed_retries == 0);
      CHECK(findings.unsound == 0);
      CHECK(left == 0);
      CHECK(FaultSystem::mappings() == 0);
    }
  }
  std::fprintf(stderr, "injected host memory faults: %llu, at %llu places\n",
               static_cast<unsigned long long>(HostMemory::injected_in_all() - injected_before),
               static_cast<unsigned long long>(needed));
}

TEST_CASE("Host memory: refused to what a heap writes it is a typed error, or a line is missing",
          "[gc][host][observe]") {
  char folder[] = "/tmp/besom-host-XXXXXX";
  REQUIRE(mkdtemp(folder) != nullptr);
  HeapOptions options = exact_options(kMiB);
  options.trace = std::string(folder) + "/t.json";
  options.record = std::string(folder) + "/r.json";
  options.stats_at_exit = true;
  options.sink.write = [](void*, LogLevel, const char*) noexcept {};
  const auto run = [&] {
    const Result<HeapPtr> heap = Heap::create(options);
    if (!heap) return heap.error().code;
    const Error error = (*heap)->collect();
    return error.code;
  };
  const std::uint64_t before = HostMemory::allocations();
  const std::int64_t outstanding = HostMemory::outstanding();
  REQUIRE(run() == Errc::ok);
  const std::uint64_t needed = HostMemory::allocations() - before;
  std::uint64_t refusals = 0;
  for (std::uint64_t k = 1; k <= needed; ++k) {
    for (const bool persistent : {false, true}) {
      HostMemory::fail(k, persistent);
      const Errc code = run();
      HostMemory::lift();
      CHECK((code == Errc::ok || code == Errc::out_of_host_memory));
      refusals += code != Errc::ok ? 1 : 0;
      CHECK(HostMemory::injected() != 0);
      CHECK(HostMemory::outstanding() == outstanding);
    }
  }
  CHECK(refusals > 10);
  CHECK(run() == Errc::ok);
  for (const FileName& file : {options.trace, options.record}) CHECK(unlink(file.c_str()) == 0);
  CHECK(rmdir(folder) == 0);
}

TEST_CASE("Host memory: a descriptor that cannot be kept is a typed error", "[gc][host]") {
  const std::unique_ptr<Heap> heap = make_heap(exact_options(kMiB));
  const auto descriptor = [] {
    TypeDescriptor made{.name = "a name too long to lie in the string itself", .size = 64};
    for (std::uint32_t offset = 8; offset < 64; offset += 4) {
      made.fields.push_back(
          {.name = "a field's name too long to lie in the string itself", .offset = offset});
    }
    return made;
  };
  REQUIRE(heap->define(descriptor()));
  TypeDescriptor counted = descriptor();
  const std::uint64_t before = HostMemory::allocations();
  REQUIRE(heap->define(std::move(counted)));
  const std::uint64_t needed = HostMemory::allocations() - before;
  REQUIRE(needed > 0);
  for (std::uint64_t k = 1; k <= needed; ++k) {
    const std::int64_t outstanding = HostMemory::outstanding();
    {
      TypeDescriptor refused = descriptor();
      HostMemory::fail(k, false);
      CHECK(heap->define(std::move(refused)).error().code == Errc::out_of_host_memory);
      HostMemory::lift();
    }
    CHECK(HostMemory::outstanding() == outstanding);
  }
}

namespace {

std::uint64_t lines_logged = 0;

/// Host allocations in `heap.collect()`.
std::uint64_t allocations_in_collect(Heap& heap) {
  const std::uint64_t before = HostMemory::allocations();
  const Error error = heap.collect();
  const std::uint64_t count = HostMemory::allocations() - before;
  REQUIRE_FALSE(error);
  return count;
}

}  // namespace

TEST_CASE("Host memory: a collection asks for none", "[gc][host]") {
  for (const std::uint32_t mark_stack : {0u, 64u}) {
    HeapOptions options = exact_options(256 * kMiB);
    options.mark_stack = mark_stack;
    options.log = LogLevel::debug;
    options.sink.write = [](void*, LogLevel, const char*) noexcept { ++lines_logged; };
    Kit kit(options);
    static std::uint64_t heard = 0;
    heard = 0;
    std::uint64_t hooked = 0;
    const MarkHookRegistration hook = kit.heap.add_mark_hook(
        [](void* user, const MarkView& marks) {
          if (!marks.is_marked(Ref<void>())) ++*static_cast<std::uint64_t*>(user);
        },
        &hooked, "hook");
    bool give_up = false;
    const RootRegistration roots = kit.heap.add_roots(
        [](void* user, Tracer& tracer) {
          if (*static_cast<bool*>(user)) tracer.abandon();
        },
        &give_up, "giving up");
    REQUIRE_FALSE(kit.heap.set_listener([](void*, const CollectionStats&) { ++heard; }, nullptr));
    std::uint32_t slots[100] = {};
    const RootRegistration range = kit.heap.add_root_range(slots, 100, "range");
    HandleScope scope(kit.heap);
    Handle<RefArray<Node>> all = kit.heap.make(kit.refs, 300'000);
    for (std::uint32_t i = 0; i < all->length(); ++i) {
      Node* node = kit.heap.allocate(kit.node);
      node->left = (*all)[i / 2];
      if (i % 3 != 0) (*all)[i] = node;
      if (i % 7 == 0) static_cast<void>(scope.root(node));
    }
    CHECK(allocations_in_collect(kit.heap) == 0);
    // A deep list, damage, and much to give back.
    Handle<Node> list(kit.heap, nullptr);
    for (int i = 0; i < 500'000; ++i) {
      Node* node = kit.heap.allocate(kit.node);
      node->right = list.get();
      list.set(node);
    }
    CHECK(allocations_in_collect(kit.heap) == 0);
    forge(&list->left, 0x12345678);
    all.reset();
    CHECK(allocations_in_collect(kit.heap) == 0);
    CHECK(kit.heap.last_collection().bad_refs == 1);
    CHECK(heard == kit.heap.stats().collections);
    CHECK(hooked == heard);
    give_up = true;
    const std::uint64_t before = HostMemory::allocations();
    const Errc code = kit.heap.collect().code;
    CHECK(HostMemory::allocations() == before);
    CHECK(code == Errc::abandoned);
    CHECK(lines_logged > 0);
  }
}

namespace {

/// A heap with a long list, labelled roots of many names, and a damaged object for each 25.
struct Readable : Kit {
  static constexpr std::uint32_t kNodes = 5000;
  static constexpr std::uint32_t kBad = 200;

  explicit Readable(const HeapOptions& options) : Kit(options), root(make_node()) {
    Handle<Node> last(heap, root.get());
    for (std::uint32_t i = 0; i < kNodes; ++i) {
      Node* next = heap.allocate(node);
      last->left = next;
      last.set(next);
      labels.push_back("handle " + std::to_string(i));
    }
    target = Ref<void>(last.ref());
    for (std::uint32_t i = 0; i < 300; ++i) {
      handles.emplace_back(heap, root.get(), labels[i].c_str());
    }
  }
  /// Makes the defects that verify() is to keep.
  void damage() {
    Node* at = root.get();
    for (std::uint32_t i = 0; i < kBad; ++i) {
      forge(&at->right, 0xdead0);
      at = at->left.get();
    }
  }
  void mend() {
    Node* at = root.get();
    for (std::uint32_t i = 0; i < kBad; ++i) {
      forge(&at->right, 0);
      at = at->left.get();
    }
  }
  /// After a call was refused: nothing is missing, and all goes on.
  void check_usable() {
    CHECK(survivors() == kNodes + 1);
    CHECK(verify(heap).ok());
    CHECK(heap.make(block));
  }

  std::vector<std::string> labels;
  Handle<Node> root;
  std::vector<Handle<Node>> handles;
  Ref<void> target;
};

HeapOptions readable_options(bool generational) {
  HeapOptions options = exact_options();
  options.generational = generational;
  return options;
}

/// How many allocations `call` makes.
template <class Call>
std::uint64_t allocations_in(const Call& call) {
  const std::uint64_t before = HostMemory::allocations();
  call();
  return HostMemory::allocations() - before;
}

bool take_text(void*, const char*, std::size_t) { return true; }

}  // namespace

TEST_CASE("Host memory: what reads the heap is refused memory with a typed error",
          "[gc][host][readers]") {
  for (const bool generational : {false, true}) {
    Readable kit(readable_options(generational));
    const std::string file = "/tmp/besom-host-memory-" + std::to_string(getpid());
    const std::function<Errc()> readers[] = {
        [&] { return census(kit.heap).error().code; },
        [&] { return path_to_root(kit.heap, kit.target).error().code; },
        [&] { return held_roots(kit.heap).error().code; },
        [&] {
          return write_snapshot(kit.heap, {take_text, nullptr}).error().code;
        },
        [&] { return save_snapshot(kit.heap, file.c_str()).error().code; },
        [&] {
          kit.damage();
          const VerifyReport report = verify(kit.heap);
          kit.mend();
          // Refused memory or not, all is counted.
          CHECK(report.found() == Readable::kBad);
          CHECK((report.more != 0) == static_cast<bool>(report.error));
          return report.error.code;
        },
    };
    for (const auto& read : readers) {
      REQUIRE(read() == Errc::ok);
      const std::uint64_t needed = allocations_in([&] { REQUIRE(read() == Errc::ok); });
      REQUIRE(needed > 0);
      for (std::uint64_t k = 1; k <= needed; ++k) {
        for (const bool persistent : {false, true}) {
          const std::int64_t outstanding = HostMemory::outstanding();
          HostMemory::fail(k, persistent);
          const Errc code = read();
          HostMemory::lift();
          CHECK(code == Errc::out_of_host_memory);
          CHECK(HostMemory::outstanding() == outstanding);
          kit.check_usable();
        }
      }
    }
    unlink(file.c_str());
  }
}

TEST_CASE("Host memory: what keeps nothing asks for none", "[gc][host][readers]") {
  Readable kit(readable_options(false));
  const Result<Census> census = besom::census(kit.heap);
  const Result<RootPath> path = path_to_root(kit.heap, kit.target);
  const Result<HeldRoots> held = held_roots(kit.heap);
  REQUIRE((census && path && held));
  kit.damage();
  const VerifyReport report = verify(kit.heap);
  REQUIRE(report.defects.size() == Readable::kBad);
  char text[200];
  const std::function<void()> calls[] = {
      [&] { CHECK(verify(kit.heap, 0).found() == Readable::kBad); },
      [&] {
        CHECK_FALSE(each_object(
            kit.heap, [](void*, const ObjectView&) {}, nullptr));
      },
      [&] { CHECK(kit.heap.check(kit.target)); },
      [&] { CHECK(kit.heap.stats().used != 0); },
      [&] { CHECK(census->write_message(text, sizeof text) != 0); },
      [&] { CHECK(path->write_message(text, sizeof text) != 0); },
      [&] { CHECK(held->write_message(text, sizeof text) != 0); },
      [&] { CHECK(report.defects[3].write_message(text, sizeof text) != 0); },
      [&] { CHECK(Error{.code = Errc::write_failed, .system_errno = 28}.write_message(text, 9)); },
      // An errno without a name, for which strerror() would make one.
      [&] {
        CHECK(Error{.code = Errc::write_failed, .system_errno = 9999}.write_message(text, 9));
      },
      [&] { CHECK(parse_options("heap_max=64M,zeal=alloc:3,generational=on")); },
      [&] { CHECK_FALSE(parse_options("no such key=1")); },
      [&] { CHECK_FALSE(check_options(exact_options())); },
      [&] { CHECK_FALSE(kit.heap.collect()); },
  };
  for (const auto& call : calls) {
    // Catch2 takes memory for each CHECK: the first call shows how much.
    const std::uint64_t checks = allocations_in([] { CHECK(true); });
    CHECK(allocations_in(call) <= checks);
  }
}

TEST_CASE("Host memory: a message that has no room throws in the caller, and harms nothing",
          "[gc][host][readers]") {
  Readable kit(readable_options(false));
  const Result<Census> census = besom::census(kit.heap);
  const Result<RootPath> path = path_to_root(kit.heap, kit.target);
  const Result<HeldRoots> held = held_roots(kit.heap);
  kit.damage();
  const VerifyReport report = verify(kit.heap);
  kit.mend();
  const Error error{.code = Errc::out_of_host_memory, .bytes = 12345, .detail = "a long detail"};
  const std::function<std::string()> messages[] = {
      [&] { return census->message(); }, [&] { return path->message(); },
      [&] { return held->message(); },   [&] { return report.defects[0].message(); },
      [&] { return error.message(); },
  };
  for (const auto& message : messages) {
    REQUIRE_FALSE(message().empty());
    const std::int64_t outstanding = HostMemory::outstanding();
    bool has_thrown = false;
    HostMemory::fail(1, true);
    try {
      static_cast<void>(message());
    } catch (const std::bad_alloc&) {
      has_thrown = true;
    }
    HostMemory::lift();
    CHECK(has_thrown);
    CHECK(HostMemory::outstanding() == outstanding);
    kit.check_usable();
  }
}

TEST_CASE("Host memory: a log line that has no room is lost, and nothing else",
          "[gc][host][readers]") {
  HeapOptions options = exact_options(kMiB);
  options.log = LogLevel::info;
  const std::string label(200, 'l');
  const std::string another(200, 'm');
  // The one line of two labels is longer than what a logger has room for by itself.
  const auto destroy = [&](std::uint64_t k, bool persistent) {
    std::unique_ptr<Heap> heap = make_heap(options);
    const Type<Node> node = *heap->define<Node>();
    const Handle<Node> first = heap->make(node, 0, label.c_str());
    const Handle<Node> second = heap->make(node, 0, another.c_str());
    const std::uint64_t before = HostMemory::allocations();
    HostMemory::fail(k, persistent);
    heap.reset();
    HostMemory::lift();
    return HostMemory::allocations() - before;
  };
  static_cast<void>(destroy(0, false));  // the first line makes the logger
  const std::uint64_t needed = destroy(0, false);
  REQUIRE(needed > 0);
  for (std::uint64_t k = 1; k <= needed; ++k) {
    for (const bool persistent : {false, true}) {
      const std::int64_t outstanding = HostMemory::outstanding();
      static_cast<void>(destroy(k, persistent));
      CHECK(HostMemory::outstanding() == outstanding);
    }
  }
}

TEST_CASE("Host memory: each call that may ask for some is refused, and served when there is some",
          "[gc][host][calls]") {
  constexpr int kCalls = 3000;
  for (const bool generational : {false, true}) {
    WeakKit kit(readable_options(generational));
    Heap& heap = kit.heap;
    const Handle<Node> root = kit.make_node();
    // Room for what the calls make, so that their own containers ask for nothing.
    std::vector<Handle<Node>> handles;
    std::vector<Weak<Node>> weaks;
    std::vector<Guardian> guardians;
    std::vector<RootRegistration> registrations;
    handles.reserve(kCalls);
    weaks.reserve(kCalls);
    guardians.reserve(kCalls);
    registrations.reserve(8 * kCalls);
    std::uint32_t slot = 0;
    Guardian guardian(heap);
    const Handle<WeakKeyTable> table = kit.make_key_table();
    HandleScope scope(heap);
    const auto kept = [&](auto& list, auto made) {
      if (!made) return heap.error().code;
      list.push_back(std::move(made));
      return Errc::ok;
    };
    const auto code_of = [&](bool ok) { return ok ? Errc::ok : heap.error().code; };
    const std::function<Errc()> calls[] = {
        [&] { return kept(handles, Handle<Node>(heap, root.get(), "handle")); },
        [&] { return kept(weaks, Weak<Node>(heap, root.get())); },
        [&] { return kept(guardians, Guardian(heap)); },
        [&] { return kept(registrations, heap.add_root_range(&slot, 1, "range")); },
        [&] { return kept(registrations, heap.add_ambiguous_range(&slot, &slot, "words")); },
        [&] {
          return kept(registrations, heap.add_roots([](void*, Tracer&) {}, nullptr, "roots"));
        },
        [&] {
          return kept(registrations,
                      heap.add_mark_hook([](void*, const MarkView&) {}, nullptr, "hook"));
        },
        [&] { return code_of(static_cast<bool>(scope.root(root.get()))); },
        [&] { return code_of(static_cast<bool>(heap.mark_locals())); },
        [&] { return guardian.guard(root.get()).code; },
        [&] { return guardian.make_all_ready().code; },
        [&] { return guardian.next().error().code; },
        [&] { return code_of(WeakBox::make(heap, kit.box, WeakKit::value_of(root.get()))); },
        [&] {
          return code_of(Ephemeron::make(heap, kit.ephemeron, WeakKit::value_of(root.get()),
                                         Value::integer(1)));
        },
        [&] {
          return table
              ->put(heap, Value::integer(static_cast<std::int32_t>(table->size(heap))),
                    Value::integer(1))
              .code;
        },
        [&] { return heap.define({.name = "T", .size = 16}).error().code; },
        [&] { return heap.run_finalizers().error().code; },
        [&] { return code_of(static_cast<bool>(kit.heap.allocate(kit.node))); },
    };
    std::uint64_t refusals = 0;
    std::uint64_t wrong_codes = 0;
    std::uint64_t failed_retries = 0;
    for (const auto& call : calls) {
      for (int i = 0; i < kCalls; ++i) {
        HostMemory::fail(1, true);
        const Errc code = call();
        HostMemory::lift();
        if (code == Errc::ok) continue;
        ++refusals;
        if (code != Errc::out_of_host_memory) ++wrong_codes;
        if (call() != Errc::ok) ++failed_retries;
      }
      REQUIRE_FALSE(heap.collect());
      REQUIRE(verify(heap).ok());
    }
    CHECK(refusals > 20);
    CHECK(wrong_codes == 0);
    CHECK(failed_retries == 0);
    CHECK(table->size(heap) == kCalls);
  }
}

TEST_CASE("Host memory: what roots and guardians took goes back when they go", "[gc][host]") {
  constexpr int kMany = 20'000;
  constexpr std::int64_t kKept = 12;  // blocks: tables, and chunks for the next
  Kit kit(exact_options());
  const Handle<Node> object = kit.make_node();
  const std::int64_t before = HostMemory::outstanding();
  const auto holds_little = [&] {
    REQUIRE_FALSE(kit.heap.collect());
    CHECK(HostMemory::outstanding() <= before + kKept);
  };
  {
    std::vector<Handle<Node>> handles;
    std::vector<Weak<Node>> weak;
    for (int i = 0; i < kMany; ++i) {
      handles.emplace_back(kit.heap, object.get());
      weak.emplace_back(kit.heap, object.get());
    }
    CHECK(HostMemory::outstanding() > before + 2 * kMany / 200);
  }
  holds_little();
  {
    const HandleScope scope(kit.heap);
    for (int i = 0; i < kMany; ++i) static_cast<void>(kit.heap.local(object.get()));
    CHECK(HostMemory::outstanding() > before + kMany / 200);
  }
  holds_little();
  {
    std::vector<Fiber> fibers;
    std::vector<Guardian> guardians;
    for (int i = 0; i < kMany; ++i) {
      fibers.emplace_back(kit.heap);
      guardians.emplace_back(kit.heap);
      REQUIRE_FALSE(guardians.back().guard(object.get()));
      REQUIRE_FALSE(guardians.back().guard(kit.heap.allocate(kit.node)));
    }
    REQUIRE_FALSE(kit.heap.collect());
    CHECK(HostMemory::outstanding() > before + 2 * kMany / 200);
  }
  holds_little();
}

TEST_CASE("Host memory: a fiber, and a finalizer's agent, that has no room is a typed error",
          "[gc][host]") {
  Kit kit(exact_options());
  HostMemory::fail(1, true);
  const Fiber refused(kit.heap);
  HostMemory::lift();
  CHECK_FALSE(refused);
  CHECK(kit.heap.error().code == Errc::out_of_host_memory);
  CHECK(Fiber(kit.heap));

  int called = 0;
  Guardian guardian(
      kit.heap, [](void* user, Heap&, void*) { ++*static_cast<int*>(user); }, &called);
  REQUIRE_FALSE(guardian.guard(kit.heap.allocate(kit.node)));
  REQUIRE_FALSE(kit.heap.collect());
  HostMemory::fail(1, true);
  const Errc code = kit.heap.run_finalizers().error().code;
  HostMemory::lift();
  CHECK(code == Errc::out_of_host_memory);
  CHECK(called == 0);
  CHECK(guardian.ready() == 1);
  CHECK(*kit.heap.run_finalizers() == 1);
  CHECK(called == 1);
}

TEST_CASE("Host memory: a mark of locals that has no room is a typed error", "[gc][host]") {
  Kit kit(exact_options());
  HostMemory::fail(1, true);
  const LocalMark mark = kit.heap.mark_locals();
  const Local<Node> local = kit.heap.local(static_cast<Node*>(nullptr));
  HostMemory::lift();
  CHECK_FALSE(mark);
  CHECK_FALSE(local);
  CHECK(kit.heap.error().code == Errc::out_of_host_memory);
  CHECK(kit.heap.restore_locals(mark).code == Errc::stale_handle);
  CHECK(kit.heap.mark_locals());
}

TEST_CASE("Host memory: allocation, its collections and growth ask for none", "[gc][host]") {
  Kit kit(exact_options());
  Handle<Node> list(kit.heap, nullptr);
  const std::uint64_t before = HostMemory::allocations();
  bool good = true;
  for (int i = 0; i < 2'000'000; ++i) {
    Node* node = kit.heap.allocate(kit.node);
    if (node == nullptr) {
      good = false;
      break;
    }
    if (i % 3 != 0) continue;
    node->left = list.get();
    list.set(node);
    if (i % 300 == 0) good = good && kit.heap.allocate(kit.bytes, 5000) != nullptr;
  }
  CHECK(HostMemory::allocations() == before);
  CHECK(good);
  CHECK(kit.heap.stats().collections > 0);
  CHECK(kit.heap.stats().capacity > 8 * kMiB);
}

}  // namespace besom::test
