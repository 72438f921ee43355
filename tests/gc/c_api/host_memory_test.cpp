/// The C interface where the host's allocator refuses.

#include "tests/gc/host_memory.hpp"

#include <besom.h>

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

}  // namespace besom::test
