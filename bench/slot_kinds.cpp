/// What does marking cost by the way in which objects hold their refs?
///
/// One graph, laid out in seven ways, all in objects of 48 bytes: refs, values, raw pointers, NaN
/// boxes with an index as a slot kind and by a trace callback, addresses with a tag in the high
/// bits likewise. Each layout has a heap of its own; collections take turns, and what is printed is
/// the median of the marking time of each over that of refs in the same round.
///   slot_kinds [OBJECTS [ROUNDS]]

#include <algorithm>
#include <besom/besom.hpp>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench/version.hpp"
#include "tests/support/random.hpp"

namespace {

using besom::BoxFormat;
using besom::BoxPayload;
using besom::SlotKind;

constexpr std::uint32_t kSlots = 4;
constexpr BoxFormat kNanBox{.mask = std::uint64_t{0xffff} << 48,
                            .tag = std::uint64_t{0xfff9} << 48};
constexpr BoxFormat kHighTag{.mask = std::uint64_t{0xffff} << 48,
                             .tag = std::uint64_t{0x7} << 48,
                             .payload = BoxPayload::address};

struct Narrow {
  besom::Header header;
  std::uint32_t slots[kSlots];
  std::uint32_t payload[6];
};
struct Wide {
  besom::Header header;
  std::uint64_t slots[kSlots];
  std::uint64_t payload;
};
static_assert(sizeof(Narrow) == 48 && sizeof(Wide) == 48);

template <const BoxFormat& format>
void trace(const void* object, std::uint32_t, besom::Tracer& tracer) {
  for (const std::uint64_t word : static_cast<const Wide*>(object)->slots) {
    tracer.visit_box(word, format);
  }
}
constexpr BoxFormat kNanBoxTraced = kNanBox, kHighTagTraced = kHighTag;

struct Layout {
  const char* name;
  SlotKind kind;
  BoxFormat box{};
  besom::TraceCallback trace = nullptr;
};
constexpr BoxFormat kNone{};
const Layout kLayouts[] = {
    {"refs", SlotKind::ref, kNone, nullptr},
    {"values", SlotKind::value, kNone, nullptr},
    {"pointers", SlotKind::pointer, kNone, nullptr},
    {"NaN boxes, slot kind", SlotKind::box, kNanBox, nullptr},
    {"NaN boxes, callback", SlotKind::box, kNanBox, trace<kNanBoxTraced>},
    {"high tags, slot kind", SlotKind::box, kHighTag, nullptr},
    {"high tags, callback", SlotKind::box, kHighTag, trace<kHighTagTraced>},
};
constexpr std::size_t kLayoutCount = std::size(kLayouts);

class Graph {
 public:
  Graph(const Layout& layout, std::uint32_t objects) : layout_(layout) {
    besom::HeapOptions options;
    options.heap_initial = options.heap_max = std::uint64_t{objects} * 64 + (64 << 20);
    options.growth = besom::Growth::fixed();
    options.read_environment = false;
    heap_ = std::move(*besom::Heap::create(options));
    besom::TypeDescriptor type{.name = layout.name, .size = 48, .box = layout.box};
    if (layout.trace != nullptr) {
      type.trace = layout.trace;
    } else {
      const std::uint32_t bytes = besom::TypeDescriptor::slot_bytes(layout.kind);
      for (std::uint32_t i = 0; i < kSlots; ++i) {
        type.fields.push_back(
            {.name = std::to_string(i), .offset = 8 + i * bytes, .kind = layout.kind});
      }
    }
    type_ = *heap_->define(type);
    table_ = besom::Handle<besom::RefArray<besom::Header>>(
        *heap_, heap_->allocate(*heap_->define<besom::RefArray<besom::Header>>(), objects));
    for (std::uint32_t i = 0; i < objects; ++i) {
      (*table_)[i] = static_cast<besom::Header*>(heap_->allocate(type_));
    }
  }

