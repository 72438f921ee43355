/// How long do things of which there may be very many stop a program? A million objects live in a
/// table; a program allocates what dies at once and now and then replaces one of the million, while
/// so many handles, weak slots or what else it is hold on to them. Printed is the longest batch of
/// 64 allocations in CPU time, of a heap that collects in cycles and of one that stops the world.
///   kinds [SCALE [KIND]]: SCALE times as many, of that kind alone

#include <algorithm>
#include <besom/besom.hpp>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <optional>
#include <utility>
#include <vector>

#include "tests/support/random.hpp"

namespace {

struct Node {
  besom::Header header;
  besom::Member<Node> next;
  std::uint32_t number;
  static besom::TypeDescriptor type() {
    return {.name = "Node", .size = sizeof(Node), .fields = {{"next", offsetof(Node, next)}}};
  }
};
struct Released {
  static constexpr bool kReleased = true;
  static inline std::uint64_t count = 0;
  besom::Header header;
  static besom::TypeDescriptor type() {
    return {.name = "Released",
            .size = sizeof(Released),
            .release = [](void*, void*, std::uint32_t) { ++count; }};
  }
};

using Nodes = besom::RefArray<Node>;
using Values = besom::ValueArray;

double cpu_ms() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
}

template <class T>
T* checked(T* object) {
  if (object == nullptr) {
    std::fprintf(stderr, "kinds: the heap is exhausted\n");
    std::exit(1);
  }
  return object;
}

constexpr std::uint32_t kNodes = 1'000'000;

/// The program, and what holds on to its objects.
class Program {
 public:
  Program(bool incremental, double scale) : scale_(scale), heap_(create(incremental)) {
    table_ = {*heap_, checked(heap_->allocate(*heap_->define<Nodes>(), kNodes))};
    for (std::uint32_t i = 0; i < kNodes; ++i) (*table_)[i] = make(i);
  }

