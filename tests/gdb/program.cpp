/// A heap with something of each kind, for the commands of scripts/gdb/besom.py. At the end it says
/// what the library itself finds.

#include <besom/besom.hpp>
#include <besom/weak_tables.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdio>

// So that their types are described here, whatever the library was compiled with. What a source
// alone knows comes from that; the linker then leaves out the library's.
#include "gc/collector.hpp"
#include "gc/roots/root_sources.cpp"  // NOLINT(bugprone-suspicious-include)
#include "gc/weak/finalizer_table.hpp"
#include "heap/space.hpp"

using besom::Handle;
using besom::HandleScope;
using besom::Heap;
using besom::Local;
using besom::Ref;
using besom::Type;

namespace {

struct Node {
  besom::Header header;
  besom::Member<Node> left, right;
  std::uint32_t number;
  static besom::TypeDescriptor type() {
    return {.name = "Node",
            .size = sizeof(Node),
            .fields = {{"left", offsetof(Node, left)}, {"right", offsetof(Node, right)}}};
  }
};

struct Pair {
  besom::Header header;
  void* first;
  std::uint64_t second;  ///< A box: with the upper 16 bits set the address of an object.
  static besom::TypeDescriptor type() {
    return {.name = "Pair",
            .size = sizeof(Pair),
            .fields = {{"first", offsetof(Pair, first), besom::SlotKind::pointer},
                       {"second", offsetof(Pair, second), besom::SlotKind::box}},
            .box = {.mask = std::uint64_t{0xffff} << 48,
                    .tag = std::uint64_t{0xffff} << 48,
                    .payload = besom::BoxPayload::address}};
  }
};

struct Traced {
  besom::Header header;
  Node* node;
  static besom::TypeDescriptor type() {
    return {.name = "Traced",
            .size = sizeof(Traced),
            .trace = [](const void* object, std::uint32_t, besom::Tracer& tracer) {
              tracer.visit_pointer(static_cast<const Traced*>(object)->node);
            }};
  }
};

std::uint64_t box(const void* object) {
  return std::uint64_t{0xffff} << 48 | reinterpret_cast<std::uintptr_t>(object);
}

}  // namespace

/// Where gdb stops. The arguments are what its commands name.
extern "C" [[gnu::noinline]] void look(Heap& heap, Node* deep, Ref<Node> in_array, Pair* boxed,
                                       Node* local, Node* hidden) {
  const volatile std::uint64_t live = heap.stats().used;
  static_cast<void>(live);
  for (const void* object :
       {static_cast<const void*>(deep), static_cast<const void*>(heap.get(in_array)),
        static_cast<const void*>(boxed), static_cast<const void*>(local),
        static_cast<const void*>(hidden)}) {
    const auto path = besom::path_to_root(
        heap, Ref<void>(static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(object))));
    std::printf("path of %zu steps\n", path ? path->steps().size() : 0);
  }
}

int main() {
  const auto created = Heap::create({.heap_max = 4 << 20, .read_environment = false});
  if (!created) return 71;
  Heap& heap = **created;
  const Type<Node> node = *heap.define<Node>();
  const Type<Pair> pair = *heap.define<Pair>();
  const Type<Traced> traced = *heap.define<Traced>();
  const auto array = *heap.define<besom::RefArray<Node>>();
  const auto bytes = *heap.define<besom::ByteArray>();
  const auto made = [&](std::uint32_t number) {
    Node* object = heap.allocate(node);
    object->number = number;
    return object;
  };

  const Handle<Node> chain(heap, made(0), "chain");
  Node* deep = chain.get();
  for (std::uint32_t i = 1; i < 500; ++i) {
    Node* next = made(i);
    if (i % 2 == 0) deep->left = next;
    if (i % 2 == 1) deep->right = next;
    // Garbage of many sizes, and holes after the first collection.
    if (heap.allocate(bytes, i % 700) == nullptr) return 71;
    if (i == 250 && heap.collect()) return 70;
    deep = next;
    deep->number = i;
  }

  HandleScope scope(heap);
  const Local<Node> local = scope.root(made(1000));
  std::uint32_t slots[2] = {};
  const besom::RootRegistration range = heap.add_root_range(slots, 2, "slots");
  auto* nodes = heap.allocate(array, 100);
  slots[1] = static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(nodes));
  (*nodes)[42] = made(2000);
  const Ref<Node> in_array((*nodes)[42].get());

  const void* words[2] = {};
  const besom::RootRegistration ambiguous = heap.add_ambiguous_range(words, words + 2, "words");
  Pair* first = heap.allocate(pair);
  words[1] = reinterpret_cast<const char*>(first) + 4;
  Pair* boxed = heap.allocate(pair);
  first->second = box(boxed);

  const Handle<Traced> callback = heap.make(traced, 0, "callback");
  callback->node = made(3000);
  const besom::Weak<Node> weak(heap, deep);
  if (heap.allocate(bytes, 1) == nullptr) return 71;  // the newest object, which is a root itself

  look(heap, deep, in_array, boxed, local.get(), callback->node);
  const auto census = besom::census(heap);
  if (!census) return 70;
  for (const besom::CensusRow& row : census->rows()) {
    std::printf("%12llu %14llu  %s\n", static_cast<unsigned long long>(row.objects),
                static_cast<unsigned long long>(row.bytes), row.name());
  }
  return 0;
}
