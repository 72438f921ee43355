/// The C interface where the host's allocator refuses.

#include "tests/gc/host_memory.hpp"

#include <besom/besom.h>

#include <algorithm>
#include <cstdio>
#include <vector>

#include "tests/support/catch.hpp"

namespace besom::test {
namespace {

void trace_nothing(void*, const void*, std::uint32_t, besom_tracer*) {}
void visit_nothing(void*, besom_tracer*) {}

struct Refusals {
  std::uint64_t count = 0;
  std::uint64_t wrong_codes = 0;

  /// `made`, or when that failed, what `make` makes once memory is back.
  template <class Make, class Code>
  auto again(Make make, Code code) {
    auto made = make();
    if (made) return made;
    ++count;
    if (code() != BESOM_OUT_OF_HOST_MEMORY) ++wrong_codes;
    HostMemory::lift();
    return make();
  }
};

/// All that the C interface takes host memory for; each refused step is taken again. False when one
/// fails again.
bool live(Refusals& refusals) {
  besom_options options;
  besom_options_init(&options);
  options.heap_max = 1 << 20;
  options.read_environment = false;
  options.mark_stack = 64;  // a larger one that is refused is done without
  options.log = BESOM_LOG_OFF;
  besom_error error{};
  besom_heap* heap = refusals.again(
      [&] {
        besom_heap* made = nullptr;
        besom_heap_create(&options, &made, &error);
        return made;
      },
      [&] { return error.code; });
  if (heap == nullptr) return false;
  const auto code = [&] { return besom_last_error(heap)->code; };
  const besom_field field{"a field's name too long to lie in the string itself", 8, BESOM_SLOT_REF};
  besom_descriptor fields{};
  fields.name = "a name too long to lie in the string itself";
  fields.size = 16;
  fields.fields = &field;
  fields.field_count = 1;
  besom_descriptor traced{};
  traced.name = fields.name;
  traced.size = 16;
  traced.trace = trace_nothing;
  besom_type type = 0;
  bool ok = true;
  for (const besom_descriptor* descriptor : {&fields, &traced}) {
    ok &= refusals.again([&] { return besom_define(heap, descriptor, &type) == BESOM_OK; }, code);
  }
  ok &= refusals.again(
      [&] { return besom_define_standard(heap, BESOM_WEAK_BOX, &type) == BESOM_OK; }, code);
  void* object = besom_allocate(heap, type, 0);
  auto* handle = refusals.again([&] { return besom_handle_new(heap, object, "handle"); }, code);
  auto* weak = refusals.again([&] { return besom_weak_new(heap, object, "weak"); }, code);
  auto* guardian = refusals.again([&] { return besom_guardian_new(heap, nullptr, nullptr); }, code);
  auto* roots =
      refusals.again([&] { return besom_add_roots(heap, visit_nothing, nullptr, "roots"); }, code);
  ok &= handle != nullptr && weak != nullptr && guardian != nullptr && roots != nullptr;
  HostMemory::lift();
  ok &= besom_collect(heap) == BESOM_OK;
  besom_registration_free(roots);
  besom_guardian_free(guardian);
  besom_weak_free(weak);
  besom_handle_free(handle);
  besom_heap_destroy(heap);
  return ok;
}

}  // namespace

TEST_CASE("C: host memory refused at each place is a status, and nothing is lost",
          "[gc][c][host]") {
  Refusals none;
  const std::uint64_t before = HostMemory::allocations();
  REQUIRE(live(none));
  const std::uint64_t needed = HostMemory::allocations() - before;
  REQUIRE(none.count == 0);
  REQUIRE(needed > 15);
  for (std::uint64_t k = 1; k <= needed; ++k) {
    for (const bool persistent : {false, true}) {
      INFO("allocation " << k << " of " << needed << (persistent ? ", and on" : ""));
      Refusals refusals;
      const std::int64_t outstanding = HostMemory::outstanding();
      HostMemory::fail(k, persistent);
      const bool ok = live(refusals);
      HostMemory::lift();
      CHECK(ok);
      CHECK(refusals.count == 1);
      CHECK(refusals.wrong_codes == 0);
      CHECK(HostMemory::outstanding() == outstanding);
    }
  }
}

namespace {

constexpr std::uint32_t kNodes = 40;

/// A heap with as many damaged objects as it has, each with a label of its own.
struct Damaged {
  Damaged() {
    besom_options options;
    besom_options_init(&options);
    options.heap_max = 16 << 20;
    options.read_environment = false;
    options.log = BESOM_LOG_OFF;
    options.zeal_verify = false;  // which aborts at a damaged heap's collection
    REQUIRE(besom_heap_create(&options, &heap, nullptr) == BESOM_OK);
    const besom_field fields[] = {
        {"a field's name too long to lie in the string itself", 8, BESOM_SLOT_REF},
        {"another", 12, BESOM_SLOT_REF}};
    besom_descriptor descriptor{};
    descriptor.name = "a name too long to lie in the string itself";
    descriptor.size = 16;
    descriptor.fields = fields;
    descriptor.field_count = 2;
    REQUIRE(besom_define(heap, &descriptor, &type) == BESOM_OK);
    for (std::uint32_t i = 0; i < kNodes; ++i) {
      auto* words = static_cast<std::uint32_t*>(besom_allocate(heap, type, 0));
      words[2] = 0x123450;
      handles[i] = besom_handle_new(heap, words, "handle");
    }
  }
  Damaged(const Damaged&) = delete;
  Damaged& operator=(const Damaged&) = delete;
  ~Damaged() {
    for (besom_handle* handle : handles) besom_handle_free(handle);
    besom_heap_destroy(heap);
  }