  /// Every slot of every object leads anywhere: each ref is a cache miss.
  void link_at_random(std::uint32_t objects) {
    besom::test::Random random(42);
    for (std::uint32_t i = 0; i < objects; ++i) {
      for (std::uint32_t slot = 0; slot < kSlots; ++slot) link(i, slot, random.below(objects));
    }
    root_first();
  }
  /// A binary tree, of which two slots of each object are null or a number.
  void link_as_tree(std::uint32_t objects) {
    for (std::uint32_t i = 0; i < objects; ++i) {
      for (std::uint32_t child = 0; child < 2; ++child) {
        if (2 * i + 1 + child < objects) link(i, child, 2 * i + 1 + child);
      }
    }
    root_first();
  }

  double mark_ns() {
    static_cast<void>(heap_->collect());
    return static_cast<double>(heap_->last_collection().mark_ns);
  }
  [[nodiscard]] std::uint64_t live() const { return heap_->last_collection().live_objects; }

 private:
  void root_first() {
    root_ = besom::Handle<besom::Header>(*heap_, (*table_)[0].get());
    table_ = {};
  }
  void link(std::uint32_t from, std::uint32_t slot, std::uint32_t to) {
    besom::Header* const object = (*table_)[from].get();
    const auto address = reinterpret_cast<std::uintptr_t>((*table_)[to].get());
    if (layout_.kind == SlotKind::box) {
      const bool is_index = layout_.box.payload == BoxPayload::index;
      reinterpret_cast<Wide*>(object)->slots[slot] =
          layout_.box.tag | (is_index ? static_cast<std::uint32_t>(address) : address);
    } else if (layout_.kind == SlotKind::pointer) {
      reinterpret_cast<Wide*>(object)->slots[slot] = address;
    } else {
      reinterpret_cast<Narrow*>(object)->slots[slot] = static_cast<std::uint32_t>(address);
    }
  }

  const Layout& layout_;
  besom::HeapPtr heap_;
  besom::TypeId type_ = 0;
  besom::Handle<besom::RefArray<besom::Header>> table_;
  besom::Handle<besom::Header> root_;
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void measure(const char* shape, void (Graph::*link)(std::uint32_t), std::uint32_t objects,
             int rounds) {
  std::vector<std::unique_ptr<Graph>> graphs;
  for (const Layout& layout : kLayouts) {
    graphs.push_back(std::make_unique<Graph>(layout, objects));
    (graphs.back().get()->*link)(objects);
    graphs.back()->mark_ns();
  }
  std::vector<double> times[kLayoutCount], ratios[kLayoutCount];
  for (int round = 0; round < rounds; ++round) {
    double refs = 0;
    for (std::size_t i = 0; i < kLayoutCount; ++i) {
      const double ns = graphs[i]->mark_ns();
      if (i == 0) refs = ns;
      times[i].push_back(ns);
      ratios[i].push_back(ns / refs);
    }
  }
  std::printf("%s, %llu objects live, %d rounds\n", shape,
              static_cast<unsigned long long>(graphs[0]->live()), rounds);
  for (std::size_t i = 0; i < kLayoutCount; ++i) {
    std::printf("  %-22s %7.2f ns an object  %5.2f x refs\n", kLayouts[i].name,
                median(times[i]) / static_cast<double>(graphs[i]->live()), median(ratios[i]));
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (bench::told_version(argc, argv, "slot_kinds")) return 0;
  const int objects = argc > 1 ? std::atoi(argv[1]) : 500'000;
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 15;
  if (objects < 1 || rounds < 1) {
    std::fprintf(stderr, "usage: %s [OBJECTS [ROUNDS]]\n", argv[0]);
    return 64;
  }
  measure("random graph", &Graph::link_at_random, static_cast<std::uint32_t>(objects), rounds);
  measure("tree", &Graph::link_as_tree, static_cast<std::uint32_t>(objects), rounds);
  return 0;
}