  void hold_nothing() {}
  void hold_by_handles() {
    for (std::uint32_t i = 0; i < count(1'000'000); ++i) handles_.emplace_back(*heap_, any());
  }
  void hold_by_weak_handles() {
    for (std::uint32_t i = 0; i < count(1'000'000); ++i) weak_handles_.emplace_back(*heap_, any());
  }
  void hold_by_weak_boxes() {
    const auto type = *heap_->define<besom::WeakBox>();
    Values& kept = keep(count(1'000'000));
    for (std::uint32_t i = 0; i < kept.length(); ++i) {
      kept[i] = besom::Ref<besom::WeakBox>(
          checked(besom::WeakBox::make(*heap_, type, besom::Ref<Node>(any()))));
    }
  }
  void hold_by_weak_array() {
    auto* array = checked(heap_->allocate(*heap_->define<besom::WeakArray>(), count(1'000'000)));
    keep(1)[0] = besom::Ref<besom::WeakArray>(array);
    for (std::uint32_t i = 0; i < array->length(); ++i) (*array)[i] = besom::Ref<Node>(any());
  }
  void hold_by_guardians() {
    guardian_ = besom::Guardian(*heap_);
    for (std::uint32_t i = 0; i < count(100'000); ++i) {
      Node* const agent = make(i);
      if (guardian_.guard(any(), agent)) std::exit(1);
    }
  }
  void hold_by_ephemerons() {
    auto* array = checked(heap_->allocate(*heap_->define<besom::EphemeronArray>(), count(200'000)));
    keep(1)[0] = besom::Ref<besom::EphemeronArray>(array);
    for (std::uint32_t i = 0; i < array->length(); ++i) {
      (*array)[i].key = besom::Ref<Node>(any());
      Node* const value = make(i);
      (*array)[i].value = besom::Ref<Node>(value);
    }
  }
  void hold_by_single_ephemerons() {
    const auto type = *heap_->define<besom::Ephemeron>();
    Values& kept = keep(count(200'000));
    for (std::uint32_t i = 0; i < kept.length(); ++i) {
      kept[i] = besom::Ref<besom::Ephemeron>(checked(besom::Ephemeron::make(
          *heap_, type, besom::Ref<Node>(any()), besom::Ref<Node>(make(i)))));
    }
  }
  void hold_by_many() {
    hold_by_handles();
    hold_by_weak_boxes();
    hold_by_guardians();
    hold_by_ephemerons();
  }
  void hold_by_locals() {
    scope_.emplace(*heap_);
    for (std::uint32_t i = 0; i < count(1'000'000); ++i) static_cast<void>(scope_->root(any()));
  }
  /// All of them die within a cycle or two.
  void let_release_hooks_run() { released_ = *heap_->define<Released>(); }

  /// The longest batch, ms.
  double run() {
    double longest = 0;
    const std::uint64_t first = heap_->last_collection().number;
    double before = cpu_ms();
    while (heap_->last_collection().number < first + 6) {
      for (std::uint32_t i = 0; i < 63; ++i) {
        if (released_) {
          static_cast<void>(checked(heap_->allocate(*released_)));
        } else {
          static_cast<void>(make(i));
        }
      }
      (*table_)[random_.below(kNodes)] = make(0);
      while (guardian_ && guardian_.ready() != 0) static_cast<void>(guardian_.next());
      const double now = cpu_ms();
      longest = std::max(longest, now - before);
      before = now;
    }
    return longest;
  }

 private:
  static besom::HeapPtr create(bool incremental) {
    besom::HeapOptions options;
    options.heap_max = std::uint64_t{1} << 30;
    options.incremental = incremental;
    options.read_environment = false;
    return std::move(*besom::Heap::create(options));
  }
  [[nodiscard]] std::uint32_t count(std::uint32_t usual) const {
    return static_cast<std::uint32_t>(usual * scale_);
  }
  Node* make(std::uint32_t number) {
    Node* const node = checked(heap_->allocate(nodes_));
    node->number = number;
    return node;
  }
  Node* any() { return (*table_)[random_.below(kNodes)].get(); }
  Values& keep(std::uint32_t length) {
    kept_.emplace_back(*heap_, checked(heap_->allocate(values_, length)));
    return *kept_.back();
  }

  double scale_;
  besom::HeapPtr heap_;
  besom::Type<Node> nodes_ = *heap_->define<Node>();
  besom::Type<Values> values_ = *heap_->define<Values>();
  std::optional<besom::Type<Released>> released_;
  besom::Handle<Nodes> table_;
  besom::test::Random random_{4711};
  std::vector<besom::Handle<Values>> kept_;
  std::vector<besom::Handle<Node>> handles_;
  std::vector<besom::Weak<Node>> weak_handles_;
  besom::Guardian guardian_;
  std::optional<besom::HandleScope> scope_;
};

struct Kind {
  const char* name;
  void (Program::*hold)();
};
constexpr Kind kKinds[] = {
    {"nothing", &Program::hold_nothing},
    {"handles", &Program::hold_by_handles},
    {"weak-handles", &Program::hold_by_weak_handles},
    {"weak-boxes", &Program::hold_by_weak_boxes},
    {"weak-array", &Program::hold_by_weak_array},
    {"guardians", &Program::hold_by_guardians},
    {"ephemerons", &Program::hold_by_ephemerons},
    {"single-ephemerons", &Program::hold_by_single_ephemerons},
    {"many", &Program::hold_by_many},
    {"locals", &Program::hold_by_locals},
    {"release-hooks", &Program::let_release_hooks_run},
};

}  // namespace

int main(int argc, char** argv) {
  const double scale = argc > 1 ? std::atof(argv[1]) : 1;
  if (scale <= 0) {
    std::fprintf(stderr, "usage: %s [SCALE [KIND]]\n", argv[0]);
    return 64;
  }
  std::printf("%-20s %12s %12s   longest batch, ms\n", "", "cycles", "at once");
  for (const Kind& kind : kKinds) {
    if (argc > 2 && std::strcmp(argv[2], kind.name) != 0) continue;
    std::printf("%-20s", kind.name);
    for (const bool incremental : {true, false}) {
      Program program(incremental, scale);
      (program.*kind.hold)();
      std::printf(" %12.2f", program.run());
    }
    std::printf("\n");
  }
}
