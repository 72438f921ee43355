/// Where objects are allocated, by samples.

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "inspect/observe/site_table.hpp"
#include "tests/gc/kit.hpp"
#include "tests/support/random.hpp"
#include "tests/support/temporary_folder.hpp"

namespace besom::test {
namespace {

using detail::SiteTable;

/// What the program does, as a host would know it.
struct Place {
  const char* function = "nowhere";
  std::uint32_t line = 0;
  std::uint64_t asked = 0;

  static bool name(void* user, AllocationSite& site) {
    auto* place = static_cast<Place*>(user);
    ++place->asked;
    if (place->line == 0) return false;
    site = {.function = place->function, .file = "program.src", .line = place->line};
    return true;
  }
};

HeapOptions sampled(std::uint64_t sample_bytes = 16 * kKiB) {
  HeapOptions options = exact_options();
  options.sample_bytes = sample_bytes;
  return options;
}

struct NamedKit : Kit {
  explicit NamedKit(Place& place, const HeapOptions& options = sampled()) : Kit(options) {
    REQUIRE_FALSE(heap.set_site_namer(Place::name, &place));
  }
};

AllocationSites sites_of(Heap& heap) {
  Result<AllocationSites> sites = allocation_sites(heap);
  INFO(sites.error().message());
  REQUIRE(sites);
  return std::move(*sites);
}

std::map<std::uint32_t, AllocationRow> by_line(const AllocationSites& sites) {
  std::map<std::uint32_t, AllocationRow> rows;
  for (const AllocationRow& row : sites.rows()) rows[row.line] = row;
  return rows;
}

bool is_near(std::uint64_t estimate, std::uint64_t truth, double share) {
  const auto wanted = static_cast<double>(truth);
  return std::abs(static_cast<double>(estimate) - wanted) <= share * wanted;
}

[[gnu::noinline]] void allocate_here(Kit& kit) {
  for (int i = 0; i < 100'000; ++i) static_cast<void>(kit.heap.allocate(kit.node));
}
[[gnu::noinline]] void allocate_there(Kit& kit) {
  for (int i = 0; i < 2000; ++i) static_cast<void>(kit.heap.allocate(kit.bytes, 1000));
}

}  // namespace

TEST_CASE("Sites: what is not sampled is not known", "[gc][sites]") {
  Kit kit(exact_options());
  CHECK(allocation_sites(kit.heap).error().code == Errc::bad_option);
  CHECK(save_allocation_profile(kit.heap, "/no/such/file").code == Errc::bad_option);
  for (const std::uint64_t bytes : {std::uint64_t{1}, (std::uint64_t{1} << 40) + 1}) {
    HeapOptions options = exact_options();
    options.sample_bytes = bytes;
    CHECK(Heap::create(options).error().code == Errc::bad_option);
  }
}

TEST_CASE("Sites: of sites that take turns each has its share", "[gc][sites]") {
  for (const bool generational : {false, true}) {
    Place place;
    HeapOptions options = sampled();
    options.generational = generational;
    NamedKit kit(place, options);
    // Of one size, so that all share windows, and of others.
    std::uint64_t bytes[5] = {};
    for (int i = 0; i < 400'000; ++i) {
      place.line = 1 + static_cast<std::uint32_t>(i % 4);
      const std::uint64_t length = place.line == 4 ? 100 : 0;
      if (length == 0) {
        REQUIRE(kit.heap.allocate(kit.node) != nullptr);
        bytes[place.line] += 16;
      } else {
        REQUIRE(kit.heap.allocate(kit.bytes, length) != nullptr);
        bytes[place.line] += 112;
      }
    }
    const AllocationSites sites = sites_of(kit.heap);
    CHECK(sites.samples() == place.asked);
    CHECK(is_near(sites.samples(), kit.heap.stats().allocated / (16 * kKiB), .2));
    auto rows = by_line(sites);
    std::uint64_t sum = 0;
    for (const AllocationRow& row : sites.rows()) sum += row.allocated_bytes;
    CHECK(is_near(sum, kit.heap.stats().allocated, .1));
    for (std::uint32_t line = 1; line <= 4; ++line) {
      INFO("line " << line << (generational ? ", generational" : "") << ": "
                   << rows[line].allocated_bytes << " for " << bytes[line]);
      CHECK(is_near(rows[line].allocated_bytes, bytes[line], .3));
      CHECK(rows[line].function == std::string("nowhere"));
      CHECK(rows[line].file == std::string("program.src"));
      CHECK(rows[line].type == (line == 4 ? kit.bytes.id : kit.node.id));
    }
  }
}

TEST_CASE("Sites: large objects stand for what they take", "[gc][sites]") {
  Place place;
  NamedKit kit(place, sampled(64 * kKiB));
  std::uint64_t large = 0;
  std::uint64_t small = 0;
  for (int i = 0; i < 200; ++i) {
    place.line = 1;
    REQUIRE(kit.heap.allocate(kit.bytes, 300'000) != nullptr);
    large += 300'016;
    place.line = 2;
    for (int k = 0; k < 5000; ++k) REQUIRE(kit.heap.allocate(kit.node) != nullptr);
    small += 80'000;
  }
  auto rows = by_line(sites_of(kit.heap));
  CHECK(rows[1].samples > 190);
  CHECK(is_near(rows[1].allocated_bytes, large, .15));
  CHECK(is_near(rows[2].allocated_bytes, small, .4));
}

TEST_CASE("Sites: of objects that died the site remembers that they were", "[gc][sites]") {
  for (const bool incremental : {false, true}) {
    Place place;
    HeapOptions options = sampled();
    options.incremental = incremental;
    NamedKit kit(place, options);
    place.line = 1;
    std::vector<Handle<ByteArray>> kept;
    for (int i = 0; i < 1000; ++i) kept.push_back(kit.heap.make(kit.bytes, 4000));
    place.line = 2;
    for (int i = 0; i < 1000; ++i) static_cast<void>(kit.heap.allocate(kit.bytes, 4000));
    auto rows = by_line(sites_of(kit.heap));
    CHECK(rows[1].live_bytes == rows[1].allocated_bytes);
    REQUIRE_FALSE(kit.heap.collect());
    rows = by_line(sites_of(kit.heap));
    CHECK(rows[1].live_samples == rows[1].samples);
    CHECK(is_near(rows[1].live_bytes, 4'000'000, .2));
    CHECK(rows[2].live_samples == 0);
    CHECK(rows[2].live_bytes == 0);
    CHECK(is_near(rows[2].allocated_bytes, 4'000'000, .2));
    kept.clear();
    // Not on request: what is dead is left to allocation to sweep.
    place.line = 3;
    const std::uint64_t before = kit.heap.stats().collections;
    while (kit.heap.stats().collections < before + 2) {
      REQUIRE(kit.heap.allocate(kit.bytes, 4000) != nullptr);
    }
    rows = by_line(sites_of(kit.heap));
    CHECK(rows[1].live_samples == 0);
    REQUIRE_FALSE(kit.heap.reset());
    for (const auto& [line, row] : by_line(sites_of(kit.heap))) CHECK(row.live_bytes == 0);
  }
}

TEST_CASE("Sites: without names they are the addresses of calls", "[gc][sites]") {
  HeapOptions options = exact_options();
  options.sample_bytes = 16 * kKiB;
  Kit kit(options);
  allocate_here(kit);
  allocate_there(kit);
  const AllocationSites sites = sites_of(kit.heap);
  std::uint64_t nodes = 0;
  std::uint64_t bytes = 0;
  for (const AllocationRow& row : sites.rows()) {
    (row.type == kit.node.id ? nodes : bytes) += row.allocated_bytes;
    CHECK(row.function[0] != '\0');
    CHECK(row.file[0] != '\0');
    CHECK(row.line == 0);
  }
  CHECK(sites.rows().size() >= 2);
  CHECK(sites.rows().size() <= 6);
  CHECK(is_near(nodes, 1'600'000, .2));
  CHECK(is_near(bytes, 2'000'000, .2));
  CHECK(sites.message().find(sites.rows()[0].function) != std::string::npos);
}

TEST_CASE("Sites: a host that does not know a place gets its address", "[gc][sites]") {
  Place place;
  NamedKit kit(place);
  allocate_here(kit);
  place.line = 7;
  allocate_here(kit);
  auto rows = by_line(sites_of(kit.heap));
  CHECK(rows.size() == 2);
  CHECK(rows[0].function != std::string("nowhere"));
  CHECK(is_near(rows[7].allocated_bytes, 1'600'000, .35));
}

TEST_CASE("Sites: memory that ends at samples is whole, in every kind of heap", "[gc][sites]") {
  for (const bool generational : {false, true}) {
    for (const bool incremental : {false, true}) {
      Place place;
      HeapOptions options = sampled(4 * kKiB);
      options.generational = generational;
      options.incremental = incremental;
      NamedKit kit(place, options);
      Random random(test_seed());
      std::vector<Handle<ByteArray>> kept(3000);
      for (int i = 0; i < 60'000; ++i) {
        place.line = 1 + static_cast<std::uint32_t>(i % 5);
        const std::uint32_t length = 1 + random.below(i % 50 == 0 ? 3000 : 250);
        ByteArray* array = kit.heap.allocate(kit.bytes, length);
        REQUIRE(array != nullptr);
        bool is_zero = true;
        for (std::uint32_t k = 0; k < length; k += 8) is_zero &= (*array)[k] == 0;
        REQUIRE(is_zero);
        std::memset(&(*array)[0], 0xab, length);
        if (random.below(4) == 0) {
          kept[random.below(3000)] = Handle<ByteArray>(kit.heap, array);
        }
        if (i % 10'000 == 0) REQUIRE(verify(kit.heap).ok());
      }
      REQUIRE(verify(kit.heap).ok());
      std::uint64_t live = 0;
      for (const Handle<ByteArray>& array : kept) live += array ? array->length() + 16 : 0;
      REQUIRE_FALSE(kit.heap.collect());
      std::uint64_t estimate = 0;
      const AllocationSites sites = sites_of(kit.heap);
      for (const AllocationRow& row : sites.rows()) estimate += row.live_bytes;
      CHECK(is_near(estimate, live, .3));
    }
  }
}

TEST_CASE("Sites: what is left behind samples is not marked", "[gc][sites]") {
  for (const int each : {3, 10}) {
    Place place;
    HeapOptions options = sampled(4 * kKiB);
    options.heap_max = 8 * kMiB;
    options.incremental = true;
    NamedKit kit(place, options);  // which grows while cycles mark
    std::vector<Handle<Header>> kept;
    for (std::uint32_t size = 8; size <= 800; ++size) {
      const Result<TypeId> type = kit.heap.define({.name = "sized", .size = size});
      REQUIRE(type);
      for (int i = 0; i < each; ++i) {
        kept.emplace_back(kit.heap, static_cast<Header*>(kit.heap.allocate(*type)));
      }
    }
    CHECK(kit.survivors() == kept.size());
  }
}

TEST_CASE("Sites: what is left behind samples is not swept while it waits", "[gc][sites]") {
  Place place;
  HeapOptions options = sampled(64 * kKiB);
  options.heap_max = 1024 * kMiB;
  options.heap_initial = 900 * kMiB;
  NamedKit kit(place, options);
  for (int i = 0; i < 4'000'000; ++i) {
    void* object = i % 4 == 3 ? static_cast<void*>(kit.heap.allocate(kit.bytes, 100))
                              : kit.heap.allocate(kit.node);
    if (object == nullptr) FAIL(kit.heap.error().message());
  }
  CHECK(verify(kit.heap).ok());
}

TEST_CASE("Sites: the same program has the same samples", "[gc][sites]") {
  const auto run = [] {
    Place place;
    HeapOptions options = sampled();
    options.hash_seed = 1;
    NamedKit kit(place, options);
    std::vector<Handle<Node>> kept;
    for (std::uint32_t i = 0; i < 300'000; ++i) {
      place.line = 1 + i % 7;
      Node* node = kit.heap.allocate(kit.node);
      if (i % 10 == 0) kept.emplace_back(kit.heap, node);
    }
    return sites_of(kit.heap).message() + std::to_string(kit.heap.stats().collections);
  };
  CHECK(run() == run());
}

TEST_CASE("Sites: a host that calls into the heap while it names a place is refused",
          "[gc][sites][misuse]") {
  MisuseTable table("what a host may not do while it names a site");
  struct State {
    Kit* kit = nullptr;
    std::uint64_t asked = 0;
    std::uint64_t refused = 0;
  } state;
  HeapOptions options = exact_options();
  options.sample_bytes = 16 * kKiB;
  const SiteNamer namer = [](void* user, AllocationSite& site) {
    auto* to = static_cast<State*>(user);
    Heap& heap = to->kit->heap;
    ++to->asked;
    const bool all =
        heap.allocate(to->kit->node) == nullptr && heap.error().code == Errc::reentrant &&
        heap.collect().code == Errc::reentrant && heap.reset().code == Errc::reentrant &&
        allocation_sites(heap).error().code == Errc::reentrant &&
        !heap.local(static_cast<Node*>(nullptr));
    to->refused += all ? 1 : 0;
    static const std::string kLong(1000, 'x');
    site = {.function = kLong, .file = kLong};
    return true;
  };
  Kit kit(options);
  state.kit = &kit;
  REQUIRE_FALSE(kit.heap.set_site_namer(namer, &state));
  allocate_here(kit);
  CHECK(state.asked > 50);
  CHECK(state.refused == state.asked);
  for (int i = 0; i < 5; ++i) table.row();
  const AllocationSites sites = sites_of(kit.heap);
  REQUIRE(sites.rows().size() == 1);
  CHECK(sites.rows()[0].function == std::string(63, 'x'));
  CHECK(sites.rows()[0].file == std::string(127, 'x'));
  CHECK(verify(kit.heap).ok());
}

TEST_CASE("Sites: a table as its model, with more sites and samples than there is room",
          "[gc][sites]") {
  Random random(test_seed());
  SiteTable table(16 * kKiB);
  REQUIRE(table.create());
  struct Sums {
    std::uint64_t samples = 0;
    std::uint64_t bytes = 0;
  };
  std::map<std::uint32_t, Sums> model;
  std::uint64_t lost = 0;
  for (std::uint32_t i = 0; i < 200'000; ++i) {
    const auto line = static_cast<std::uint32_t>(random.below(1500));
    const AllocationSite site{.function = "f", .file = line % 2 == 0 ? "a" : "b", .line = line};
    table.add(&site, nullptr, 1, i, 100);
    if (model.size() < SiteTable::kSites || model.count(line) != 0) {
      ++model[line].samples;
      model[line].bytes += 100;
    } else {
      ++lost;
    }
  }
  CHECK(table.samples() == 200'000);
  CHECK(table.lost() == lost);
  CHECK(table.sites().size() == SiteTable::kSites);
  std::uint64_t live_samples = 0;
  std::uint64_t live_bytes = 0;
  std::uint64_t bytes = 0;
  for (const detail::Site& site : table.sites()) {
    CHECK(site.samples == model[site.line].samples);
    CHECK(site.allocated_bytes == model[site.line].bytes);
    live_samples += site.live_samples;
    live_bytes += site.live_bytes;
    bytes += site.allocated_bytes;
  }
  CHECK(live_samples <= SiteTable::kLive);
  CHECK(is_near(live_bytes, bytes, .001));
  CHECK(table.sample_bytes() > 16 * kKiB);
  std::uint64_t odd = 0;
  table.drop_dead([&](std::uint32_t index) {
    odd += index % 2;
    return index >= 100'000;
  });
  CHECK(odd != 0);
  table.drop_dead([](std::uint32_t) { return false; });
  for (const detail::Site& site : table.sites()) {
    CHECK(site.live_samples == 0);
    CHECK(site.live_bytes == 0);
  }
}

TEST_CASE("Sites: what lived at the fullest collection is remembered", "[gc][sites]") {
  SiteTable table(16 * kKiB);
  REQUIRE(table.create());
  const AllocationSite first{.function = "first", .file = "", .line = 1};
  const AllocationSite second{.function = "second", .file = "", .line = 2};
  for (std::uint32_t i = 0; i < 100; ++i) table.add(&first, nullptr, 1, i, 10);
  CHECK_FALSE(table.has_peak());
  table.note_collection();
  CHECK(table.has_peak());
  table.drop_dead([](std::uint32_t index) { return index < 50; });
  for (std::uint32_t i = 100; i < 140; ++i) table.add(&second, nullptr, 1, i, 10);
  table.note_collection();  // 900 bytes
  CHECK(table.sites()[0].peak_bytes == 1000);
  CHECK(table.sites()[1].peak_bytes == 0);
  for (std::uint32_t i = 140; i < 180; ++i) table.add(&second, nullptr, 1, i, 10);
  table.note_collection();  // 1300
  CHECK(table.sites()[0].peak_bytes == 500);
  CHECK(table.sites()[1].peak_bytes == 800);
  table.drop_dead([](std::uint32_t) { return false; });
  table.note_collection();
  CHECK(table.sites()[1].peak_bytes == 800);
}

TEST_CASE("Sites: a profile is written at the end, and on demand", "[gc][sites]") {
  const TemporaryFolder folder;
  {
    Place place;
    place.line = 9;
    HeapOptions options = exact_options();
    options.allocation_profile = folder.file("end.heapprofile");
    NamedKit kit(place, options);
    CHECK(folder.names().empty());
    std::vector<Handle<ByteArray>> kept;
    for (int i = 0; i < 1000; ++i) kept.push_back(kit.heap.make(kit.bytes, 4000));
    CHECK(sites_of(kit.heap).sample_bytes() == HeapOptions::kSampleBytes);
    REQUIRE_FALSE(save_allocation_profile(kit.heap, folder.file("now.heapprofile").c_str()));
    CHECK(save_allocation_profile(kit.heap, folder.file("none/x").c_str()).code ==
          Errc::write_failed);
    CHECK(save_allocation_profile(kit.heap, nullptr).code == Errc::bad_argument);
  }
  for (const char* name : {"now.heapprofile", "end.heapprofile"}) {
    const std::string text = folder.text(name);
    INFO(text);
    CHECK(text.find("{\"head\":{\"callFrame\":{\"functionName\":\"(root)\"") == 0);
    CHECK(text.find("\"functionName\":\"nowhere\"") != std::string::npos);
    CHECK(text.find("\"url\":\"program.src\"") != std::string::npos);
    CHECK(text.find("\"lineNumber\":8") != std::string::npos);
    CHECK(text.find("\"functionName\":\"ByteArray\"") != std::string::npos);
  }
}

}  // namespace besom::test
