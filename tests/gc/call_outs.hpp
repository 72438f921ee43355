#pragma once

#include <cstring>
#include <functional>
#include <vector>

#include "tests/gc/kit.hpp"

/// What is refused to whom: every call that changes or walks a heap, and every place in a
/// collection that calls out.
namespace besom::test {

struct Op {
  const char* name;
  /// Runs it and gives the error it came to.
  std::function<Errc(Kit&)> run;
};

inline std::uint32_t spare_slot = 0;

/// What has to be refused with a typed error.
inline std::vector<Op> refused_ops() {
  const auto from_heap = [](Kit& kit, bool failed) {
    return failed ? kit.heap.error().code : Errc::ok;
  };
  return {
      {"allocate",
       [=](Kit& kit) { return from_heap(kit, kit.heap.allocate(kit.node) == nullptr); }},
      {"allocate by id",
       [=](Kit& kit) { return from_heap(kit, kit.heap.allocate(kit.pair.id) == nullptr); }},
      {"allocate an array",
       [=](Kit& kit) { return from_heap(kit, kit.heap.allocate(kit.refs, 5) == nullptr); }},
      {"allocate a large object",
       [=](Kit& kit) { return from_heap(kit, kit.heap.allocate(kit.bytes, 100'000) == nullptr); }},
      {"make", [=](Kit& kit) { return from_heap(kit, !kit.heap.make(kit.node)); }},
      {"collect", [](Kit& kit) { return kit.heap.collect().code; }},
      {"safepoint", [](Kit& kit) { return kit.heap.safepoint().code; }},
      {"forbid collections", [](Kit& kit) { return kit.heap.forbid_collections().code; }},
      {"allow collections", [](Kit& kit) { return kit.heap.allow_collections().code; }},
      {"NoCollectScope",
       [=](Kit& kit) {
         const NoCollectScope scope(kit.heap);
         return from_heap(kit, !scope);
       }},
      {"mark locals", [=](Kit& kit) { return from_heap(kit, !kit.heap.mark_locals()); }},
      {"restore locals", [](Kit& kit) { return kit.heap.restore_locals({}).code; }},
      {"verify", [](Kit& kit) { return verify(kit.heap).error.code; }},
      {"walk all objects",
       [](Kit& kit) {
         return each_object(
                    kit.heap, [](void*, const ObjectView&) {}, nullptr)
             .code;
       }},
      {"census", [](Kit& kit) { return census(kit.heap).error().code; }},
      {"path to a root", [](Kit& kit) { return path_to_root(kit.heap, {}).error().code; }},
      {"held roots", [](Kit& kit) { return held_roots(kit.heap).error().code; }},
      {"write a snapshot",
       [](Kit& kit) {
         return write_snapshot(kit.heap,
                               {[](void*, const char*, std::size_t) { return true; }, nullptr})
             .error()
             .code;
       }},
      {"save a snapshot",
       [](Kit& kit) { return save_snapshot(kit.heap, "never.heapsnapshot").error().code; }},
      {"set a listener", [](Kit& kit) { return kit.heap.set_listener(nullptr, nullptr).code; }},
      {"reset", [](Kit& kit) { return kit.heap.reset().code; }},
      {"define", [](Kit& kit) { return kit.heap.define<Node>().error().code; }},
      {"new handle",
       [=](Kit& kit) {
         Node* const null = nullptr;
         const Handle<Node> handle(kit.heap, null);
         return from_heap(kit, true);
       }},
      {"new local",
       [=](Kit& kit) {
         HandleScope scope(kit.heap);
         Node* const null = nullptr;
         static_cast<void>(scope.root(null));
         return from_heap(kit, true);
       }},
      {"add roots",
       [=](Kit& kit) {
         const RootRegistration added = kit.heap.add_roots([](void*, Tracer&) {}, nullptr, "added");
         return from_heap(kit, !added);
       }},
      {"add a mark hook",
       [=](Kit& kit) {
         const MarkHookRegistration added =
             kit.heap.add_mark_hook([](void*, const MarkView&) {}, nullptr, "added");
         return from_heap(kit, !added);
       }},
      {"local without a scope",
       [=](Kit& kit) {
         Node* const null = nullptr;
         static_cast<void>(kit.heap.local(null));
         return from_heap(kit, true);
       }},
      {"add a root range",
       [=](Kit& kit) {
         const RootRegistration added = kit.heap.add_root_range(&spare_slot, 1, "added");
         return from_heap(kit, !added);
       }},
  };
}

/// Where a collection calls out.
struct Place {
  const char* name;
  /// Arranges for `call` to be called from there.
  std::function<void(Kit&, std::function<void()>& call)> arrange;
};

inline std::function<void()>* current_call = nullptr;
inline bool log_calls = false;

inline void call_out() {
  if (current_call != nullptr && *current_call) (*current_call)();
}

inline std::vector<Place> places() {
  return {
      {"listener",
       [](Kit& kit, std::function<void()>&) {
         REQUIRE_FALSE(
             kit.heap.set_listener([](void*, const CollectionStats&) { call_out(); }, nullptr));
       }},
      {"mark hook",
       [](Kit& kit, std::function<void()>&) {
         static MarkHookRegistration registration;
         registration =
             kit.heap.add_mark_hook([](void*, const MarkView&) { call_out(); }, nullptr, "hook");
       }},
      {"root callback",
       [](Kit& kit, std::function<void()>&) {
         static RootRegistration registration;
         registration = kit.heap.add_roots([](void*, Tracer&) { call_out(); }, nullptr, "callback");
       }},
      {"trace callback",
       [](Kit& kit, std::function<void()>&) {
         const Result<TypeId> type = kit.heap.define(
             {.name = "Calling", .size = 16, .trace = [](const void*, std::uint32_t, Tracer&) {
                call_out();
              }});
         REQUIRE(type);
         static Handle<Header> handle;
         handle = Handle<Header>(kit.heap, static_cast<Header*>(kit.heap.allocate(*type)));
       }},
      {"log sink", [](Kit&, std::function<void()>&) { log_calls = true; }},
  };
}

inline HeapOptions calling_options() {
  log_calls = false;
  HeapOptions options = exact_options();
  options.log = LogLevel::debug;
  options.sink.write = [](void*, LogLevel, const char* line) noexcept {
    if (!log_calls) return;
    if (std::strstr(line, "marked") != nullptr || std::strstr(line, "swept") != nullptr) {
      call_out();
    }
  };
  return options;
}

struct Snapshot {
  std::uint64_t used, live, capacity, collections;
  explicit Snapshot(Kit& kit)
      : used(kit.heap.stats().used),
        live(kit.heap.last_collection().live_objects),
        capacity(kit.heap.stats().capacity),
        collections(kit.heap.stats().collections) {}
  friend bool operator==(const Snapshot&, const Snapshot&) = default;
};

}  // namespace besom::test