  besom_heap* heap = nullptr;
  besom_type type = 0;
  besom_handle* handles[kNodes] = {};
};

std::uint64_t seen = 0;

bool take(void*, const char*, std::size_t) { return true; }

}  // namespace

TEST_CASE("C: what reads the heap is refused memory with a status", "[gc][c][host][readers]") {
  Damaged damaged;
  besom_heap* heap = damaged.heap;
  std::uint64_t found = 0;
  const auto read = [&](int reader) {
    found = seen = 0;
    switch (reader) {
      case 0:
        return besom_verify(
            heap, [](void*, const besom_defect*) { ++seen; }, nullptr, &found);
      case 1:
        return besom_census(
            heap, [](void*, const besom_census_row*) { ++seen; }, nullptr);
      case 2:
        return besom_path_to_root(
            heap, besom_handle_get(damaged.handles[7]), [](void*, const besom_step*) { ++seen; },
            nullptr);
      case 3:
        return besom_held_roots(
            heap, [](void*, const besom_held_root*) { ++seen; }, nullptr);
      case 4:
        return besom_write_snapshot(heap, take, nullptr, nullptr, nullptr);
      case 5:
        return besom_save_snapshot(heap, "/tmp/besom-c-host-memory", nullptr, nullptr);
      case 6:
        return besom_each_object(
            heap, [](void*, const besom_object*) { ++seen; }, nullptr);
      default:
        return besom_each_hole(
            heap, [](void*, std::uint32_t, std::uint32_t) { ++seen; }, nullptr);
    }
  };
  for (int reader = 0; reader < 8; ++reader) {
    INFO("reader " << reader);
    const std::uint64_t before = HostMemory::allocations();
    const besom_status status = read(reader);
    const std::uint64_t needed = HostMemory::allocations() - before;
    REQUIRE(status == BESOM_OK);
    CHECK((needed == 0) == (reader >= 6));
    for (std::uint64_t k = 1; k <= needed; ++k) {
      for (const bool persistent : {false, true}) {
        const std::int64_t outstanding = HostMemory::outstanding();
        HostMemory::fail(k, persistent);
        const besom_status refused = read(reader);
        HostMemory::lift();
        CHECK(refused == BESOM_OUT_OF_HOST_MEMORY);
        CHECK(besom_last_error(heap)->code == BESOM_OUT_OF_HOST_MEMORY);
        CHECK(HostMemory::outstanding() == outstanding);
        if (reader == 0) {
          CHECK(found == kNodes);
          CHECK(seen < kNodes);
        } else {
          CHECK(seen == 0);
        }
        CHECK(besom_collect(heap) == BESOM_OK);
        CHECK(besom_allocate(heap, damaged.type, 0) != nullptr);
        CHECK(besom_verify(heap, nullptr, nullptr, &found) == BESOM_OK);
        CHECK(found == kNodes);
      }
    }
  }
  std::remove("/tmp/besom-c-host-memory");
}

TEST_CASE("C: verification hands out as many defects as it is told to", "[gc][c][host][bounds]") {
  Damaged damaged;
  for (const std::uint64_t most : {0, 1, 39, 40, 1000}) {
    std::uint64_t found = 0;
    seen = 0;
    CHECK(besom_verify_most(
              damaged.heap, most, [](void*, const besom_defect*) { ++seen; }, nullptr, &found) ==
          BESOM_OK);
    CHECK(found == kNodes);
    CHECK(seen == std::min<std::uint64_t>(most, kNodes));
  }
}

TEST_CASE("C: what handles, guardians and fibers took goes back with the last", "[c][host]") {
  constexpr std::size_t kMany = 2'000;
  const std::int64_t before = HostMemory::outstanding();
  std::vector<besom_handle*> handles(kMany);
  std::vector<besom_weak*> weak(kMany);
  std::vector<besom_guardian*> guardians(kMany);
  std::vector<besom_fiber*> fibers(kMany);
  for (const bool heap_goes_first : {false, true}) {
    besom_heap* heap = nullptr;
    REQUIRE(besom_heap_create(nullptr, &heap, nullptr) == BESOM_OK);
    const std::int64_t empty = HostMemory::outstanding();
    bool good = true;
    for (std::size_t i = 0; i < kMany; ++i) {
      handles[i] = besom_handle_new(heap, nullptr, "handle");
      weak[i] = besom_weak_new(heap, nullptr, "weak");
      guardians[i] = besom_guardian_new(heap, nullptr, nullptr);
      fibers[i] = besom_fiber_new(heap, nullptr, 0);
      good = good && handles[i] != nullptr && weak[i] != nullptr && guardians[i] != nullptr &&
             fibers[i] != nullptr;
    }
    CHECK(good);
    // Blocks of many, as small ones are kept by the host.
    CHECK(HostMemory::outstanding() < empty + static_cast<std::int64_t>(kMany));
    if (heap_goes_first) besom_heap_destroy(heap);
    for (std::size_t i = 0; i < kMany; ++i) {
      const std::size_t at = i * 7919 % kMany;
      besom_handle_free(handles[at]);
      besom_weak_free(weak[at]);
      besom_guardian_free(guardians[at]);
      besom_fiber_free(fibers[at]);
    }
    if (!heap_goes_first) {
      CHECK(HostMemory::outstanding() <= empty + 4);
      besom_heap_destroy(heap);
    }
    CHECK(HostMemory::outstanding() <= before + 4);  // the four vectors
  }
}

}  // namespace besom::test
