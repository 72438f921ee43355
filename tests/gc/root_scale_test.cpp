/// A hundred thousand of each: time grows no faster than by a logarithm, and what has gone costs
/// nothing.

#include <time.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <vector>

#include "tests/gc/coroutine.hpp"
#include "tests/gc/kit.hpp"

namespace besom::test {
namespace {

constexpr int kMembers = kUnderSanitizer ? 16'000 : 160'000;

double cpu_seconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

/// The time that the function returned by `prepare(members)` takes.
template <class Prepare>
double seconds_of(Prepare prepare, int members) {
  auto step = prepare(members);
  const double begun = cpu_seconds();
  step();
  return cpu_seconds() - begun;
}

/// Sixteen times the members take at most 128 times as long, where what is quadratic takes 256: the
/// more there are, the more pages are touched first and the fewer lie in a cache.
template <class Prepare>
void check_growth(const char* what, Prepare prepare) {
  constexpr double kMost = 128;
  double few = 1e9;
  double many = 1e9;
  for (int i = 0; i < 20 && (i < 2 || many > kMost * few); ++i) {
    few = std::min(few, seconds_of(prepare, kMembers / 16));
    many = std::min(many, seconds_of(prepare, kMembers));
  }
  INFO(what << ": " << kMembers / 16 << " in " << few << " s, " << kMembers << " in " << many
            << " s");
  CHECK(many <= kMost * few);
}

struct Registrations {
  explicit Registrations(int count) : slots(static_cast<std::size_t>(count)) {
    registrations.reserve(slots.size());
  }
  void add() {
    for (std::uint32_t& slot : slots) {
      registrations.push_back(kit.heap.add_root_range(&slot, 1, "context"));
    }
  }
  Kit kit{exact_options()};
  std::vector<std::uint32_t> slots;
  std::vector<RootRegistration> registrations;
};

struct Guardians {
  explicit Guardians(int count, bool are_dead) {
    guardians.reserve(static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) {
      guardians.emplace_back(
          kit.heap, [](void*, Heap&, void*) {}, nullptr);
      if (are_dead || !object) object = kit.make_node();
      static_cast<void>(guardians.back().guard(object.get(), nullptr, i * 7919 % 1000));
    }
    if (are_dead) object.reset();
    static_cast<void>(kit.heap.collect());
  }
  Kit kit{exact_options()};
  Handle<Node> object;
  std::vector<Guardian> guardians;
};

}  // namespace

TEST_CASE("Scale: registrations are added and removed in any order", "[gc][roots][scale]") {
  check_growth("added", [](int count) {
    return [all = std::make_unique<Registrations>(count)] { all->add(); };
  });
  const auto made = [](int count) {
    auto all = std::make_unique<Registrations>(count);
    all->add();
    return all;
  };
  check_growth("removed, the newest first", [&](int count) {
    return [all = made(count)] {
      while (!all->registrations.empty()) all->registrations.pop_back();
    };
  });
  check_growth("removed, the oldest first", [&](int count) {
    return [all = made(count)] {
      for (RootRegistration& one : all->registrations) static_cast<void>(one.remove());
    };
  });
  check_growth("removed at random", [&](int count) {
    return [all = made(count)] {
      for (std::size_t i = 0; i < all->registrations.size(); ++i) {
        static_cast<void>(all->registrations[i * 7919 % all->registrations.size()].remove());
      }
    };
  });
}

TEST_CASE("Scale: guardians that are called, dropped, and made ready", "[gc][finalizers][scale]") {
  check_growth("called", [](int count) {
    return [all = std::make_unique<Guardians>(count, true)] {
      static_cast<void>(all->kit.heap.run_finalizers());
    };
  });
  check_growth("dropped while pending", [](int count) {
    return [all = std::make_unique<Guardians>(count, false)] { all->guardians.clear(); };
  });
  check_growth("dropped while ready", [](int count) {
    return [all = std::make_unique<Guardians>(count, true)] { all->guardians.clear(); };
  });
  check_growth("made ready", [](int count) {
    return [all = std::make_unique<Guardians>(count, false)] {
      for (Guardian& guardian : all->guardians) static_cast<void>(guardian.make_all_ready());
    };
  });
}

TEST_CASE("Scale: handles, weak handles and fibers come and go", "[gc][roots][scale]") {
  struct All {
    Kit kit{exact_options()};
    std::vector<Handle<Node>> handles;
    std::vector<Weak<Node>> weak;
    std::vector<Fiber> fibers;
  };
  check_growth("made and dropped", [](int count) {
    return [all = std::make_unique<All>(), count] {
      const Handle<Node> object = all->kit.make_node();
      for (int i = 0; i < count; ++i) {
        all->handles.emplace_back(all->kit.heap, object.get());
        all->weak.emplace_back(all->kit.heap, object.get());
        all->fibers.emplace_back(all->kit.heap);
      }
      for (std::size_t i = 0; i < all->handles.size(); ++i) {
        const std::size_t at = i * 7919 % all->handles.size();
        all->handles[at].reset();
        all->weak[at].reset();
        all->fibers[at].reset();
      }
    };
  });
}

TEST_CASE("Scale: what has gone costs no later collection anything", "[gc][roots][scale]") {
  Kit kit(exact_options());
  const auto shortest_collection = [&] {
    double shortest = 1e9;
    for (int i = 0; i < 20; ++i) {
      const double begun = cpu_seconds();
      REQUIRE_FALSE(kit.heap.collect());
      shortest = std::min(shortest, cpu_seconds() - begun);
    }
    return shortest;
  };
  const Handle<Node> object = kit.make_node();
  const double fresh = shortest_collection();
  std::vector<std::uint32_t> slots(kMembers);
  const auto fill = [&](int kind, auto then) {
    std::vector<Handle<Node>> handles;
    std::vector<Weak<Node>> weak;
    std::vector<RootRegistration> registrations;
    std::vector<Guardian> guardians;
    std::vector<Fiber> fibers;
    const HandleScope scope(kit.heap);
    for (int i = 0; i < kMembers; ++i) {
      if (kind == 0) handles.emplace_back(kit.heap, object.get());
      if (kind == 1) weak.emplace_back(kit.heap, object.get());
      if (kind == 2) registrations.push_back(kit.heap.add_root_range(&slots[0], 1, "range"));
      if (kind == 3) static_cast<void>(kit.heap.local(object.get()));
      if (kind == 4) {
        guardians.emplace_back(kit.heap);
        static_cast<void>(guardians.back().guard(kit.heap.allocate(kit.node)));
        static_cast<void>(guardians.back().guard(object.get()));
      }
      if (kind == 5) fibers.emplace_back(kit.heap);
    }
    then();
  };
  for (int kind = 0; kind < 6; ++kind) {
    INFO(kind);
    double full = 0;
    fill(kind, [&] { full = shortest_collection(); });
    const double after = shortest_collection();
    INFO("fresh " << fresh << " s, full " << full << " s, after " << after << " s");
    CHECK(after <= fresh * 3 + 20e-6);
  }
  // One in a thousand is left, each in a chunk of its own.
  std::vector<Handle<Node>> few;
  {
    std::vector<Handle<Node>> many;
    for (int i = 0; i < kMembers; ++i) many.emplace_back(kit.heap, object.get());
    for (std::size_t i = 0; i < many.size(); i += 1000) few.push_back(std::move(many[i]));
  }
  CHECK(shortest_collection() <= fresh * 3 + 100e-6);
}

}  // namespace besom::test
